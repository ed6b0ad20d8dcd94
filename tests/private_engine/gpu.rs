//! A lane's request for GPUs, on its way to the engine and from there to the hook that would hand them over. There is no
//! GPU here: the hook stands in for NVIDIA's, and writes down what it is given.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::daemon::{Daemon, Settings};
use crate::lane_project::{ContainerLane, IMAGE, load, start_at};
use crate::project::Project;
use crate::recorder::Recorder;

const GPU: &str = "GPU-3f1c6a1e-2f86-4a54-8f3f-0a3f0a3b1d11";

/// Writes its arguments, the container's state and the container's configuration into a folder of the container's name.
const HOOK: &str = r#"#!/bin/sh
set -e
state=$(cat)
id=$(echo "$state" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
bundle=$(echo "$state" | sed -n 's/.*"bundle":"\([^"]*\)".*/\1/p')
mkdir -p "@/$id"
echo "$state" > "@/$id/state.json"
cp "$bundle/config.json" "@/$id/config.json"
echo "$*" > "@/$id/arguments"
"#;

/// A folder with the hook, and one with what it wrote.
struct Hooked {
    folder: TempDir,
}

impl Hooked {
    fn new(end: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("lsh").tempdir_in("/tmp").expect("a folder can be made");
        for name in ["bin", "seen"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let hooked = Self { folder };
        let script = HOOK.replace('@', &hooked.seen().display().to_string()) + end;
        std::fs::write(hooked.program(), script).expect("a script can be written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(hooked.program(), executable).expect("it can be made executable");
        hooked
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("bin/nvidia-container-runtime-hook")
    }

    fn seen(&self) -> PathBuf {
        self.folder.path().join("seen")
    }

    /// What was written down of each container.
    fn calls(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.seen()).expect("the folder is there");
        entries.map(|entry| entry.expect("a folder can be listed").path()).collect()
    }

    fn daemon(&self) -> Daemon {
        let programs = self.program().parent().map(Path::to_owned);
        let daemon = Daemon::start(Settings { programs, ..Settings::default() }).expect("a daemon started before");
        load(&daemon);
        daemon
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("it is JSON")
}

/// A project with a lane that asks for a GPU and one that does not.
fn project() -> Project {
    let project = Project::new();
    let gpus = Box::leak(format!("gpus = [\"{GPU}\"]").into_boxed_str());
    ContainerLane { docker: gpus, ..ContainerLane::new("gpu", "none") }.write(&project, IMAGE);
    ContainerLane::new("no-gpu", "none").write(&project, IMAGE);
    project
}

pub fn hook(_: &Daemon) {
    let hooked = Hooked::new("");
    let daemon = hooked.daemon();
    let (project, recorder) = (project(), Recorder::of(daemon.socket()));
    let preflight = |lane: &str| {
        let arguments = ["preflight", lane, "--unlocked", "--format", "json"];
        start_at(&project, &daemon, &recorder.host(), &arguments).finish()
    };

    preflight("no-gpu").exits(0);
    assert_eq!(hooked.calls(), Vec::<PathBuf>::new(), "nobody asked for a GPU");

    let seen = preflight("gpu");
    seen.exits(0);
    let requests: Vec<Value> =
        recorder.created().iter().map(|body| body["HostConfig"]["DeviceRequests"].clone()).collect();
    let asked = json!([{"DeviceIDs": [GPU], "Capabilities": [["gpu"]]}]);
    assert_eq!(requests, [Value::Null, asked]);

    let calls = hooked.calls();
    let [call] = calls.as_slice() else { panic!("the hook was called for {calls:?}") };
    let id = call.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    assert_eq!(read(&call.join("state.json"))["id"], id);
    let arguments = std::fs::read_to_string(call.join("arguments")).expect("it wrote its arguments");
    assert_eq!(arguments.trim(), "prestart");
    let config = read(&call.join("config.json"));
    let variables = config["process"]["env"].as_array().expect("a container has an environment");
    assert!(variables.contains(&json!(format!("NVIDIA_VISIBLE_DEVICES={GPU}"))), "{variables:?}");
    let hooks = config["hooks"]["prestart"].as_array().expect("the configuration has hooks");
    let program = hooked.program().display().to_string();
    assert!(hooks.iter().any(|hook| hook["path"] == program), "{hooks:?}");

    let looks = seen.json();
    let signals = looks["looks"][0]["signals"].as_array().expect("a look has signals").clone();
    let gpus = signals.iter().find(|signal| signal["name"] == "container.gpus").expect("it was looked at");
    assert_eq!((&gpus["value"], &gpus["observer"]), (&json!([GPU]), &json!("supervisor")));
    assert_eq!(daemon.containers(), Vec::<String>::new());
}

pub fn failing_hook(_: &Daemon) {
    let hooked = Hooked::new("echo \"unknown device\" >&2\nexit 1\n");
    let daemon = hooked.daemon();
    let project = project();
    let ended = start_at(&project, &daemon, &daemon.host(), &["preflight", "gpu", "--unlocked"]).finish();
    ended.exits(3).prints(&["lane gpu takes no part", "starting the container", "unknown device"]);
    assert_eq!(hooked.calls().len(), 1);
    assert_eq!(daemon.containers(), Vec::<String>::new());
}
