//! Two lanes compared on time: what the numbers mean, and what a hypothesis lists of what it rests on.

use super::*;

#[test]
fn segments_are_pooled_and_never_compared_across() {
    let fixture = Fixture {
        // The second host is twice as slow. Compared across segments, that would drown every difference.
        ms: |lane, cell, block| quiet(lane, cell, block) * if block >= 3 { 2.0 } else { 1.0 },
        ..Fixture::default()
    };
    let journal = fixture.journal_in_segments(&[0..3, 3..6]);
    let verdict = judge(&Fixture::plan(), &journal).unwrap();
    assert_eq!(finding(&verdict, "a-a"), Finding::Equivalent, "{:#?}", verdict.hypotheses[1]);
    assert_eq!(finding(&verdict, "effect"), Finding::Faster);
    let across = judge(&Fixture::plan(), &fixture.journal()).unwrap();
    assert_eq!(finding(&across, "a-a"), Finding::CouldNotTell, "the same rows in one segment should have been noise");
    assert_eq!(verdict.journal.segments.len(), 2);
}

/// The plan's effect, asked of both lanes in turn as baseline.
const TURNED: &str = r#"
[[hypothesis]]
name = "turned"
kind = "contrast"
baseline = "other"
candidate = "base"
phases = ["kv_decode"]
"#;

fn judged(hypotheses: &str, segments: &[std::ops::Range<u32>]) -> Verdict {
    let plan = Plan::parse("fixture.toml", &format!("{PLAN}{hypotheses}")).unwrap();
    // The two lanes scatter apart from each other.
    let ms = |lane: &str, cell, block: u32| quiet(lane, cell, if lane == "other" { 5 * block + 2 } else { block });
    judge(&plan, &Fixture { ms, ..Fixture::default() }.journal_of(&plan, segments)).unwrap()
}

fn hypothesis<'a>(verdict: &'a Verdict, name: &str) -> &'a HypothesisVerdict {
    verdict.hypotheses.iter().find(|hypothesis| hypothesis.name == name).unwrap()
}

#[test]
fn a_ratio_is_as_sure_as_its_inverse() {
    let verdict = judged(TURNED, std::slice::from_ref(&(0..6)));
    // Reach of the interval in percent of the candidate's own mean: with the baseline's error left out, half as fast and
    // twice as slow would not agree.
    let reach = |name: &str| {
        let cell = &hypothesis(&verdict, name).cells[0];
        let ([low, high], difference) = (cell.interval_pct.unwrap(), cell.difference_pct.unwrap());
        ((high - low) / 2.0 / (100.0 + difference), cell.p.unwrap())
    };
    let ((half, p), (twice, p_turned)) = (reach("effect"), reach("turned"));
    // A verdict's numbers have six digits.
    assert!((half / twice - 1.0).abs() < 5e-4, "{half} {twice}");
    assert_eq!(p, p_turned, "whether there is a difference is one question");
}

#[test]
fn what_would_be_detected_is_what_the_test_of_no_difference_finds() {
    let verdict = judged(TURNED, std::slice::from_ref(&(0..6)));
    let mde_ms = |name: &str| {
        let cell = &hypothesis(&verdict, name).cells[0];
        cell.mde_pct.unwrap() * cell.mean_ms[0]
    };
    assert!((mde_ms("effect") / mde_ms("turned") - 1.0).abs() < 1e-4, "one test, one smallest difference");
}

#[test]
fn a_contrast_is_equivalent_by_its_p_among_all_that_the_plan_may_find_so() {
    let found = |margin_pct: f64| {
        let alike = format!(
            "\n[[hypothesis]]\nname = \"alike\"\nkind = \"contrast\"\nbaseline = \"base\"\ncandidate = \"same\"\n\
             phases = [\"kv_decode\"]\nmargin_pct = {margin_pct}\n"
        );
        let verdict = judged(&alike, std::slice::from_ref(&(0..6)));
        let alike = hypothesis(&verdict, "alike");
        let [p, adjusted] = [alike.cells[0].p_tost, alike.cells[0].p_tost_adjusted].map(|p| p.unwrap().get());
        assert!((adjusted - (3.0 * p).min(1.0)).abs() < 1e-4, "{p} {adjusted}");
        (alike.finding == Finding::Equivalent, p, alike.reasons.join("; "))
    };
    let (mut only_alone, mut among_three) = (0, 0);
    for step in 1..100 {
        let (equivalent, p, reasons) = found(0.01 * f64::from(step));
        assert_eq!(equivalent, 3.0 * p < 0.05, "the effect, its other phase and this one: {p}, {reasons}");
        let told = reasons.contains("1 cell is equivalent alone");
        assert_eq!(told, !equivalent && p < 0.05, "{p}, {reasons}");
        only_alone += usize::from(told);
        among_three += usize::from(equivalent);
    }
    assert!(only_alone > 0 && among_three > 0, "{only_alone} {among_three}");
}

