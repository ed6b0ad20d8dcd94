//! Statistics of whole tables: which columns they read is part of what they are.

use starlark::collections::SmallMap;
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::dict::AllocDict;
use starlark::values::{Heap, Value};

use super::carried::cells;
use super::statistics::{pooled_sd_of, se_of_interval, tost_of};
use super::table::matching;
use super::unpack::{Number, defined, truncated};
use crate::audit::Error;
use crate::audit::cells::Cells;
use crate::stats::{self, Cell, Group, Layout, SumsOfSquares};

/// One row of a table, for functions that know its columns.
struct Known<'a> {
    cells: &'a Cells,
    table: &'a str,
    row: usize,
}

impl Known<'_> {
    fn number(&self, column: &str) -> Result<f64, Error> {
        let content = self.cells.get(self.table, self.row, column)?;
        content.and_then(|content| content.number()).ok_or_else(|| {
            let (table, row) = (self.table, self.row + 1);
            Error::Missing(format!("table {table:?} prints no number in row {row}, column {column:?}"))
        })
    }

    fn text(&self, column: &str) -> Result<String, Error> {
        let content = self.cells.get(self.table, self.row, column)?;
        Ok(content.map_or_else(|| "None".to_owned(), |content| content.to_string()))
    }
}

/// The first row of `tr147_static_GPU` for a model, a mode and a compile mode.
fn static_row<'a, 'v>(
    cells: &'a Cells,
    table: &'a str,
    wanted: [&str; 3],
    heap: &'v Heap,
) -> starlark::Result<Known<'a>> {
    let conditions: SmallMap<String, Value<'v>> = ["model", "mode", "compile_mode"]
        .into_iter()
        .zip(wanted)
        .map(|(column, value)| (column.to_owned(), heap.alloc(value)))
        .collect();
    let found = matching(cells, table, &conditions, heap)?;
    let row = found.first().copied().ok_or_else(|| {
        let [model, mode, compile_mode] = wanted;
        Error::Missing(format!("table {table:?} has no row for {model}, {mode}, {compile_mode}"))
    })?;
    Ok(Known { cells, table, row })
}

/// Standard deviation from a printed interval of the mean.
fn sd_of(row: &Known) -> Result<f64, Error> {
    Ok(se_of_interval(row.number("ci_lo")?, row.number("ci_hi")?)? * row.number("n_ok")?.sqrt())
}

/// Models by backends from a table of means and standard deviations, `n` values in each cell.
fn layout(cells: &Cells, table: &str, n: u64) -> Result<Layout, Error> {
    let mut found = Vec::new();
    for row in 0..cells.table(table)?.rows.len() {
        let row = Known { cells, table, row };
        let (a, b) = (row.text("model")?, row.text("backend")?);
        let group = Group::new(n, row.number("mean_ms")?, row.number("std_ms")?)?;
        found.push(Cell { a, b, group });
    }
    Ok(Layout::new(&found)?)
}

#[starlark_module]
pub(super) fn register(builder: &mut GlobalsBuilder) {
    fn tost_rel<'v>(
        model: &str,
        gpu: &str,
        #[starlark(default = Number(3.0))] margin_pct: Number,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<(f64, f64)> {
        let (cells, heap, table) = (cells(eval)?, eval.heap(), format!("tr147_static_{gpu}"));
        let eager = static_row(cells, &table, [model, "kv_decode", "eager"], heap)?;
        let compiled = static_row(cells, &table, [model, "kv_decode", "default"], heap)?;
        let se = |row: &Known| se_of_interval(row.number("ci_lo")?, row.number("ci_hi")?);
        let se = libm::hypot(se(&eager)?, se(&compiled)?);
        let mean = eager.number("mean_ms")?;
        let df = eager.number("n_ok")? + compiled.number("n_ok")? - 2.0;
        Ok(tost_of(compiled.number("mean_ms")? - mean, se, df, margin_pct.0 / 100.0 * mean)?)
    }

    fn d_ci<'v>(
        model: &str,
        gpu: &str,
        mode: &str,
        cm: &str,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<f64> {
        let (cells, heap, table) = (cells(eval)?, eval.heap(), format!("tr147_static_{gpu}"));
        let eager = static_row(cells, &table, [model, mode, "eager"], heap)?;
        let compiled = static_row(cells, &table, [model, mode, cm], heap)?;
        let sd = pooled_sd_of(sd_of(&eager)?, sd_of(&compiled)?, eager.number("n_ok")?, compiled.number("n_ok")?)?;
        Ok(defined((eager.number("mean_ms")? - compiled.number("mean_ms")?) / sd, "d_ci()")?)
    }

    fn pct_mean_bounds<'v>(table: &str, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<(f64, f64)> {
        let cells = cells(eval)?;
        let (mut ranks, mut values) = (vec![0.0], Vec::new());
        for row in 0..cells.table(table)?.rows.len() {
            let row = Known { cells, table, row };
            ranks.push(row.number("percentile")?);
            values.push(row.number("lag_ms")?);
        }
        let share = |from: usize, to: usize| (ranks[to] - ranks[from]) / 100.0;
        let high = (0..values.len()).map(|i| share(i, i + 1) * values[i]).sum();
        let low = (1..values.len()).map(|i| share(i, i + 1) * values[i - 1]).sum();
        Ok((low, high))
    }

    fn anova_unbalanced<'v>(
        table: &str,
        n: Number,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<AllocDict<Vec<(&'static str, Value<'v>)>>> {
        let (cells, heap) = (cells(eval)?, eval.heap());
        let layout = layout(cells, table, truncated(n.0, 1, "n")?)?;
        let analysed = stats::two_way(&layout, SumsOfSquares::TypeTwo).map_err(Error::from)?;
        let none = || Error::Missing(format!("table {table:?} has no cell left to show an interaction"));
        let interaction = analysed.interaction.ok_or_else(none)?;
        let (residual, total) = (analysed.residual, analysed.total);
        let f = (interaction.ss / interaction.df as f64) / (residual.ss / residual.df as f64);
        Ok(AllocDict(vec![
            ("ss_int", heap.alloc(interaction.ss)),
            ("df_int", heap.alloc(interaction.df)),
            ("ss_res", heap.alloc(residual.ss)),
            ("df_res", heap.alloc(residual.df)),
            ("ss_tot", heap.alloc(total.ss)),
            ("F", heap.alloc(defined(f, "F")?)),
            ("eta2", heap.alloc(interaction.ss / total.ss)),
        ]))
    }
}
