//! The catalogue of lanes, what a host lacks for one, overlays, and programs of others.

use std::process::Command;

use lockstep::journal::{LaneState, Record};
use lockstep::terms::Outcome;
use serde_json::{Value, json};

use crate::project::{Lane, Ledger, PlanText, Project, Run};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("every_lane_of_the_catalogue_is_listed_with_what_it_declares_needs_and_proves", Needs::Nothing, catalogue),
    Named("each_torch_comes_with_the_triton_it_was_built_for_or_says_which_one_replaces_it", Needs::Nothing, pairs),
    Named("every_lock_of_the_catalogue_matches_its_manifest", Needs::Nothing, locks),
    Named("a_host_that_cannot_run_a_lane_is_told_everything_at_once", Needs::Nothing, everything_at_once),
    Named("a_lane_with_an_open_input_is_refused_with_every_candidate", Needs::Scripted, open_input),
    Named("an_overlay_of_another_torch_is_refused_by_the_axis", Needs::Program("python3"), other_axis),
    Named("an_overlay_is_unpacked_by_content_and_put_on_the_path", Needs::Scripted, overlay),
    Named("a_program_of_others_is_run_and_its_words_are_kept", Needs::Program("python3"), exec),
    Named("no_verb_begins_cells_that_a_program_of_others_cannot_do", Needs::Program("python3"), exec_cells),
    Named("the_exec_backend_keeps_its_own_tests", Needs::Program("python3"), exec_backend),
];

/// The lanes that the reports need.
const CATALOGUE: [&str; 24] = [
    "aot-eager",
    "gpt-fast-head",
    "gpt-fast-pinned",
    "llama-cpp",
    "native",
    "ollama",
    "python-gil",
    "python-nogil",
    "sglang",
    "tgi",
    "torch-2.10-ngc-26.01",
    "torch-2.10-ngc-26.01-patched",
    "torch-2.11",
    "torch-2.8-ngc-25.08",
    "triton-3.3.1",
    "triton-3.4.0",
    "triton-3.4.0-torch-2.11",
    "triton-3.4.0-torch-2.8",
    "triton-3.5.1-torch-2.11",
    "triton-3.6.0",
    "triton-3.6.0-torch-2.10",
    "triton-3.6.0-torch-2.11",
    "vllm",
    "vllm-0.24.0-overlay",
];

/// The lane of that name, in the list of all.
fn named<'a>(listed: &'a Value, name: &str) -> &'a Value {
    let lane = listed.as_array().into_iter().flatten().find(|lane| lane["name"] == name);
    lane.unwrap_or_else(|| panic!("{name} is not listed"))
}

