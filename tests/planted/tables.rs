//! Faults in files of printed tables: each is imported and judged by the plan of the report, whose hypotheses rest on them.

use lockstep::import::InputFile;
use serde_json::{Value, json};

use crate::mutation::{Mutation, in_files};
use crate::reports::{TR117, TR126, TR147, TR165, TRENI, each, file, rows, table, text, without};

const EFFICIENCY: &str = "tr165_n2_efficiency";
const HANGS: &str = "tr165_hang_ledger";
const PREFLIGHT: &str = "tr165_preflight";
const RANKED: &str = "tr165_n2_delta_ranked";
const PREFILL: &str = "tr126_p3_prefill_model";
const CRASHES: &str = "tr147_per_token_crash";
const STATIC: &str = "tr147_static_ada";
const GPT_FAST: &str = "tr147_gptfast_dual";
const RUNS: &str = "tr117_per_run";

fn is(column: &'static str, value: &'static str) -> impl Fn(&Value) -> bool {
    move |row| row[column] == value
}

fn both(one: impl Fn(&Value) -> bool, other: impl Fn(&Value) -> bool) -> impl Fn(&Value) -> bool {
    move |row| one(row) && other(row)
}

fn any(_: &Value) -> bool {
    true
}

/// Multiplies the numbers of columns; what is not printed stays so.
fn scale(row: &mut Value, columns: &[&str], factor: f64) {
    for column in columns {
        if let Some(number) = row[*column].as_f64() {
            row[*column] = json!(number * factor);
        }
    }
}

fn swap(row: &mut Value, one: &str, other: &str) {
    let before = row[one].take();
    row[one] = row[other].take();
    row[other] = before;
}

/// Swaps two values of a column.
fn relabel(files: &mut [InputFile], name: &str, column: &'static str, one: &'static str, other: &'static str) {
    each(files, name, any, |row| {
        if row[column] == one {
            row[column] = json!(other);
        } else if row[column] == other {
            row[column] = json!(one);
        }
    });
}

pub fn form() -> Vec<Mutation> {
    vec![
        in_files("table: the file is empty", &TR165, |files| file(files, HANGS).bytes.clear()),
        in_files("table: the file ends in the middle", &TR165, |files| {
            let bytes = &mut file(files, HANGS).bytes;
            bytes.truncate(bytes.len() / 2);
        }),
        in_files("table: a time is NaN", &TR165, |files| text(files, HANGS, "3146927", "NaN")),
        in_files("table: a time is infinite", &TR165, |files| text(files, HANGS, "3146927", "1e999")),
        in_files("table: a time is a text", &TR165, |files| text(files, HANGS, "3146927", "\"3146927\"")),
        in_files("table: a column has no unit", &TR165, |files| {
            text(files, HANGS, "\"tr165_wall_ms\": \"ms\",", "");
        }),
        in_files("table: a number has no resolution", &TR117, |files| {
            table(files, "tr117_ranking", |it| {
                drop(it["resolution"].as_object_mut().expect("resolutions").remove("tok_s"))
            });
        }),
        in_files("table: a resolution is negative", &TR117, |files| {
            table(files, "tr117_ranking", |it| it["resolution"]["tok_s"] = json!(-1.0));
        }),
        in_files("table: a row has no resolution of its own", &TR117, |files| {
            table(files, "tr117_throttle_claims", |it| it["resolution"]["throttled_pct"] = json!([0.01, 0.01, 0.1]));
        }),
        in_files("table: a row lacks a column", &TR165, |files| {
            each(files, HANGS, is("shape", "H2"), |row| drop(row.as_object_mut().expect("a row").remove("outcome")));
        }),
        in_files("table: it stands in two files", &TR165, |files| {
            let mut again = file(files, HANGS).clone();
            again.name = "again.json".to_owned();
            again.bytes.push(b'\n');
            files.push(again);
        }),
        in_files("table: a file is given twice under two names", &TR165, |files| {
            let again = InputFile { name: "again.json".to_owned(), ..file(files, HANGS).clone() };
            files.push(again);
        }),
    ]
}

