//! Faults in journals of what others printed and measured, chained and sealed again after each.

use serde_json::{Value, json};

use crate::bases::GOOD;
use crate::draft::Draft;
use crate::mutation::{Mutation, in_import};
use crate::reports::{RAW, TR117, TR165};

/// Changes a cell of every printed row for which `which` holds.
fn cell(d: &mut Draft, table: &'static str, column: &str, which: impl Fn(&Value) -> bool, change: impl Fn(&mut Value)) {
    let is = move |row: &Value| row["table"] == table && which(&row["values"]);
    d.change("summary", is, |row| change(&mut row["values"][column]));
}

/// The printed row whose model is gemma3: its 100 tok/s lie on the edge of a band, unless they are taken to the last digit.
fn on_the_edge(d: &mut Draft, change: impl Fn(&mut Value)) {
    cell(d, "tr117_ranking", "tok_s", |row| row["model"]["value"] == "gemma3", change);
}

fn of_table(table: &'static str) -> impl Fn(&Value) -> bool {
    move |row| row["table"] == table
}

fn any(_: &Value) -> bool {
    true
}

pub fn tables() -> Vec<Mutation> {
    vec![
        in_import("imported: a number loses its resolution", &TR117, |d| {
            on_the_edge(d, |cell| drop(cell.as_object_mut().expect("a cell").remove("resolution")));
        }),
        in_import("imported: a resolution is negative", &TR117, |d| {
            on_the_edge(d, |it| it["resolution"] = json!(-0.5))
        }),
        in_import("imported: a number becomes a text", &TR117, |d| on_the_edge(d, |cell| cell["value"] = json!("100"))),
        in_import("imported: a number becomes a text without a resolution", &TR117, |d| {
            on_the_edge(d, |cell| *cell = json!({"value": "many", "unit": "tok/s"}));
        }),
        in_import("imported: a number is edited", &TR117, |d| on_the_edge(d, |cell| cell["value"] = json!(1_100))),
        in_import("imported: a number is emptied", &TR117, |d| {
            on_the_edge(d, |cell| *cell = json!({"value": null, "unit": "tok/s"}));
        }),
        in_import("imported: a share becomes percent", &TR165, |d| {
            cell(d, "tr165_n2_efficiency", "tr165_eff", any, |cell| cell["unit"] = json!("percent"));
        }),
        in_import("imported: a share becomes a time", &TR165, |d| {
            cell(d, "tr165_n2_efficiency", "tr165_eff", any, |cell| cell["unit"] = json!("ms"));
        }),
        in_import("imported: a row of a table stands twice", &TR165, |d| {
            let at = d.first("summary", any);
            let line = d.lines[at].clone();
            d.lines.insert(at, line);
        }),
        in_import("imported: rows of a table change places", &TR165, |d| {
            let at = d.first("summary", |summary| summary["row"] == 1);
            d.lines.swap(at, at + 1);
        }),
        in_import("imported: a row of a table is taken out", &TR165, |d| {
            let at = d.first("summary", |summary| summary["row"] == 2);
            d.lines.remove(at);
        }),
        in_import("imported: the last row of a table is taken out", &TR165, |d| {
            let last = *d.all("summary", of_table("tr165_hang_ledger")).last().expect("it has rows");
            d.lines.remove(last);
        }),
        in_import("imported: a table is taken out", &TR165, |d| d.remove("summary", of_table("tr165_n2_efficiency"))),
        in_import("imported: a table that no hypothesis reads is taken out", &TR165, |d| {
            d.remove("summary", of_table("tr165_headline"));
        })
        .told_in("imported/summaries"),
        in_import("imported: two tables change names", &TR117, |d| {
            let names = ["tr117_per_run", "tr117_throttled"];
            d.change(
                "summary",
                |row| row["table"] == names[0] || row["table"] == names[1],
                |row| {
                    row["table"] = json!(if row["table"] == names[0] { names[1] } else { names[0] });
                },
            );
        }),
    ]
}

