//! Faults in rows: which there are, where they stand, what came of them.

use serde_json::{Value, json};

use crate::bases::{CRASHED, GOOD, UNLOCKED};
use crate::draft::{Draft, number, of_lane, of_launch, ok_in};
use crate::mutation::{Mutation, of};

fn failure() -> Value {
    json!({"class": "exception", "message": "it broke"})
}

/// Leaves a row without what its work gave.
fn without_result(row: &mut Value) {
    for key in ["wall_ns", "outside_ns", "tokens", "output_sha256", "stop", "evidence"] {
        row.as_object_mut().expect("a row is an object").remove(key);
    }
}

/// Has the row of a line be one that crashed.
fn crash(d: &mut Draft, line: usize) {
    let mut row = d.value(line);
    without_result(&mut row);
    (row["outcome"], row["failure"]) = (json!("crashed"), failure());
    d.set(line, &row);
}

/// Has the row of a line be one that was not attempted, because launches broke down before it.
fn give_up(d: &mut Draft, line: usize) {
    let mut row = d.value(line);
    without_result(&mut row);
    (row["outcome"], row["launch"]) = (json!("skipped"), json!(null));
    row["failure"] = json!({"class": "launch", "message": "not attempted"});
    d.set(line, &row);
}

/// A copy of the first row of `native` behind it, changed.
fn again(d: &mut Draft, change: impl Fn(&mut Value)) {
    let at = d.first("row", ok_in(&["native"]));
    let mut row = d.value(at);
    change(&mut row);
    d.insert(at + 1, &row);
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

pub fn presence() -> Vec<Mutation> {
    vec![
        of("a row twice", &GOOD, |d| again(d, |_| ())),
        of("a repetition twice, as a second attempt", &GOOD, |d| again(d, |row| row["attempt"] = json!(1))),
        of("a second attempt at what was ok, after going on", &CRASHED, |d| {
            let retried = d.first("row", |row| row["attempt"] == 1);
            d.change("row", |row| row["attempt"] == 1, |row| row["rep"] = json!((number(row, "rep") + 1) % 20));
            assert!(retried > 0);
        }),
        of("attempts start at 1", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["attempt"] = json!(1));
        }),
        of("the failed attempt is taken out, its repetition stays", &CRASHED, |d| {
            d.remove("row", |row| row["outcome"] == "crashed");
        }),
        of("survivors only: no failed row is left, attempts renumbered", &CRASHED, |d| {
            d.remove("row", |row| row["outcome"] == "crashed");
            d.change("row", |row| row["attempt"] == 1, |row| row["attempt"] = json!(0));
        }),
        of("survivors only: the slower half of a lane is taken out", &GOOD, |d| {
            let rows = d.all("row", ok_in(&["native-again"]));
            let limit = median(rows.iter().map(|index| number(&d.value(*index), "wall_ns")).collect());
            d.remove("row", move |row| ok_in(&["native-again"])(row) && number(row, "wall_ns") > limit);
        }),
        of("the slowest row of a lane is taken out", &GOOD, |d| {
            let rows = d.all("row", ok_in(&["native-again"]));
            let most = rows.iter().map(|index| number(&d.value(*index), "wall_ns")).max().unwrap_or(0);
            d.remove("row", move |row| ok_in(&["native-again"])(row) && number(row, "wall_ns") == most);
        }),
        of("a repetition beyond the plan", &GOOD, |d| again(d, |row| row["rep"] = json!(20))),
        of("a block beyond the plan", &GOOD, |d| {
            let launch = *d.launches("native").last().expect("it was launched");
            for kind in ["launch_start", "row"] {
                d.change(kind, of_launch(launch), |it| it["block"] = json!(6));
            }
        }),
        of("a warmup repetition is counted", &GOOD, |d| {
            let at = d.first("row", ok_in(&["native"]));
            let mut row = d.value(at);
            row["rep"] = json!(23);
            d.insert(at, &row);
        }),
        of("a cell is dropped from a lane", &GOOD, |d| {
            let cell = d.value(d.first("row", ok_in(&["native"])))["cell"].clone();
            d.remove("row", move |row| of_lane("native-again")(row) && row["cell"] == cell);
        }),
        of("a cell is dropped from every lane", &GOOD, |d| {
            let cell = d.value(d.first("row", ok_in(&["native"])))["cell"].clone();
            d.remove("row", move |row| row["cell"] == cell);
        }),
    ]
}

