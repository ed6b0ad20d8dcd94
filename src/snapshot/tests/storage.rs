use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::snapshot::store::{self, Found};
use crate::snapshot::{Error, HostClass, Snapshot, fixture, host_class};
use crate::terms::Digest;

const JOURNAL: &[u8] = b"the journal's bytes";

fn snapshot() -> Snapshot {
    Snapshot::from_verdict(&fixture::good(), Digest::of(JOURNAL)).unwrap()
}

fn on(class: &str) -> Snapshot {
    Snapshot { host_class: class.parse().unwrap(), ..snapshot() }
}

fn class(text: &str) -> HostClass {
    text.parse().unwrap()
}

#[test]
fn a_snapshot_stands_at_its_plan_and_host_class_beside_its_journal() {
    let place = store::place(Path::new("snapshots"), "quickstart", &host_class(&fixture::host())).unwrap();
    assert_eq!(place.snapshot, Path::new("snapshots/quickstart/amd-epyc-fam25-mod17-2c.json"));
    assert_eq!(place.journal, Path::new("snapshots/quickstart/amd-epyc-fam25-mod17-2c.journal.jsonl.xz"));
    for plan in ["", "..", "../quickstart", "a/b", ".hidden", "a b"] {
        assert!(matches!(store::place(Path::new("s"), plan, &place.class), Err(Error::PlanName { .. })), "{plan:?}");
    }
}

#[test]
fn what_was_written_is_read_back_and_nothing_else_is_left() {
    let root = tempfile::tempdir().unwrap();
    let written = snapshot();
    let place = store::write(root.path(), &written, b"archive").unwrap();
    assert_eq!(store::read(&place).unwrap().as_ref(), Some(&written));
    assert_eq!(store::read_archive(&place).unwrap(), (place.journal.clone(), b"archive".to_vec()));
    store::write(root.path(), &Snapshot { run: "another".into(), ..written }, b"archive 2").unwrap();
    assert_eq!(store::read(&place).unwrap().unwrap().run, "another");
    assert_eq!(fs::read_dir(root.path().join("quickstart")).unwrap().count(), 2);
}

#[test]
fn the_journal_of_an_older_snapshot_is_read_until_another_takes_its_place() {
    let root = tempfile::tempdir().unwrap();
    let place = store::write(root.path(), &snapshot(), b"archive").unwrap();
    let older = root.path().join("quickstart/amd-epyc-fam25-mod17-2c.journal.jsonl.gz");
    fs::rename(&place.journal, &older).unwrap();
    assert_eq!(store::read_archive(&place).unwrap(), (older.clone(), b"archive".to_vec()));
    store::write(root.path(), &snapshot(), b"archive 2").unwrap();
    assert_eq!(store::read_archive(&place).unwrap(), (place.journal, b"archive 2".to_vec()));
    assert!(!older.exists());
}

#[test]
fn a_snapshot_of_the_own_class_is_found_before_the_nearest_of_another() {
    let root = tempfile::tempdir().unwrap();
    let own = class("amd-epyc-fam25-mod17-2c");
    assert_eq!(store::find(root.path(), "quickstart", &own).unwrap(), Found::None);
    for class in ["intel-xeon-fam6-mod143-8c", "amd-ryzen-fam25-mod80-16c"] {
        store::write(root.path(), &on(class), b"").unwrap();
    }
    fs::write(root.path().join("quickstart/README.md"), "no snapshot").unwrap();
    fs::write(root.path().join("quickstart/No Class.json"), "no snapshot").unwrap();
    let found = store::find(root.path(), "quickstart", &own).unwrap();
    assert!(matches!(&found, Found::Other(place, _) if place.class == class("amd-ryzen-fam25-mod80-16c")), "{found:?}");
    store::write(root.path(), &snapshot(), b"").unwrap();
    assert!(matches!(store::find(root.path(), "quickstart", &own).unwrap(), Found::Own(..)));
    assert_eq!(store::classes(root.path(), "quickstart").unwrap().len(), 3);
}

#[test]
fn a_snapshot_in_a_wrong_place_or_format_is_told_as_such() {
    let root = tempfile::tempdir().unwrap();
    let place = store::write(root.path(), &snapshot(), b"").unwrap();
    fs::write(&place.snapshot, on("intel-xeon-fam6-mod143-8c").to_json().unwrap()).unwrap();
    assert!(matches!(store::read(&place), Err(Error::Misplaced { .. })));
    let newer = snapshot().to_json().unwrap().replacen("\"format\": 1", "\"format\": 2, \"news\": true", 1);
    fs::write(&place.snapshot, newer).unwrap();
    assert!(matches!(store::read(&place), Err(Error::Format { found: 2, known: 1, .. })));
    let unknown = snapshot().to_json().unwrap().replacen("\"plan\"", "\"plam\"", 1);
    fs::write(&place.snapshot, unknown).unwrap();
    let error = store::read(&place).unwrap_err().to_string();
    assert!(error.contains("plam") && error.contains("amd-epyc"), "{error}");
    fs::remove_file(&place.journal).unwrap();
    assert!(matches!(store::read_archive(&place), Err(Error::File { path, .. }) if path == place.journal));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("quickstart"), "a file where the folder should be").unwrap();
    let error = store::write(root.path(), &snapshot(), b"").unwrap_err();
    assert!(matches!(&error, Error::File { path, .. } if path.ends_with("quickstart")), "{error}");
}

#[test]
fn an_edited_journal_does_not_pass_for_the_one_that_was_accepted() {
    let snapshot = snapshot();
    assert!(store::check_seal(&snapshot, JOURNAL, snapshot.seal).is_ok());
    let edited = store::check_seal(&snapshot, b"edited", snapshot.seal);
    assert!(matches!(edited, Err(Error::OtherJournal { .. })));
    let chained_anew = store::check_seal(&snapshot, b"edited", Digest::of(b"new head"));
    assert!(matches!(chained_anew, Err(Error::OtherSeal { .. })));
}

#[test]
fn a_snapshot_survives_its_own_text() {
    let snapshot = snapshot();
    let text = snapshot.to_json().unwrap();
    let read = Snapshot::parse(Path::new("it.json"), text.as_bytes()).unwrap();
    assert_eq!(read, snapshot);
    assert_eq!(read.to_json().unwrap(), text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn a_damaged_snapshot_is_an_error_and_never_a_panic(at in 0.0..1.0_f64, length in 0_usize..40, filling in ".{0,20}") {
        let mut text = snapshot().to_json().unwrap();
        prop_assert!(text.is_ascii());
        let start = (at * text.len() as f64) as usize;
        let end = (start + length).min(text.len());
        text.replace_range(start..end, &filling);
        // Either it still is a snapshot, or an error says why not.
        if let Err(error) = Snapshot::parse(Path::new("it.json"), text.as_bytes()) {
            prop_assert!(error.to_string().contains("it.json"));
        }
    }
}
