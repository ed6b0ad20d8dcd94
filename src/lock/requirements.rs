//! Where package sets come from: `NAME.in` says what is wanted, `uv pip compile` resolves it against the package index, and
//! `NAME.txt` holds what came of it, by hash. The two stand side by side in `containers/requirements`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;
use super::packages::{self, normal};

/// What the sets are for: the Python of every image that installs one, on the platform that their wheels are for.
const FOR: [&str; 4] = ["--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28"];
/// How a line of the file begins that says how it is resolved.
const OPTIONS: &str = "# uv pip compile";

/// What is wanted, by package: the version that is asked for, where one is.
type Wanted = BTreeMap<String, Option<String>>;

/// Resolves the text of `NAME.in` against the package index at `index`; gives the text of `NAME.txt`.
///
/// # Errors
/// The file asks in a way that cannot be held against the result, there is no `uv`, it fails (its words are on standard
/// error), or what it gives leaves something open.
pub fn resolve_requirements(name: &str, asked: &str, index: &str, scratch: &Path) -> Result<String, Error> {
    read(name, asked)?;
    let fault = |problem: String, hint: &str| fault(name, problem, hint);
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |problem| Error::Io { action, path, problem }
    };
    std::fs::create_dir_all(scratch).map_err(io("creating", scratch))?;
    let (from, to) = (scratch.join(format!("{name}.in")), scratch.join(format!("{name}.txt")));
    std::fs::write(&from, asked).map_err(io("writing", &from))?;
    let mut command = Command::new("uv");
    command.current_dir(scratch).stdin(Stdio::null()).stdout(Stdio::null());
    command.args(["pip", "compile", "--quiet", "--no-header", "--generate-hashes", "--index-url", index]).args(FOR);
    command.args(options(name, asked)?).arg(format!("{name}.in")).args(["--output-file", &format!("{name}.txt")]);
    let status = command.status().map_err(|error| {
        fault(format!("uv cannot be started: {error}"), "install it, for example by `pip install uv`, and try again")
    })?;
    if !status.success() {
        return Err(fault(format!("uv ended with {status}"), "see its words above"));
    }
    let set = std::fs::read_to_string(&to).map_err(io("reading", &to))?;
    check_requirements(name, asked, &set)?;
    Ok(set)
}

/// Whether the text of `NAME.txt` is what the text of `NAME.in` asks for, as far as both tell: each package that is wanted
/// is pinned in the version that is wanted, and none is said to be there for the file's sake that it does not name.
///
/// # Errors
/// The first thing that differs, or a file that leaves something open.
pub fn check_requirements(name: &str, asked: &str, set: &str) -> Result<(), Error> {
    let fault = |problem: String| fault(name, problem, &format!("run `lockstep lock --requirements {name}`"));
    let pinned = packages::parse(&format!("containers/requirements/{name}.txt"), set)?;
    let wanted = read(name, asked)?;
    for (package, version) in &wanted {
        match (pinned.iter().find(|pin| pin.name == *package), version) {
            (None, _) => return Err(fault(format!("it asks for {package}, and {name}.txt does not pin it"))),
            (Some(pin), Some(version)) if pin.version != *version => {
                let found = &pin.version;
                return Err(fault(format!("it asks for {package}=={version}, and {name}.txt pins {found}")));
            }
            _ => {}
        }
    }
    match asked_for(name, set).into_iter().find(|package| !wanted.contains_key(package)) {
        Some(package) => Err(fault(format!("{name}.txt pins {package} for its sake, and it does not ask for that"))),
        None => Ok(()),
    }
}

fn fault(name: &str, problem: String, hint: &str) -> Error {
    Error::Requirements { file: format!("containers/requirements/{name}.in"), line: 0, problem, hint: hint.to_owned() }
}

