//! The launch is the unit of replication of every count and number that a rule takes from measured rows.

use super::row_rules::{CRASHES, Fate, ROWS, crashing, fixture, judged, plan, ruling, whole};
use super::*;
use crate::verdict::measured_tables::is_counted;

#[test]
fn one_failed_attempt_makes_a_failed_launch_and_many_make_no_more() {
    let rows = |crashes: &str| {
        format!(
            "[[hypothesis]]\nname = \"rescue\"\n[hypothesis.rule]\nkind = \"static_cache_rescue\"\nmodel = \"workload\"\n\
             hosts.here = {{ table = \"cells\", where = {{ lane = [\"same\"], new_tokens = [8] }} }}\n\
             growing.here = {{ table = \"cells\", where = {{ lane = [\"other\"], new_tokens = [8] }} }}\n\
             crashes = \"{crashes}\"\nn = \"attempts\"\nmax_rate = 0.35\n"
        )
    };
    // All ten attempts of three of the eight launches.
    let thrice: Fate = |lane, cell, block| ((lane, cell) == ("other", 0) && block < 3).then_some(Outcome::FellBack);
    let counted = |crashes: &str| {
        let verdict = whole(&rows(crashes).replace("\"same\"", "\"other\""), thrice);
        ["crashes", "trials", "of_attempts", "attempts"].map(|name| ruling(&verdict).parts[0].numbers[name])
    };
    for crashes in ["failed", "failed_launches", "failure_rate", "fell_back", "fall_back_rate", "fell_back_launches"] {
        assert_eq!(counted(crashes), [3.0, 8.0, 30.0, 80.0], "{crashes}");
    }
    assert_eq!(counted("ok"), [5.0, 8.0, 50.0, 80.0]);
    // Three of eight launches that crashed before leave a rate as low as 0.11, which is no more than 0.35.
    assert_eq!(ruling(&whole(&rows("failed"), thrice)).label, "inconclusive");
    let always: Fate = |lane, cell, _| ((lane, cell) == ("other", 0)).then_some(Outcome::FellBack);
    assert_eq!(ruling(&whole(&rows("failed"), always)).label, "rescued");
    let attempts = BTreeMap::from([(Outcome::Ok, 9), (Outcome::FellBack, 1), (Outcome::Refused, 1)]);
    let all = ["attempted", "failed", "fell_back", "ok", "crashed", "hung"];
    let counted = all.map(|what| is_counted(&format!("{what}_launches"), &attempts));
    assert_eq!(counted, [true, true, true, false, false, false]);
    let refused = BTreeMap::from([(Outcome::Refused, 2)]);
    assert!(!is_counted("attempted_launches", &refused) && !is_counted("ok_launches", &refused));
}

#[test]
fn a_plan_that_counts_what_no_launches_are_counted_of_is_refused_by_line_and_key() {
    let refused = |text: &str| {
        let workload = "[[workload]]\nname = \"d\"\nprompt = [1]\nnew_tokens = 2\nphases = [\"kv_decode\"]\n";
        Plan::parse("rows.toml", &format!("{ROWS}{workload}{text}")).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&CRASHES.replace("n = \"attempts\"", "n = \"planned\"")),
        "rows.toml:40: hypothesis[0].rule.n: \"planned\" has no count of launches, which are the unit of replication; name one \
         of attempted_launches, attempts"
    );
    let text = refused(&CRASHES.replace("\"crashed\"", "\"refused\""));
    assert!(text.contains("rule.crashes: \"refused\" has no count of launches"), "{text}");
    assert!(text.contains("crashed_launches, crashed, crash_rate"), "{text}");
    let ladder = "[[hypothesis]]\nname = \"l\"\n[hypothesis.rule]\nkind = \"falsification_ladder\"\npreconditions = []\n\
                  efficiencies = { rows = { table = \"agent_scaling\" }, key = [\"cell\"], \
                  baseline = \"base.parallel_efficiency\", candidate = \"same.parallel_efficiency\" }\n\
                  min_combinations = 2\nmin_hang_shapes = 0\nimprovement_above = 5.0\nimprovement_unit = \"pp\"\n\
                  null_margin_pp = 3.0\nnull = ";
    let text = refused(&format!("{ladder}\"within_margin\"\n"));
    assert!(
        text.starts_with("rows.toml:") && text.contains(": hypothesis[0].rule.null: `within_margin` tests over"),
        "{text}"
    );
    assert!(text.contains("use `mean_not_above_zero`"), "{text}");
    let asked = format!("{ladder}\"mean_not_above_zero\"\n");
    plan(&asked);
    let text = refused(&asked.replace("same.parallel_efficiency", "same.decode_tps"));
    assert!(text.contains("rule.efficiencies.candidate: of \"same.decode_tps\" it is not known"), "{text}");
    assert!(text.contains("name LANE.parallel_efficiency"), "{text}");
}

