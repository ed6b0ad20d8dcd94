//! Words that no file of the project may hold: the paths of somebody's machine, and notes for later.

use crate::source::Finding;

/// Spelled in two halves, so that this file does not hold them.
const MACHINE: [(&str, &str); 4] = [("/wo", "rk/"), ("/ro", "ot/"), ("/fa", "rm/"), ("/tmp", "/wt")];
const WORKPLACE: [(&str, &str); 1] = [("sub", "agent")];
const LATER: [(&str, &str); 3] = [("FIX", "ME"), ("XX", "X"), ("TO", "DO")];

/// `text` of a tracked file; a file that is no text has no words.
pub fn words(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut add = |word: &str, what: &str, instead: &str| {
            findings.push(Finding {
                path: path.to_owned(),
                line: number + 1,
                item: word.to_owned(),
                what: format!("`{word}` {what}"),
                instead: instead.to_owned(),
            });
        };
        for word in MACHINE.map(joined) {
            if stands_alone(line, &word, true) {
                add(&word, "is a path of one machine", "a path relative to the project, or a temporary folder");
            }
        }
        for word in WORKPLACE.map(joined) {
            if line.to_lowercase().contains(&word) {
                add(&word, "tells how the project was made, not what it does", "leave it out");
            }
        }
        for word in LATER.map(joined) {
            if stands_alone(line, &word, false) {
                add(&word, "marks work that was not done", "do it, or write the limit where a user reads of it");
            }
        }
    }
    findings
}

fn joined((first, second): (&str, &str)) -> String {
    format!("{first}{second}")
}

/// Whether `word` stands in `line` with no letter, digit or closing brace before it (`/proc/1/…` and `{pid}/…` are
/// other paths) and, unless it may go on, none after it.
fn stands_alone(line: &str, word: &str, may_go_on: bool) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '}' | '*');
        !before.is_some_and(joins) && (may_go_on || !after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found() {
        for word in MACHINE.map(joined) {
            let text = format!("first\nlet path = \"{word}x\";\n");
            assert_eq!(words("a.toml", &text).first().map(|finding| finding.line), Some(2), "{word}");
        }
    }

    #[test]
    fn parts_of_other_paths_pass() {
        let (first, second) = MACHINE[1];
        for line in [format!("/proc/1{first}{second}etc"), format!("/proc/{{pid}}{first}{second}"), "/etc/".to_owned()]
        {
            assert_eq!(words("a.rs", &line), [], "{line}");
        }
    }

    #[test]
    fn words_of_the_workplace_and_notes_for_later_are_found() {
        for (first, second) in WORKPLACE.into_iter().chain(LATER) {
            assert_eq!(words("a.md", &format!("a {first}{second}: b")).len(), 1, "{first}{second}");
        }
        let (first, second) = LATER[1];
        assert_eq!(words("a.sh", &format!("mktemp name.{first}{second}{second}")), []);
    }
}
