//! Bundles: a run from one archive alone, on a host without network, and what is refused.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::prepared::{own_copy, prepared};
use crate::project::{Ended, PlanText, Project, Run, Started};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("a_run_without_network_takes_everything_from_its_bundle", Needs::NetworkNamespace, alone),
    Named("a_bundle_is_described_and_the_same_twice", Needs::Nothing, described),
    Named("a_bundle_with_a_changed_byte_is_refused_by_the_files_name", Needs::Nothing, changed),
    Named("so_is_one_with_a_changed_byte_of_an_image_or_of_a_shipped_file", Needs::Nothing, changed_image),
    Named("an_extracted_bundle_that_was_changed_is_refused_by_the_files_name", Needs::Nothing, changed_afterwards),
    Named("a_run_from_a_bundle_goes_on_from_it", Needs::Nothing, goes_on),
    Named("a_verdict_of_another_host_class_is_reproduced_in_all_but_times", Needs::Nothing, another_class),
    Named("what_cannot_be_bundled_says_why", Needs::Nothing, refused),
    Named("a_container_lane_runs_from_its_bundle_alone", Needs::EngineAndNamespace, container),
];

/// The prepared project's bundle, written once more.
fn bundle(into: &Project, name: &str) -> (PathBuf, Value) {
    let (project, _) = prepared();
    let file = into.file(name);
    let arguments = ["bundle", "tiny", "-o", &file.to_string_lossy(), "--author", "A. Author", "--format", "json"];
    let ended = project.lockstep(&arguments);
    ended.exits(0);
    (file, ended.json())
}

/// A project whose own files would spoil any run that took one of them.
fn poisoned() -> Project {
    let project = Project::new();
    for name in ["plans/tiny.toml", "lanes/native.toml", "lanes/native-again.toml", "lockfiles/native.lock"] {
        project.write(name, "this is neither a plan nor a lane nor a lock");
    }
    project
}

/// The run that the command made. It must reproduce the bundle's verdict in everything but times, which others on the host
/// decide here.
fn reproduced(project: &Project, ended: Ended) -> Run {
    let run = Run::of(project, ended);
    assert!(matches!(run.ended.status.code(), Some(0 | 1 | 5)), "{:?}", run.ended);
    let verified = project.lockstep(&["verify", &run.id, "--format", "json"]).json();
    assert_eq!(verified["then"]["run"].as_str(), Some(prepared().1.id.as_str()), "{verified:#}");
    for gate in verified["gates"].as_array().expect("a list of gates") {
        let of_times = gate["kind"] == "magnitude_left_band" || gate["kind"] == "host_in_doubt";
        assert!(gate["standing"] == "passed" || of_times, "{gate:#}");
    }
    run
}

fn run_from(project: &Project, file: &Path) -> Ended {
    project.lockstep(&["run", "--bundle", &file.to_string_lossy()])
}

/// The same command where no network interface but a dead loopback is there.
fn without_network(project: &Project, arguments: &[&str], engine: Option<&str>) -> Ended {
    let mut words = vec!["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_lockstep")];
    words.extend(arguments);
    let mut command = project.command_of(Path::new("unshare"), &words);
    if let Some(engine) = engine {
        command.env("DOCKER_HOST", engine);
    }
    Started::of(command).finish()
}

fn signal(run: &Run, name: &str) -> String {
    let journal = run.journal();
    let header = journal.segments().next().expect("a run has a segment").header;
    let signal = header.signals.iter().find(|signal| signal.name == name);
    signal.unwrap_or_else(|| panic!("no signal {name}: {:?}", header.signals)).value.to_string()
}

fn alone() {
    let reviewer = poisoned();
    let (file, list) = bundle(&reviewer, "tiny.bundle");
    let digest = list["digest"].as_str().expect("a list has a digest");
    let arguments = ["run", "--bundle", &file.to_string_lossy(), "--expect", digest];
    let run = reproduced(&reviewer, without_network(&reviewer, &arguments, None));
    run.ended.tells(&["has no network", digest]).prints(&["tokens"]);
    assert_eq!((signal(&run, "bundle.sha256").as_str(), signal(&run, "host.has_route").as_str()), (digest, "false"));
    let journal = run.journal();
    let header = journal.segments().next().expect("a run has a segment").header;
    for lane in &header.lanes {
        assert_eq!(lane.source, format!("bundle:lanes/{}.toml", lane.lane));
        assert_eq!(lane.declared["binary"], list["executable"]["sha256"], "lanes run the bundle's executable");
        assert_eq!(lane.observed["binary"], list["executable"]["sha256"], "and were seen to run it");
    }
    assert!(!reviewer.file("runs/.models").exists(), "a model was generated although the bundle holds it");
    let kept: Value =
        serde_json::from_slice(&std::fs::read(run.file("bundle.json")).expect("it is kept")).expect("JSON");
    assert_eq!(kept, list);
}

