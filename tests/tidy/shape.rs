//! Sizes and names: how long a function and a file may be, what `mod.rs` may hold, what a module may not be called.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::{Finding, Source};

pub const FUNCTION_LINES: usize = 70;
pub const FILE_LINES: usize = 500;

const NO_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "misc", "imp"];

/// Functions that are too long, from `fn` to the closing brace.
pub fn function_lengths(source: &Source) -> Vec<Finding> {
    let mut lengths = Lengths::default();
    lengths.visit_file(&source.syntax());
    let too_long = lengths.found.into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES);
    too_long
        .map(|(name, line, lines)| {
            source.finding(
                line,
                &name,
                format!("`{name}` has {lines} lines, {FUNCTION_LINES} are allowed"),
                "name its steps and make each a function; a table of data goes into a constant",
            )
        })
        .collect()
}

#[derive(Default)]
struct Lengths {
    found: Vec<(String, usize, usize)>,
}

impl Lengths {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let start = signature.span().start().line;
        self.found.push((signature.ident.to_string(), start, block.span().end().line + 1 - start));
    }
}

impl<'ast> Visit<'ast> for Lengths {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// A source file (of any language) that is too long.
pub fn file_length(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > FILE_LINES).then(|| Finding {
        path: path.to_owned(),
        line: FILE_LINES + 1,
        item: path.to_owned(),
        what: format!("the file has {lines} lines, {FILE_LINES} are allowed"),
        instead: "split it by what its parts do, each under its own name; tests may stand beside in tests.rs"
            .to_owned(),
    })
}

/// Logic in `mod.rs` or `lib.rs`, and a `mod.rs` that does not say what its room is.
pub fn module_roots(source: &Source) -> Vec<Finding> {
    let is_mod = source.path.starts_with("src/") && source.path.ends_with("/mod.rs");
    if !is_mod && source.path != "src/lib.rs" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if is_mod && !source.text.starts_with("//! ") {
        findings.push(source.finding(
            1,
            "doc",
            "does not begin by saying what this module owns".to_owned(),
            "begin with `//! `: what it owns, what it does not, and the way the data takes",
        ));
    }
    for item in &source.syntax().items {
        let plain = match item {
            syn::Item::Use(_) => true,
            syn::Item::Mod(module) => module.content.is_none(),
            _ => false,
        };
        if !plain {
            findings.push(source.finding(
                item.span().start().line,
                "logic",
                "holds more than docs, `mod NAME;` and `use`".to_owned(),
                "move it into a file of its own and re-export it from here",
            ));
        }
    }
    findings
}

/// Modules whose name says nothing.
pub fn module_names(source: &Source) -> Vec<Finding> {
    let instead = "name it after what it holds or does";
    let mut findings: Vec<Finding> = source
        .path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .filter(|part| NO_NAMES.contains(part))
        .map(|part| source.finding(1, part, format!("a module called `{part}` says nothing of what is in it"), instead))
        .collect();
    for pair in source.tokens.windows(2) {
        if pair[0].text == "mod" && NO_NAMES.contains(&pair[1].text.as_str()) {
            let name = &pair[1].text;
            let what = format!("a module called `{name}` says nothing of what is in it");
            findings.push(source.finding(pair[1].line, name, what, instead));
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
    fn a_function_of_seventy_lines_passes_and_one_more_does_not() {
        let body = |lines: usize| format!("/// Doc.\n#[inline]\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
        assert_eq!(lines(&function_lengths(&source("src/r/f.rs", &body(70)))), [0; 0]);
        assert_eq!(lines(&function_lengths(&source("src/r/f.rs", &body(71)))), [3]);
    }

    #[test]
    fn methods_and_nested_functions_are_measured() {
        let long = format!("fn long() {{\n{}}}\n", "    g();\n".repeat(80));
        let text = format!("impl A {{\n{long}}}\ntrait T {{\n{long}}}\nfn outer() {{\n{long}}}\n");
        let names: Vec<String> =
            function_lengths(&source("src/r/f.rs", &text)).into_iter().map(|finding| finding.item).collect();
        assert_eq!(names, ["long", "long", "outer", "long"]);
    }

    #[test]
    fn a_file_of_five_hundred_lines_passes_and_one_more_does_not() {
        assert_eq!(file_length("src/r/f.rs", &"\n".repeat(500)), None);
        assert_eq!(file_length("src/r/f.rs", &"\n".repeat(501)).map(|finding| finding.line), Some(501));
    }

    #[test]
    fn a_module_root_with_logic_or_without_a_doc_is_found() {
        let good = "//! What it owns.\n\nmod a;\n#[cfg(test)]\nmod tests;\npub use a::B;\n";
        assert_eq!(lines(&module_roots(&source("src/r/mod.rs", good))), [0; 0]);
        assert_eq!(lines(&module_roots(&source("src/r/mod.rs", "mod a;\n"))), [1]);
        let bad = "//! Doc.\nmod a;\nfn f() {}\nimpl A {}\nmod inline {\n}\nconst C: u8 = 1;\n";
        assert_eq!(lines(&module_roots(&source("src/r/mod.rs", bad))), [3, 4, 5, 7]);
        assert_eq!(lines(&module_roots(&source("src/lib.rs", "pub mod r;\npub fn f() {}\n"))), [2]);
        assert_eq!(lines(&module_roots(&source("src/r/file.rs", bad))), [0; 0]);
    }

    #[test]
    fn a_name_that_says_nothing_is_found_in_paths_and_in_modules() {
        assert_eq!(lines(&module_names(&source("src/r/utils.rs", ""))), [1]);
        assert_eq!(lines(&module_names(&source("tests/common/mod.rs", ""))), [1]);
        assert_eq!(lines(&module_names(&source("src/r/f.rs", "fn a() {}\nmod helpers {\n}\n"))), [2]);
        assert_eq!(lines(&module_names(&source("src/r/import.rs", "mod imports;\n"))), [0; 0]);
    }
}
