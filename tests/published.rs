//! The published reports, judged again: from the committed tables to the committed journal, and from that to the
//! committed verdict, to the byte each time.

#[path = "published/by_launch.rs"]
mod by_launch;
mod committed;
#[path = "published/faults.rs"]
mod faults;
#[path = "published/rules.rs"]
mod rules;

use std::path::{Path, PathBuf};

use lockstep::import::{InputFile, Kind, PlanIdentity, gather, import};
use lockstep::journal::{self, Journal, MAX_JOURNAL_BYTES, decompress};
use lockstep::plan::{Design, PlanFile};
use lockstep::report::{published_json, published_markdown};
use lockstep::terms::Axes;
use lockstep::verdict::rules::{Ruling, Standing};
use lockstep::verdict::{Error, PublishedVerdict, judge, judge_published};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn plan_text(name: &str) -> String {
    std::fs::read_to_string(root().join("plans").join(format!("{name}.toml"))).expect("the plan is committed")
}

/// The designs among the shipped plans.
fn designs() -> Vec<Design> {
    let files = std::fs::read_dir(root().join("plans")).expect("there are plans").map(|file| file.unwrap().path());
    let mut designs: Vec<Design> = files
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).expect("a plan is text");
            match PlanFile::parse(&path.display().to_string(), &text).expect("a shipped plan is one") {
                PlanFile::Published(design) => Some(*design),
                PlanFile::Measured(_) => None,
            }
        })
        .collect();
    designs.sort_by(|a, b| a.name.cmp(&b.name));
    designs
}

fn tables(name: &str) -> Vec<InputFile> {
    gather(Kind::Table, &[root().join("tests/claims/data").join(name)]).expect("the tables are committed")
}

fn imported(design: &Design, files: &[InputFile]) -> Journal {
    let identity = PlanIdentity { sha256: design.digest(), name: design.name.clone() };
    let imported = import(Kind::Table, files, &identity, Axes::new()).expect("the tables are tables");
    journal::read(&imported.encode().expect("a journal")).expect("a journal")
}

fn journal_file(name: &str) -> PathBuf {
    root().join("tests/journals").join(format!("{name}.jsonl.xz"))
}

fn committed(name: &str) -> Journal {
    journal::read_file(&journal_file(name)).expect("the journal is committed")
}

fn ruling<'a>(verdict: &'a PublishedVerdict, name: &str) -> &'a Ruling {
    &verdict.hypotheses.iter().find(|hypothesis| hypothesis.name == name).expect("a hypothesis").ruling
}

/// The verdict on TR165 with its plan's or its tables' text changed.
fn tr165(plan: impl Fn(String) -> String, table: &str, cells: impl Fn(String) -> String) -> PublishedVerdict {
    changed("tr165", plan, table, cells)
}

/// The verdict on a report with its plan's or its tables' text changed.
fn changed(
    name: &str,
    plan: impl Fn(String) -> String,
    table: &str,
    cells: impl Fn(String) -> String,
) -> PublishedVerdict {
    let design = Design::parse(name, &plan(plan_text(name))).expect("a design");
    let mut files = tables(name);
    for file in files.iter_mut().filter(|file| file.name.contains(table)) {
        let before = String::from_utf8(file.bytes.clone()).expect("a table is text");
        let after = cells(before.clone());
        assert_ne!(before, after, "the change changed nothing");
        file.bytes = after.into_bytes();
    }
    judge_published(&design, &imported(&design, &files)).expect("a verdict")
}

fn with_plan(from: &str, to: &str) -> PublishedVerdict {
    assert!(plan_text("tr165").contains(from), "{from}");
    tr165(|text| text.replace(from, to), "no table", |text| text)
}

fn with_cell(table: &str, from: &str, to: &str) -> PublishedVerdict {
    tr165(|text| text, table, |text| text.replacen(from, to, 1))
}

#[test]
fn every_committed_journal_is_what_the_committed_tables_give() {
    for design in designs() {
        let identity = PlanIdentity { sha256: design.digest(), name: design.name.clone() };
        let again = import(Kind::Table, &tables(&design.name), &identity, Axes::new()).expect("the tables are tables");
        let packed = std::fs::read(journal_file(&design.name)).expect("the journal is committed");
        let bytes = decompress(&packed, MAX_JOURNAL_BYTES).expect("it is packed");
        assert!(
            again.encode().expect("a journal") == bytes,
            "tests/journals/{}.jsonl.xz is not what its tables and plan give; tests/journals/README.md says how it is made",
            design.name
        );
    }
}

