//! The lanes of the two interpreters, in the images that their locks name: what each look says of the global lock, an
//! extension module that switches it on again, both arms of their decoder, and a program of others run in one of them.
//! Where the images were not built, the tests print as ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use bollard::query_parameters::ListImagesOptionsBuilder;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lockstep::journal::{Journal, Record, read_file};
use lockstep::launch::built_reference;
use lockstep::plan::{Lock, Plan};
use lockstep::terms::{FailureClass, Observer, Outcome, SignalValue};
use serde_json::Value;
use tempfile::TempDir;

/// Puts the stand-in for NumPy on the search path that imports the extension.
const PROBE: &str = "PYTHONPATH = \"/opt/python/probe\"";

fn main() -> ExitCode {
    let trials = vec![
        trial("each_interpreter_is_what_its_lane_declares_at_every_look", as_declared),
        trial("an_extension_that_switches_the_lock_on_again_is_refused_by_name", switched_on),
        trial("an_interpreter_that_was_asked_for_the_lock_is_refused", asked_for),
        trial("both_arms_decode_the_same_tokens_in_both_interpreters", both_arms),
        trial("products_of_the_plans_shapes_give_the_lock_up_and_a_sum_of_two_states_holds_it", product_gives_up),
        trial("a_program_that_fails_in_a_container_keeps_its_words_and_its_exceptions_class", keeps_words),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn(&Lanes) -> Result<(), String>) -> Trial {
    Trial::ignorable_test(name, move || match Lanes::found() {
        Ok(lanes) => test(&lanes).map(|()| Completion::Completed).map_err(Failed::from),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// The images of both lanes, by the names that their locks give them.
struct Lanes {
    gil: String,
    nogil: String,
}

impl Lanes {
    fn found() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let tags = runtime.map_err(|error| error.to_string())?.block_on(tags());
        let of = |lane: &str| {
            let name = built_reference(&lock(lane));
            let missing = format!("the image {name} was not built here; README says how under \"GIL ablation\"");
            tags.iter().find(|tag| **tag == name).cloned().ok_or(missing)
        };
        Ok(Self { gil: of("python-gil")?, nogil: of("python-nogil")? })
    }
}

fn lock(lane: &str) -> Lock {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("lockfiles/{lane}.lock"));
    let text = std::fs::read_to_string(&path).expect("the lane has a lock");
    Lock::parse(lane, &text).expect("the lock can be read")
}

/// What the engine's images are called; nothing where none answers.
async fn tags() -> Vec<String> {
    let Ok(docker) = bollard::Docker::connect_with_local_defaults() else { return Vec::new() };
    let Ok(docker) = docker.negotiate_version().await else { return Vec::new() };
    let options = ListImagesOptionsBuilder::default().build();
    let images = docker.list_images(Some(options)).await.unwrap_or_default();
    images.into_iter().flat_map(|image| image.repo_tags).collect()
}

/// The lane of that name over an image that is there, with something more in its environment.
fn lane_text(lane: &str, image: &str, environment: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("lanes/{lane}.toml"));
    let text = std::fs::read_to_string(&path).expect("the lane is there");
    let mut manifest: toml::Table = text.parse().expect("the lane is TOML");
    manifest.remove("input");
    let docker = manifest["docker"].as_table_mut().expect("the lane is a container's");
    ["build", "foundation", "files", "arguments"].iter().for_each(|key| drop(docker.remove(*key)));
    docker.insert("image".into(), image.into());
    let added: toml::Table = environment.parse().expect("the addition is TOML");
    manifest["environment"].as_table_mut().expect("the lane has an environment").extend(added);
    manifest["name"] = "tried".into();
    manifest.to_string()
}

/// What `lockstep preflight` says of a lane: its exit status and its answer.
fn look(lane: &str, image: &str, environment: &str) -> Result<(i32, Value), String> {
    let folder = project(&plan("tried")).map_err(|error| error.to_string())?;
    write_lane(folder.path(), &lane_text(lane, image, environment)).map_err(|error| error.to_string())?;
    let ended = lockstep(folder.path(), &["preflight", "tried", "--plan", "tried", "--unlocked", "--format", "json"])?;
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    let answer = serde_json::from_slice(&ended.stdout).map_err(|error| format!("{error}: {told}"))?;
    Ok((ended.status.code().unwrap_or(-1), answer))
}

/// A folder with the plan `tried`.
fn project(plan: &str) -> std::io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("plans"))?;
    std::fs::write(folder.path().join("plans/tried.toml"), plan)?;
    Ok(folder)
}

