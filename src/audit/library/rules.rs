//! Decision rules of the reports, as their claims apply them. `verdict` has the rules that Lockstep judges by.

use starlark::collections::SmallMap;
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::none::NoneOr;
use starlark::values::{Heap, Value};

use super::carried::cells;
use super::table::matching;
use super::unpack::{Number, a_number, shown};
use crate::audit::Error;
use crate::audit::cells::Cells;
use crate::terms::Scalar;

/// The table that `gate_rule` reads.
const GATES: &str = "treni_gate_deltas";
/// The modes and stages that it looks at where the formula names none.
const MODES: [&str; 3] = ["warm", "cold", "mixed"];
const STAGES: [&str; 4] = ["AB5", "AB3", "AB2", "3-seed"];

/// The texts of a list, or those of the default.
fn texts<'v>(given: Option<Value<'v>>, default: &[&str], heap: &'v Heap) -> starlark::Result<Vec<String>> {
    let Some(given) = given else { return Ok(default.iter().map(|text| (*text).to_owned()).collect()) };
    let text = |value: Value<'v>| {
        let wanted = || Error::Misuse(format!("{} where a text is needed", shown(value)));
        Ok(value.unpack_str().ok_or_else(wanted)?.to_owned())
    };
    given.iterate(heap)?.map(text).collect()
}

/// Whether the mode was measured, and did not regress at its highest stage.
fn passes(cells: &Cells, rows: &[usize], mode: &str, stages: &[String]) -> Result<bool, Error> {
    let mut at = Vec::new();
    for &row in rows {
        at.push((row, cells.get(GATES, row, "stage")?));
    }
    let first_at = |stage: &String| at.iter().find(|(_, found)| found.as_ref().and_then(Scalar::text) == Some(stage));
    let Some((best, _)) = stages.iter().find_map(first_at) else { return Ok(false) };
    let column = if mode == "cold" { "full_ms" } else { "request_ms" };
    let delta = cells.get(GATES, *best, column)?.and_then(|delta| delta.number());
    Ok(delta.is_some_and(|delta| delta <= 0.0))
}

#[allow(clippy::too_many_arguments, reason = "the signatures are those that claims are written with")]
#[starlark_module]
pub(super) fn register(builder: &mut GlobalsBuilder) {
    fn h_verdict<'v>(
        n_pass: Number,
        n_total: Number,
        hangs_resolved: Number,
        hangs: Number,
        mean_delta: Number,
        cov_n2: Number,
        floor_n2: Number,
        cov_h: Number,
        floor_h: Number,
        runtime_ok: Value<'v>,
    ) -> starlark::Result<&'static str> {
        for Number(given) in [n_pass, n_total, hangs_resolved, hangs, mean_delta, cov_n2, floor_n2, cov_h, floor_h] {
            a_number(given, "h_verdict()")?;
        }
        Ok(if !runtime_ok.to_bool() || cov_n2.0 < floor_n2.0 || cov_h.0 < floor_h.0 {
            "abstain"
        } else if mean_delta.0 <= 0.0 {
            "H0_pass"
        } else if n_pass.0 == n_total.0 && hangs_resolved.0 == hangs.0 {
            "H1_pass"
        } else {
            "H2_partial"
        })
    }

    fn gate_rule<'v>(
        flag: Value<'v>,
        section: Value<'v>,
        modes: Option<Value<'v>>,
        stages: Option<Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<&'static str> {
        let (cells, heap) = (cells(eval)?, eval.heap());
        let stages = texts(stages, &STAGES, heap)?;
        for mode in texts(modes, &MODES, heap)? {
            let conditions = [("flag", flag), ("section", section), ("mode", heap.alloc(mode.as_str()))];
            let conditions: SmallMap<String, Value<'v>> =
                conditions.into_iter().map(|(column, value)| (column.to_owned(), value)).collect();
            let rows = matching(cells, GATES, &conditions, heap)?;
            if !passes(cells, &rows, &mode, &stages)? {
                return Ok("keep_off");
            }
        }
        Ok("promote")
    }

    fn band_gptfast(tok_s: NoneOr<Number>) -> starlark::Result<&'static str> {
        Ok(match tok_s.into_option() {
            None => "null",
            Some(Number(speed)) if speed >= 90.0 => "strong_match",
            Some(_) => "below_strong_match",
        })
    }
}