fn catalogue() {
    let project = Project::new();
    let listed = project.lockstep(&["lanes", "--format", "json"]).exits(0).json();
    for name in CATALOGUE {
        let lane = named(&listed, name);
        assert_eq!(lane["locked"], true, "{name} has no lock");
        let has = |key: &str| lane[key].as_array().is_some_and(|list| !list.is_empty());
        assert!(lane["axes"].as_object().is_some_and(|axes| !axes.is_empty()), "{name} declares nothing");
        assert!(has("proves"), "{name} proves nothing");
        if name != "native" {
            assert!(has("needs") && has("missing"), "{name} needs an engine that is not here: {lane}");
        }
    }
    // What a plan may cross, as the runner's own sources say it.
    let offered = |name: &str, axis: &str| named(&listed, name)["offers"][axis].clone();
    let settings = include_str!("../../containers/runner/lockstep_runner/backends/pytorch/settings.py");
    for lane in ["torch-2.11", "triton-3.6.0-torch-2.11"] {
        let modes = offered(lane, "compile_mode");
        assert!(modes.as_array().is_some_and(|modes| modes.len() > 2), "{lane}: {modes}");
        let line: Vec<String> = modes.as_array().into_iter().flatten().map(Value::to_string).collect();
        assert!(settings.contains(&format!("\"compile_mode\": ({}),\n", line.join(", "))), "{lane}: {modes}");
    }
    assert_eq!(offered("native-static", "cache"), json!(["static"]));
    assert_eq!(offered("python-reference", "cache"), json!(["dynamic", "none"]));
    assert_eq!(offered("python-gil", "kernels"), json!(["python|numpy"]));
    assert_eq!(offered("gpt-fast-pinned", "cache"), Value::Null);
    let text = project.lockstep(&["lanes"]);
    text.prints(&["  offers     no axis to a cell\n", "cache=dynamic|static compile_mode="]);
    // A lane that states no needs says so, and every lane whether it takes a credential.
    text.prints(&["  needs      nothing beyond lockstep itself; no credentials\n"]);
    text.prints(&["  needs      nothing beyond python3 of 3.9 or newer; no credentials\n"]);
    text.prints(&["  needs      nothing beyond a Docker engine; no credentials\n"]);
    for lane in listed.as_array().into_iter().flatten() {
        assert_eq!(lane["credentials"], json!([]), "README says that no shipped lane takes one: {lane}");
    }
    let needs = text.stdout.lines().filter(|line| line.starts_with("  needs  ")).count();
    assert_eq!(needs, listed.as_array().map_or(0, Vec::len), "a lane does not say what it needs");
    text.exits(0).prints(&["triton-3.4.0-torch-2.11:", "made of", "overlay: overlay triton-3.4.0 (verified)"]);
    text.prints(&[
        "image nvcr.io/nvidia/pytorch:25.08-py3 (unresolved)",
        "image docker.io/vllm/vllm-openai:v0.11.0 (unresolved)",
        "python.gil_enabled = false (before_imports after_imports after_warmup at_exit)",
        "base: local image in place of docker.io/library/debian:",
    ]);
    assert!(!text.stdout.contains("image docker.io/library/debian:"), "what was verified is another image");
}

/// Lanes of one Dockerfile: torch, its Triton, and whether that stands in place of the one that torch was built for.
const PAIRS: [(&str, &str, &str, bool); 5] = [
    ("triton-3.3.1", "2.7.1", "3.3.1", false),
    ("triton-3.4.0", "2.7.1", "3.4.0", true),
    ("triton-3.6.0", "2.7.1", "3.6.0", true),
    ("triton-3.4.0-torch-2.8", "2.8.0", "3.4.0", false),
    ("triton-3.6.0-torch-2.10", "2.10.0", "3.6.0", false),
];

