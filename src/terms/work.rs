//! From a runner's answer to an outcome. Pure. An answer is held against what was asked, what the lane declares, what
//! the supervisor's own clock saw and what is physically possible; only then is it `ok`. The supervisor asks when the
//! answer comes, the judge asks again of every row.

use super::compiled::uncounted;
use super::{Axes, Cell, Evidence, Failure, FailureClass, Outcome, SignalValue, StopReason, fell_back};

/// Axes that a runner's evidence can contradict: the work was done, and by another path than the declared one.
const PATH_AXES: &[&str] =
    &["attention", "cache", "compile_mode", "cuda_graphs", "device", "dtype", "quantization", "threads"];

/// What every answer has to give evidence of, in order; `containers/WIRE.md` says what each means.
const EVIDENCE: [&str; 4] = ["cache", "dtype", "forward_passes", "threads"];

/// The evidence of what two processes gained over one around the repetition.
const CONTROL: &str = "control.two_process_speedup";

/// What came back of a repetition.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Time of the phase by the runner's clock, in nanoseconds.
    pub wall_ns: u64,
    /// Time from request to answer by the supervisor's clock, in nanoseconds.
    pub outside_ns: u64,
    /// The output.
    pub tokens: &'a [u32],
    /// Why generation ended.
    pub stop: StopReason,
    /// What shows which path did the work.
    pub evidence: &'a Evidence,
}

/// What an answer is held against.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// What was asked.
    pub cell: &'a Cell,
    /// The lane's declared axes.
    pub declared: &'a Axes,
    /// The least time that one forward pass can take, in nanoseconds.
    pub floor_ns_per_forward: u64,
    /// The size of the model's vocabulary.
    pub vocab_size: u32,
    /// What two processes must have gained over one around the repetition.
    pub min_two_process_speedup: Option<f64>,
    /// Whether calls of compiled regions have to be shown: rows from before they were counted have none.
    pub needs_region_calls: bool,
}

/// The outcome of `result`, and what went wrong where something did.
#[must_use]
pub fn assess(result: &Answer<'_>, expect: &Expectations<'_>) -> (Outcome, Option<Failure>) {
    Proven::default().assess(result, expect)
}

/// The last evidence that proved the path of a lane's work. Repetitions show the same again and again, and what it proved
/// once it proves again for equal work.
#[derive(Debug, Default)]
pub struct Proven {
    evidence: Option<Evidence>,
    axes: Axes,
    passes: u64,
}

impl Proven {
    /// [`assess`] of the answers of one lane, whose declared axes never change.
    pub fn assess(&mut self, result: &Answer<'_>, expect: &Expectations<'_>) -> (Outcome, Option<Failure>) {
        let passes = match plausible(result, expect) {
            Ok(passes) => passes,
            Err((outcome, message)) => return (outcome, Some(Failure::new(FailureClass::Implausible, message))),
        };
        if !self.holds(result.evidence, expect.cell, passes) {
            if let Some((class, message)) = unproven(result, expect, passes) {
                return (Outcome::FellBack, Some(Failure::new(class, message)));
            }
            self.keep(result.evidence, expect.cell, passes);
        }
        match unequal(result, expect) {
            Some(message) => (Outcome::UnequalWork, Some(Failure::new(FailureClass::Implausible, message))),
            None => controlled(result, expect),
        }
    }

    fn holds(&self, evidence: &Evidence, cell: &Cell, passes: u64) -> bool {
        let shown_before = self.evidence.as_ref().is_some_and(|before| before.is_copy_of(evidence));
        shown_before && self.passes == passes && self.axes == cell.axes
    }

    fn keep(&mut self, evidence: &Evidence, cell: &Cell, passes: u64) {
        self.evidence = Some(evidence.clone());
        self.passes = passes;
        if self.axes != cell.axes {
            self.axes.clone_from(&cell.axes);
        }
    }
}

