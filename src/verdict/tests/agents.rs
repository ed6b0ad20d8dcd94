//! Decision rules over repetitions of agents: efficiencies, pairs, stacks, and samples that the control refuses.

use super::*;
use crate::terms::{Signal, SignalValue, observed_axes};
use crate::verdict::rules::{Part, Ruling, Standing};

const AGENTS: &str = r#"
schema = 1
name = "agents"
seed = 1

[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 100

[run]
launches = 4
repetitions = 2
warmup = 0
min_two_process_speedup = 1.8

[coverage]
min_ok_share = 0.5

[[workload]]
name = "short"
prompt = [1, 2, 3]
new_tokens = 4
phases = ["prefill", "kv_decode"]
axes = { agents = ["1", "2"] }

[[lane]]
name = "base"
[[lane]]
name = "same"
[[lane]]
name = "other"
optional = true

[[hypothesis]]
name = "ladder"
[hypothesis.rule]
kind = "falsification_ladder"
efficiencies = { rows = { table = "agent_scaling", where = { n_agents = [2] } }, key = ["measure", "model", "workload"], baseline = "base.parallel_efficiency", candidate = "same.parallel_efficiency" }
min_combinations = 2
min_hang_shapes = 0
improvement_above = 12.0
improvement_unit = "pp"
null = "mean_not_above_zero"
null_margin_pp = 3.0
[[hypothesis.rule.preconditions]]
rows = { table = "lane_axes", where = { axis = ["gil"] } }
key = ["lane", "axis"]
expected = "declared"
observed = "observed"

[[hypothesis]]
name = "pairs"
[hypothesis.rule]
kind = "matched_pairs"
key = ["measure", "model", "workload", "n_agents", "rep"]
left = { table = "agent_samples", where = { lane = ["base"] }, column = "decode_tps" }
right = { table = "agent_samples", where = { lane = ["same"] }, column = "decode_tps" }

[[hypothesis]]
name = "latency"
[hypothesis.rule]
kind = "matched_pairs"
key = ["measure", "n_agents"]
left = { table = "agent_scaling", where = { n_agents = [2] }, column = "base.p95_latency_multiplier" }
right = { table = "agent_scaling", where = { n_agents = [2] }, column = "same.p95_latency_multiplier" }

[[hypothesis]]
name = "ttft"
[hypothesis.rule]
kind = "matched_pairs"
key = ["n_agents"]
left = { table = "agent_scaling", where = { measure = ["ttft"] }, column = "base.ttft_ms" }
right = { table = "agent_scaling", where = { measure = ["ttft"] }, column = "same.ttft_ms" }

[[hypothesis]]
name = "hangs"
[hypothesis.rule]
kind = "hang_ledger"
by = "workload"
baseline_wall = "base.wall_ms"
baseline_wall_absent = 0
before = { outcome = "base.outcome", unresolved = ["hung", "failed"] }
[hypothesis.rule.hangs]
rows = { table = "agent_hangs" }
key = ["measure", "model", "workload", "n_agents"]
outcome = "same.outcome"
resolved = ["ran_through"]
unresolved = ["hung", "failed"]
ok_rate = "same.ok_rate"
wall = "same.wall_ms"

[[hypothesis]]
name = "stacks"
[hypothesis.rule]
kind = "single_delta"
rows = { table = "lane_stacks" }
key = ["where"]
left = "base"
right = "same"
intended = "gil"
axes = { gil = { on = ["gil=true"], off = ["gil=false"] }, python = { old = ["python=3.13"], new = ["python=3.14"] } }

[[stated]]
where = "a report"
left = "3.13 with GIL"
right = "3.14 without"

[[hypothesis]]
name = "published"
[hypothesis.rule]
kind = "single_delta"
rows = { table = "stated" }
key = ["where"]
left = "left"
right = "right"
intended = "gil"
axes = { gil = { on = ["with GIL"], off = ["without"] }, python = { old = ["3.13"], new = ["3.14"] } }
"#;

/// The time of a repetition in milliseconds, by lane and agents: `base` has a lock, `same` has none.
fn wall_ms(lane: &str, agents: u64) -> u64 {
    match (lane, agents) {
        ("base", 2) => 200,
        ("same", 2) => 125,
        _ => 100,
    }
}

/// In place of a control: the repetition hangs.
const HANGS: f64 = 0.0;

/// How the control came out, by lane, agents and block.
type Controls = fn(&str, u64, u32) -> f64;

/// What shows a lane's interpreter from outside.
fn signals(lane: &str) -> Vec<Signal> {
    vec![Signal::outside("python.gil_enabled", lane == "base"), Signal::outside("python.version", "3.13.5")]
}

fn judged(text: &str, controls: Controls) -> Verdict {
    shown(text, controls, signals)
}

/// The verdict where `signals` are all that shows a lane's interpreter.
fn shown(text: &str, controls: Controls, signals: fn(&str) -> Vec<Signal>) -> Verdict {
    let plan = Plan::parse("agents.toml", text).unwrap();
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    // The first half of the cells is prefill, which gives one token.
    let tokens = match cells.len() {
        4 => |_: &str, cell| vec![7; if cell < 2 { 1 } else { 4 }],
        6 => |_: &str, cell| vec![7; if cell < 3 { 1 } else { 4 }],
        other => panic!("{other} cells"),
    };
    let fixture = Fixture { tokens, ..Fixture::default() };
    let mut records = fixture.journal_of(&plan, std::slice::from_ref(&(0..4))).records;
    // The looks that the header speaks of come before the first launch.
    let probe = |lane: &str| {
        let signals = signals(lane);
        Record::Preflight(Preflight { lane: lane.into(), launch: None, stage: Stage::AfterImports, signals })
    };
    records.splice(1..1, ["base", "same"].map(probe));
    for record in &mut records {
        match record {
            Record::Header(header) => {
                for (lane, gil) in header.lanes.iter_mut().zip(["true", "false"]) {
                    lane.declared = Axes::from([("gil".into(), gil.into()), ("python".into(), "3.13.5".into())]);
                    lane.observed = observed_axes(&lane.declared, &signals(&lane.lane));
                }
            }
            // A look has to show what the header observed.
            Record::Preflight(look) if look.lane != "other" && look.launch.is_some() => {
                look.signals.extend(signals(&look.lane));
            }
            Record::Row(row) => {
                let agents: u64 = cells[&row.cell].axes["agents"].parse().unwrap();
                // No two launches take the same time to the nanosecond.
                let ns = wall_ms(&row.lane, agents) * 1_000_000 + u64::from(row.launch.unwrap_or(0));
                (row.wall_ns, row.outside_ns) = (Some(ns), Some(2 * ns));
                let control = controls(&row.lane, agents, row.block);
                let requests = (0..agents).map(|_| ns.to_string()).collect();
                row.evidence.insert("agents".into(), agents.to_string().into());
                row.evidence.insert("agents.request_ns".into(), SignalValue::List(requests));
                row.evidence.insert("control.two_process_speedup".into(), SignalValue::Float(control));
                if control <= HANGS {
                    (row.wall_ns, row.outside_ns, row.outcome) = (None, None, Outcome::Hung);
                    (row.tokens, row.output_sha256, row.stop) = (Vec::new(), None, None);
                    row.failure = Some(Failure::new(FailureClass::Inactive, "no sign of life"));
                } else if control < 1.8 {
                    row.outcome = Outcome::Refused;
                    row.failure = Some(Failure::new(FailureClass::Disturbed, "two processes did too little"));
                }
            }
            _ => {}
        }
    }
    judge(&plan, &processes::filled_journal_of(records)).unwrap()
}

fn quiet_host(_: &str, _: u64, _: u32) -> f64 {
    1.95
}

fn ruling<'a>(verdict: &'a Verdict, name: &str) -> &'a Ruling {
    verdict.hypotheses.iter().find(|hypothesis| hypothesis.name == name).unwrap().ruling.as_ref().unwrap()
}

