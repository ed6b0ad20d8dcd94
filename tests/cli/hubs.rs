//! A plan on a model hub's checkpoint: pinned by `model pin`, downloaded by the first run, kept for the next.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lockstep::engine::Architecture;
use lockstep::terms::Digest;
use serde_json::json;

use crate::project::{Ended, Ledger, PlanText, Project, Run, Started};
use crate::{Named, Needs, models};

pub const TRIALS: &[Named] = &[
    Named("a_plan_pins_a_hubs_checkpoint_and_downloads_it_once", Needs::Nothing, pinned),
    Named("a_hubs_plan_on_a_given_folder_downloads_nothing", Needs::Nothing, in_place),
    Named("a_download_that_was_killed_goes_on", Needs::Nothing, killed),
    Named("a_hub_that_refuses_leaves_no_run_and_shows_no_token", Needs::Nothing, refused),
];

const COMMIT: &str = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a";
const TOKEN: &str = "hf_nobodyShouldSeeThis";
const WEIGHTS: &str = "model.safetensors";

/// What a hub does with its weights.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Sends,
    /// Sends half of them and then nothing more, to those who ask for the whole.
    Stalls,
    Refuses,
}

/// A hub of one repository, which only those with the token may read. It ends with the test's process.
struct TestHub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    way: Arc<Mutex<Way>>,
}

type Files = BTreeMap<String, Vec<u8>>;

impl TestHub {
    fn start(files: Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (seen, way) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Way::Sends)));
        let (log, does) = (Arc::clone(&seen), Arc::clone(&way));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (files, log, way) = (files.clone(), Arc::clone(&log), *does.lock().expect("no test panics there"));
                // A client that was killed is part of the tests.
                std::thread::spawn(move || answer(stream, &files, &log, way).ok());
            }
        });
        Self { address, seen, way }
    }

    fn does(&self, way: Way) {
        *self.way.lock().expect("no test panics there") = way;
    }

    /// Names of the files that were asked for, each with the range.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("no test panics there"))
    }
}

fn answer(mut stream: TcpStream, files: &Files, log: &Mutex<Vec<String>>, way: Way) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let headers: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let mut reply = |status: u16, headers: &str, promised: usize, body: &[u8]| {
        write!(stream, "HTTP/1.1 {status} Test\r\nConnection: close\r\n{headers}Content-Length: {promised}\r\n\r\n")?;
        stream.write_all(body)
    };
    if header("authorization") != Some(&format!("bearer {}", TOKEN.to_lowercase())) || way == Way::Refuses {
        let words = json!({"error": "Access to model org/tiny is restricted."}).to_string();
        return reply(403, "", words.len(), words.as_bytes());
    }
    if target == "/api/models/org/tiny/revision/main?blobs=true" {
        let sibling = |(name, bytes): (&String, &Vec<u8>)| {
            let large = json!({"sha256": Digest::of(bytes).hex(), "size": bytes.len(), "pointerSize": 130});
            let lfs = if name == WEIGHTS { large } else { json!(null) };
            json!({"rfilename": name, "size": bytes.len(), "lfs": lfs})
        };
        let listed = json!({"sha": COMMIT, "siblings": files.iter().map(sibling).collect::<Vec<_>>()}).to_string();
        return reply(200, "", listed.len(), listed.as_bytes());
    }
    let name = target.strip_prefix(&format!("/org/tiny/resolve/{COMMIT}/")).unwrap_or_default();
    let Some(bytes) = files.get(name) else { return reply(404, "", 0, b"") };
    let range = header("range").unwrap_or_default();
    log.lock().expect("no test panics there").push(format!("{name} {range}").trim().to_owned());
    let first: usize = range.strip_prefix("bytes=").and_then(|rest| rest.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let (rest, whole) = (&bytes[first..], bytes.len());
    if first > 0 {
        let place = format!("Content-Range: bytes {first}-{}/{whole}\r\n", whole - 1);
        return reply(206, &place, rest.len(), rest);
    }
    if way == Way::Stalls && name == WEIGHTS {
        reply(200, "", whole, &rest[..whole / 2])?;
        // Until the client is gone.
        return std::io::copy(&mut stream, &mut std::io::sink()).map(|_| ());
    }
    reply(200, "", whole, rest)
}

fn checkpoint(folder: &Path) -> Files {
    models::checkpoint(folder, Architecture::Qwen2);
    let entries = std::fs::read_dir(folder).expect("it can be listed").map(|entry| entry.expect("an entry"));
    let read = |path: PathBuf| std::fs::read(path).expect("a file can be read");
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(entry.path()))).collect()
}

