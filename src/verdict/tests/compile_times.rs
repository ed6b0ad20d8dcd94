//! What compiling took, as rows tell of it.

use super::*;
use crate::terms::SignalValue;

const PLAN: &str = r#"
schema = 1
name = "compile-times"
seed = 1

[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 100

[run]
launches = 3
repetitions = 2
warmup = 0

[[workload]]
name = "decode"
prompt = [1, 2, 3]
new_tokens = 4
phases = ["kv_decode"]

[[lane]]
name = "base"
[[lane]]
name = "same"
[[lane]]
name = "other"

[[hypothesis]]
name = "compiled"
[hypothesis.rule]
kind = "matched_pairs"
key = ["workload"]
left = { table = "cells", where = { lane = ["base"] }, column = "compile_s" }
right = { table = "cells", where = { lane = ["same"] }, column = "compile_s" }

[[hypothesis]]
name = "launches"
[hypothesis.rule]
kind = "matched_pairs"
key = ["workload"]
left = { table = "cells", where = { lane = ["base"] }, column = "compiled_launches" }
right = { table = "cells", where = { lane = ["other"] }, column = "compiled_launches" }
"#;

/// `base` compiles for 20, 30 and 40 seconds in its launches, `same` for 6 in one of them, `other` never.
#[test]
fn compiling_is_counted_once_a_launch_in_seconds_and_only_where_a_row_tells_of_it() {
    let plan = Plan::parse("compile-times.toml", PLAN).unwrap();
    let fixture = Fixture { tokens: |_, _| vec![7; 4], ..Fixture::default() };
    let mut records = fixture.journal_of(&plan, std::slice::from_ref(&(0..3))).records;
    for record in &mut records {
        let Record::Row(row) = record else { continue };
        let seconds = match (row.lane.as_str(), row.block) {
            ("base", block) => 20 + 10 * i64::from(block),
            ("same", 1) => 6,
            _ => continue,
        };
        row.evidence.insert("compile.wall_ns".to_owned(), SignalValue::Int(seconds * 1_000_000_000));
    }
    let verdict = judge(&plan, &journal::read(&journal::encode(&records).unwrap()).unwrap()).unwrap();
    let pair = |hypothesis: usize| verdict.hypotheses[hypothesis].ruling.as_ref().unwrap().parts[0].numbers.clone();
    assert_eq!(pair(0).into_values().collect::<Vec<_>>(), [-24.0, 30.0, 6.0]);
    assert_eq!(pair(1).into_values().collect::<Vec<_>>(), [-3.0, 3.0, 0.0]);
}