fn numbers(part: &Part, names: [&str; 2]) -> [f64; 2] {
    names.map(|name| part.numbers[name])
}

#[test]
fn two_agents_are_held_against_one_of_the_same_launch_and_the_same_lane() {
    let verdict = judged(AGENTS, quiet_host);
    let ladder = ruling(&verdict, "ladder");
    // With the lock two agents take twice as long; without it a quarter more than one: 2 / (2 * 1.25).
    for part in &ladder.parts {
        assert_eq!(numbers(part, ["baseline_pct", "candidate_pct"]), [50.0, 80.0], "{part:?}");
        assert_eq!(part.key["model"], "m");
    }
    assert_eq!(ladder.parts.len(), 2);
    assert!(ladder.reasons.iter().any(|reason| reason.contains("hang clause is not_testable")), "{:?}", ladder.reasons);
    assert_eq!(numbers(&ruling(&verdict, "latency").parts[0], ["left", "right"]), [2.0, 1.25]);
    let ttft: Vec<[f64; 2]> =
        ruling(&verdict, "ttft").parts.iter().map(|part| numbers(part, ["left", "right"])).collect();
    assert_eq!(ttft, [[100.0, 100.0], [200.0, 125.0]]);
}

#[test]
fn levels_of_agents_are_combinations_of_their_own_where_the_ladders_key_tells_them_apart() {
    let more = AGENTS
        .replace("agents = [\"1\", \"2\"]", "agents = [\"1\", \"2\", \"4\"]")
        .replace("n_agents = [2]", "n_agents = [2, 4]");
    let key = "key = [\"measure\", \"model\", \"workload\"";
    let apart = more.replace(&format!("{key}], baseline"), &format!("{key}, \"n_agents\"], baseline"));
    assert_ne!(apart, more);
    let verdict = judged(&apart, quiet_host);
    assert_eq!(ruling(&verdict, "ladder").parts.len(), 4);
    let verdict = judged(&more, quiet_host);
    let together = ruling(&verdict, "ladder");
    assert_eq!(together.standing, Standing::Invalid, "two rows of one key: {:?}", together.reasons);
}

