//! One Rust file as the rules see it: its syntax, its tokens (macro bodies included) and the paths spelled in them.

use std::fmt;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One breach of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the root.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// What was found: a function's name, a path, a word. Exceptions are made by it.
    pub item: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; instead: {}", self.path, self.line, self.what, self.instead)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or a keyword.
    Word,
    Literal,
    /// Punctuation; `::` is one token.
    Mark,
    Open,
    Close,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub text: String,
    pub kind: Kind,
    pub line: usize,
}

/// A path as it is spelled, with `{…}` of imports taken apart: `a::{b, c::d}` is `a::b` and `a::c::d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled {
    pub parts: Vec<String>,
    pub line: usize,
}

pub struct Source {
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
    pub paths: Vec<Spelled>,
    /// Lines of inline modules, for the depth that `super` starts from.
    inline_modules: Vec<(usize, usize)>,
    /// Lines of items that exist in tests only.
    test_lines: Vec<(usize, usize)>,
    /// Names of the modules that this file declares for tests only, each in its own file.
    pub test_modules: Vec<String>,
    /// The whole file exists in tests only.
    pub whole_test: bool,
}

impl Source {
    pub fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let syntax = syn::parse_file(text).map_err(|error| Finding {
            path: path.to_owned(),
            line: error.span().start().line,
            item: "syntax".to_owned(),
            what: format!("is no Rust that can be read: {error}"),
            instead: "make it compile".to_owned(),
        })?;
        let stream: TokenStream = text.strip_prefix('\u{feff}').unwrap_or(text).parse().unwrap_or_default();
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let mut items = Items::default();
        items.visit_file(&syntax);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            paths: spelled_paths(&tokens),
            tokens,
            inline_modules: items.inline_modules,
            test_lines: items.test_lines,
            test_modules: items.test_modules,
            whole_test: false,
        })
    }

    /// Read anew each time, since a syntax tree cannot be shared between the threads of a test.
    pub fn syntax(&self) -> syn::File {
        syn::parse_file(&self.text).expect("the text was parsed when this source was made")
    }

    /// Whether `line` belongs to code that exists in tests only.
    pub fn is_test(&self, line: usize) -> bool {
        self.whole_test || contains(&self.test_lines, line)
    }

    /// The folder below `src`, or the file's own name where it stands in `src` itself.
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split_once('/').map_or(inside, |(room, _)| room))
    }

    /// How many `super` lead from `line` to the crate's root.
    pub fn depth(&self, line: usize) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let folders = inside.matches('/').count();
        let own = usize::from(!inside.ends_with("/mod.rs") && folders > 0);
        folders + own + self.inline_modules.iter().filter(|(start, end)| (*start..=*end).contains(&line)).count()
    }

    pub fn finding(&self, line: usize, item: &str, what: String, instead: &str) -> Finding {
        Finding { path: self.path.clone(), line, item: item.to_owned(), what, instead: instead.to_owned() }
    }
}

fn contains(ranges: &[(usize, usize)], line: usize) -> bool {
    ranges.iter().any(|(start, end)| (*start..=*end).contains(&line))
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(word) => out.push(Token { text: word.to_string(), kind: Kind::Word, line }),
            TokenTree::Literal(literal) => out.push(Token { text: literal.to_string(), kind: Kind::Literal, line }),
            TokenTree::Punct(mark) => {
                let mut text = mark.as_char().to_string();
                let next_is_colon = matches!(trees.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                if text == ":" && mark.spacing() == Spacing::Joint && next_is_colon {
                    text.push(':');
                    trees.next();
                }
                out.push(Token { text, kind: Kind::Mark, line });
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                out.push(Token { text: open.to_owned(), kind: Kind::Open, line });
                flatten(group.stream(), out);
                let line = group.span_close().start().line;
                out.push(Token { text: close.to_owned(), kind: Kind::Close, line });
            }
        }
    }
}

