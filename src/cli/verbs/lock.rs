//! `lockstep lock NAME`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::cli::durable::write_whole;
use crate::cli::output::{Format, emit, emit_json, note};
use crate::cli::{Error, Exit, Project};
use crate::launch::recipe_digest;
use crate::lock::{Credentials, ImageReference, Platform, Proxy, Registry, RegistryOptions, lock_lane};
use crate::plan::Launcher;

/// Options of `lock`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep lock native-container\n  lockstep lock --all")]
pub(in crate::cli) struct Options {
    /// Names of the lanes.
    #[arg(required_unless_present = "all")]
    names: Vec<String>,
    /// Lock every lane.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Only say whether the locks are what would be written.
    #[arg(long)]
    check: bool,
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
    /// It is not what would be written; only said with `--check`.
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
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let names: BTreeSet<String> =
        if options.all { project.names("lanes") } else { options.names.iter().cloned().collect() };
    let mut locked = Vec::new();
    for name in names {
        let found = project.lane(&name)?;
        let (pin, recipe) = match &found.lane.launcher {
            Launcher::Docker(docker) if docker.image == "self" => (None, Some(recipe_digest(&docker.command))),
            Launcher::Docker(docker) => {
                note(&format!("resolving {}", docker.image));
                let reference: ImageReference = docker.image.parse()?;
                (Some(Registry::new(registry_options(options)?).resolve(&reference, &Platform::host())?), None)
            }
            Launcher::Process(_) => (None, None),
        };
        let lock = lock_lane(&found.lane, &found.file_digests(), pin, recipe);
        let path = project.root().join("lockfiles").join(format!("{name}.lock"));
        let state = if found.lock.as_ref() == Some(&lock) {
            State::Unchanged
        } else if options.check {
            State::Differs
        } else {
            write_whole(&path, lock.to_toml().as_bytes())?;
            State::Written
        };
        let one = Locked { lane: name, state, path };
        if options.format == Format::Text {
            emit(&text(&one))?;
        }
        locked.push(one);
    }
    if options.format == Format::Json {
        emit_json(&locked)?;
    }
    let differs = locked.iter().any(|one| one.state == State::Differs);
    Ok(if differs { Exit::Changed } else { Exit::AsExpected })
}

fn text(Locked { lane, state, path }: &Locked) -> String {
    match state {
        State::Unchanged => format!("{lane}: unchanged\n"),
        State::Differs => format!("{lane}: differs from what `lockstep lock {lane}` would write\n"),
        State::Written => format!("{lane}: written to {}\n", path.display()),
    }
}

/// What the environment and the options say about registries.
fn registry_options(options: &Options) -> Result<RegistryOptions, Error> {
    let variable =
        |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok()).filter(|value| !value.is_empty());
    let mut registries =
        RegistryOptions { plain_http: options.plain_http.iter().cloned().collect(), ..RegistryOptions::default() };
    if let Some(url) = variable(&["HTTPS_PROXY", "https_proxy"]) {
        registries.proxy = Some(Proxy { url, except: variable(&["NO_PROXY", "no_proxy"]).unwrap_or_default() });
    }
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
