//! Decision rules over measured rows: crashes, fall-backs and times of a fixture's lanes.

use super::*;
use crate::verdict::rules::{Part, Ruling, Standing};

/// Decoding at four lengths, ten repetitions in each of eight launches.
pub(super) const ROWS: &str = r#"
schema = 1
name = "rows"
seed = 1

[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 100

[run]
launches = 8
repetitions = 10
warmup = 0

[coverage]
min_ok_share = 0.1

[[lane]]
name = "base"
[[lane]]
name = "same"
[[lane]]
name = "other"
optional = true
"#;

const LENGTHS: [u32; 4] = [8, 16, 32, 64];

/// The lane `other` crashes from 32 tokens on; `same` falls back at 64.
pub(super) const CRASHES: &str = r#"
[[hypothesis]]
name = "crashes"
expect = ["located"]
[hypothesis.rule]
kind = "crash_boundary"
rows = { table = "cells", where = { lane = ["other"], phase = ["kv_decode"] } }
at = "new_tokens"
crashes = "crashed"
n = "attempts"
cut = 0.5
"#;

pub(super) fn plan(hypotheses: &str) -> Plan {
    let workload = |new: &u32| {
        format!("[[workload]]\nname = \"d{new}\"\nprompt = [1, 2, 3]\nnew_tokens = {new}\nphases = [\"kv_decode\"]\n")
    };
    let workloads: String = LENGTHS.iter().map(workload).collect();
    Plan::parse("rows.toml", &format!("{ROWS}{workloads}{hypotheses}")).unwrap()
}

pub(super) fn fixture() -> Fixture {
    Fixture {
        ms: |lane, cell, block| quiet(lane, 1, block) * f64::from(LENGTHS[cell]) / 40.0,
        tokens: |_, cell| vec![7; LENGTHS[cell] as usize],
        ..Fixture::default()
    }
}

/// What became of a row, by lane, cell and block; nothing for one that is ok.
pub(super) type Fate = fn(&str, usize, u32) -> Option<Outcome>;

pub(super) fn crashing(lane: &str, cell: usize, _: u32) -> Option<Outcome> {
    match (lane, LENGTHS[cell]) {
        ("other", 32..) => Some(Outcome::Crashed),
        ("same", 64) => Some(Outcome::FellBack),
        _ => None,
    }
}

pub(super) fn judged(plan: &Plan, fixture: &Fixture, fate: Fate, segments: &[std::ops::Range<u32>]) -> Verdict {
    let ids: Vec<_> = plan.cells().unwrap().iter().map(Cell::id).collect();
    let mut records = fixture.journal_of(plan, segments).records;
    for record in &mut records {
        let Record::Row(row) = record else { continue };
        let cell = ids.iter().position(|id| *id == row.cell).unwrap();
        if let Some(outcome) = fate(&row.lane, cell, row.block) {
            row.outcome = outcome;
            row.failure = Some(Failure::new(FailureClass::Exception, "it broke"));
            (row.wall_ns, row.output_sha256) = (None, None);
            row.tokens.clear();
        }
    }
    judge(plan, &processes::journal_of(records)).unwrap()
}

pub(super) fn whole(hypotheses: &str, fate: Fate) -> Verdict {
    judged(&plan(hypotheses), &fixture(), fate, std::slice::from_ref(&(0..8)))
}

pub(super) fn ruling(verdict: &Verdict) -> &Ruling {
    verdict.hypotheses[0].ruling.as_ref().unwrap()
}

fn labels(ruling: &Ruling) -> Vec<&str> {
    ruling.parts.iter().map(|part| part.label.as_str()).collect()
}

#[test]
fn a_crash_boundary_is_located_between_measured_cells_and_rests_on_their_hashes() {
    let verdict = whole(CRASHES, crashing);
    let hypothesis = &verdict.hypotheses[0];
    assert_eq!((hypothesis.finding, hypothesis.result()), (Finding::Ruled, "located"));
    let unit =
        "the launch is the unit, whatever column the plan names: one attempt that failed makes it a failed launch";
    assert_eq!(hypothesis.reasons, ["the crash rate rises above the cut between new_tokens 16 and 32", unit]);
    assert_eq!(
        (hypothesis.rule.as_deref(), &hypothesis.lanes[..]),
        (Some("crash_boundary"), &["other".to_owned()][..])
    );
    assert_eq!(labels(ruling(&verdict)), ["free", "free", "affected", "affected"]);
    let cells: Vec<String> = verdict.cells.iter().map(|cell| format!("{} other", cell.cell)).collect();
    assert_eq!(ruling(&verdict).rests_on, cells);
    // 0 of 8 launches at confidence 1 - 0.05/4, whatever the 80 attempts: the interval ends at 1 - 0.00625^(1/8).
    assert_eq!(ruling(&verdict).tests[0].interval, Some([0.0, 0.469745]));
    let numbers =
        |at: usize| ["hits", "trials", "of_attempts", "attempts"].map(|name| ruling(&verdict).parts[at].numbers[name]);
    assert_eq!(numbers(0), [0.0, 8.0, 0.0, 80.0]);
    assert_eq!(numbers(3), [80.0; 4], "a crash ends its process, so that the next attempt has a launch of its own");
    assert_eq!(verdict.conclusion, Conclusion::AsExpected, "{:?}", verdict.reasons);
}

#[test]
fn a_label_that_is_not_expected_changes_the_verdict() {
    let verdict = whole(&CRASHES.replace("located", "none_within_range"), crashing);
    assert_eq!(verdict.conclusion, Conclusion::NotAsExpected);
    assert!(
        verdict.reasons[0].starts_with("crashes is located, expected none within range: the crash rate rises above"),
        "{:?}",
        verdict.reasons
    );
    let verdict = whole(CRASHES, |_, _, _| None);
    assert_eq!((verdict.hypotheses[0].result(), verdict.conclusion), ("none_within_range", Conclusion::NotAsExpected));
}

#[test]
fn a_plan_that_says_of_nothing_what_it_expects_is_not_told_that_it_came_so() {
    let told = |tables: &str| whole(tables, crashing).reasons.into_iter().next().unwrap_or_default();
    assert_eq!(told(CRASHES), "1 of 1 hypotheses decided as the plan expects");
    let silent = CRASHES.replace("expect = [\"located\"]\n", "");
    assert_eq!(told(&silent), "1 of 1 hypotheses decided; the plan says of none what it expects");
    let open = whole(&silent, |lane, _, block| (lane == "other" && block == 0).then_some(Outcome::Crashed));
    assert_eq!((open.hypotheses[0].result(), open.conclusion), ("inconclusive", Conclusion::Inconclusive));
    let again = silent.replace("name = \"crashes\"", "name = \"again\"");
    let mixed = format!("{CRASHES}{}", again.get(again.find("[[hypothesis]]").unwrap()..).unwrap());
    assert_eq!(told(&mixed), "2 of 2 hypotheses decided, 1 of which the plan expects something: so it came");
}

#[test]
fn fall_backs_have_a_boundary_of_their_own() {
    let text = CRASHES
        .replace("[\"other\"]", "[\"same\"]")
        .replace("\"crashed\"\n", "\"fell_back\"\ncounts = \"fallbacks\"\n");
    let verdict = whole(&text, crashing);
    assert_eq!(ruling(&verdict).reasons[0], "the fallback rate rises above the cut between new_tokens 32 and 64");
}

#[test]
fn a_static_cache_rescues_what_crashed_and_nothing_else() {
    let text = r#"
[[hypothesis]]
name = "rescue"
[hypothesis.rule]
kind = "static_cache_rescue"
hosts.here = { table = "cells", where = { lane = ["same"] } }
growing.here = { table = "cells", where = { lane = ["other"] } }
model = "workload"
crashes = "failed"
n = "attempts"
max_rate = 0.45
"#;
    let verdict = whole(text, crashing);
    let told = |part: &Part| format!("{} {}", part.key["model"], part.label);
    let told: Vec<String> = ruling(&verdict).parts.iter().map(told).collect();
    assert_eq!(told, ["d8 nothing_to_rescue", "d16 nothing_to_rescue", "d32 rescued", "d64 not_rescued"]);
    assert_eq!(ruling(&verdict).label, "not_rescued");
    let spared = whole(text, |lane, cell, block| crashing(lane, cell, block).filter(|o| *o == Outcome::Crashed));
    assert_eq!(ruling(&spared).label, "rescued");
    assert!(ruling(&spared).rests_on.iter().any(|row| row.ends_with(" other")), "{:?}", ruling(&spared).rests_on);
}

#[test]
fn two_lanes_are_portable_where_both_come_out_alike_and_flipped_where_one_crashes() {
    let text = r#"
[[hypothesis]]
name = "port"
[hypothesis.rule]
kind = "portability"
sides = [
    { host = "base", rows = { table = "cells", where = { lane = ["base"], new_tokens = [16, 32] } } },
    { host = "other", rows = { table = "cells", where = { lane = ["other"], new_tokens = [16, 32] } } },
]
key = ["workload"]
crashes = "crash_rate"
n = "attempts"
mean = "mean_ms"
ok_rate = 0.48
crash_rate = 0.52
similar_pct = 5.0
"#;
    let verdict = whole(text, crashing);
    assert_eq!(ruling(&verdict).label, "flipped");
    // In the order of the plan's cells: `other` decodes in half the time where it does.
    assert_eq!(labels(ruling(&verdict)), ["portable_latency_shift", "flipped"]);
    // Of 80 attempts none would leave a rate of at most 0.05; of 8 launches none leaves 0.47 of four intervals at once.
    let strict = whole(&text.replace("0.48", "0.1"), crashing);
    let told = ruling(&strict);
    assert_eq!((told.label.as_str(), labels(told)), ("inconclusive", vec!["portable_latency_shift", "flipped"]));
    assert_eq!(told.settled_by, Some(49), "the least n with 1 - 0.00625^(1/n) <= 0.1");
}

pub(super) const BAND: &str = r#"
[[hypothesis]]
name = "band"
[hypothesis.rule]
kind = "effect_band"
phase = "kv_decode"
baseline = { rows = { table = "launches", where = { lane = ["base"], new_tokens = [8] } }, mean = "ms" }
candidate = { rows = { table = "launches", where = { lane = ["other"], new_tokens = [8] } }, mean = "ms" }
neutral_pct = 3.0
strong_pct = 40.0
power = 0.8
"#;

#[test]
fn an_effect_band_is_that_of_launch_means() {
    let verdict = whole(BAND, crashing);
    assert_eq!(ruling(&verdict).label, "strong_win", "{:?}", ruling(&verdict));
    let cell = &verdict.cells[0].cell;
    assert_eq!(ruling(&verdict).rests_on.len(), 16, "eight launches of either lane");
    assert!(ruling(&verdict).rests_on.iter().all(|row| row.starts_with(&cell.to_string())));
    let summarised =
        BAND.replace("\"launches\"", "\"cells\"").replace("\"ms\"", "\"mean_ms\", sd = \"sd_ms\", n = \"launches\"");
    let again = whole(&summarised, crashing);
    assert_eq!(ruling(&again).label, "strong_win");
    let [one, other] = [&verdict, &again].map(|verdict| ruling(verdict).tests[0].interval.unwrap());
    assert!((one[0] - other[0]).abs() < 1e-3 && (one[1] - other[1]).abs() < 1e-3, "{one:?} {other:?}");
}

#[test]
fn an_effect_is_formed_within_segments_and_pooled_over_them() {
    let ms: fn(&str, usize, u32) -> f64 = |lane, cell, block| {
        quiet(lane, 1, block) * f64::from(LENGTHS[cell]) / 40.0 * if block >= 4 { 2.0 } else { 1.0 }
    };
    let slower = Fixture { ms, ..fixture() };
    let split = judged(&plan(BAND), &slower, crashing, &[0..4, 4..8]);
    assert_eq!(ruling(&split).label, "strong_win");
    let across = judged(&plan(BAND), &slower, crashing, std::slice::from_ref(&(0..8)));
    assert_eq!(ruling(&across).standing, Standing::Inconclusive, "the same rows in one segment should have been noise");
    let summarised =
        BAND.replace("\"launches\"", "\"cells\"").replace("\"ms\"", "\"mean_ms\", sd = \"sd_ms\", n = \"launches\"");
    let summarised = judged(&plan(&summarised), &slower, crashing, &[0..4, 4..8]);
    assert!(ruling(&summarised).reasons[0].contains("several segments"), "{:?}", ruling(&summarised));
}

#[test]
fn fewer_than_three_launches_decide_no_rule() {
    let unfinished = Fixture { sealed: false, ..fixture() };
    for (text, needed) in [(BAND, 3), (CRASHES, 8)] {
        let two = judged(&plan(text), &unfinished, crashing, std::slice::from_ref(&(0..2)));
        assert_eq!((two.hypotheses[0].finding, two.hypotheses[0].result()), (Finding::CouldNotTell, "inconclusive"));
        assert_eq!(ruling(&two).settled_by, Some(needed), "{:?}", ruling(&two));
        let three = judged(&plan(text), &unfinished, crashing, std::slice::from_ref(&(0..3)));
        assert!(!ruling(&three).reasons[0].contains("decide nothing"), "{:?}", ruling(&three));
    }
}

#[test]
fn a_rule_that_cannot_be_applied_names_the_rows_that_it_chose_and_what_they_would_be_held_against() {
    let unfinished = Fixture { sealed: false, ..fixture() };
    let two = judged(&plan(BAND), &unfinished, crashing, std::slice::from_ref(&(0..2)));
    assert_eq!(ruling(&two).standing, Standing::Inconclusive);
    assert_eq!(ruling(&two).rests_on.len(), 4, "two launches of either lane");
    let named: Vec<(&str, f64, &str)> =
        ruling(&two).thresholds.iter().map(|it| (it.name.as_str(), it.value, it.unit.as_str())).collect();
    let written = [("neutral", 3.0, "%"), ("power", 0.8, "share"), ("strong", 40.0, "%")];
    assert_eq!(named[..3], written);
    assert_eq!(named[3..], [("min_launches", 3.0, "launches"), ("min_ok_share", 0.1, "share")], "what stopped it");
}

#[test]
fn times_of_survivors_are_no_sample() {
    let strict = plan(BAND);
    let strict = Plan { coverage: crate::plan::Coverage { min_ok_share: 0.9, ..strict.coverage.clone() }, ..strict };
    let fate: Fate = |lane, cell, block| (lane == "other" && cell == 0 && block < 2).then_some(Outcome::Crashed);
    let verdict = judged(&strict, &fixture(), fate, std::slice::from_ref(&(0..8)));
    assert_eq!(ruling(&verdict).standing, Standing::Inconclusive);
    assert!(ruling(&verdict).reasons[0].contains("survivors are no sample"), "{:?}", ruling(&verdict));
}

#[test]
fn a_lane_that_took_no_part_leaves_its_rule_unmeasured() {
    let absent = Fixture { other: LaneState::Skipped, ..fixture() };
    let verdict = judged(&plan(CRASHES), &absent, crashing, std::slice::from_ref(&(0..8)));
    assert_eq!((verdict.hypotheses[0].finding, &verdict.hypotheses[0].ruling), (Finding::NotMeasured, &None));
    assert_eq!(verdict.conclusion, Conclusion::AsExpected, "{:?}", verdict.reasons);
}

#[test]
fn a_licence_asks_what_contrasts_and_rules_before_it_came_out_as() {
    let text = format!(
        "{CRASHES}
[[hypothesis]]
name = \"effect\"
kind = \"contrast\"
baseline = \"base\"
candidate = \"same\"

[[hypothesis]]
name = \"said\"
expect = [\"some_licensed\"]
[hypothesis.rule]
kind = \"licence\"
statements = [
    {{ name = \"where\", says = \"Decode crashes beyond 16 tokens.\", needs = [{{ need = \"finding\", hypothesis = \"crashes\", is = [\"located\"] }}] }},
    {{ name = \"free\", says = \"It costs nothing.\", needs = [{{ need = \"finding\", hypothesis = \"effect\", is = [\"faster\"] }}] }},
]
"
    );
    let verdict = whole(&text, crashing);
    let said = verdict.hypotheses[2].ruling.as_ref().unwrap();
    assert_eq!((said.label.as_str(), labels(said)), ("some_licensed", vec!["licensed", "forbidden"]));
    assert_eq!(verdict.hypotheses[2].expected, ["some_licensed"]);
}

#[test]
fn a_negative_control_voids_a_rule_that_leans_on_it() {
    let text = format!(
        "[[hypothesis]]
name = \"a-a\"
kind = \"contrast\"
baseline = \"base\"
candidate = \"same\"
negative_control = true
{}",
        BAND.replace("name = \"band\"", "name = \"band\"\ncontrols = [\"a-a\"]")
    );
    assert_eq!(whole(&text, |_, _, _| None).hypotheses[1].result(), "strong_win");
    let ms: fn(&str, usize, u32) -> f64 = |lane, cell, block| {
        quiet(lane, 1, block) * f64::from(LENGTHS[cell]) / 40.0 * if lane == "same" { 1.2 } else { 1.0 }
    };
    let shown = judged(&plan(&text), &Fixture { ms, ..fixture() }, |_, _, _| None, std::slice::from_ref(&(0..8)));
    assert_eq!((shown.hypotheses[1].finding, &shown.hypotheses[1].ruling), (Finding::Void, &None));
}

/// The lane against `base` in every cell, as a contrast or by a rule.
fn asked(lane: &str, by_rule: bool) -> String {
    if !by_rule {
        return format!(
            "[[hypothesis]]\nname = \"{lane}\"\nkind = \"contrast\"\nbaseline = \"base\"\ncandidate = \"{lane}\"\n"
        );
    }
    let side = |lane: &str| {
        format!("{{ rows = {{ table = \"launches\", where = {{ lane = [\"{lane}\"] }} }}, mean = \"ms\" }}")
    };
    format!(
        "[[hypothesis]]\nname = \"{lane}\"\n[hypothesis.rule]\nkind = \"matched_contrasts\"\nkey = [\"cell\"]\n\
         baseline = {}\ncandidate = {}\nmargin_pct = 3.0\npower = 0.8\n",
        side("base"),
        side(lane)
    )
}

/// Cell to adjusted p, of a hypothesis that [`asked`] wrote.
fn adjusted(hypothesis: &HypothesisVerdict) -> BTreeMap<String, f64> {
    match &hypothesis.ruling {
        Some(ruling) => {
            let of_differences = ruling.tests.iter().filter(|test| test.test.starts_with("Welch"));
            let tests = of_differences.filter_map(|test| Some(test.p_adjusted?.get()));
            ruling.parts.iter().map(|part| part.key["cell"].clone()).zip(tests).collect()
        }
        None => hypothesis.cells.iter().map(|cell| (cell.cell.to_string(), cell.p_adjusted.unwrap().get())).collect(),
    }
}

#[test]
fn the_same_questions_are_one_family_whether_contrasts_or_rules_ask_them() {
    let forms = [(false, false), (false, true), (true, false), (true, true)];
    let found: Vec<[BTreeMap<String, f64>; 2]> = forms
        .into_iter()
        .map(|(one, other)| {
            let verdict = whole(&format!("{}{}", asked("other", one), asked("same", other)), |_, _, _| None);
            [0, 1].map(|at| adjusted(&verdict.hypotheses[at]))
        })
        .collect();
    assert_eq!((found[0][0].len(), found[0][1].len()), (LENGTHS.len(), LENGTHS.len()));
    for (form, again) in forms.iter().zip(&found) {
        assert_eq!(again, &found[0], "{form:?}");
    }
    let alone = whole(&asked("other", false), |_, _, _| None);
    assert_ne!(adjusted(&alone.hypotheses[0]), found[0][0], "a larger family should have told");
}

#[test]
fn a_rule_that_a_control_voids_stays_in_the_family() {
    let control = "[[hypothesis]]\nname = \"a-a\"\nkind = \"contrast\"\nbaseline = \"base\"\ncandidate = \"same\"\n\
                   negative_control = true\n";
    let rule = asked("same", true).replace("name = \"same\"", "name = \"leans\"\ncontrols = [\"a-a\"]");
    let free = asked("same", true).replace("name = \"same\"", "name = \"leans\"");
    let ms: fn(&str, usize, u32) -> f64 = |lane, cell, block| {
        quiet(lane, 1, block) * f64::from(LENGTHS[cell]) / 40.0 * if lane == "same" { 1.2 } else { 1.0 }
    };
    let [void, told] = [rule, free].map(|leaning| {
        let text = format!("{control}{}{leaning}", asked("other", false));
        judged(&plan(&text), &Fixture { ms, ..fixture() }, |_, _, _| None, std::slice::from_ref(&(0..8)))
    });
    assert_eq!((void.hypotheses[2].finding, told.hypotheses[2].result()), (Finding::Void, "slower"));
    assert_eq!(adjusted(&void.hypotheses[1]), adjusted(&told.hypotheses[1]));
}

#[test]
fn the_columns_that_a_plan_may_name_are_those_that_the_rows_give() {
    let known = plan(CRASHES).table_columns();
    let mut named = Vec::new();
    for table in ["cells", "launches", "lane_stacks"] {
        let columns = known[table].iter().filter(|it| !it.ends_with('.') && !it.starts_with("teacher_"));
        named.extend(columns.map(|column| (table, column)));
    }
    let ask = |(at, (table, column)): (usize, &(&str, &String))| {
        let side = format!("{{ table = \"{table}\", column = \"{column}\" }}");
        format!(
            "[[hypothesis]]\nname = \"h{at}\"\n[hypothesis.rule]\nkind = \"matched_pairs\"\nkey = [\"{column}\"]\n\
             left = {side}\nright = {side}\n"
        )
    };
    let verdict = whole(&named.iter().enumerate().map(ask).collect::<String>(), |_, _, _| None);
    for ((table, column), hypothesis) in named.iter().zip(&verdict.hypotheses) {
        let reasons = hypothesis.reasons.join("; ");
        assert!(!reasons.contains("prints no column"), "{table}.{column}: {reasons}");
    }
}

#[test]
fn a_column_that_no_table_of_a_run_has_is_refused_with_the_plan_by_line_and_nearest_name() {
    let refused = |text: &str| {
        let workload = "[[workload]]\nname = \"d\"\nprompt = [1]\nnew_tokens = 2\nphases = [\"kv_decode\"]\n";
        Plan::parse("rows.toml", &format!("{ROWS}{workload}{text}")).unwrap_err().to_string()
    };
    let text = refused(&CRASHES.replace("\"new_tokens\"", "\"new_token\""));
    assert_eq!(
        text,
        "rows.toml:38: hypothesis[0].rule.at: table cells has no column \"new_token\"; did you mean `new_tokens`?"
    );
    let text = refused(&CRASHES.replace("phase =", "phse ="));
    assert!(text.contains("rule.rows.where.phse: table cells has no column \"phse\"; did you mean `phase`?"), "{text}");
    let text = refused(&BAND.replace("\"ms\"", "\"mean_ms\""));
    assert!(text.contains("table launches has no column \"mean_ms\""), "{text}");
    let text = refused(&BAND.replace("mean = \"ms\"", "mean = \"zzzzzzzzzzzz\""));
    assert!(text.contains("its columns: block, cell, ignore_eos, lane,"), "{text}");
    plan(&CRASHES.replace("phase = [\"kv_decode\"]", "\"lane.triton\" = [\"3.4.0\"]"));
    let text = refused(&CRASHES.replace("phase = [\"kv_decode\"]", "\"lane.tritn\" = [\"3.4.0\"]"));
    assert!(
        text.contains("where.\"lane.tritn\": table cells has no column \"lane.tritn\"; did you mean `lane.triton`?"),
        "{text}"
    );
    let text = refused(&CRASHES.replace("\"new_tokens\"", "\"lane.zzzz\""));
    assert!(text.contains("the axes of a lane: agents, attention, binary,"), "{text}");
}

#[test]
fn a_rule_over_times_takes_launches() {
    let times = whole(&BAND.replace("\"launches\"", "\"cells\"").replace("\"ms\"", "\"mean_ms\""), crashing);
    assert!(ruling(&times).reasons[0].contains("is no launch"), "{:?}", ruling(&times));
}

#[test]
fn what_a_rule_can_never_read_or_give_is_refused_with_the_plan() {
    let refused = |text: &str| {
        let workload = "[[workload]]\nname = \"d\"\nprompt = [1]\nnew_tokens = 2\nphases = [\"kv_decode\"]\n";
        Plan::parse("rows.toml", &format!("{ROWS}{workload}{text}")).unwrap_err().to_string()
    };
    let text = refused(&CRASHES.replace("\"located\"", "\"locatd\""));
    assert!(
        text.contains("the rule `crash_boundary` never gives the label \"locatd\"; did you mean `located`?"),
        "{text}"
    );
    let text = refused(&CRASHES.replace("\"cells\"", "\"rows\""));
    assert!(
        text.contains(
            "hypothesis[0].rule.rows.table: no table \"rows\"; the rows of a run give the tables agent_hangs,"
        ),
        "{text}"
    );
    let text = refused(&CRASHES.replace("\"cells\"", "\"cels\""));
    assert!(text.contains("no table \"cels\"; did you mean `cells`?"), "{text}");
    let text = refused(&CRASHES.replace("[\"other\"]", "[\"othr\"]"));
    assert!(text.contains("\"othr\" is no lane of this plan; did you mean `other`?"), "{text}");
    let text = refused(&CRASHES.replace("expect", "kind = \"contrast\"\nexpect"));
    assert!(text.contains("kind: stands beside a rule"), "{text}");
    let text = refused("[[hypothesis]]\nname = \"x\"\n");
    assert!(text.contains("missing key `kind`"), "{text}");
    let text = refused(&CRASHES.replace("expect", "margin_pct = 3.0\nexpect"));
    assert!(text.contains("margin_pct: has no meaning beside a rule"), "{text}");
}