#[test]
fn every_published_verdict_follows_from_its_journal_to_the_byte() {
    let designs = designs();
    assert!(designs.iter().any(|design| design.name == "tr165"));
    for design in designs {
        let verdict = judge_published(&design, &committed(&design.name)).expect("a verdict");
        let path = root().join("snapshots").join(&design.name).join("published.json");
        let snapshot = published_json(&verdict).expect("JSON");
        committed::follows(&path, &snapshot);
        let read: PublishedVerdict = serde_json::from_str(&snapshot).expect("a verdict reads its own form");
        assert_eq!(read, verdict);
    }
}

#[test]
fn no_plan_expects_a_label_that_its_rule_never_gives_and_no_rule_gives_one_that_no_plan_could_expect() {
    for design in designs() {
        let verdict = judge_published(&design, &committed(&design.name)).expect("a verdict");
        for (hypothesis, found) in design.hypotheses.iter().zip(&verdict.hypotheses) {
            let label = found.ruling.label.as_str();
            let is_known = hypothesis.rule.labels().contains(&label);
            assert_eq!(is_known, found.ruling.standing == Standing::Decided, "{} says {label}", found.name);
        }
    }
}

#[test]
fn tr165_is_a_partial_attribution_with_19_of_24_and_2_of_6() {
    let verdict = judge_published(&designs().into_iter().find(|d| d.name == "tr165").unwrap(), &committed("tr165"));
    let verdict = verdict.expect("a verdict");
    let ladder = ruling(&verdict, "gil-ladder");
    assert_eq!((ladder.label.as_str(), ladder.standing), ("H2_partial", Standing::Decided));
    let count = |label: &str| ladder.parts.iter().filter(|part| part.label == label).count();
    assert_eq!((count("pass"), count("fail"), count("edge")), (19, 5, 0));
    assert!(ladder.reasons[0].starts_with("19/24 combinations"), "{}", ladder.reasons[0]);
    assert!(ladder.reasons[0].ends_with("2/6 hang shapes are resolved"), "{}", ladder.reasons[0]);
    assert!(ladder.reasons.iter().any(|reason| reason.contains("from 11.72 to below 12.15")));
    // The shares at which 2 or more of 6, and 2 or fewer, have probability 0.025, by bisection of the binomial sums.
    let share = ladder.tests.iter().find(|test| test.test.contains("Clopper")).expect("the exact interval");
    assert_eq!(share.interval, Some([0.043_271_9, 0.777_222]));
    assert_eq!(ruling(&verdict, "hang-ledger").label, "some_resolved");
    // The answer by launches stands beside it: the tables name none, and what the report may say is derived anew.
    let beside = verdict.hypotheses.iter().filter_map(|it| Some((it.name.as_str(), it.at_launch_level.as_ref()?)));
    let beside: Vec<(&str, &str)> = beside.map(|(name, at_launch)| (name, at_launch.label.as_str())).collect();
    assert_eq!(
        beside,
        [
            ("gil-ladder", "inconclusive"),
            ("hang-ledger", "inconclusive"),
            ("matched-pairs", "all_matched"),
            ("single-delta", "confounded"),
            ("non-gil-footprint", "confounded"),
            ("licence", "none_licensed"),
        ]
    );
}

#[test]
fn both_axes_that_tr165_moved_are_named_and_forbid_putting_the_effect_down_to_one() {
    let verdict = with_plan("alpha = 0.05", "alpha = 0.01");
    let axes = ruling(&verdict, "single-delta");
    assert_eq!(axes.label, "confounded");
    assert!(axes.reasons[0].starts_with("gil and python moved together"), "{}", axes.reasons[0]);
    let said = |verdict: &PublishedVerdict, statement: &str| {
        let parts = &ruling(verdict, "licence").parts;
        parts.iter().find(|part| part.key["statement"] == statement).expect("the statement").label.clone()
    };
    assert_eq!(said(&verdict, "recovery"), "licensed");
    for forbidden in ["gil-contributes", "sole-cause", "elimination", "production-ready"] {
        assert_eq!(said(&verdict, forbidden), "forbidden", "{forbidden}");
    }
    // Had every place said 3.14, the GIL alone would have moved.
    let single = tr165(|text| text, "interpreter_statements", |text| text.replace("3.13", "3.14"));
    assert_eq!(ruling(&single, "single-delta").label, "single_delta");
    assert_eq!(said(&single, "gil-contributes"), "licensed");
    assert_eq!(said(&single, "sole-cause"), "forbidden");
}

