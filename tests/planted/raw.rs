//! Faults in a file of raw rows: it is imported and judged by a plan that is about these rows.

use lockstep::import::InputFile;
use serde_json::{Value, json};

use crate::mutation::{Mutation, in_files};
use crate::reports::RAW;

/// Changes the file's text.
fn text(files: &mut [InputFile], change: impl FnOnce(String) -> String) {
    let before = String::from_utf8(files[0].bytes.clone()).expect("rows are text");
    let after = change(before.clone());
    assert_ne!(before, after, "nothing was planted");
    files[0].bytes = after.into_bytes();
}

/// Changes every row for which `which` holds; nothing in its place takes it out.
fn each(files: &mut [InputFile], which: impl Fn(&Value) -> bool, change: impl Fn(Value) -> Option<Value>) {
    text(files, |before| {
        let rows = before.lines().map(|line| serde_json::from_str(line).expect("a row is JSON"));
        let changed = rows.filter_map(|row: Value| if which(&row) { change(row) } else { Some(row) });
        changed.map(|row| format!("{row}\n")).collect()
    });
}

fn compiled(row: &Value) -> bool {
    row["compile_mode"] == "default"
}

fn crashed(row: &Value) -> bool {
    row["status"] == "error"
}

fn put(key: &'static str, value: Value) -> impl Fn(Value) -> Option<Value> {
    move |mut row| {
        row[key] = value.clone();
        Some(row)
    }
}

fn scale(factor: f64) -> impl Fn(Value) -> Option<Value> {
    move |mut row| {
        row["wall_ms"] = row["wall_ms"].as_f64().map_or(Value::Null, |ms| json!(ms * factor));
        Some(row)
    }
}

pub fn form() -> Vec<Mutation> {
    vec![
        in_files("raw: the file is empty", &RAW, |files| files[0].bytes.clear()),
        in_files("raw: a line is cut", &RAW, |files| {
            text(files, |it| it.replacen("\"wall_ms\":101.0", "\"wall_ms\":", 1))
        }),
        in_files("raw: the time has no unit", &RAW, |files| text(files, |it| it.replace("wall_ms", "wall"))),
        in_files("raw: a row does not say what came of it", &RAW, |files| {
            text(files, |it| it.replacen("\"status\":\"ok\",", "", 1));
        }),
        in_files("raw: a row stands twice", &RAW, |files| {
            text(files, |it| format!("{}\n{it}", it.lines().next().expect("a row")));
        }),
        in_files("raw: a repetition stands twice, with another time", &RAW, |files| {
            text(files, |it| {
                let first = it.lines().next().expect("a row").replace("\"wall_ms\":100.0", "\"wall_ms\":99.0");
                format!("{it}{first}\n")
            });
        }),
        in_files("raw: the file is given twice", &RAW, |files| {
            let again = InputFile { name: "again.jsonl".to_owned(), ..files[0].clone() };
            files.push(again);
        }),
    ]
}

pub fn times() -> Vec<Mutation> {
    vec![
        in_files("raw: the times of an arm are NaN", &RAW, |files| {
            text(files, |it| it.replace("\"wall_ms\":5", "\"wall_ms\":NaN,\"was\":5"));
        }),
        in_files("raw: the times of an arm are negative", &RAW, |files| each(files, compiled, scale(-1.0))),
        in_files("raw: the times of an arm are zero", &RAW, |files| each(files, compiled, scale(0.0))),
        in_files("raw: an arm gave no tokens", &RAW, |files| each(files, compiled, put("decode_tokens", json!(0)))),
        in_files("raw: s for ms in an arm", &RAW, |files| each(files, compiled, scale(0.001))),
        in_files("raw: us for ms in an arm", &RAW, |files| each(files, compiled, scale(1_000.0))),
        in_files("raw: every time of an arm is that of the other", &RAW, |files| each(files, compiled, scale(2.0))),
        in_files("raw: two arms change names", &RAW, |files| {
            text(files, |it| it.replace("eager", "other").replace("default", "eager").replace("other", "default"));
        }),
    ]
}

pub fn outcomes() -> Vec<Mutation> {
    vec![
        in_files("raw: survivors only: what crashed is taken out", &RAW, |files| each(files, crashed, |_| None)),
        in_files("raw: what crashed is called ok", &RAW, |files| {
            each(files, crashed, |mut row| {
                (row["status"], row["error"]) = (json!("ok"), json!(null));
                Some(row)
            });
        }),
        in_files("raw: what crashed is called ok, with a time", &RAW, |files| {
            each(files, crashed, |mut row| {
                (row["status"], row["error"], row["wall_ms"]) = (json!("ok"), json!(null), json!(51.0));
                Some(row)
            });
        }),
        in_files("raw: what crashed is called skipped", &RAW, |files| {
            each(files, crashed, put("status", json!("skipped")))
        }),
        in_files("raw: an arm failed and is called ok", &RAW, |files| {
            each(files, compiled, put("error", json!("RuntimeError: recompile limit")));
        }),
        in_files("raw: an arm is not there", &RAW, |files| each(files, |row| !compiled(row), |_| None)),
    ]
}
