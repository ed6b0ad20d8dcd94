//! The rules of the reports: which hypothesis judges each, and what those say that no other test here holds.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_list_of_rules_names_every_hypothesis_of_the_designs_and_its_kind_and_no_other() {
    let page = std::fs::read_to_string(root().join("tests/journals/README.md")).expect("the list is committed");
    let (mut listed, mut kinds) = (BTreeSet::new(), BTreeMap::new());
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", report, _, kind, hypotheses, ""] = cells[..] else { continue };
        for hypothesis in quoted(hypotheses) {
            let place = (report.to_owned(), hypothesis.to_owned());
            assert!(listed.insert(place.clone()), "{place:?} is listed twice");
            kinds.insert(place, quoted(kind).map(str::to_owned).collect::<Vec<_>>());
        }
    }
    let mut designed = BTreeSet::new();
    for design in designs() {
        for hypothesis in design.hypotheses {
            let place = (design.name.clone(), hypothesis.name);
            let kind = hypothesis.rule.kind();
            let told = kinds.get(&place).unwrap_or_else(|| panic!("{place:?} is not listed"));
            assert!(told.iter().any(|told| told == kind), "{place:?} is judged by {kind}, listed as {told:?}");
            designed.insert(place);
        }
    }
    assert_eq!(listed, designed, "what is listed, and what the designs hold");
}

/// Rules of the reports that no hypothesis judges, by the words of the list that gives the reason for each.
const NOT_JUDGED: [&str; 10] = [
    "TR126's phase 1 gate",
    "the status of raw rows",
    "crashes that are left out of statistics",
    "bootstrap intervals of cells",
    "Tukey's outliers",
    "mean ± 1.96 s/√N",
    "seeds 7/17/27",
    "Triton's versions against each other",
    "overall scores as means of tasks",
    "TR117's named operation",
];

#[test]
fn the_list_says_of_every_rule_without_a_hypothesis_why() {
    let page = std::fs::read_to_string(root().join("tests/journals/README.md")).expect("the list is committed");
    let (_, rest) = page.split_once("No hypothesis has: ").expect("they are listed");
    let (told, _) = rest.split_once("\n\n").expect("a paragraph");
    let told = told.replace('\n', " ");
    for rule in NOT_JUDGED {
        assert!(told.contains(rule), "{rule}");
    }
    // The reasons that can be checked: the audit holds that interval, and no column is a seed.
    let claims = std::fs::read_to_string(root().join("tests/claims/public.jsonl")).expect("the claims are committed");
    assert!(claims.lines().any(|claim| claim.contains("\"TR126-007\"") && claim.contains("1.96")));
    let columns = committed("treni").summaries().flat_map(|row| row.values.keys().cloned()).collect::<BTreeSet<_>>();
    assert!(!columns.is_empty() && !columns.iter().any(|column| column.contains("seed")), "{columns:?}");
}

fn as_it_stands(name: &str) -> PublishedVerdict {
    changed(name, |text| text, "no table", |text| text)
}

fn parts(ruling: &Ruling) -> Vec<&str> {
    ruling.parts.iter().map(|part| part.label.as_str()).collect()
}

#[test]
fn tr126s_equivalence_depends_on_its_margin_as_the_report_prints_it() {
    let verdict = as_it_stands("tr126");
    let [within, half, two] =
        ["tie-at-1.5b", "tie-at-1.5b-half-ms", "tie-at-1.5b-two-ms"].map(|name| ruling(&verdict, name));
    let p = |ruling: &Ruling| ruling.tests[1].p.expect("TOST has a p value").get();
    // SS9.2 prints p = .00096 at 1 ms and .118 at 0.5 ms, from means of more digits than its table's.
    assert!((0.0005..0.002).contains(&p(within)) && (0.1..0.13).contains(&p(half)), "{} {}", p(within), p(half));
    assert!(p(two) < 1e-6, "{}", p(two));
    assert!(half.settled_by.is_some_and(|values| values > 135), "{half:?}");
    // Three margins are one question: the plan's family holds its test of a difference once.
    assert_eq!(within.tests[0], half.tests[0]);
}

#[test]
fn tr126s_pairwise_family_stands_whole_and_falls_where_one_p_value_does() {
    let verdict = as_it_stands("tr126");
    let family = ruling(&verdict, "pairwise-comparisons");
    assert_eq!((family.label.as_str(), family.tests.len()), ("all_significant", 10));
    let weak = changed("tr126", |text| text, "tr126_p3_holm", |text| text.replace("0.00367", "0.0367"));
    let weak = ruling(&weak, "pairwise-comparisons");
    assert_eq!(weak.label, "all_significant", "the last of Holm's steps takes p as it is");
    let by = weak.parts.last().expect("the largest").reason.as_deref();
    assert_eq!(by, Some("by Holm, and not by Bonferroni"));
    let lost = changed("tr126", |text| text, "tr126_p3_holm", |text| text.replace("0.00367", "0.367"));
    assert_eq!(ruling(&lost, "pairwise-comparisons").label, "some_significant");
}

