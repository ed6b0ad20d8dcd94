//! What the cells of a plan may fix in a lane: the axes that its backend takes, as the backend's own source says.

use std::collections::BTreeMap;

use super::project::FoundLane;
use crate::plan::{Launcher, Program};
use crate::runner::native_cell_axes;

/// Axis to the values that a cell may ask for, the one that is taken unasked first.
pub(super) type Offers = BTreeMap<String, Vec<String>>;

/// Where the backends of the shipped runner stand, below the folder that a lane names as its files.
const BACKENDS: &str = "lockstep_runner/backends";
/// How a backend's table of axes begins.
const TABLE: &str = "HONOURED = {";

/// What the lane offers; nothing where only its process can tell, as with a backend of somebody else.
pub(super) fn offers(found: &FoundLane) -> Option<Offers> {
    let lane = &found.lane;
    if lane.exec.is_some() || lane.is_server() {
        return Some(Offers::new());
    }
    let words = match &lane.launcher {
        Launcher::Process(process) if process.program == Program::OwnExecutable => {
            return Some(native_cell_axes(&lane.axes));
        }
        Launcher::Docker(_) if lane.launcher.is_own_executable() => return Some(native_cell_axes(&lane.axes)),
        Launcher::Process(process) => &process.arguments,
        Launcher::Docker(docker) => &docker.command,
    };
    let ours = found.files.keys().any(|path| path.contains(BACKENDS));
    let named = words.iter().position(|word| word == "--backend").and_then(|at| words.get(at + 1));
    let backend = named.map(String::as_str).or(ours.then_some("reference"))?;
    let modules = modules(found, backend);
    let text = modules.iter().find(|text| text.contains("HONOURED"))?;
    Some(table(text, &modules)).filter(|offers| !offers.is_empty())
}

/// The sources of a backend, its own before those that it builds on: `pytorch_direct` is `direct.py` over `settings.py`.
fn modules<'a>(found: &'a FoundLane, backend: &str) -> Vec<&'a str> {
    let (folder, own) = backend.split_once('_').unwrap_or((backend, "__init__"));
    let text = |name: &str| {
        let ending = format!("{BACKENDS}/{folder}/{name}.py");
        let file = found.files.iter().find(|(path, _)| path.ends_with(&ending));
        file.and_then(|(_, bytes)| std::str::from_utf8(bytes).ok())
    };
    let mut texts: Vec<&str> = [own, "settings", "__init__"].iter().filter_map(|name| text(name)).collect();
    // One that only takes over another's table has none of its own.
    texts.sort_by_key(|text| !text.contains(TABLE));
    texts
}

/// The table in `text`, over that of the module which it takes in. A value that is computed is what the comment behind it says;
/// one that is no list of texts and has no comment stands as it is written.
fn table(text: &str, modules: &[&str]) -> Offers {
    let mut offers = Offers::new();
    let body = text.split_once(TABLE).map_or("", |(_, rest)| rest);
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        if line.starts_with("**") {
            let other = modules.iter().find(|other| **other != text && other.contains(TABLE));
            offers.extend(other.map(|other| table(other, modules)).unwrap_or_default());
        }
        let Some((axis, value)) = line.strip_prefix('"').and_then(|rest| rest.split_once("\": ")) else { continue };
        if let Some((_, said)) = value.split_once("  # ") {
            offers.insert(axis.to_owned(), vec![said.to_owned()]);
            continue;
        }
        let value = value.trim_end_matches(',');
        // A name stands for what the same or the other module gives it.
        let given = modules.iter().find_map(|text| {
            let lines = text.lines().map(|line| line.split_once(" = "));
            lines.flatten().find(|(name, _)| *name == value).map(|(_, given)| given)
        });
        offers.insert(axis.to_owned(), values(given.unwrap_or(value)));
    }
    offers
}

/// The texts of a tuple as Python writes it.
fn values(tuple: &str) -> Vec<String> {
    let inner = tuple.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let parts = inner.map(|inner| inner.split(',').map(str::trim).filter(|part| !part.is_empty()));
    let texts = parts.and_then(|parts| {
        parts.map(|part| part.strip_prefix('"')?.strip_suffix('"').map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    texts.unwrap_or_else(|| vec![tuple.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "NONE = (\"eager\", \"none\")\nHONOURED = {\n    \"cache\": (\"dynamic\", \"static\"),\n    \
                        \"compile_mode\": NONE,\n}\nOTHER = {\n    \"no\": (\"axis\",),\n}\n";
    const OVER: &str = "class A:\n    HONOURED = {\n        **HONOURED,\n        \"agents\": tuple(str(n) for n in range(2)),  # 0 to 1\n        \"kernels\": tuple(KERNELS),\n        \
                        \"cache\": (\"dynamic\",),\n    }\n";

    #[test]
    fn a_table_is_read_as_its_source_says_it() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let base = table(BASE, &[BASE]);
        assert_eq!(base["cache"], list(&["dynamic", "static"]));
        assert_eq!(base["compile_mode"], list(&["eager", "none"]));
        assert_eq!(base.len(), 2, "the table ended: {base:?}");
        let over = table(OVER, &[OVER, BASE]);
        assert_eq!((&over["cache"], &over["compile_mode"]), (&list(&["dynamic"]), &base["compile_mode"]));
        assert_eq!(over["agents"], list(&["0 to 1"]));
        assert_eq!(over["kernels"], list(&["tuple(KERNELS)"]));
    }
}
