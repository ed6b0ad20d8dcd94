//! Faults that were planted where torch is, and the answers that the Python runner gave: each is caught by its name.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use lockstep::terms::{Digest, Evidence, fell_back};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `tests/pytorch/collect_faults.py` ran, and what the supervisor says of each answer: nothing for compiled work that was
/// done.
fn planted(folder: &str) -> (serde_json::Value, Vec<(String, Option<String>)>) {
    let path = root().join("tests/journals").join(folder).join("planted-faults.jsonl");
    let text = read_to_string(path).expect("the answers are committed");
    let mut lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let place = lines.next().expect("where it ran");
    let said = |line: serde_json::Value| {
        let [name, mode] = ["name", "mode"].map(|key| line[key].as_str().expect("a text").to_owned());
        let answer = &line["answer"];
        if answer["type"] == "failed" {
            return (name, answer["class"].as_str().map(str::to_owned));
        }
        let evidence: Evidence = serde_json::from_value(answer["evidence"].clone()).expect("evidence");
        let class = fell_back(&mode, &evidence).map(|(class, _)| class);
        (name, class.map(|class| serde_json::to_value(class).expect("JSON").as_str().expect("a name").to_owned()))
    };
    (place, lines.map(said).collect())
}

/// What is planted on any device, with the class that has to come of it.
const PLANTED: [(&str, Option<&str>); 13] = [
    ("control", None),
    ("control_replayed", None),
    ("control_aot_eager", None),
    ("recompile_limit", Some("recompile_limit")),
    ("suppressed_error", Some("suppressed_error")),
    ("inductor_error", Some("inductor_error")),
    ("backend_is_aot_eager", Some("backend_is_aot_eager")),
    ("dynamo_disabled", Some("dynamo_disabled")),
    ("graph_break_share", Some("graph_break_share")),
    ("unexplained", Some("unexplained")),
    ("eager_decoding", Some("unexplained")),
    ("eager_decoding_aot_eager", Some("unexplained")),
    ("cudagraph_overwritten", Some("cudagraph_overwritten")),
];

fn named(planted: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    planted.iter().map(|(name, class)| ((*name).to_owned(), class.map(str::to_owned))).collect()
}

#[test]
fn every_fault_that_was_planted_on_the_gpu_is_caught_by_its_name() {
    let (place, found) = planted("h200");
    assert_eq!(place["device"], "NVIDIA H200");
    assert!(place["uuid"].as_str().is_some_and(|uuid| uuid.starts_with("GPU-")), "{place}");
    let runner = place["runner_sha256"].as_str().expect("a digest");
    let report = read_to_string(root().join("tests/journals/h200/REPORT.md")).expect("there is a report");
    assert!(report.contains(runner), "the report does not name the runner that answered, {runner}");
    let of_a_gpu = ["no_triton", "no_cuda_graph", "out_of_memory", "illegal_access"].map(|fault| (fault, Some(fault)));
    assert_eq!(found, named(&[&PLANTED[..], &of_a_gpu].concat()));
}

#[test]
fn every_fault_that_was_planted_on_a_processor_is_caught_by_its_name() {
    let (place, found) = planted("cpu");
    assert_eq!(place["device"], "cpu");
    // Anyone with torch can collect these again, and has to when the runner changed.
    assert_eq!(place["runner_sha256"], runner_sha256().as_str(), "collect_faults.py ran with another runner");
    let of_a_processor = [("out_of_memory", Some("out_of_memory"))];
    assert_eq!(found, named(&[&PLANTED[..], &of_a_processor].concat()));
}

/// Of the runner's files by name, as `collect_faults.py` takes it.
fn runner_sha256() -> String {
    let runner = root().join("containers/runner/lockstep_runner");
    let mut listed = String::new();
    let mut folders = vec![runner.clone()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder");
        let mut inside: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        inside.sort();
        for file in inside.iter().filter(|path| path.is_file()) {
            let name = file.strip_prefix(&runner).expect("it lies there").display();
            let digest = Digest::of(&std::fs::read(file).expect("a file")).to_string();
            listed += &format!("{name} {}\n", digest.trim_start_matches("sha256:"));
        }
        // The last is taken first, so that folders come in the order of their names.
        let is_one = |path: &PathBuf| path.is_dir() && !path.ends_with("__pycache__");
        folders.extend(inside.into_iter().filter(is_one).rev());
    }
    Digest::of(listed.as_bytes()).to_string().trim_start_matches("sha256:").to_owned()
}
