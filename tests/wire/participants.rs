//! The runners that the kit is played against.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use lockstep::runner::{NativeBackend, serve, take_stdout};

pub const NATIVE: &str = "native";
pub const NATIVE_NOISY: &str = "native-noisy";
const PYTHON: &str = "python";
const PYTHON_NOISY: &str = "python-noisy";
const YOURS: &str = "yours";

/// Names the command of another runner: words, or a JSON list where a word holds white space.
const YOURS_COMMAND: &str = "LOCKSTEP_WIRE_RUNNER";

/// One runner.
#[derive(Clone)]
pub struct Participant {
    pub name: &'static str,
    pub command: Vec<String>,
    /// Why it cannot be started here.
    pub absent: Option<String>,
    /// Whether it prints to standard output while it works.
    pub noisy: bool,
}

pub fn native() -> Participant {
    let command = [env!("CARGO_BIN_EXE_lockstep"), "runner"].map(str::to_owned).to_vec();
    Participant { name: NATIVE, command, absent: None, noisy: false }
}

pub fn all() -> Vec<Participant> {
    let mut all = vec![
        native(),
        noisy_native(),
        python(PYTHON, python_command(), false),
        python(PYTHON_NOISY, noisy_python_command(), true),
    ];
    if let Some(command) = std::env::var(YOURS_COMMAND).ok().filter(|command| !command.is_empty()) {
        let command = if command.starts_with('[') {
            serde_json::from_str(&command).expect("LOCKSTEP_WIRE_RUNNER begins like a JSON list and is none")
        } else {
            command.split_whitespace().map(str::to_owned).collect()
        };
        all.push(Participant { name: YOURS, command, absent: None, noisy: false });
    }
    all
}

fn noisy_native() -> Participant {
    let program = std::env::current_exe().expect("a running program has a path");
    let program = program.to_str().expect("the target folder has a UTF-8 path").to_owned();
    Participant { name: NATIVE_NOISY, command: vec![program, NATIVE_NOISY.to_owned()], absent: None, noisy: true }
}

/// The native runner in a process that prints before and while it works.
pub fn noisy_native_main() -> ExitCode {
    let Ok(wire) = take_stdout() else { return ExitCode::FAILURE };
    let noise = |text: &str| {
        println!("{text}");
        std::io::stdout().flush().expect("standard error takes what standard output got");
    };
    noise("stray: {\"type\":\"bye\"}");
    std::thread::spawn(move || {
        loop {
            noise("stray from a thread");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    match serve(std::io::stdin(), wire, NativeBackend::default(), || std::process::exit(3)) {
        Ok(lockstep::runner::Farewell::Bye) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The folder that holds the Python package.
pub fn python_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("containers/runner")
}

fn python_command() -> Vec<String> {
    let package = python_path().join("lockstep_runner");
    let package = package.to_str().expect("the project has a UTF-8 path");
    ["python3", "-I", "-S", "-B", package].map(str::to_owned).to_vec()
}

/// The same with a backend that prints, also through a descriptor and a child, before it loads.
fn noisy_python_command() -> Vec<String> {
    const PROGRAM: &str = "
import os, sys
sys.path.insert(0, sys.argv[1])
from lockstep_runner import backends, loop
make = backends.make
def noisy(name):
    print('stray print', flush=True)
    os.write(1, b'stray bytes\\n')
    os.system('echo stray child; cat')
    return make(name)
backends.make = noisy
os._exit(loop.run('reference'))
";
    let path = python_path();
    let path = path.to_str().expect("the project has a UTF-8 path");
    ["python3", "-I", "-S", "-B", "-c", PROGRAM, path].map(str::to_owned).to_vec()
}

fn python(name: &'static str, command: Vec<String>, noisy: bool) -> Participant {
    Participant { name, command, absent: python_absent(), noisy }
}

/// Why the Python runner cannot be started here, if it cannot.
pub fn python_absent() -> Option<String> {
    let probe = "import sys; sys.exit(0 if sys.version_info >= (3, 9) else 9)";
    match Command::new("python3").args(["-I", "-S", "-c", probe]).status() {
        Err(error) => Some(format!("python3 cannot be started: {error}")),
        Ok(status) if status.success() => None,
        Ok(status) if status.code() == Some(9) => Some("python3 is older than 3.9".to_owned()),
        Ok(status) => Some(format!("python3 does not work: {status}")),
    }
}
