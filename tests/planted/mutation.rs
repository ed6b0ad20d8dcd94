//! A fault, the good journal that it is planted in, and what catches it.

use std::sync::LazyLock;

use crate::bases::Base;
use crate::caught::Caught;
use crate::draft::{Draft, ok_in};

pub struct Mutation {
    pub name: &'static str,
    base: &'static LazyLock<Base>,
    plant: fn(&mut Draft),
    /// Whether seals are left as the fault leaves them.
    seals_as_they_are: bool,
}

/// A fault after which every seal is made to count right again.
pub fn of(name: &'static str, base: &'static LazyLock<Base>, plant: fn(&mut Draft)) -> Mutation {
    Mutation { name, base, plant, seals_as_they_are: false }
}

/// A fault in a seal itself.
pub fn in_seal(name: &'static str, base: &'static LazyLock<Base>, plant: fn(&mut Draft)) -> Mutation {
    Mutation { seals_as_they_are: true, ..of(name, base, plant) }
}

impl Mutation {
    /// Plants the fault and asks the reader, then the judge.
    pub fn caught(&self) -> Caught {
        let mut draft = self.base.draft.clone();
        (self.plant)(&mut draft);
        let journal = if self.seals_as_they_are { draft.chained() } else { draft.sealed() };
        Caught::by(&self.base.plan, &self.base.verdict, &journal)
    }
}

/// Puts a bare word in the place of a number of the first row of `native`.
pub fn in_text(draft: &mut Draft, key: &str, word: &str) {
    let line = draft.first("row", ok_in(&["native"]));
    let (before, after) = draft.lines[line].split_once(&format!("\"{key}\":")).expect("the row has the key");
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    draft.lines[line] = format!("{before}\"{key}\":{word}{rest}");
}