pub fn presence() -> Vec<Mutation> {
    vec![
        in_files("table: a row is taken out", &TR165, |files| {
            table(files, HANGS, |it| drop(it["rows"].as_array_mut().expect("rows").remove(0)));
        }),
        in_files("table: a row is taken out of a ranking, the count is corrected", &TR165, |files| {
            without(files, RANKED, |row| row["rank"] == 7);
        }),
        in_files("table: a row is taken out, the count is corrected", &TR165, |files| {
            without(files, HANGS, is("shape", "H1"));
        }),
        in_files("table: one of 24 rows is taken out, the count is corrected", &TR165, |files| {
            rows(files, EFFICIENCY, |rows| drop(rows.remove(3)));
        })
        .told_in("gil-ladder of"),
        in_files("table: survivors only: what still hangs is taken out", &TR165, |files| {
            without(files, HANGS, is("outcome", "hang_or_failure"));
        }),
        in_files("table: survivors only: cells that crash are taken out", &TR147, |files| {
            without(files, CRASHES, |row| row["crashes"] != 0);
        }),
        in_files("table: one arm of a pair is taken out", &TR126, |files| {
            without(files, PREFILL, both(is("model", "gpt2-100m"), is("backend", "eager")));
        }),
        in_files("table: all rows are taken out", &TR165, |files| rows(files, HANGS, Vec::clear)),
        in_files("table: a file is not imported", &TR165, |files| {
            files.retain(|file| file.name != format!("{EFFICIENCY}.json"));
        }),
        in_files("table: a row stands twice", &TR165, |files| {
            rows(files, EFFICIENCY, |rows| rows.push(rows[0].clone()));
        }),
        in_files("table: a column is dropped with its unit", &TR165, |files| {
            table(files, EFFICIENCY, |it| drop(it["units"].as_object_mut().expect("units").remove("v1_eff")));
            each(files, EFFICIENCY, any, |row| drop(row.as_object_mut().expect("a row").remove("v1_eff")));
        }),
        in_files("table: it has another name", &TR126, |files| {
            table(files, PREFILL, |it| it["table"] = json!("tr126_p3_prefil_model"));
        }),
        in_files("table: a signal was not looked at", &TR165, |files| {
            without(files, PREFLIGHT, is("stage", "after torch/transformers/accelerate"));
        }),
        in_files("table: a number of a pair is not printed", &TR117, |files| {
            each(files, RUNS, |row| row["run"] == 3, |row| row["lag_p99_ms"] = json!(null));
        }),
    ]
}

pub fn values() -> Vec<Mutation> {
    vec![
        in_files("table: an efficiency is negative", &TR165, |files| text(files, EFFICIENCY, "0.7226", "-0.7226")),
        in_files("table: a deviation is negative", &TR126, |files| {
            each(files, PREFILL, is("model", "gpt2-100m"), |row| scale(row, &["std_ms"], -1.0));
        }),
        in_files("table: a mean is negative", &TR126, |files| {
            each(files, PREFILL, both(is("model", "gpt2-100m"), is("backend", "eager")), |row| {
                scale(row, &["mean_ms"], -1.0);
            });
        }),
        in_files("table: a mean is of no repetition", &TR126, |files| {
            each(files, PREFILL, is("model", "gpt2-100m"), |row| row["n"] = json!(0));
        }),
        in_files("table: more crashes than attempts", &TR147, |files| {
            each(files, CRASHES, both(is("gpu", "Ada"), |row| row["crashes"] == 60), |row| row["crashes"] = json!(61));
        }),
        in_files("table: a crash rate above one", &TR147, |files| {
            each(files, STATIC, |row| row["crash_rate"] == 0.8, |row| row["crash_rate"] = json!(1.8));
        }),
        in_files("table: crashes are not counted", &TR147, |files| {
            each(files, CRASHES, |row| row["crashes"] == 60, |row| row["crashes"] = json!(0));
        }),
        in_files("table: no tokens: the speed is zero", &TR147, |files| text(files, GPT_FAST, "106.74", "0")),
        in_files("table: nothing survived, and a speed is printed", &TR147, |files| {
            each(files, GPT_FAST, is("variant", "HEAD"), |row| swap(row, "compiled_ok", "compiled_crash"));
        }),
        in_files("table: what hangs is called resolved", &TR165, |files| {
            each(files, HANGS, is("outcome", "hang_or_failure"), |row| row["outcome"] = json!("resolved_cleanly"));
        }),
        in_files("table: what hangs is called resolved, with a rate", &TR165, |files| {
            each(files, HANGS, is("outcome", "hang_or_failure"), |row| {
                (row["outcome"], row["ok_rate"], row["tr165_wall_ms"]) =
                    (json!("resolved_cleanly"), json!(1.0), json!(2_999_000));
            });
        }),
        in_files("table: the GIL was on", &TR165, |files| {
            each(files, PREFLIGHT, is("stage", "before imports"), |row| row["observed"] = json!("True"));
        }),
        in_files("table: a digit is edited", &TR117, |files| text(files, "tr117_throttled_detail", "1.7368", "1.7468")),
        in_files("table: a sign is turned", &TRENI, |files| {
            each(
                files,
                "treni_gate_deltas",
                |row| row["flag"] == "DELAYED_LT_10000" && row["request_ms"] == 0.173,
                |row| scale(row, &["request_ms", "infer_ms", "p99_ms"], -1.0),
            );
        }),
    ]
}

