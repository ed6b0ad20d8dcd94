//! A formula: evaluated once to know what it reads, then once more for each end of each rounded cell that it read.

use std::time::Duration;

use starlark::environment::{Globals, Module};
use starlark::eval::Evaluator;
use starlark::syntax::{AstModule, Dialect, DialectTypes};
use starlark::values::dict::DictRef;
use starlark::values::float::UnpackFloat;
use starlark::values::list_or_tuple::UnpackListOrTuple;
use starlark::values::{UnpackValue as _, Value};

use super::Error;
use super::cells::{CellKey, Cells, name};
use super::job::{CellEffect, Job, Reply};
use super::library::{Store, globals};
use super::process::cpu_time;

/// What messages call the formula.
const FILE: &str = "formula";

/// Elements of a formula's value, its lists counted through; more are no answer to a claim.
const MAX_ELEMENTS: usize = 10_000;

/// Characters of a text in a formula's value.
const MAX_TEXT: usize = 10_000;

/// How deep lists and dictionaries of a formula's value may nest.
const MAX_DEPTH: usize = 16;

/// Does a job: in the formula's own process, because a formula may use up memory, time or stack.
#[must_use]
pub fn answer(job: &Job) -> Reply {
    let began = cpu_time();
    let deadline = began + Duration::from_millis(job.budget_ms);
    let cells = Cells::new(job.tables.clone());
    let task = Task { formula: &job.formula, cells: &cells, globals: globals() };
    let value = match task.value(None) {
        Ok(value) => value,
        Err(reply) => return *reply,
    };
    // The language cannot be interrupted, so a cell whose two ends may not be known in time is not begun.
    let mut longest = cpu_time().saturating_sub(began);
    let mut effects = Vec::new();
    let rounded = if job.propagate { cells.rounded() } else { Default::default() };
    let mut left = rounded.len() as u64;
    for (key, unit) in rounded {
        let began = cpu_time();
        if began + 4 * longest > deadline {
            break;
        }
        let moved = |by: f64| task.value(Some((key.clone(), by))).ok().and_then(|value| value.as_f64());
        effects.push(CellEffect { cell: name(&key), low: moved(-unit / 2.0), high: moved(unit / 2.0) });
        left -= 1;
        longest = longest.max(cpu_time().saturating_sub(began) / 2);
    }
    Reply::Value { value, cells: effects, left }
}

struct Task<'a> {
    formula: &'a str,
    cells: &'a Cells,
    globals: Globals,
}

impl Task<'_> {
    fn value(&self, moved: Option<(CellKey, f64)>) -> Result<serde_json::Value, Box<Reply>> {
        self.cells.begin(moved);
        let dialect = Dialect { enable_load: false, enable_types: DialectTypes::Disable, ..Dialect::Standard };
        let parsed = AstModule::parse(FILE, self.formula.to_owned(), &dialect);
        let syntax = parsed.map_err(|error| self.failed(&error))?;
        let store = Store(self.cells.clone());
        let module = Module::new();
        let mut evaluator = Evaluator::new(&module);
        evaluator.extra = Some(&store);
        let value = evaluator.eval_module(syntax, &self.globals).map_err(|error| self.failed(&error))?;
        let mut left = MAX_ELEMENTS;
        let value = plain(value, MAX_DEPTH, &mut left).map_err(Box::new)?;
        if value.is_null() { Err(Box::new(self.nothing())) } else { Ok(value) }
    }

    /// What it means that the value is None.
    fn nothing(&self) -> Reply {
        match self.cells.empty() {
            Some(cell) => Reply::Missing { what: format!("the table prints no value at {cell}") },
            None => Reply::WrongForm { line: 1, column: 1, what: "the formula has no value".to_owned() },
        }
    }

    /// What an error of the language means for the claim.
    fn failed(&self, error: &starlark::Error) -> Box<Reply> {
        use starlark::ErrorKind::{Native, Other};
        if let Other(source) | Native(source) = error.kind() {
            match source.downcast_ref::<Error>() {
                Some(Error::NoTable { table }) => return Box::new(Reply::NoTable { table: table.clone() }),
                Some(Error::Missing(what)) => return Box::new(Reply::Missing { what: what.clone() }),
                _ => {}
            }
        }
        let what = error.without_diagnostic().to_string();
        let (line, column) = error.span().map_or((1, 1), |span| {
            let begin = span.resolve_span().begin;
            (begin.line as u64 + 1, begin.column as u64 + 1)
        });
        // Every error of the language that ends so is of `/`, `//` or `%`.
        if what.to_ascii_lowercase().contains(" by zero") {
            return Box::new(Reply::Missing {
                what: format!("the formula divides by zero (line {line}, column {column})"),
            });
        }
        if let Some(cell) = self.cells.empty() {
            let what = format!("the table prints no value at {cell}, and the formula fails without it: {what}");
            return Box::new(Reply::Missing { what });
        }
        Box::new(Reply::WrongForm { line, column, what })
    }
}

/// A number as JSON, where it is one.
fn finite(number: f64) -> Option<serde_json::Value> {
    serde_json::Number::from_f64(number).map(serde_json::Value::Number)
}

/// A value as JSON: tuples as lists, as the published value is written; `left` is how many elements may still come.
fn plain(value: Value, depth: usize, left: &mut usize) -> Result<serde_json::Value, Reply> {
    let refused = |what: &str| Reply::WrongForm { line: 1, column: 1, what: format!("the formula's value {what}") };
    *left = left.checked_sub(1).ok_or_else(|| refused("has more than 10000 elements"))?;
    if let Some(text) = value.unpack_str() {
        let is_short = text.len() <= MAX_TEXT;
        return if is_short { Ok(text.into()) } else { Err(refused("is a text of more than 10000 characters")) };
    }
    match value.get_type() {
        "NoneType" => Ok(serde_json::Value::Null),
        "bool" => Ok(value.to_bool().into()),
        "int" => {
            let digits = value.to_str();
            let whole = digits.parse::<i64>().ok().map(serde_json::Value::from);
            whole.or_else(|| finite(digits.parse().ok()?)).ok_or(Reply::NotFinite)
        }
        "float" => UnpackFloat::unpack_value_opt(value).and_then(|number| finite(number.0)).ok_or(Reply::NotFinite),
        "list" | "tuple" => {
            let depth = depth.checked_sub(1).ok_or_else(|| refused("nests too deep"))?;
            let elements = UnpackListOrTuple::<Value>::unpack_value_opt(value);
            elements.into_iter().flatten().map(|element| plain(element, depth, left)).collect()
        }
        "dict" => {
            let depth = depth.checked_sub(1).ok_or_else(|| refused("nests too deep"))?;
            let mut entries = serde_json::Map::new();
            let dictionary = DictRef::from_value(value);
            for (key, value) in dictionary.iter().flat_map(|dictionary| dictionary.iter()) {
                let key = key.unpack_str().ok_or_else(|| refused("has a key that is no text"))?;
                entries.insert(key.to_owned(), plain(value, depth, left)?);
            }
            Ok(entries.into())
        }
        other => Err(refused(&format!("is a {other}, and not a number, text, True, False or a list of them"))),
    }
}
