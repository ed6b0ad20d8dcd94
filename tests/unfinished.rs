//! Runs that are kept although they have not come to their end: they are read, no verdict stands on them, and what `resume`
//! needs of them is there.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use lockstep::journal::{Journal, read_file};
use lockstep::plan::{Lock, Plan};
use lockstep::terms::{Digest, FailureClass, Outcome, SignalValue, canonical_json, fell_back};
use lockstep::verdict::{Conclusion, judge};

/// The runs, and how many rows each has at the least.
const KEPT: [(&str, usize); 2] = [("matrix-decode", 28), ("matrix-decode-aot-eager", 15)];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/unfinished").join(format!("{name}-h200"))
}

fn kept(name: &str) -> (Plan, Journal) {
    let folder = folder(name);
    let text = std::fs::read_to_string(folder.join("plan.toml")).expect("its plan");
    (Plan::parse(name, &text).expect("a plan"), read_file(&folder.join("journal.jsonl.xz")).expect("its journal"))
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    for (name, _) in KEPT {
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
    for (name, _) in KEPT {
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

#[test]
fn decoding_was_compiled_by_proof_or_crashed_or_fell_back_over_a_growing_cache_so_far() {
    for (name, rows) in KEPT {
        let (plan, journal) = kept(name);
        let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
        assert!(journal.rows().count() >= rows, "{name}");
        for (_, row) in journal.rows() {
            let cell = &cells[&row.cell];
            let (cache, mode) = (cell.axes["cache"].as_str(), cell.axes["compile_mode"].as_str());
            let expected = match (cache, mode, cell.new_tokens) {
                ("dynamic", "reduce-overhead", _) => (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten)),
                ("dynamic", "default" | "aot_eager", 8..) => (Outcome::FellBack, Some(FailureClass::RecompileLimit)),
                _ => (Outcome::Ok, None),
            };
            let came = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
            assert_eq!(came, expected, "{name} {cache} {mode}");
            if row.outcome != Outcome::Ok || mode == "eager" {
                continue;
            }
            assert_eq!(fell_back(mode, &row.evidence), None, "{name}: {row:?}");
            // Of the timed passes alone: the prompt's is not profiled.
            assert_eq!(row.evidence["profile.region_calls"], row.evidence["profile.passes"], "{row:?}");
            let passes = SignalValue::from(i64::from(cell.new_tokens.min(64)));
            assert_eq!(row.evidence["profile.passes"], passes, "{row:?}");
        }
    }
}

#[test]
fn both_together_are_the_matrix_that_is_shipped() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/matrix-decode.toml");
    let shipped = std::fs::read_to_string(shipped).expect("the plan is shipped");
    let shipped = Plan::parse("matrix-decode", &shipped).expect("a plan");
    let ids = |plan: &Plan| plan.cells().expect("cells").iter().map(|cell| cell.id()).collect::<Vec<_>>();
    let mut both: Vec<_> = KEPT.iter().flat_map(|(name, _)| ids(&kept(name).0)).collect();
    let mut whole = ids(&shipped);
    both.sort();
    whole.sort();
    assert_eq!(both, whole);
}
