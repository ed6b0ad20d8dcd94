//! Raw rows of others, imported and judged: what failed is counted and never measured, and what counts them is judged like a
//! run's cells.

use lockstep::import::Kind;
use lockstep::journal::{self, Journal};
use lockstep::plan::Design;
use lockstep::verdict::rules::{Ruling, Standing};
use lockstep::verdict::{PublishedHypothesis, judge_published};

use crate::{design, design_text, journal_of, rulings};

/// Two commands as hyperfine exports them: seconds and exit codes of each.
fn hyperfine(sides: [[(f64, i32); 10]; 2]) -> String {
    let result = |(name, runs): (&str, [(f64, i32); 10])| {
        let (times, codes): (Vec<f64>, Vec<i32>) = runs.into_iter().unzip();
        format!("{{\"command\": \"{name}\", \"times\": {times:?}, \"exit_codes\": {codes:?}}}")
    };
    let [one, other] = [("a", sides[0]), ("b", sides[1])].map(result);
    format!("{{\"results\": [{one}, {other}]}}")
}

/// Ten runs, of which the first `failed` are as `how` says.
fn runs(mean: f64, failed: usize, how: (f64, i32)) -> [(f64, i32); 10] {
    std::array::from_fn(|at| if at < failed { how } else { (mean + 0.01 * (at % 3) as f64, 0) })
}

const COMMANDS: &str = "kind = \"mean_contrast\"\nmargin = 0.001\npower = 0.8\n\
    left = { rows = { table = \"observations\", where = { arm = [\"a\"] } }, mean = \"time\" }\n\
    right = { rows = { table = \"observations\", where = { arm = [\"b\"], outcome = [\"ok\"] } }, mean = \"time\" }";

fn commands(published: &str, sides: [[(f64, i32); 10]; 2]) -> Ruling {
    let design = design(published, &[COMMANDS]);
    rulings(&design, &journal_of(&design, Kind::Hyperfine, "h.json", &hyperfine(sides))).remove(0)
}

#[test]
fn a_side_that_failed_is_not_judged_by_how_fast_it_failed() {
    // Every run of one side ended at once, with exit code 1.
    let all = commands("", [runs(1.0, 0, (1.0, 0)), runs(1.0, 10, (0.5, 1))]);
    assert_eq!(all.standing, Standing::Inconclusive, "{all:?}");
    assert!(all.reasons[0].starts_with("right: 0 of 10 rows that were tried are ok (crashed 10)"), "{:?}", all.reasons);
    // That the plan chooses what is ok hides none of the six.
    let sides = || [runs(1.0, 0, (1.0, 0)), runs(0.5, 6, (0.5, 1))];
    let most = commands("min_ok_share = 0.5", sides());
    assert_eq!(most.standing, Standing::Inconclusive);
    assert!(most.reasons[0].contains("4 of 10") && most.reasons[0].contains("floor 0.5"), "{:?}", most.reasons);
    // How many may be lost is the plan's to say, and no default says it.
    let unsaid = commands("", sides());
    assert_eq!(unsaid.standing, Standing::Invalid);
    assert!(unsaid.reasons[0].ends_with("state published.min_ok_share"), "{:?}", unsaid.reasons);
}

#[test]
fn a_failed_row_has_no_time_and_the_contrast_says_that_it_was_lost() {
    let lost = commands("min_ok_share = 0.5", [runs(1.0, 1, (-5.0, 0)), runs(0.5, 2, (9.0, 1))]);
    assert_eq!((lost.label.as_str(), lost.standing), ("lower", Standing::Decided));
    // Nine of one side and eight of the other, by hand; with the -5 s it would be +0.1.
    let estimate = lost.tests[0].estimate.expect("an estimate");
    assert!((estimate + 0.5).abs() < 0.01, "{estimate}");
    let told: Vec<&str> = lost.reasons[1..].iter().map(String::as_str).collect();
    assert_eq!(
        told,
        ["left: 1 of 10 rows gave no value (fell_through 1)", "right: 2 of 10 rows gave no value (crashed 2)"]
    );
    let whole = commands("", [runs(1.0, 0, (1.0, 0)), runs(0.5, 0, (1.0, 0))]);
    assert_eq!(whole.reasons.len(), 1, "nothing was lost: {:?}", whole.reasons);
}