#[test]
fn samples_pair_by_repetition_over_all_blocks_and_none_is_dropped() {
    let verdict = judged(AGENTS, quiet_host);
    let pairs = ruling(&verdict, "pairs");
    // Two phases, two levels of agents, four blocks of two repetitions.
    assert_eq!((pairs.label.as_str(), pairs.parts.len()), ("all_matched", 32));
    for name in ["pairs", "latency", "ttft", "hangs"] {
        let untested = ruling(&verdict, name).tests.iter().all(|test| test.interval.is_none() && test.p.is_none());
        assert!(untested, "{name}: different cells are no launches of one");
    }
    let of_two = pairs.tests.iter().find(|test| test.test.contains("n_agents = 2")).unwrap();
    assert_eq!(of_two.estimate, Some(15.0), "the mean alone is told");
    let part = pairs.parts.iter().find(|part| part.key["n_agents"] == "2" && part.key["measure"] == "scaling").unwrap();
    assert_eq!(numbers(part, ["left", "right"]), [40.0, 64.0], "8 tokens in 0.2 and in 0.125 seconds");
    let refused: Controls = |lane, agents, block| if (lane, agents, block) == ("base", 2, 0) { 1.2 } else { 1.95 };
    let lacking = judged(AGENTS, refused);
    let pairs = ruling(&lacking, "pairs");
    assert_eq!(pairs.label, "some_unmatched");
    assert_eq!(pairs.parts.iter().filter(|part| part.label == "only_right").count(), 4);
    assert_ne!(lacking.conclusion, Conclusion::Refused, "a sample that the plan refuses is nothing against its lane");
}

#[test]
fn samples_of_agents_carry_their_launches_and_a_contrast_over_them_counts_these() {
    let contrast = r#"
[[hypothesis]]
name = "walls"
[hypothesis.rule]
kind = "mean_contrast"
left = { rows = { table = "agent_samples", where = { lane = ["base"], measure = ["scaling"], n_agents = [2] } }, mean = "wall_ms" }
right = { rows = { table = "agent_samples", where = { lane = ["same"], measure = ["scaling"], n_agents = [2] } }, mean = "wall_ms" }
margin = 1.0
power = 0.8
"#;
    let text = format!("{AGENTS}{contrast}");
    let walls = |controls: Controls| ruling(&judged(&text, controls), "walls").clone();
    let quiet = walls(quiet_host);
    assert_eq!((quiet.label.as_str(), quiet.standing), ("lower", Standing::Decided), "{:?}", quiet.reasons);
    // Four launches of two samples a side: a test of launches has at most six degrees of freedom, whose quantile is 2.447.
    assert_eq!(quiet.rests_on.len(), 16);
    let short = walls(|_, agents, block| if agents == 2 && block < 2 { 1.3 } else { 1.95 });
    assert_eq!((short.standing, short.settled_by), (Standing::Inconclusive, Some(3)), "{:?}", short.reasons);
    assert!(short.reasons[0].contains("2 launches"), "{:?}", short.reasons);
}

