//! Faults in headers, seals and the journal as a whole.

use serde_json::{Value, json};

use crate::bases::{GOOD, RESUMED};
use crate::draft::{Draft, of_lane, ok_in};
use crate::mutation::{Mutation, in_seal, of};

fn second_header(d: &mut Draft, change: impl Fn(&mut Value)) {
    d.change("header", |header| header["segment"] == 1, change);
}

/// A calibration whose state its counts bear out.
fn calibration() -> Value {
    json!({
        "measured_at": "2026-11-20T00:00:00Z", "plan": "quickstart", "plan_sha256": GOOD.plan.digest().to_string(),
        "lane": "native", "binary": GOOD.draft.value(0)["tool"]["binary"], "launches": 4, "alpha": 0.05,
        "pairs": {"verdicts": 200, "found": 40, "rate_interval": [0.146_952, 0.262_184]},
        "order_effects": 0, "contaminated": 0, "state": "failed", "slowdowns": []
    })
}

pub fn whole() -> Vec<Mutation> {
    vec![
        of("the file is empty", &GOOD, |d| d.lines.clear()),
        of("only the header is there", &GOOD, |d| d.lines.truncate(1)),
        of("only header and seal are there", &GOOD, |d| {
            d.lines.drain(1..d.lines.len() - 1);
        }),
        of("the header is gone", &GOOD, |d| drop(d.lines.remove(0))),
        of("the journal ends in the middle", &GOOD, |d| d.lines.truncate(d.lines.len() / 2)),
        of("the journal ends in the middle and is sealed there", &GOOD, |d| {
            let (_, end) = d.span(9);
            let seal = d.lines.pop().expect("the last line is the seal");
            d.lines.truncate(end + 1);
            d.lines.push(seal);
        }),
        of("the seal is gone", &GOOD, |d| drop(d.lines.pop())),
        in_seal("the seal counts a row too many", &GOOD, |d| {
            d.change("seal", |_| true, |seal| seal["rows"] = json!(seal["rows"].as_u64().unwrap_or(0) + 1));
        }),
        in_seal("the seal counts a record too few", &GOOD, |d| {
            d.change("seal", |_| true, |seal| seal["records"] = json!(seal["records"].as_u64().unwrap_or(0) - 1));
        }),
        of("the seal stands twice", &GOOD, |d| d.lines.push(r#"{"type":"seal","rows":0,"records":0}"#.to_owned())),
        of("the run is paused after its seal", &GOOD, |d| {
            d.lines.push(json!({"type": "pause", "reason": "asked to stop"}).to_string());
        }),
        of("a row comes after the seal", &GOOD, |d| {
            let row = d.first("row", ok_in(&["native"]));
            d.relocate(row, d.lines.len() - 1);
        }),
        of("a printed summary stands among measured rows", &GOOD, |d| {
            let summary = json!({"type": "summary", "table": "t", "row": 1, "values": {}});
            d.insert(d.lines.len() - 1, &summary);
        }),
        of("someone else's row stands among measured ones", &GOOD, |d| {
            let observation = json!({"type": "observation", "source": "a.csv", "line": 1, "outcome": "ok"});
            d.insert(d.lines.len() - 1, &observation);
        }),
        of("the measured journal says that it was imported", &GOOD, |d| {
            d.header(|header| header["imported"] = json!({"kind": "table", "files": []}));
        }),
    ]
}

pub fn facts() -> Vec<Mutation> {
    vec![
        of("the header is of a later format", &GOOD, |d| d.header(|header| header["format"] = json!(2))),
        of("the header names another plan by the digest of this one", &GOOD, |d| {
            d.header(|header| header["plan"] = json!("another"));
        }),
        of("the run began at no time of day", &GOOD, |d| d.header(|header| header["started_at"] = json!("yesterday"))),
        of("the clock went backwards: a later segment began earlier", &RESUMED, |d| {
            second_header(d, |header| header["started_at"] = json!("2020-01-01T00:00:00Z"));
        }),
        of("a later segment belongs to another run", &RESUMED, |d| {
            second_header(d, |header| header["run"] = json!("another"));
        }),
        of("segments are numbered with a hole", &RESUMED, |d| second_header(d, |header| header["segment"] = json!(2))),
        of("a segment is split, so that its launches are never compared", &RESUMED, |d| {
            let boot = d.value(0)["host"]["boot"].clone();
            second_header(d, |header| header["host"]["boot"] = boot.clone());
        }),
        of("two segments of one boot have different processors", &RESUMED, |d| {
            let boot = d.value(0)["host"]["boot"].clone();
            second_header(d, |header| {
                header["host"]["boot"] = boot.clone();
                header["host"]["cpu"]["model_name"] = json!("another processor");
            });
        }),
        of("the host has other processors than its windows", &GOOD, |d| {
            d.header(|header| header["host"]["cpu"]["cores"] = json!(2));
        }),
        of("the host's kernel is not the one that its signals show", &GOOD, |d| {
            d.header(|header| header["host"]["kernel"] = json!("6.0.0"));
        }),
        of("the host's processor is another", &GOOD, |d| {
            d.header(|header| header["host"]["cpu"]["model_name"] = json!("another processor"));
        })
        .told_in("journal/segments/0/host"),
        of("another executable of lockstep measured", &GOOD, |d| {
            let other = lockstep::terms::Digest::of(b"another executable").to_string();
            d.header(|header| header["tool"]["binary"] = json!(other));
        })
        .told_in("journal/segments/0/binary"),
        of("a failed calibration passes", &GOOD, |d| {
            d.header(|header| {
                header["calibration"] = calibration();
                header["calibration"]["state"] = json!("passed");
            });
        }),
        of("a calibration's counts slipped, its interval stayed", &GOOD, |d| {
            d.header(|header| {
                header["calibration"] = calibration();
                header["calibration"]["pairs"]["found"] = json!(4);
                header["calibration"]["state"] = json!("passed");
            });
        }),
    ]
}

pub fn lanes() -> Vec<Mutation> {
    vec![
        of("an observed axis contradicts the declared one", &GOOD, |d| {
            d.declaration("native", |lane| lane["observed"]["cache"] = json!("none"));
        }),
        of("an axis is edited where it is declared and where it is observed", &GOOD, |d| {
            d.declaration("native-nocache", |lane| {
                (lane["declared"]["cache"], lane["observed"]["cache"]) = (json!("dynamic"), json!("dynamic"));
            });
        }),
        of("a declared axis is dropped", &GOOD, |d| {
            d.declaration("native", |lane| drop(lane["declared"].as_object_mut().expect("axes").remove("cache")));
        })
        .told_in("lanes/native/declared"),
        of("an observed axis is dropped", &GOOD, |d| {
            d.declaration("native", |lane| drop(lane["observed"].as_object_mut().expect("axes").remove("cache")));
        }),
        of("an axis is observed that nothing shows", &GOOD, |d| {
            d.declaration("native", |lane| lane["observed"]["torch"] = json!("2.11.0"));
        }),
        of("the first looks at a lane are gone", &GOOD, |d| {
            d.remove("preflight", |look| of_lane("native")(look) && !look["launch"].is_u64());
        }),
        of("a lane ran another model", &GOOD, |d| {
            let other = lockstep::terms::Digest::of(b"another model").to_string();
            d.declaration("native", |lane| {
                (lane["declared"]["model"], lane["observed"]["model"]) = (json!(other), json!(other));
            });
        }),
    ]
}

pub fn states() -> Vec<Mutation> {
    vec![
        of("a skipped lane does not say why", &GOOD, |d| {
            d.declaration("native-container", |lane| lane["failure"] = json!(null));
        }),
        of("a skipped lane is ready", &GOOD, |d| {
            d.declaration("native-container", |lane| {
                lane["state"] = json!("ready");
                lane["failure"] = json!(null);
            });
        }),
        of("a ready lane is skipped, its rows stay", &GOOD, |d| {
            let failure = json!({"class": "absent", "message": "it is not here"});
            d.declaration("native-nocache", |lane| {
                (lane["state"], lane["failure"]) = (json!("skipped"), failure.clone());
            });
        }),
        of("a required lane is skipped, its rows are gone", &GOOD, |d| {
            let failure = json!({"class": "absent", "message": "it is not here"});
            for launch in d.launches("native-nocache") {
                d.drop_launch(launch);
            }
            d.renumber();
            d.declaration("native-nocache", |lane| {
                (lane["state"], lane["failure"]) = (json!("skipped"), failure.clone());
            });
        }),
        of("an optional lane that was measured is skipped, its rows are gone", &GOOD, |d| {
            let failure = json!({"class": "absent", "message": "it is not here"});
            for launch in d.launches("python-reference") {
                d.drop_launch(launch);
            }
            d.renumber();
            d.declaration("python-reference", |lane| {
                (lane["state"], lane["failure"]) = (json!("skipped"), failure.clone());
            });
        })
        .told_in("lanes/python-reference/state"),
        of("a locked lane loses its lock", &GOOD, |d| {
            d.declaration("native", |lane| lane["lock"] = json!(null));
        }),
        of("a lane stands twice in the header", &GOOD, |d| {
            d.header(|header| {
                let first = header["lanes"][0].clone();
                header["lanes"].as_array_mut().expect("a list").push(first);
            });
        }),
        of("the lanes stand in another order", &GOOD, |d| {
            d.header(|header| header["lanes"].as_array_mut().expect("a list").swap(0, 1));
        }),
    ]
}