fn started(project: &Project, hub: &TestHub, arguments: &[&str]) -> Started {
    let mut command = project.command(arguments);
    for proxy in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(proxy);
    }
    command.env("HF_ENDPOINT", format!("http://{}", hub.address)).env("HF_TOKEN", TOKEN);
    Started::of(command)
}

/// The command's end; the token stands in nothing that it said.
fn asked(project: &Project, hub: &TestHub, arguments: &[&str]) -> Ended {
    let ended = started(project, hub, arguments).finish();
    assert!(!format!("{ended:?}").contains(TOKEN), "{ended:?}");
    ended
}

/// A project with a plan on the hub's checkpoint, as `model pin` pins it.
fn project() -> (Project, TestHub) {
    let project = Project::new();
    let hub = TestHub::start(checkpoint(&project.file("given")));
    let tables = asked(&project, &hub, &["model", "pin", "org/tiny"]).exits(0).stdout.clone();
    assert_eq!(hub.taken(), ["config.json"], "no weights are downloaded for a pin");
    let text = PlanText::new("tiny", &["native"]).text();
    let (model, run) = (text.find("[model]").expect("a plan has a model"), text.find("[run]").expect("and a run"));
    project.write("plans/tiny.toml", format!("{}{tables}\n{}", &text[..model], &text[run..]));
    (project, hub)
}

/// Whether any file below the folder holds the token.
fn holds_token(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).expect("it can be listed").map(|entry| entry.expect("an entry").path());
    entries.into_iter().any(|path| match path.is_dir() {
        true => holds_token(&path),
        false => {
            let bytes = std::fs::read(&path).expect("a file can be read");
            bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes())
        }
    })
}

fn pinned() {
    let (project, hub) = project();
    let run = Run::of(&project, asked(&project, &hub, &["run", "tiny"]));
    run.exits(0);
    run.ended.tells(&["preparing org/tiny", COMMIT, "100 %"]).prints(&["published weights of org/tiny", COMMIT]);
    assert_eq!(hub.taken(), ["config.json", WEIGHTS]);
    Ledger::of(&run.path).is_complete();
    assert!(run.verdict().model.contains(&format!("published weights of org/tiny at revision {COMMIT}")));
    assert!(!holds_token(project.root()), "the token was written down");
    // From now on the hub is not needed.
    hub.does(Way::Refuses);
    asked(&project, &hub, &["run", "tiny"]).exits(0);
    asked(&project, &hub, &["clean", "--models"]).exits(0);
    asked(&project, &hub, &["run", "tiny"]).exits(2).tells(&["HTTP 403"]);
    assert!(hub.taken().is_empty());
}

fn in_place() {
    let (project, hub) = project();
    hub.does(Way::Refuses);
    let run = Run::of(&project, asked(&project, &hub, &["run", "tiny", "--model", "given"]));
    run.exits(0);
    assert_eq!(run.verdict().model, "given");
    assert!(hub.taken().is_empty());
}

fn killed() {
    let (project, hub) = project();
    hub.does(Way::Stalls);
    let stalled = started(&project, &hub, &["run", "tiny"]);
    stalled.line_with(" %  ");
    stalled.kill();
    assert_eq!(hub.taken(), ["config.json", WEIGHTS]);
    hub.does(Way::Sends);
    asked(&project, &hub, &["run", "tiny"]).exits(0);
    let taken = hub.taken();
    assert!(taken.len() == 1 && taken[0].starts_with(&format!("{WEIGHTS} bytes=")), "{taken:?}");
}

fn refused() {
    let (project, hub) = project();
    hub.does(Way::Refuses);
    let refused = asked(&project, &hub, &["run", "tiny"]);
    refused.exits(2).tells(&[
        "org/tiny is restricted",
        "the token in HF_TOKEN may not read it",
        "/org/tiny with its account",
    ]);
    assert!(!project.file("runs").exists(), "a model that was refused left a folder behind");
    asked(&project, &hub, &["model", "pin", "org/tiny"]).exits(2).tells(&["HTTP 403"]);
    assert!(!project.file("runs").exists(), "a pin that was refused left a folder behind");
    let mut odd = project.command(&["model", "pin", "org/tiny"]);
    odd.env("HF_TOKEN", "a secret\n");
    let odd = Started::of(odd).finish();
    odd.exits(2).tells(&["HF_TOKEN holds more than an access token"]);
    assert!(!format!("{odd:?}").contains("a secret"), "{odd:?}");
}