/// The plan `tried` over one lane.
fn plan(lane: &str) -> String {
    PLAN.replace("LANE", lane)
}

/// Writes the lane `tried`.
fn write_lane(folder: &Path, text: &str) -> std::io::Result<()> {
    std::fs::create_dir(folder.join("lanes"))?;
    std::fs::write(folder.join("lanes/tried.toml"), text)
}

fn lockstep(folder: &Path, arguments: &[&str]) -> Result<Output, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(arguments).current_dir(folder).env_remove("LOCKSTEP_PROJECT");
    command.output().map_err(|error| error.to_string())
}

/// A look: its stage, and what the runner said.
struct Look {
    stage: String,
    signals: BTreeMap<String, SignalValue>,
}

/// A run of the plan `tried` in that folder, and its journal.
fn run(folder: &Path, options: &[&str]) -> Result<(PathBuf, Journal), String> {
    let ended = lockstep(folder, &[&["run", "tried"], options].concat())?;
    let told = String::from_utf8_lossy(&ended.stderr);
    let runs = std::fs::read_dir(folder.join("runs")).map_err(|error| format!("{error}: {told}"))?;
    let run = runs.flatten().map(|run| run.path()).find(|run| run.join("journal.jsonl").is_file());
    let run = run.ok_or_else(|| format!("the run left no journal: {told}"))?;
    let journal = read_file(&run.join("journal.jsonl")).map_err(|error| format!("{error}: {told}"))?;
    Ok((run, journal))
}

/// Every look of a run of the lane as it is shipped and locked, in order.
fn looks_of_a_run(lane: &str) -> Result<Vec<Look>, String> {
    let folder = project(&plan(lane)).map_err(|error| error.to_string())?;
    let (_, journal) = run(folder.path(), &[])?;
    let of = |record: &Record| {
        let Record::Preflight(look) = record else { return None };
        let inside = look.signals.iter().filter(|signal| signal.observer == Observer::Runner);
        let signals = inside.map(|signal| (signal.name.clone(), signal.value.clone())).collect();
        look.launch.map(|_| Look { stage: look.stage.to_string(), signals })
    };
    Ok(journal.records.iter().filter_map(of).collect())
}

/// The model of the plan `quickstart`.
const PLAN: &str = r#"
schema = 1
name = "tried"
seed = 1
[model]
name = "tiny-qwen2"
sha256 = "sha256:aa37349835f750d756774bd8b65ff7506e93649392d658034a0d11903e34d763"
vocab_size = 512
[model.synthetic]
architecture = "qwen2"
seed = 7
hidden_size = 128
intermediate_size = 384
layers = 2
heads = 4
kv_heads = 2
max_positions = 1024
[run]
launches = 3
repetitions = 1
warmup = 0
[[workload]]
name = "short"
prompt = [1, 2, 3]
new_tokens = 2
phases = ["kv_decode"]
[[lane]]
name = "LANE"
"#;

/// A signal at a stage, from the inside of the lane.
fn signal(answer: &Value, stage: &str, name: &str) -> Option<Value> {
    let looks = answer["looks"].as_array()?;
    let look = looks.iter().find(|look| look["stage"] == stage)?;
    let signals = look["signals"].as_array()?;
    signals.iter().find(|signal| signal["name"] == name).map(|signal| signal["value"].clone())
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}, expected {expected:?}")) }
}

fn as_declared(_: &Lanes) -> Result<(), String> {
    for (lane, locked) in [("python-gil", true), ("python-nogil", false)] {
        let looks = looks_of_a_run(lane)?;
        let stages: Vec<&str> = looks.iter().map(|look| look.stage.as_str()).collect();
        let launch = ["before_imports", "after_imports", "after_warmup", "at_exit"];
        expect(&format!("the looks at three launches of {lane}"), stages, launch.repeat(3))?;
        for Look { stage, signals } in &looks {
            let is = |name: &str, expected: SignalValue| {
                expect(&format!("{lane}: {name} {stage}"), signals.get(name), Some(&expected))
            };
            is("python.gil_enabled", locked.into())?;
            is("python.gil_build_disabled", (!locked).into())?;
            is("python.gil_request", "none".into())?;
            is("python.gil_signals_agree", true.into())?;
            if stage != "before_imports" {
                is("modules.numpy", true.into())?;
                is("blas.threads", 1_i64.into())?;
            }
        }
    }
    Ok(())
}

