//! `cell`, `col` and `rows`: how a formula reads tables.

use starlark::collections::SmallMap;
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::{Heap, UnpackValue as _, Value};

use super::carried::{Row, cells, value};
use super::unpack::Number;
use crate::audit::Error;
use crate::audit::cells::Cells;
use crate::terms::Scalar;

/// Whether a printed cell equals a value, as in Python: 1, 1.0 and True are one.
fn equals(content: Option<&Scalar>, wanted: Value) -> bool {
    match content {
        None => wanted.is_none(),
        Some(Scalar::Text(text)) => wanted.unpack_str() == Some(text),
        Some(Scalar::Bool(flag)) => number(wanted) == Some(f64::from(u8::from(*flag))),
        Some(other) => number(wanted) == other.number(),
    }
}

fn number(wanted: Value) -> Option<f64> {
    Number::unpack_value_opt(wanted).map(|number| number.0)
}

/// The rows, from 0, whose cells are what `wanted` says: equal to a value, or to one of a list, tuple or set.
pub(super) fn matching<'v>(
    cells: &Cells,
    table: &str,
    wanted: &SmallMap<String, Value<'v>>,
    heap: &'v Heap,
) -> starlark::Result<Vec<usize>> {
    let mut found = Vec::new();
    for row in 0..cells.table(table)?.rows.len() {
        let mut is_wanted = true;
        for (column, wanted) in wanted {
            let content = cells.printed(table, row, column)?.value.as_ref();
            is_wanted &= if matches!(wanted.get_type(), "list" | "tuple" | "set") {
                wanted.iterate(heap)?.any(|one| equals(content, one))
            } else {
                equals(content, *wanted)
            };
        }
        if is_wanted {
            found.push(row);
        }
    }
    Ok(found)
}

#[starlark_module]
pub(super) fn register(builder: &mut GlobalsBuilder) {
    fn rows<'v>(
        table: &str,
        #[starlark(kwargs)] r#where: SmallMap<String, Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Vec<Row>> {
        let cells = cells(eval)?;
        let found = matching(cells, table, &r#where, eval.heap())?;
        Ok(found.into_iter().map(|row| Row { cells: cells.clone(), table: table.to_owned(), row }).collect())
    }

    fn col<'v>(
        table: &str,
        column: &str,
        #[starlark(kwargs)] r#where: SmallMap<String, Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Vec<Value<'v>>> {
        let (cells, heap) = (cells(eval)?, eval.heap());
        let mut values = Vec::new();
        for row in matching(cells, table, &r#where, heap)? {
            if let Some(content) = cells.get(table, row, column)? {
                values.push(value(Some(content), heap));
            }
        }
        Ok(values)
    }

    fn cell<'v>(
        table: &str,
        column: &str,
        #[starlark(kwargs)] r#where: SmallMap<String, Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let (cells, heap) = (cells(eval)?, eval.heap());
        match matching(cells, table, &r#where, heap)?[..] {
            [row] => Ok(value(cells.get(table, row, column)?, heap)),
            [] => {
                let wanted: Vec<String> =
                    r#where.iter().map(|(name, one)| format!("{name}={}", one.to_repr())).collect();
                Err(Error::Missing(format!("table {table:?} has no row with {}", wanted.join(", "))).into())
            }
            ref several => {
                let found = several.len();
                Err(Error::Misuse(format!("cell() matches {found} rows of {table:?}; narrow it to one")).into())
            }
        }
    }
}
