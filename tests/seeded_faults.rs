//! Faults that were planted where torch is, and the answers that the Python runner gave: each is caught by its name.

use std::fs::read_to_string;
use std::path::Path;

use lockstep::terms::{Digest, Evidence, fell_back};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `tests/pytorch/collect_faults.py` ran, of one runner, and what the supervisor says of each answer: nothing for compiled
/// work that was done.
fn planted(file: &str) -> (Vec<serde_json::Value>, Vec<(String, Option<String>)>) {
    let text = read_to_string(root().join("tests/journals").join(file)).expect("the answers are committed");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let (places, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line.get("name").is_none());
    assert!(places.iter().all(|place| place["runner_sha256"] == places[0]["runner_sha256"]), "{places:?}");
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
    (places, lines.into_iter().map(said).collect())
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

/// What is planted on a GPU beside that.
const OF_A_GPU: [(&str, Option<&str>); 5] = [
    ("no_triton", Some("no_triton")),
    ("no_cuda_graph", Some("no_cuda_graph")),
    ("out_of_memory", Some("out_of_memory")),
    ("illegal_access", Some("illegal_access")),
    ("compiled_eager", Some("unexplained")),
];

/// The digest of the runner that answered on GPUs.
fn runner_of_a_gpu(places: &[serde_json::Value]) -> &str {
    for place in places {
        assert_eq!(place["device"], "NVIDIA H200");
        assert!(place["uuid"].as_str().is_some_and(|uuid| uuid.starts_with("GPU-")), "{place}");
    }
    places[0]["runner_sha256"].as_str().expect("a digest")
}

#[test]
fn every_fault_that_was_planted_on_the_gpu_is_caught_by_its_name() {
    let (places, found) = planted("h200/planted-faults.jsonl");
    let runner = runner_of_a_gpu(&places);
    let report = read_to_string(root().join("tests/journals/h200/REPORT.md")).expect("there is a report");
    assert!(report.contains(runner), "the report does not name the runner that answered, {runner}");
    assert_eq!(found, named(&[&PLANTED[..], &OF_A_GPU].concat()));
}

#[test]
fn every_fault_that_was_planted_on_a_processor_is_caught_by_its_name() {
    let (places, found) = planted("cpu/planted-faults.jsonl");
    assert!(places.iter().all(|place| place["device"] == "cpu"), "{places:?}");
    // Where there is no CUDA graph none can be replayed.
    let everywhere =
        PLANTED.map(|(name, class)| (name, if name == "control_replayed" { Some("no_cuda_graph") } else { class }));
    let of_a_processor = [
        ("out_of_memory", "out_of_memory"),
        ("eager_decoding_after_prompt", "unexplained"),
        ("no_profiler", "unexplained"),
        ("late_compilation", "unexplained"),
        ("another_mode", "unexplained"),
        ("failure_in_profile", "assertion"),
        ("compiled_eager", "unexplained"),
    ];
    let of_a_processor = of_a_processor.map(|(name, class)| (name, Some(class)));
    assert_eq!(found, named(&[&everywhere[..], &of_a_processor].concat()));
}

/// The runner's files below `folder` by name, as `tests/pytorch/collect_faults.py` lists them.
fn listed(folder: &Path, below: &str, list: &mut String) {
    let entries = std::fs::read_dir(folder).expect("the runner is there").map(|entry| entry.expect("it can be listed"));
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in entries.filter(|entry| entry.file_name() != "__pycache__") {
        let is_folder = entry.file_type().expect("a type").is_dir();
        let name = entry.file_name().into_string().expect("UTF-8");
        if is_folder { &mut folders } else { &mut files }.push(name);
    }
    files.sort();
    folders.sort();
    for name in files {
        let digest = Digest::of(&std::fs::read(folder.join(&name)).expect("a file")).to_string();
        list.push_str(&format!("{below}{name} {}\n", digest.trim_start_matches("sha256:")));
    }
    for name in folders {
        listed(&folder.join(&name), &format!("{below}{name}/"), list);
    }
}

fn runner_as_it_is() -> String {
    let mut list = String::new();
    listed(&root().join("containers/runner/lockstep_runner"), "", &mut list);
    Digest::of(list.as_bytes()).to_string().trim_start_matches("sha256:").to_owned()
}

/// Where this fails, the runner has changed: `collect_faults.py > tests/journals/cpu/planted-faults.jsonl`, where torch is.
#[test]
fn the_processors_answers_are_of_the_runner_as_it_is() {
    let (places, _) = planted("cpu/planted-faults.jsonl");
    assert_eq!(places[0]["runner_sha256"], runner_as_it_is());
}
