//! Who imports whom: every path from one room into another has to stand in the table, and the table has no cycle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Finding, Source, Spelled};

/// Room, and the rooms it may import.
pub type Table<'a> = &'a [(&'a str, &'a [&'a str])];

const TABLE_FILE: &str = "tests/tidy.rs";

/// Paths that lead from one room into another that the table does not allow.
pub fn imports(source: &Source, table: Table) -> Vec<Finding> {
    let Some(room) = source.room() else { return Vec::new() };
    if room == "lib.rs" {
        return Vec::new();
    }
    let Some((_, allowed)) = table.iter().find(|(name, _)| *name == room) else {
        return vec![source.finding(
            1,
            room,
            format!("the room `{room}` is not in the table of rooms"),
            &format!("give it a line in {TABLE_FILE}, or move the file into the room that it belongs to"),
        )];
    };
    let mut findings = Vec::new();
    for path in &source.paths {
        let Some(target) = target(source, path) else { continue };
        if target == room || allowed.contains(&target) {
            continue;
        }
        let spelled = path.parts.join("::");
        let (what, instead) = if table.iter().any(|(name, _)| *name == target) {
            (
                format!("`{room}` imports `{target}` ({spelled}), which its line in the table does not allow"),
                format!(
                    "pass the value in from above, move the type down into `terms`, or add the edge in {TABLE_FILE} \
                     with its reason in the commit"
                ),
            )
        } else {
            (
                format!("`{spelled}` reaches the crate's root, where only rooms are"),
                "name the room that owns it: crate::ROOM::NAME".to_owned(),
            )
        };
        findings.push(source.finding(path.line, &spelled, what, &instead));
    }
    findings
}

/// The item of the crate's root that the path goes through, if it goes there.
fn target<'a>(source: &Source, path: &'a Spelled) -> Option<&'a str> {
    let first = path.parts.first()?.as_str();
    let behind_root = match first {
        "crate" => 1,
        "lockstep" => 1,
        "self" | "super" => {
            let selves = usize::from(first == "self");
            let supers = path.parts.iter().skip(selves).take_while(|part| *part == "super").count();
            if supers < source.depth(path.line) || supers == 0 {
                return None;
            }
            selves + supers
        }
        _ => return None,
    };
    path.parts.get(behind_root).map(String::as_str)
}

/// Folders without a line, lines without a folder, and cycles.
pub fn table(folders: &BTreeSet<String>, table: Table) -> Vec<Finding> {
    let finding = |item: &str, what: String, instead: &str| Finding {
        path: TABLE_FILE.to_owned(),
        line: 1,
        item: item.to_owned(),
        what,
        instead: instead.to_owned(),
    };
    let mut findings = Vec::new();
    for folder in folders.iter().filter(|folder| !table.iter().any(|(room, _)| room == folder)) {
        let instead = "add its line, with what it may import and the reason in the commit";
        findings.push(finding(folder, format!("src/{folder} has no line in the table of rooms"), instead));
    }
    for (room, _) in table.iter().filter(|(room, _)| !folders.contains(*room)) {
        findings.push(finding(room, format!("the table names `{room}`, which src does not have"), "remove its line"));
    }
    for (room, allowed) in table {
        for other in allowed.iter().filter(|other| !table.iter().any(|(name, _)| name == *other)) {
            let what = format!("`{room}` may import `{other}`, which the table does not have");
            findings.push(finding(other, what, "correct the name"));
        }
    }
    if let Some(cycle) = cycle(table) {
        let way = cycle.join(" → ");
        let instead = "take one edge out; what both rooms need belongs into a room below them";
        findings.push(finding(&way, format!("the table has a cycle: {way}"), instead));
    }
    findings
}

/// Some way from a room back to itself.
fn cycle<'a>(table: Table<'a>) -> Option<Vec<&'a str>> {
    let edges: BTreeMap<&str, &[&str]> = table.iter().copied().collect();
    for (start, _) in table {
        let mut ways = vec![vec![*start]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            let Some(end) = way.last() else { continue };
            for next in edges.get(end).copied().unwrap_or_default() {
                let mut longer = way.clone();
                longer.push(*next);
                if next == start {
                    return Some(longer);
                }
                if seen.insert(*next) {
                    ways.push(longer);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Table = &[("low", &[]), ("mid", &["low"]), ("high", &["low", "mid"])];

    fn lines_found(path: &str, text: &str) -> Vec<usize> {
        let source = Source::parse(path, text).expect("the sample is valid Rust");
        imports(&source, SAMPLE).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_edge_outside_the_table_is_found_wherever_it_is_spelled() {
        let text = "use crate::low::A;\n\
                    use crate::{low::B, high::C};\n\
                    fn f() { crate::high::g() }\n\
                    fn h() { assert!(crate::high::ok()) }\n\
                    use super::super::high::D;\n\
                    use super::sibling;\n\
                    mod inner {\n    use super::super::super::high::E;\n    use super::super::sibling;\n}\n\
                    #[cfg(test)]\nmod tests {\n    use crate::high::F;\n}\n";
        assert_eq!(lines_found("src/mid/file.rs", text), [2, 3, 4, 5, 8, 13]);
    }

    #[test]
    fn own_room_and_allowed_rooms_pass() {
        assert_eq!(lines_found("src/mid/file.rs", "use crate::mid::x;\nuse crate::low::y;\n"), [0; 0]);
        assert_eq!(lines_found("src/high/mod.rs", "pub(crate) use self::a::b;\npub(super) mod c;\n"), [0; 0]);
    }

    #[test]
    fn the_crate_root_holds_nothing_to_import() {
        assert_eq!(lines_found("src/mid/file.rs", "use crate::Thing;\nuse crate::*;\n"), [1, 2]);
    }

    #[test]
    fn a_room_outside_the_table_is_found() {
        assert_eq!(lines_found("src/new/mod.rs", "//! New.\n"), [1]);
    }

    #[test]
    fn a_table_with_a_cycle_or_a_missing_room_is_found() {
        let folders = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(table(&folders(&["low", "mid", "high"]), SAMPLE), []);
        assert_eq!(table(&folders(&["low", "mid", "high", "new"]), SAMPLE)[0].item, "new");
        assert_eq!(table(&folders(&["low", "mid"]), SAMPLE)[0].item, "high");
        let round: Table = &[("a", &["b"]), ("b", &["c"]), ("c", &["a"])];
        assert_eq!(table(&folders(&["a", "b", "c"]), round)[0].item, "a → b → c → a");
        let lost: Table = &[("a", &["b"])];
        assert_eq!(table(&folders(&["a"]), lost)[0].item, "b");
    }
}
