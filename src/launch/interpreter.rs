//! Programs on the search path, and the versions that they report.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::Error;
use super::outside::children;
use super::outside::{procfs, tree};
use crate::terms::compare_versions;

/// How long an interpreter may take to say its version.
pub(super) const VERSION_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of an interpreter's answer that are read.
const ANSWER_BYTES: u64 = 4 * 1024;

/// Why an interpreter is as good as absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable {
    pub reason: String,
    pub remedy: String,
}

/// The first executable file called `name` in the folders of `search_path`; a name with a slash is a path.
pub(super) fn find(name: &str, search_path: &str) -> Option<PathBuf> {
    let is_program =
        |path: &Path| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    let folders = search_path.split(':').filter(|folder| !folder.is_empty());
    folders.map(|folder| Path::new(folder).join(name)).find(|path| is_program(path))
}

/// The error for a program that is nowhere on the search path.
pub(super) fn missing(name: &str) -> Error {
    Error::Absent {
        reason: format!("no folder of PATH holds the program {name:?}"),
        remedy: format!("install {name} or add its folder to PATH"),
    }
}

/// The version that `program --version` reports, when it is no older than `minimum`.
pub(super) async fn version(
    program: &Path,
    minimum: &str,
    search_path: &str,
    deadline: Duration,
) -> Result<String, Unusable> {
    let shown = program.display();
    let unusable = |reason: String, remedy: &str| Unusable { reason, remedy: remedy.to_owned() };
    let answer = match tokio::time::timeout(deadline, ask(program, &["--version"], search_path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(found)) => {
            return Err(unusable(format!("`{shown} --version` failed: {found}"), "repair or replace the interpreter"));
        }
        Err(_) => {
            let reason = format!("`{shown} --version` gave no answer within {:.0} s", deadline.as_secs_f64());
            return Err(unusable(reason, "find out by hand why it hangs, or put another one first on PATH"));
        }
    };
    let Some(found) = first_version(&answer) else {
        let shown_answer: String = answer.chars().take(80).collect();
        let reason = format!("`{shown} --version` names no version: {shown_answer:?}");
        return Err(unusable(reason, "put the real interpreter first on PATH"));
    };
    match compare_versions(&found, minimum) {
        Some(Ordering::Less) => {
            let remedy = format!("install version {minimum} or newer and put it first on PATH");
            Err(Unusable { reason: format!("{shown} is version {found}, older than {minimum}"), remedy })
        }
        Some(Ordering::Equal | Ordering::Greater) => Ok(found),
        None => {
            let reason = format!("{shown} is version {found}, which cannot be compared with {minimum:?}");
            Err(unusable(reason, "let the lane's minimum version begin with a number"))
        }
    }
}

/// Kills the group of a program that was given up, since a wrapper script may have started others.
struct GroupGuard(Option<u32>);

impl GroupGuard {
    /// The program was reaped, so its id may be another's by now.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            // An error says that the group is gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Versions of a host's own Python and of what is installed in it, by axis.
pub type HostAxes = BTreeMap<String, String>;

/// Prints a line `AXIS VERSION` for Python and each package that is installed, by their metadata: nothing is imported.
const AXES_SCRIPT: &str = "
import importlib.metadata as m, platform
print('python', platform.python_version())
for name in ('torch', 'transformers', 'triton'):
    try: print(name, m.version(name))
    except m.PackageNotFoundError: pass
";

/// The axes of the Python called `name`.
///
/// # Errors
/// Why it gave no answer; empty when no such program is there.
pub async fn host_axes(name: &str, search_path: &str) -> Result<HostAxes, String> {
    let program = find(name, search_path).ok_or_else(String::new)?;
    let shown = program.display();
    let question = ask(&program, &["-c", AXES_SCRIPT], search_path);
    let answer = match tokio::time::timeout(VERSION_DEADLINE, question).await {
        Ok(answer) => answer.map_err(|found| format!("{shown} cannot be asked for its packages: {found}"))?,
        Err(_) => return Err(format!("{shown} did not name its packages within {} s", VERSION_DEADLINE.as_secs())),
    };
    let pair = |line: &str| line.split_once(' ').map(|(axis, version)| (axis.to_owned(), version.trim().to_owned()));
    Ok(answer.lines().filter_map(pair).collect())
}

/// What the program prints, on either stream.
async fn ask(program: &Path, arguments: &[&str], search_path: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", search_path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let (mut child, _own) = children::start_program(|| {
        let child = command.spawn().map_err(|error| error.to_string())?;
        let stat = child.id().and_then(procfs::stat).ok_or("it has no entry in /proc")?;
        Ok::<_, String>((child, tree::member(&stat)))
    })?;
    let guard = GroupGuard(child.id());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
        let (mut stdout, mut stderr) = (stdout.take(ANSWER_BYTES), stderr.take(ANSWER_BYTES));
        let read = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
        if let (Err(error), _) | (_, Err(error)) = read {
            return Err(error.to_string());
        }
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    guard.disarm();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !status.success() {
        return Err(format!("{status}, {:?}", text(&err).chars().take(200).collect::<String>()));
    }
    Ok(format!("{}\n{}", text(&out), text(&err)))
}

