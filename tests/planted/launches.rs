//! Faults in launches: which there are, in what order, and what shows which stack ran.

use serde_json::{Value, json};

use crate::bases::{DISOWNED, GOOD, RESUMED};
use crate::draft::{Draft, number, of_lane, of_launch};
use crate::mutation::{Mutation, of};

/// Looks at a launch of the lane, at one stage.
fn looks(lane: &'static str, stage: &'static str) -> impl Fn(&Value) -> bool {
    move |value| of_lane(lane)(value) && value["stage"] == stage && value["launch"].is_u64()
}

fn set_signal(look: &mut Value, name: &str, to: &Value) {
    let signals = look["signals"].as_array_mut().expect("a look has signals");
    signals.iter_mut().filter(|signal| signal["name"] == name).for_each(|signal| signal["value"] = to.clone());
}

/// Swaps two lanes' names in every record after the header.
fn swap_lanes(d: &mut Draft, kinds: &[&str], one: &str, other: &str) {
    for kind in kinds {
        let named = |value: &Value| value["lane"] == one || value["lane"] == other;
        d.change(kind, named, |value| {
            value["lane"] = json!(if value["lane"] == one { other } else { one });
        });
    }
}

const ALL_KINDS: [&str; 3] = ["launch_start", "preflight", "row"];

pub fn presence() -> Vec<Mutation> {
    vec![
        of("a launch is dropped", &GOOD, |d| {
            let launch = d.launches("native-again")[2];
            d.drop_launch(launch);
        }),
        of("a launch is dropped and the others are renumbered", &GOOD, |d| {
            let launch = d.launches("native-again")[2];
            d.drop_launch(launch);
            d.renumber();
        }),
        of("a launch loses its rows", &GOOD, |d| {
            let launch = d.launches("native-again")[2];
            d.remove("row", of_launch(launch));
        }),
        of("a launch stands twice, renumbered, in a block of its own", &GOOD, |d| {
            let (start, end) = d.span(d.launches("native-again")[0]);
            let copy: Vec<String> = d.lines[start..=end].to_vec();
            let seal = d.lines.len() - 1;
            d.lines.splice(seal..seal, copy);
            d.renumber();
        }),
        of("a lane loses its rows", &GOOD, |d| d.remove("row", of_lane("native-again"))),
        of("a lane loses rows and launches", &GOOD, |d| {
            for launch in d.launches("native-again") {
                d.drop_launch(launch);
            }
            d.renumber();
        }),
        of("a lane is dropped from the header, too", &GOOD, |d| {
            for launch in d.launches("native-again") {
                d.drop_launch(launch);
            }
            d.renumber();
            d.remove("preflight", of_lane("native-again"));
            d.header(|header| {
                header["lanes"].as_array_mut().expect("a list").retain(|it| it["lane"] != "native-again")
            });
        }),
        of("a launch's end is gone", &GOOD, |d| {
            let launch = d.launches("native")[1];
            d.remove("launch_end", of_launch(launch));
        }),
        of("the last launch's end is gone", &GOOD, |d| {
            let last = *d.all("launch_end", |_| true).last().expect("launches end");
            d.lines.remove(last);
        }),
        of("a launch ends twice", &GOOD, |d| {
            let (_, end) = d.span(0);
            let line = d.lines[end].clone();
            d.lines.insert(end, line);
        }),
        of("a launch ends before its rows", &GOOD, |d| {
            let (start, end) = d.span(d.launches("native")[1]);
            d.relocate(end, start + 4);
        }),
        of("the run goes on in the middle of a launch", &GOOD, |d| {
            let row = d.all("row", of_launch(0))[70];
            d.insert(row, &json!({"type": "reopen", "reason": "resumed"}));
        }),
    ]
}

pub fn order() -> Vec<Mutation> {
    vec![
        of("lanes of different stacks change names", &GOOD, |d| {
            swap_lanes(d, &ALL_KINDS, "native", "native-nocache");
        }),
        of("two equal lanes change names", &GOOD, |d| swap_lanes(d, &ALL_KINDS, "native", "native-again")),
        of("two equal lanes change names in rows alone", &GOOD, |d| {
            swap_lanes(d, &["row"], "native", "native-again");
        }),
        of("two equal lanes change names and places in their blocks", &GOOD, |d| {
            swap_lanes(d, &ALL_KINDS, "native", "native-again");
            let lanes = |value: &Value| value["lane"] == "native" || value["lane"] == "native-again";
            let starts = d.all("launch_start", lanes);
            for pair in starts.chunks(2) {
                let (mut a, mut b) = (d.value(pair[0]), d.value(pair[1]));
                std::mem::swap(&mut a["position"], &mut b["position"]);
                d.set(pair[0], &a);
                d.set(pair[1], &b);
            }
        }),
        of("a launch's place in its block is edited", &GOOD, |d| {
            d.change_first("launch_start", of_lane("native"), |start| {
                start["position"] = json!(number(start, "position") + 1);
            });
        }),
        of("the clock went backwards: two launches change places", &GOOD, |d| swap_launches(d, false)),
        of("two launches change places and numbers", &GOOD, |d| swap_launches(d, true)),
        of("launch numbers go down", &GOOD, |d| {
            let last = d.launches("native")[5];
            for kind in ["launch_start", "preflight", "row", "launch_end"] {
                d.change(kind, of_launch(last), |it| it["launch"] = json!(0));
            }
        }),
        of("a block is measured before the one before it", &RESUMED, |d| {
            let launches = d.launches("native");
            let (from, to) = (d.span(launches[5]), d.span(launches[4]));
            let later: Vec<String> = d.lines.drain(from.0..=from.1).collect();
            d.lines.splice(to.0..to.0, later);
            d.renumber();
        }),
    ]
}

