//! Fixture → records: what each reader takes for what.

use std::collections::BTreeMap;

use super::{Error, Imported, InputFile, Kind, PlanIdentity, axes, import};
use crate::journal::{self, Observation, Record, Summary};
use crate::terms::{Axes, Digest, FailureClass, Outcome, Scalar};

/// A fixture of the folder `tests/fixtures/import`, under its name.
macro_rules! fixture {
    ($name:literal) => {
        InputFile::new($name, include_bytes!(concat!("../../tests/fixtures/import/", $name)).to_vec())
    };
}

fn plan() -> PlanIdentity {
    PlanIdentity { name: "tr165".into(), sha256: Digest::of(b"tr165") }
}

fn imported(kind: Kind, files: &[InputFile]) -> Imported {
    let imported = import(kind, files, &plan(), Axes::new()).unwrap();
    let journal = journal::read(&imported.encode().unwrap()).unwrap();
    assert!(journal.sealed);
    assert_eq!(journal.records, imported.records);
    imported
}

fn observations(imported: &Imported) -> Vec<&Observation> {
    let of = |record: &'_ Record| matches!(record, Record::Observation(_));
    let records = imported.records.iter().filter(|record| of(record));
    records
        .filter_map(|record| if let Record::Observation(found) = record { Some(found.as_ref()) } else { None })
        .collect()
}

fn summaries(imported: &Imported) -> Vec<&Summary> {
    let records = imported.records.iter();
    records.filter_map(|record| if let Record::Summary(found) = record { Some(found.as_ref()) } else { None }).collect()
}

fn outcomes(imported: &Imported) -> Vec<Outcome> {
    observations(imported).iter().map(|found| found.outcome).collect()
}

/// Value and unit of a metric.
fn metric<'a>(found: &'a Observation, name: &str) -> Option<(f64, &'a str)> {
    found.metrics.get(name).map(|metric| (metric.value, metric.unit.as_str()))
}

/// Value, unit and resolution of a cell.
fn cell<'a>(found: &'a Summary, column: &str) -> (Option<&'a Scalar>, &'a str, Option<f64>) {
    let cell = found.values.get(column).unwrap_or_else(|| panic!("no column {column}: {found:?}"));
    (cell.value.as_ref(), cell.unit.as_str(), cell.resolution)
}

fn refused(kind: Kind, name: &str, text: &str) -> String {
    let file = InputFile::new(name, text.as_bytes().to_vec());
    import(kind, &[file], &plan(), Axes::new()).expect_err("it was taken").to_string()
}

#[test]
fn a_printed_table_becomes_summaries_with_the_resolution_of_every_number() {
    let imported = imported(Kind::Table, &[fixture!("table.json")]);
    let rows = summaries(&imported);
    assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((rows[0].table.as_str(), rows[0].section.as_str()), ("demo_ledger", "SS5 12.1"));
    assert_eq!(rows[0].derived, ["rate_pct"]);
    assert_eq!(cell(rows[0], "wall_ms"), (Some(&Scalar::Int(3_146_927)), "ms", Some(1.0)));
    assert_eq!(cell(rows[1], "rate_pct"), (Some(&Scalar::Float(66.67)), "percent", Some(0.01)));
    assert_eq!(cell(rows[2], "rate_pct"), (None, "percent", None));
    assert_eq!(cell(rows[2], "n"), (Some(&Scalar::Int(0)), "count", Some(0.0)));
    assert_eq!(cell(rows[2], "ok"), (Some(&Scalar::Bool(false)), "bool", None));
    assert_eq!(imported.from.files[0].about, ["DEMO", "A ledger", "read from the ledger"]);
    assert_eq!((imported.summaries, imported.tables, imported.observations()), (3, 1, 0));
}