#[test]
fn a_plan_may_ask_for_a_share_that_is_ok() {
    let sides = || [runs(1.0, 0, (1.0, 0)), runs(0.5, 2, (9.0, 1))];
    assert_eq!(commands("min_ok_share = 0.8", sides()).label, "lower");
    let strict = commands("min_ok_share = 0.9", sides());
    assert_eq!(strict.standing, Standing::Inconclusive);
    assert!(strict.reasons[0].contains("8 of 10") && strict.reasons[0].contains("floor 0.9"), "{:?}", strict.reasons);
    let lenient = commands("min_ok_share = 0.2", [runs(1.0, 0, (1.0, 0)), runs(0.5, 7, (9.0, 1))]);
    assert_eq!((lenient.label.as_str(), lenient.reasons.len()), ("lower", 2));
}

/// Rows in the shape of TR147's JSONL: host, cache, length, and how many of ten decodes crash.
fn decodes(cells: &[(&str, &str, u32, u32)]) -> String {
    let mut text = String::new();
    for (host, cache, token_len, crashes) in cells {
        for iteration in 0..10 {
            let ms = 100.0 + f64::from(iteration % 3);
            let (status, time, error) = match iteration < *crashes {
                true => ("error", "null".to_owned(), "\"RuntimeError: CUDAGraphs\""),
                false => ("ok", ms.to_string(), "null"),
            };
            text.push_str(&format!(
                "{{\"model\": \"m\", \"mode\": \"kv_decode\", \"cache_type\": \"{cache}\", \"compile_mode\": \"default\", \
                 \"gpu\": \"{host}\", \"token_len\": {token_len}, \"iteration\": {iteration}, \"status\": \"{status}\", \
                 \"wall_ms\": {time}, \"decode_tokens\": 8, \"error\": {error}}}\n"
            ));
        }
    }
    text
}

const COUNTED: &str =
    "min_ok_share = 0.5\n[published.counted]\ncells = [\"model\", \"gpu\", \"cache_type\", \"token_len\"]";

fn counted(rule: &str, cells: &[(&str, &str, u32, u32)]) -> Ruling {
    let design = design(COUNTED, &[rule]);
    rulings(&design, &journal_of(&design, Kind::Tr147, "rows.jsonl", &decodes(cells))).remove(0)
}

#[test]
fn raw_rows_that_are_counted_say_where_crashes_begin() {
    let rule = "kind = \"crash_boundary\"\nrows = { table = \"cells\", where = { gpu = [\"Ada\"] } }\nat = \"token_len\"\n\
                crashes = \"crashed\"\nn = \"attempts\"\ncut = 0.5";
    let grows = [("Ada", "DynamicCache", 1, 0), ("Ada", "DynamicCache", 8, 0), ("Ada", "DynamicCache", 64, 10)];
    let found = counted(rule, &grows);
    assert_eq!(found.label, "located", "{:?}", found.reasons);
    assert!(found.reasons[0].contains("between token_len 8 and 64"), "{:?}", found.reasons);
    assert_eq!(found.rests_on[0], "cells of m Ada DynamicCache 1");
    let by_rate = counted(&rule.replace("\"crashed\"", "\"crash_rate\""), &grows);
    assert_eq!(by_rate.label, "located");
}

#[test]
fn raw_rows_that_are_counted_say_whether_conditions_come_out_alike_on_two_hosts() {
    let rule = "kind = \"portability\"\nkey = [\"cache_type\", \"token_len\"]\ncrashes = \"crashed\"\nn = \"attempts\"\n\
                mean = \"wall_ms\"\nok_rate = 0.0\ncrash_rate = 0.5\nsimilar_pct = 5.0\nsides = [\n\
                { host = \"Ada\", rows = { table = \"cells\", where = { gpu = [\"Ada\"] } } },\n\
                { host = \"A100\", rows = { table = \"cells\", where = { gpu = [\"A100\"] } } }]";
    let cells = [("Ada", "StaticCache", 8, 0), ("A100", "StaticCache", 8, 0), ("A100", "StaticCache", 64, 0)];
    let alike = counted(rule, &cells);
    assert_eq!(alike.label, "same_outcome", "{:?}", alike.reasons);
    let labels: Vec<&str> = alike.parts.iter().map(|part| part.label.as_str()).collect();
    assert_eq!(labels, ["portable_similar_latency", "missing_ada"]);
    let flipped = counted(rule, &[("Ada", "StaticCache", 8, 0), ("A100", "StaticCache", 8, 10)]);
    assert_eq!(flipped.label, "flipped");
}