fn spelled_paths(tokens: &[Token]) -> Vec<Spelled> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].kind == Kind::Word {
            at = spell(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path from the word at `at`, after `prefix`; gives the place behind it.
fn spell(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Spelled>) -> usize {
    let line = tokens[at].line;
    let mut parts = prefix.to_vec();
    parts.push(tokens[at].text.clone());
    at += 1;
    while tokens.get(at).is_some_and(|token| token.text == "::") {
        match tokens.get(at + 1) {
            Some(next) if next.kind == Kind::Word || next.text == "*" => {
                parts.push(next.text.clone());
                at += 2;
            }
            Some(next) if next.text == "{" => return spell_group(tokens, at + 2, &parts, found),
            // A turbofish: what comes behind belongs to a type, not to the path.
            _ => {
                at += 1;
                break;
            }
        }
    }
    found.push(Spelled { parts, line });
    at
}

fn spell_group(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Spelled>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.kind == Kind::Close {
            return at + 1;
        }
        if token.text == "as" {
            at += 2;
        } else if token.kind == Kind::Word {
            at = spell(tokens, at, prefix, found);
        } else {
            if token.text == "*" {
                let parts = prefix.iter().cloned().chain([token.text.clone()]).collect();
                found.push(Spelled { parts, line: token.line });
            }
            at += 1;
        }
    }
    at
}

#[derive(Default)]
struct Items {
    inline_modules: Vec<(usize, usize)>,
    test_lines: Vec<(usize, usize)>,
    test_modules: Vec<String>,
}

impl Items {
    fn note(&mut self, attributes: &[syn::Attribute], item: &impl Spanned) {
        if attributes.iter().any(only_in_tests) {
            self.test_lines.push((item.span().start().line, item.span().end().line));
        }
    }
}

impl<'ast> Visit<'ast> for Items {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if let syn::Item::Mod(module) = item {
            if module.content.is_some() {
                // The attributes and the name stand outside.
                let start = module.ident.span().start().line + 1;
                self.inline_modules.push((start, module.span().end().line));
            } else if module.attrs.iter().any(only_in_tests) {
                self.test_modules.push(module.ident.to_string());
            }
        }
        self.note(attributes_of(item), item);
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.attrs, item);
        visit::visit_impl_item_fn(self, item);
    }
}

fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn only_in_tests(attribute: &syn::Attribute) -> bool {
    if attribute.path().segments.last().is_some_and(|last| last.ident == "test") {
        return true;
    }
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let mut words = Vec::new();
    flatten(list.tokens.clone(), &mut words);
    attribute.path().is_ident("cfg")
        && words.iter().any(|word| word.text == "test")
        && !words.iter().any(|word| word.text == "not" || word.text == "any")
}

#[test]
fn imports_are_taken_apart_and_macro_bodies_are_read() {
    let text = "use a::{self, b as c, d::{e, *}};\nfn f() { m!(x::y, crate::z::Z::new()); Vec::<u8>::new() }\n";
    let source = Source::parse("src/r/f.rs", text).expect("the sample is valid Rust");
    let spelled: Vec<String> = source.paths.iter().map(|path| path.parts.join("::")).collect();
    for path in ["a::self", "a::b", "a::d::e", "a::d::*", "x::y", "crate::z::Z::new"] {
        assert!(spelled.contains(&path.to_owned()), "{path} is not among {spelled:?}");
    }
}

#[test]
fn test_code_is_told_from_the_rest() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(not(test))]\nfn c() {}\n#[cfg(test)]\nmod more;\n";
    let source = Source::parse("src/r/f.rs", text).expect("the sample is valid Rust");
    assert_eq!([1, 4, 7].map(|line| source.is_test(line)), [false, true, false]);
    assert_eq!(source.test_modules, ["more"]);
}

#[test]
fn depth_counts_the_way_to_the_root() {
    let text = "mod inner {\n    fn f() {}\n}\n";
    let depth = |path: &str, line| Source::parse(path, text).expect("the sample is valid Rust").depth(line);
    assert_eq!(depth("src/main.rs", 3), 1);
    assert_eq!(depth("src/lib.rs", 1), 0);
    assert_eq!(depth("src/room/mod.rs", 1), 1);
    assert_eq!(depth("src/room/file.rs", 1), 2);
    assert_eq!(depth("src/room/file.rs", 2), 3);
    assert_eq!(depth("src/room/sub/mod.rs", 1), 2);
}
