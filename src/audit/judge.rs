//! From claims to answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::claims::{Check, Claim, Compare};
use super::compared::{Finding, compare};
use super::evaluator::{Ended, Evaluator};
use super::job::{Job, Reply};
use super::tables::{DataFolder, Table};

/// What an audit says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The tables and the claim cannot both be right, whatever was rounded.
    Contradicted,
    /// The formula is none.
    WrongForm,
    /// Something is missing.
    NotCheckable,
    /// The tables give what was claimed, or what rounds to it.
    Confirmed,
}

/// Where a formula is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file of claims.
    pub file: String,
    /// The claim's line in it, from 1.
    pub line: usize,
    /// The line in the formula, from 1.
    pub formula_line: u64,
    /// The column in that line of the formula, from 1.
    pub column: u64,
}

/// One claim, audited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audited {
    /// The claim's name.
    pub id: String,
    /// What is said of it.
    pub answer: Answer,
    /// What the formula gives; null where it gives nothing.
    pub recomputed: Option<Value>,
    /// Why.
    pub reason: String,
    /// Where the formula is wrong, for `wrong_form`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How far apart published and recomputed value are, where they are compared by distance; in log10 where the claim
    /// compares logarithms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// How far apart rounding allows them to be, on the same scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// What was published.
    pub published: Option<Value>,
    /// What was claimed, in words.
    pub claim: String,
    /// Whether a contradiction changes a verdict and not only a number: the claim's own severity, and without one
    /// whether it is a sentence or a label.
    pub changes_verdict: bool,
}

/// Audits claims in their order, each in a process of its own. `file` is the name of their file for messages.
///
/// # Errors
/// Only where no process can be started: what a claim does is its own answer.
pub fn audit(file: &str, claims: &[Claim], data: &DataFolder, evaluator: &Evaluator) -> Result<Vec<Audited>, Error> {
    claims.iter().map(|claim| one(file, claim, data, evaluator)).collect()
}

fn one(file: &str, claim: &Claim, data: &DataFolder, evaluator: &Evaluator) -> Result<Audited, Error> {
    let mut audited = Audited {
        id: claim.id.clone(),
        answer: Answer::NotCheckable,
        recomputed: None,
        reason: String::new(),
        place: None,
        difference: None,
        tolerance: None,
        published: claim.published.clone(),
        claim: claim.claim.clone(),
        changes_verdict: claim.changes_verdict,
    };
    let check = match &claim.check {
        Ok(check) => check,
        Err(why) => {
            audited.reason = why.clone();
            return Ok(audited);
        }
    };
    let tables = match data.tables_of(&check.data_files) {
        Ok(tables) => tables,
        Err(error) => {
            audited.reason = error.to_string();
            return Ok(audited);
        }
    };
    let reply = match computed(check, tables, data, evaluator)? {
        Ended::Replied(reply) => reply,
        Ended::Lost(why) => {
            audited.reason = why;
            return Ok(audited);
        }
    };
    if let Reply::WrongForm { line, column, .. } = reply {
        audited.place = Some(Place { file: file.to_owned(), line: claim.line, formula_line: line, column });
    }
    let finding = finding(check, &reply, evaluator);
    if let Reply::Value { value, .. } = reply {
        audited.recomputed = Some(value);
    }
    if finding.answer == Answer::WrongForm && audited.place.is_none() {
        audited.place = Some(Place { file: file.to_owned(), line: claim.line, formula_line: 1, column: 1 });
    }
    audited.answer = finding.answer;
    audited.difference = finding.difference;
    audited.tolerance = finding.tolerance;
    audited.reason = match &audited.place {
        Some(Place { file, line, formula_line, column }) => {
            format!("{file}, line {line}, formula line {formula_line}, column {column}: {}", finding.reason)
        }
        None => finding.reason,
    };
    Ok(audited)
}

/// What a reply means for the claim.
fn finding(check: &Check, reply: &Reply, evaluator: &Evaluator) -> Finding {
    let missing = |what: String| Finding::without_numbers(Answer::NotCheckable, what);
    match reply {
        Reply::Value { value, cells, left } => compare(check, value, cells, *left),
        Reply::WrongForm { what, .. } => Finding::without_numbers(Answer::WrongForm, what.clone()),
        Reply::Missing { what } => missing(what.clone()),
        Reply::NoTable { table } => missing(format!("there is no table {table:?}")),
        Reply::NotFinite => missing("the formula's value is infinite or not a number".to_owned()),
        Reply::OutOfTime => {
            let limit_s = evaluator.limits.budget_ms as f64 / 1000.0;
            missing(format!("the formula used more than {limit_s} s of processor time"))
        }
    }
}

/// Runs the formula with the claim's own tables, and again for each table of the folder that it turns out to need.
fn computed(
    check: &Check,
    tables: BTreeMap<String, Table>,
    data: &DataFolder,
    evaluator: &Evaluator,
) -> Result<Ended, Error> {
    let propagate = matches!(check.compare, Compare::AbsDiff | Compare::AbsDiffLog10);
    let budget_ms = evaluator.limits.budget_ms;
    let mut job = Job { formula: check.formula.clone(), tables, propagate, budget_ms };
    loop {
        let ended = evaluator.run(&job)?;
        let Ended::Replied(Reply::NoTable { table }) = &ended else { return Ok(ended) };
        match data.table(table) {
            // It was not there before, or the formula would not have missed it: so this ends.
            Some(found) => drop(job.tables.insert(table.clone(), found.clone())),
            None => return Ok(ended),
        }
    }
}