pub fn units() -> Vec<Mutation> {
    vec![
        in_files("table: a share is said to be in percent", &TR165, |files| {
            table(files, EFFICIENCY, |it| it["units"]["tr165_eff"] = json!("percent"));
        }),
        in_files("table: percent under the name of a share", &TR165, |files| {
            each(files, EFFICIENCY, any, |row| scale(row, &["v1_eff"], 100.0));
        }),
        in_files("table: s for ms in one arm", &TR126, |files| {
            each(files, PREFILL, is("backend", "eager"), |row| {
                scale(row, &["mean_ms", "std_ms", "median_ms", "p95_ms", "ci_lo", "ci_hi"], 0.001);
            });
        }),
        in_files("table: s for ms in a lag", &TR117, |files| {
            each(files, RUNS, any, |row| scale(row, &["lag_p99_ms"], 0.001));
        }),
        in_files("table: s for ms in one lane's cold start", &TRENI, |files| {
            each(files, "treni_external_cold", is("backend", "vllm"), |row| {
                scale(row, &["startup_ms", "ttft_ms", "full_ms", "cold_total_ms"], 0.001);
            });
        }),
        in_files("table: digits are said to be exact that were rounded", &TR117, |files| {
            table(files, "tr117_ranking", |it| it["resolution"]["tok_s"] = json!(0.0));
        }),
        in_files("table: digits are said to be coarser than they are", &TR126, |files| {
            table(files, "tr126_cross_phase_gpt2", |it| it["resolution"]["phase3"] = json!(1.0));
        }),
    ]
}

pub fn labels() -> Vec<Mutation> {
    vec![
        in_files("table: two columns change names", &TR165, |files| {
            each(files, EFFICIENCY, any, |row| swap(row, "v1_eff", "tr165_eff"));
        }),
        in_files("table: two arms change names", &TR126, |files| {
            relabel(files, PREFILL, "backend", "compile", "eager");
        }),
        in_files("table: two phases change names", &TR147, |files| {
            relabel(files, STATIC, "mode", "prefill", "kv_decode");
        }),
        in_files("table: two modes of compiling change names", &TR147, |files| {
            relabel(files, STATIC, "compile_mode", "default", "reduce-overhead");
        }),
        in_files("table: two hosts change names", &TR147, |files| relabel(files, CRASHES, "gpu", "Ada", "A100")),
        in_files("table: two variants change names", &TR147, |files| {
            relabel(files, GPT_FAST, "variant", "HEAD", "pinned");
        }),
        in_files("table: a column stands in the opposite order of its runs", &TR117, |files| {
            rows(files, RUNS, |rows| {
                let lags: Vec<Value> = rows.iter().rev().map(|row| row["lag_p99_ms"].clone()).collect();
                rows.iter_mut().zip(lags).for_each(|(row, lag)| row["lag_p99_ms"] = lag);
            });
        }),
    ]
}
