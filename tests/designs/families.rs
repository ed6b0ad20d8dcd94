//! The family of a plan: every test of every hypothesis makes each of them harder, however the plan writes them down.

use lockstep::import::Kind;
use lockstep::journal::Journal;
use lockstep::plan::Design;
use lockstep::verdict::rules::{Ruling, Standing};
use serde_json::{Value, json};

use crate::{design, imported, rulings, table};

/// Six models, of which each side prints mean, deviation and count. Welch's t is 2.2627 at 30 degrees of freedom for each.
fn six() -> Value {
    let row = |side: &str, model: usize, ms: f64| json!({ "side": side, "model": format!("m{model}"), "ms": ms, "sd": 1.0, "n": 16, "cv": 1.0 / ms, "none": 0 });
    let both = (1..=6).flat_map(|model| [row("a", model, 100.0), row("b", model, 100.8)]);
    Value::Array(both.collect())
}

/// Gains of twelve combinations in percentage points, around 5.35.
fn gains() -> Value {
    let row = |at: u32| {
        let gain = if at.is_multiple_of(2) { 6.0 } else { 4.0 } + f64::from(at / 2 + 1) / 10.0;
        json!({ "combination": format!("c{at}"), "before": 40.0, "after": 40.0 + gain })
    };
    Value::Array((0..12).map(row).collect())
}

fn side(side: &str, model: Option<usize>) -> String {
    let only = model.map_or_else(String::new, |model| format!(", model = [\"m{model}\"]"));
    format!(
        "{{ rows = {{ table = \"means\", where = {{ side = [\"{side}\"]{only} }} }}, mean = \"ms\", sd = \"sd\", n = \"n\" }}"
    )
}

fn contrast(model: usize) -> String {
    let [left, right] = ["a", "b"].map(|name| side(name, Some(model)));
    format!("kind = \"mean_contrast\"\nleft = {left}\nright = {right}\nmargin = 0.1\npower = 0.8")
}

fn matched(models: &str) -> String {
    let only = |name: &str| side(name, None).replace("\"] }", &format!("\"]{models} }}"));
    let (baseline, candidate) = (only("a"), only("b"));
    format!(
        "kind = \"matched_contrasts\"\nkey = [\"model\"]\nbaseline = {baseline}\ncandidate = {candidate}\n\
         margin_pct = 0.1\npower = 0.8"
    )
}

fn journal(design: &Design) -> Journal {
    imported(design, Kind::Table, &[table("means", "ms", &six()), table("gains", "percent", &gains())])
}

fn judged(rules: &[String]) -> Vec<Ruling> {
    let design = design("", &rules.iter().map(String::as_str).collect::<Vec<_>>());
    rulings(&design, &journal(&design))
}

/// Unadjusted and adjusted p of every test for a difference.
fn p_of(ruling: &Ruling) -> Vec<(f64, f64)> {
    let of_differences = ruling.tests.iter().filter(|test| !test.test.starts_with("TOST"));
    of_differences.filter_map(|test| Some((test.p?.get(), test.p_adjusted?.get()))).collect()
}

#[test]
fn six_contrasts_come_out_alike_as_six_hypotheses_and_as_one() {
    let alone = judged(&[contrast(1)]).remove(0);
    assert_eq!((alone.label.as_str(), p_of(&alone).len()), ("higher", 1));
    let p = alone.tests[0].p.expect("a p").get();
    // scipy.stats.ttest_ind_from_stats(100.8, 1, 16, 100, 1, 16, equal_var=False).pvalue
    assert!((p - 0.031_051_5).abs() < 1e-5, "{p}");
    let apart = judged(&(1..=6).map(contrast).collect::<Vec<_>>());
    let together = judged(&[matched("")]).remove(0);
    let parts: Vec<&str> =
        together.parts.iter().filter(|part| part.key["unit"] == "iteration").map(|part| part.label.as_str()).collect();
    assert_eq!(parts, ["could_not_tell"; 6]);
    let expected = p_of(&together);
    assert_eq!(expected.len(), 6);
    for (one, expected) in apart.iter().zip(expected) {
        assert_eq!(one.standing, Standing::Inconclusive, "{one:?}");
        assert_eq!(p_of(one), [expected]);
        assert!((expected.1 - 6.0 * expected.0).abs() < 1e-6, "{expected:?}");
        assert!(one.settled_by.is_some_and(|launches| launches > 16), "{one:?}");
    }
}

