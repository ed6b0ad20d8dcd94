//! What terminal and Markdown report share: each function writes one section of a verdict onto a page.

use std::collections::BTreeMap;

use super::calibration_pages;
use super::number::{
    NONE, difference_pct, gib, mean_ms, ms, or_none, probability, seconds, share_pct, signed_pct, significant,
};
use super::page::{Page, Table, Tone, numbers, words as text};
use crate::snapshot::{host_class, refusal_reasons};
use crate::terms::{CellId, Outcome, Phase, describe_work, words};
use crate::verdict::{
    BlockControl, CellVerdict, Conclusion, ContrastCell, Finding, HypothesisVerdict, LaneCell, LaneState, LaneVerdict,
    Verdict,
};

/// How a hypothesis stands to what the plan expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    AsExpected,
    Unexpected,
    /// Undecided, or a negative control that shows something: it doubts the host, not the software.
    Doubtful,
    NotMeasured,
}

pub(super) fn standing(hypothesis: &HypothesisVerdict) -> Standing {
    let unexpected = hypothesis.is_unexpected();
    match hypothesis.finding {
        Finding::NotMeasured => Standing::NotMeasured,
        finding if !finding.is_decided() => Standing::Doubtful,
        _ if unexpected && hypothesis.negative_control => Standing::Doubtful,
        _ if unexpected => Standing::Unexpected,
        _ => Standing::AsExpected,
    }
}

impl Standing {
    fn mark(self) -> &'static str {
        match self {
            Self::AsExpected => "ok",
            Self::Unexpected => "NO",
            Self::Doubtful => "?",
            Self::NotMeasured => NONE,
        }
    }
}

pub(super) fn conclusion_words(conclusion: Conclusion) -> String {
    words(conclusion.name()).to_uppercase()
}

/// A cell's work in a line.
pub(super) fn describe(cell: &CellVerdict) -> String {
    describe_work(cell.phase, &cell.workload, cell.prompt_tokens, cell.new_tokens, &cell.axes)
}

/// Rows by outcome, for example `44 ok, 1 crashed`.
pub(super) fn outcomes(counts: &BTreeMap<Outcome, u64>) -> String {
    let told: Vec<_> = counts.iter().filter(|(_, n)| **n > 0).map(|(outcome, n)| format!("{n} {outcome}")).collect();
    if told.is_empty() { "no rows".to_owned() } else { told.join(", ") }
}

pub(super) fn conclusion(verdict: &Verdict, page: &mut Page) {
    let tone = match verdict.conclusion {
        Conclusion::AsExpected => Tone::Good,
        Conclusion::NotAsExpected | Conclusion::Refused | Conclusion::NothingMeasured => Tone::Bad,
        Conclusion::Inconclusive => Tone::Doubt,
    };
    let text = format!(
        "{}: plan {}, model {}, run {}",
        conclusion_words(verdict.conclusion),
        verdict.plan,
        verdict.model,
        verdict.journal.run
    );
    page.banner(tone, text);
    // A verdict of before they were told has none.
    if !verdict.weights.is_empty() {
        page.paragraph(format!("The weights are {}.", verdict.weights));
    }
    page.bullets(verdict.reasons.clone());
}

pub(super) fn hypotheses(verdict: &Verdict, page: &mut Page) {
    if verdict.hypotheses.is_empty() {
        return;
    }
    page.heading("Hypotheses");
    let mut table = Table::new([
        text("Hypothesis"),
        text(""),
        text("Result"),
        text("Expected"),
        text("Lanes").optional().wraps_sentences(),
        numbers("Margin").optional(),
        text("Why").wraps_sentences(),
    ]);
    for hypothesis in &verdict.hypotheses {
        let expected: Vec<_> = hypothesis.expected.iter().map(|result| words(result)).collect();
        table.row([
            hypothesis.name.clone(),
            standing(hypothesis).mark().to_owned(),
            words(hypothesis.result()),
            if expected.is_empty() { "anything".to_owned() } else { expected.join(" or ") },
            lanes_of(hypothesis),
            hypothesis.margin_pct.map_or_else(|| NONE.to_owned(), |margin| format!("±{} %", significant(margin, 1))),
            why(hypothesis),
        ]);
    }
    page.table(table);
}