#[test]
fn another_threshold_or_another_cell_gives_another_verdict() {
    let count = |verdict: &PublishedVerdict, label: &str| {
        ruling(verdict, "gil-ladder").parts.iter().filter(|part| part.label == label).count()
    };
    let label = |verdict: &PublishedVerdict| ruling(verdict, "gil-ladder").label.clone();
    let higher = with_plan("improvement_above = 12.0", "improvement_above = 12.5");
    assert_eq!((label(&higher).as_str(), count(&higher, "pass")), ("H2_partial", 18));
    let relative = with_plan(
        "improvement_above = 12.0\nimprovement_unit = \"pp\"",
        "improvement_above = 20\nimprovement_unit = \"pct_of_baseline\"",
    );
    assert_eq!(count(&relative, "pass"), 19);
    // On the threshold itself the printed digits of both sides do not tell.
    let edge = with_plan("improvement_above = 12.0", "improvement_above = 12.15");
    assert_eq!((count(&edge, "pass"), count(&edge, "edge")), (18, 1));
    let cell = with_cell("tr165_n2_efficiency", "\"tr165_eff\": 0.7226", "\"tr165_eff\": 0.7301");
    assert_eq!((label(&cell).as_str(), count(&cell, "pass")), ("H2_partial", 20));
    let low = with_plan("improvement_above = 12.0", "improvement_above = -30");
    assert_eq!(label(&low), "H2_partial", "four hangs are left, so H1 fails whatever the combinations gain");
    let floor = with_plan("min_combinations = 20", "min_combinations = 25");
    assert_eq!((label(&floor).as_str(), ruling(&floor, "gil-ladder").standing), ("abstain", Standing::Inconclusive));
    let gil = with_cell("tr165_preflight", "\"observed\": \"False\"", "\"observed\": \"True\"");
    assert_eq!(label(&gil), "abstain");
    assert!(ruling(&gil, "gil-ladder").reasons[0].contains("sys._is_gil_enabled()"));
    let lost = with_cell("tr165_hang_ledger", "\"ok_rate\": 1.0", "\"ok_rate\": 0.5");
    assert_eq!(ruling(&lost, "hang-ledger").label, "contradictory");
}

#[test]
fn without_a_hang_floor_the_hang_clause_is_not_testable() {
    let verdict = with_plan("min_hang_shapes = 6", "min_hang_shapes = 0");
    let ladder = ruling(&verdict, "gil-ladder");
    assert!(ladder.reasons[0].contains("not_testable"), "{}", ladder.reasons[0]);
    assert_eq!(ladder.label, "H2_partial", "five combinations fail, which refutes H1 without the hangs");
    let all = tr165(
        |text| {
            let text = text.replace("min_hang_shapes = 6", "min_hang_shapes = 0");
            text.replace("improvement_above = 12.0", "improvement_above = -30")
        },
        "no table",
        |text| text,
    );
    let ladder = ruling(&all, "gil-ladder");
    assert_eq!((ladder.standing, ladder.label.as_str()), (Standing::Inconclusive, "inconclusive"));
}

#[test]
fn what_no_table_prints_is_invalid_and_says_what_is_there() {
    let named = ("\"tr165_n2_delta_ranked\"", "\"tr165_n2_eficiency\"");
    let read = ("{ table = \"tr165_n2_efficiency\" }, key", "{ table = \"tr165_n2_eficiency\" }, key");
    let table = tr165(|text| text.replace(named.0, named.1).replace(read.0, read.1), "no table", |text| text);
    let ladder = ruling(&table, "gil-ladder");
    assert_eq!(ladder.standing, Standing::Invalid);
    assert_eq!(ladder.reasons, ["no table tr165_n2_eficiency was imported; there is tr165_n2_efficiency"]);
    let column = with_plan(
        "key = [\"model\", \"phase\", \"workload\"]\nleft",
        "key = [\"model\", \"phase\", \"workload\", \"rep\"]\nleft",
    );
    let pairs = ruling(&column, "matched-pairs");
    assert_eq!(pairs.standing, Standing::Invalid);
    assert!(pairs.reasons[0].starts_with("table tr165_n2_efficiency prints no column rep"), "{}", pairs.reasons[0]);
}

