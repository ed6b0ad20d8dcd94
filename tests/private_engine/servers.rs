//! Lanes whose process is a server: started, waited for, asked what they are, and ended. The lanes are those of the
//! catalogue, their arguments and questions as they are shipped; the servers are stand-ins that answer what the real ones
//! answer, in an image of their own from a registry of the test's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptions};
use lockstep::launch::ImageArchive;
use lockstep::terms::Outcome;
use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::block_on;
use crate::daemon::Daemon;
use crate::lane_project::{labelled, lockstep, settled, start};
use crate::project::{Ended, PlanText, Project, wait_for};
use crate::pulls::{Served, no_registry};

/// Name, kind and version as its manifest declares them; of llama.cpp it declares none.
const SERVERS: [(&str, &str); 5] =
    [("vllm", "0.11.0"), ("sglang", "0.5.16"), ("tgi", "3.3.6"), ("ollama", "0.12.3"), ("llama-cpp", "b6700-0a1b2c3")];

/// The stand-in, which cargo builds with the tests unless a single test target is asked for.
fn stand_in() -> Option<PathBuf> {
    let own = std::env::current_exe().expect("a running test has a path");
    let built = own.ancestors().nth(2).map(|profile| profile.join("examples/stand_in_server"));
    built.filter(|path| path.is_file())
}

/// What is lacking for servers in containers.
pub fn absence() -> Option<String> {
    let unbuilt = || "the example stand_in_server is not built; `cargo build --examples` builds it".to_owned();
    no_registry().or_else(|| stand_in().is_none().then(unbuilt))
}

/// Why python3 cannot stand for a server.
pub fn no_python() -> Option<String> {
    let python = std::process::Command::new("python3").arg("--version").output();
    python.is_err().then(|| "python3 is not installed".to_owned())
}

/// Each looks at what is left of servers on the shared engine.
static ALONE: Mutex<()> = Mutex::new(());

/// A project on the shared engine, with the stand-in's image in a registry.
struct Scene<'a> {
    _alone: MutexGuard<'static, ()>,
    daemon: &'a Daemon,
    project: Project,
    served: Served,
}

impl<'a> Scene<'a> {
    fn new(daemon: &'a Daemon, repository: &str) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let archive =
            ImageArchive::of(&stand_in().expect("it was there before")).expect("the stand-in can be put into an image");
        let served = Served::start(repository, &archive);
        let project = Project::new();
        project.plan(&PlanText::new("tiny", &["vllm"]));
        project.write("models/llama-cpp.gguf", "GGUF");
        Self { _alone: alone, daemon, project, served }
    }

    /// The catalogue's lane `name`, built over the stand-in's image and without what it needs of a host; locked.
    fn lane(&self, name: &str, stand_in: &str, limits: &[(&str, f64)]) {
        let mut lane = shipped(name, stand_in, limits);
        lane["input"]["base"]["reference"] = value(self.served.reference.as_str());
        lane["docker"].as_table_mut().expect("a table").remove("gpus");
        self.write(name, &lane);
        self.lockstep(&["image", "build", name]).exits(0);
    }

    fn write(&self, name: &str, lane: &DocumentMut) {
        self.project.write(&format!("lanes/{name}.toml"), lane.to_string());
        self.lockstep(&["lock", name]).exits(0);
    }

    fn lockstep(&self, arguments: &[&str]) -> Ended {
        lockstep(&self.project, self.daemon, arguments)
    }

    fn preflight(&self, name: &str) -> Ended {
        let ended = self.lockstep(&["preflight", name, "--plan", "tiny", "--format", "json"]);
        self.nothing_is_left();
        ended
    }

    /// Neither a container nor a network of a server.
    fn nothing_is_left(&self) {
        let containers: Vec<String> = SERVERS.iter().flat_map(|(name, _)| containers(self.daemon, name)).collect();
        assert_eq!((containers, networks(self.daemon)), (Vec::new(), Vec::new()));
    }
}

fn containers(daemon: &Daemon, lane: &str) -> Vec<String> {
    labelled(daemon, &format!("org.lockstep.lane={lane}"))
}

/// Names of networks that carry a lane's mark.
fn networks(daemon: &Daemon) -> Vec<String> {
    let listed = block_on(async {
        daemon.client_within().await.list_networks(None::<ListNetworksOptions>).await.expect("the daemon answers")
    });
    let marked = listed
        .into_iter()
        .filter(|network| network.labels.as_ref().is_some_and(|labels| labels.contains_key("org.lockstep.supervisor")));
    marked.filter_map(|network| network.name).collect()
}

