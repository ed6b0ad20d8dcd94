//! What only some rooms may do.

use crate::source::{Finding, Kind, Source, Token};

/// What a confinement looks for.
pub enum Sign {
    /// A macro by one of these names.
    Macro(&'static [&'static str]),
    /// A path that begins with one of these crates.
    Crate(&'static [&'static str]),
    /// One of these words, wherever it stands.
    Word(&'static [&'static str]),
    /// A path with these two parts in this order.
    Pair(&'static [(&'static str, &'static str)]),
    /// A method call, or a function of `f32` or `f64`, by one of these names.
    Float(&'static [&'static str]),
    /// `std::env`, but for what says only where this program stands.
    Environment,
}

pub struct Confined {
    pub what: &'static str,
    pub sign: Sign,
    /// Rooms, folders or files below `src` that may; with `!` in front of the first, all but these.
    pub places: &'static [&'static str],
    pub instead: &'static str,
}

/// `current_exe` and `consts` name this program, nothing that a user sets.
const ENVIRONMENT_OF_NOBODY: [&str; 3] = ["current_exe", "consts", "self"];

pub fn confined(source: &Source, rules: &[Confined]) -> Vec<Finding> {
    let Some(inside) = source.path.strip_prefix("src/") else { return Vec::new() };
    let mut findings = Vec::new();
    for rule in rules.iter().filter(|rule| !rule.allows(inside)) {
        for (line, item) in rule.sign.find(source) {
            let what = format!("`{item}`: {}, and this is no such place", rule.what);
            findings.push(source.finding(line, &item, what, rule.instead));
        }
    }
    findings
}

impl Confined {
    fn allows(&self, inside: &str) -> bool {
        let stands_in = |place: &&str| {
            let place = place.trim_start_matches('!');
            inside.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
        };
        let listed = self.places.iter().any(stands_in);
        listed != self.places.first().is_some_and(|place| place.starts_with('!'))
    }
}

impl Sign {
    fn find(&self, source: &Source) -> Vec<(usize, String)> {
        match self {
            Sign::Macro(names) => windows(source, |window| {
                names.contains(&window[0].text.as_str()) && window[1].text == "!" && window[2].kind == Kind::Open
            }),
            Sign::Word(words) => windows(source, |window| words.contains(&window[0].text.as_str())),
            Sign::Crate(names) => paths(source, |parts| parts.first().is_some_and(|first| names.contains(first))),
            Sign::Pair(pairs) => {
                paths(source, |parts| parts.windows(2).any(|pair| pairs.contains(&(pair[0], pair[1]))))
            }
            Sign::Environment => paths(source, |parts| {
                let from_env = match parts {
                    ["std", "env", rest @ ..] | ["env", rest @ ..] => rest,
                    _ => return false,
                };
                from_env.first().is_some_and(|name| !ENVIRONMENT_OF_NOBODY.contains(name))
            }),
            Sign::Float(names) => {
                let mut found = paths(source, |parts| matches!(parts, ["f32" | "f64", name] if names.contains(name)));
                for window in source.tokens.windows(3) {
                    if window[0].text == "." && names.contains(&window[1].text.as_str()) && window[2].text == "(" {
                        found.push((window[1].line, window[1].text.clone()));
                    }
                }
                found
            }
        }
    }
}

fn windows(source: &Source, matches: impl Fn(&[Token]) -> bool) -> Vec<(usize, String)> {
    let end = Token { text: String::new(), kind: Kind::Mark, line: 0 };
    let mut tokens = source.tokens.clone();
    tokens.extend([end.clone(), end]);
    let found = tokens.windows(3).filter(|window| window[0].kind == Kind::Word && matches(window));
    found.map(|window| (window[0].line, window[0].text.clone())).collect()
}