fn switched_on(lanes: &Lanes) -> Result<(), String> {
    let (status, answer) = look("python-nogil", &lanes.nogil, PROBE)?;
    expect("the exit status", status, 3)?;
    let enabled = |stage: &str| signal(&answer, stage, "python.gil_enabled");
    expect("the lock before imports", enabled("before_imports"), Some(false.into()))?;
    expect("the lock after imports", enabled("after_imports"), Some(true.into()))?;
    let agrees = signal(&answer, "after_imports", "python.gil_signals_agree");
    expect("whether the signals agree", agrees, Some(false.into()))?;
    let message = answer["declaration"]["failure"]["message"].as_str().unwrap_or_default().to_owned();
    for part in
        ["preflight after_imports", "python.gil_enabled: gate wants false, seen true", "python.gil_signals_agree"]
    {
        if !message.contains(part) {
            return Err(format!("the refusal does not name {part:?}: {message}"));
        }
    }
    // With the lock there is nothing that the extension could switch on.
    let (status, _) = look("python-gil", &lanes.gil, PROBE)?;
    expect("the exit status with the lock", status, 0)
}

fn asked_for(lanes: &Lanes) -> Result<(), String> {
    for request in ["0", "1"] {
        let (status, answer) = look("python-nogil", &lanes.nogil, &format!("PYTHON_GIL = \"{request}\""))?;
        expect("the exit status", status, 3)?;
        let message = answer["declaration"]["failure"]["message"].as_str().unwrap_or_default();
        let part = format!("python.gil_request: gate wants none, seen {request}");
        expect(&format!("whether {message:?} names the request"), message.contains(&part), true)?;
    }
    Ok(())
}

/// Each phase with each arm, by two agents.
const ARMS: &str = "new_tokens = 8\nphases = [\"prefill\", \"kv_decode\"]\n\
                    axes = { agents = [\"2\"], kernels = [\"numpy\", \"python\"] }\n";

fn both_arms(_: &Lanes) -> Result<(), String> {
    let mut tokens: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for lane in ["python-gil", "python-nogil"] {
        let text = plan(lane).replace("new_tokens = 2\nphases = [\"kv_decode\"]\n", ARMS);
        // Once: no time of it is compared.
        let text = text.replace("[run]\nlaunches = 3", "[coverage]\nmin_launches = 1\n[run]\nlaunches = 1");
        let planned = Plan::parse("tried.toml", &text).map_err(|error| error.to_string())?;
        let cells = planned.cells().map_err(|error| error.to_string())?;
        let folder = project(&text).map_err(|error| error.to_string())?;
        let (_, journal) = run(folder.path(), &[])?;
        expect(&format!("rows of {lane}"), (journal.rows().count(), cells.len()), (4, 4))?;
        for (_, row) in journal.rows() {
            let cell = cells.iter().find(|cell| cell.id() == row.cell).ok_or("a row of no cell")?;
            let what = format!("{lane}: {} of {:?}", cell.phase, cell.axes);
            expect(&format!("{what}: outcome ({:?})", row.failure), row.outcome, Outcome::Ok)?;
            let shown = |name: &str| row.evidence.get(name).map(ToString::to_string).unwrap_or_default();
            let dtype = if cell.axes["kernels"] == "numpy" { "f32" } else { "f64" };
            for (name, expected) in [("kernels", cell.axes["kernels"].as_str()), ("dtype", dtype), ("threads", "1")] {
                expect(&format!("{what}: {name}"), shown(name).as_str(), expected)?;
            }
            expect(&format!("{what}: count of tokens"), row.tokens.len(), cell.new_tokens as usize)?;
            // Whatever the arm and the interpreter.
            let first = tokens.entry(cell.phase.to_string()).or_insert_with(|| row.tokens.clone());
            expect(&format!("{what}: tokens"), &row.tokens, &*first)?;
        }
    }
    expect("phases with tokens", tokens.len(), 2)
}

/// Writes some megabytes to standard error, dies of an exception, and has a last word.
const FAILS: &str = r#"
import atexit, sys
class InductorError(Exception): pass
InductorError.__module__ = "torch._inductor.exc"
atexit.register(lambda: sys.stderr.write("last word\n" * 500))
for number in range(20000): sys.stderr.write("noise %05d %s\n" % (number, "x" * 80))
raise InductorError("backend failed")
"#;