/// The forward passes of the work, unless nothing can have done it in that time.
fn plausible(result: &Answer<'_>, expect: &Expectations<'_>) -> Result<u64, (Outcome, String)> {
    let wrong = |outcome, message: String| Err((outcome, message));
    let early = result.stop == StopReason::Eos && !expect.cell.ignore_eos;
    if result.tokens.is_empty() && early {
        return wrong(Outcome::UnequalWork, "the sequence ended before the first timed pass".to_owned());
    }
    if result.tokens.is_empty() && result.evidence.get("work.unshown") == Some(&SignalValue::Bool(true)) {
        let message =
            "a program of others did work of its own and shows no token ids, so nothing says that it is equal";
        return wrong(Outcome::UnequalWork, message.to_owned());
    }
    if result.tokens.is_empty() {
        return wrong(Outcome::FellThrough, format!("returned no tokens after {} ns", result.wall_ns));
    }
    let passes = if early { result.tokens.len() as u64 } else { u64::from(expect.cell.forward_passes()) };
    let floor_ns = expect.floor_ns_per_forward.saturating_mul(passes);
    if result.wall_ns < floor_ns {
        let message = format!("claims {} ns, below the cell's floor of {floor_ns} ns", result.wall_ns);
        return wrong(Outcome::FellThrough, message);
    }
    if result.wall_ns > result.outside_ns {
        let message = format!(
            "claims {} ns, longer than the {} ns between request and answer on the supervisor's clock",
            result.wall_ns, result.outside_ns
        );
        return wrong(Outcome::Crashed, message);
    }
    Ok(passes)
}

/// Why the evidence does not prove that the work took the path that was asked for, if it does not.
fn unproven(result: &Answer<'_>, expect: &Expectations<'_>, passes: u64) -> Option<(FailureClass, String)> {
    let implausible = |message| Some((FailureClass::Implausible, message));
    let mut shown = result.evidence.keys();
    // Both are in order, so one pass over what is shown finds all.
    if let Some(missing) = EVIDENCE.iter().find(|key| !shown.any(|shown| shown == **key)) {
        return implausible(format!("the evidence says nothing of {missing}, so no path is proven"));
    }
    if let Some((axis, want, seen)) = contradicted_path(result, expect) {
        return implausible(format!("{axis} is declared {want:?}, and the evidence says {seen:?}"));
    }
    let mode = expect.axis("compile_mode");
    let uncounted = || mode.filter(|_| expect.needs_region_calls).and_then(|mode| uncounted(mode, result.evidence));
    if let Some(found) = mode.and_then(|mode| fell_back(mode, result.evidence)).or_else(uncounted) {
        return Some(found);
    }
    match result.evidence.get("forward_passes") {
        Some(SignalValue::Int(found)) if u64::try_from(*found) != Ok(passes) => {
            implausible(format!("the evidence says {found} forward passes, the work takes {passes}"))
        }
        _ => None,
    }
}

/// A repetition that did its work counts only where the host had the processors for it.
fn controlled(result: &Answer<'_>, expect: &Expectations<'_>) -> (Outcome, Option<Failure>) {
    let Some(floor) = expect.min_two_process_speedup else { return (Outcome::Ok, None) };
    let found = match result.evidence.get(CONTROL) {
        Some(SignalValue::Float(found)) => Some(*found),
        Some(SignalValue::Int(found)) => Some(*found as f64),
        _ => None,
    };
    let message = match found {
        Some(found) if found >= floor => return (Outcome::Ok, None),
        Some(found) => format!("two processes did {found:.3} times the work of one around it, floor {floor}"),
        None => format!("the evidence holds no {CONTROL}, and the plan's floor is {floor}"),
    };
    let remedy = "leave the host's processors to the run";
    (Outcome::Refused, Some(Failure::new(FailureClass::Disturbed, message).with_remedy(remedy)))
}

impl Expectations<'_> {
    /// The axis as the cell fixes it, or else as the lane declares it.
    fn axis(&self, name: &str) -> Option<&str> {
        self.cell.axes.get(name).or_else(|| self.declared.get(name)).map(String::as_str)
    }
}

/// An axis of the path that the evidence contradicts. Of an axis that the cell fixes the evidence has to speak: the lane's
/// are checked from outside too, the cell's by nobody else.
fn contradicted_path<'a>(result: &Answer<'_>, expect: &'a Expectations<'_>) -> Option<(&'a str, &'a str, String)> {
    let differs = |want: &str, seen: &str| (seen != want).then(|| seen.to_owned());
    let fixed = expect.cell.axes.iter().find_map(|(axis, want)| {
        let seen = result.evidence.get(axis).map_or_else(|| "nothing".to_owned(), SignalValue::to_string);
        differs(want, &seen).map(|seen| (axis.as_str(), want.as_str(), seen))
    });
    fixed.or_else(|| {
        PATH_AXES.iter().filter(|axis| !expect.cell.axes.contains_key(**axis)).find_map(|axis| {
            let want = expect.declared.get(*axis)?;
            let seen = result.evidence.get(*axis)?.to_string();
            differs(want, &seen).map(|seen| (*axis, want.as_str(), seen))
        })
    })
}

