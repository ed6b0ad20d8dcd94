//! A page for a terminal.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};

use super::page::{Block, Page, Table, Tone};
use super::plain;

/// How text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; narrower than 40 is drawn as 40.
    pub width: u16,
    /// Whether escape sequences may colour the text.
    pub color: bool,
}

/// A rule below the heading, and nothing else that would be copied with the numbers.
const LINES: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
const NARROWEST: u16 = 40;

/// A table for a terminal, with a final newline. Cells may be foreign text; rows are cut or filled to the headings.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let mut table = Table::new(headings);
    for row in rows {
        table.row(row.iter().cloned());
    }
    draw(&table, style)
}

pub(super) fn render(page: &Page, style: Style) -> String {
    let mut out = String::new();
    for block in &page.blocks {
        match block {
            Block::Banner { tone, text } => paint(&wrap(text, "", "", style), color(*tone), style, &mut out),
            Block::Heading(text) => {
                out.push('\n');
                paint(&wrap(text, "", "", style), "1", style, &mut out);
            }
            Block::Paragraph(text) => out.push_str(&wrap(text, "", "", style)),
            Block::Bullets(items) => items.iter().for_each(|item| out.push_str(&wrap(item, "  - ", "    ", style))),
            Block::Table(table) => out.push_str(&draw(table, style)),
            Block::Verbatim(text) => {
                for line in plain::block(text).lines() {
                    out.push_str(&format!("    | {line}\n"));
                }
            }
            Block::Commands(commands) => {
                for (what, command) in commands {
                    out.push_str(&wrap(&format!("{what}:"), "  ", "  ", style));
                    // Not wrapped, so that it can be copied.
                    out.push_str(&format!("      {}\n", plain::line(command)));
                }
            }
        }
    }
    out
}

fn color(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "1;32",
        Tone::Bad => "1;31",
        Tone::Doubt => "1;33",
    }
}

fn paint(text: &str, code: &str, style: Style, out: &mut String) {
    if style.color {
        out.push_str(&format!("\u{1b}[{code}m{}\u{1b}[0m\n", text.trim_end_matches('\n')));
    } else {
        out.push_str(text);
    }
}

/// Words on lines of the terminal's width; a word longer than that keeps its line.
fn wrap(text: &str, first: &str, next: &str, style: Style) -> String {
    let width = usize::from(style.width.max(NARROWEST));
    let (mut out, mut column) = (first.to_owned(), first.chars().count());
    let mut fresh = true;
    for word in plain::line(text).split(' ') {
        let length = word.chars().count();
        if !fresh && column + 1 + length > width {
            out.push('\n');
            out.push_str(next);
            (column, fresh) = (next.chars().count(), true);
        }
        if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        fresh = false;
    }
    out.push('\n');
    out
}

fn draw(table: &Table, style: Style) -> String {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(LINES).set_content_arrangement(ContentArrangement::Dynamic).set_width(style.width.max(NARROWEST));
    drawn.set_header(table.columns.iter().map(|column| plain::line(&column.heading)));
    for row in &table.rows {
        drawn.add_row(row.iter().map(|cell| plain::line(cell)));
    }
    for (column, drawn) in table.columns.iter().zip(drawn.column_iter_mut()) {
        drawn.set_padding((0, 2));
        if column.numbers {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n", drawn.trim_fmt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { width: 40, color: false };

    #[test]
    fn words_wrap_at_the_width_and_a_long_word_keeps_its_line() {
        let text = "one two three four five six seven eight nine";
        assert_eq!(wrap(text, "  - ", "    ", PLAIN), "  - one two three four five six seven\n    eight nine\n");
        let long = "x".repeat(60);
        assert_eq!(wrap(&format!("a {long} b"), "", "", PLAIN), format!("a\n{long}\nb\n"));
        assert_eq!(wrap("", "- ", "", PLAIN), "- \n");
    }

    #[test]
    fn a_table_is_filled_or_cut_to_its_headings_and_keeps_foreign_text_on_its_line() {
        let rows = [vec!["a\nb".to_owned(), "1".into(), "beyond".into()], vec!["\u{1b}[31mred".into()]];
        let expected = "Name   Count\n──────────────\na b        1\nred\n";
        assert_eq!(table(&["Name", "#Count"], &rows, PLAIN), expected);
    }

    #[test]
    fn colour_is_used_only_when_asked_for() {
        let mut page = Page::new("title");
        page.banner(Tone::Bad, "bad news");
        page.heading("Part");
        assert_eq!(render(&page, PLAIN), "bad news\n\nPart\n");
        let colored = render(&page, Style { color: true, ..PLAIN });
        assert_eq!(colored, "\u{1b}[1;31mbad news\u{1b}[0m\n\n\u{1b}[1mPart\u{1b}[0m\n");
    }
}