/// What the file asks for: `NAME` or `NAME==VERSION` on each line. Anything else could not be held against the result.
fn read(name: &str, asked: &str) -> Result<Wanted, Error> {
    let mut wanted = Wanted::new();
    for line in asked.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (package, version) = match line.split_once("==") {
            Some((package, version)) => (package, Some(version.to_owned())),
            None => (line, None),
        };
        let word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'));
        if package.is_empty() || !word(package) || !version.as_deref().is_none_or(word) {
            return Err(fault(name, format!("{line:?} is neither NAME nor NAME==VERSION"), "write it so"));
        }
        wanted.insert(normal(package), version);
    }
    Ok(wanted)
}

/// The options that the file's comment names: `--no-deps` for a set that is put over another, `--no-emit-package NAME` for
/// what the image has already.
fn options(name: &str, asked: &str) -> Result<Vec<String>, Error> {
    let mut given = Vec::new();
    let mut words = asked.lines().filter_map(|line| line.strip_prefix(OPTIONS)).flat_map(str::split_whitespace);
    while let Some(word) = words.next() {
        given.push(word.to_owned());
        match word {
            "--no-deps" => {}
            "--no-emit-package" => given.extend(words.next().map(str::to_owned)),
            _ => {
                let problem = format!("{word:?} is no option that is taken");
                return Err(fault(name, problem, "taken are --no-deps and --no-emit-package NAME"));
            }
        }
    }
    Ok(given)
}

/// The packages that the set's comments say to be there because `NAME.in` asks for them.
fn asked_for(name: &str, set: &str) -> BTreeSet<String> {
    let mark = format!("-r {name}.in");
    let mut found = BTreeSet::new();
    let mut current = "";
    for line in set.lines() {
        match line.split_once("==") {
            Some((package, _)) if !line.starts_with([' ', '#']) => current = package,
            _ if line.trim_start().starts_with('#') && line.ends_with(&mark) => drop(found.insert(normal(current))),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Digest;

    fn set(packages: &[(&str, &str)]) -> String {
        let hash = Digest::of(b"a");
        packages.iter().map(|(pin, via)| format!("{pin} \\\n    --hash={hash}\n    # via{via}\n")).collect()
    }

    fn said(asked: &str, packages: &[(&str, &str)]) -> String {
        check_requirements("mine", asked, &set(packages)).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_set_must_be_what_its_file_asks_for() {
        let whole = [
            ("Torch==2.7.1", " -r mine.in"),
            ("numpy==2.4", "\n    #   -r mine.in\n    #   torch"),
            ("six==1", " torch"),
        ];
        assert_eq!(said("# a comment\ntorch==2.7.1\nNumPy\n", &whole), "");
        for (asked, expected) in [
            ("torch==2.8.0\nnumpy\n", "it asks for torch==2.8.0, and mine.txt pins 2.7.1"),
            ("torch==2.7.1\nnumpy\nscipy\n", "it asks for scipy, and mine.txt does not pin it"),
            ("torch==2.7.1\n", "mine.txt pins numpy for its sake, and it does not ask for that"),
            ("torch>=2.7\nnumpy\n", "\"torch>=2.7\" is neither NAME nor NAME==VERSION"),
        ] {
            let said = said(asked, &whole);
            assert!(said.contains("requirements/mine.in: ") && said.contains(expected), "{asked:?}: {said}");
        }
        assert!(said("torch==2.8.0\n", &whole).contains("run `lockstep lock --requirements mine`"));
    }

    #[test]
    fn only_options_that_leave_something_out_are_taken() {
        let text = "# uv pip compile --no-deps --no-emit-package numpy\ntorch\n";
        assert_eq!(options("mine", text).unwrap(), ["--no-deps", "--no-emit-package", "numpy"]);
        assert_eq!(options("mine", "torch\n").unwrap(), Vec::<String>::new());
        let error = options("mine", "# uv pip compile --index-url https://a\n").unwrap_err().to_string();
        assert!(error.contains("\"--index-url\" is no option that is taken"), "{error}");
    }
}