/// The first reason, and of a contrast the largest difference that was measured.
pub(super) fn why(hypothesis: &HypothesisVerdict) -> String {
    let reason = hypothesis.reasons.first().cloned().unwrap_or_default();
    let measured = hypothesis.cells.iter().rev().filter_map(|cell| Some((cell.difference_pct?, cell)));
    let Some((difference, cell)) = measured.max_by(|(a, _), (b, _)| a.abs().total_cmp(&b.abs())) else { return reason };
    let interval = match cell.interval_pct {
        Some([low, high]) => format!(" [{}, {}]", signed_pct(low), signed_pct(high)),
        None => String::new(),
    };
    format!("{reason}; largest difference {} %{interval} in {} {}", signed_pct(difference), cell.cell, cell.phase)
}

/// Of a contrast `candidate against baseline`, else the lanes in order.
fn lanes_of(hypothesis: &HypothesisVerdict) -> String {
    match (&hypothesis.lanes[..], hypothesis.margin_pct) {
        ([baseline, candidate], Some(_)) => format!("{candidate} against {baseline}"),
        (lanes, _) => lanes.join(", "),
    }
}

/// The contrasts cell by cell. `full` adds what a terminal has no room for.
pub(super) fn contrasts(verdict: &Verdict, full: bool, page: &mut Page) {
    let mut columns = vec![
        text("Hypothesis"),
        text("Cell").optional(),
        text("Work").wraps(),
        text("Result"),
        numbers("Difference %"),
        numbers("p adjusted").optional(),
        numbers("Baseline ms").optional(),
        numbers("Candidate ms").optional(),
        numbers("d").optional(),
    ];
    if full {
        columns.extend(["TOST interval %", "p TOST", "MDE %", "Launches"].map(numbers));
    }
    let mut table = Table::new(columns);
    for hypothesis in &verdict.hypotheses {
        for (index, cell) in hypothesis.cells.iter().enumerate() {
            let name = if index == 0 { hypothesis.name.clone() } else { String::new() };
            table.row([name].into_iter().chain(contrast_row(verdict, cell)));
        }
    }
    if table.rows.is_empty() {
        return;
    }
    let confidence = significant(100.0 * (1.0 - verdict.alpha), 2);
    page.heading("Contrasts by cell");
    page.paragraph(format!(
        "A difference is candidate minus baseline, in percent of the baseline's mean, with its {confidence} % confidence \
         interval."
    ));
    page.table(table);
    let notes = |hypothesis: &HypothesisVerdict| {
        let note = |cell: &ContrastCell| {
            Some(format!("{} {} {}: {}", hypothesis.name, cell.cell, cell.phase, cell.note.as_ref()?))
        };
        hypothesis.cells.iter().filter_map(note).collect::<Vec<_>>()
    };
    page.bullets(verdict.hypotheses.iter().flat_map(notes).collect());
}

fn contrast_row(verdict: &Verdict, cell: &ContrastCell) -> Vec<String> {
    let [baseline, candidate] = cell.mean_ms;
    let [base_launches, candidate_launches] = cell.launches;
    let tost = match cell.tost_interval_pct {
        Some([low, high]) => format!("[{}, {}]", signed_pct(low), signed_pct(high)),
        None => NONE.to_owned(),
    };
    vec![
        cell.cell.to_string(),
        work(verdict, &cell.cell, cell.phase),
        words(cell.finding.name()),
        difference_pct(cell.difference_pct, cell.interval_pct),
        probability(cell.p_adjusted),
        ms(baseline),
        ms(candidate),
        or_none(cell.cohen_d, 3),
        tost,
        probability(cell.p_tost_adjusted),
        or_none(cell.mde_pct, 3),
        format!("{base_launches}, {candidate_launches}"),
    ]
}

fn work(verdict: &Verdict, id: &CellId, phase: Phase) -> String {
    verdict.cells.iter().find(|cell| cell.cell == *id).map_or_else(|| phase.to_string(), describe)
}

pub(super) fn noise_floor(verdict: &Verdict, page: &mut Page) {
    let floors = verdict.hypotheses.iter().filter_map(|hypothesis| {
        let floor = hypothesis.noise_floor.as_ref()?;
        Some(format!(
            "By {}: differences up to {} % are not excluded between equal lanes, and a true difference of {} % \
             would be found at the plan's power. Smaller differences are not worth believing on this host.",
            hypothesis.name,
            significant(floor.bound_pct, 3),
            significant(floor.mde_pct, 3)
        ))
    });
    let floors: Vec<String> = floors.collect();
    if !floors.is_empty() {
        page.heading("Noise floor");
        page.bullets(floors);
    }
}