pub fn places() -> Vec<Mutation> {
    vec![
        of("cell labels are swapped in one lane", &GOOD, |d| swap_cells(d, &["native"])),
        of("cell labels are swapped in every lane", &GOOD, |d| {
            swap_cells(d, &["native", "native-again", "native-nocache", "python-reference"]);
        }),
        of("two repetitions change places", &GOOD, |d| {
            let rows = d.all("row", ok_in(&["native"]));
            d.lines.swap(rows[0], rows[1]);
        }),
        of("a launch's rows stand in the opposite order", &GOOD, |d| {
            let launch = d.launches("native")[2];
            let rows = d.all("row", of_launch(launch));
            let mut lines: Vec<String> = rows.iter().map(|index| d.lines[*index].clone()).collect();
            lines.reverse();
            rows.into_iter().zip(lines).for_each(|(index, line)| d.lines[index] = line);
        }),
        of("two repetitions change labels", &GOOD, |d| {
            let rows = d.all("row", ok_in(&["native"]));
            let cell = d.value(rows[0])["cell"].clone();
            let other = *rows[1..].iter().find(|index| d.value(**index)["cell"] == cell).expect("there are more");
            let (mut a, mut b) = (d.value(rows[0]), d.value(other));
            std::mem::swap(&mut a["rep"], &mut b["rep"]);
            d.set(rows[0], &a);
            d.set(other, &b);
        }),
        of("a row of another plan", &GOOD, |d| {
            let other = lockstep::terms::Digest::of(b"another plan").to_string();
            d.change_first("row", ok_in(&["native"]), |row| row["plan"] = json!(other));
        }),
        of("rows and header of another plan", &GOOD, |d| {
            let other = lockstep::terms::Digest::of(b"another plan").to_string();
            let ours = d.value(0)["plan_sha256"].as_str().unwrap_or_default().to_owned();
            d.lines.iter_mut().for_each(|line| *line = line.replace(&ours, &other));
        }),
        of("a row of a lane that the header does not have", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["lane"] = json!("natve"));
        }),
        of("a row of a cell that the plan does not have", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["cell"] = json!("/00000000"));
        }),
        of("a row of a launch that never started", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["launch"] = json!(99));
        }),
        of("a row of a launch of another lane", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["launch"] = json!(1));
        }),
        of("a row that is ok and names no launch", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["launch"] = json!(null));
        }),
        of("a row with a key that rows do not have", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["speedup"] = json!(2));
        }),
    ]
}

/// Swaps the labels of two cells with the same number of tokens.
fn swap_cells(d: &mut Draft, lanes: &[&'static str]) {
    let tokens = |row: &Value| row["tokens"].as_array().map_or(0, Vec::len);
    let rows = d.all("row", |row| ok_in(&["native"])(row) && tokens(row) == 16);
    let one = d.value(rows[0])["cell"].clone();
    let other = rows.iter().map(|index| d.value(*index)["cell"].clone()).find(|cell| *cell != one);
    let other = other.expect("decoding and the whole request give the same tokens");
    d.change("row", ok_in(lanes), |row| {
        if row["cell"] == one {
            row["cell"] = other.clone();
        } else if row["cell"] == other {
            row["cell"] = one.clone();
        }
    });
}

pub fn outcomes() -> Vec<Mutation> {
    vec![
        of("ok becomes crashed, and nothing else changes", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["outcome"] = json!("crashed"));
        }),
        of("ok becomes crashed with a failure, its numbers stay", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                (row["outcome"], row["failure"]) = (json!("crashed"), failure());
            });
        }),
        of("crashed becomes ok and has no time", &CRASHED, |d| {
            d.change("row", |row| row["outcome"] == "crashed", |row| row["outcome"] = json!("ok"));
        }),
        of("crashed becomes ok with a made-up answer", &CRASHED, |d| {
            let again = d.value(d.first("row", |row| row["attempt"] == 1));
            let launch = d.value(d.first("row", |row| row["outcome"] == "crashed"))["launch"].clone();
            d.change(
                "row",
                |row| row["outcome"] == "crashed",
                |row| {
                    *row = again.clone();
                    (row["attempt"], row["launch"]) = (json!(0), launch.clone());
                },
            );
        }),
        of("a failed row does not say why", &CRASHED, |d| {
            d.change("row", |row| row["outcome"] == "crashed", |row| row["failure"] = json!(null));
        }),
        of("a row is ok and names a failure", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| row["failure"] = failure());
        }),
    ]
}

