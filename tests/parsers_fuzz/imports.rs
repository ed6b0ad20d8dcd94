//! Every reader of others' files: it takes or refuses, names the file when it refuses, and what it takes is a journal.

use libtest_mimic::Trial;
use lockstep::import::{InputFile, Kind, PlanIdentity, import};
use lockstep::journal::{self, Record};
use lockstep::terms::{Axes, Digest, Outcome};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::{Verdict, damaged, explore, words};

/// A kind, and its fixtures under the names that they have.
type Fixtures = (Kind, &'static [(&'static str, &'static [u8])]);

macro_rules! fixtures {
    ($kind:ident: $($name:literal),+) => {
        (Kind::$kind, &[$(($name, include_bytes!(concat!("../fixtures/import/", $name)).as_slice())),+])
    };
}

const FIXTURES: [Fixtures; 10] = [
    fixtures!(Table: "table.json"),
    fixtures!(Tr165: "tr165_cell_summary.csv", "tr165_metrics.csv"),
    fixtures!(Tr147: "tr147_v4.jsonl", "tr147_gptfast.jsonl", "tr147_v1.csv"),
    fixtures!(Tr126: "tr126_metrics.csv"),
    fixtures!(Treni: "treni_summary_ab3.json"),
    fixtures!(Tr117: "tr117_runs.json", "tr117_chunk_metrics.csv"),
    fixtures!(VllmBench: "vllm_bench.json"),
    fixtures!(Aiperf: "aiperf.json", "aiperf.jsonl"),
    fixtures!(OptimumBenchmark: "optimum_report.json"),
    fixtures!(Hyperfine: "hyperfine.json"),
];

/// One trial for each kind.
pub fn trials() -> Vec<Trial> {
    assert_eq!(FIXTURES.map(|(kind, _)| kind), Kind::ALL, "every kind is tried");
    let trial = |(kind, files): Fixtures| {
        Trial::test(format!("a_{}_import_never_panics", kind.name()), move || {
            let plan = PlanIdentity { name: "plan".to_owned(), sha256: Digest::of(b"plan") };
            for (name, bytes) in files {
                let taken = |bytes: &[u8]| reader(kind, name, &plan, bytes);
                if !matches!(taken(bytes), Ok(true)) {
                    return Err(format!("the fixture {name} is not taken").into());
                }
                explore(&format!("{name}, bytes"), prop::collection::vec(any::<u8>(), 0..400), |bytes| taken(bytes))?;
                explore(&format!("{name}, words"), words(), |text| taken(text.as_bytes()))?;
                explore(&format!("{name}, damaged"), damaged(vec![bytes.to_vec()]), |bytes| taken(bytes))?;
            }
            Ok(())
        })
    };
    FIXTURES.into_iter().map(trial).collect()
}

fn reader(kind: Kind, name: &str, plan: &PlanIdentity, bytes: &[u8]) -> Verdict {
    let file = || InputFile::new(name, bytes.to_vec());
    let imported = match import(kind, &[file()], plan, Axes::new()) {
        Ok(imported) => imported,
        Err(error) => {
            prop_assert!(error.to_string().starts_with(name), "{error}");
            return Ok(false);
        }
    };
    let encoded = imported.encode().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let journal = journal::read(&encoded).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(journal.sealed);
    prop_assert_eq!(&journal.records, &imported.records);
    prop_assert_eq!(journal.rows().count(), 0, "what others measured is no row of ours");
    for found in journal.observations() {
        prop_assert_eq!(found.outcome == Outcome::Ok, found.failure.is_none(), "{:?}", found);
        prop_assert!(found.metrics.values().all(|metric| !metric.unit.is_empty()), "{:?}", found);
    }
    for found in journal.summaries() {
        prop_assert!(found.values.values().all(|cell| !cell.unit.is_empty()), "{:?}", found);
    }
    let again = import(kind, &[file()], plan, Axes::new()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&again.records, &imported.records, "the same bytes give the same records");
    Ok(matches!(imported.records.last(), Some(Record::Seal(_))))
}