pub(super) fn block_controls(verdict: &Verdict, page: &mut Page) {
    if !verdict.block_controls.is_empty() {
        page.heading("Controls over blocks");
        page.bullets(verdict.block_controls.iter().map(BlockControl::told).collect());
    }
}

pub(super) fn lanes(verdict: &Verdict, page: &mut Page) {
    page.heading("Lanes");
    let mut table = Table::new([text("Lane"), text("State"), numbers("Launches"), text("Rows").wraps(), text("Lock")]);
    for lane in &verdict.lanes {
        let state = lane.state.name();
        table.row([
            lane.lane.clone(),
            if lane.optional { format!("{state} (optional)") } else { state.to_owned() },
            lane.launches.to_string(),
            outcomes(&lane.outcomes),
            if lane.unlocked { "UNLOCKED" } else { "locked" }.to_owned(),
        ]);
    }
    page.table(table);
    let absent = |lane: &LaneVerdict| Some(format!("{}: {}", lane.lane, lane.failure.as_ref()?.sentence()));
    page.bullets(verdict.lanes.iter().filter_map(absent).collect());
}

/// Cell by cell and lane by lane. `full` adds percentiles and output digests.
pub(super) fn cells(verdict: &Verdict, full: bool, page: &mut Page) {
    if verdict.cells.iter().all(|cell| cell.lanes.is_empty()) {
        return;
    }
    page.heading("Cells");
    page.paragraph(
        "Mean over launches with half the width of its confidence interval; median over all repetitions. Tokens/s are \
         tokens read in prefill, tokens produced elsewhere.",
    );
    let mut columns = vec![
        text("Cell"),
        text("Work").wraps(),
        text("Lane"),
        text("Ok").wraps(),
        numbers("Mean ms"),
        numbers("Tokens/s").optional(),
        numbers("Median ms").optional(),
        numbers("CV %").optional(),
    ];
    if full {
        columns.extend(["Min ms", "p90 ms", "p95 ms", "p99 ms", "Max ms", "Bootstrap ms"].map(numbers));
        columns.push(text("Output"));
    }
    let mut table = Table::new(columns);
    for cell in &verdict.cells {
        for (index, lane) in cell.lanes.iter().enumerate() {
            let head = if index == 0 { [cell.cell.to_string(), describe(cell)] } else { Default::default() };
            table.row(head.into_iter().chain(lane_row(cell, lane)));
        }
    }
    page.table(table);
}

fn lane_row(cell: &CellVerdict, lane: &LaneCell) -> Vec<String> {
    let time = lane.time.as_ref();
    let of = |number: fn(&crate::verdict::TimeSummary) -> f64| time.map_or_else(|| NONE.to_owned(), |t| ms(number(t)));
    let bootstrap = time.and_then(|time| time.bootstrap_ms);
    let output = match (lane.tokens_sha256, lane.distinct_outputs) {
        (Some(digest), _) => digest.short(),
        (None, 0) => NONE.to_owned(),
        (None, distinct) => format!("{distinct} different"),
    };
    vec![
        lane.lane.clone(),
        coverage(lane),
        time.map_or_else(|| NONE.to_owned(), mean_ms),
        tokens_per_second(cell, lane).map_or_else(|| NONE.to_owned(), |rate| significant(rate, 4)),
        of(|t| t.p50_ms),
        or_none(time.and_then(|time| time.cv_pct), 2),
        of(|t| t.min_ms),
        of(|t| t.p90_ms),
        of(|t| t.p95_ms),
        of(|t| t.p99_ms),
        of(|t| t.max_ms),
        bootstrap.map_or_else(|| NONE.to_owned(), |[low, high]| format!("{} to {}", ms(low), ms(high))),
        output,
    ]
}

/// Repetitions that are ok of those planned, and every attempt that was not.
pub(super) fn coverage(lane: &LaneCell) -> String {
    let failed: BTreeMap<_, _> =
        lane.outcomes.iter().filter(|(o, _)| **o != Outcome::Ok).map(|(o, n)| (*o, *n)).collect();
    let share = format!("{}/{}", lane.ok, lane.planned);
    if failed.is_empty() { share } else { format!("{share}, {}", outcomes(&failed)) }
}

/// Absent where nothing was timed.
pub(super) fn tokens_per_second(cell: &CellVerdict, lane: &LaneCell) -> Option<f64> {
    let mean_ms = lane.time.as_ref()?.mean_ms;
    let tokens = if cell.phase == Phase::Prefill { cell.prompt_tokens } else { cell.new_tokens };
    (mean_ms > 0.0).then(|| tokens as f64 * 1e3 / mean_ms)
}