#[test]
fn effect_sizes_are_the_reports_own_and_say_what_is_significant_and_not_meaningful() {
    let verdict = as_it_stands("tr126");
    let phase_2 = ruling(&verdict, "phase-2-effect-sizes");
    assert_eq!(parts(phase_2), ["medium", "large", "medium"], "dynamic, padded and baseline");
    let compile = ruling(&verdict, "compile-effect-size");
    assert_eq!((compile.label.as_str(), compile.parts[0].numbers["d"]), ("large", -1.211_24), "9.4 prints -1.21");
    let ollama = ruling(&verdict, "ollama-effect-size");
    assert_eq!((ollama.standing, parts(ollama)), (Standing::Inconclusive, vec!["negligible"]));
    // Its interval reaches into what is small: the report says "significant but not meaningful", and its numbers do not.
    assert!(ollama.reasons[1].contains("may be small or negligible"), "{:?}", ollama.reasons);
    assert!(!ollama.reasons.iter().any(|it| it.contains("not meaningful")), "{:?}", ollama.reasons);
    let verdict = as_it_stands("tr147");
    let decode = ruling(&verdict, "decode-effect-sizes");
    assert_eq!(parts(decode), ["negligible"; 3]);
    // B.7: an MDE of 0.23 for 300 values a side.
    let detectable = decode.parts[0].numbers["detectable_d"];
    assert!((0.225..0.235).contains(&detectable), "{detectable}");
}

#[test]
fn a_model_without_new_kernels_was_not_compiled() {
    let verdict = as_it_stands("tr126");
    assert_eq!(parts(ruling(&verdict, "compile-is-real")), ["compiled"; 6]);
    let idle =
        changed("tr126", |text| text, "tr126_triton_kernels", |text| text.replace("\"delta\": 139", "\"delta\": 0"));
    assert_eq!(ruling(&idle, "compile-is-real").label, "mixed");
}

#[test]
fn identities_name_the_axis_that_differs() {
    let verdict = as_it_stands("tr147");
    let first = |name: &str| ruling(&verdict, name).reasons[0].clone();
    assert_eq!(first("identity-triton"), "torch is 2.6.x in A100 sweeps and 2.11.0+cu130 in dual probe");
    assert_eq!(
        ruling(&verdict, "identity-triton").reasons[1],
        "triton is 3.4.0 in A100 sweeps and 3.6.0 in dual probe"
    );
    assert!(first("identity-code").starts_with("code_sha is d2c5d8223f"), "{}", first("identity-code"));
    assert_eq!(first("identity-quantization"), "precision is AWQ-4bit in Ada and FP16 in A100");
    let verdict = as_it_stands("tr126");
    let environment = ruling(&verdict, "cross-phase-environment");
    assert_eq!(parts(environment), ["same", "different", "different"], "compile_mode, dynamic, new_tokens");
    // Were both commits one, nothing that is told would tell them apart, and five axes are not told.
    let one = changed("tr147", |text| text, "tr147_gptfast_dual", |text| text.replace("6ecad9b5b6", "d2c5d8223f"));
    assert_eq!(ruling(&one, "identity-code").standing, Standing::Inconclusive);
    let dense = changed("tr147", |text| text, "tr147_large_model", |text| text.replace("AWQ-4bit", "FP16"));
    assert_eq!(ruling(&dense, "identity-quantization").standing, Standing::Inconclusive);
    let alike = |text: String| text.replace("\"2.11.0+cu130\"", "\"2.6.x\"").replace("\"3.6.0\"", "\"3.4.0\"");
    let alike = changed("tr147", |text| text, "tr147_environment_manifest", alike);
    assert_eq!(ruling(&alike, "identity-triton").standing, Standing::Inconclusive);
}

#[test]
fn an_identity_whose_rows_are_chosen_by_what_they_state_is_refused() {
    let text = plan_text("tr147")
        .replace("host = [\"A100-SXM4\"] }, column = \"triton\"", "triton = [\"3.4.0\"] }, column = \"triton\"");
    let error = Design::parse("tr147", &text).expect_err("it could come out no other way").to_string();
    assert!(error.contains(".stated.triton: its rows are chosen by \"triton\""), "{error}");
}

