//! What the language carries for us: the cells of an evaluation, and rows of tables.

#![allow(unsafe_code, reason = "what the language carries has a marker trait that only its derive may implement")]

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::eval::Evaluator;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkValue, Value, starlark_value};

use super::unpack::shown;
use crate::audit::Error;
use crate::audit::cells::Cells;
use crate::terms::Scalar;

/// The cells, as the language carries them.
#[derive(Debug, ProvidesStaticType)]
pub(in crate::audit) struct Store(pub Cells);

/// The cells of this evaluation.
pub(super) fn cells<'a>(evaluator: &Evaluator<'_, 'a, '_>) -> Result<&'a Cells, Error> {
    let store = evaluator.extra.and_then(|extra| extra.downcast_ref::<Store>());
    store.map(|store| &store.0).ok_or_else(|| Error::Misuse("no tables were given to the formula".to_owned()))
}

/// One row; `row['column']` reads a cell.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative)]
pub(super) struct Row {
    #[allocative(skip)]
    pub cells: Cells,
    pub table: String,
    pub row: usize,
}

starlark_simple_value!(Row);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<row {} of {}>", self.row + 1, self.table)
    }
}

#[starlark_value(type = "row")]
impl<'v> StarlarkValue<'v> for Row {
    fn at(&self, index: Value<'v>, heap: &'v Heap) -> starlark::Result<Value<'v>> {
        let column = index.unpack_str().ok_or_else(|| Error::Misuse(format!("{} is no column", shown(index))))?;
        Ok(value(self.cells.get(&self.table, self.row, column)?, heap))
    }
}

/// A cell's content as a value of the language.
pub(super) fn value(content: Option<Scalar>, heap: &Heap) -> Value<'_> {
    match content {
        None => Value::new_none(),
        Some(Scalar::Bool(flag)) => Value::new_bool(flag),
        Some(Scalar::Int(number)) => heap.alloc(number),
        Some(Scalar::Float(number)) => heap.alloc(number),
        Some(Scalar::Text(text)) => heap.alloc(text),
    }
}