#[test]
fn a_table_that_contradicts_itself_is_refused_at_its_place() {
    let good = include_str!("../../tests/fixtures/import/table.json");
    for (from, to, expected) in [
        ("\"n_rows\": 3", "\"n_rows\": 4", "t.json, n_rows: 4 where 3 rows stand"),
        ("\"n\": \"count\",", "", "t.json, row 1, column \"n\": a column without a unit"),
        ("\"n\": 0.0, ", "", "t.json, row 1, column \"n\": a number without a resolution"),
        ("[0.1, 0.01, null]", "[0.1]", "t.json, row 1, column \"rate_pct\": 1 resolutions for 3 rows"),
        ("\"wall_ms\": 1.0", "\"wall_ms\": -1.0", "t.json, row 1, column \"wall_ms\": -1 as resolution"),
        ("3146927", "NaN", "t.json, row 1, column \"wall_ms\": NaN in a column of unit \"ms\""),
        ("3146927", "\"3146927\"", "t.json, row 1, column \"wall_ms\": the text \"3146927\" in a column"),
        ("\"shape\": \"H2\", ", "", "t.json, row 2, column \"shape\": absent"),
        ("\"table\": \"demo_ledger\"", "\"table\": 7", "t.json, table: 7, where a text is expected"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = refused(Kind::Table, "t.json", &good.replacen(from, to, 1));
        assert!(error.starts_with(expected), "{error}");
    }
    let other = good.replacen("[\"rate_pct\"]", "[\"rate\"]", 1);
    let taken = imported(Kind::Table, &[InputFile::new("t.json", other.into_bytes())]);
    assert_eq!(summaries(&taken)[0].derived, ["rate"], "a table may say more of what was derived than columns");
    assert!(refused(Kind::Table, "index.json", "{\"tables\": []}").contains("a list of tables and no table"));
}

#[test]
fn a_ranking_that_leaves_a_rank_out_lost_a_row() {
    let table = |ranks: &[i64]| {
        let rows: Vec<String> = ranks.iter().map(|rank| format!("{{\"rank\": {rank}}}")).collect();
        format!(
            "{{\"table\": \"t\", \"section\": \"1\", \"units\": {{\"rank\": \"int\"}}, \"resolution\": {{\"rank\": 0}}, \
             \"rows\": [{}]}}",
            rows.join(", ")
        )
    };
    // In any order, one ranking for each of two groups, and both ways of counting on after a tie.
    for whole in [&[1, 2, 3, 4][..], &[3, 1, 2], &[1, 2, 1, 2], &[1, 1, 2], &[1, 1, 3], &[1, 2, 2, 2, 5], &[]] {
        let file = InputFile::new("t.json", table(whole).into_bytes());
        let taken = import(Kind::Table, &[file, fixture!("table.json")], &plan(), Axes::new());
        assert_eq!(taken.unwrap().summaries, 3 + whole.len() as u64);
    }
    for (lost, told) in [
        (&[1, 2, 4][..], "rank 4 follows rank 2, with 2 rows before it"),
        (&[2, 3][..], "rank 2 follows rank 0, with 0 rows before it"),
        (&[1, 1, 4][..], "rank 4 follows rank 1, with 2 rows before it"),
    ] {
        let error = refused(Kind::Table, "t.json", &table(lost));
        assert!(error.starts_with(&format!("t.json, column \"rank\": {told}; ")), "{error}");
    }
    let named = table(&[1, 2, 5]).replace("\"rank\"", "\"run\"");
    assert_eq!(summaries(&imported(Kind::Table, &[InputFile::new("t.json", named.into_bytes())])).len(), 3);
}

#[test]
fn one_table_stands_in_one_file() {
    let (first, mut second) = (fixture!("table.json"), fixture!("table.json"));
    second.name = "other.json".into();
    let error = import(Kind::Table, &[first.clone(), second.clone()], &plan(), Axes::new()).unwrap_err();
    assert!(error.to_string().starts_with("\"table.json\" and \"other.json\" hold the same bytes"), "{error}");
    second.bytes.push(b'\n');
    let error = import(Kind::Table, &[first.clone(), second], &plan(), Axes::new()).unwrap_err();
    assert!(error.to_string().starts_with("other.json, table: the table \"demo_ledger\" stands in table.json too"));
    let error = import(Kind::Table, &[first.clone(), first], &plan(), Axes::new()).unwrap_err();
    assert!(matches!(error, Error::SameName { name } if name == "table.json"));
}

#[test]
fn tr165_summaries_stay_summaries_and_its_rows_become_observations() {
    let files = [fixture!("tr165_cell_summary.csv"), fixture!("tr165_metrics.csv")];
    let imported = imported(Kind::Tr165, &files);
    let cells = summaries(&imported);
    assert_eq!(cells.len(), 3);
    assert_eq!(cell(cells[1], "parallel_efficiency"), (Some(&Scalar::Float(0.801)), "fraction", Some(0.001)));
    assert_eq!(cell(cells[1], "n_agents"), (Some(&Scalar::Int(2)), "int", Some(0.0)));
    assert_eq!(cell(cells[1], "ttft_ms"), (None, "ms", None));
    assert_eq!(cell(cells[2], "ttft_ms"), (Some(&Scalar::Text("NaN".into())), "ms", None));
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::FellThrough, Outcome::Hung, Outcome::Skipped]);
    let rows = observations(&imported);
    assert_eq!(metric(rows[0], "wall_ms"), Some((151.2, "ms")));
    assert_eq!(rows[0].key.get("n_agents"), Some(&Scalar::Int(2)));
    assert_eq!((rows[0].arm.as_deref(), rows[0].line), (Some("pytorch_direct"), 2));
    assert_eq!(rows[1].failure.as_ref().map(|f| f.message.as_str()), Some("success with completion_tokens = 0"));
    assert!(rows[2].metrics.is_empty());
    assert!(refused(Kind::Tr165, "m.csv", "phase,model,wall_ms\na,b,1\n").contains("m.csv, line 2: no field workload"));
    let lacks = "phase,model,n_agents,ok_rate\na,b,1,1.0\n";
    assert!(refused(Kind::Tr165, "c.csv", lacks).contains("no column workload, which the join key needs"));
}

