//! A page as GitHub-flavoured Markdown. Foreign text is escaped, so that it stays what it is wherever it stands.

use super::page::{Block, Page, Table};
use super::plain;

pub(super) fn render(page: &Page) -> String {
    let mut out = format!("# {}\n", escape(&page.title));
    for block in &page.blocks {
        out.push('\n');
        match block {
            Block::Banner { text, .. } => out.push_str(&format!("**{}**\n", escape(text))),
            Block::Heading(text) => out.push_str(&format!("## {}\n", escape(text))),
            Block::Paragraph(text) => out.push_str(&format!("{}\n", escape(text))),
            Block::Bullets(items) => items.iter().for_each(|item| out.push_str(&format!("- {}\n", escape(item)))),
            Block::Table(table) => write_table(table, &mut out),
            Block::Verbatim(text) => {
                let text = plain::block(text);
                let fence = fence(&text);
                out.push_str(&format!("{fence}text\n{text}\n{fence}\n"));
            }
            Block::Commands(commands) => {
                for (what, command) in commands {
                    out.push_str(&format!("- {}: {}\n", escape(what), code(command)));
                }
            }
        }
    }
    out
}

fn write_table(table: &Table, out: &mut String) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(table.columns.iter().map(|column| escape(&column.heading)).collect()));
    out.push_str(&line(table.columns.iter().map(|c| if c.numbers { "--:" } else { "---" }.to_owned()).collect()));
    for row in &table.rows {
        out.push_str(&line(row.iter().map(|cell| escape(cell)).collect()));
    }
}

/// One line of text in which no character is markup. A character is escaped only where it would be, so that numbers and
/// names stay readable in the file itself.
fn escape(text: &str) -> String {
    let text = plain::line(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if is_markup(c, before, rest.peek().copied(), &out) {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

/// Whether `c` would be markup after `before` and before `next`; `line` is what stands before it.
fn is_markup(c: char, before: char, next: Option<char>, line: &str) -> bool {
    let first = line.is_empty();
    let ends_word = next.is_none_or(|next| next == ' ');
    match c {
        '\\' | '`' | '*' | '|' | '~' | '$' => true,
        '_' => !(before.is_alphanumeric() && next.is_some_and(char::is_alphanumeric)),
        // A tag or an autolink; an entity.
        '<' => next.is_some_and(|next| next.is_alphabetic() || matches!(next, '/' | '!' | '?')),
        '&' => next.is_some_and(|next| next.is_alphanumeric() || next == '#'),
        // A task or the definition of a link; the end of a link's text.
        '[' => first,
        ']' => matches!(next, Some('(' | '[' | ':')),
        // A quote, a heading, a list, a rule: at the beginning only.
        '>' | '=' => first,
        '#' => first && (ends_word || next == Some('#')),
        '+' | '-' => first && next.is_some() && (ends_word || next == Some(c)),
        '.' | ')' => ends_word && !first && line.bytes().all(|c| c.is_ascii_digit()),
        _ => false,
    }
}

/// A code span that holds `text`, whatever backticks are in it. Not for tables, where a bar would end the cell.
fn code(text: &str) -> String {
    let text = plain::line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn fence(text: &str) -> String {
    "`".repeat((longest_run(text) + 1).max(3))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_foreign_text_is_shown_and_not_obeyed() {
        for (foreign, shown) in [
            ("kv_decode short p32 n16", "kv_decode short p32 n16"),
            ("a | b\nc", "a \\| b c"),
            ("`rm` <b>*bold*</b> &lt;", "\\`rm\\` \\<b>\\*bold\\*\\</b> \\&lt;"),
            ("see [text](http://x)", "see [text\\](http://x)"),
            ("[x]: http://x", "\\[x\\]: http://x"),
            ("_it_ a_b", "\\_it\\_ a_b"),
            ("# no heading", "\\# no heading"),
            ("-", "-"),
            ("- no list", "\\- no list"),
            ("12. no list", "12\\. no list"),
            ("1.5 ms", "1.5 ms"),
            ("-0.50 [-0.80, +1.80], <0.001", "-0.50 [-0.80, +1.80], <0.001"),
            ("back\\slash|", "back\\\\slash\\|"),
        ] {
            assert_eq!(escape(foreign), shown, "of {foreign:?}");
        }
        assert_eq!(code("a ` b `` c"), "```a ` b `` c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(fence("````"), "`````");
    }
}
