//! Faults in what was imported: an end that is missing.

use lockstep::verdict::Conclusion;

use super::*;

#[test]
fn a_journal_without_its_end_is_judged_and_inconclusive() {
    let design = Design::parse("tr165", &plan_text("tr165")).expect("a design");
    let whole = decompress(&std::fs::read(journal_file("tr165")).expect("it is committed"), MAX_JOURNAL_BYTES)
        .expect("it is packed");
    let judged = |bytes: &[u8]| judge_published(&design, &journal::read(bytes).expect("a journal")).expect("a verdict");
    assert_eq!(judged(&whole).conclusion, Conclusion::AsExpected);
    let seal = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("it has several lines") + 1;
    let unsealed = &whole[..seal];
    for journal in [unsealed, &whole[..whole.len() - 1], &[unsealed, b"{\"type\":\"summ"].concat()] {
        let verdict = judged(journal);
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
        assert!(verdict.reasons[0].starts_with("the journal is not sealed"), "{:?}", verdict.reasons);
    }
}