/// Puts the second launch before the first.
fn swap_launches(d: &mut Draft, renumber: bool) {
    let second = d.span(1);
    let later: Vec<String> = d.lines.drain(second.0..=second.1).collect();
    let first = d.span(0);
    d.lines.splice(first.0..first.0, later);
    if renumber {
        d.renumber();
    }
}

pub fn proof() -> Vec<Mutation> {
    vec![
        of("a launch was never looked at", &GOOD, |d| {
            let launch = d.launches("native")[1];
            d.remove("preflight", of_launch(launch));
        }),
        of("no launch was ever looked at", &GOOD, |d| d.remove("preflight", |look| look["launch"].is_u64())),
        of("a launch was not looked at as it left", &GOOD, |d| {
            let at = d.first("preflight", looks("native", "at_exit"));
            d.lines.remove(at);
        }),
        of("the looks at a launch change places", &GOOD, |d| {
            let at = d.first("preflight", looks("native", "before_imports"));
            d.lines.swap(at, at + 1);
        }),
        of("the looks at a launch show nothing", &GOOD, |d| {
            let launch = d.launches("native")[1];
            d.change("preflight", of_launch(launch), |look| look["signals"] = json!([]));
        }),
        of("another executable ran in one launch", &GOOD, |d| {
            let other = json!(lockstep::terms::Digest::of(b"another executable").to_string());
            let launch = d.launches("native")[1];
            d.change("preflight", of_launch(launch), |look| set_signal(look, "process.exe_sha256", &other));
        }),
        of("the executable changed between two looks", &GOOD, |d| {
            let other = json!(lockstep::terms::Digest::of(b"another executable").to_string());
            d.change_first("preflight", looks("native", "after_warmup"), |look| {
                set_signal(look, "process.exe_sha256", &other);
            });
        }),
        of("the cache changed once the model was loaded", &GOOD, |d| {
            d.change("preflight", looks("native", "after_warmup"), |look| {
                set_signal(look, "engine.cache", &json!("none"));
            });
        }),
        of("the GIL came off as the interpreter left", &GOOD, |d| {
            d.change_first("preflight", looks("python-reference", "at_exit"), |look| {
                set_signal(look, "python.gil_enabled", &json!(false));
            });
        }),
        of("a disowned launch is owned again", &DISOWNED, |d| {
            d.change("launch_end", |end| end.get("disowned").is_some(), |end| end["disowned"] = json!(null));
        }),
        of("a good launch is disowned", &GOOD, |d| {
            let failure = json!({"class": "preflight", "message": "the GIL came back"});
            d.change_first("launch_end", |_| true, |end| end["disowned"] = failure.clone());
        }),
        of("a refused lane has launches", &GOOD, |d| {
            let failure = json!({"class": "preflight", "message": "it is not what it declares"});
            d.declaration("native-again", |lane| {
                (lane["state"], lane["failure"]) = (json!("refused"), failure.clone());
            });
        }),
    ]
}

pub fn busy() -> Vec<Mutation> {
    vec![
        of("a launch does not say who else was busy", &GOOD, |d| {
            d.change_first("launch_end", |_| true, |end| end["busy"] = json!(null));
        }),
        of("one lane does not say who else was busy", &GOOD, |d| {
            for launch in d.launches("native-again") {
                d.change("launch_end", of_launch(launch), |end| end["busy"] = json!(null));
            }
        }),
        of("no launch says who else was busy", &GOOD, |d| {
            d.change("launch_end", |_| true, |end| end["busy"] = json!(null));
        }),
        of("others took less than nothing", &GOOD, |d| {
            d.change_first("launch_end", |_| true, |end| end["busy"]["others_ms"] = json!(-1));
        }),
        of("others took more than all processors have", &GOOD, |d| {
            d.change_first(
                "launch_end",
                |_| true,
                |end| {
                    let busy = &end["busy"];
                    let whole = number(busy, "window_ms") * number(busy, "cores");
                    end["busy"]["others_ms"] = json!(whole + 1_000);
                },
            );
        }),
        of("the measured window is shorter than what was measured in it", &GOOD, |d| {
            d.change_first("launch_end", |_| true, |end| end["busy"]["window_ms"] = json!(1));
        }),
        of("the measured window is stretched until others' share of it is small", &GOOD, |d| {
            d.change(
                "launch_end",
                |_| true,
                |end| {
                    end["busy"]["window_ms"] = json!(number(&end["busy"], "window_ms") + 60_000);
                },
            );
        }),
        of("the window counts processors that the host does not have", &GOOD, |d| {
            d.change("launch_end", |_| true, |end| end["busy"]["cores"] = json!(1_024));
        }),
    ]
}