fn unequal(result: &Answer<'_>, expect: &Expectations<'_>) -> Option<String> {
    if let Some(token) = result.tokens.iter().find(|token| **token >= expect.vocab_size) {
        return Some(format!("holds the token {token}, and the model's vocabulary ends before {}", expect.vocab_size));
    }
    let cell = expect.cell;
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

    #[derive(Debug)]
    struct Result {
        wall_ns: u64,
        tokens: Vec<u32>,
        stop: StopReason,
        evidence: Evidence,
    }

    fn cell() -> Cell {
        Cell {
            phase: Phase::KvDecode,
            workload: "w".into(),
            model: Digest::of(b""),
            prompt: vec![1],
            new_tokens: 3,
            sampling: SamplingSpec::Greedy,
            ignore_eos: true,
            axes: Axes::new(),
        }
    }

    fn result() -> Result {
        Result { wall_ns: 5_000, tokens: vec![7, 8, 9], stop: StopReason::Length, evidence: evidence(&[]) }
    }

    /// What a runner shows, but for these.
    fn evidence(other: &[(&str, SignalValue)]) -> Evidence {
        let all = [("cache", "dynamic".into()), ("dtype", "f32".into()), ("threads", 1.into())];
        let all = all.into_iter().chain([("forward_passes", 3.into())]).chain(other.iter().cloned());
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn outcome_of(cell: &Cell, result: &Result) -> Outcome {
        let declared = Axes::from([("cache".into(), "dynamic".into())]);
        let Result { wall_ns, tokens, stop, evidence } = result;
        let answer = Answer { wall_ns: *wall_ns, outside_ns: 6_000, tokens, stop: *stop, evidence };
        let expect = Expectations {
            cell,
            declared: &declared,
            floor_ns_per_forward: 1_000,
            vocab_size: 10,
            min_two_process_speedup: None,
            needs_region_calls: true,
        };
        assess(&answer, &expect).0
    }

    #[test]
    fn what_was_proven_once_proves_equal_work_and_no_other() {
        let mut proven = Proven::default();
        let (shown, declared) = (result(), Axes::from([("cache".into(), "dynamic".into())]));
        let mut outcome = |cell: &Cell, evidence: &Evidence| {
            let tokens = &shown.tokens[..cell.new_tokens as usize];
            let answer = Answer { wall_ns: 5_000, outside_ns: 6_000, tokens, stop: shown.stop, evidence };
            let expect = Expectations {
                cell,
                declared: &declared,
                floor_ns_per_forward: 1_000,
                vocab_size: 10,
                min_two_process_speedup: None,
                needs_region_calls: true,
            };
            let outcome = proven.assess(&answer, &expect).0;
            assert_eq!(outcome, assess(&answer, &expect).0, "{cell:?}");
            outcome
        };
        assert_eq!(outcome(&cell(), &shown.evidence), Outcome::Ok);
        assert_eq!(outcome(&cell(), &shown.evidence.clone()), Outcome::Ok);
        assert_eq!(outcome(&Cell { new_tokens: 2, ..cell() }, &shown.evidence), Outcome::FellBack);
        let fixed = Cell { axes: Axes::from([("cache".into(), "static".into())]), ..cell() };
        assert_eq!(outcome(&fixed, &shown.evidence), Outcome::FellBack);
        assert_eq!(outcome(&cell(), &evidence(&[("cache", "none".into())])), Outcome::FellBack);
        assert_eq!(outcome(&cell(), &shown.evidence), Outcome::Ok);
    }

    #[test]
    fn each_way_of_not_doing_the_work_has_its_own_outcome() {
        let cases = [
            (result(), Outcome::Ok),
            (Result { tokens: vec![], ..result() }, Outcome::FellThrough),
            (
                Result { tokens: vec![], evidence: evidence(&[("work.unshown", true.into())]), ..result() },
                Outcome::UnequalWork,
            ),
            (Result { wall_ns: 2_999, ..result() }, Outcome::FellThrough),
            (Result { wall_ns: 3_000, ..result() }, Outcome::Ok),
            (Result { wall_ns: 6_001, ..result() }, Outcome::Crashed),
            (Result { evidence: evidence(&[("cache", "none".into())]), ..result() }, Outcome::FellBack),
            (Result { evidence: evidence(&[("forward_passes", 1.into())]), ..result() }, Outcome::FellBack),
            (Result { evidence: Evidence::default(), ..result() }, Outcome::FellBack),
            (Result { tokens: vec![7, 8], ..result() }, Outcome::UnequalWork),
            (Result { tokens: vec![7, 8, 9, 1], ..result() }, Outcome::UnequalWork),
            (Result { stop: StopReason::Eos, ..result() }, Outcome::UnequalWork),
            (Result { tokens: vec![7, 8, 10], ..result() }, Outcome::UnequalWork),
        ];
        for (result, outcome) in cases {
            assert_eq!(outcome_of(&cell(), &result), outcome, "{result:?}");
        }
    }

    #[test]
    fn a_repetition_around_which_two_processes_gained_too_little_is_refused() {
        let with = |control: Option<SignalValue>| {
            let control: Vec<_> = control.into_iter().map(|value| (CONTROL, value)).collect();
            let Result { wall_ns, tokens, stop, evidence } = Result { evidence: evidence(&control), ..result() };
            let answer = Answer { wall_ns, outside_ns: 6_000, tokens: &tokens, stop, evidence: &evidence };
            let (cell, declared) = (cell(), Axes::new());
            let expect = Expectations {
                cell: &cell,
                declared: &declared,
                floor_ns_per_forward: 1_000,
                vocab_size: 10,
                min_two_process_speedup: Some(1.8),
                needs_region_calls: true,
            };
            let (outcome, failure) = assess(&answer, &expect);
            (outcome, failure.map(|failure| failure.message).unwrap_or_default())
        };
        assert_eq!(with(Some(SignalValue::Float(1.8))).0, Outcome::Ok);
        assert_eq!(with(Some(2.into())).0, Outcome::Ok);
        let (outcome, message) = with(Some(SignalValue::Float(1.204)));
        assert_eq!(outcome, Outcome::Refused);
        assert!(message.contains("1.204") && message.contains("floor 1.8"), "{message}");
        assert!(with(None).1.contains("holds no control"), "a sample without its control was let through");
    }

    #[test]
    fn what_a_cell_fixes_goes_before_the_lanes_word_and_has_to_be_shown() {
        let cell = Cell { axes: Axes::from([("cache".into(), "static".into())]), ..cell() };
        assert_eq!(outcome_of(&cell, &result()), Outcome::FellBack);
        let shown = Result { evidence: evidence(&[("cache", "static".into())]), ..result() };
        assert_eq!(outcome_of(&cell, &shown), Outcome::Ok);
        let padded = Cell { axes: Axes::from([("padded".into(), "none".into())]), ..cell };
        assert_eq!(
            outcome_of(&padded, &result()),
            Outcome::FellBack,
            "nothing shows that the cell's axis was honoured"
        );
    }

    #[test]
    fn a_compiled_cell_needs_the_proof_that_compiled_code_ran() {
        let cell = Cell { axes: Axes::from([("compile_mode".into(), "default".into())]), ..cell() };
        let claimed = evidence(&[("compile_mode", "default".into())]);
        assert_eq!(outcome_of(&cell, &Result { evidence: claimed, ..result() }), Outcome::FellBack);
        let proven = evidence(&[
            ("compile_mode", "default".into()),
            ("compile.backend", "inductor".into()),
            ("compile.dynamo_disabled", false.into()),
            ("compile.graphs", 1.into()),
            ("compile.graph_breaks", 0.into()),
            ("compile.mode", "default".into()),
            ("compile.recompile_limit_hits", 0.into()),
            ("compile.settled", true.into()),
            ("compile.skipped_frames", SignalValue::List(Vec::new())),
            ("compile.suppressed_errors", SignalValue::List(Vec::new())),
            ("inductor.generated_calls", 4.into()),
            ("profile.generated_share", SignalValue::Float(0.5)),
            ("profile.passes", 1.into()),
            ("profile.region_calls", 1.into()),
        ]);
        let mut as_before = proven.clone();
        assert_eq!(outcome_of(&cell, &Result { evidence: proven, ..result() }), Outcome::Ok);
        as_before.remove("profile.region_calls");
        let uncounted = Result { evidence: as_before, ..result() };
        assert_eq!(outcome_of(&cell, &uncounted), Outcome::FellBack, "which a row from before may lack");
    }

    #[test]
    fn an_early_end_is_equal_work_where_the_cell_allows_it() {
        let cell = Cell { ignore_eos: false, ..cell() };
        let one_pass = evidence(&[("forward_passes", 1.into())]);
        let early = Result { tokens: vec![7], stop: StopReason::Eos, evidence: one_pass, ..result() };
        assert_eq!(outcome_of(&cell, &early), Outcome::Ok);
        let at_once = Result { tokens: vec![], stop: StopReason::Eos, ..result() };
        assert_eq!(outcome_of(&cell, &at_once), Outcome::UnequalWork);
        let short = Result { tokens: vec![7], ..result() };
        assert_eq!(outcome_of(&cell, &short), Outcome::UnequalWork);
    }
}