fn pairs() {
    let listed = Project::new().lockstep(&["lanes", "--format", "json"]).exits(0).json();
    let pins = |set: &str| {
        let path = format!("{}/containers/requirements/{set}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (_, pin) = text.split_once("\ntriton==").unwrap_or_else(|| panic!("{set} pins no Triton"));
        let asked_by = pin.lines().find_map(|line| line.trim().strip_prefix("# via ")).map(str::to_owned);
        (pin.split_whitespace().next().map(str::to_owned), asked_by)
    };
    for (name, torch, triton, replaces) in PAIRS {
        let lane = named(&listed, name);
        assert_eq!(lane["launcher"], "docker: built from containers/torch", "{name}: arguments tell them apart");
        assert_eq!(lane["axes"]["triton"], triton, "{name}");
        let version = lane["axes"]["torch"].as_str().unwrap_or_default();
        assert!(version.starts_with(&format!("{torch}+")), "{name} declares torch {version}");
        let gates = format!("torch.version = {version}");
        for gate in [gates, format!("triton.version = {triton}")] {
            let mut proves = lane["proves"].as_array().into_iter().flatten().filter_map(Value::as_str);
            assert!(proves.any(|proof| proof.starts_with(&gate)), "{name} does not prove {gate}");
        }
        let inputs: Vec<&str> =
            lane["inputs"].as_object().into_iter().flat_map(|all| all.keys()).map(|key| &**key).collect();
        let held = format!("torch-{torch}");
        assert!(
            inputs.iter().any(|input| input.starts_with("torch: ") && input.ends_with(&held)),
            "{name}: {inputs:?}"
        );
        let replacement = inputs.iter().any(|input| input.starts_with("triton: "));
        assert_eq!(replacement, replaces, "{name} is made of {inputs:?}");
        // The index's own word: this torch asks for that Triton.
        let (built_for, asked_by) = pins(&held);
        assert_eq!(asked_by.as_deref(), Some("torch"), "{held}");
        assert_eq!(built_for.as_deref() == Some(triton), !replaces, "{name}: {held} asks for Triton {built_for:?}");
        let word = if replaces { "in place of" } else { "built for" };
        assert!(lane["description"].as_str().unwrap_or_default().contains(word), "{name} does not say {word:?}");
    }
}

/// No network is asked: what lies here must fit together.
fn locks() {
    let project = Project::new();
    let answer = project.lockstep(&["lock", "--check", "--format", "json"]);
    for lock in answer.exits(0).json().as_array().into_iter().flatten() {
        assert_eq!(lock["state"], "unchanged", "{lock}");
    }
}

fn everything_at_once() {
    let project = Project::new();
    let answer = project.lockstep(&["lane", "gpt-fast-pinned"]);
    answer.exits(3).prints(&["lane gpt-fast-pinned cannot run here", "Docker engine:", "GPU: 1"]);
    answer.prints(&["input \"model\"", "with a login that may read it", "put it at models/Llama-2-7b-chat-hf below"]);
    assert!(!answer.stdout.contains("HF_TOKEN"), "nothing here uses it: {answer:?}");
    answer.prints(&["lock: its lock does not say what input \"base\" is", "`lockstep lock gpt-fast-pinned` where"]);
    assert!(!project.file("runs").exists(), "nothing may be made before");
    let json = project.lockstep(&["lane", "gpt-fast-pinned", "--format", "json"]);
    let json = json.exits(3).json();
    let missing = json["missing"].as_array().expect("a list");
    assert!(missing.len() >= 4, "{json}");
    assert!(missing.iter().all(|one| one["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty())), "{json}");
    let answer = project.lockstep(&["lane", "llama-cpp"]);
    answer.exits(3).prints(&["input \"model\"", "convert_hf_to_gguf.py", "put it at models/llama-cpp.gguf below"]);
    project
        .write("lanes/gated.toml", Lane::faulty("gated", "none").text() + "\n[needs]\ncredentials = [\"HF_TOKEN\"]\n");
    project
        .lockstep(&["lane", "gated"])
        .exits(3)
        .prints(&["credentials: the variable HF_TOKEN is not set", "set HF_TOKEN"]);
    let needs = "\n[needs]\ndisk_mib = 1073741824\nmemory_mib = 1073741823\nplatform = \"plan9/mips\"\n";
    project.write("lanes/vast.toml", Lane::faulty("vast", "none").text() + needs);
    let answer = project.lockstep(&["lane", "vast"]);
    answer.exits(3).prints(&["disk: 1073741824 MiB are needed, ", " free", "to try: free at least "]);
    answer.prints(&["memory: 1073741823 MiB are needed", "to try: run the lane on a host with more memory"]);
    answer
        .prints(&["platform: plan9/mips is needed, this is linux/", "to try: run the lane on a host of that platform"]);
    let json = project.lockstep(&["lane", "vast", "--format", "json"]).exits(3).json();
    let whats: Vec<&str> =
        json["missing"].as_array().into_iter().flatten().filter_map(|one| one["what"].as_str()).collect();
    assert!(["platform", "memory", "disk"].iter().all(|what| whats.contains(what)), "{whats:?}");
    assert!(!project.file("runs").exists(), "nothing may be made before");
    project.lockstep(&["lane", "vllm"]).exits(3).prints(&["Docker engine:", "GPU: 1", "d8d39b59e909"]);
}

fn open_input() {
    let project = Project::new();
    let stated = |digit: char| {
        let digest = digit.to_string().repeat(64);
        format!(
            "[[image]]\nreference = \"127.0.0.1:1/a/b:1\"\ndigest = \"sha256:{digest}\"\nof = \"unknown\"\nsource = \"source {digit}\"\n"
        )
    };
    project.write("containers/stated.toml", format!("{}{}", stated('1'), stated('2')));
    let table = "\n[input.base]\nkind = \"image\"\nreference = \"127.0.0.1:1/a/b:1\"\n";
    project.write("lanes/mine.toml", format!("{}{table}", Lane::faulty("mine", "none").text()));
    project.plan(&PlanText::new("tiny", &["mine"]));
    let words = ["public sources state several digests", "source 1", "source 2", "no connection"];
    project.lockstep(&["lock", "mine"]).exits(3).prints(&["written"]).prints(&words);
    project.lockstep(&["lock", "mine", "--check"]).exits(0);
    project
        .run(&["run", "tiny"])
        .exits(3)
        .ended
        .tells(&words)
        .tells(&["`lockstep lock mine` where 127.0.0.1:1 answers"]);
    project.lockstep(&["lane", "mine", "--plan", "tiny"]).exits(3).prints(&words);
}

fn other_axis() {
    let project = Project::new();
    let says = |python: &str, torch: &str| {
        let script = format!("#!/bin/sh\nprintf 'python {python}\\ntorch {torch}\\n'\n");
        let file = project.write("bin/python3", script);
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("a mode can be set");
        file
    };
    let python = says("3.12.3", "2.9.0");
    let text = "schema = 1\nname = \"over\"\nlauncher = \"process\"\nrunner = \"python-pytorch\"\n[process]\nprogram = \"PROGRAM\"\n\
                [needs.host]\npython = \"3.12\"\ntorch = \"2.11.0\"\n";
    project.write("lanes/over.toml", text.replace("PROGRAM", &python.display().to_string()));
    project.lockstep(&["lock", "over"]).exits(0);
    let answer = project.lockstep(&["lane", "over"]);
    answer.exits(3).prints(&["axis torch: the lane is made for torch 2.11.0, and", "has 2.9.0"]);
    assert!(!answer.stdout.contains("axis python"), "{answer:?}");
    says("3.11.2", "2.11.0");
    let answer = project.lockstep(&["lane", "over"]);
    answer.exits(3).prints(&["axis python: the lane is made for python 3.12, and", "has 3.11.2"]);
    assert!(!answer.stdout.contains("axis torch"), "{answer:?}");
}

/// A wheel of one module, packed by the shipped tool, in the project's own cache.
fn packed_toy(project: &Project) -> Result<(), String> {
    let make = "import hashlib, os, zipfile\n\
                os.makedirs('wheels')\n\
                name = 'wheels/toy-1.0-py3-none-any.whl'\n\
                with zipfile.ZipFile(name, 'w') as wheel:\n    wheel.writestr('toy/__init__.py', 'version = 1\\n')\n\
                print(hashlib.sha256(open(name, 'rb').read()).hexdigest())\n";
    let run = |arguments: &[&str]| {
        let output = Command::new("python3").args(arguments).current_dir(project.root()).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    run(&["-c", "import tomllib"]).map_err(|_| "python3 is older than 3.11".to_owned())?;
    let sha256 = run(&["-c", make])?;
    let recipe = format!(
        "name = \"toy\"\npython = \"3.12\"\nabi = [\"none\"]\nplatform = \"manylinux_2_35_x86_64\"\n[wheels]\n\"toy==1.0\" = \"{sha256}\"\n"
    );
    let path = project.write("containers/overlays/toy.toml", &recipe);
    let tool = project.write("tool.py", include_str!("../../containers/overlays/wheel_overlay.py"));
    let digest = lockstep::terms::Digest::of(recipe.as_bytes());
    let packed = project.file(&format!("runs/.overlays/packed/toy-{}", digest.short()));
    let words = [&tool, &path, &packed].map(|path| path.display().to_string());
    run(&[&words[0], "build", &words[1], "-o", &words[2], "--wheels", "wheels"])?;
    std::fs::write(packed.join("packed_with"), "strip 0").map_err(|error| error.to_string())
}

fn overlay() {
    let project = Project::new();
    if let Err(reason) = packed_toy(&project) {
        assert!(reason.contains("older than 3.11"), "{reason}");
        return;
    }
    let lane = Lane::faulty("mine", "none")
        .script("cat \"$PYTHONPATH/toy/__init__.py\" > seen.txt; exec faulty_runner \"$@\"");
    project.write("lanes/mine.toml", format!("{}\n[input.over]\nkind = \"overlay\"\nrecipe = \"toy\"\n", lane.text()));
    project.plan(&PlanText::new("tiny", &["mine"]));
    project.lockstep(&["lane", "mine", "--plan", "tiny", "--unlocked"]).exits(3).prints(&["overlay: no lock says"]);
    project.lockstep(&["lock", "mine"]).exits(0);
    project.run(&["run", "tiny"]).exits(0);
    assert_eq!(project.read("seen.txt"), "version = 1\n");
    // What was unpacked is held against the lock each time.
    let unpacked = std::fs::read_dir(project.file("runs/.overlays")).expect("a cache").filter_map(Result::ok);
    let module = unpacked.map(|entry| entry.path().join("toy/__init__.py")).find(|path| path.is_file());
    let module = module.expect("the overlay is unpacked");
    std::fs::write(&module, "version = 2\n").expect("the file can be changed");
    project.run(&["run", "tiny"]).exits(3).ended.tells(&["and the lock says", "remove the folder"]);
    // Without it, the packed one is unpacked anew; without that either, it is missing.
    let folder = module.ancestors().nth(2).expect("a folder");
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
    project.run(&["run", "tiny"]).exits(0);
    let lane = ["lane", "mine", "--plan", "tiny"];
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
    let mut packed = std::fs::read_dir(project.file("runs/.overlays/packed")).expect("a cache").filter_map(Result::ok);
    let packed = packed.next().expect("the overlay is packed").path();
    std::fs::remove_file(packed.join("packed_with")).expect("the file can be removed");
    project
        .lockstep(&lane)
        .exits(3)
        .prints(&["is not whole: the parts of an archive belong there, its .tar.xz.sha256 and packed_with"]);
    std::fs::remove_dir_all(project.file("runs/.overlays")).expect("the cache can be removed");
    project.lockstep(&lane).exits(3).prints(&["overlay toy is neither packed nor unpacked"]);
    project.lockstep(&["lock", "mine"]).exits(0).prints(&["mine: unchanged"]).tells(&["stays as it is locked"]);
}

/// A lane that runs a shell's `PROGRAM` as it is.
fn exec_lane(name: &str) -> String {
    let runner = concat!(env!("CARGO_MANIFEST_DIR"), "/containers/runner/lockstep_runner");
    format!(
        "schema = 1\nname = \"{name}\"\nlauncher = \"process\"\nrunner = \"python-exec\"\n[process]\nprogram = \"python3\"\n\
         arguments = [\"-B\", {runner:?}, \"--backend\", \"exec\"]\n[exec]\narguments = [\"sh\", \"-c\", \"PROGRAM\"]\n\
         [[exec.line]]\nname = \"wall_s\"\npattern = 'took (?P<value>[0-9.]+) s'\nrequired = true\n"
    )
}

fn exec() {
    let project = Project::new();
    let text = exec_lane("theirs");
    let plan = PlanText::new("tiny", &["theirs"]).text();
    project.write("plans/tiny.toml", plan.replace("[\"prefill\", \"e2e_kv\"]", "[\"e2e_kv\"]"));
    let run_as = |program: &str| {
        project.write("lanes/theirs.toml", text.replace("PROGRAM", program));
        project.lockstep(&["lock", "theirs"]).exits(0);
        project.run(&["run", "tiny"])
    };
    let ran = run_as("echo warned >&2; echo took 1.5 s; sleep 0.05");
    let ledger = Ledger::of(&ran.path);
    assert_eq!(ledger.state("theirs"), LaneState::Ready, "{:?}", ran.ended);
    let rows = ledger.rows();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.outcome == Outcome::UnequalWork), "{:?}", ran.ended);
    assert_eq!(rows[0].evidence["log.wall_s"].to_string(), "1.5");
    let failed = run_as(
        "i=0; while [ $i -lt 3000 ]; do echo noise $i >&2; i=$((i+1)); done; echo 'torch._inductor.exc.InductorError: no' >&2; exit 1",
    );
    let stderr = std::fs::read_to_string(failed.file("stderr/theirs.log")).expect("its words are kept");
    assert!(stderr.contains("noise 0\n") && stderr.contains("noise 2999\n"), "something of it was lost");
    let ledger = Ledger::of(&failed.path);
    let rows = ledger.rows();
    let failure = rows[0].failure.as_ref().expect("a row that is not ok says why");
    assert!(rows[0].outcome == Outcome::Crashed && failure.message.contains("InductorError: no"), "{failure:?}");
    unkept(&project, &failed);
}

/// What a full disk does not take of a program's words is counted in the journal, and told.
fn unkept(project: &Project, failed: &Run) {
    let log = failed.file("stderr/theirs.log");
    std::fs::remove_file(&log).expect("it was written");
    std::os::unix::fs::symlink("/dev/full", &log).expect("a link can be made");
    let again = project.lockstep(&["rerun", &failed.id, "--failed"]);
    again.tells(&["lane theirs: ", " bytes of its standard error could not be written"]);
    let lost: Vec<Option<u64>> = failed.journal().records.iter().filter_map(ended).collect();
    let (before, after) = lost.split_at(lost.len() / 2);
    assert!(before.iter().all(Option::is_none), "nothing was lost before: {lost:?}");
    assert!(!after.is_empty() && after.iter().all(|bytes| bytes.is_some_and(|bytes| bytes > 30_000)), "{lost:?}");
}

/// The bytes that the end of a launch says are missing.
fn ended(record: &Record) -> Option<Option<u64>> {
    match record {
        Record::LaunchEnd(end) => Some(end.stderr_unwritten_bytes),
        _ => None,
    }
}

/// What such a lane cannot do at all is told before anything starts, and is no row for each of its cells.
fn exec_cells() {
    let project = Project::new();
    for name in ["theirs", "again"] {
        project.write(&format!("lanes/{name}.toml"), exec_lane(name).replace("PROGRAM", "echo took 1.5 s; sleep 0.05"));
        project.lockstep(&["lock", name]).exits(0);
    }
    let control = "\n[[hypothesis]]\nname = \"a-a\"\nkind = \"contrast\"\nbaseline = \"theirs\"\ncandidate = \"again\"\n\
                   phases = [\"e2e_kv\"]\nmargin_pct = 3.0\nnegative_control = true\nexpect = [\"equivalent\"]\n";
    let plan = PlanText { same_tokens: false, rest: control, ..PlanText::new("other", &["theirs", "again"]) }.text();
    project.write("plans/other.toml", &plan);
    let phase = "runs a program as a whole, which is phase e2e_kv, and workload \"w\" asks for prefill";
    for verb in [
        &["plan", "other"][..],
        &["plan", "other", "--format", "json"],
        &["run", "other"],
        &["calibrate", "other"],
        &["bundle", "other", "-o", "other.bundle"],
    ] {
        let answer = project.lockstep(verb);
        answer.exits(2).tells(&["lane theirs", phase]);
        assert!(answer.stdout.is_empty(), "{verb:?} showed what would not run: {answer:?}");
    }
    assert!(project.runs().is_empty(), "a run was begun");
    // A run that was begun without asking, as by an older lockstep, does not go on either.
    let cells = "[\"prefill\", \"e2e_kv\"]";
    project.write("plans/tiny.toml", plan.replace("\"other\"", "\"tiny\"").replace(cells, "[\"e2e_kv\"]"));
    project.lockstep(&["plan", "tiny"]).exits(0);
    let ran = project.run(&["run", "tiny"]);
    let rows = std::fs::read(ran.file("journal.jsonl")).expect("a journal");
    std::fs::write(ran.file("plan.toml"), &plan).expect("the plan can be changed");
    for verb in [&["resume", "latest"][..], &["rerun", "latest", "--failed"]] {
        project.lockstep(verb).exits(2).tells(&["lane theirs", phase]);
    }
    assert!(std::fs::read(ran.file("journal.jsonl")).is_ok_and(|now| now == rows), "a row was added");
}

fn exec_backend() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exec");
    let output = Command::new("python3").args(["-B", "-m", "unittest", "discover", "-s", tests]).output();
    let output = output.expect("python3 was there before");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.contains("OK") && !words.contains("Ran 0"), "{words}");
}
