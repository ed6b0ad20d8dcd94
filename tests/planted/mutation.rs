//! A fault, the good journal or file that it is planted in, and what catches it.

use std::sync::LazyLock;

use lockstep::import::InputFile;

use crate::bases::Base;
use crate::caught::Caught;
use crate::draft::{Draft, ok_in};
use crate::reports::Report;

pub struct Mutation {
    pub name: &'static str,
    /// The field that tells of a fault which changes no finding; absent for one that has to be refused or to change one.
    pub told_in: Option<&'static str>,
    plant: Box<dyn Fn() -> Caught + Send>,
}

impl Mutation {
    fn new(name: &'static str, plant: impl Fn() -> Caught + Send + 'static) -> Self {
        Self { name, told_in: None, plant: Box::new(plant) }
    }

    /// The same, where the verdict tells of the fault in a field and finds what it found before.
    pub fn told_in(self, field: &'static str) -> Self {
        Self { told_in: Some(field), ..self }
    }

    /// Plants the fault and asks the readers, then the judge.
    pub fn caught(&self) -> Caught {
        (self.plant)()
    }

    /// Why `caught` is not what this list says, if it is not.
    pub fn unlike(&self, caught: &Caught) -> Option<String> {
        match (caught, self.told_in) {
            (Caught::Nothing, _) => {
                Some("nothing caught it: readers and judge took it, and the verdict says the same".to_owned())
            }
            (Caught::Told(fields), Some(field)) if fields.iter().any(|told| told.starts_with(field)) => None,
            (Caught::Told(fields), _) => Some(format!("no finding is another one, and it is told in {fields:?}")),
            (found, Some(field)) => Some(format!("it is listed as told in {field}, and this caught it: {found:?}")),
            (_, None) => None,
        }
    }
}

/// A fault after which every seal is made to count right again.
pub fn of(name: &'static str, base: &'static LazyLock<Base>, plant: fn(&mut Draft)) -> Mutation {
    Mutation::new(name, move || {
        let mut draft = base.draft.clone();
        plant(&mut draft);
        Caught::by(&base.plan, &base.verdict, &draft.sealed())
    })
}

/// A fault in a seal itself: all are left as they are then.
pub fn in_seal(name: &'static str, base: &'static LazyLock<Base>, plant: fn(&mut Draft)) -> Mutation {
    Mutation::new(name, move || {
        let mut draft = base.draft.clone();
        plant(&mut draft);
        Caught::by(&base.plan, &base.verdict, &draft.chained())
    })
}

/// A fault in the files that a report is imported from.
pub fn in_files(
    name: &'static str,
    report: &'static LazyLock<Report>,
    plant: impl Fn(&mut Vec<InputFile>) + Send + 'static,
) -> Mutation {
    Mutation::new(name, move || {
        let mut files = report.files.clone();
        plant(&mut files);
        report.caught_in_files(&files)
    })
}

/// A fault in the journal that a report was imported to.
pub fn in_import(name: &'static str, report: &'static LazyLock<Report>, plant: fn(&mut Draft)) -> Mutation {
    Mutation::new(name, move || {
        let mut draft = report.draft();
        plant(&mut draft);
        report.caught_in_journal(&draft.sealed())
    })
}

/// Puts a bare word in the place of a number of the first row of `native`.
pub fn in_text(draft: &mut Draft, key: &str, word: &str) {
    let line = draft.first("row", ok_in(&["native"]));
    let (before, after) = draft.lines[line].split_once(&format!("\"{key}\":")).expect("the row has the key");
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    draft.lines[line] = format!("{before}\"{key}\":{word}{rest}");
}
