//! Faults in times and in what was produced.

use serde_json::{Value, json};

use crate::bases::GOOD;
use crate::draft::{number, of_lane, of_launch, ok_in, put_tokens};
use crate::mutation::{Mutation, in_text, of};

const ALL: [&str; 4] = ["native", "native-again", "native-nocache", "python-reference"];

fn scale(row: &mut Value, keys: &[&str], up: u64, down: u64) {
    for key in keys {
        row[*key] = json!(number(row, key) * up / down);
    }
}

/// The rows of a cell that are ok.
fn in_cell(cell: &str) -> impl Fn(&Value) -> bool {
    let cell = cell.to_owned();
    move |row| row["cell"] == cell.as_str() && row["outcome"] == "ok"
}

/// The cell in which `native` gives this many tokens, the last such in the order of names.
fn cell_with(tokens: usize) -> String {
    let rows = GOOD.draft.all("row", |row| row["tokens"].as_array().is_some_and(|all| all.len() == tokens));
    let cells = rows.into_iter().map(|index| GOOD.draft.value(index)["cell"].as_str().unwrap_or_default().to_owned());
    cells.max().expect("the plan has such a cell")
}

pub fn clocks() -> Vec<Mutation> {
    vec![
        of("time is null, as JSON writes NaN", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["wall_ns"] = json!(null));
        }),
        of("time is the text NaN", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["wall_ns"] = json!("NaN"));
        }),
        of("time is the bare word NaN", &GOOD, |d| in_text(d, "wall_ns", "NaN")),
        of("time is 1e999", &GOOD, |d| in_text(d, "wall_ns", "1e999")),
        of("time is negative", &GOOD, |d| in_text(d, "wall_ns", "-1348237")),
        of("time has a fraction", &GOOD, |d| in_text(d, "wall_ns", "1348237.5")),
        of("time is beyond 64 bits", &GOOD, |d| in_text(d, "wall_ns", "18446744073709551616")),
        of("time is zero", &GOOD, |d| in_text(d, "wall_ns", "0")),
        of("time is the largest number", &GOOD, |d| in_text(d, "wall_ns", "18446744073709551615")),
        of("both clocks say an hour", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                (row["wall_ns"], row["outside_ns"]) = (json!(3_600_000_000_000_u64), json!(3_600_000_100_000_u64));
            });
        }),
        of("time is below the plan's floor", &GOOD, |d| in_text(d, "wall_ns", "999")),
        of("supervisor's clock is shorter than the runner's", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["outside_ns"] = json!(number(row, "wall_ns") - 1));
        }),
        of("supervisor's clock is gone", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["outside_ns"] = json!(null));
        }),
    ]
}

pub fn units() -> Vec<Mutation> {
    vec![
        of("ms for s in one lane's times", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| scale(row, &["wall_ns"], 1_000, 1));
        }),
        of("ms for s in one lane, on both clocks", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| scale(row, &["wall_ns", "outside_ns"], 1_000, 1));
        }),
        of("ms for s in all lanes' times", &GOOD, |d| {
            d.change("row", ok_in(&ALL), |row| scale(row, &["wall_ns"], 1_000, 1));
        }),
        of("ms for s in all lanes, on both clocks", &GOOD, |d| {
            d.change("row", ok_in(&ALL), |row| scale(row, &["wall_ns", "outside_ns"], 1_000, 1));
        }),
        of("s for ms in one lane's times", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| scale(row, &["wall_ns"], 1, 1_000));
        }),
        of("s for ms in all lanes, on both clocks", &GOOD, |d| {
            d.change("row", ok_in(&ALL), |row| scale(row, &["wall_ns", "outside_ns"], 1, 1_000));
        }),
        of("a whole launch took five times as long", &GOOD, |d| {
            let launch = d.launches("native-again")[1];
            let rows = move |row: &Value| of_launch(launch)(row);
            d.change("row", rows, |row| scale(row, &["wall_ns", "outside_ns"], 5, 1));
        }),
    ]
}

pub fn spread() -> Vec<Mutation> {
    vec![
        of("every time of a lane is the same", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| row["wall_ns"] = json!(16_000));
        }),
        of("every time of the two equal lanes is the same", &GOOD, |d| {
            d.change("row", ok_in(&["native", "native-again"]), |row| row["wall_ns"] = json!(16_000));
        }),
        of("one lane's times are copied onto the other", &GOOD, |d| {
            for (from, to) in d.launches("native").into_iter().zip(d.launches("native-again")) {
                copy_times(d, from, to);
            }
        }),
        of("one launch's times are copied onto a later one", &GOOD, |d| {
            let launches = d.launches("native");
            copy_times(d, launches[0], launches[3]);
        }),
        of("the slower half of a lane takes the times of the faster one", &GOOD, |d| {
            for pair in d.launches("native").chunks(2) {
                copy_times(d, pair[0], pair[1]);
            }
        }),
    ]
}