pub fn breakdowns() -> Vec<Mutation> {
    vec![
        of("ok becomes crashed with a failure and no numbers", &GOOD, |d| {
            let first = d.first("row", ok_in(&["native"]));
            crash(d, first);
        }),
        of("a launch's last repetition becomes crashed, its launch was looked at as it left", &GOOD, |d| {
            let launch = d.launches("native")[0];
            let last = *d.all("row", of_launch(launch)).last().expect("the launch has rows");
            crash(d, last);
        }),
        of("a launch's last repetition becomes crashed, its last look is taken out", &GOOD, |d| {
            let launch = d.launches("native")[0];
            let last = *d.all("row", of_launch(launch)).last().expect("the launch has rows");
            crash(d, last);
            let look = d.first("preflight", |look| look["launch"] == launch && look["stage"] == "at_exit");
            d.lines.remove(look);
        })
        .told_in("lanes/native/outcomes"),
        of("ok becomes skipped", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                without_result(row);
                (row["outcome"], row["failure"]) = (json!("skipped"), failure());
            });
        }),
        of("ok becomes skipped and names no launch", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                without_result(row);
                (row["outcome"], row["failure"], row["launch"]) = (json!("skipped"), failure(), json!(null));
            });
        }),
        of("ok becomes given up in a lane that never broke down", &GOOD, |d| {
            let first = d.first("row", ok_in(&["native"]));
            give_up(d, first);
        }),
        of("ok becomes given up in a lane that broke down before", &CRASHED, |d| {
            let later = d.all("row", ok_in(&["native"]))[400];
            give_up(d, later);
        })
        .told_in("lanes/native/outcomes"),
    ]
}

pub fn paths() -> Vec<Mutation> {
    vec![
        of("the evidence says that another path ran", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| row["evidence"]["cache"] = json!("none"));
        }),
        of("the evidence counts a single forward pass", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| row["evidence"]["forward_passes"] = json!(1));
        }),
        of("the evidence of a lane is gone", &GOOD, |d| {
            d.change("row", ok_in(&["native"]), |row| row["evidence"] = json!({}));
        }),
        of("an unlocked lane's row hides it", &UNLOCKED, |d| {
            d.change_first("row", of_lane("native"), |row| row["unlocked"] = json!(false));
        }),
        of("all of an unlocked lane's rows hide it", &UNLOCKED, |d| {
            d.change("row", of_lane("native"), |row| row["unlocked"] = json!(false));
        }),
        of("an unlocked lane is given a lock, and its rows hide it", &UNLOCKED, |d| {
            let lock = lockstep::terms::Digest::of(b"a lock").to_string();
            d.declaration("native", |lane| lane["lock"] = json!(lock));
            d.change("row", of_lane("native"), |row| row["unlocked"] = json!(false));
        })
        .told_in("lanes/native/unlocked"),
        of("a row of a skipped lane is ok", &GOOD, |d| {
            let ok = d.value(d.first("row", ok_in(&["native"])));
            d.change_first("row", of_lane("native-container"), |row| {
                let (lane, cell, launch) = (row["lane"].clone(), row["cell"].clone(), json!(null));
                *row = ok.clone();
                (row["lane"], row["cell"], row["launch"]) = (lane, cell, launch);
            });
        }),
        of("the rows of a skipped lane say that it crashed", &GOOD, |d| {
            d.change("row", of_lane("native-container"), |row| row["outcome"] = json!("crashed"));
        }),
    ]
}
