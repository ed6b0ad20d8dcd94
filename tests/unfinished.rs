//! Runs that are kept although they have not come to their end: they are read, no verdict stands on them, and what `resume`
//! needs of them is there.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use lockstep::journal::{Journal, read_file};
use lockstep::plan::{Lock, Plan};
use lockstep::terms::{Digest, FailureClass, Outcome, SignalValue, canonical_json, fell_back};
use lockstep::verdict::{Conclusion, judge};

/// The runs.
const KEPT: [&str; 1] = ["staticcache-rescue"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/unfinished").join(format!("{name}-h200"))
}

fn kept(name: &str) -> (Plan, Journal) {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(plan).expect("its plan is shipped");
    (Plan::parse(name, &text).expect("a plan"), read_file(&folder(name).join("journal.jsonl.xz")).expect("its journal"))
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    for name in KEPT {
        let (plan, journal) = kept(name);
        let verdict = judge(&plan, &journal).expect("a verdict");
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive, "{name}");
        let unsealed = |reason: &String| reason.starts_with("the journal is not sealed");
        assert!(verdict.reasons.iter().any(unsealed), "{name}: {:?}", verdict.reasons);
        let mut commands = journal.segments().map(|segment| &segment.header.command);
        assert!(commands.next().is_some_and(|first| first.iter().any(|word| word == name)), "{name}");
        assert!(commands.all(|resumed| resumed.iter().any(|word| word == "resume")), "{name}");
    }
}

/// A lane that is not what it was is refused, and a file that was lost on the way makes it so.
#[test]
fn every_file_that_a_lanes_lock_names_is_kept_as_it_was() {
    for name in KEPT {
        let (_, journal) = kept(name);
        let packed = std::fs::File::open(folder(name).join("run-folder.tar.gz")).expect("its folder");
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(flate2::read::GzDecoder::new(packed)).entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let (path, mut bytes) = (entry.path().expect("a path").display().to_string(), Vec::new());
            entry.read_to_end(&mut bytes).expect("its bytes");
            files.insert(path, bytes);
        }
        for lane in journal.segments().flat_map(|segment| &segment.header.lanes) {
            let path = format!("locks/{}.lock", lane.lane);
            let text = String::from_utf8(files[&path].clone()).expect("text");
            let lock = Lock::parse(&path, &text).expect("a lock");
            assert_eq!(lane.lock, Some(Digest::of(canonical_json(&lock).expect("JSON").as_bytes())), "{name}");
            assert!(files.contains_key(&format!("lanes/{}.toml", lane.lane)), "{name}");
            let of_runner = lock.files.iter().filter(|(file, _)| file.starts_with("runner/"));
            assert!(of_runner.clone().count() > 20, "{name}");
            for (file, digest) in of_runner {
                let bytes = files.get(&format!("files/{file}")).unwrap_or_else(|| panic!("{name}: {file} is lost"));
                assert_eq!(Digest::of(bytes), *digest, "{name}: {file}");
            }
        }
    }
}

/// What the run is kept for: each static cache is as long as its own cell, and what is compiled was called in each pass.
#[test]
fn a_static_cache_of_its_own_cells_length_rescues_what_crashes_over_a_growing_one_so_far() {
    let (plan, journal) = kept("staticcache-rescue");
    let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
    assert_eq!(journal.rows().count(), 159);
    for (_, row) in journal.rows() {
        let cell = &cells[&row.cell];
        let (cache, mode) = (cell.axes["cache"].as_str(), cell.axes["compile_mode"].as_str());
        let came = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        match (cache, mode, row.rep) {
            ("dynamic", "reduce-overhead", 0) => {
                assert_eq!(came, (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten)));
            }
            ("dynamic", "reduce-overhead", _) => assert_eq!(row.outcome, Outcome::Skipped),
            _ => assert_eq!(came, (Outcome::Ok, None), "{cache} {mode}"),
        }
        if row.outcome != Outcome::Ok {
            continue;
        }
        assert_eq!(fell_back(mode, &row.evidence), None, "{row:?}");
        if cache == "static" {
            // A prompt of 32 tokens and 32 new ones.
            assert_eq!(row.evidence["cache.positions"], SignalValue::from(64_i64), "{row:?}");
        }
        if mode != "eager" {
            assert_eq!(row.evidence["profile.region_calls"], row.evidence["profile.passes"], "{row:?}");
        }
    }
}
