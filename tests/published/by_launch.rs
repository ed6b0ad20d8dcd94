//! The answer with the launch as one observation, which stands beside each one by the iteration.

use std::collections::BTreeSet;

use lockstep::verdict::PublishedHypothesis;

use super::*;

#[test]
fn every_hypothesis_has_one_answer_by_launches_and_no_printed_summary_decides_what_counts_repetitions() {
    let mut open = BTreeSet::new();
    for design in designs() {
        let verdict = judge_published(&design, &committed(&design.name)).expect("a verdict");
        for (hypothesis, PublishedHypothesis { name, ruling, at_launch_level, .. }) in
            design.hypotheses.iter().zip(&verdict.hypotheses)
        {
            let by_launch = at_launch_level.as_ref().unwrap_or_else(|| panic!("{name} has none"));
            assert!(
                !ruling.reasons.iter().any(|reason| reason.contains("by launches")),
                "{name}: {:?}",
                ruling.reasons
            );
            let (kind, standing) = (hypothesis.rule.kind(), by_launch.standing);
            if hypothesis.rule.counts_observations() && ruling.standing != Standing::Invalid {
                assert_eq!((standing, by_launch.settled_by), (Standing::Inconclusive, None), "{name}");
                assert!(!by_launch.rests_on.is_empty() && !by_launch.thresholds.is_empty(), "{name}: {by_launch:?}");
                assert!(by_launch.reasons[0].contains("names a launch"), "{:?}", by_launch.reasons);
                open.insert(kind);
            } else if kind != "licence" {
                assert_eq!((standing, &by_launch.label), (ruling.standing, &ruling.label), "{name}");
            }
        }
    }
    for kind in ["ranking", "consistency", "ladder_of_bands", "score_and_latency", "five_gates", "matched_contrasts"] {
        assert!(open.contains(kind), "{kind}");
    }
}

#[test]
fn the_launch_as_unit_leaves_open_what_counts_observations() {
    let verdict = with_plan("replication = \"iteration\"", "replication = \"launch\"");
    let ladder = ruling(&verdict, "gil-ladder");
    assert_eq!((ladder.standing, ladder.settled_by), (Standing::Inconclusive, None));
    assert!(ladder.reasons[0].contains("names a launch"));
    // It rests on its rows, and was held against its thresholds, as it would be by the iteration.
    assert!(ladder.rests_on.contains(&"tr165_n2_efficiency:1".to_owned()), "{:?}", ladder.rests_on);
    let listed: Vec<&str> = ladder.thresholds.iter().map(|listed| listed.name.as_str()).collect();
    assert!(listed.contains(&"min_combinations") && listed.contains(&"min_launches"), "{listed:?}");
    assert_eq!(ruling(&verdict, "matched-pairs").label, "all_matched");
}
