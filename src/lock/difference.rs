//! What differs between two locks of a lane, axis by axis.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::plan::{Lock, LockedInput};

/// One part of a lock that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The part by its path in the lock, for example `input.image.content.manifest`.
    pub axis: String,
    /// What it was; `None`: it is new.
    pub before: Option<String>,
    /// What it would be; `None`: it is gone.
    pub after: Option<String>,
}

/// Every part that differs. That something was seen again on another day is no difference.
#[must_use]
pub fn differences(before: Option<&Lock>, after: &Lock) -> Vec<Difference> {
    let leaves = |lock: &Lock| {
        let mut found = BTreeMap::new();
        flatten("", &serde_json::to_value(lock).unwrap_or_default(), &mut found);
        found.retain(|path, _| !(path.starts_with("input.") && path.ends_with(".seen")));
        found
    };
    let (before, after) = (before.map(leaves).unwrap_or_default(), leaves(after));
    let mut axes: Vec<&String> = before.keys().chain(after.keys()).collect();
    axes.sort();
    axes.dedup();
    let differs = |axis: &&String| before.get(*axis) != after.get(*axis);
    let difference = |axis: &String| Difference {
        axis: axis.clone(),
        before: before.get(axis).cloned(),
        after: after.get(axis).cloned(),
    };
    axes.into_iter().filter(differs).map(difference).collect()
}

fn flatten(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(table) => table.iter().for_each(|(key, value)| flatten(&below(key), value, found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| flatten(&below(&index.to_string()), value, found));
        }
        Value::String(text) => drop(found.insert(path.to_owned(), text.clone())),
        other => drop(found.insert(path.to_owned(), other.to_string())),
    }
}

/// The entry to write, where `old` is what stood there: a fact that was seen once is not given up because it could not
/// be seen today, and one that is seen again keeps its day. The second value tells of the former.
#[must_use]
pub fn merged(old: Option<&LockedInput>, new: LockedInput, still_asked_for: bool) -> (LockedInput, Option<String>) {
    let Some(old @ LockedInput::Verified { content: seen_before, .. }) = old.filter(|_| still_asked_for) else {
        return (new, None);
    };
    match &new {
        LockedInput::Verified { content, .. } if content == seen_before => (old.clone(), None),
        LockedInput::Verified { .. } => (new, None),
        LockedInput::Stated { source, .. } => (old.clone(), Some(format!("only {source} could be asked"))),
        LockedInput::Unresolved { reason, .. } => (old.clone(), Some(reason.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Content, Lane};
    use crate::terms::Digest;

    fn entry(content: &[u8], seen: &str) -> LockedInput {
        let content = Content::Model { path: "m".into(), sha256: Digest::of(content) };
        LockedInput::Verified { seen: seen.into(), by: "its bytes".into(), content }
    }

    fn lock(entry: LockedInput) -> Lock {
        let text =
            "schema = 1\nname = \"a\"\nlauncher = \"process\"\nrunner = \"native\"\n[process]\nprogram = \"self\"\n";
        let lane = Lane::parse("lane", text).unwrap();
        super::super::lock_lane(&lane, &BTreeMap::new(), [("m".to_owned(), entry)].into(), None)
    }

    #[test]
    fn a_difference_names_its_axis_and_both_sides_and_a_day_is_none() {
        let old = lock(entry(b"1", "2026-01-01"));
        assert_eq!(differences(Some(&old), &lock(entry(b"1", "2026-02-02"))), []);
        let found = differences(Some(&old), &lock(entry(b"2", "2026-01-01")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].axis, "input.m.content.sha256");
        assert_eq!(found[0].before, Some(Digest::of(b"1").to_string()));
        assert_eq!(found[0].after, Some(Digest::of(b"2").to_string()));
        assert!(differences(None, &old).iter().all(|difference| difference.before.is_none()));
    }

    #[test]
    fn what_was_seen_once_is_not_given_up_for_want_of_a_connection() {
        let open = || LockedInput::Unresolved { reason: "no network".into(), resolve: "r".into(), candidates: vec![] };
        let old = entry(b"1", "2026-01-01");
        assert_eq!(merged(Some(&old), open(), true), (old.clone(), Some("no network".to_owned())));
        assert_eq!(merged(Some(&old), open(), false), (open(), None), "the lane asks for something else now");
        assert_eq!(merged(Some(&old), entry(b"1", "2026-02-02"), true), (old.clone(), None), "it keeps its day");
        assert_eq!(merged(Some(&old), entry(b"2", "2026-02-02"), true), (entry(b"2", "2026-02-02"), None));
        assert_eq!(merged(None, open(), true), (open(), None));
    }
}