#[test]
fn raw_rows_that_are_counted_say_whether_a_static_cache_rescues() {
    let rows = |cache: &str| format!("{{ table = \"cells\", where = {{ cache_type = [\"{cache}\"] }} }}");
    let rule = format!(
        "kind = \"static_cache_rescue\"\nmodel = \"model\"\ncrashes = \"crashed\"\nn = \"attempts\"\nmax_rate = 0.4\n\
         hosts.Ada = {}\ngrowing.Ada = {}",
        rows("StaticCache"),
        rows("DynamicCache")
    );
    let of = |crashes| counted(&rule, &[("Ada", "StaticCache", 8, crashes), ("Ada", "DynamicCache", 8, 10)]).label;
    assert_eq!([of(0), of(10)], ["rescued", "not_rescued"]);
}

#[test]
fn raw_rows_that_are_counted_are_held_against_a_published_target() {
    let rule = "kind = \"reproduction\"\nrows = { table = \"cells\", where = { gpu = [\"Ada\"] } }\nvalue = \"wall_ms\"\ncv = \"wall_ms_cv\"\nsurvived = \"ok\"\n\
                crashed = \"failed\"\ntarget = 101.0\nbands = { near = 90.0, below = 0.0 }\npower = 0.8";
    let of = |crashes| counted(rule, &[("Ada", "StaticCache", 8, crashes), ("A100", "StaticCache", 8, 0)]).label;
    assert_eq!([of(0), of(10)], ["near", "no_survivor"]);
}

#[test]
fn a_table_that_cannot_be_counted_says_why() {
    let rule = "kind = \"crash_boundary\"\nrows = { table = \"cells\" }\nat = \"token_len\"\ncrashes = \"crashed\"\n\
                n = \"attempts\"\ncut = 0.5";
    let design = design(&COUNTED.replace("gpu", "gpus"), &[rule]);
    let journal = journal_of(&design, Kind::Tr147, "rows.jsonl", &decodes(&[("Ada", "StaticCache", 8, 0)]));
    let ruling = rulings(&design, &journal).remove(0);
    assert_eq!(ruling.standing, Standing::Invalid);
    assert_eq!(ruling.reasons, ["no raw row has a column gpus, by which table cells is to be counted"]);
}

#[test]
fn a_contrast_of_counted_rows_has_the_same_floor() {
    let side = |gpu: &str| {
        format!(
            "{{ rows = {{ table = \"cells\", where = {{ gpu = [\"{gpu}\"] }} }}, mean = \"wall_ms\", sd = \"wall_ms_sd\", n = \"ok\" }}"
        )
    };
    let rule = format!(
        "kind = \"mean_contrast\"\nmargin = 5.0\npower = 0.8\nleft = {}\nright = {}",
        side("Ada"),
        side("A100")
    );
    let of = |crashes| counted(&rule, &[("Ada", "StaticCache", 8, 0), ("A100", "StaticCache", 8, crashes)]);
    assert_eq!((of(0).label.as_str(), of(0).reasons.len()), ("equivalent", 1));
    assert!(of(3).reasons[1].contains("3 of 10 rows gave no value"), "{:?}", of(3).reasons);
    assert_eq!(of(6).standing, Standing::Inconclusive, "{:?}", of(6).reasons);
}

/// Rows in the shape of TR147's, four runs a side: what compiled rows take is `compiled`, and each run is off by as much as
/// `drift` says.
fn recorded(compiled: f64, drift: [f64; 4]) -> Journal {
    let mut text = String::new();
    for (run, drift) in drift.iter().enumerate() {
        for iteration in 0..10 {
            for (mode, ms) in [("eager", 20.0), ("default", compiled)] {
                let ms = ms + drift + 0.01 * f64::from(iteration % 3);
                text.push_str(&format!(
                    "{{\"model\": \"m\", \"mode\": \"prefill\", \"cache_type\": \"StaticCache\", \"compile_mode\": \"{mode}\", \
                     \"token_len\": 8, \"iteration\": {iteration}, \"run\": {run}, \"status\": \"ok\", \"wall_ms\": {ms}, \
                     \"error\": null}}\n"
                ));
            }
        }
    }
    journal_of(&observing(""), Kind::Tr147, "rows.jsonl", &text)
}