#[test]
fn tr147_rows_that_did_no_work_are_outcomes_and_not_fast_successes() {
    let imported = imported(Kind::Tr147, &[fixture!("tr147_v4.jsonl")]);
    use Outcome::{Crashed, FellThrough, Ok};
    assert_eq!(outcomes(&imported), [Ok, FellThrough, FellThrough, Crashed, FellThrough, FellThrough, Crashed, Ok]);
    let rows = observations(&imported);
    let said = |row: usize| rows[row].failure.as_ref().map(|failure| (failure.class, failure.message.as_str()));
    assert_eq!(said(1), Some((FailureClass::Implausible, "decoding took 0.21 ms (wall_ms), below the floor of 1 ms")));
    assert_eq!(metric(rows[1], "wall_ms"), Some((0.21, "ms")), "the number stays, for another floor");
    assert_eq!(said(4), Some((FailureClass::Implausible, "success, and wall_ms is NaN")));
    assert_eq!(metric(rows[4], "wall_ms"), None);
    assert_eq!(
        said(5),
        Some((FailureClass::Implausible, "success, and no wall_ms or latency_ms or inference_total_s"))
    );
    assert_eq!(said(6), Some((FailureClass::OutOfMemory, "CUDA out of memory")));
    assert_eq!(rows[0].key.get("token_len"), Some(&Scalar::Int(8)));
    assert_eq!(rows[0].key.get("triton_verified"), Some(&Scalar::Bool(false)));
    assert_eq!(rows[6].key.get("compile_meta.graphs"), Some(&Scalar::Int(1)));
    assert_eq!(imported.from.files[0].ignored, ["compile_meta.breaks"]);
    assert_eq!(rows[7].arm.as_deref(), Some("default"));
}

