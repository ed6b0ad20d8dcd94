//! What a verdict licenses, and what it forbids saying: a statement may be made when everything that it needs holds.

use super::ruling::{Part, Ruling, Threshold};

/// Something that might be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Its name.
    pub name: String,
    /// What it says.
    pub says: String,
    /// What it needs.
    pub needs: Vec<Checked>,
}

/// One thing that a statement needs, looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What was found, as a sentence.
    pub found: String,
    /// Whether it holds; nothing where it cannot be told.
    pub holds: Option<bool>,
    /// The rows it rests on.
    pub sources: Vec<String>,
    /// What numbers had to reach, by name and with their unit, where it asks that of any.
    pub floor: Option<Threshold>,
}

/// Holds every statement against what it needs. What cannot be told is forbidden: a licence is evidence that is there.
#[must_use]
pub fn licence(claimed: &[Claimed]) -> Ruling {
    if claimed.is_empty() {
        return Ruling::invalid("there is nothing that might be said");
    }
    let is_licensed = |claim: &Claimed| claim.needs.iter().all(|need| need.holds == Some(true));
    let licensed: Vec<&str> = claimed.iter().filter(|claim| is_licensed(claim)).map(|c| c.name.as_str()).collect();
    let label = match licensed.len() {
        0 => "none_licensed",
        all if all == claimed.len() => "all_licensed",
        _ => "some_licensed",
    };
    let sentence = |claim: &Claimed| {
        if is_licensed(claim) {
            return format!("may be said: {}", claim.says);
        }
        let lacking = claim.needs.iter().filter(|need| need.holds != Some(true));
        let why: Vec<&str> = lacking.map(|need| need.found.as_str()).collect();
        format!("must not be said: {} Because {}", claim.says, why.join("; "))
    };
    let part = |claim: &Claimed| {
        let found: Vec<&str> = claim.needs.iter().map(|need| need.found.as_str()).collect();
        let label = if is_licensed(claim) { "licensed" } else { "forbidden" };
        Part::of("statement", &claim.name, label)
            .number("needs", claim.needs.len() as f64)
            .number("met", claim.needs.iter().filter(|need| need.holds == Some(true)).count() as f64)
            .because(found.join("; "))
    };
    let mut sources: Vec<&String> = claimed.iter().flat_map(|claim| &claim.needs).flat_map(|n| &n.sources).collect();
    sources.sort();
    sources.dedup();
    let ruling = Ruling::decided(label).because_all(claimed.iter().map(sentence)).resting_on(sources);
    let floors = claimed.iter().flat_map(|claim| &claim.needs).filter_map(|need| need.floor.as_ref());
    let ruling = floors.fold(ruling, |ruling, floor| ruling.against(&floor.name, floor.value, &floor.unit));
    ruling.in_parts(claimed.iter().map(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn need(found: &str, holds: Option<bool>) -> Checked {
        Checked { found: found.to_owned(), holds, sources: vec![format!("row:{found}")], floor: None }
    }

    fn claim(name: &str, needs: Vec<Checked>) -> Claimed {
        Claimed { name: name.to_owned(), says: format!("{name} is so."), needs }
    }

    #[test]
    fn a_statement_is_licensed_by_everything_that_it_needs_and_what_lacks_is_named() {
        let claims = [
            claim("sound", vec![need("a holds", Some(true)), need("b holds", Some(true))]),
            claim("unsound", vec![need("a holds", Some(true)), need("c fails", Some(false)), need("d is open", None)]),
        ];
        let ruling = licence(&claims);
        assert_eq!(ruling.label, "some_licensed");
        assert_eq!(ruling.reasons[0], "may be said: sound is so.");
        assert_eq!(ruling.reasons[1], "must not be said: unsound is so. Because c fails; d is open");
        let labels: Vec<&str> = ruling.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!(labels, ["licensed", "forbidden"]);
        assert_eq!([ruling.parts[1].numbers["needs"], ruling.parts[1].numbers["met"]], [3.0, 1.0]);
        assert_eq!(ruling.rests_on, ["row:a holds", "row:b holds", "row:c fails", "row:d is open"], "each row once");
    }

    #[test]
    fn the_floors_that_numbers_had_to_reach_are_listed_whether_or_not_they_did() {
        let floor = |value| Threshold { name: "floor of gain".to_owned(), value, unit: "pp".to_owned() };
        let asks = |holds, value| Checked { floor: Some(floor(value)), ..need("numbers reach it", holds) };
        let ruling = licence(&[claim("sound", vec![asks(Some(true), 2.0), asks(Some(false), 3.0)])]);
        assert_eq!(ruling.thresholds, [floor(2.0), floor(3.0)]);
    }

    #[test]
    fn what_cannot_be_told_licenses_nothing() {
        let open = || claim("open", vec![need("it is open", None)]);
        assert_eq!(licence(&[open()]).label, "none_licensed");
        assert_eq!(licence(&[claim("sound", vec![need("a holds", Some(true))])]).label, "all_licensed");
        assert_eq!(licence(&[]).standing, Standing::Invalid);
    }
}
