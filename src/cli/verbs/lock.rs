//! `lockstep lock [NAME…]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::cli::durable::write_whole;
use crate::cli::environment::{proxy, variable};
use crate::cli::leftovers::{Passing, partial_folder};
use crate::cli::output::{Format, emit, emit_json, note};
use crate::cli::project::FoundLane;
use crate::cli::{Error, Exit, Project};
use crate::launch::recipe_digest;
use crate::lock::{
    Credentials, Difference, RegistryOptions, Resolver, check_requirements, differences, lane_inputs, lock_lane,
    merged, resolve_requirements, unresolved, verify_lock, verify_models, verify_wheels,
};
use crate::plan::{ImageSource, Input, Launcher, Lock};
use crate::terms::Digest;

/// The package index that is asked unless `PIP_INDEX_URL` names another.
const PACKAGE_INDEX: &str = "https://pypi.org/simple";

/// Options of `lock`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lockstep lock native-container\n  lockstep lock --diff vllm\n  lockstep lock --check\n  lockstep lock\n  lockstep lock --requirements torch-2.11.0"
)]
pub(in crate::cli) struct Options {
    /// Names of the lanes; without one, every lane.
    names: Vec<String>,
    /// Resolve `containers/requirements/SET.in` against the package index by `uv`, into SET.txt with every hash; the lanes that
    /// use the set are to be locked afterwards. May be given several times.
    #[arg(long, value_name = "SET", conflicts_with_all = ["names", "all", "check", "diff", "pack"])]
    requirements: Vec<String>,
    /// Lock every lane, as without a name.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Only say whether the locks still match their manifests and files; asks nobody.
    #[arg(long, conflicts_with = "diff")]
    check: bool,
    /// Resolve anew and show, axis by axis, what would change; writes nothing.
    #[arg(long)]
    diff: bool,
    /// Pack overlays that lie nowhere here, although the lock knows them.
    #[arg(long, conflicts_with_all = ["check", "diff"])]
    pack: bool,
    /// Registry to be asked without TLS; those on this host always are. May be given several times.
    #[arg(long, value_name = "HOST[:PORT]")]
    plain_http: Vec<String>,
    /// JSON file with `{"registry": {"username": …, "password": …}}`.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What became of a lane's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is what it was.
    Unchanged,
    /// It no longer matches, or is not what would be written.
    Differs,
    /// It was written.
    Written,
}

/// A lane's lock, as `--format json` prints it.
#[derive(serde::Serialize)]
struct Locked {
    lane: String,
    state: State,
    /// Where it stands, or would stand.
    path: PathBuf,
    /// What differs, with `--diff`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    /// Why the lane cannot run by its lock.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unresolved: Vec<String>,
    /// What no longer matches, with `--check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    if !options.requirements.is_empty() {
        return requirements(project, &options.requirements);
    }
    let names = chosen(project, options);
    let resolver = resolver(project, options)?;
    let mut locked = Vec::new();
    for name in names {
        let found = project.lane(&name)?;
        let path = project.root().join("lockfiles").join(format!("{name}.lock"));
        let one = match options.check {
            true => check(project, &found, path),
            false => resolve(project, &resolver, &found, path, options)?,
        };
        if options.format == Format::Text {
            emit(&text(&one))?;
        }
        locked.push(one);
    }
    if options.format == Format::Json {
        emit_json(&locked)?;
    }
    let differs = locked.iter().any(|one| one.state == State::Differs).then_some(Exit::Changed);
    let refused = locked.iter().any(|one| !one.unresolved.is_empty() && !options.check).then_some(Exit::Refused);
    Ok(Exit::first_of([differs, refused].into_iter().flatten()))
}

/// The lanes that are named, or all.
fn chosen(project: &Project, options: &Options) -> BTreeSet<String> {
    match options.names.is_empty() {
        true => project.names("lanes"),
        false => options.names.iter().cloned().collect(),
    }
}