fn described() {
    let project = Project::new();
    let (one, list) = bundle(&project, "one.bundle");
    let (two, _) = bundle(&project, "two.bundle");
    assert_eq!(std::fs::read(&one).expect("it was written"), std::fs::read(&two).expect("it was written"));
    let paths: Vec<&str> =
        list["files"].as_array().expect("a list").iter().filter_map(|f| f["path"].as_str()).collect();
    let expected =
        ["bin/lockstep", "lanes/native.toml", "lockfiles/native.lock", "plans/tiny.toml", "ro-crate-metadata.json"];
    for path in expected {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    for (folder, ending) in
        [("models/", ".safetensors"), ("snapshots/tiny/", ".json"), ("snapshots/tiny/", ".journal.jsonl.xz")]
    {
        assert!(paths.iter().any(|path| path.starts_with(folder) && path.ends_with(ending)), "{folder} in {paths:?}");
    }
    let schema = project.lockstep(&["schema", "bundle"]);
    schema.exits(0).prints(&["plan_sha256"]);
}

/// Where the content of each file of the archive begins.
fn contents(archive: &[u8]) -> Vec<(String, usize)> {
    let mut tar = tar::Archive::new(archive);
    let place = |entry: tar::Entry<'_, &[u8]>| {
        let at = usize::try_from(entry.raw_file_position()).expect("it is in memory");
        (entry.path().expect("a path").display().to_string(), at)
    };
    tar.entries().expect("a tar").map(|entry| place(entry.expect("an entry"))).collect()
}

fn changed() {
    let project = Project::new();
    let (file, list) = bundle(&project, "tiny.bundle");
    let whole = std::fs::read(&file).expect("it was written");
    // One file of each kind; the list comes first and the executable behind it.
    let kinds = ["bundle.json", "bin/", "lanes/", "lockfiles/", "models/", "plans/", "ro-crate", "snapshots/"];
    refused_where_changed(&project, &whole, &kinds);
    let cut = project.write("cut.bundle", &whole[..whole.len() / 2]);
    run_from(&project, &cut).exits(2).tells(&["it was cut"]);
    let other = project.write("other.bundle", "not a bundle at all".repeat(100));
    run_from(&project, &other).exits(2).tells(&["is no bundle of lockstep"]);
    let digest = format!("sha256:{}", "0".repeat(64));
    let ended = project.lockstep(&["run", "--bundle", &file.to_string_lossy(), "--expect", &digest]);
    ended.exits(2).tells(&[&digest, list["digest"].as_str().expect("a digest")]);
    assert!(project.runs().is_empty(), "a bundle that was refused made a run");
    assert!(!project.file("runs/.bundles").exists(), "something of a refused bundle was left behind");
}

/// Of each kind of entry the first file, with one bit of its content changed.
fn refused_where_changed(project: &Project, whole: &[u8], kinds: &[&str]) {
    let all = contents(whole);
    for kind in kinds {
        let (path, at) = all.iter().find(|(path, _)| path.starts_with(kind)).unwrap_or_else(|| panic!("no {kind}"));
        let mut bytes = whole.to_vec();
        bytes[at + 1] ^= 1;
        let spoilt = project.write("spoilt.bundle", &bytes);
        run_from(project, &spoilt).exits(2).tells(&[path, "was damaged or changed"]);
    }
}

/// What a plan with a container lane and one over an interpreter brings beside the rest; no engine makes this image.
fn changed_image() {
    let project = Project::new();
    project.plan(&PlanText::new("contained", &["native", "native-container", "python-reference"]));
    project.lockstep(&["bundle", "contained", "-o", "c.bundle"]).exits(0);
    let whole = std::fs::read(project.file("c.bundle")).expect("it was written");
    let kinds = ["images/blobs/", "images/index.json", "images/manifest.json", "images/oci-layout", "containers/"];
    refused_where_changed(&project, &whole, &kinds);
    assert!(project.runs().is_empty(), "a bundle that was refused made a run");
}

fn extracted(project: &Project) -> PathBuf {
    let mut found = std::fs::read_dir(project.file("runs/.bundles")).expect("a bundle was extracted");
    found.next().expect("one bundle").expect("it can be listed").path()
}

fn changed_afterwards() {
    let project = Project::new();
    let (file, _) = bundle(&project, "tiny.bundle");
    let run = reproduced(&project, run_from(&project, &file));
    let plan = extracted(&project).join("lanes/native.toml");
    let text = std::fs::read_to_string(&plan).expect("it was extracted");
    std::fs::remove_file(&plan).expect("its folder can be written");
    std::fs::write(&plan, text.replace("measure_s = 30", "measure_s = 31")).expect("its folder can be written");
    project.lockstep(&["resume", &run.id]).exits(2).tells(&["lanes/native.toml", "was damaged or changed"]);
    // The archive itself is whole, and what was changed is extracted anew.
    reproduced(&project, run_from(&project, &file));
    assert_eq!(std::fs::read_to_string(&plan).expect("it was extracted"), text);
    project.lockstep(&["clean", "--bundles"]).exits(0);
    project.lockstep(&["resume", &run.id]).exits(2).tells(&["is not there any more", "run --bundle FILE"]);
}