/// Gives launch `to` the window of launch `from`, and each repetition the times that the same one took there.
fn copy_times(d: &mut crate::draft::Draft, from: u64, to: u64) {
    let rows = |d: &crate::draft::Draft, launch| d.all("row", of_launch(launch));
    let sources: Vec<Value> = rows(d, from).into_iter().map(|index| d.value(index)).collect();
    for index in rows(d, to) {
        let mut row = d.value(index);
        let same = |it: &&Value| it["cell"] == row["cell"] && it["rep"] == row["rep"];
        let source = sources.iter().find(same).expect("both launches have the same repetitions").clone();
        (row["wall_ns"], row["outside_ns"]) = (source["wall_ns"].clone(), source["outside_ns"].clone());
        d.set(index, &row);
    }
    let (_, end) = d.span(from);
    let busy = d.value(end)["busy"].clone();
    d.change("launch_end", of_launch(to), |end| end["busy"] = busy.clone());
}

pub fn outputs() -> Vec<Mutation> {
    vec![
        of("no tokens in a row that is ok", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| put_tokens(row, json!([])));
        }),
        of("a token too few", &GOOD, |d| {
            d.change_first(
                "row",
                |row| ok_in(&["native"])(row) && row["tokens"][1] != json!(null),
                |row| {
                    let mut tokens = row["tokens"].clone();
                    tokens.as_array_mut().expect("a list").pop();
                    put_tokens(row, tokens);
                },
            );
        }),
        of("a token too many", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                let mut tokens = row["tokens"].clone();
                tokens.as_array_mut().expect("a list").push(json!(7));
                put_tokens(row, tokens);
            });
        }),
        of("tokens edited, digest left", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["tokens"][0] = json!(1));
        }),
        of("digest edited", &GOOD, |d| {
            let digest = lockstep::terms::Digest::of(b"nothing").to_string();
            d.change_first("row", ok_in(&["native"]), |row| row["output_sha256"] = json!(digest));
        }),
        of("digest of another row's tokens", &GOOD, |d| {
            let rows = d.all("row", ok_in(&["native"]));
            let other = rows.iter().map(|i| d.value(*i)["output_sha256"].clone());
            let other = other.into_iter().find(|it| *it != d.value(rows[0])["output_sha256"]).expect("cells differ");
            d.change_first("row", ok_in(&["native"]), |row| row["output_sha256"] = other.clone());
        }),
        of("digest is gone", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["output_sha256"] = json!(null));
        }),
    ]
}

pub fn other_outputs() -> Vec<Mutation> {
    vec![
        of("other tokens in one row, digest right", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                let mut tokens = row["tokens"].clone();
                tokens[0] = json!((tokens[0].as_u64().unwrap_or(0) + 1) % 512);
                put_tokens(row, tokens);
            });
        }),
        of("other tokens in all lanes of a cell, digest right", &GOOD, |d| {
            d.change("row", in_cell(&cell_with(16)), |row| {
                let mut tokens = row["tokens"].clone();
                tokens[0] = json!((tokens[0].as_u64().unwrap_or(0) + 1) % 512);
                put_tokens(row, tokens);
            });
        })
        .told_in("cells/"),
        of("one lane sampled with another seed", &GOOD, |d| {
            let cell = cell_with(24);
            d.change(
                "row",
                move |row| in_cell(&cell)(row) && of_lane("native-again")(row),
                |row| {
                    let mut tokens = row["tokens"].clone();
                    tokens.as_array_mut().expect("a list").reverse();
                    put_tokens(row, tokens);
                },
            );
        }),
        of("tokens beyond the model's vocabulary", &GOOD, |d| {
            d.change("row", in_cell(&cell_with(16)), |row| {
                let mut tokens = row["tokens"].clone();
                tokens[0] = json!(512);
                put_tokens(row, tokens);
            });
        }),
        of("stop reason is gone", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["stop"] = json!(null));
        }),
        of("stopped at an end of sequence that the cell ignores", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["stop"] = json!("eos"));
        }),
    ]
}
