//! From a runner's answer to an outcome. Pure. An answer is held against what was asked, what the lane declares, what
//! the supervisor's own clock saw and what is physically possible; only then is it `ok`.

use crate::terms::{Axes, Cell, Failure, FailureClass, Outcome, StopReason};
use crate::wire::RunResult;

/// Axes that a runner's evidence can contradict: the work was done, and by another path than the declared one.
const PATH_AXES: &[&str] =
    &["attention", "cache", "compile_mode", "cuda_graphs", "device", "dtype", "quantization", "threads"];

/// What an answer is held against.
pub(super) struct Expectations<'a> {
    pub cell: &'a Cell,
    pub declared: &'a Axes,
    pub outside_ns: u64,
    pub floor_ns_per_forward: u64,
}

/// The outcome of `result`, and what went wrong where something did.
pub(super) fn assess(result: &RunResult, expect: &Expectations<'_>) -> (Outcome, Option<Failure>) {
    let wrong = |outcome, message: String| (outcome, Some(Failure::new(FailureClass::Implausible, message)));
    if result.tokens.is_empty() {
        return wrong(Outcome::FellThrough, format!("returned no tokens after {} ns", result.wall_ns));
    }
    let floor_ns = expect.floor_ns_per_forward.saturating_mul(u64::from(expect.cell.forward_passes()));
    if result.wall_ns < floor_ns {
        let message = format!("claims {} ns, below the cell's floor of {floor_ns} ns", result.wall_ns);
        return wrong(Outcome::FellThrough, message);
    }
    if result.wall_ns > expect.outside_ns {
        let message = format!(
            "claims {} ns, longer than the {} ns between request and answer on the supervisor's clock",
            result.wall_ns, expect.outside_ns
        );
        return wrong(Outcome::Crashed, message);
    }
    if let Some((axis, want, seen)) = contradicted_path(result, expect.declared) {
        return wrong(Outcome::FellBack, format!("{axis} is declared {want:?}, and the evidence says {seen:?}"));
    }
    match unequal(result, expect.cell) {
        Some(message) => wrong(Outcome::UnequalWork, message),
        None => (Outcome::Ok, None),
    }
}

fn contradicted_path<'a>(result: &RunResult, declared: &'a Axes) -> Option<(&'a str, &'a str, String)> {
    PATH_AXES.iter().find_map(|axis| {
        let (axis, want) = declared.get_key_value(*axis)?;
        let seen = result.evidence.get(axis)?.to_string();
        (seen != *want).then_some((axis.as_str(), want.as_str(), seen))
    })
}

fn unequal(result: &RunResult, cell: &Cell) -> Option<String> {
    let (found, asked) = (result.tokens.len() as u64, u64::from(cell.new_tokens));
    let ended_early = result.stop == StopReason::Eos;
    if found > asked || (found < asked && !ended_early) {
        return Some(format!("gave {found} tokens, asked for {asked}"));
    }
    if ended_early && cell.ignore_eos {
        return Some(format!("stopped at an end-of-sequence token after {found} tokens, and the cell ignores those"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{Digest, Phase, SamplingSpec};

    fn cell() -> Cell {
        Cell {
            phase: Phase::KvDecode,
            workload: "w".into(),
            model: Digest::of(b""),
            prompt: vec![1],
            new_tokens: 3,
            sampling: SamplingSpec::Greedy,
            ignore_eos: true,
        }
    }

    fn result() -> RunResult {
        RunResult {
            id: 0,
            cell: cell().id(),
            wall_ns: 5_000,
            tokens: vec![7, 8, 9],
            stop: StopReason::Length,
            evidence: [("cache".to_owned(), "dynamic".into())].into(),
        }
    }

    fn outcome_of(cell: &Cell, result: &RunResult) -> Outcome {
        let declared = Axes::from([("cache".into(), "dynamic".into())]);
        assess(result, &Expectations { cell, declared: &declared, outside_ns: 6_000, floor_ns_per_forward: 1_000 }).0
    }

    #[test]
    fn each_way_of_not_doing_the_work_has_its_own_outcome() {
        let cases = [
            (result(), Outcome::Ok),
            (RunResult { tokens: vec![], ..result() }, Outcome::FellThrough),
            (RunResult { wall_ns: 2_999, ..result() }, Outcome::FellThrough),
            (RunResult { wall_ns: 3_000, ..result() }, Outcome::Ok),
            (RunResult { wall_ns: 6_001, ..result() }, Outcome::Crashed),
            (RunResult { evidence: [("cache".to_owned(), "none".into())].into(), ..result() }, Outcome::FellBack),
            (RunResult { tokens: vec![7, 8], ..result() }, Outcome::UnequalWork),
            (RunResult { tokens: vec![7, 8, 9, 1], ..result() }, Outcome::UnequalWork),
            (RunResult { stop: StopReason::Eos, ..result() }, Outcome::UnequalWork),
        ];
        for (result, outcome) in cases {
            assert_eq!(outcome_of(&cell(), &result), outcome, "{result:?}");
        }
    }

    #[test]
    fn an_early_end_is_equal_work_where_the_cell_allows_it() {
        let cell = Cell { ignore_eos: false, ..cell() };
        let early = RunResult { tokens: vec![7], stop: StopReason::Eos, ..result() };
        assert_eq!(outcome_of(&cell, &early), Outcome::Ok);
        let short = RunResult { tokens: vec![7], ..result() };
        assert_eq!(outcome_of(&cell, &short), Outcome::UnequalWork);
    }
}