fn paths(source: &Source, matches: impl Fn(&[&str]) -> bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for path in &source.paths {
        let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
        if matches(&parts) {
            found.push((path.line, parts.join("::")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sign: Sign, path: &str, text: &str) -> Vec<usize> {
        let rule = Confined { what: "only in `home`", sign, places: &["home", "other/part"], instead: "go home" };
        let source = Source::parse(path, text).expect("the sample is valid Rust");
        let mut lines: Vec<usize> = confined(&source, &[rule]).iter().map(|finding| finding.line).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn places_are_rooms_folders_and_files() {
        let text = "fn f() { print!(); }\n";
        let found = |path| lines(Sign::Macro(&["print"]), path, text);
        assert_eq!(found("src/away/file.rs"), [1]);
        assert_eq!(found("src/homely/file.rs"), [1]);
        assert_eq!(found("src/other/mod.rs"), [1]);
        for path in ["src/home/file.rs", "src/home.rs", "src/other/part.rs", "src/other/part/x.rs", "tests/t.rs"] {
            assert_eq!(found(path), [0; 0], "{path}");
        }
    }

    #[test]
    fn an_inverted_rule_binds_only_the_named_places() {
        let source = |path| Source::parse(path, "fn f(x: f64) { x.ln(); }\n").expect("the sample is valid Rust");
        let rules = [Confined { what: "", sign: Sign::Float(&["ln"]), places: &["!pure"], instead: "" }];
        assert_eq!(confined(&source("src/pure/f.rs"), &rules).len(), 1);
        assert_eq!(confined(&source("src/free/f.rs"), &rules).len(), 0);
    }

    #[test]
    fn macros_are_found_inside_macros_too_and_words_in_text_are_not() {
        let text = "fn f() {\n    m!(println!(\"x\"));\n    let _ = \"println!\"; // println!\n    let print = 1;\n}\n";
        assert_eq!(lines(Sign::Macro(&["print", "println"]), "src/away/f.rs", text), [2]);
    }

    #[test]
    fn crates_are_found_in_imports_paths_and_attributes() {
        let text = "use tokio::time;\nuse {std::fs, tokio::net};\n#[tokio::test]\nasync fn f() { ::tokio::spawn(x) }\n\
                    mod tokio_like {}\n";
        assert_eq!(lines(Sign::Crate(&["tokio"]), "src/away/f.rs", text), [1, 2, 3, 4]);
    }

    #[test]
    fn clocks_are_found_by_word_and_by_path() {
        let text = "use std::time::{Duration, Instant};\nfn f() { jiff::Timestamp::now(); Timestamp::new(1); }\n";
        assert_eq!(lines(Sign::Word(&["Instant", "SystemTime"]), "src/away/f.rs", text), [1]);
        assert_eq!(lines(Sign::Pair(&[("Timestamp", "now")]), "src/away/f.rs", text), [2]);
    }

    #[test]
    fn the_environment_is_found_however_it_is_imported() {
        let text = "use std::env;\nuse std::env::var;\nuse std::{env::vars, fs};\nfn f() { env::temp_dir(); }\n\
                    fn g() { std::env::current_exe(); env::consts::ARCH; env!(\"X\"); }\n";
        assert_eq!(lines(Sign::Environment, "src/away/f.rs", text), [2, 3, 4]);
    }

    #[test]
    fn unsafe_is_found_as_a_word() {
        let text = "fn f() { unsafe { g() } }\nunsafe fn h() {}\n// unsafe\n";
        assert_eq!(lines(Sign::Word(&["unsafe"]), "src/away/f.rs", text), [1, 2]);
    }

    #[test]
    fn float_functions_are_found_as_methods_and_as_paths() {
        let text =
            "fn f(x: f64) { x.ln(); }\nconst F: fn(f64) -> f64 = f64::exp;\nfn g() { libm::exp(x.sqrt()); a.ln; }\n";
        assert_eq!(lines(Sign::Float(&["ln", "exp"]), "src/away/f.rs", text), [1, 2]);
    }
}