/// Host and what else used it. `full` lists every place below its coverage floor, which `next` tells by lane.
pub(super) fn host(verdict: &Verdict, full: bool, page: &mut Page) {
    page.heading("Host");
    let told = |segment: &crate::verdict::SegmentFacts| {
        let host = &segment.host;
        let gpus: String = host.gpus.iter().map(|gpu| format!(", {}", gpu.name)).collect();
        format!(
            "{}: {}, {} logical processors, {}{gpus}; {}, kernel {}; lockstep {} at {}",
            host_class(host),
            host.cpu.model_name,
            host.cpu.cores,
            gib(host.memory_bytes),
            host.os,
            host.kernel,
            segment.version,
            segment.started_at
        )
    };
    page.bullets(verdict.journal.segments.iter().map(told).collect());
    let contamination = &verdict.contamination;
    let limit = share_pct(contamination.limit_pct);
    page.paragraph(match contamination.window_ms {
        0 => format!("No measured window says what others took of the host's processor time (limit {limit} %)."),
        window_ms => format!(
            "{}In {} of measured windows, by the lane that was disturbed most, {}; the plan allows {limit} %.",
            if contamination.contaminated { "CONTAMINATED. " } else { "" },
            seconds(window_ms),
            contamination.told(),
        ),
    });
    page.paragraph(match &verdict.calibration {
        Some(calibration) => calibration_pages::in_brief(calibration),
        None => "Not calibrated: how often this host shows a difference where there is none is not known.".to_owned(),
    });
    if full {
        let gaps = verdict.coverage_gaps.iter();
        page.bullets(gaps.map(|gap| format!("Coverage below its floor: {}", gap.message)).collect());
    }
}

/// What to do next, and what keeps the verdict from being accepted.
pub(super) fn next(verdict: &Verdict, page: &mut Page) {
    let run = &verdict.journal.run;
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut command = |what: &str, command: String| commands.push((what.to_owned(), command));
    if !verdict.journal.sealed {
        command("Finish the run", format!("lockstep resume {run}"));
    }
    for lane in verdict.lanes.iter().filter(|lane| lane.state == LaneState::Refused) {
        command("See what the refused lane is and what it should be", format!("lockstep preflight {}", lane.lane));
    }
    if let Some(cell) = most_telling_cell(verdict) {
        command("See why a cell failed or differs", format!("lockstep explain {run} {cell}"));
    }
    let failed = verdict.lanes.iter().any(|lane| {
        lane.state == LaneState::Ready && lane.outcomes.iter().any(|(outcome, n)| outcome.is_failure() && *n > 0)
    });
    if failed && verdict.journal.sealed {
        command("Try the failed rows again", format!("lockstep rerun {run} --failed"));
    }
    if verdict.contamination.contaminated {
        // What stands behind a `+` are the options of this run; the plan's name is what stands before.
        let plan = verdict.plan.split('+').next().unwrap_or_default();
        command("Run again with the same options, where nothing else uses the host", format!("lockstep run {plan}"));
    }
    let reasons = refusal_reasons(verdict);
    if reasons.is_empty() {
        command("Hold it against the accepted snapshot", format!("lockstep verify {run}"));
        command("Accept it as the snapshot of this host class", format!("lockstep accept {run}"));
    }
    page.heading("Next");
    page.commands(commands);
    if !reasons.is_empty() {
        page.paragraph("It cannot be accepted as a snapshot:");
        page.bullets(reasons.iter().map(|reason| format!("{reason}; to try: {}", reason.remedy(run))).collect());
    }
}

/// The first cell with a failed row, else the first in which lanes differ in their output.
fn most_telling_cell(verdict: &Verdict) -> Option<&CellId> {
    let failed = |cell: &&CellVerdict| {
        cell.lanes.iter().any(|lane| lane.outcomes.iter().any(|(outcome, n)| outcome.is_failure() && *n > 0))
    };
    let differs = |cell: &&CellVerdict| {
        let mut outputs = cell.lanes.iter().filter(|lane| lane.ok > 0).map(|lane| lane.tokens_sha256);
        let first = outputs.next();
        outputs.any(|output| Some(output) != first) || first == Some(None)
    };
    let found = verdict.cells.iter().find(failed).or_else(|| verdict.cells.iter().find(differs));
    found.map(|cell| &cell.cell)
}