fn goes_on() {
    let project = poisoned();
    let (file, _) = bundle(&project, "tiny.bundle");
    let run = reproduced(&project, run_from(&project, &file));
    let again = project.lockstep(&["rerun", &run.id, "--failed"]);
    again.tells(&["nothing is left to do"]);
    assert_eq!(run.journal().segments().count(), 1);
}

fn another_class() {
    const CLASS: &str = "intel-xeon-fam6-mod207-64c";
    let (author, _) = own_copy();
    let folder = author.file("snapshots/tiny");
    let paths =
        std::fs::read_dir(&folder).expect("it was accepted").map(|entry| entry.expect("it can be listed").path());
    for path in paths.collect::<Vec<_>>() {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let (own, ending) = name.split_once('.').expect("a class and an ending");
        let target = folder.join(format!("{CLASS}.{ending}"));
        std::fs::rename(&path, &target).expect("it can be moved");
        if ending == "json" {
            let text = std::fs::read_to_string(&target).expect("a snapshot is text");
            std::fs::write(&target, text.replace(own, CLASS)).expect("it can be written");
        }
    }
    author.lockstep(&["bundle", "tiny", "-o", "other.bundle"]).exits(0);
    let reviewer = Project::new();
    let run = Run::of(&reviewer, run_from(&reviewer, &author.file("other.bundle")));
    // The run's own conclusion: that there is no snapshot of this class is no news to a reviewer.
    run.exits(0).ended.prints(&[CLASS, "times were not compared"]);
    let verified = reviewer.lockstep(&["verify", &run.id, "--format", "json"]).json();
    let gates = verified["gates"].as_array().expect("a list of gates");
    let standing = |kind: &str| gates.iter().find(|gate| gate["kind"] == kind).map(|gate| gate["standing"].clone());
    assert_eq!(standing("tokens_changed"), Some("passed".into()), "{verified:#}");
    assert_eq!(standing("magnitude_left_band"), Some("not_compared".into()), "{verified:#}");
}

fn refused() {
    let project = Project::new();
    project.plan(&PlanText::new("own", &["mine"]));
    project.write("lanes/mine.toml", include_str!("../../lanes/native.toml").replace("\"native\"\nd", "\"mine\"\nd"));
    let bundle = |arguments: &[&str]| {
        let words: Vec<&str> = ["bundle"].into_iter().chain(arguments.iter().copied()).collect();
        project.lockstep(&words)
    };
    bundle(&["own", "-o", "x.bundle"]).exits(2).tells(&["mine", "lock"]);
    bundle(&["nothing", "-o", "x.bundle"]).exits(2).tells(&["there is no plan"]);
    bundle(&["own", "-o", "/"]).exits(2);
    bundle(&["tr117", "-o", "x.bundle"]).exits(2);
    assert!(!project.file("x.bundle").exists());
    project.lockstep(&["run"]).exits(2);
    project.lockstep(&["run", "own", "--bundle", "x"]).exits(2);
    project.lockstep(&["run", "--bundle", "x", "--unlocked"]).exits(2);
    project.lockstep(&["run", "--bundle", "nowhere.bundle"]).exits(2).tells(&["nowhere.bundle", "check the path"]);
}

fn container() {
    let engine = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let project = Project::new();
    project.plan(&PlanText::new("contained", &["native", "native-container"]));
    let mut command = project.command(&["bundle", "contained", "-o", "c.bundle", "--format", "json"]);
    command.env("DOCKER_HOST", &engine);
    let list = Started::of(command).finish();
    list.exits(0);
    let image = &list.json()["lanes"][1]["image"];
    let paths: Vec<String> = contents(&std::fs::read(project.file("c.bundle")).expect("it was written"))
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let blob =
        format!("images/blobs/sha256/{}", image["config"].as_str().expect("a digest").trim_start_matches("sha256:"));
    for path in ["images/oci-layout", "images/index.json", "images/manifest.json", &blob] {
        assert!(paths.iter().any(|found| found == path), "{path} is not in {paths:?}");
    }
    let reviewer = Project::new();
    let file = project.file("c.bundle").to_string_lossy().into_owned();
    let run = Run::of(&reviewer, without_network(&reviewer, &["run", "--bundle", &file], Some(&engine)));
    run.exits(0);
    let journal = run.journal();
    let header = journal.segments().next().expect("a run has a segment").header;
    let lane = header.lanes.iter().find(|lane| lane.lane == "native-container").expect("it took part");
    assert_eq!(Value::from(lane.declared["image"].clone()), image["config"], "{lane:?}");
    assert_eq!(lane.observed.get("image"), lane.declared.get("image"), "the engine says so too");
}
