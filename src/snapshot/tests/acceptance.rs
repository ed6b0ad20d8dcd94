use crate::snapshot::{RefusalReason, Snapshot, fixture, refusal_reasons};
use crate::terms::{Digest, Outcome};
use crate::verdict::{Conclusion, CoverageGap, Finding, LaneState, Verdict};

fn accept(verdict: &Verdict) -> Snapshot {
    Snapshot::from_verdict(verdict, Digest::of(b"journal")).unwrap()
}

fn reasons_after(change: impl FnOnce(&mut Verdict)) -> Vec<RefusalReason> {
    let mut verdict = fixture::good();
    change(&mut verdict);
    let reasons = refusal_reasons(&verdict);
    match Snapshot::from_verdict(&verdict, Digest::of(b"journal")) {
        Ok(_) => assert!(reasons.is_empty()),
        Err(refusal) => {
            assert_eq!(refusal.reasons, reasons);
            let text = refusal.to_string();
            assert!(
                reasons.iter().all(|it| text.contains(&it.to_string()) && text.contains(&it.remedy(&refusal.run))),
                "{text}"
            );
        }
    }
    reasons
}

#[test]
fn a_snapshot_is_read_in_review() {
    let mut verdict = fixture::tokens_differ();
    verdict.hypotheses[1].finding = Finding::CouldNotTell;
    insta::assert_snapshot!(accept(&verdict).to_json().unwrap());
}

#[test]
fn a_sound_verdict_is_accepted_whatever_it_says() {
    assert_eq!(accept(&fixture::good()).conclusion, Conclusion::AsExpected);
    assert_eq!(accept(&fixture::tokens_differ()).conclusion, Conclusion::NotAsExpected);
    let undecided = |verdict: &mut Verdict| verdict.hypotheses[2].finding = Finding::CouldNotTell;
    assert_eq!(reasons_after(undecided), []);
    let absent = |verdict: &mut Verdict| verdict.hypotheses[2].finding = Finding::NotMeasured;
    assert_eq!(reasons_after(absent), []);
}

#[test]
fn tokens_stand_once_where_all_lanes_agree_and_per_lane_where_not() {
    let snapshot = accept(&fixture::tokens_differ());
    let [agreed, differing, _] = &snapshot.cells[..] else { panic!("three cells") };
    assert!(agreed.tokens_sha256.is_some() && agreed.lanes.iter().all(|lane| lane.tokens_sha256.is_none()));
    assert!(differing.tokens_sha256.is_none() && differing.lanes.iter().all(|lane| lane.tokens_sha256.is_some()));
    let native = agreed.lane("native").unwrap();
    assert_eq!(agreed.tokens_of(native), agreed.tokens_sha256);
}

#[test]
fn each_doubt_about_the_evidence_refuses_acceptance() {
    use RefusalReason as R;
    assert_eq!(reasons_after(|v| v.journal.sealed = false), [R::Unsealed]);
    let torn = reasons_after(|v| {
        v.journal.sealed = false;
        v.journal.torn_bytes = 7;
    });
    assert_eq!(torn, [R::Torn { bytes: 7 }]);
    let contaminated = reasons_after(|v| v.contamination.contaminated = true);
    assert!(matches!(&contaminated[..], [R::Contaminated(found)] if found.share_pct == Some(1.25)), "{contaminated:?}");
    assert_eq!(reasons_after(|v| v.lanes[1].unlocked = true), [R::Unlocked { lane: "native-again".into() }]);
    assert_eq!(
        reasons_after(|v| v.lanes[1].state = LaneState::Refused),
        [R::LaneRefused { lane: "native-again".into(), failure: None }]
    );
    assert_eq!(reasons_after(|v| v.journal.segments.clear()), [R::NoSegment]);
    assert_eq!(
        reasons_after(|v| v.hypotheses[2].finding = Finding::Void),
        [R::Void { hypothesis: "cache-pays".into() }]
    );
    assert_eq!(
        reasons_after(|v| v.hypotheses[1].finding = Finding::Slower),
        [R::ControlShows { hypothesis: "a-a".into(), finding: Finding::Slower }]
    );
    let mixed = reasons_after(|v| {
        let mut segment = v.journal.segments[0].clone();
        segment.host.cpu.cores = 64;
        v.journal.segments.push(segment);
    });
    assert!(matches!(&mixed[..], [R::MixedHostClasses { classes }] if classes.len() == 2), "{mixed:?}");
    assert_eq!(refusal_reasons(&fixture::nothing_measured()), [R::NothingMeasured]);
}

#[test]
fn a_control_stays_a_control_where_no_noise_floor_could_be_formed() {
    let shown = reasons_after(|v| {
        v.hypotheses[1].finding = Finding::Slower;
        v.hypotheses[1].noise_floor = None;
    });
    assert_eq!(shown, [RefusalReason::ControlShows { hypothesis: "a-a".into(), finding: Finding::Slower }]);
}

#[test]
fn a_lane_without_enough_rows_is_one_reason_with_the_remedy_that_helps() {
    let lacking = |sealed: bool, failed: bool| {
        let reasons = reasons_after(|v| {
            v.journal.sealed = sealed;
            for (lane, id) in [("native", "/0a0a0a01"), ("native", "/0a0a0a02"), ("python-reference", "/0a0a0a02")] {
                let message = format!("lane {lane}, {id}: no launch gave an ok row, floor 3");
                v.coverage_gaps.push(CoverageGap { lane: lane.into(), cell: Some(fixture::cell_id(id)), message });
            }
            if failed {
                v.lanes.iter_mut().for_each(|lane| _ = lane.outcomes.insert(Outcome::Crashed, 1));
            }
        });
        let gaps = reasons.iter().filter(|reason| matches!(reason, RefusalReason::CoverageGap { .. }));
        gaps.map(|reason| (reason.to_string(), reason.remedy("RUN-1"))).collect::<Vec<_>>()
    };
    let [(first, remedy), (second, _)] = &lacking(false, true)[..] else { panic!("one reason per lane") };
    let native = "coverage is below its floor: lane native, /0a0a0a01: no launch gave an ok row, floor 3";
    assert_eq!(*first, format!("{native} (and 1 more of this lane)"));
    assert!(second.ends_with("lane python-reference, /0a0a0a02: no launch gave an ok row, floor 3"), "{second}");
    assert_eq!(remedy, "finish the run with `lockstep resume RUN-1`");
    assert!(lacking(true, true)[0].1.contains("`lockstep rerun RUN-1 --failed`"));
    assert!(lacking(true, false)[0].1.contains("`lockstep report RUN-1`"));
}

#[test]
fn a_refusal_lists_every_reason_with_its_remedy() {
    let refusal = Snapshot::from_verdict(&fixture::contaminated(), Digest::of(b"journal")).unwrap_err();
    insta::assert_snapshot!(refusal);
}