fn shipped(name: &str, stand_in: &str, limits: &[(&str, f64)]) -> DocumentMut {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("lanes/{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lane: DocumentMut = text.parse().expect("a lane of the catalogue is TOML");
    lane.remove("needs");
    let environment = lane.entry("environment").or_insert(Item::Table(Table::new()));
    environment["STAND_IN"] = value(stand_in);
    for (limit, seconds) in [("cpus", 1.0), ("wall_s", 60.0), ("load_s", 20.0)].iter().chain(limits) {
        lane["limits"][*limit] = value(*seconds);
    }
    for (limit, number) in [("memory_mib", 256), ("scratch_mib", 8), ("pids", 32)] {
        lane["limits"][limit] = value(number);
    }
    lane
}

/// A signal of a look, as value and observer.
fn signal(look: &Value, name: &str) -> (Value, Value) {
    let signals = look["signals"].as_array().expect("a look has signals");
    let found = signals.iter().find(|signal| signal["name"] == name).unwrap_or_else(|| panic!("no {name} in {look}"));
    (found["value"].clone(), found["observer"].clone())
}

fn failure(ended: &Ended) -> Value {
    ended.exits(3);
    let look = ended.json();
    assert_eq!(look["declaration"]["state"], "refused", "{look}");
    look["declaration"]["failure"].clone()
}

pub fn proven(daemon: &Daemon) {
    let scene = Scene::new(daemon, "servers/proven");
    for (name, version) in SERVERS {
        scene.lane(name, &format!("{name} {version}"), &[]);
        let seen = scene.preflight(name);
        seen.exits(0).tells(&["no client drives its cells yet"]);
        let look = seen.json();
        let (before, after) = (&look["looks"][0], &look["looks"][1]);
        assert_eq!((&before["stage"], &after["stage"]), (&json!("before_imports"), &json!("after_imports")));
        assert_eq!(signal(after, "container.network_internal"), (json!(true), json!("supervisor")));
        assert_eq!(signal(after, "container.readonly_rootfs"), (json!(true), json!("supervisor")));
        assert!(signal(after, "server.ready_ms").0.as_i64().is_some_and(|ready_ms| ready_ms >= 0));
        let axis = name.replace('-', "_");
        assert_eq!(signal(after, &format!("{axis}.version")), (json!(version), json!("runner")), "its own word");
        assert_eq!(look["declaration"]["observed"][&axis], version);
        let by_own_word = look["declaration"]["by_own_word"].as_array().expect("a list");
        assert!(by_own_word.contains(&json!(axis)), "{by_own_word:?}");
    }
    // Its cells need a client; a run refuses it before anything is started.
    let shown = scene.lockstep(&["lane", "vllm", "--plan", "tiny"]);
    shown.exits(4).prints(&["server.health", "vllm.version", "lane vllm is what it declares"]);
    let (run, ledger) = settled(&scene.project, daemon, scene.lockstep(&["run", "tiny"]));
    run.ended.exits(3).tells(&["no client that drives its cells"]);
    assert!(ledger.rows_of("vllm").iter().all(|row| row.outcome == Outcome::Refused), "{:?}", run.ended);
    scene.nothing_is_left();
}

pub fn other_version(daemon: &Daemon) {
    let scene = Scene::new(daemon, "servers/other");
    let message = |stand_in: &str| {
        scene.lane("vllm", stand_in, &[]);
        let failure = failure(&scene.preflight("vllm"));
        assert_eq!(failure["class"], "preflight", "{failure}");
        failure["message"].as_str().expect("a text").to_owned()
    };
    let other = message("vllm 0.10.2");
    assert!(other.contains("axis vllm: declared \"0.11.0\", observed \"0.10.2\""), "{other}");
    let another = message("sglang 0.11.0");
    assert!(another.contains("signal vllm.version: /version answers 404"), "{another}");
    let silent = message("vllm 0.11.0 versionless");
    assert!(silent.contains("signal vllm.version: /version answers 404"), "{silent}");
}

pub fn broken_start(daemon: &Daemon) {
    let scene = Scene::new(daemon, "servers/broken");
    let failure = |stand_in: &str, limits: &[(&str, f64)]| {
        scene.lane("vllm", &format!("vllm 0.11.0 {stand_in}"), limits);
        failure(&scene.preflight("vllm"))
    };
    let crashed = failure("slow 500 crash", &[]);
    assert_eq!((&crashed["class"], &crashed["exit_status"]), (&json!("died"), &json!(1)), "{crashed}");
    let words = |failure: &Value, key: &str| failure[key].as_str().unwrap_or_default().to_owned();
    assert!(words(&crashed, "message").contains("the server ended before it was ready"), "{crashed}");
    assert!(words(&crashed, "stderr_tail").ends_with("no kernel image is available for execution on the device"));

    let eaten = failure("slow 600000 eat", &[]);
    assert_eq!((&eaten["class"], &eaten["exit_status"]), (&json!("out_of_memory"), &json!(137)), "{eaten}");

    let silent = failure("slow 600000", &[("load_s", 1.0)]);
    assert_eq!(silent["class"], "inactive", "{silent}");
    assert!(words(&silent, "message").contains("wrote nothing to its log for 1 s: /health answers 503"), "{silent}");

    let slow = failure("slow 600000 chatty deaf", &[("load_s", 1.0), ("wall_s", 3.0), ("grace_s", 0.3)]);
    assert_eq!(slow["class"], "wall_cap", "{slow}");
    assert!(words(&slow, "stderr_tail").ends_with("loading weights"), "{slow}");
}

pub fn slow_start(daemon: &Daemon) {
    let scene = Scene::new(daemon, "servers/slow");
    // Longer than it may be silent, and it is not silent.
    scene.lane("tgi", "tgi 3.3.6 slow 2500 chatty deaf", &[("load_s", 1.0), ("grace_s", 0.3)]);
    let seen = scene.preflight("tgi");
    seen.exits(0);
    let (ready_ms, _) = signal(&seen.json()["looks"][1], "server.ready_ms");
    assert!(ready_ms.as_i64().is_some_and(|ready_ms| ready_ms >= 2400), "{ready_ms}");
}

pub fn killed(daemon: &Daemon) {
    let scene = Scene::new(daemon, "servers/killed");
    scene.lane("vllm", "vllm 0.11.0 slow 600000", &[]);
    let arguments = ["preflight", "vllm", "--plan", "tiny"];
    let supervisor = start(&scene.project, daemon, &arguments);
    wait_for("its container", || {
        let filters = HashMap::from([("status", vec!["running"]), ("label", vec!["org.lockstep.lane=vllm"])]);
        let options = ListContainersOptionsBuilder::default().filters(&filters).build();
        let listed = block_on(async { daemon.client_within().await.list_containers(Some(options)).await });
        listed.expect("the daemon answers").first().map(|_| ())
    });
    supervisor.kill();
    assert_eq!((containers(daemon, "vllm").len(), networks(daemon).len()), (1, 1));
    scene.lockstep(&["clean"]).exits(0).prints(&["removed container ", "removed network ", " of lane vllm, launch 0"]);
    scene.nothing_is_left();
}

/// Of vLLM's server as much as is asked, as a module of the same name.
const MODULE: &str = r#"
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {"/health": {}, "/version": {"version": "0.24.0"}, "/v1/models": {"data": [{"owned_by": "vllm"}]}}.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

option = lambda name: sys.argv[sys.argv.index(name) + 1]
open(option("--model") + "/config.json").close()
http.server.HTTPServer((option("--host"), int(option("--port"))), Handler).serve_forever()
"#;

pub fn process(daemon: &Daemon) {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["vllm-0.24.0-overlay"]));
    project.write("packages/vllm/entrypoints/openai/api_server.py", MODULE);
    let name = "vllm-0.24.0-overlay";
    let mut lane = shipped(name, "", &[]);
    lane.remove("input");
    lane["process"].as_table_mut().expect("a table").remove("minimum_version");
    lane["environment"]["PYTHONPATH"] = value(project.file("packages").display().to_string());
    project.write(&format!("lanes/{name}.toml"), lane.to_string());
    lockstep(&project, daemon, &["lock", name]).exits(0);
    let preflight = || lockstep(&project, daemon, &["preflight", name, "--plan", "tiny", "--format", "json"]);
    let seen = preflight();
    seen.exits(0);
    let look = &seen.json()["looks"][1];
    assert_eq!(signal(look, "vllm.version"), (json!("0.24.0"), json!("runner")));
    assert_eq!(signal(look, "server.health"), (json!("/health"), json!("supervisor")));

    project.write("packages/vllm/entrypoints/openai/api_server.py", MODULE.replace("0.24.0", "0.23.1"));
    let failure = failure(&preflight());
    let message = failure["message"].as_str().unwrap_or_default();
    assert!(message.contains("signal vllm.version: gate wants 0.24.0, seen 0.23.1"), "{failure}");
    project.write("packages/vllm/entrypoints/openai/api_server.py", "import sys\nsys.exit('no GPU')");
    let failure = self::failure(&preflight());
    assert_eq!((&failure["class"], &failure["exit_status"]), (&json!("died"), &json!(1)), "{failure}");
    assert_eq!(failure["stderr_tail"], "no GPU");
}