#[test]
fn rules_that_take_printed_numbers_as_they_stand_are_refused_over_the_rows_of_a_run() {
    let of = "rows = { table = \"cells\" }\nkey = [\"cell\"]\n";
    let rules = [
        (
            "ranking",
            "rows = { table = \"cells\" }\ncandidate = \"lane\"\ncandidates = [\"base\", \"same\"]\n\
             unit = \"workload\"\nmean = \"mean_ms\"\nn = \"launches\"\n"
                .to_owned(),
        ),
        (
            "consistency",
            format!("{of}left = \"mean_ms\"\nright = \"sd_ms\"\nconsistent_pct = 5.0\nacceptable_pct = 25.0\n"),
        ),
        ("ladder_of_bands", format!("{of}value = \"mean_ms\"\nlowest = \"quick\"\nabove = {{ slow = 60.0 }}\n")),
        ("score_and_latency", format!("{of}scores = [\"ok\", \"attempts\"]\nlatencies = [\"mean_ms\", \"sd_ms\"]\n")),
        (
            "same_window_rerun",
            "rerun = { table = \"cells\" }\nkey = [\"cell\"]\nnear_flat = { mean_ms = 1.0 }\n".to_owned(),
        ),
        (
            "cold_start",
            "startup = \"ms\"\nfirst_request = \"ms\"\ntotal = \"ms\"\nresolution_ms = 1.0\npower = 0.8\n\
             launch = \"launch\"\nlanes.base = { table = \"launches\", where = { lane = [\"base\"] } }\n\
             lanes.same = { table = \"launches\", where = { lane = [\"same\"] } }\n"
                .to_owned(),
        ),
    ];
    let workload = "[[workload]]\nname = \"d\"\nprompt = [1]\nnew_tokens = 2\nphases = [\"kv_decode\"]\n";
    for (kind, keys) in rules {
        let text =
            format!("{ROWS}{workload}[[hypothesis]]\nname = \"p\"\n[hypothesis.rule]\nkind = \"{kind}\"\n{keys}");
        let refused = Plan::parse("rows.toml", &text).unwrap_err().to_string();
        let told = format!("rows.toml:34: hypothesis[0].rule.kind: `{kind}` takes printed numbers as they stand");
        assert!(refused.starts_with(&told), "{refused}");
    }
}

#[test]
fn numbers_that_are_held_against_a_limit_as_they_stand_are_of_three_launches_at_least() {
    let text = "[[hypothesis]]\nname = \"s\"\n[hypothesis.rule]\nkind = \"stated_differences\"\nkey = [\"cell\"]\n\
                rows = { table = \"cells\", where = { lane = [\"base\"] } }\nleft = \"failed\"\nright = \"ok\"\nat_least = 0.0\n";
    let unfinished = Fixture { sealed: false, ..fixture() };
    let of = |text: &str, launches: u32| {
        let verdict = judged(&plan(text), &unfinished, crashing, std::slice::from_ref(&(0..launches)));
        (ruling(&verdict).label.clone(), ruling(&verdict).settled_by)
    };
    assert_eq!(of(text, 3), ("met".to_owned(), None));
    assert_eq!(of(text, 2), ("inconclusive".to_owned(), Some(3)));
    let of_one = text
        .replace("{ table = \"cells\", where = {", "{ table = \"launches\", where = { launch = [1],")
        .replace("\"failed\"", "\"ms\"")
        .replace("\"ok\"", "\"ms\"")
        .replace("\"base\"", "\"base\", \"same\", \"other\"");
    assert_eq!(of(&of_one, 8), ("inconclusive".to_owned(), Some(3)), "a launch's own row is of one launch");
}

