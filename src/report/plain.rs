//! Foreign text made safe to show. A lane's messages and standard error may hold anything: escape sequences that
//! repaint a terminal, characters that XML forbids, marks that turn the reading direction around.

use std::iter::Peekable;
use std::str::Chars;

/// One line: escape sequences and control characters gone, white space of any kind a single space.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in strip(text).split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Several lines: as [`line`], but line feeds and spaces stay, and a tab becomes four spaces.
pub(super) fn block(text: &str) -> String {
    strip(text).replace('\t', "    ").trim_end().to_owned()
}

/// Keeps what XML 1.0 allows (section 2.2) and what moves neither a cursor nor the reading direction.
fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_to_final_byte(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// An escape sequence of ECMA-48, the escape character itself taken. A string that is never ended loses no more than
/// its line, so that it cannot swallow a message.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_to_final_byte(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(&c) = rest.peek() {
                if c == '\n' {
                    return;
                }
                rest.next();
                if c == '\u{7}' {
                    return;
                }
                if c == '\u{1b}' {
                    if rest.peek() == Some(&'\\') {
                        rest.next();
                    }
                    return;
                }
            }
        }
        Some(' '..='/') => {
            rest.next();
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// Parameters and intermediates of a control sequence, and the byte that ends it.
fn skip_to_final_byte(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_leave_only_their_text() {
        for (foreign, shown) in [
            ("\u{1b}[31;1mred\u{1b}[0m alert", "red alert"),
            ("\u{1b}]0;title\u{7}done", "done"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{9b}2Jgone", "gone"),
            ("\u{1b}(Bplain\u{1b}c", "plain"),
            ("safe\u{202e}gpj.exe", "safegpj.exe"),
            ("a\u{0}b\u{8}c\u{7f}d\u{ffff}", "abcd"),
            ("one\r\ntwo\rthree\u{2028}four\tfive", "one two three four five"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(line(foreign), shown, "of {foreign:?}");
        }
        assert_eq!(block("\u{1b}]0;never ended\nnext\tline\n\n"), "\nnext    line");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]
        #[test]
        fn no_control_character_comes_through(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(char::is_control));
            prop_assert!(!block(&text).chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