#[test]
fn a_standardised_difference_carries_the_rounding_of_the_numbers_that_it_is_formed_from() {
    let verdict = as_it_stands("tr147");
    let decode = &ruling(&verdict, "decode-effect-sizes").parts[0].numbers;
    assert!(decode["d_rounding"] > 0.0, "{decode:?}");
    let size = |verdict: &PublishedVerdict| ruling(verdict, "compile-effect-size").parts[0].numbers["d_rounding"];
    // 8.20 +- 0.005 against 17.56 +- 0.005, deviations 6.37 and 8.88 +- 0.005: the difference of means may be 0.01 smaller and the
    // pooled deviation 0.005 larger, so that d moves by 0.01 / 7.72758 + 1.21125 x 0.00493 / 7.72758, nearly.
    let found = size(&as_it_stands("tr126"));
    assert!((found - 0.002_07).abs() < 2e-5, "{found}");
}

#[test]
fn tr147s_own_guard_takes_a_mean_that_it_counts_as_work() {
    let verdict = as_it_stands("tr147");
    let guard = ruling(&verdict, "decode-guard");
    let below: Vec<&str> =
        guard.parts.iter().filter(|part| part.label == "fell_through").map(|part| part.key["model"].as_str()).collect();
    assert_eq!((guard.label.as_str(), below), ("mixed", vec!["gpt2-100m"]), "0.984 ms over 60 rows");
    let rates = ruling(&verdict, "crash-rates");
    assert_eq!(rates.parts.iter().filter(|part| part.label == "production_safe").count(), 8, "one token, and AWQ");
}

#[test]
fn trenis_own_remarks_take_runs_back_and_leave_the_rest_unproven() {
    let verdict = as_it_stands("treni");
    assert_eq!(parts(ruling(&verdict, "same-vm-runs")), ["withdrawn", "unproven"]);
    let runs = ruling(&verdict, "uncertainty-runs");
    assert_eq!(parts(runs), ["unproven", "withdrawn", "unproven", "unproven", "unproven"]);
    let revert = ruling(&verdict, "ffn-proj-revert");
    assert_eq!(revert.label, "revert");
    let better = changed(
        "treni",
        |text| text,
        "treni_foundation_drift",
        |text| text.replace("1.317", "-1.317").replace("3.117", "-3.117").replace("1.112", "-1.112"),
    );
    assert_eq!(ruling(&better, "ffn-proj-revert").label, "inconclusive");
}

#[test]
fn what_the_reports_judged_and_did_not_print_is_invalid_by_name() {
    for (report, hypothesis, table) in [
        ("tr126", "weight-parity", "tr126_weight_parity"),
        ("tr147", "compile-family", "tr147_compile_family"),
        ("treni", "token-parity", "treni_completion_tokens"),
    ] {
        let verdict = as_it_stands(report);
        let ruling = ruling(&verdict, hypothesis);
        assert_eq!(ruling.standing, Standing::Invalid);
        assert!(ruling.reasons[0].starts_with(&format!("no table {table} was imported")), "{:?}", ruling.reasons);
    }
}

#[test]
fn a_shape_that_ran_through_without_a_token_is_contradictory() {
    let silent = with_cell("tr165_hang_ledger", "\"completion_tokens\": 98304", "\"completion_tokens\": 0");
    assert_eq!(ruling(&silent, "hang-ledger").label, "contradictory");
}

#[test]
fn trenis_routing_wins_nothing_and_its_reruns_count_where_both_sides_shared_a_window() {
    let parts = |ruling: &Ruling| ruling.parts.iter().map(|part| part.label.clone()).collect::<Vec<_>>();
    let verdict = changed("treni", |text| text, "no table", |text| text);
    let routing = ruling(&verdict, "commercial-routing");
    assert_eq!(
        parts(routing),
        ["could_not_tell", "no_tool_parity", "could_not_tell"],
        "as the report, which claims none"
    );
    let profiles = routing.reasons.last().expect("a reason");
    assert!(profiles.contains("both ways (ratios 0.879 to 1.236); a share of 0.1667"), "{profiles}");
    // Were OpenRouter's difference clear of 0, its direction would not count.
    let clear = |text: String| text.replace("\"ci_lo\": -148.517", "\"ci_lo\": 148.517");
    let clear = changed("treni", |text| text, "treni_commercial_ci", clear);
    assert_eq!(parts(ruling(&clear, "commercial-routing"))[2], "non_canonical");
    assert_eq!(parts(ruling(&verdict, "ffn-proj-same-window")), ["worse", "better", "worse"], "mixed by its tail");
    let linear = ruling(&verdict, "linear-fast-same-window");
    assert_eq!(parts(linear), ["not_comparable", "better", "not_comparable"], "cold, mixed, warm");
}
