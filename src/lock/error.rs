//! Why something could not be resolved, hashed or verified.

use std::fmt;
use std::path::PathBuf;

use super::change::{Change, listed};
use crate::terms::Digest;

/// What was asked of a registry, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it was, for example `the manifest of docker.io/library/debian:12`.
    pub what: String,
    /// The URL.
    pub url: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reading {} from {}", self.what, self.url)
    }
}

/// An error of the room `lock`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Texts
    /// A text that is no image reference.
    #[error("image reference {found:?} {problem}; {hint}")]
    Reference {
        /// The text.
        found: String,
        /// What is wrong with it.
        problem: String,
        /// What to try.
        hint: String,
    },
    /// A text that is no platform.
    #[error("{found:?} is no platform; write OS/ARCHITECTURE[/VARIANT], for example linux/amd64")]
    Platform {
        /// The text.
        found: String,
    },
    /// A text that is no URL that can be asked.
    #[error("{found:?} cannot be asked: {problem}; give an https URL")]
    Address {
        /// The text.
        found: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A list of packages that leaves something open, or is not what was asked for.
    #[error("{file}{}: {problem}; {hint}", at_line(*line))]
    Requirements {
        /// The file.
        file: String,
        /// The line, from 1; 0 for the file as a whole.
        line: usize,
        /// What is wrong.
        problem: String,
        /// What to try.
        hint: String,
    },
    /// A file of statements that cannot be read.
    #[error("{file}: {problem}")]
    Statements {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },

    // Reaching a registry
    /// The HTTP client could not be set up.
    #[error("setting up the registry client: {problem}; {hint}")]
    Client {
        /// What went wrong.
        problem: String,
        /// What to try.
        hint: &'static str,
    },
    /// The host name has no address.
    #[error("{asked}: the host name could not be resolved ({problem}); check the spelling, the network and the DNS")]
    Dns {
        /// What was asked.
        asked: Box<Asked>,
        /// The resolver's words.
        problem: String,
    },
    /// No connection.
    #[error("{asked}: no connection ({problem}); check that the server runs, and firewalls and proxies on the way")]
    Connect {
        /// What was asked.
        asked: Box<Asked>,
        /// The system's words.
        problem: String,
    },
    /// No secure connection.
    #[error(
        "{asked}: no secure connection ({problem}); check the certificate and this host's CA certificates, or name the \
         host as one that speaks plain HTTP if it does"
    )]
    Tls {
        /// What was asked.
        asked: Box<Asked>,
        /// The TLS library's words.
        problem: String,
    },
    /// No complete answer in time.
    #[error("{asked}: no complete answer within {limit_s} s; check the network, or give more time")]
    Timeout {
        /// What was asked.
        asked: Box<Asked>,
        /// The limit of one request, in seconds.
        limit_s: f64,
    },
    /// The connection was lost, each time it was tried.
    #[error("{asked}: the answer broke off, {attempts} time(s) ({problem}); try again, and check proxies on the way")]
    Interrupted {
        /// What was asked.
        asked: Box<Asked>,
        /// How often it was tried.
        attempts: u32,
        /// What was seen.
        problem: String,
    },
    /// A redirect that is not followed.
    #[error("{asked}: a redirect was not followed ({problem}); name the server's own address")]
    Redirect {
        /// What was asked.
        asked: Box<Asked>,
        /// Why not.
        problem: String,
    },

    // What a registry answered
    /// Access was denied.
    #[error(
        "{asked}: access denied (HTTP {status}{found}); the repository may be private or not exist: check its name, \
         or give credentials for {host}"
    )]
    Denied {
        /// What was asked.
        asked: Box<Asked>,
        /// HTTP status.
        status: u16,
        /// The registry's words, with a leading separator; may be empty.
        found: String,
        /// The host that credentials would be for.
        host: String,
    },
    /// Proof of identity was asked for in a way that is not given.
    #[error("{asked}: {problem}; {hint}")]
    Challenge {
        /// What was asked.
        asked: Box<Asked>,
        /// What the registry wants.
        problem: String,
        /// What to try.
        hint: String,
    },
    /// Nothing is there.
    #[error("{asked}: not found (HTTP 404{found}); check the repository's name and the tag or digest")]
    NotFound {
        /// What was asked.
        asked: Box<Asked>,
        /// The registry's words, with a leading separator; may be empty.
        found: String,
    },
    /// The registry is busy or broken, and stayed so.
    #[error("{asked}: HTTP {status}{found} after {attempts} attempt(s){advice}; try again later")]
    Busy {
        /// What was asked.
        asked: Box<Asked>,
        /// The last HTTP status.
        status: u16,
        /// The registry's words, with a leading separator; may be empty.
        found: String,
        /// How often it was asked.
        attempts: u32,
        /// What the registry said about waiting; may be empty.
        advice: String,
    },
    /// Another status than the protocol has here.
    #[error("{asked}: unexpected answer HTTP {status}{found}; check that this host serves the OCI distribution API")]
    Status {
        /// What was asked.
        asked: Box<Asked>,
        /// HTTP status.
        status: u16,
        /// The registry's words, with a leading separator; may be empty.
        found: String,
    },
    /// More bytes than are taken.
    #[error("{asked}: the answer is larger than {limit_bytes} bytes, the most that is taken; it is no usual image")]
    TooLarge {
        /// What was asked.
        asked: Box<Asked>,
        /// The limit.
        limit_bytes: u64,
    },
    /// Bytes other than those that were named.
    #[error(
        "{asked}: the body's digest is {found}, and {by} says {expected}; the server or something on the way \
         changed it: nothing was taken"
    )]
    WrongDigest {
        /// What was asked.
        asked: Box<Asked>,
        /// The body's digest.
        found: Digest,
        /// Who named another one.
        by: &'static str,
        /// The digest that was named.
        expected: Digest,
    },
    /// A body of another length than was said before.
    #[error("{asked}: the body has {found_bytes} bytes, and {expected_bytes} were to come: nothing was taken")]
    WrongSize {
        /// What was asked.
        asked: Box<Asked>,
        /// The body's length.
        found_bytes: u64,
        /// What was to come.
        expected_bytes: u64,
    },
    /// A body or header that cannot be read.
    #[error("{asked}: the answer cannot be read: {problem}; check that this host serves the OCI distribution API")]
    Malformed {
        /// What was asked.
        asked: Box<Asked>,
        /// What is wrong.
        problem: String,
    },
    /// A schema 1 manifest.
    #[error(
        "{asked}: the registry answers with a schema 1 manifest, which pins no configuration; push the image again with \
         a current engine"
    )]
    Schema1 {
        /// What was asked.
        asked: Box<Asked>,
    },
    /// Something that is no container image.
    #[error("{asked}: this is no container image: {problem}; name an image")]
    NotAnImage {
        /// What was asked.
        asked: Box<Asked>,
        /// What it is instead.
        problem: String,
    },
    /// The image is not built for the platform.
    #[error("{asked}: there is no image for {platform}; available: {}", available.join(", "))]
    NoPlatform {
        /// What was asked.
        asked: Box<Asked>,
        /// The platform that was wanted.
        platform: String,
        /// The platforms that are there.
        available: Vec<String>,
    },
    /// Manifest and configuration disagree.
    #[error(
        "{asked}: the manifest has {layers} layers and the configuration {diff_ids} diff ids; push the image again"
    )]
    LayerCount {
        /// What was asked.
        asked: Box<Asked>,
        /// Layers of the manifest.
        layers: usize,
        /// Diff ids of the configuration.
        diff_ids: usize,
    },
    /// A repository without such a branch or tag.
    #[error("{repository} has no branch, tag or commit {revision:?} among its {count} references; check the name")]
    NoRevision {
        /// The repository.
        repository: String,
        /// What was looked for.
        revision: String,
        /// How many references it has.
        count: usize,
    },
    /// A hash that the package index does not list.
    #[error(
        "{index} lists no file of {package} with {digest}; make the requirements file anew, and find out who changed it"
    )]
    UnknownPackage {
        /// The package.
        package: String,
        /// The hash.
        digest: Digest,
        /// The index.
        index: String,
    },

    /// A checkpoint of a model hub that cannot be pinned or downloaded.
    #[error("{repository}: {problem}; {hint}")]
    Hub {
        /// The repository.
        repository: String,
        /// What is wrong.
        problem: String,
        /// What to try.
        hint: String,
    },
    /// A download that does not fit.
    #[error("{} has room for {free_bytes} bytes, and {needed_bytes} are to come; make room there", folder.display())]
    NoRoom {
        /// Where it was to go.
        folder: PathBuf,
        /// What is missing of it.
        needed_bytes: u64,
        /// What is free.
        free_bytes: u64,
    },

    // Inputs
    /// A shipped file that an input names is not there.
    #[error("lane `{lane}`: there is no file containers/{path}; add it or correct the input")]
    NoFile {
        /// The lane.
        lane: String,
        /// The path.
        path: String,
    },
    /// A patch is not the one that the manifest names.
    #[error(
        "lane `{lane}`: containers/{file} is {found}, and the manifest says {wanted}; restore it, or correct the manifest"
    )]
    WrongPatch {
        /// The lane.
        lane: String,
        /// The patch.
        file: String,
        /// Its digest.
        found: Digest,
        /// The manifest's.
        wanted: Digest,
    },
    /// An archive that is not what the manifest says.
    #[error(
        "{url} is {found}, and the manifest says {wanted}; correct the manifest once you know which of them is meant"
    )]
    WrongArchive {
        /// Its URL.
        url: String,
        /// Its digest.
        found: Digest,
        /// The manifest's.
        wanted: Digest,
    },
    /// An overlay that cannot be packed, unpacked or trusted.
    #[error("overlay {name}: {problem}; {hint}")]
    Overlay {
        /// The recipe.
        name: String,
        /// What is wrong.
        problem: String,
        /// What to try.
        hint: &'static str,
    },

    // Checkpoint folders
    /// A file or folder could not be read.
    #[error("{action} {}: {problem}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's words.
        #[source]
        problem: std::io::Error,
    },
    /// A checkpoint folder lacks something.
    #[error("{} is no complete checkpoint: {missing} is missing; {hint}", folder.display())]
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        missing: String,
        /// What to try.
        hint: String,
    },
    /// A file of a checkpoint folder cannot be taken.
    #[error("{}: {problem}; {hint}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to try.
        hint: &'static str,
    },
    /// A checkpoint folder is not what it was.
    #[error("{} changed: {}; start again with files that nothing writes to", folder.display(), listed(changes))]
    Changed {
        /// The folder.
        folder: PathBuf,
        /// What changed.
        changes: Vec<Change>,
    },

    // Locks
    /// The lock is another lane's.
    #[error("the lock is for the lane `{locked}`, not for `{lane}`; run `lockstep lock {lane}`")]
    OtherLane {
        /// The lane.
        lane: String,
        /// The lane that the lock names.
        locked: String,
    },
    /// The lane's manifest is not the one that was locked.
    #[error("lane `{lane}` was edited since it was locked (now {found}, locked {locked}); run `lockstep lock {lane}`")]
    LaneEdited {
        /// The lane.
        lane: String,
        /// The manifest's digest.
        found: Digest,
        /// The lock's.
        locked: Digest,
    },
    /// The files that the lane executes are not the locked ones.
    #[error(
        "lane `{lane}`: files differ from its lock: {}; restore them or run `lockstep lock {lane}`",
        listed(changes)
    )]
    FilesDiffer {
        /// The lane.
        lane: String,
        /// From the lock to what was found.
        changes: Vec<Change>,
    },
    /// The lock lacks the pin that the lane needs.
    #[error("lane `{lane}` runs {needs}, and its lock has no `{key}`; run `lockstep lock {lane}`")]
    NotPinned {
        /// The lane.
        lane: String,
        /// What the lane runs.
        needs: String,
        /// The lock's missing key.
        key: String,
    },
    /// The lock pins another image than the lane runs.
    #[error("lane `{lane}` runs the image {image}, and its lock pins {pinned}; run `lockstep lock {lane}`")]
    OtherImage {
        /// The lane.
        lane: String,
        /// The lane's image.
        image: String,
        /// The lock's.
        pinned: String,
    },
    /// The recipe of the self-built image is not the locked one.
    #[error(
        "lane `{lane}`: the recipe of its image is {found}, and its lock pins {locked}; this lockstep builds another \
         image than the one that was locked: run `lockstep lock {lane}`"
    )]
    RecipeDiffers {
        /// The lane.
        lane: String,
        /// The recipe now.
        found: Digest,
        /// The lock's.
        locked: Digest,
    },
    /// The lock pins something that the lane does not use.
    #[error("the lock of lane `{lane}` has `{key}`, which this lane does not use; run `lockstep lock {lane}`")]
    Stray {
        /// The lane.
        lane: String,
        /// The lock's key.
        key: String,
    },
    /// The lock's table [build] is not what the manifest says of the build.
    #[error("lane `{lane}`: the lock's [build] says {locked}, and the manifest {wanted}; run `lockstep lock {lane}`")]
    OtherBuild {
        /// The lane.
        lane: String,
        /// What the lock says of one axis.
        locked: String,
        /// What follows from the manifest.
        wanted: String,
    },
    /// The lock holds something else for an input than the lane asks for.
    #[error("lane `{lane}`: input `{input}`: {problem}{} run `lockstep lock {lane}`", if problem.ends_with(',') { "" } else { ";" })]
    OtherInput {
        /// The lane.
        lane: String,
        /// The input.
        input: String,
        /// What differs.
        problem: String,
    },
}

fn at_line(line: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}