#[test]
fn plans_and_journals_of_two_kinds_are_no_pair() {
    let archive = root().join("snapshots/quickstart/amd-epyc-fam25-mod17-2c.journal.jsonl.xz");
    let measured = journal::read_file(&archive).expect("a measured journal");
    let PlanFile::Measured(plan) = PlanFile::parse("quickstart", &plan_text("quickstart")).expect("a plan") else {
        panic!("quickstart is run")
    };
    let design = Design::parse("tr165", &plan_text("tr165")).expect("a design");
    let error = judge_published(&design, &measured).expect_err("rows are no tables");
    assert!(matches!(&error, Error::Measured { plan, .. } if plan == "tr165"), "{error}");
    let bound = journal::read(
        &import(
            Kind::Table,
            &tables("tr165"),
            &PlanIdentity { sha256: plan.digest(), name: plan.name.clone() },
            Axes::new(),
        )
        .expect("the tables are tables")
        .encode()
        .expect("a journal"),
    )
    .expect("a journal");
    assert!(matches!(judge(&plan, &bound), Err(Error::Imported { .. })));
    assert!(matches!(judge_published(&design, &bound), Err(Error::OtherDesign { .. })));
}

#[test]
fn the_markdown_report_holds_every_hypothesis_condition_and_file() {
    for design in designs() {
        let verdict = judge_published(&design, &committed(&design.name)).expect("a verdict");
        let page = published_markdown(&verdict);
        for hypothesis in &verdict.hypotheses {
            assert!(page.contains(&format!("## {}: {}", hypothesis.name, hypothesis.ruling.label)), "{page}");
        }
        assert!(verdict.imported.files.iter().all(|file| page.contains(&file.sha256.to_string())));
        assert!(page.contains("Judged as the authors did"));
    }
}

/// The labels of a report's committed verdict, in the design's order.
fn labels(name: &str) -> Vec<(String, String)> {
    let design = designs().into_iter().find(|design| design.name == name).expect("a design");
    let verdict = judge_published(&design, &committed(name)).expect("a verdict");
    verdict.hypotheses.into_iter().map(|hypothesis| (hypothesis.name, hypothesis.ruling.label)).collect()
}