/// Whether the lock matches manifest and files, by what lies here alone.
fn check(project: &Project, found: &FoundLane, path: PathBuf) -> Locked {
    let FoundLane { lane, lock, .. } = found;
    let reason = match lock {
        None => Some(format!("lane `{}` has no lock; run `lockstep lock {}`", lane.name, lane.name)),
        Some(lock) => {
            let models = || verify_models(lane, lock, &found.models_root);
            let checked = verify_lock(lane, lock, &found.file_digests(), recipe(found)).and_then(|()| models());
            let checked = checked.and_then(|()| verify_wheels(lane, lock, &found.files));
            let checked = checked.map_err(Error::from).and_then(|()| check_sets(project, found));
            checked.err().map(|error| error.to_string())
        }
    };
    let state = if reason.is_some() { State::Differs } else { State::Unchanged };
    let unresolved = lock.as_ref().map(|lock| open(found, lock)).unwrap_or_default();
    Locked { lane: lane.name.clone(), state, path, differences: Vec::new(), unresolved, reason }
}

/// Resolves every input and writes the lock, or with `--diff` says what that would change.
fn resolve(
    project: &Project,
    resolver: &Resolver,
    found: &FoundLane,
    path: PathBuf,
    options: &Options,
) -> Result<Locked, Error> {
    check_sets(project, found)?;
    let FoundLane { lane, lock: old, files, .. } = found;
    let mut inputs = BTreeMap::new();
    for (name, input) in lane_inputs(lane) {
        let before = old.as_ref().and_then(|lock| lock.inputs.get(&name));
        let same = before.and_then(|entry| entry.content()).is_some_and(|content| content.is_of(&input, files));
        if let (Some(known), true, false) = (before.filter(|_| same), is_packed_elsewhere(found, &input), options.pack)
        {
            note(&format!("{}: {} stays as it is locked; --pack packs it", lane.name, input.words()));
            inputs.insert(name, known.clone());
            continue;
        }
        note(&format!("{}: resolving {}", lane.name, input.words()));
        let entry = resolver.resolve(&lane.name, &input, files)?;
        let (entry, kept) = merged(before, entry, same);
        if let Some(why) = kept {
            note(&format!("{}: {name} stays as it was seen before: {why}", lane.name));
        }
        inputs.insert(name, entry);
    }
    let mut lock = lock_lane(lane, &found.file_digests(), inputs, recipe(found));
    if let Some(old) = old
        && (Lock { built: old.built, ..lock.clone() }) == *old
    {
        // What was built from this very lock is still what it builds.
        lock.built = old.built;
    }
    let differences = if options.diff { differences(old.as_ref(), &lock) } else { Vec::new() };
    let state = if old.as_ref() == Some(&lock) {
        State::Unchanged
    } else if options.diff {
        State::Differs
    } else {
        write_whole(&path, lock.to_toml().as_bytes())?;
        State::Written
    };
    Ok(Locked { lane: lane.name.clone(), state, path, differences, unresolved: open(found, &lock), reason: None })
}

/// That each package set of the lane is what the file beside it asks for, where there is one.
fn check_sets(project: &Project, found: &FoundLane) -> Result<(), Error> {
    for input in found.lane.inputs.values() {
        let Input::Packages { requirements, .. } = input else { continue };
        let Some(asked) = project.shipped(&format!("requirements/{requirements}.in"))? else { continue };
        let set = input.files().and_then(|path| found.files.get(&path)).map(Vec::as_slice).unwrap_or_default();
        let (asked, set) = (String::from_utf8_lossy(&asked), String::from_utf8_lossy(set));
        check_requirements(requirements, &asked, &set)?;
    }
    Ok(())
}

/// Resolves package sets anew.
fn requirements(project: &Project, sets: &[String]) -> Result<Exit, Error> {
    for set in sets {
        let Some(asked) = project.shipped(&format!("requirements/{set}.in"))? else {
            let found = format!("there is no file containers/requirements/{set}.in");
            return Err(Error::usage(
                found,
                "write into it what the set is to hold, NAME or NAME==VERSION on each line",
            ));
        };
        let scratch = Passing::create(partial_folder(&project.runs()))?;
        let asked = String::from_utf8_lossy(&asked);
        let resolved = resolve_requirements(set, &asked, &package_index(), scratch.path())?;
        drop(scratch);
        let path = project.root().join("containers/requirements").join(format!("{set}.txt"));
        let before = project.shipped(&format!("requirements/{set}.txt"))?;
        let same = before.is_some_and(|before| before == resolved.as_bytes());
        match same {
            true => emit(&format!("{set}: unchanged\n"))?,
            false => {
                write_whole(&path, resolved.as_bytes())?;
                emit(&format!("{set}: written to {}; lock the lanes that use it\n", path.display()))?;
            }
        }
    }
    Ok(Exit::AsExpected)
}

