//! The folder, and commands run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockstep::journal::{Journal, read_file};
use lockstep::verdict::Verdict;
use tempfile::TempDir;

use super::{Ended, Lane, PlanText, Started};

/// What a user's shell may have set and a test must not depend on.
const FOREIGN: [&str; 7] =
    ["LOCKSTEP_PROJECT", "LOCKSTEP_LOG", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_LOG", "RUST_BACKTRACE"];

/// The scripted runner.
pub fn faulty_runner() -> Result<PathBuf, String> {
    example("faulty_runner")
}

/// A program of `tests/fixtures`, which cargo builds with the tests unless a single test target is asked for.
pub fn example(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().expect("a running test has a path");
    let built = own.ancestors().nth(2).map(|profile| profile.join("examples").join(name));
    let missing = || format!("the example {name} is not built; `cargo build --example {name}` builds it");
    built.filter(|path| path.is_file()).ok_or_else(missing)
}

/// A project folder that goes with the test.
pub struct Project {
    folder: TempDir,
}

/// A run that a command made.
pub struct Run {
    /// Its id.
    pub id: String,
    /// Its folder.
    pub path: PathBuf,
    /// How the command ended.
    pub ended: Ended,
}

impl Project {
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("lockstep-").tempdir().expect("a temporary folder can be made") }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file, its folders made.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.file(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn plan(&self, plan: &PlanText) {
        self.write(&format!("plans/{}.toml", plan.name), plan.text());
    }

    /// Writes the lanes and locks them.
    pub fn lanes(&self, lanes: &[&Lane]) {
        let mut arguments = vec!["lock"];
        for lane in lanes {
            self.write(&format!("lanes/{}.toml", lane.name), lane.text());
            arguments.push(lane.name);
        }
        self.lockstep(&arguments).exits(0);
    }

    /// The executable with `arguments`, in this folder, with the scripted runner on the search path. No Docker engine
    /// is asked: what these tests are about must not depend on one.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_lockstep")), arguments)
    }

    /// As [`Self::command`], of another program.
    pub fn command_of<S: AsRef<OsStr>>(&self, program: &Path, arguments: &[S]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.root()).stdin(Stdio::null());
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("PATH", search_path()).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        command
    }

    /// Runs the executable to its end.
    pub fn lockstep<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ended {
        Started::of(self.command(arguments)).finish()
    }

    /// Starts the executable.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Started {
        Started::of(self.command(arguments))
    }

    /// Runs `arguments`, which must be a command that makes a run.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        Run::of(self, self.lockstep(arguments))
    }

    /// The folders of the runs.
    pub fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.file("runs")) else { return Vec::new() };
        let folders = entries.map(|entry| entry.expect("a folder can be listed").path());
        let mut runs: Vec<PathBuf> = folders
            .filter(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')))
            .collect();
        runs.sort();
        runs
    }

    /// The one run of the project.
    pub fn only_run(&self) -> PathBuf {
        let runs = self.runs();
        let [only] = runs.as_slice() else { panic!("expected one run, found {runs:?}") };
        only.clone()
    }
}

impl Run {
    /// The run that the command's first line names.
    pub fn of(project: &Project, ended: Ended) -> Self {
        let words: Vec<&str> = ended.stderr.split_whitespace().collect();
        let id = words.windows(3).find(|words| words[0] == "run" && words[2] == "of").map(|words| words[1].to_owned());
        let id = id.unwrap_or_else(|| panic!("no run was made: {ended:?}"));
        Self { path: project.file("runs").join(&id), id, ended }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn journal(&self) -> Journal {
        read_file(&self.file("journal.jsonl")).unwrap_or_else(|error| panic!("{error}\n{:?}", self.ended))
    }

    pub fn verdict(&self) -> Verdict {
        let text = std::fs::read(self.file("verdict.json")).unwrap_or_else(|error| panic!("{error}: {:?}", self.ended));
        serde_json::from_slice(&text).expect("verdict.json is a verdict")
    }

    /// The exit code must be `code`. Where that is 0, a run whose host was busy may say so by 5 instead: others decide
    /// that here, not the test.
    pub fn exits(&self, code: i32) -> &Self {
        let busy = code == 0 && self.verdict().contamination.contaminated;
        self.ended.exits(if busy { 5 } else { code });
        self
    }
}

fn search_path() -> std::ffi::OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folder = faulty_runner().ok().and_then(|path| path.parent().map(Path::to_owned));
    let folders = folder.into_iter().chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).expect("folders of a search path hold no colon")
}
