//! What differs between two lists of named digests.

use std::collections::BTreeMap;
use std::fmt;

use crate::terms::Digest;

/// One file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file's name.
    pub name: String,
    /// Its digest before; `None` when it is new.
    pub before: Option<Digest>,
    /// Its digest now; `None` when it is gone.
    pub now: Option<Digest>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.before, self.now) {
            (Some(before), Some(now)) => write!(f, "{} (from {} to {})", self.name, before.short(), now.short()),
            (Some(_), None) => write!(f, "{} (gone)", self.name),
            (None, _) => write!(f, "{} (new)", self.name),
        }
    }
}

/// Every difference between the two lists, by name.
pub(super) fn changes(before: &BTreeMap<String, Digest>, now: &BTreeMap<String, Digest>) -> Vec<Change> {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| Change { name: name.clone(), before: before.get(name).copied(), now: now.get(name).copied() })
        .filter(|change| change.before != change.now)
        .collect()
}

/// The first of them, in words.
pub(super) fn listed(changes: &[Change]) -> String {
    const SHOWN: usize = 5;
    let mut text = changes.iter().take(SHOWN).map(Change::to_string).collect::<Vec<_>>().join(", ");
    if let Some(more) = changes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