#[test]
fn the_means_of_two_lanes_are_similar_or_shifted_where_three_launches_of_either_say_so() {
    let text = |lane: &str| {
        format!(
            "[[hypothesis]]\nname = \"port\"\n[hypothesis.rule]\nkind = \"portability\"\nkey = [\"workload\"]\n\
             crashes = \"failed\"\nn = \"attempts\"\nmean = \"mean_ms\"\nok_rate = 0.48\ncrash_rate = 0.52\nsimilar_pct = 5.0\n\
             sides = [\n{{ host = \"one\", rows = {{ table = \"cells\", where = {{ lane = [\"base\"], new_tokens = [8] }} }} }},\n\
             {{ host = \"two\", rows = {{ table = \"cells\", where = {{ lane = [\"{lane}\"], new_tokens = [8] }} }} }},\n]\n"
        )
    };
    let of = |lane: &str, launches: u32| {
        let unfinished = Fixture { sealed: false, ..fixture() };
        let verdict = judged(&plan(&text(lane)), &unfinished, |_, _, _| None, std::slice::from_ref(&(0..launches)));
        let ruling = ruling(&verdict).clone();
        (ruling.parts[0].label.clone(), ruling.parts[0].reason.clone().unwrap(), ruling.tests.len())
    };
    let (label, _, tests) = of("same", 8);
    assert_eq!((label.as_str(), tests), ("portable_similar_latency", 3));
    assert_eq!(of("other", 8).0, "portable_latency_shift");
    for lane in ["same", "other"] {
        let (label, why, _) = of(lane, 2);
        assert_eq!(label, "portable_latency_inconclusive", "{lane}");
        assert!(why.contains("fewer than 3") || why.contains("at least 3"), "{why}");
    }
}

#[test]
fn the_places_of_an_axis_are_tests_of_the_plan_and_a_question_that_is_asked_twice_counts_once() {
    let again = |cut: &str| {
        let other = CRASHES.replace("name = \"crashes\"", "name = \"again\"").replace("cut = 0.5", cut);
        let verdict = whole(&format!("{CRASHES}{other}"), crashing);
        let tests = &ruling(&verdict).tests;
        tests.iter().map(|test| test.test.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(again("cut = 0.5"), ["4"; 4]);
    assert_eq!(again("cut = 0.4"), ["8"; 4]);
}

/// A cell that crashes in each launch has been covered by as many, where the plan needs no row to be ok.
#[test]
fn a_plan_that_takes_failures_counts_the_launches_that_tried_a_cell_as_its_coverage() {
    let fate: Fate = |lane, cell, _| (lane == "other" && cell == 0).then_some(Outcome::Crashed);
    let gaps = |min_ok_share: f64, launches: u32| {
        let plan = plan(CRASHES);
        let coverage = crate::plan::Coverage { min_ok_share, min_launches: 3 };
        let plan = Plan { coverage, ..plan };
        let unfinished = Fixture { sealed: false, ..fixture() };
        let verdict = judged(&plan, &unfinished, fate, std::slice::from_ref(&(0..launches)));
        let of_other = verdict.coverage_gaps.into_iter().filter(|gap| gap.lane == "other" && gap.cell.is_some());
        of_other.map(|gap| gap.message).collect::<Vec<_>>()
    };
    let crashed = gaps(0.1, 8);
    assert_eq!(crashed.len(), 1, "{crashed:?}");
    assert!(crashed[0].ends_with("0 launches in segments of at least two gave an ok row, floor 3"), "{crashed:?}");
    assert_eq!(gaps(0.0, 8), [""; 0]);
    let few = gaps(0.0, 2);
    assert!(
        !few.is_empty() && few.iter().all(|gap| gap.ends_with("2 blocks of launches tried it, floor 3")),
        "{few:?}"
    );
}
