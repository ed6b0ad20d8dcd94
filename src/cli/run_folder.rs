//! A run's folder: what was used, what was measured, what was concluded.
//!
//! ```text
//! runs/ID/
//!   bundle.json     what the bundle held that the run was made from, where it was one
//!   run.json        where plan, lanes and model came from, and how the run was started
//!   plan.toml       the plan as it was run
//!   lanes/  locks/  lane manifests as used; locks with the executable and the image that ran
//!   files/          runner files as used
//!   stderr/         everything that a lane wrote to standard error, where it runs a program of others
//!   journal.jsonl   the rows
//!   verdict.json    report.md
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bundled::BundleFacts;
use super::durable::write_whole;
use super::project::FoundLane;
use super::{Error, Project};
use crate::journal::{Journal, read_file};
use crate::plan::{Lane, Plan};
use crate::terms::Digest;
use crate::verdict::{Verdict, judge};

/// A run's folder.
#[derive(Debug, Clone)]
pub(super) struct RunFolder {
    pub id: String,
    pub path: PathBuf,
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunFacts {
    /// Format version.
    pub schema: u32,
    /// The run.
    pub run: String,
    /// Where the plan came from.
    pub plan_source: String,
    /// Where each lane came from.
    pub lane_sources: BTreeMap<String, String>,
    /// The checkpoint's folder.
    pub model_dir: PathBuf,
    /// Whether lanes may run without a lock.
    pub unlocked: bool,
    /// Whether no GPU is sampled while lanes are measured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_telemetry: bool,
    /// The run that this one was made to confirm, as its plan asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirms: Option<String>,
    /// The bundle that everything is taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleFacts>,
    /// The lockstep that a lane runs in place of the running one, by lane.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub executables: BTreeMap<String, ExecutableFacts>,
}

/// A lockstep executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecutableFacts {
    /// Where it stands.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
}

impl RunFacts {
    /// Where the run takes everything from: the project, or the bundle that it was begun from.
    pub(super) fn project(&self, project: &Project) -> Project {
        self.bundle.as_ref().map_or_else(|| project.clone(), |bundle| project.within(bundle.folder.clone()))
    }
}

impl RunFolder {
    /// A new folder with what the run uses.
    pub(super) fn create(
        project: &Project,
        facts: &mut RunFacts,
        plan: &str,
        lanes: &[FoundLane],
    ) -> Result<Self, Error> {
        let id = fresh_id();
        let folder = Self { path: project.runs().join(&id), id };
        folder.fill(facts, plan, lanes)?;
        Ok(folder)
    }

    /// A folder at `path`, which is none of the project's runs.
    pub(super) fn aside(path: PathBuf) -> Self {
        Self { id: fresh_id(), path }
    }

    /// Puts in what the run uses. The plan comes last: only with it is the folder a run (see [`ids`]).
    pub(super) fn fill(&self, facts: &mut RunFacts, plan: &str, lanes: &[FoundLane]) -> Result<(), Error> {
        tracing::debug!(folder = %self.path.display(), "making the run's folder");
        facts.run.clone_from(&self.id);
        let text = serde_json::to_string_pretty(facts).map_err(|error| Error::Internal(error.to_string()))?;
        self.write("run.json", format!("{text}\n").as_bytes())?;
        for found in lanes {
            self.write(&format!("lanes/{}.toml", found.lane.name), found.text.as_bytes())?;
            for (path, bytes) in &found.files {
                self.write(&format!("files/{path}"), bytes)?;
            }
        }
        self.write("plan.toml", plan.as_bytes())
    }

