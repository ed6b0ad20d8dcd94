//! A page for a terminal.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, TableStyle};

use super::page::{self, Block, Page, Table, Tone};
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
/// Between columns.
const GAP: usize = 2;

/// A table for a terminal, with a final newline. A heading that begins with `#` heads numbers, which stand to the right.
/// Cells may be foreign text; rows are cut or filled to the headings.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let column = |heading: &&str| match heading.strip_prefix('#') {
        Some(heading) => page::numbers(heading).wraps(),
        None => page::words(heading).wraps(),
    };
    let mut table = Table::new(headings.iter().map(column));
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
    let width = usize::from(style.width.max(NARROWEST));
    let (kept, fits) = columns_with_room(table, width);
    let pick = |cells: &[String]| -> Vec<String> {
        kept.iter().filter_map(|index| cells.get(*index)).map(|cell| plain::line(cell)).collect()
    };
    let headings: Vec<String> = table.columns.iter().map(|column| column.heading.clone()).collect();
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(LINES).set_content_arrangement(ContentArrangement::Dynamic).set_width(style.width.max(NARROWEST));
    drawn.set_header(pick(&headings));
    for row in &table.rows {
        drawn.add_row(pick(row));
    }
    let columns = kept.iter().filter_map(|index| table.columns.get(*index));
    for (column, drawn) in columns.zip(drawn.column_iter_mut()) {
        drawn.set_padding((0, 1));
        if column.numbers {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
        if fits && column.wraps_at.is_none() {
            drawn.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let left_out: Vec<&str> = (0..table.columns.len())
        .filter(|index| !kept.contains(index))
        .filter_map(|index| table.columns.get(index).map(|column| column.heading.as_str()))
        .collect();
    let mut out = format!("{}\n", drawn.trim_fmt());
    if !left_out.is_empty() {
        out.push_str(&wrap(&format!("(no room for: {})", left_out.join(", ")), "", "", style));
    }
    out
}

/// Indices of the columns that there is room for, the last optional one left out first, and whether they fit.
fn columns_with_room(table: &Table, width: usize) -> (Vec<usize>, bool) {
    let need = |index: &usize| {
        let heading = table.columns.get(*index).map_or(0, |column| column.heading.chars().count());
        let cells = table.rows.iter().filter_map(|row| row.get(*index)).map(|cell| plain::line(cell).chars().count());
        let natural = cells.fold(heading, usize::max);
        let wraps_at = table.columns.get(*index).and_then(|column| column.wraps_at);
        GAP + natural.min(wraps_at.unwrap_or(natural))
    };
    let mut kept: Vec<usize> = (0..table.columns.len()).collect();
    loop {
        let fits = kept.iter().map(need).sum::<usize>() <= width;
        let optional = kept.iter().rposition(|index| table.columns.get(*index).is_some_and(|column| column.optional));
        match optional {
            Some(position) if !fits => {
                kept.remove(position);
            }
            _ => return (kept, fits),
        }
    }
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
        let expected = "Name  Count\n────────────\na b       1\nred\n";
        assert_eq!(table(&["Name", "#Count"], &rows, PLAIN), expected);
    }

    #[test]
    fn optional_columns_are_left_out_from_the_right_until_the_rest_fits() {
        let mut table =
            Table::new([page::words("Needed"), page::words("First").optional(), page::words("Second").optional()]);
        table.row(["n", "f", "s"].map(|cell| cell.repeat(15)));
        let [needed, first, _] = ["n", "f", "s"].map(|cell| cell.repeat(15));
        let drawn = draw(&table, PLAIN);
        assert!(drawn.contains(&format!("{needed}  {first}")), "{drawn}");
        assert!(drawn.ends_with("(no room for: Second)\n"), "{drawn}");
        assert!(!draw(&table, Style { width: 51, ..PLAIN }).contains("no room"));
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