#[test]
fn contrasts_of_several_kinds_are_one_family() {
    let mixed = judged(&[contrast(1), contrast(2), matched(", model = [\"m3\", \"m4\", \"m5\", \"m6\"]")]);
    let all: Vec<(f64, f64)> = mixed.iter().flat_map(p_of).collect();
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|(p, adjusted)| (adjusted - 6.0 * p).abs() < 1e-6), "{all:?}");
    assert!(mixed.iter().all(|ruling| ruling.standing == Standing::Inconclusive), "{mixed:?}");
}

#[test]
fn phases_are_of_the_same_family() {
    let phases = "kind = \"phase_separation\"\nphase = \"model\"\nmargin_pp = 0.1\npower = 0.8\n";
    let two = |name: &str| side(name, None).replace("\"] }", "\"], model = [\"m5\", \"m6\"] }");
    let phases = format!("{phases}baseline = {}\ncandidate = {}", two("a"), two("b"));
    let ruled = judged(&[contrast(1), phases]);
    // The two phases do not differ at all (p = 1), so that the contrast's p counts twice.
    let [(p, adjusted)] = p_of(&ruled[0])[..] else { panic!("one test: {:?}", ruled[0]) };
    assert!((adjusted - 2.0 * p).abs() < 1e-6, "{p} {adjusted}");
}

/// Slower by 0.8 %; the edge lies 0.75 % below that, 2.1213 standard errors at 30 degrees of freedom.
fn band(model: usize) -> String {
    let [baseline, candidate] = ["a", "b"].map(|name| side(name, Some(model)));
    format!(
        "kind = \"effect_band\"\nphase = \"prefill\"\nbaseline = {baseline}\ncandidate = {candidate}\nneutral_pct = 0.05\npower = 0.8"
    )
}

#[test]
fn bands_are_of_the_same_family() {
    let alone = judged(&[band(1)]).remove(0);
    let [(p, adjusted)] = p_of(&alone)[..] else { panic!("one test: {alone:?}") };
    // 2 * scipy.stats.t.sf(0.75 / 0.125**0.5, 30)
    assert!((p - 0.042_28).abs() < 1e-4 && adjusted == p, "{p} {adjusted}");
    assert_eq!(alone.label, "regression");
    let many = judged(&(1..=6).map(band).collect::<Vec<_>>());
    assert!(many.iter().all(|ruling| ruling.standing == Standing::Inconclusive), "{many:?}");
    assert!(many[0].reasons[0].contains("of 6 tests in the plan's family"), "{:?}", many[0].reasons);
    let beside = judged(&[contrast(1), band(2)]);
    assert!((p_of(&beside[0])[0].1 - 2.0 * p_of(&beside[0])[0].0).abs() < 1e-6, "{beside:?}");
}

/// The difference of the first model in a rule of another kind, beside a contrast of the second.
fn beside(kind: &str) -> Vec<Ruling> {
    judged(&[kind.to_owned(), contrast(2)])
}