/// Whether the input is an overlay that the lock knows and that would have to be packed, which takes minutes.
fn is_packed_elsewhere(found: &FoundLane, input: &Input) -> bool {
    let pin = found.lock.as_ref().and_then(Lock::overlay);
    matches!(input, Input::Overlay { .. }) && pin.is_some_and(|pin| !found.overlays.holds(pin))
}

fn open(found: &FoundLane, lock: &Lock) -> Vec<String> {
    let sentence = |(text, resolve): (String, String)| format!("{text}; to resolve: {resolve}");
    unresolved(&found.lane, lock).into_iter().map(sentence).collect()
}

/// The recipe of the image that is made from the executable, where the lane runs that one.
fn recipe(found: &FoundLane) -> Option<Digest> {
    match &found.lane.launcher {
        Launcher::Docker(docker) if docker.image == ImageSource::OwnExecutable => Some(recipe_digest(&docker.command)),
        _ => None,
    }
}

fn text(Locked { lane, state, path, differences, unresolved, reason }: &Locked) -> String {
    let mut text = match state {
        State::Unchanged => format!("{lane}: unchanged\n"),
        State::Differs => match reason {
            Some(reason) => format!("{lane}: differs: {reason}\n"),
            None => format!("{lane}: differs from what `lockstep lock {lane}` would write\n"),
        },
        State::Written => format!("{lane}: written to {}\n", path.display()),
    };
    for Difference { axis, before, after } in differences {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        text.push_str(&format!("  {axis}: {} -> {}\n", side(before), side(after)));
    }
    for sentence in unresolved {
        text.push_str(&format!("  cannot run: {sentence}\n"));
    }
    text
}

fn package_index() -> String {
    variable(&["PIP_INDEX_URL"]).unwrap_or_else(|| PACKAGE_INDEX.to_owned())
}

fn resolver(project: &Project, options: &Options) -> Result<Resolver, Error> {
    let index = package_index();
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let (overlays, archives) = (project.overlays()?, project.archives());
    let (registries, statements) = (registry_options(options)?, project.statements()?);
    Ok(Resolver::new(registries, index, project.root().to_owned(), overlays, archives, statements, today))
}

/// What the environment and the options say about registries.
fn registry_options(options: &Options) -> Result<RegistryOptions, Error> {
    let plain_http = options.plain_http.iter().cloned().collect();
    let mut registries = RegistryOptions { plain_http, proxy: proxy(), ..RegistryOptions::default() };
    if let Some(path) = &options.credentials {
        let text = std::fs::read(path).map_err(Error::file("reading the credentials", path))?;
        let given: BTreeMap<String, GivenCredentials> = serde_json::from_slice(&text)
            .map_err(|error| Error::RunFile { path: path.clone(), message: error.to_string() })?;
        let login = |(host, GivenCredentials { username, password })| (host, Credentials { username, password });
        registries.credentials = given.into_iter().map(login).collect();
    }
    Ok(registries)
}

/// A registry's entry in the credentials file.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenCredentials {
    username: String,
    password: String,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Verb {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn without_a_name_every_lane_is_locked() {
        let project = Project::at(std::path::PathBuf::from("/nowhere"));
        let chosen = |words: &[&str]| {
            let verb = Verb::try_parse_from(["lock"].iter().chain(words)).unwrap();
            chosen(&project, &verb.options)
        };
        assert!(chosen(&[]).len() > 30 && chosen(&[]).contains("native"), "{:?}", chosen(&[]));
        assert_eq!(chosen(&[]), chosen(&["--all"]));
        assert_eq!(chosen(&["vllm", "native"]), ["native", "vllm"].map(String::from).into());
    }
}