#[test]
fn an_axis_that_must_hold_and_that_nothing_tells_of_makes_the_ladder_abstain() {
    let abstains = |text: &str, signals: fn(&str) -> Vec<Signal>| {
        let verdict = shown(text, quiet_host, signals);
        let ladder = ruling(&verdict, "ladder");
        assert_eq!(
            (ladder.label.as_str(), ladder.standing),
            ("abstain", Standing::Inconclusive),
            "{:?}",
            ladder.reasons
        );
        ladder.reasons.clone()
    };
    // Declared by both lanes, and seen in one.
    let blind = |lane: &str| -> Vec<Signal> {
        signals(lane).into_iter().filter(|it| lane == "base" || it.name == "python.version").collect()
    };
    assert_eq!(abstains(AGENTS, blind), ["gil, same is not recorded, and must be false"]);
    // Declared by none.
    let asked = AGENTS.replace("axis = [\"gil\"]", "axis = [\"gil\", \"threads\"]");
    assert_eq!(abstains(&asked, signals), ["nothing tells of axis threads in table lane_axes, which must hold"]);
}

#[test]
fn fewer_than_three_undisturbed_launches_give_no_efficiency_and_the_ladder_abstains_by_name() {
    let busy: Controls = |_, agents, block| if agents == 2 && block < 2 { 1.3 } else { 1.95 };
    let verdict = judged(AGENTS, busy);
    let ladder = ruling(&verdict, "ladder");
    assert_eq!((ladder.label.as_str(), ladder.standing), ("abstain", Standing::Inconclusive));
    assert!(ladder.reasons[0].starts_with("0 combinations were compared, floor 2"), "{:?}", ladder.reasons);
    assert_eq!(ladder.settled_by, Some(3), "launches, and not combinations");
    assert!(ladder.parts[0].reason.as_ref().unwrap().contains("2 launches give it"), "{:?}", ladder.parts);
}

#[test]
fn gains_are_those_of_launches_each_a_test_of_the_plans_family() {
    let verdict = judged(AGENTS, quiet_host);
    let ladder = ruling(&verdict, "ladder");
    assert_eq!((ladder.label.as_str(), ladder.standing), ("H1_pass", Standing::Decided), "{:?}", ladder.reasons);
    let told: Vec<(&str, bool)> =
        ladder.tests.iter().map(|it| (it.test.as_str(), it.interval.is_some() && it.p_adjusted.is_some())).collect();
    let wanted = [
        ("Welch t of the mean gain over the combinations against 0 pp, Holm over 3", true),
        ("Welch t of the gain of ttft / m / short against 12 pp, Holm over 3", true),
        ("Welch t of the gain of scaling / m / short against 12 pp, Holm over 3", true),
    ];
    assert_eq!(told, wanted);
    assert_eq!(ladder.parts[0].numbers["launches"], 4.0);
    let floors = ladder.thresholds.iter().filter(|it| it.name == "min_ok_share" || it.name == "min_launches");
    let floors: Vec<(&str, f64)> = floors.map(|it| (it.name.as_str(), it.value)).collect();
    assert_eq!(floors, [("min_ok_share", 0.5), ("min_launches", 3.0)]);
    // A second ladder over the same combinations asks the same, and one at another threshold does not.
    let at = |threshold: &str| {
        let (_, own) = AGENTS.split_once("[[hypothesis]]\nname = \"ladder\"").unwrap();
        let (own, _) = own.split_once("[[hypothesis]]").unwrap();
        let again = own.replace("improvement_above = 12.0", threshold);
        let verdict = judged(&format!("{AGENTS}\n[[hypothesis]]\nname = \"again\"{again}"), quiet_host);
        ruling(&verdict, "again").tests[1].test.clone()
    };
    assert!(at("improvement_above = 12.0").ends_with("Holm over 3"), "{}", at("improvement_above = 12.0"));
    assert!(at("improvement_above = 11.0").ends_with("Holm over 5"), "{}", at("improvement_above = 11.0"));
}