#[test]
fn gains_targets_losses_and_tested_ladders_are_of_the_same_family() {
    let [baseline, candidate] = ["b", "a"].map(|name| side(name, Some(1)));
    // The candidate is faster by 0.79 %; the target lies 0.75 % below that.
    let gain = format!(
        "kind = \"gain_replication\"\nmodel = \"model\"\nbaseline = {baseline}\ncandidate = {candidate}\n\
         gain_pct = 0.04\nmodels_needed = 1\npower = 0.8"
    );
    let row = |side: &str| format!("{{ table = \"means\", where = {{ side = [\"{side}\"], model = [\"m1\"] }} }}");
    let target = format!(
        "kind = \"reproduction\"\nrows = {}\nvalue = \"ms\"\ncv = \"cv\"\nsurvived = \"n\"\ncrashed = \"none\"\n\
         target = 100.0\nbands = {{ low = 0.0, match = 99.4 }}\npower = 0.8",
        row("a")
    );
    let loss = "kind = \"compile_robustness\"\nrows = { table = \"means\", where = { model = [\"m1\"] } }\nstack = \"side\"\n\
                performance = \"ms\"\nperformance_is = \"time\"\ncv = \"cv\"\nsurvived = \"n\"\ntried = \"n\"\n\
                robust_pct = 2.1\nsensitive_pct = 20.0\nfragile_pct = 50.0";
    let ladder = "kind = \"falsification_ladder\"\nefficiencies = { rows = { table = \"gains\" }, key = [\"combination\"], baseline = \"before\", candidate = \"after\" }\n\
                  preconditions = []\nmin_combinations = 2\nmin_hang_shapes = 0\nimprovement_above = 5.0\nimprovement_unit = \"pp\"\n\
                  null = \"within_margin\"\nnull_margin_pp = 0.1";
    // 0 of 16: 0.8^16 = 0.0281.
    let rescue = "kind = \"static_cache_rescue\"\nmodel = \"model\"\ncrashes = \"none\"\nn = \"n\"\nmax_rate = 0.2\n\
                  hosts.here = { table = \"means\", where = { side = [\"a\"], model = [\"m1\"] } }";
    let kinds = [(gain.as_str(), "replicated"), (&target, "match"), (loss, "robust"), (ladder, "H2_partial")];
    for (kind, decided) in kinds.into_iter().chain([(rescue, "rescued")]) {
        let alone = judged(&[kind.to_owned()]).remove(0);
        assert_eq!(alone.label, decided, "{alone:?}");
        let [(p, adjusted)] = p_of(&alone)[..] else { panic!("one test in the family: {alone:?}") };
        assert!(p == adjusted && p < 0.05, "{p} {adjusted}");
        let both = beside(kind);
        // The smaller of the two counts twice, and the larger once, but no less than that.
        let (own, other) = (p_of(&both[0])[0], p_of(&both[1])[0]);
        let least = 2.0 * own.0.min(other.0);
        for (p, adjusted) in [own, other] {
            let wanted = if p <= own.0.min(other.0) { least } else { p.max(least) };
            assert!((adjusted - wanted).abs() < 1e-5, "{kind}: {p} {adjusted}, {wanted} is wanted");
        }
        let crowd = judged(&[vec![kind.to_owned()], (2..=6).map(contrast).collect()].concat());
        assert!(crowd[0].tests.iter().any(|test| test.test.ends_with("Holm over 6")), "{:?}", crowd[0].tests);
    }
}

#[test]
fn places_along_an_axis_are_of_the_same_family() {
    // Two places without a crash in 16 trials each: 0.8^16 = 0.0281 at either, which is no test at the level that both intervals
    // share, and 0.7^16 = 0.0033, which is.
    let along = |cut: f64| {
        format!(
            "kind = \"crash_boundary\"\nrows = {{ table = \"means\", where = {{ model = [\"m1\"] }} }}\nat = \"ms\"\n\
             crashes = \"none\"\nn = \"n\"\ncut = {cut}"
        )
    };
    let three = judged(&[along(0.3), contrast(2)]);
    assert_eq!(three[0].label, "none_within_range", "{:?}", three[0]);
    let sizes = |ruling: &Ruling| ruling.tests.iter().filter(|test| test.test.ends_with(" over 3")).count();
    assert_eq!([sizes(&three[0]), sizes(&three[1])], [2, 2]);
    let crowd = judged(&[vec![along(0.3)], (2..=6).map(contrast).collect(), (1..=6).map(band).collect()].concat());
    assert_eq!((crowd[0].standing, crowd[0].parts[0].label.as_str()), (Standing::Decided, "free"));
    let near = judged(&[vec![along(0.24)], (2..=6).map(contrast).collect(), (1..=6).map(band).collect()].concat());
    assert_eq!((near[0].standing, near[0].parts[0].label.as_str()), (Standing::Inconclusive, "open"), "{:?}", near[0]);
    assert_eq!(judged(&[along(0.24)])[0].label, "none_within_range");
    assert!(near[0].parts[0].reason.as_ref().is_some_and(|why| why.contains("of 13 tests")), "{:?}", near[0]);
}

#[test]
fn a_question_that_two_rules_ask_counts_once() {
    let again = contrast(1).replace("margin = 0.1", "margin = 0.2");
    let [once, twice] = [judged(&[contrast(1), contrast(2)]), judged(&[contrast(1), contrast(2), again])];
    assert_eq!([p_of(&twice[0]), p_of(&twice[1])], [p_of(&once[0]), p_of(&once[1])]);
    assert_eq!(p_of(&twice[2]), p_of(&once[0]));
    let wider = band(1).replace("0.05", "0.04");
    assert_ne!(p_of(&judged(&[band(1), wider])[0]), p_of(&judged(&[band(1)])[0]), "other edges are another question");
}