#[test]
fn phases_that_gain_alike_need_not_be_apart_and_those_of_which_it_is_not_known_are_left_open() {
    let of = |ms: fn(&str, usize, u32) -> f64| {
        let verdict = Fixture { ms, ..Fixture::default() }.verdict();
        let apart = hypothesis(&verdict, "apart");
        (apart.finding, apart.cells.iter().map(|cell| cell.finding).collect::<Vec<_>>(), apart.reasons.join("; "))
    };
    let both = vec![Finding::Faster; 2];
    let alike = of(|lane, _, block| quiet("base", 0, block) * if lane == "other" { 0.9 } else { 1.0 });
    assert_eq!((alike.0, &alike.1), (Finding::NotRequired, &both), "{}", alike.2);
    let far = of(|lane, cell, block| quiet("base", 0, block) * if lane == "other" { [0.9, 0.8][cell] } else { 1.0 });
    assert_eq!((far.0, &far.1), (Finding::Required, &both), "{}", far.2);
    // Both are surely faster, and whether by 40 or by 45 % the launches do not tell.
    let scattered = of(|lane, cell, block| {
        let jitter = 12.0 * (quiet("base", 0, block) - 10.0);
        (10.0 + jitter) * if lane == "other" { [0.6, 0.55][cell] } else { 1.0 }
    });
    assert_eq!((scattered.0, &scattered.1), (Finding::CouldNotTell, &both), "{}", scattered.2);
}

fn tests(hypothesis: &HypothesisVerdict) -> Vec<&str> {
    hypothesis.tests.iter().map(|test| test.test.as_str()).collect()
}

fn thresholds(hypothesis: &HypothesisVerdict) -> Vec<(&str, f64, &str)> {
    hypothesis.thresholds.iter().map(|it| (it.name.as_str(), it.value, it.unit.as_str())).collect()
}

#[test]
fn a_contrast_lists_its_rows_its_tests_and_what_they_were_held_against() {
    let verdict = judged("", std::slice::from_ref(&(0..6)));
    let [prefill, decode] = [0, 1].map(|at| verdict.cells[at].cell.to_string());
    let effect = hypothesis(&verdict, "effect");
    assert_eq!(effect.rests_on, [format!("{decode} base"), format!("{decode} other")]);
    let order = "Welch t, by which lane went first in a block, in each cell, Holm over 4";
    assert_eq!(
        tests(effect),
        [
            "Welch t, other minus base in each cell, Holm over 2",
            "TOST within ±3 % of the baseline's mean, in each cell, Bonferroni over 2",
            order
        ]
    );
    let expected = [
        ("margin", 3.0, "%"),
        ("alpha", 0.05, "share"),
        ("power", 0.8, "share"),
        ("min_launches", 3.0, "launches"),
        ("min_ok_share", 0.9, "share"),
    ];
    assert_eq!(thresholds(effect), expected);
    let control = hypothesis(&verdict, "a-a");
    assert_eq!(control.rests_on.len(), 4);
    assert!(control.rests_on.contains(&format!("{prefill} same")), "{:?}", control.rests_on);
    assert_eq!(tests(control)[0], "Welch t, same minus base in each cell, Holm over 2", "of the controls");
    let apart = hypothesis(&verdict, "apart");
    assert_eq!(
        tests(apart)[3],
        "confidence intervals of two phases, 2 held together (Bonferroni), further apart than 3 percentage points or within them"
    );
    let two = judged("", &[0..3, 3..6]);
    assert!(tests(hypothesis(&two, "effect")).contains(&"Welch F, agreement of 2 segments, in each cell"));
}

#[test]
fn a_comparison_of_tokens_lists_the_outputs_that_were_seen() {
    let tokens = |fixture: &Fixture| fixture.verdict().hypotheses.remove(0);
    let all = tokens(&Fixture::default());
    assert_eq!((all.rests_on.len(), thresholds(&all)), (6, vec![("distinct_outputs", 1.0, "count")]));
    assert_eq!(tests(&all), ["SHA-256 of the output tokens, the same in every lane and row of a cell"]);
    let absent = tokens(&Fixture { other: LaneState::Skipped, ..Fixture::default() });
    assert_eq!(absent.rests_on.len(), 4);
    assert!(absent.rests_on.iter().all(|row| row.ends_with(" base") || row.ends_with(" same")), "{absent:?}");
}

#[test]
fn what_was_not_measured_rests_on_nothing() {
    let verdict = Fixture { other: LaneState::Skipped, ..Fixture::default() }.verdict();
    let effect = hypothesis(&verdict, "effect");
    assert_eq!((&effect.rests_on[..], &effect.tests[..], &effect.thresholds[..]), (&[][..], &[][..], &[][..]));
}

#[test]
fn a_criterion_on_the_same_rows_is_one_more_test_of_the_family() {
    let side = |lane: &str| {
        let rows = "{ table = \"launches\", where = { phase = [\"kv_decode\"], lane = [\"LANE\"] } }";
        format!("{{ rows = {}, mean = \"ms\" }}", rows.replace("LANE", lane))
    };
    let rule = |name: &str, at_least: f64| {
        format!(
            "[[hypothesis]]\nname = \"{name}\"\n[hypothesis.rule]\nkind = \"difference_criterion\"\nleft = {}\nright = {}\n\
             at_least = {at_least:?}\npower = 0.8\n",
            side("other"),
            side("base")
        )
    };
    let verdict = judged(&format!("{}{}", rule("four", 4.0), rule("again", 4.0)), std::slice::from_ref(&(0..6)));
    let ruling = hypothesis(&verdict, "four").ruling.as_ref().unwrap();
    assert_eq!(
        (ruling.label.as_str(), ruling.tests[0].test.as_str()),
        ("met", "Welch of right minus left against 4, ms, Holm over 3")
    );
    assert!(ruling.tests[0].p_adjusted > ruling.tests[0].p, "{:?}", ruling.tests);
    assert_eq!(tests(hypothesis(&verdict, "effect"))[0], "Welch t, other minus base in each cell, Holm over 3");
}
