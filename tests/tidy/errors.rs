//! Errors: one enum a room, and no way to panic on input.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::{Finding, Kind, Source};

/// The fewest words that can prove why something cannot fail.
const PROOF_WORDS: usize = 4;

/// Error types that are not the one enum `Error` in the room's `error.rs`.
pub fn error_types(source: &Source) -> Vec<Finding> {
    let Some(room) = source.room().filter(|room| !room.ends_with(".rs")) else { return Vec::new() };
    let home = format!("src/{room}/error.rs");
    let mut types = ErrorTypes::default();
    types.visit_file(&source.syntax());
    let mut findings = Vec::new();
    for found in types.found {
        let right = found.name == "Error" && found.is_enum && found.derives && source.path == home;
        if right || source.is_test(found.line) {
            continue;
        }
        findings.push(source.finding(
            found.line,
            &found.name,
            format!("`{}` is an error type beside the room's own", found.name),
            &format!(
                "make it a variant of `pub enum Error` in {home}, which derives thiserror::Error and says what was \
                 being done, to what, what was found and what to try"
            ),
        ));
    }
    findings
}

struct ErrorType {
    name: String,
    line: usize,
    is_enum: bool,
    derives: bool,
}

#[derive(Default)]
struct ErrorTypes {
    found: Vec<ErrorType>,
}

impl ErrorTypes {
    fn note(&mut self, ident: &syn::Ident, attributes: &[syn::Attribute], is_enum: bool) {
        let derives = attributes.iter().any(derives_error);
        if derives || (is_enum && ident == "Error") {
            self.found.push(ErrorType { name: ident.to_string(), line: ident.span().start().line, is_enum, derives });
        }
    }
}

impl<'ast> Visit<'ast> for ErrorTypes {
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.note(&item.ident, &item.attrs, true);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.note(&item.ident, &item.attrs, false);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.trait_.as_ref().is_some_and(|(implemented, _)| last_is_error(implemented)) {
            let name = type_name(&item.self_ty);
            let line = item.self_ty.span().start().line;
            self.found.push(ErrorType { name, line, is_enum: false, derives: false });
        }
        visit::visit_item_impl(self, item);
    }
}

fn type_name(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn last_is_error(path: &syn::Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "Error")
}

fn derives_error(attribute: &syn::Attribute) -> bool {
    let mut found = false;
    if attribute.path().is_ident("derive") {
        // A derive that cannot be read is the compiler's to refuse.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= last_is_error(&meta.path);
            Ok(())
        });
    }
    found
}

/// Calls that panic, outside tests, without a proof that they cannot.
pub fn panics(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let tokens = &source.tokens;
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Word || source.is_test(token.line) {
            continue;
        }
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text.as_str());
        let after_dot = at > 0 && tokens[at - 1].text == ".";
        let proven = |open: usize| proof_words(text(open + 1)) >= PROOF_WORDS;
        let called = text(1) == "(";
        let invoked = text(1) == "!";
        let name = token.text.as_str();
        let instead = match name {
            "unwrap" | "unwrap_err" | "unwrap_unchecked" if after_dot && called => {
                "return the room's Error; where it truly cannot fail, `expect(\"why it cannot fail\")`"
            }
            "expect" | "expect_err" if after_dot && called && !proven(1) => {
                "say in a literal of at least four words why it cannot fail, or return the room's Error"
            }
            "unreachable" if invoked && !proven(2) => {
                "say in at least four words why it cannot be reached, or return the room's Error"
            }
            "panic" if invoked => "return the room's Error",
            _ => continue,
        };
        findings.push(source.finding(token.line, name, format!("`{name}` can end the program"), instead));
    }
    findings
}

/// Words of a string literal; none where it is no literal.
fn proof_words(literal: &str) -> usize {
    let Ok(text) = syn::parse_str::<syn::LitStr>(literal) else { return 0 };
    text.value().split_whitespace().count()
}

/// What was left for later.
pub fn unfinished(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pair in source.tokens.windows(2) {
        if pair[1].text == "!" && ["todo", "unimplemented"].contains(&pair[0].text.as_str()) {
            let what = format!("`{}!` stands for work that was not done", pair[0].text);
            findings.push(source.finding(pair[0].line, &pair[0].text, what, "do it, or return an error that says so"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("the sample is valid Rust")
    }

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_one_enum_of_a_room_passes() {
        let text = "#[derive(Debug, thiserror::Error)]\npub enum Error {}\n";
        assert_eq!(lines(&error_types(&source("src/r/error.rs", text))), [0; 0]);
    }

    #[test]
    fn other_error_types_are_found() {
        let elsewhere = "#[derive(Debug, thiserror::Error)]\npub enum Error {}\n";
        assert_eq!(lines(&error_types(&source("src/r/file.rs", elsewhere))), [2]);
        let underived = "#[derive(Debug)]\npub enum Error {}\n";
        assert_eq!(lines(&error_types(&source("src/r/error.rs", underived))), [2]);
        let second = "use thiserror::Error;\n#[derive(Error)]\npub struct ReadError;\n#[derive(Error)]\nenum More {}\n";
        assert_eq!(lines(&error_types(&source("src/r/error.rs", second))), [3, 5]);
        let by_hand = "struct Bad;\nimpl std::error::Error for Bad {}\n";
        assert_eq!(lines(&error_types(&source("src/r/file.rs", by_hand))), [2]);
    }

    #[test]
    fn panics_are_found_outside_tests() {
        let text = "fn f() {\n    a.unwrap();\n    b.expect(\"short one\");\n    c.expect(&format!(\"a b c d e\"));\n    \
                    panic!(\"x\");\n    unreachable!();\n    d.unwrap_err();\n}\n";
        assert_eq!(lines(&panics(&source("src/r/f.rs", text))), [2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_proof_passes_and_so_do_tests() {
        let text = "fn f() {\n    a.expect(\"a digest always has 64 digits\");\n    b.unwrap_or(1);\n    \
                    unreachable!(\"the match above covers every phase\");\n}\n\
                    #[cfg(test)]\nmod tests {\n    #[test]\n    fn t() { a.unwrap(); panic!(); }\n}\n";
        assert_eq!(lines(&panics(&source("src/r/f.rs", text))), [0; 0]);
    }

    #[test]
    fn unfinished_work_is_found_in_tests_too() {
        let text = "fn f() { todo!() }\n#[test]\nfn t() { unimplemented!(\"later\") }\n";
        assert_eq!(lines(&unfinished(&source("tests/t.rs", text))), [1, 3]);
    }
}
