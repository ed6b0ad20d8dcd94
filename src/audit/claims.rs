//! Claims as strangers write them: one JSON object a line.
//!
//! What is wrong in one claim is its own affair: only a line that is no JSON object, or repeats the id of another,
//! refuses the file. A field that cannot be taken leaves its claim without a check, and the reason names it; a claim
//! without an id that can be taken is called by its line.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::fields::{beyond_doubles, field, without_place};

/// The longest file of claims that is read, in bytes.
pub const MAX_CLAIMS_BYTES: u64 = 64 << 20;

/// The longest formula, in bytes.
const MAX_FORMULA_BYTES: usize = 64 << 10;

/// How much of what is wrong with a field is told, in characters: it may quote the field.
const MAX_FAULT_CHARS: usize = 300;

/// How a recomputed value is held against the published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Compare {
    /// Both are numbers; their difference is within the tolerance.
    #[serde(rename = "abs_diff")]
    AbsDiff,
    /// Both are positive numbers; the difference of their decimal logarithms is within the tolerance, itself in log10.
    #[serde(rename = "abs_diff_log10")]
    AbsDiffLog10,
    /// Both are numbers; the recomputed one is smaller, as they are.
    #[serde(rename = "recomputed < published")]
    Below,
    /// Both are the same, as they are.
    #[serde(rename = "exact")]
    Exact,
}

/// One line of a file of claims. What is not listed here is allowed, and read by nobody.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct ClaimLine {
    /// Its name; no two claims of a file share one.
    pub id: String,
    /// What was claimed, in words.
    #[schemars(required)]
    pub claim: Option<String>,
    /// The file of the table that it can be recomputed from, `data/…`, or several.
    #[schemars(required)]
    pub data_file: Option<DataFiles>,
    /// How to recompute it; Starlark, unless `starlark` stands beside it.
    #[schemars(required)]
    pub formula: Option<String>,
    /// The formula in Starlark, where `formula` is in another language.
    pub starlark: Option<String>,
    /// What was published: a number, a text, true or false, or a list of them.
    #[schemars(required)]
    pub published: Option<Value>,
    /// How the two are compared.
    #[schemars(required)]
    pub compare: Option<Compare>,
    /// Unit of the last published digit; 0 for an exact value.
    #[schemars(required, range(min = 0.0))]
    pub published_resolution: Option<f64>,
    /// What the report allows itself beyond rounding, for example by `about`; in the unit of `published`.
    #[schemars(required, range(min = 0.0))]
    pub allowance: Option<f64>,
    /// What kind of claim it is; `qualitative …` marks a sentence made into a true or false test. Only the order of the
    /// report depends on it.
    pub claim_type: Option<Value>,
    /// `critical`, `major`, `minor` or `trivial`: what it would mean if the claim were wrong. Only the order of the
    /// report depends on it.
    pub severity: Option<Value>,
}

/// One file or several.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a file name or a list of file names is expected")]
pub enum DataFiles {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// A claim, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its line in the file, from 1.
    pub line: usize,
    /// Its name; `line 3` where the third line has none that can be taken.
    pub id: String,
    /// What was claimed, in words; empty where the line does not say.
    pub claim: String,
    /// What was published, where the line says.
    pub published: Option<Value>,
    /// Whether a contradiction would change a verdict and not only a number.
    pub changes_verdict: bool,
    /// Its severity, where the line says.
    pub severity: Option<String>,
    /// What it can be checked with, or why it cannot be.
    pub(super) check: Result<Check, String>,
}

/// What a claim is checked with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    pub data_files: Vec<String>,
    pub formula: String,
    pub published: Value,
    pub compare: Compare,
    pub published_resolution: f64,
    pub allowance: f64,
}

/// Reads claims; `file` is the name that messages give them.
///
/// # Errors
/// [`Error::Line`] names the first line that is no JSON object or repeats an id; [`Error::NoClaims`];
/// [`Error::TooLong`].
pub fn read_claims(file: &str, bytes: &[u8]) -> Result<Vec<Claim>, Error> {
    if bytes.len() as u64 > MAX_CLAIMS_BYTES {
        return Err(Error::TooLong { file: file.to_owned(), limit_bytes: MAX_CLAIMS_BYTES });
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut claims = Vec::new();
    let mut lines = BTreeMap::<String, usize>::new();
    for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line = index + 1;
        let at = |found: String, hint: &str| Error::Line { file: file.to_owned(), line, found, hint: hint.to_owned() };
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(at("no JSON object".to_owned(), "one claim is one JSON object on one line"));
        }
        let readable = beyond_doubles(text);
        let text: &[u8] = &readable;
        if let Err(error) = field::<IgnoredAny>(text, "id")
            && !error.is_data()
        {
            let hint = "one claim is one JSON object on one line (`lockstep schema claims`)";
            return Err(at(format!("no JSON object: {error}"), hint));
        }
        let mut faults = Vec::new();
        let id = taken::<String>(text, "id", &mut faults).filter(|id| !id.trim().is_empty());
        if id.is_none() && faults.is_empty() {
            faults.push("`id`: there is none; give each claim an id of its own".to_owned());
        }
        let id = id.unwrap_or_else(|| format!("line {line}"));
        if let Some(first) = lines.insert(id.clone(), line) {
            let found = format!("the id {id:?} stands in line {first} already");
            return Err(at(found, "give each claim an id of its own"));
        }
        let read = ClaimLine::read(id, text, &mut faults);
        if matches!(readable, Cow::Owned(_)) && !faults.is_empty() {
            faults.push("NaN and Infinity are no numbers of JSON".to_owned());
        }
        claims.push(checked(read, faults, line));
    }
    if claims.is_empty() {
        return Err(Error::NoClaims { file: file.to_owned() });
    }
    Ok(claims)
}