#[test]
fn combinations_of_survivors_and_those_that_nobody_ran_through_are_listed_and_not_compared() {
    let strict = AGENTS.replace("min_ok_share = 0.5", "min_ok_share = 0.9");
    let hangs_once: Controls = |lane, agents, block| if (lane, agents, block) == ("same", 2, 0) { HANGS } else { 1.95 };
    assert_eq!(ruling(&judged(AGENTS, hangs_once), "ladder").label, "H1_pass", "above its floor");
    let hung: Controls = |_, agents, _| if agents == 2 { HANGS } else { 1.95 };
    let why = "of its repetitions are ok, floor 0.9: times of survivors are no sample";
    for (controls, share) in [(hangs_once, "same.parallel_efficiency: 0.75"), (hung, "base.parallel_efficiency: 0")] {
        let verdict = judged(&strict, controls);
        let ladder = ruling(&verdict, "ladder");
        assert_eq!((ladder.label.as_str(), ladder.settled_by), ("abstain", None), "{:?}", ladder.reasons);
        assert!(ladder.reasons[0].starts_with("0 combinations were compared, floor 2"), "{:?}", ladder.reasons);
        assert_eq!(ladder.parts.len(), 2);
        for part in &ladder.parts {
            assert_eq!(part.label, "not_compared");
            assert!(part.reason.as_ref().unwrap().starts_with(&format!("{share} {why}")), "{part:?}");
        }
    }
}

#[test]
fn the_hang_ledger_counts_attempts_of_both_lanes_and_no_repetition_hides_a_hang() {
    let ledger = |controls: Controls| ruling(&judged(AGENTS, controls), "hangs").clone();
    let quiet = ledger(quiet_host);
    assert_eq!(quiet.label, "none_hung", "{:?}", quiet.reasons);
    assert_eq!(quiet.reasons[0], "none of 2 shapes hung or failed before, so there is nothing to resolve");
    assert_eq!(numbers(&quiet.parts[0], ["baseline_wall_ms", "wall_ms"]), [200.0, 125.0]);
    let with = ledger(|lane, agents, block| if (lane, agents, block) == ("base", 2, 1) { HANGS } else { 1.95 });
    assert_eq!((with.label.as_str(), with.reasons[0].as_str()), ("all_resolved", "2/2 shapes are resolved"));
    assert_eq!(with.parts[0].reason.as_deref(), Some("no timing before"));
    let without = ledger(|lane, agents, block| if (lane, agents, block) == ("same", 2, 1) { HANGS } else { 1.95 });
    assert_eq!((without.label.as_str(), without.parts[0].label.as_str()), ("new_hangs", "new_hang"));
    let busy = ledger(|lane, agents, _| if (lane, agents) == ("same", 2) { 1.2 } else { 1.95 });
    assert_eq!(busy.standing, Standing::Invalid, "what the control refuses is no attempt: {:?}", busy.reasons);
    for lane in ["base", "same"] {
        let few: Controls = match lane {
            "base" => |lane, agents, block| if (lane, agents) == ("base", 2) && block < 2 { 1.2 } else { 1.95 },
            _ => |lane, agents, block| if (lane, agents) == ("same", 2) && block < 2 { 1.2 } else { 1.95 },
        };
        let few = ledger(few);
        assert_eq!((few.standing, few.settled_by), (Standing::Inconclusive, Some(3)), "{lane}: {:?}", few.reasons);
    }
}

#[test]
fn the_lanes_differ_in_the_lock_alone_and_the_stated_pair_in_two_axes() {
    let verdict = judged(AGENTS, quiet_host);
    assert_eq!(ruling(&verdict, "stacks").label, "single_delta");
    let published = ruling(&verdict, "published");
    assert_eq!(published.label, "confounded");
    assert!(published.reasons[0].starts_with("gil and python moved together"), "{:?}", published.reasons);
}

#[test]
fn a_ladder_without_hang_shapes_says_so_by_a_floor_of_none() {
    let error = Plan::parse("agents.toml", &AGENTS.replace("min_hang_shapes = 0", "min_hang_shapes = 1")).unwrap_err();
    assert!(error.to_string().contains("names no hang shapes, and the floor is 1"), "{error}");
    let error = Plan::parse("agents.toml", &AGENTS.replace("speedup = 1.8", "speedup = 2.8")).unwrap_err();
    assert!(error.to_string().contains("min_two_process_speedup"), "{error}");
}