/// The first dotted number of a text, for example `3.13.0` of `Python 3.13.0rc1+`.
fn first_version(text: &str) -> Option<String> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.') && word.split('.').all(|part| !part.is_empty()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with one script, and that folder's search path.
    fn script(text: &str) -> (tempfile::TempDir, PathBuf, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("interp");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let search_path = format!("{}:/usr/bin:/bin", folder.path().display());
        (folder, path, search_path)
    }

    #[test]
    fn the_first_executable_file_of_the_search_path_is_taken() {
        let (first, path, search_path) = script("true");
        assert_eq!(find("interp", &search_path), Some(path.clone()));
        assert_eq!(find("interp", "/nowhere::"), None);
        assert_eq!(find(path.to_str().unwrap(), ""), Some(path.clone()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find("interp", &search_path), None, "a file without an execute bit is no program");
        std::fs::create_dir(first.path().join("folder")).unwrap();
        assert_eq!(find("folder", &search_path), None);
    }

    #[test]
    fn a_version_is_found_among_words() {
        assert_eq!(first_version("Python 3.13.0rc1+ (main)").as_deref(), Some("3.13.0"));
        assert_eq!(first_version("perl 5, version 36 (v5.36.0)").as_deref(), Some("5.36.0"));
        assert_eq!(first_version("\nPython 2.7.18").as_deref(), Some("2.7.18"));
        assert_eq!(first_version("... 3 . no"), None);
    }

    #[tokio::test]
    async fn an_interpreter_counts_when_it_is_new_enough_on_either_stream() {
        let (_keep, path, search_path) = script("echo Interp 3.11.2 >&2");
        let ask = |minimum| version(&path, minimum, &search_path, VERSION_DEADLINE);
        assert_eq!(ask("3.9").await.as_deref(), Ok("3.11.2"));
        let old = ask("3.12").await.unwrap_err();
        assert!(old.reason.ends_with("is version 3.11.2, older than 3.12"), "{}", old.reason);
        assert!(old.remedy.contains("3.12"), "{}", old.remedy);
    }

    #[tokio::test]
    async fn an_interpreter_that_hangs_fails_or_babbles_is_unusable_with_the_reason() {
        // The grandchild holds the pipes open after the script is killed.
        let (_keep, path, search_path) = script("sleep 600 & sleep 600");
        let hung = version(&path, "1.0", &search_path, Duration::from_millis(300)).await.unwrap_err();
        assert!(hung.reason.contains("no answer within"), "{}", hung.reason);
        let (_keep, path, search_path) = script("echo broken install >&2; exit 3");
        let failed = version(&path, "1.0", &search_path, VERSION_DEADLINE).await.unwrap_err();
        assert!(failed.reason.contains("exit status: 3") && failed.reason.contains("broken install"), "{failed:?}");
        let (_keep, path, search_path) = script("echo hello");
        let mute = version(&path, "1.0", &search_path, VERSION_DEADLINE).await.unwrap_err();
        assert!(mute.reason.contains("names no version"), "{}", mute.reason);
    }
}