pub fn headers() -> Vec<Mutation> {
    vec![
        in_import("imported: a measured row stands in it", &TR165, |d| {
            let row = GOOD.draft.lines[GOOD.draft.first("row", any)].clone();
            d.lines.insert(1, row);
        }),
        in_import("imported: a launch starts in it", &TR165, |d| {
            let start = GOOD.draft.lines[GOOD.draft.first("launch_start", any)].clone();
            d.lines.insert(1, start);
        }),
        in_import("imported: the header says when and by what it was measured", &TR165, |d| {
            let measured = GOOD.draft.value(0);
            d.header(|header| {
                for key in ["started_at", "tool", "host"] {
                    header[key] = measured[key].clone();
                }
            });
        }),
        in_import("imported: the header says that it was measured", &TR165, |d| {
            let measured = GOOD.draft.value(0);
            d.header(|header| {
                for key in ["started_at", "tool", "host", "lanes", "signals"] {
                    header[key] = measured[key].clone();
                }
                header["imported"] = json!(null);
            });
        }),
        in_import("imported: the header says that it was measured, and holds no table", &TR165, |d| {
            let measured = GOOD.draft.value(0);
            d.header(|header| {
                for key in ["started_at", "tool", "host", "lanes", "signals"] {
                    header[key] = measured[key].clone();
                }
                header["imported"] = json!(null);
            });
            d.remove("summary", any);
        }),
        in_import("imported: the header names no file", &TR165, |d| {
            d.header(|header| header["imported"]["files"] = json!([]));
        }),
        in_import("imported: it was imported with another plan", &TR165, |d| {
            d.header(|header| header["plan_sha256"] = json!(TR117.design.digest().to_string()));
        }),
        in_import("imported: the header claims an axis", &TR165, |d| {
            d.header(|header| header["imported"]["axes"] = json!({"gpu": "NVIDIA H200"}));
        })
        .told_in("imported/axes"),
        in_import("imported: the seal is gone", &TR165, |d| drop(d.lines.pop())),
        in_import("imported: the journal ends in the middle", &TR165, |d| d.lines.truncate(d.lines.len() / 2)),
        in_import("imported: the journal ends in the middle and is sealed there", &TR165, |d| {
            let seal = d.lines.pop().expect("the last line is the seal");
            d.lines.truncate(d.lines.len() / 2);
            d.lines.push(seal);
        }),
        in_import("imported: a later segment is of another import", &TR165, |d| {
            let mut header = d.value(0);
            (header["segment"], header["run"]) = (json!(1), json!("another"));
            d.insert(d.lines.len() - 1, &header);
        }),
    ]
}

fn in_arm(arm: &'static str) -> impl Fn(&Value) -> bool {
    move |row| row["arm"] == arm && row["outcome"] == "ok"
}

pub fn rows() -> Vec<Mutation> {
    vec![
        in_import("imported: a raw row is of a file that the header does not name", &RAW, |d| {
            d.change_first("observation", any, |row| row["source"] = json!("other.jsonl"));
        }),
        in_import("imported: a raw row stands twice", &RAW, |d| {
            let at = d.first("observation", any);
            let line = d.lines[at].clone();
            d.lines.insert(at, line);
        }),
        in_import("imported: a metric has no unit", &RAW, |d| {
            let unit =
                |row: &mut Value| drop(row["metrics"]["wall_ms"].as_object_mut().expect("a metric").remove("unit"));
            d.change_first("observation", any, unit);
        }),
        in_import("imported: a metric is in another unit in one row", &RAW, |d| {
            d.change_first("observation", in_arm("default"), |row| row["metrics"]["wall_ms"]["unit"] = json!("s"));
        }),
        in_import("imported: the time of an ok raw row is negative", &RAW, |d| {
            d.change_first("observation", in_arm("default"), |row| row["metrics"]["wall_ms"]["value"] = json!(-50.0));
        }),
        in_import("imported: a raw row is ok and names a failure", &RAW, |d| {
            d.change_first("observation", in_arm("default"), |row| {
                row["failure"] = json!({"class": "exception", "message": "it broke"});
            });
        }),
        in_import("imported: a raw row failed and does not say why", &RAW, |d| {
            d.change_first("observation", in_arm("default"), |row| row["outcome"] = json!("crashed"));
        }),
        in_import("imported: raw rows that crashed are ok", &RAW, |d| {
            d.change(
                "observation",
                |row| row["outcome"] == "crashed",
                |row| {
                    row["outcome"] = json!("ok");
                    row.as_object_mut().expect("a row").remove("failure");
                },
            );
        }),
        in_import("imported: raw rows that crashed are taken out", &RAW, |d| {
            d.remove("observation", |row| row["outcome"] == "crashed");
        }),
        in_import("imported: the arms of raw rows change names", &RAW, |d| {
            d.change("observation", any, |row| {
                row["arm"] = json!(if row["arm"] == "eager" { "default" } else { "eager" });
            });
        }),
        in_import("imported: the times of an arm are null, as JSON writes NaN", &RAW, |d| {
            d.change("observation", in_arm("default"), |row| row["metrics"]["wall_ms"]["value"] = json!(null));
        }),
        in_import("imported: the times of an arm are in another unit", &RAW, |d| {
            d.change("observation", in_arm("default"), |row| row["metrics"]["wall_ms"]["unit"] = json!("us"));
        }),
        in_import("imported: the times of an arm are gone", &RAW, |d| {
            d.change("observation", in_arm("default"), |row| row["metrics"] = json!({}));
        }),
    ]
}