#[test]
fn a_status_counts_with_what_stands_beside_it() {
    for (row, expected) in [
        (r#""status": "ok", "wall_ms": 9.0"#, Outcome::Ok),
        (r#""status": "Success", "wall_ms": 9.0, "error": "", "message": "warmed up""#, Outcome::Ok),
        (r#""status": true, "wall_ms": 9.0"#, Outcome::Ok),
        (r#""status": "ok", "wall_ms": 9.0, "error": "Traceback""#, Outcome::Crashed),
        (r#""status": "unheard-of", "wall_ms": 9.0"#, Outcome::Crashed),
        (r#""status": null, "wall_ms": 9.0"#, Outcome::Crashed),
        (r#""status": "Timed Out", "wall_ms": 9.0"#, Outcome::Hung),
        (r#""status": "skip-marker", "wall_ms": 0.0"#, Outcome::Skipped),
        (r#""status": "ok", "mode": "prefill", "wall_ms": 0.5, "decode_tokens": 0"#, Outcome::Ok),
        (r#""status": "ok", "mode": "e2e_kv", "wall_ms": 9.0, "decode_tokens": 0"#, Outcome::FellThrough),
        (r#""status": "ok", "mode": "kv_decode", "inference_total_s": 0.0009"#, Outcome::FellThrough),
        (r#""status": "ok", "mode": "kv_decode", "wall_ms": 1.0"#, Outcome::Ok),
        (r#""status": "ok", "wall_ms": 0"#, Outcome::FellThrough),
        (r#""status": "ok", "wall_ms": 9.0, "tokps": -Infinity"#, Outcome::FellThrough),
        (r#""status": "ok", "wall_ms": "9.0""#, Outcome::FellThrough),
        (r#""status": "ok", "wall_ms": 9.0, "ttft_ms": -0.1"#, Outcome::FellThrough),
        (r#""status": "ok", "wall_ms": 9.0, "ttft_delta_ms": -0.1"#, Outcome::Ok),
        (r#""status": "error", "wall_ms": -9.0"#, Outcome::Crashed),
    ] {
        assert_eq!(imported_outcomes(Kind::Tr147, "r.jsonl", &format!("{{{row}}}")), [expected], "{row}");
    }
}

#[test]
fn a_lack_of_memory_is_told_by_whole_words() {
    let class = |message: &str| super::observe::crash(message).class;
    for message in [
        "CUDA out of memory",
        "torch.OutOfMemoryError: tried to allocate",
        "CUDA_ERROR_OUT_OF_MEMORY",
        "status oom",
        "OOM-killed",
        "OOMKilled",
    ] {
        assert_eq!(class(message), FailureClass::OutOfMemory, "{message}");
    }
    for message in ["boom", "no room left for rank 0", "the zoom kernel failed", "out of bounds memory access"] {
        assert_eq!(class(message), FailureClass::Exception, "{message}");
    }
}

#[test]
fn a_repetition_counts_once() {
    let head = "model,backend,scenario,repetition,latency_ms,tokens,status\n";
    let row = "m,eager,s,8,0.5,3,ok\n";
    let error = refused(Kind::Tr126, "m.csv", &format!("{head}{row}m,eager,s,8,0.7,3,error\n"));
    let told =
        "m.csv, line 3: the repetition of line 2 again (backend eager, model m, repetition 8, scenario s, tokens 3)";
    assert!(error.starts_with(told), "{error}");
    for other in ["m,eager,s,9,0.5,3,ok\n", "m,eager,t,8,0.5,3,ok\n", "m,eager,s,8,0.5,4,ok\n"] {
        assert_eq!(imported_outcomes(Kind::Tr126, "m.csv", &format!("{head}{row}{other}")).len(), 2, "{other}");
    }
    let unnumbered = "model,backend,latency_ms,status\nm,eager,0.5,ok\nm,eager,0.5,ok\n";
    assert_eq!(imported_outcomes(Kind::Tr126, "m.csv", unnumbered).len(), 2, "nothing says that these are one");
}

#[test]
fn tr147_also_reads_the_gpt_fast_probe_and_the_older_csv() {
    let imported = imported(Kind::Tr147, &[fixture!("tr147_gptfast.jsonl"), fixture!("tr147_v1.csv")]);
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::Crashed, Outcome::Ok, Outcome::Crashed]);
    let rows = observations(&imported);
    assert_eq!(metric(rows[0], "tokps"), Some((107.49, "tok/s")));
    assert_eq!(metric(rows[0], "bandwidth_gbps"), Some((1420.48, "GB/s")));
    assert_eq!(metric(rows[0], "decode_ms_per_tok"), Some((8.86, "ms/tok")));
    assert_eq!(rows[1].failure.as_ref().map(|f| f.message.as_str()), Some("BackendCompilerFailed: ..."));
    assert_eq!(rows[3].failure.as_ref().map(|f| f.message.as_str()), Some("RuntimeError: graph, broken"));
    assert_eq!(rows[3].source, "tr147_v1.csv");
    assert!(refused(Kind::Tr147, "r.jsonl", "{\"wall_ms\": 1}").contains("line 1: no field status"));
    assert!(refused(Kind::Tr147, "r.jsonl", "{\"status\": \"ok\"}").contains("no field wall_ms or latency_ms"));
}

#[test]
fn tr126_counts_errors_and_impossible_times_as_what_they_are() {
    let imported = imported(Kind::Tr126, &[fixture!("tr126_metrics.csv")]);
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::Crashed, Outcome::Ok, Outcome::FellThrough]);
    let rows = observations(&imported);
    assert_eq!(metric(rows[2], "tokens_per_s"), Some((400.75, "tok/s")));
    assert_eq!(rows[3].failure.as_ref().map(|f| f.message.as_str()), Some("success in -3 ms: no work takes that"));
    assert_eq!(rows[1].failure.as_ref().map(|f| f.message.as_str()), Some("AssertionError"));
}

#[test]
fn treni_arms_modes_and_deltas_become_rows_of_a_printed_table() {
    let imported = imported(Kind::Treni, &[fixture!("treni_summary_ab3.json")]);
    let rows = summaries(&imported);
    let paths: Vec<String> = rows.iter().map(|row| row.values["path"].value.as_ref().unwrap().to_string()).collect();
    assert_eq!(paths, ["warm.off", "warm.on", "warm.delta_on_minus_off", "cold.seeds.1", "cold.seeds.2"]);
    assert_eq!(cell(rows[0], "flag"), (Some(&Scalar::Text("LINEAR_U16_FAST_COMPUTE".into())), "text", None));
    assert_eq!(cell(rows[2], "request_mean_ms"), (Some(&Scalar::Float(-0.33)), "ms", None));
    assert_eq!(rows[2].derived, ["request_mean_ms", "p95_ms", "p99_ms"]);
    assert!(rows[0].derived.is_empty());
    assert_eq!(cell(rows[4], "full_ms"), (Some(&Scalar::Text("NaN".into())), "ms", None));
    assert_eq!(imported.observations(), 0);
    assert!(
        refused(Kind::Treni, "s.json", "{\"parity\": {\"failed\": 0}}")
            .contains("no object with a number that has a unit")
    );
}

#[test]
fn tr117_runs_and_samples_are_raw_rows() {
    let imported = imported(Kind::Tr117, &[fixture!("tr117_runs.json"), fixture!("tr117_chunk_metrics.csv")]);
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::FellThrough, Outcome::Ok, Outcome::Ok]);
    let rows = observations(&imported);
    assert_eq!(metric(rows[0], "lag_p99_ms"), Some((16.13, "ms")));
    assert_eq!(metric(rows[0], "chunks_per_s"), Some((197.0, "chunk/s")));
    assert_eq!(rows[0].key, BTreeMap::from([("run".to_owned(), Scalar::Int(1))]));
    assert_eq!(metric(rows[2], "bytes"), Some((102.0, "byte")));
    assert_eq!(rows[3].arm.as_deref(), Some("insight"));
    assert!(refused(Kind::Tr117, "r.json", "[{\"run\": 1, \"efficiency\": 86.8}]").contains("no number with a unit"));
}

#[test]
fn vllm_bench_gives_a_summary_for_each_run_and_its_requests() {
    let imported = imported(Kind::VllmBench, &[fixture!("vllm_bench.json")]);
    let runs = summaries(&imported);
    assert_eq!(runs.len(), 2);
    assert_eq!(cell(runs[0], "request_throughput"), (Some(&Scalar::Float(0.8)), "req/s", None));
    assert_eq!(cell(runs[0], "request_rate"), (Some(&Scalar::Text("inf".into())), "text", None));
    assert_eq!(cell(runs[1], "request_rate"), (Some(&Scalar::Float(8.0)), "req/s", None));
    assert_eq!(cell(runs[0], "mean_tpot_ms"), (Some(&Scalar::Text("NaN".into())), "ms", None));
    assert_eq!(cell(runs[0], "completed"), (Some(&Scalar::Int(2)), "count", Some(0.0)));
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::Ok, Outcome::Crashed, Outcome::FellThrough]);
    let requests = observations(&imported);
    assert_eq!(metric(requests[0], "ttft"), Some((0.0412, "s")));
    assert_eq!(metric(requests[0], "itl_count"), Some((2.0, "count")));
    assert_eq!(requests[0].arm.as_deref(), Some("candidate"));
    assert_eq!(imported.from.files[0].ignored, ["generated_texts"]);
    let good = include_str!("../../tests/fixtures/import/vllm_bench.json");
    let short = good.replacen("\"ttfts\": [0.0412, ", "\"ttfts\": [", 1);
    let error = refused(Kind::VllmBench, "v.json", &short);
    assert!(error.starts_with("v.json, run 1, field ttfts: 3 entries where the lists before it have 4"), "{error}");
    let nan = imported_outcomes(Kind::VllmBench, "v.json", &good.replacen("0.0412", "NaN", 1));
    assert_eq!(nan[0], Outcome::FellThrough);
    assert!(refused(Kind::VllmBench, "v.json", "{}").contains("run 1, field duration: absent where a number"));
}

fn imported_outcomes(kind: Kind, name: &str, text: &str) -> Vec<Outcome> {
    outcomes(&imported(kind, &[InputFile::new(name, text.as_bytes().to_vec())]))
}

#[test]
fn aiperf_statistics_are_summaries_and_its_requests_have_typed_outcomes() {
    let imported = imported(Kind::Aiperf, &[fixture!("aiperf.json"), fixture!("aiperf.jsonl")]);
    let metrics = summaries(&imported);
    assert_eq!(metrics.len(), 2);
    assert_eq!(cell(metrics[0], "avg"), (Some(&Scalar::Float(8.25)), "requests/sec", None));
    assert_eq!(cell(metrics[1], "count"), (Some(&Scalar::Int(100)), "count", Some(0.0)));
    assert!(imported.from.files[0].ignored.is_empty(), "{:?}", imported.from.files[0].ignored);
    // Every row says which version and which model it is of.
    for row in &metrics {
        assert_eq!(cell(row, "schema_version"), (Some(&Scalar::Text("1.0".into())), "text", None));
        assert_eq!(cell(row, "input_config.endpoint.model_names.1"), (Some(&Scalar::Text("m".into())), "text", None));
        assert_eq!(cell(row, "was_cancelled"), (Some(&Scalar::Bool(false)), "bool", None));
    }
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::Skipped, Outcome::Crashed, Outcome::FellThrough]);
    let requests = observations(&imported);
    assert_eq!(metric(requests[0], "time_to_first_token"), Some((255.9, "ms")));
    assert_eq!(requests[0].key.get("request_start_ns"), Some(&Scalar::Int(1_759_813_207_532_900_363)));
    assert_eq!(requests[2].failure.as_ref().map(|failure| failure.class), Some(FailureClass::OutOfMemory));
    let unitless = "{\"metadata\": {}, \"metrics\": {\"x\": {\"value\": 1}}}";
    assert!(refused(Kind::Aiperf, "a.jsonl", unitless).contains("a.jsonl, line 1, metric x: an object of 1 keys"));
    assert!(refused(Kind::Aiperf, "a.json", "{\"x\": {\"avg\": 1}}").contains("a.json, x: a metric without a unit"));
}

#[test]
fn what_stands_beside_aiperfs_metrics_and_fits_no_column_is_named() {
    let long = "x".repeat(401);
    let text = format!(
        r#"{{"latency": {{"unit": "ms", "avg": 1.5}}, "avg": 3, "note": "{long}", "seen": {:?}, "gone": null}}"#,
        [0; 17]
    );
    let imported = imported(Kind::Aiperf, &[InputFile::new("a.json", text.into_bytes())]);
    let rows = summaries(&imported);
    assert_eq!(rows.len(), 1);
    assert_eq!(cell(rows[0], "avg"), (Some(&Scalar::Float(1.5)), "ms", None), "the metric's own statistic");
    assert_eq!(imported.from.files[0].ignored, ["avg", "note", "seen"]);
    assert_eq!(rows[0].values.keys().collect::<Vec<_>>(), ["avg", "metric"]);
}

#[test]
fn a_vllm_run_with_numbers_that_no_run_can_have_is_refused_with_its_field() {
    let good = include_str!("../../tests/fixtures/import/vllm_bench.json");
    for (from, to, told) in [
        ("\"duration\": 2.5", "\"duration\": -1", "run 1, field duration: -1 where a time above 0 is expected"),
        ("\"duration\": 2.4", "\"duration\": 0", "run 2, field duration: 0 where a time above 0 is expected"),
        ("\"completed\": 4", "\"completed\": -4", "run 2, field completed: -4 where a number of at least 0"),
        ("\"mean_ttft_ms\": 39.75", "\"mean_ttft_ms\": -0.5", "run 2, field mean_ttft_ms: -0.5 where a number of"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = refused(Kind::VllmBench, "v.json", &good.replacen(from, to, 1));
        assert!(error.starts_with(&format!("v.json, {told}")), "{error}");
    }
}

#[test]
fn optimum_benchmark_keeps_means_apart_from_the_times_behind_them() {
    let imported = imported(Kind::OptimumBenchmark, &[fixture!("optimum_report.json")]);
    let rows = summaries(&imported);
    assert_eq!(rows.len(), 6);
    let decode = rows.iter().find(|row| row.values["target"].value == Some(Scalar::Text("decode".into()))).unwrap();
    assert_eq!(cell(decode, "mean"), (Some(&Scalar::Float(0.34)), "s", None));
    assert_eq!(cell(decode, "stdev_"), (Some(&Scalar::Float(70.7)), "percent", None));
    assert!(decode.derived.contains(&"mean".to_owned()));
    assert_eq!(outcomes(&imported), [Outcome::Ok, Outcome::Ok, Outcome::Ok, Outcome::FellThrough]);
    assert_eq!(metric(observations(&imported)[1], "latency"), Some((0.5, "s")));
    let whole = format!(
        "{{\"config\": {{}}, \"report\": {}}}",
        include_str!("../../tests/fixtures/import/optimum_report.json")
    );
    assert_eq!(imported_outcomes(Kind::OptimumBenchmark, "benchmark.json", &whole).len(), 4);
    let unitless = "{\"decode\": {\"latency\": {\"values\": [1.0]}}}";
    assert!(
        refused(Kind::OptimumBenchmark, "o.json", unitless).contains("o.json, decode.latency: an object of 1 keys")
    );
}

#[test]
fn hyperfine_runs_carry_their_exit_codes() {
    let imported = imported(Kind::Hyperfine, &[fixture!("hyperfine.json")]);
    let results = summaries(&imported);
    assert_eq!(cell(results[0], "mean"), (Some(&Scalar::Float(0.10142)), "s", None));
    assert_eq!(results[0].derived, ["mean", "stddev", "median", "min", "max"]);
    assert_eq!(cell(results[0], "delay"), (Some(&Scalar::Text("0.1".into())), "text", None));
    use Outcome::{Crashed, Ok};
    assert_eq!(outcomes(&imported), [Ok, Ok, Ok, Crashed, Crashed]);
    let runs = observations(&imported);
    assert_eq!(metric(runs[0], "memory_usage"), Some((2_097_152.0, "byte")));
    assert_eq!(runs[3].failure.as_ref().and_then(|failure| failure.exit_status), Some(1));
    assert_eq!(runs[4].failure.as_ref().map(|failure| failure.class), Some(FailureClass::Died));
    let good = include_str!("../../tests/fixtures/import/hyperfine.json");
    let short = refused(Kind::Hyperfine, "h.json", &good.replacen("[0, 0, 0]", "[0]", 1));
    assert!(short.starts_with("h.json, result 1, field exit_codes: 1 entries for 3 times"), "{short}");
    assert_eq!(
        imported_outcomes(Kind::Hyperfine, "h.json", &good.replacen("0.1010, 0", "NaN, 0", 1))[0],
        Outcome::FellThrough
    );
}

#[test]
fn a_parameter_of_hyperfine_takes_no_measured_name_and_no_time_is_below_zero() {
    let result = |more: &str| {
        format!(r#"{{"results": [{{"command": "a", "mean": 1.5, "min": 1.0, "times": [1.0, 2.0]{more}}}]}}"#)
    };
    let text = result(r#", "parameters": {"mean": "9", "command": "b", "run": "7", "threads": "2"}"#);
    let imported = imported(Kind::Hyperfine, &[InputFile::new("h.json", text.into_bytes())]);
    let printed = summaries(&imported)[0];
    assert_eq!(cell(printed, "mean"), (Some(&Scalar::Float(1.5)), "s", None));
    assert_eq!(cell(printed, "command").0, Some(&Scalar::Text("a".into())));
    assert_eq!(cell(printed, "parameter.mean").0, Some(&Scalar::Text("9".into())));
    assert_eq!(cell(printed, "parameter.command").0, Some(&Scalar::Text("b".into())));
    assert_eq!(cell(printed, "threads").0, Some(&Scalar::Text("2".into())));
    let runs = observations(&imported);
    assert_eq!(runs[1].key.get("run"), Some(&Scalar::Int(1)));
    assert_eq!(runs[1].key.get("parameter.run"), Some(&Scalar::Text("7".into())));
    for (name, value) in [("mean", "-1.5"), ("min", "-3"), ("user", "-0.1")] {
        let text = match name {
            "user" => result(&format!(r#", "user": {value}"#)),
            _ => {
                result("").replacen(&format!("\"{name}\": 1."), &format!("\"{name}\": {value}, \"was {name}\": 1."), 1)
            }
        };
        let error = refused(Kind::Hyperfine, "h.json", &text);
        assert!(error.starts_with(&format!("h.json, result 1, field {name}: {value}: no command")), "{error}");
    }
}

#[test]
fn the_same_files_give_the_same_journal_and_others_another_run() {
    let import_with = |axes: Axes| import(Kind::Table, &[fixture!("table.json")], &plan(), axes).unwrap();
    let plain = import_with(Axes::new());
    assert_eq!(plain.encode().unwrap(), import_with(Axes::new()).encode().unwrap());
    let stated = import_with(axes(&["torch=2.6.0".into(), "gpu = NVIDIA A100".into()]).unwrap());
    assert_ne!(plain.run, stated.run);
    let other = InputFile::new("table.json", [&fixture!("table.json").bytes[..], b"\n"].concat());
    assert_ne!(plain.run, imported(Kind::Table, &[other]).run, "one byte more is another run");
    assert_eq!(stated.from.axes.get("gpu").map(String::as_str), Some("NVIDIA A100"));
    assert_eq!(stated.from.axes.len(), 2, "an axis that nobody stated stays unknown");
    let Record::Header(header) = &stated.records[0] else { panic!("a journal starts with a header") };
    assert_eq!((header.plan_sha256, &header.host, &header.started_at), (plan().sha256, &None, &None));
}

#[test]
fn an_axis_is_known_given_once_and_has_a_value() {
    let refused = |given: &[&str]| axes(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap_err();
    assert!(refused(&["tritn=3.4.0"]).to_string().contains("there is no axis \"tritn\"; did you mean `triton`?"));
    assert!(refused(&["triton"]).to_string().contains("give NAME=VALUE"));
    assert!(refused(&["triton="]).to_string().contains("leave the axis out"));
    assert!(refused(&["triton=3", "triton=4"]).to_string().contains("given twice"));
}

#[test]
fn a_file_of_another_kind_or_without_rows_is_refused_with_what_to_try() {
    assert!(refused(Kind::Tr126, "m.json", "[]").contains("the name ends in none of .csv"));
    let empty = refused(Kind::Tr147, "r.jsonl", "\n");
    assert_eq!(
        empty,
        "r.jsonl hold no row that the kind `tr147` reads; look whether the file was cut, or is of another kind"
    );
    assert!(refused(Kind::Hyperfine, "h.json", "{\"results\": 1}").contains("h.json, results: no list of results"));
}