/// Whether the lock changes hands while NumPy works as in plan `gil-ablation`: never while it adds two states, as never while
/// pure Python computes, and while it multiplies a state by weights of the plan's shapes.
const TURNS: &str = r#"
import sys, threading, time, numpy
# Whoever waits for the lock gets it from one who gives it up, and never by asking.
sys.setswitchinterval(1000)
turns, done = 0, False
def take():
    global turns
    while not done:
        turns += 1
        time.sleep(0)
threading.Thread(target=take, daemon=True).start()
def given(work):
    time.sleep(0.01)
    before = turns
    work()
    return turns - before
def products(columns):
    state, weights = numpy.ones((1, 192), numpy.float32), numpy.ones((192, columns), numpy.float32)
    return lambda: [state @ weights for _ in range(20_000)]
def sums():
    state = numpy.ones(192, numpy.float32)
    return lambda: [state + state for _ in range(20_000)]
held = dict(python=given(lambda: sum(range(3_000_000))), sums=given(sums()))
given_up = dict((columns, given(products(columns))) for columns in (512, 1024))
done = True
assert not any(held.values()) and all(turns > 10 for turns in given_up.values()), (held, given_up)
print("took 1 s")
"#;

fn product_gives_up(lanes: &Lanes) -> Result<(), String> {
    let folder = project(&plan("tried").replace("kv_decode", "e2e_kv")).map_err(|error| error.to_string())?;
    write_lane(folder.path(), &exec_lane(&lanes.gil, TURNS)).map_err(|error| error.to_string())?;
    let (_, journal) = run(folder.path(), &["--unlocked"])?;
    expect("rows", journal.rows().count(), 3)?;
    // It came through its assertion; that it shows no tokens makes it no measurement, and it is none.
    let through = Outcome::UnequalWork;
    journal.rows().try_for_each(|(_, row)| expect(&format!("outcome ({:?})", row.failure), row.outcome, through))
}

/// A lane that runs `program` in the image of an interpreter.
fn exec_lane(image: &str, program: &str) -> String {
    format!(
        "schema = 1\nname = \"tried\"\nlauncher = \"docker\"\nrunner = \"python-exec\"\n[docker]\nimage = \"{image}\"\n\
         command = [\"--backend\", \"exec\"]\n[exec]\narguments = [\"python3\", \"-c\", '''{program}''']\n\
         [[exec.line]]\nname = \"wall_s\"\npattern = 'took (?P<value>[0-9.]+) s'\nrequired = true\n\
         [limits]\nload_s = 60\nmeasure_s = 60\n"
    )
}

fn keeps_words(lanes: &Lanes) -> Result<(), String> {
    let text = plan("tried").replace("kv_decode", "e2e_kv");
    let folder = project(&text).map_err(|error| error.to_string())?;
    write_lane(folder.path(), &exec_lane(&lanes.gil, FAILS)).map_err(|error| error.to_string())?;
    let (run, journal) = run(folder.path(), &["--unlocked"])?;
    for (_, row) in journal.rows() {
        let failure = row.failure.as_ref().ok_or("a row that is not ok says why")?;
        let found = (row.outcome, failure.class);
        expect(&format!("what came of it ({failure:?})"), found, (Outcome::Crashed, FailureClass::InductorError))?;
        let words = "torch._inductor.exc.InductorError: backend failed";
        expect(&format!("whether {:?} names the exception", failure.message), failure.message.contains(words), true)?;
    }
    let rows = journal.rows().count();
    expect("rows", rows, 3)?;
    let whole = std::fs::read_to_string(run.join("stderr/tried.log")).map_err(|error| error.to_string())?;
    // What the program wrote stands there for each row as it was written; the runner's own words come after it.
    let noise: String = (0..20_000).map(|number| format!("noise {number:05} {}\n", "x".repeat(80))).collect();
    let begins = format!("{noise}Traceback (most recent call last):\n");
    let ends = format!("torch._inductor.exc.InductorError: backend failed\n{}", "last word\n".repeat(500));
    expect("beginnings of what it wrote", whole.matches(&begins).count(), rows)?;
    expect("ends of what it wrote", whole.matches(&ends).count(), rows)
}
