//! A journal judged as it streams and the same journal read at once give the same verdict.

use std::num::NonZeroUsize;

use lockstep::journal::read_file;
use lockstep::report;
use lockstep::verdict::{judge, judge_file};

#[path = "../benches/judge/journal.rs"]
mod journal;

#[test]
fn a_journal_is_judged_to_the_same_bytes_as_a_stream_and_at_once_by_any_number_of_threads() {
    let size = journal::Size { cells: 100, launches: 5, repetitions: 3 };
    let plan = size.plan().unwrap();
    assert!(size.plan_text().is_some(), "its file is the same plan");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut bytes = Vec::new();
    size.write(&plan, &mut bytes).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let at_once = judge(&plan, &read_file(&path).unwrap()).unwrap();
    assert_eq!((at_once.journal.rows, at_once.cells.len()), (size.rows(), 100));
    assert!(at_once.hypotheses[0].cells.iter().all(|cell| cell.mde_pct.is_some()));
    let at_once = report::json(&at_once).unwrap();
    for threads in [1, 2, 4] {
        let streamed = judge_file(&plan, &path, NonZeroUsize::new(threads).unwrap()).unwrap();
        assert!(report::json(&streamed).unwrap() == at_once, "{threads} threads give another verdict");
    }
}

#[test]
fn a_damaged_file_is_told_before_a_row_that_contradicts_the_plan() {
    let size = journal::Size { cells: 3, launches: 3, repetitions: 1 };
    let plan = size.plan().unwrap();
    let other = journal::Size { cells: 2, ..size }.plan().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut bytes = Vec::new();
    size.write(&plan, &mut bytes).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let one = NonZeroUsize::MIN;
    assert!(matches!(judge_file(&other, &path, one), Err(lockstep::verdict::Error::OtherPlan { .. })));
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = judge_file(&other, &path, one).unwrap_err();
    assert!(matches!(error, lockstep::verdict::Error::Journal(_)), "{error}");
    assert!(error.to_string().contains("journal.jsonl"), "{error}");
}