impl ClaimLine {
    /// What can be taken of a line; `faults` gets what is wrong with each field that cannot.
    fn read(id: String, text: &[u8], faults: &mut Vec<String>) -> Self {
        Self {
            id,
            claim: taken(text, "claim", faults),
            data_file: taken(text, "data_file", faults),
            formula: taken(text, "formula", faults),
            starlark: taken(text, "starlark", faults),
            published: taken(text, "published", faults),
            compare: taken(text, "compare", faults),
            published_resolution: taken(text, "published_resolution", faults),
            allowance: taken(text, "allowance", faults),
            // The order of the report is all that depends on these two.
            claim_type: taken(text, "claim_type", &mut Vec::new()),
            severity: taken(text, "severity", &mut Vec::new()),
        }
    }
}

/// A field, or a fault that names it.
fn taken<T: for<'de> Deserialize<'de>>(text: &[u8], name: &'static str, faults: &mut Vec<String>) -> Option<T> {
    field(text, name).unwrap_or_else(|error| {
        let told: String = without_place(&error).chars().take(MAX_FAULT_CHARS).collect();
        faults.push(format!("`{name}`: {told}"));
        None
    })
}

fn checked(read: ClaimLine, mut faults: Vec<String>, line: usize) -> Claim {
    let ClaimLine {
        id,
        claim,
        data_file,
        formula,
        starlark,
        published,
        compare,
        published_resolution,
        allowance,
        claim_type,
        severity,
    } = read;
    for (name, number) in [("published_resolution", published_resolution), ("allowance", allowance)] {
        if let Some(number) = number.filter(|number| *number < 0.0) {
            faults.push(format!("`{name}`: {number} is below 0"));
        }
    }
    for (name, text) in [("formula", &formula), ("starlark", &starlark)] {
        if let Some(length) = text.as_ref().map(String::len).filter(|length| *length > MAX_FORMULA_BYTES) {
            faults.push(format!("`{name}`: {length} bytes, more than {MAX_FORMULA_BYTES}"));
        }
    }
    let formula = starlark.or(formula);
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let (severity, claim_type) = (text(severity), text(claim_type));
    let changes_verdict = changes_verdict(severity.as_deref(), claim_type.as_deref(), published.as_ref());
    let lacking = [
        ("claim", claim.is_none()),
        ("data_file", data_file.is_none()),
        ("formula", formula.is_none()),
        ("published", published.is_none()),
        ("compare", compare.is_none()),
        ("published_resolution", published_resolution.is_none()),
        ("allowance", allowance.is_none()),
    ];
    let check = match (data_file, formula, published.clone(), compare, published_resolution, allowance) {
        _ if !faults.is_empty() => {
            Err(format!("the claim has what cannot be taken (`lockstep schema claims`): {}", faults.join("; ")))
        }
        (
            Some(data_file),
            Some(formula),
            Some(published),
            Some(compare),
            Some(published_resolution),
            Some(allowance),
        ) if claim.is_some() => {
            let data_files = match data_file {
                DataFiles::One(file) => vec![file],
                DataFiles::Several(files) => files,
            };
            Ok(Check { data_files, formula, published, compare, published_resolution, allowance })
        }
        _ => {
            let names: Vec<&str> = lacking.into_iter().filter_map(|(name, absent)| absent.then_some(name)).collect();
            Err(format!("the claim lacks {}", names.join(", ")))
        }
    };
    Claim { line, id, claim: claim.unwrap_or_default(), published, changes_verdict, severity, check }
}

/// By what the claim says of itself; where it states no severity, a wrong sentence or label counts and a number does not.
fn changes_verdict(severity: Option<&str>, claim_type: Option<&str>, published: Option<&Value>) -> bool {
    match severity {
        Some(severity) => matches!(severity, "critical" | "major"),
        None => {
            claim_type.is_some_and(|kind| kind.starts_with("qualitative"))
                || published.is_some_and(|value| value.is_boolean() || value.is_string())
        }
    }
}
