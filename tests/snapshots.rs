//! Every committed snapshot is judged again from its own journal and must come out to the byte.

mod committed;

use std::path::{Path, PathBuf};

use lockstep::journal::{MAX_JOURNAL_BYTES, decompress, read};
use lockstep::plan::Plan;
use lockstep::report::markdown;
use lockstep::snapshot::{Snapshot, store};
use lockstep::terms::Digest;
use lockstep::verdict::judge;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Plan folder and snapshot file of everything below `snapshots/`.
fn snapshots() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for plan in std::fs::read_dir(root().join("snapshots")).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        for file in std::fs::read_dir(plan.path()).unwrap().map(|file| file.unwrap().path()) {
            // What a published report's tables say has no host; tests/published.rs judges it again.
            let is_published = file.file_name().is_some_and(|name| name == "published.json");
            if file.extension().is_some_and(|extension| extension == "json") && !is_published {
                found.push((plan.file_name().into_string().unwrap(), file));
            }
        }
    }
    found
}

#[test]
fn there_is_a_snapshot_of_the_quickstart_plan() {
    assert!(snapshots().iter().any(|(plan, _)| plan == "quickstart"));
}

#[test]
fn every_snapshot_follows_from_its_journal_to_the_byte() {
    for (name, file) in snapshots() {
        let plan_file = root().join("plans").join(format!("{name}.toml"));
        let plan = Plan::parse(&name, &std::fs::read_to_string(plan_file).unwrap()).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let snapshot = Snapshot::parse(&file, &bytes).unwrap();
        let place = store::place(&root().join("snapshots"), &name, &snapshot.host_class).unwrap();
        assert_eq!(place.snapshot, file, "a snapshot stands under another name than its own");
        let (_, archive) = store::read_archive(&place).unwrap();
        let journal = decompress(&archive, MAX_JOURNAL_BYTES).unwrap();
        let read = read(&journal).unwrap();
        store::check_seal(&snapshot, &journal, read.head).unwrap();
        let verdict = judge(&plan, &read).unwrap();
        let forced = snapshot.forced.as_deref();
        let again = Snapshot::accept(&verdict, Digest::of(&journal), None, forced).unwrap();
        committed::follows(&file, &again.to_json().unwrap());
        // A report may stand beside it.
        let page = file.with_extension("md");
        if page.exists() {
            committed::follows(&page, &markdown(&verdict));
        }
    }
}
