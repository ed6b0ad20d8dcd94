//! What the `exec` backend runs: an unmodified program, and the lines of its log that say what came of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::{Error, Lane};
use crate::terms::{Cell, Phase};

/// What may stand in an argument, in braces.
const PLACES: [&str; 4] = ["model_dir", "new_tokens", "prompt_ids", "prompt_tokens"];

/// The variable by which a lane's process learns of it.
pub const EXEC_VARIABLE: &str = "LOCKSTEP_EXEC";

/// A program that knows nothing of Lockstep. It is run once for each repetition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Program and arguments. `{model_dir}`, `{new_tokens}`, `{prompt_ids}` (with commas between them) and
    /// `{prompt_tokens}` (their count) are filled in; a brace of its own is written twice.
    pub arguments: Vec<String>,
    /// The folder that it is run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Lines of its output that say what came of it.
    #[serde(default, rename = "line", skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LogLine>,
}

/// One kind of line. The last one that is printed counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// The name of the number or text in the row's evidence, below `log.`; `tokens` is the repetition's output, as ids with
    /// commas or blanks between them.
    pub name: String,
    /// A regular expression of Python with the group `value`.
    pub pattern: String,
    /// Whether a program that ends well without such a line has failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

pub(super) fn check(document: &Document<'_>, exec: &Exec) -> Result<(), Error> {
    let Exec { arguments, directory, lines } = exec;
    if arguments.first().is_none_or(|program| program.trim().is_empty()) {
        return Err(document.fault("exec.arguments", "names no program", None));
    }
    for (index, argument) in arguments.iter().enumerate() {
        if let Some(place) = unknown_place(argument) {
            let hint = format!("known: {}; a brace of its own is written twice", PLACES.join(", "));
            let message = format!("nothing fills `{{{place}}}`");
            return Err(document.fault(&format!("exec.arguments[{index}]"), message, Some(hint)));
        }
    }
    if directory.as_ref().is_some_and(|folder| !folder.starts_with('/')) {
        return Err(document.fault("exec.directory", "is no absolute path", None));
    }
    let mut names = BTreeSet::new();
    for (index, LogLine { name, pattern, required: _ }) in lines.iter().enumerate() {
        let at = |key: &str| format!("exec.line[{index}].{key}");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            let message = format!("{name:?} is no name: expected lower-case letters, digits and `_`");
            return Err(document.fault(&at("name"), message, None));
        }
        if !names.insert(name) {
            return Err(document.fault(&at("name"), format!("{name:?} stands twice"), None));
        }
        if !pattern.contains("(?P<value>") {
            let hint = "write the part that is meant as `(?P<value>…)`".to_owned();
            return Err(document.fault(&at("pattern"), "has no group `value`", Some(hint)));
        }
    }
    Ok(())
}

/// Why `lane` cannot do the work of `cell`, whatever its host has: a program that knows nothing of Lockstep does its work
/// as a whole, and in its own way.
#[must_use]
pub fn cannot_do(lane: &Lane, cell: &Cell) -> Option<String> {
    lane.exec.as_ref()?;
    let (lane, workload) = (&lane.name, &cell.workload);
    if cell.phase != Phase::E2eKv {
        let phase = cell.phase;
        return Some(format!(
            "lane {lane} runs a program as a whole, which is phase e2e_kv, and workload {workload:?} asks for {phase}"
        ));
    }
    let axes = cell.axes.keys().cloned().collect::<Vec<_>>().join(", ");
    (!axes.is_empty()).then(|| {
        format!("lane {lane} runs an unmodified program, and workload {workload:?} fixes {axes} for each cell")
    })
}

/// The first place in braces that nothing fills.
fn unknown_place(argument: &str) -> Option<String> {
    let bare = argument.replace("{{", "").replace("}}", "");
    let mut rest = bare.as_str();
    while let Some((_, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').unwrap_or((after, ""));
        if !PLACES.contains(&place) {
            return Some(place.to_owned());
        }
        rest = after;
    }
    None
}
