//! A page: what a report says, before it is known whether a terminal or a Markdown reader shows it.

/// What a report says, in order.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub title: String,
    pub blocks: Vec<Block>,
}

/// A part of a page. Its texts may be foreign; a renderer makes them safe for its own form.
#[derive(Debug)]
pub(super) enum Block {
    /// The first thing to read.
    Banner {
        tone: Tone,
        text: String,
    },
    Heading(String),
    Paragraph(String),
    Bullets(Vec<String>),
    Table(Table),
    /// Foreign output, line by line.
    Verbatim(String),
    /// What to do, and the command that does it.
    Commands(Vec<(String, String)>),
}

/// How news is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubt,
}

/// A table whose rows are as long as its heading.
#[derive(Debug)]
pub(super) struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

/// A column's heading, and on which side its cells stand.
#[derive(Debug)]
pub(super) struct Column {
    pub heading: String,
    pub numbers: bool,
}

impl Table {
    /// A table with headings; one that begins with `#` heads a column of numbers, which stand to the right.
    pub fn new(headings: &[&str]) -> Self {
        let column = |heading: &&str| match heading.strip_prefix('#') {
            Some(heading) => Column { heading: heading.to_owned(), numbers: true },
            None => Column { heading: (*heading).to_owned(), numbers: false },
        };
        Self { columns: headings.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty, cells beyond the headings are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().take(self.columns.len()).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }
}

impl Page {
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    pub fn banner(&mut self, tone: Tone, text: impl Into<String>) {
        self.blocks.push(Block::Banner { tone, text: text.into() });
    }

    pub fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// Nothing when there is nothing to list.
    pub fn bullets(&mut self, items: Vec<String>) {
        if !items.is_empty() {
            self.blocks.push(Block::Bullets(items));
        }
    }

    /// Nothing when there is no row.
    pub fn table(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.blocks.push(Block::Table(table));
        }
    }

    pub fn verbatim(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Verbatim(text.into()));
    }

    pub fn commands(&mut self, commands: Vec<(String, String)>) {
        if !commands.is_empty() {
            self.blocks.push(Block::Commands(commands));
        }
    }
}
