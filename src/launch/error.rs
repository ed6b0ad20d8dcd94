//! Why a lane was not started, seen or stopped.

use std::path::PathBuf;

use crate::terms::Digest;

/// An error of the room `launch`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or an entry of `/proc` could not be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The lane's launcher, interpreter or engine is not there, or not usable by this user.
    #[error("{reason}; {remedy}")]
    Absent {
        /// What was found.
        reason: String,
        /// What to try.
        remedy: String,
    },
    /// The request lacks something that the lane needs.
    #[error("lane {lane:?} needs {missing}; {remedy}")]
    Request {
        /// The lane.
        lane: String,
        /// What is missing.
        missing: &'static str,
        /// What to try.
        remedy: &'static str,
    },
    /// A process lane could not be started.
    #[error("lane {lane:?}: cannot start {}: {source}", program.display())]
    Spawn {
        /// The lane.
        lane: String,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A container runs as nobody, and nobody cannot read the model.
    #[error("{} cannot be read by the container's user (mode {mode:03o}); try `chmod -R o+rX` on the model's folder", path.display())]
    ModelUnreadable {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The engine answered a request with an error.
    #[error("the Docker engine failed while {doing}: {source}")]
    Engine {
        /// What was being done.
        doing: String,
        /// What the engine said.
        source: Box<bollard::errors::Error>,
    },
    /// The engine's answer lacks what was asked for.
    #[error("the Docker engine's answer while {doing} cannot be used: {found}")]
    Answer {
        /// What was being done.
        doing: String,
        /// What was found.
        found: String,
    },
    /// The image is not the one that the lock names.
    #[error(
        "image {reference}: {which} is {found}, and the lock says {expected}; resolve the lock anew or remove the image"
    )]
    WrongImage {
        /// The reference that was resolved.
        reference: String,
        /// Which digest differs: `config`, `manifest` or `diff_ids`.
        which: &'static str,
        /// What the lock says.
        expected: String,
        /// What the engine holds.
        found: String,
    },
    /// The image that is called what is built from a lane's lock has other files than such a build gives.
    #[error(
        "image {reference} has the file tree {found}, and the lock of lane {lane:?} says that its build gives {locked}; \
         run `lockstep image build {lane}`, which builds it again from the lock"
    )]
    OtherTree {
        /// The lane.
        lane: String,
        /// The name that the engine holds the image under.
        reference: String,
        /// Digest of the image's normalised file tree.
        found: Digest,
        /// What the lock says.
        locked: Digest,
    },
    /// A lane's lock does not say which files a build gives, so that no image can be held to it.
    #[error(
        "the lock of lane {lane:?} does not say which file tree its build gives (`built`), so nothing vouches for image \
         {reference}; run `lockstep image build {lane}`, which builds it and writes that into the lock"
    )]
    TreeUnknown {
        /// The lane.
        lane: String,
        /// The name that the engine holds the image under.
        reference: String,
    },
    /// The container runs with other walls than were asked for.
    #[error(
        "the container of lane {lane:?} is not confined as asked: {which} is {found}, and {asked} was asked; use an \
         engine that enforces it"
    )]
    Unconfined {
        /// The lane.
        lane: String,
        /// What differs, by the engine's name for it.
        which: &'static str,
        /// What was asked.
        asked: String,
        /// What the engine says it is.
        found: String,
    },
    /// A build argument is to be filled by an input that is not resolved.
    #[error(
        "lane {lane:?}: its lock does not say what input {input:?} is; run `lockstep lock {lane}` where it can be resolved"
    )]
    Unresolved {
        /// The lane.
        lane: String,
        /// The input.
        input: String,
    },
    /// The engine did not answer in time.
    #[error("the Docker engine gave no answer within {waited_s:.0} s while {doing}; look at its log, or restart it")]
    Slow {
        /// What was being done.
        doing: String,
        /// How long it was waited for, in seconds.
        waited_s: f64,
    },
    /// An executable or library is no ELF file that can be put into an image.
    #[error("{} cannot be put into an image: {found}", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// A shared library was not found.
    #[error(
        "{} needs the shared library {name}, and no folder that its loader searches holds it (searched: {searched})",
        needed_by.display()
    )]
    LibraryMissing {
        /// The library's name.
        name: String,
        /// Who needs it.
        needed_by: PathBuf,
        /// Where it was looked for.
        searched: String,
    },
    /// A path does not fit into a tar archive.
    #[error("the path {path:?} does not fit into an image layer: {source}")]
    ArchivePath {
        /// The path.
        path: String,
        /// What the archive writer said.
        source: std::io::Error,
    },
    /// A file that was given as a root file system is none, or is broken.
    #[error("{} is no root file system that can be taken in: {found}; {remedy}", path.display())]
    RootArchive {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to try.
        remedy: &'static str,
    },
    /// Something of the lane is still there after KILL.
    #[error("{what} of lane {lane:?} is still there {waited_s:.0} s after KILL; look at it before the next run")]
    StillThere {
        /// The lane.
        lane: String,
        /// The processes or the container.
        what: String,
        /// How long it was waited for, in seconds.
        waited_s: f64,
    },
    /// Nothing is left of the lane, and how it ended nobody can say any more.
    #[error("the container of lane {lane:?} was removed by somebody else before its exit was read")]
    EndUnseen {
        /// The lane.
        lane: String,
    },
    /// A pipe to the lane, or waiting for its process, failed.
    #[error("lane {lane:?}: cannot {doing}: {source}")]
    Lane {
        /// The lane.
        lane: String,
        /// What was being done, as a verb.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// An engine error with what was being done.
    pub(super) fn engine(doing: impl Into<String>) -> impl FnOnce(bollard::errors::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Engine { doing, source: Box::new(source) }
    }

    /// A file error with what was being done to which file.
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// Whether the engine says that it knows nothing by that name.
    pub(super) fn is_unknown(&self) -> bool {
        use bollard::errors::Error::DockerResponseServerError;
        matches!(self, Self::Engine { source, .. } if matches!(**source, DockerResponseServerError { status_code: 404, .. }))
    }

    /// Whether the engine did not answer at all, as when it is restarted.
    pub(super) fn is_silence(&self) -> bool {
        use bollard::errors::Error::DockerResponseServerError;
        match self {
            Self::Engine { source, .. } => !matches!(**source, DockerResponseServerError { .. }),
            other => matches!(other, Self::Slow { .. }),
        }
    }

    /// Whether nothing is left of the lane although its end was not seen.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::EndUnseen { .. })
    }

    /// Whether what started was refused, since it was another image or less confined than asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::WrongImage { .. } | Self::Unconfined { .. })
    }

    /// Whether the image, rather than the launcher, is what was refused.
    #[must_use]
    pub const fn is_wrong_image(&self) -> bool {
        matches!(self, Self::WrongImage { .. })
    }
}
