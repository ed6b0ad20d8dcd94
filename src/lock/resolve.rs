//! From a lane's inputs to the entries of its lock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::debian::{DebianFile, debian_files};
use super::island::block_on;
use super::model_input::model_input_digest;
use super::overlay::OverlayCache;
use super::packages::{self, Listed};
use super::statements::Statements;
use super::{ArchiveCache, Error, ImageReference, Platform, Registry, RegistryOptions, git};
use crate::plan::{Content, Input, LockedInput, is_commit};
use crate::terms::Digest;

/// What resolving needs.
#[derive(Debug)]
pub struct Resolver {
    /// How registries, repositories and the package index are reached.
    pub options: RegistryOptions,
    /// The platform that images are for.
    pub platform: Platform,
    /// URL of the package index (PEP 503).
    pub package_index: String,
    /// The project's folder, which models lie below.
    pub project: PathBuf,
    /// Overlays.
    pub overlays: OverlayCache,
    /// Archives.
    pub archives: ArchiveCache,
    /// What public sources say.
    pub statements: Statements,
    /// Today, in UTC.
    pub today: String,
    listed: Mutex<Listed>,
}

impl Resolver {
    /// A resolver that has asked nobody yet.
    #[must_use]
    pub fn new(
        options: RegistryOptions,
        package_index: String,
        project: PathBuf,
        overlays: OverlayCache,
        archives: ArchiveCache,
        statements: Statements,
        today: String,
    ) -> Self {
        let platform = Platform::host();
        let listed = Mutex::default();
        Self { options, platform, package_index, project, overlays, archives, statements, today, listed }
    }

    /// What `input` of `lane` is. `files` are the lane's shipped files, by path below `containers/`.
    ///
    /// What cannot be reached is stated or unresolved; what is there and wrong is an error.
    ///
    /// # Errors
    /// A reference or a file that cannot be read; a patch that is not what the manifest says; a model that is not there.
    pub fn resolve(&self, lane: &str, input: &Input, files: &BTreeMap<String, Vec<u8>>) -> Result<LockedInput, Error> {
        let bytes = || {
            let path = input.files().unwrap_or_default();
            files.get(&path).ok_or(Error::NoFile { lane: lane.to_owned(), path })
        };
        match input {
            Input::Image { reference, .. } => self.image(lane, reference),
            Input::Packages { requirements, .. } => self.packages(lane, requirements, bytes()?),
            Input::Git { repository, revision, .. } => Ok(self.git(lane, repository, revision)),
            Input::Patch { file, sha256, .. } => {
                let found = Digest::of(bytes()?);
                if found != *sha256 {
                    return Err(Error::WrongPatch {
                        lane: lane.to_owned(),
                        file: file.clone(),
                        found,
                        wanted: *sha256,
                    });
                }
                Ok(self.verified("its bytes", Content::Patch { file: file.clone(), sha256: found }))
            }
            Input::Archive { url, sha256 } => self.archive(url, *sha256),
            Input::Debian { list } => self.debian(list, bytes()?),
            Input::Overlay { recipe } => {
                let pin = self.overlays.pin(recipe, bytes()?)?;
                Ok(self.verified("wheels by hash, packed and unpacked again", Content::Overlay(pin)))
            }
            Input::Model { path, obtain, .. } => self.model(lane, path, obtain.as_deref()),
        }
    }

    fn verified(&self, by: impl Into<String>, content: Content) -> LockedInput {
        LockedInput::Verified { seen: self.today.clone(), by: by.into(), content }
    }

    fn image(&self, lane: &str, reference: &str) -> Result<LockedInput, Error> {
        let name: ImageReference = reference.parse()?;
        match Registry::new(self.options.clone()).resolve(&name, &self.platform) {
            Ok(pin) => Ok(self.verified(format!("registry API at {}", name.api_host()), Content::Image(pin))),
            Err(error) => Ok(self.statements.image(&name, lane, &error)),
        }
    }