/// A design over raw rows; `launch` names the column of the launch in both sides.
fn observing(launch: &str) -> Design {
    let side = |mode: &str| {
        let only = format!("{{ compile_mode = [\"{mode}\"], outcome = [\"ok\"], token_len = [8] }}");
        format!("{{ rows = {{ table = \"observations\", where = {only} }}, mean = \"wall_ms\"{launch} }}")
    };
    let [left, right] = [side("eager"), side("default")];
    design("", &[&format!("kind = \"mean_contrast\"\nleft = {left}\nright = {right}\nmargin = 0.5\npower = 0.8")])
}

/// What the design's one hypothesis comes to over the same rows.
fn under(design: &Design, journal: &Journal) -> PublishedHypothesis {
    let mut records = journal.records.clone();
    for record in &mut records {
        if let lockstep::journal::Record::Header(header) = record {
            header.plan_sha256 = design.digest();
        }
    }
    let journal = journal::read(&journal::encode(&records).expect("records")).expect("a journal");
    judge_published(design, &journal).expect("a verdict").hypotheses.remove(0)
}

#[test]
fn raw_rows_of_others_are_contrasted_by_iteration_and_by_the_launches_that_a_column_names() {
    let judged = |journal: &Journal, launch: &str| {
        let verdict = under(&observing(launch), journal);
        let beside = verdict.at_launch_level.expect("it counts iterations");
        (verdict.ruling.label, beside.label, beside.reasons[0].clone())
    };
    let steady = recorded(15.0, [0.0, 0.1, -0.1, 0.05]);
    let (by_iteration, by_launch, _) = judged(&steady, ", launch = \"run\"");
    assert_eq!((by_iteration.as_str(), by_launch.as_str()), ("lower", "lower"));
    // 40 iterations a side tell a difference of 2 ms that four runs, each off by up to 6 ms, do not.
    let unsteady = recorded(18.0, [0.0, 6.0, -6.0, 2.0]);
    let (by_iteration, by_launch, reason) = judged(&unsteady, ", launch = \"run\"");
    assert_eq!((by_iteration.as_str(), by_launch.as_str()), ("lower", "inconclusive"), "{reason}");
    let (by_iteration, by_launch, reason) = judged(&steady, "");
    assert_eq!((by_iteration.as_str(), by_launch.as_str()), ("lower", "inconclusive"));
    assert!(reason.contains("names a launch"), "{reason}");
}

#[test]
fn a_family_of_contrasts_has_one_answer_by_launches_which_is_that_of_the_launch_as_unit() {
    let side = |mode: &str| {
        let only = format!("{{ compile_mode = [\"{mode}\"], outcome = [\"ok\"] }}");
        format!("{{ rows = {{ table = \"observations\", where = {only} }}, mean = \"wall_ms\", launch = \"run\" }}")
    };
    let rule = format!(
        "kind = \"matched_contrasts\"\nkey = [\"model\"]\nbaseline = {}\ncandidate = {}\nmargin_pct = 1.0\npower = 0.8",
        side("eager"),
        side("default")
    );
    let by_iteration = design("", &[&rule]);
    let text = design_text("", &[&rule]).replace("replication = \"iteration\"", "replication = \"launch\"");
    let by_launch = Design::parse("observed", &text).expect("a design");
    for (drift, label) in [([0.0, 0.1, -0.1, 0.05], "faster"), ([0.0, 6.0, -6.0, 2.0], "could_not_tell")] {
        let rows = recorded(18.0, drift);
        let PublishedHypothesis { ruling, at_launch_level, .. } = under(&by_iteration, &rows);
        assert_eq!((ruling.label.as_str(), ruling.parts.len()), ("faster", 1), "{drift:?}");
        let beside = at_launch_level.expect("it counts iterations");
        assert_eq!((beside.label.as_str(), beside.parts[0].key["unit"].as_str()), (label, "launch"), "{drift:?}");
        let asked = under(&by_launch, &rows);
        assert_eq!(asked.at_launch_level, None, "it is by launches already");
        assert_eq!((asked.ruling.parts, asked.ruling.tests), (beside.parts, beside.tests), "{drift:?}");
    }
}