fn says(name: &str, expected: &[(&str, &str)]) {
    let found = labels(name);
    let found: Vec<(&str, &str)> = found.iter().map(|(name, label)| (name.as_str(), label.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn tr117_meets_one_of_its_phase_criteria_and_contradicts_itself_on_another() {
    says(
        "tr117",
        &[
            ("phase-1-lag", "met"),
            ("phase-2-pcie", "invalid"),
            ("phase-3-throttling", "not_met"),
            ("phase-3-statements", "contradictory"),
            ("throttled-efficiency", "consistent"),
            ("stall", "stall"),
            ("deployment", "inconclusive"),
        ],
    );
    let verdict = changed("tr117", |text| text, "no table", |text| text);
    let spot = &ruling(&verdict, "phase-2-pcie").reasons[0];
    assert!(spot.contains("takes a series") && spot.contains("is 80 "), "{spot}");
    // By hand from the five rows of 3.5, with the sign of the second column turned.
    assert_eq!(ruling(&verdict, "phase-1-lag").tests[0].estimate, Some(0.995_693));
    let slower = changed("tr117", |text| text, "tr117_throttled_detail", |text| text.replacen("1.7368", "1.7468", 1));
    assert_eq!(ruling(&slower, "throttled-efficiency").label, "contradicted");
    let deployed: Vec<&str> = ruling(&verdict, "deployment").parts.iter().map(|part| part.label.as_str()).collect();
    assert_eq!(deployed, ["optimise", "edge", "optimise"], "100 tok/s is printed without decimals");
    let calm = changed("tr117", |text| text.replace("stall = 15.0", "stall = 18.0"), "no table", |text| text);
    assert_eq!(ruling(&calm, "stall").label, "mixed");
    let weak = changed("tr117", |text| text.replace("at_least = 2.0", "at_least = -3.0"), "no table", |text| text);
    assert_eq!(ruling(&weak, "phase-3-throttling").label, "met");
}

#[test]
fn tr147_holds_by_its_own_rules() {
    says(
        "tr147",
        &[
            ("static-cache-rescue", "inconclusive"),
            ("reduce-overhead-rescue", "not_rescued"),
            ("portability", "same_outcome"),
            ("prefill-boundary", "located"),
            ("decode-boundary-dense", "located"),
            ("decode-boundary-awq", "none_within_range"),
            ("gpt-fast-head", "strong_match"),
            ("gpt-fast-pinned", "no_survivor"),
            ("phase-separation", "required"),
            ("prefill-gain-replication", "replicated"),
            ("gpt-fast-robustness", "invalid"),
            ("five-gates", "3_of_5"),
            ("tost-decode-ada", "could_not_tell"),
            ("tost-decode-a100", "could_not_tell"),
            ("prefill-band", "strong_win"),
            ("decode-band", "inconclusive"),
            ("prefill-effect-sizes", "large"),
            ("decode-effect-sizes", "inconclusive"),
            ("compile-family", "invalid"),
            ("identity-code", "different"),
            ("identity-triton", "different"),
            ("identity-quantization", "different"),
            ("crash-rates", "mixed"),
            ("decode-guard", "mixed"),
        ],
    );
    let ruled = |name: &str, from: &str, to: &str| {
        assert!(plan_text("tr147").contains(from), "{from}");
        ruling(&changed("tr147", |text| text.replace(from, to), "no table", |text| text), name).label.clone()
    };
    assert_eq!(ruled("static-cache-rescue", "max_rate = 0.01", "max_rate = 0.03"), "rescued");
    assert_eq!(ruled("portability", "crash_rate = 0.5", "crash_rate = 0.9"), "unstable");
    assert_eq!(ruled("gpt-fast-head", "strong_match = 90.0", "strong_match = 107.5"), "below_strong_match");
    assert_eq!(ruled("phase-separation", "margin_pp = 3.0", "margin_pp = 120.0"), "not_required");
    assert_eq!(ruled("prefill-gain-replication", "gain_pct = 50.0", "gain_pct = 79.0"), "not_replicated");
    assert_eq!(ruled("five-gates", "triton = \"triton\" }\nrows", "gpu = \"mode\" }\nrows"), "4_of_5");
    let printed = changed("tr147", |text| text, "no table", |text| text);
    assert_eq!(
        ruling(&printed, "gpt-fast-robustness").reasons[0],
        "need >= 2 stack points, got 0",
        "the report's words"
    );
    let crash = changed(
        "tr147",
        |text| text,
        "per_token_crash",
        |text| text.replacen("\"token_len\": 512, \"crashes\": 0", "\"token_len\": 512, \"crashes\": 60", 1),
    );
    assert_eq!(ruling(&crash, "decode-boundary-awq").label, "located");
}

#[test]
fn tr126s_compile_effect_is_a_win_whose_strength_the_pooled_means_do_not_settle() {
    says(
        "tr126",
        &[
            ("prefill-compile-effect", "inconclusive"),
            ("prefill-gpt2-100m", "strong_win"),
            ("prefill-qwen2.5-3b", "win"),
            ("compile-against-ollama-prefill", "lower"),
            ("tie-at-1.5b", "equivalent"),
            ("tie-at-1.5b-half-ms", "inconclusive"),
            ("tie-at-1.5b-two-ms", "equivalent"),
            ("ollama-beats-compile-at-3b", "lower"),
            ("prefill-by-model", "faster"),
            ("scale-crossover", "interaction"),
            ("prefill-ranking", "ollama"),
            ("kv-decode-ranking", "ollama"),
            ("cross-phase-eager", "consistent"),
            ("cross-phase-compiled", "not_consistent"),
            ("cross-phase-eager-std", "acceptable"),
            ("cross-phase-environment", "different"),
            ("e2e-ranking", "ollama"),
            ("pairwise-comparisons", "all_significant"),
            ("phase-2-effect-sizes", "mixed"),
            ("compile-effect-size", "large"),
            ("ollama-effect-size", "inconclusive"),
            ("compile-is-real", "compiled"),
            ("weight-parity", "invalid"),
        ],
    );
    let ruled = |from: &str, to: &str| changed("tr126", |text| text.replace(from, to), "no table", |text| text);
    // From 135 iterations a side the family is decided.
    let by_model = ruled("margin_pct = 3.0", "margin_pct = 60.0");
    assert_eq!(ruling(&by_model, "prefill-by-model").label, "mixed");
    let unit = |reason: &String| reason.starts_with("the unit of replication is the iteration");
    assert!(ruling(&by_model, "prefill-by-model").reasons.iter().any(unit));
    let neutral = ruled("neutral_pct = 3.0\ninteraction", "neutral_pct = 90.0\ninteraction");
    assert_eq!(ruling(&neutral, "scale-crossover").label, "interaction", "within the band, and not of one size");
    // 10.4 against 9.84 ms over the three models that all ran; pooled with gpt2-100m and llama3.2:1b it is 8.2 against 9.11.
    let ranked = &ruling(&neutral, "prefill-ranking").reasons;
    assert!(ranked[1].contains("gpt2-100m, llama3.2:1b, left out"), "{ranked:?}");
    assert_eq!(ranked[2], "with what is left out compile would have the lowest mean");
    assert_eq!(
        ruling(&ruled("acceptable_pct = 33.0", "acceptable_pct = 60.0"), "cross-phase-compiled").label,
        "acceptable"
    );
    let wide = changed("tr126", |text| text.replace("margin = 1.0", "margin = 2.0"), "no table", |text| text);
    assert_eq!(ruling(&wide, "compile-against-ollama-prefill").label, "equivalent");
    assert!(ruling(&wide, "compile-against-ollama-prefill").reasons[0].contains("significant, and inside the margin"));
}

#[test]
fn trenis_tables_promote_nothing_and_what_speaks_against_a_switch_stands() {
    says(
        "treni",
        &[
            ("delayed-lt-10000", "keep_off"),
            ("ffn-proj-fast-compute", "rejected_at_gate"),
            ("tensor-h2d-chunk", "inconclusive"),
            ("linear-fast-compute", "inconclusive"),
            ("ffn-pair-pack", "inconclusive"),
            ("strict-matrix", "inconclusive"),
            ("strict-matrix-before", "mixed"),
            ("cold-start", "runtime"),
            ("commercial-routing", "inconclusive"),
            ("ffn-proj-same-window", "regresses"),
            ("linear-fast-same-window", "inconclusive"),
            ("delayed-lt-same-window", "regresses"),
            ("ffn-proj-revert", "revert"),
            ("uncertainty-runs", "inconclusive"),
            ("same-vm-runs", "inconclusive"),
            ("token-parity", "invalid"),
        ],
    );
    let verdict = changed("treni", |text| text, "no table", |text| text);
    let reversed = &ruling(&verdict, "delayed-lt-10000").reasons[0];
    assert_eq!(reversed, "the sign reversed: mixed improved at AB2 and regresses at AB3", "the report's own reason");
    let pair = &ruling(&verdict, "ffn-pair-pack").reasons[0];
    assert!(pair.ends_with("nothing shows in which arm its path was at work"), "{pair}");
    let matrix: Vec<&str> = ruling(&verdict, "strict-matrix").parts.iter().map(|part| part.label.as_str()).collect();
    assert_eq!(matrix, ["exploratory"; 5], "no interval of a score is printed");
    let before: Vec<&str> = ruling(&verdict, "strict-matrix-before").parts.iter().map(|p| p.label.as_str()).collect();
    assert_eq!(
        before,
        ["not_promotable", "not_promotable", "no_latency_gain", "no_latency_gain", "no_latency_gain"],
        "in the order of the table"
    );
    let flat = changed("treni", |text| text.replace("request_ms = 0.05", "request_ms = 0.6"), "no table", |text| text);
    assert!(!ruling(&flat, "ffn-proj-fast-compute").reasons[0].contains("warm regresses"), "0.489 ms is near-flat now");
    let coarse = changed(
        "treni",
        |text| text.replace("resolution_ms = 1000.0", "resolution_ms = 30000.0"),
        "no table",
        |text| text,
    );
    assert_eq!(ruling(&coarse, "cold-start").label, "tie");
}