    /// The run that `name` means: `latest`, an id, or the head of exactly one id.
    pub(super) fn find(project: &Project, name: &str) -> Result<Self, Error> {
        let ids = ids(project);
        let matching: Vec<&String> = match name {
            "latest" => ids.last().into_iter().collect(),
            _ => match ids.iter().find(|id| *id == name) {
                Some(exact) => vec![exact],
                None => ids.iter().filter(|id| !name.is_empty() && id.starts_with(name)).collect(),
            },
        };
        match matching[..] {
            [id] => Ok(Self { id: id.clone(), path: project.runs().join(id) }),
            [] if ids.is_empty() => {
                let found = format!("there are no runs in {}", project.runs().display());
                Err(Error::usage(
                    found,
                    "start one with `lockstep run quickstart`, or name the project by --project DIR",
                ))
            }
            [] => Err(Error::usage(format!("no run is called {name:?}"), "`lockstep runs` lists them")),
            [first, .., last] => {
                let found = format!("{name:?} is the head of {} runs, {first} to {last}", matching.len());
                Err(Error::usage(found, "give more of the id"))
            }
        }
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// `run.json`.
    pub(super) fn facts(&self) -> Result<RunFacts, Error> {
        let path = self.file("run.json");
        let text = std::fs::read(&path).map_err(Error::file("reading", &path))?;
        serde_json::from_slice(&text).map_err(|error| Error::RunFile { path, message: error.to_string() })
    }

    /// What of the lane is not as it was when the run began: its manifest, or the first such file.
    pub(super) fn changed(&self, found: &FoundLane) -> Result<Option<String>, Error> {
        let path = self.file(&format!("lanes/{}.toml", found.lane.name));
        let text = std::fs::read_to_string(&path).map_err(Error::file("reading", &path))?;
        if Lane::parse(&path.display().to_string(), &text)?.digest() != found.lane.digest() {
            return Ok(Some(format!("its manifest says something else than {}", path.display())));
        }
        for (name, bytes) in &found.files {
            let path = self.file(&format!("files/{name}"));
            match std::fs::read(&path) {
                Ok(then) if then == *bytes => {}
                Ok(_) => return Ok(Some(format!("its file {name} differs from {}", path.display()))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Ok(Some(format!("of its file {name} there is no copy {}", path.display())));
                }
                Err(error) => return Err(Error::file("reading", &path)(error)),
            }
        }
        Ok(None)
    }

    /// The plan as it was run.
    pub(super) fn plan(&self) -> Result<(Plan, String), Error> {
        let path = self.file("plan.toml");
        let text = std::fs::read_to_string(&path).map_err(Error::file("reading", &path))?;
        Ok((Plan::parse(&path.display().to_string(), &text)?, text))
    }

    /// The journal.
    pub(super) fn journal(&self) -> Result<Journal, Error> {
        Ok(read_file(&self.file("journal.jsonl"))?)
    }

    /// Whether anything was written into a journal.
    pub(super) fn has_begun(&self) -> bool {
        std::fs::metadata(self.file("journal.jsonl"))
            .map_or_else(|error| error.kind() != std::io::ErrorKind::NotFound, |journal| journal.len() > 0)
    }

    /// The verdict, derived again from plan and journal.
    pub(super) fn judge(&self) -> Result<(Plan, Journal, Verdict), Error> {
        let (plan, _) = self.plan()?;
        let journal = self.journal()?;
        let _judging = tracing::debug_span!("judging", run = self.id, rows = journal.rows().count()).entered();
        let verdict = judge(&plan, &journal)?;
        Ok((plan, journal, verdict))
    }

    /// Writes a file, its folders made, so that a half-written one never stands under its name.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        write_whole(&self.file(name), bytes)
    }
}

/// The ids of the project's runs, oldest first.
pub(super) fn ids(project: &Project) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(project.runs()) else { return Vec::new() };
    let mut ids: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("plan.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    ids.sort();
    ids
}

/// Sorts by the time of the start; the tail keeps apart two runs that start in the same millisecond.
fn fresh_id() -> String {
    let now = jiff::Timestamp::now();
    let seed = format!("{}:{}", now.as_nanosecond(), std::process::id());
    let tail: String = Digest::of(seed.as_bytes()).hex().chars().take(4).collect();
    format!("{}-{tail}", now.strftime("%Y%m%dT%H%M%S%3fZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_of_a_lane_is_named() {
        let place = tempfile::tempdir().expect("a folder");
        let project = Project::at(place.path().to_owned());
        let lane = project.lane("python-reference").expect("a lane that is built in");
        let folder = RunFolder::aside(place.path().join("run"));
        let mut facts = RunFacts {
            schema: 1,
            run: String::new(),
            plan_source: String::new(),
            lane_sources: BTreeMap::new(),
            model_dir: PathBuf::new(),
            unlocked: false,
            no_telemetry: false,
            confirms: None,
            bundle: None,
            executables: BTreeMap::new(),
        };
        folder.fill(&mut facts, "", std::slice::from_ref(&lane)).expect("a run's folder");
        assert_eq!(folder.changed(&lane).expect("it can be read"), None);

        let name = "runner/lockstep_runner/loop.py";
        let copy = folder.file(&format!("files/{name}"));
        std::fs::write(&copy, "another").expect("it can be written");
        let differs = folder.changed(&lane).expect("it can be read");
        assert_eq!(differs, Some(format!("its file {name} differs from {}", copy.display())));
        std::fs::remove_file(&copy).expect("it can be removed");
        let gone = folder.changed(&lane).expect("it can be read");
        assert_eq!(gone, Some(format!("of its file {name} there is no copy {}", copy.display())));

        let manifest = folder.file("lanes/python-reference.toml");
        std::fs::write(&manifest, lane.text.replace("measure_s = ", "measure_s = 1")).expect("it can be written");
        let manifest = format!("its manifest says something else than {}", manifest.display());
        assert_eq!(folder.changed(&lane).expect("it can be read"), Some(manifest));
    }
}