    fn packages(&self, lane: &str, requirements: &str, bytes: &[u8]) -> Result<LockedInput, Error> {
        let file = format!("containers/requirements/{requirements}.txt");
        let packages = packages::parse(&file, &String::from_utf8_lossy(bytes))?;
        let content = Content::Packages {
            requirements: requirements.to_owned(),
            sha256: Digest::of(bytes),
            packages: u32::try_from(packages.len()).unwrap_or(u32::MAX),
        };
        let options = Arc::new(self.options.clone());
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match block_on(packages::verify(&options, &self.package_index, &packages, &mut listed)) {
            Ok(()) => self.verified(format!("every hash is listed by {}", self.package_index), content),
            Err(error @ Error::UnknownPackage { .. }) => return Err(error),
            Err(error) => LockedInput::Unresolved {
                reason: error.to_string(),
                resolve: format!("`lockstep lock {lane}` where the package index answers"),
                candidates: Vec::new(),
            },
        })
    }

    fn git(&self, lane: &str, repository: &str, revision: &str) -> LockedInput {
        let content = |commit: String| Content::Git { repository: repository.to_owned(), commit };
        let options = Arc::new(self.options.clone());
        let named = |why: String| match self.statements.commit(repository, revision) {
            Some(source) => LockedInput::Stated { source, content: content(revision.to_owned()) },
            None => LockedInput::Stated {
                source: format!("the manifest, which names the commit itself; {why}"),
                content: content(revision.to_owned()),
            },
        };
        match block_on(git::resolve(&options, repository, revision)) {
            Ok(git::Resolved { commit, reference: Some(reference) }) => {
                self.verified(format!("{repository} advertises it as {reference}"), content(commit))
            }
            Ok(git::Resolved { .. }) => named("no branch or tag of the repository ends there".to_owned()),
            Err(_) if is_commit(revision) => named("the repository was not asked".to_owned()),
            Err(error) => LockedInput::Unresolved {
                reason: error.to_string(),
                resolve: format!("`lockstep lock {lane}` where the repository answers"),
                candidates: Vec::new(),
            },
        }
    }

    fn archive(&self, url: &str, sha256: Digest) -> Result<LockedInput, Error> {
        let content = Content::Archive { url: url.to_owned(), sha256 };
        match self.archives.bytes(url, None, sha256, &self.options) {
            Ok(_) => Ok(self.verified("its bytes", content)),
            Err(error @ (Error::WrongArchive { .. } | Error::Io { .. })) => Err(error),
            Err(error) => Ok(LockedInput::Stated {
                source: format!("the manifest, which names the digest itself; {error}"),
                content,
            }),
        }
    }

    fn debian(&self, list: &str, bytes: &[u8]) -> Result<LockedInput, Error> {
        let file = format!("containers/debian/{list}.txt");
        let packages = debian_files(&file, &String::from_utf8_lossy(bytes))?;
        let content = Content::Debian {
            list: list.to_owned(),
            sha256: Digest::of(bytes),
            packages: u32::try_from(packages.len()).unwrap_or(u32::MAX),
        };
        for DebianFile { url, sha256 } in &packages {
            match self.archives.bytes(url, None, *sha256, &self.options) {
                Ok(_) => {}
                Err(error @ (Error::WrongArchive { .. } | Error::Io { .. })) => return Err(error),
                Err(error) => {
                    let source = format!("the list, which names every digest itself; {error}");
                    return Ok(LockedInput::Stated { source, content });
                }
            }
        }
        Ok(self.verified("the bytes of every file", content))
    }

    fn model(&self, lane: &str, path: &str, obtain: Option<&str>) -> Result<LockedInput, Error> {
        let place = self.project.join(path);
        if !place.exists() {
            let first = obtain.map(|words| format!("{words}, ")).unwrap_or_default();
            return Ok(LockedInput::Unresolved {
                reason: format!("the project holds no model {path}"),
                resolve: format!("{first}put it at {path} below the project and run `lockstep lock {lane}`"),
                candidates: Vec::new(),
            });
        }
        let sha256 = model_input_digest(&place)?;
        Ok(self.verified("its bytes", Content::Model { path: path.to_owned(), sha256 }))
    }
}
