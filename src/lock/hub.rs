//! Checkpoints of a model hub: pinning one by what the hub lists, and downloading what a plan pins.
//!
//! Source: the API that Hugging Face's hub and its mirrors serve, `/api/models/REPOSITORY/revision/REVISION?blobs=true` for
//! a list and `/REPOSITORY/resolve/REVISION/FILE` for a file. What the hub says is believed for a pin, which a person reads
//! and commits; from then on every byte is held against the pin.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::checkpoint::{check_complete, counts, list_digest};
use super::download::{Wanted, part_of};
use super::island::block_on;
use super::transport::{Authorization, Request, Transport, printable};
use super::{Asked, Error, RegistryOptions};
use crate::plan::{Hub, HubFile};
use crate::terms::Digest;

/// A repository of thousands of files is listed in less.
const LARGEST_LIST_BYTES: u64 = 32 << 20;
/// The largest file that is downloaded for a pin: weights are pinned by what the hub lists.
const LARGEST_SMALL_FILE_BYTES: u64 = 256 << 20;
/// Held while a folder is filled.
const CLAIM: &str = ".downloading";

/// How a model hub is reached.
#[derive(Clone, PartialEq)]
pub struct HubOptions {
    /// Its address, `https://huggingface.co` or a mirror's.
    pub endpoint: String,
    /// An access token. It is sent to the endpoint's host and to no other.
    pub token: Option<String>,
    /// Deadlines, attempts, proxy.
    pub http: RegistryOptions,
}

impl fmt::Debug for HubOptions {
    /// Without the token: debug texts end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "given");
        f.debug_struct("HubOptions").field("endpoint", &self.endpoint).field("token", &token).finish_non_exhaustive()
    }
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched<'a> {
    /// The file that comes now.
    pub file: &'a str,
    /// Bytes of the checkpoint that are there.
    pub done_bytes: u64,
    /// Bytes of the checkpoint.
    pub total_bytes: u64,
}

/// The digest of the checkpoint that `hub` pins, by the rule of `folder_digest`.
#[must_use]
pub fn pinned_digest(hub: &Hub) -> Digest {
    let files: BTreeMap<String, Digest> = hub.files.iter().map(|file| (file.name.clone(), file.sha256)).collect();
    list_digest(&files)
}

/// Pins the checkpoint at `revision` (a commit, branch or tag) of `repository`, by the hub's list. Its files that are no
/// weights are left in the folder `scratch`.
///
/// # Errors
/// The hub does not answer or does not give access, or it is no checkpoint that can be pinned.
pub fn pin_checkpoint(options: &HubOptions, repository: &str, revision: &str, scratch: &Path) -> Result<Hub, Error> {
    let conversation = Conversation::open(options, repository)?;
    block_on(async { conversation.pin(revision, scratch).await })
}

/// Downloads what `hub` pins into `folder`, which then holds a checkpoint with the digest `sha256`; what an earlier attempt
/// left there is used.
///
/// # Errors
/// The pins are not those of `sha256`, there is no room, another process fills the folder, the hub does not answer or does
/// not give access, or what comes is not what is pinned.
pub fn fetch_checkpoint(
    options: &HubOptions,
    hub: &Hub,
    sha256: Digest,
    folder: &Path,
    told: &mut (dyn FnMut(Fetched<'_>) + Send),
) -> Result<(), Error> {
    check_pins(hub, sha256)?;
    std::fs::create_dir_all(folder).map_err(io("creating the folder", folder))?;
    let claim = claim(hub, folder)?;
    let filled = fill(options, hub, folder, told);
    if filled.is_err() {
        remove_empty(folder);
    }
    filled?;
    let path = folder.join(CLAIM);
    std::fs::remove_file(&path).map_err(io("removing", &path))?;
    drop(claim);
    Ok(())
}

fn fill(
    options: &HubOptions,
    hub: &Hub,
    folder: &Path,
    told: &mut (dyn FnMut(Fetched<'_>) + Send),
) -> Result<(), Error> {
    let missing = missing(hub, folder)?;
    check_room(folder, &missing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let conversation = Conversation::open(options, &hub.repository)?;
    block_on(async { conversation.fetch(hub, &missing, folder, told).await })
}

/// Removes the files of which no byte has arrived, and the claim with them; the fault that led here is the one to tell.
fn remove_empty(folder: &Path) {
    let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for file in files.filter(|file| file.metadata().is_ok_and(|found| found.is_file() && found.len() == 0)) {
        let _ = std::fs::remove_file(file.path());
    }
}

fn fault(repository: &str, problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Hub { repository: repository.to_owned(), problem: problem.into(), hint: hint.into() }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |problem| Error::Io { action, path, problem }
}

/// Whether the pins give the model's digest, which is known before anything is downloaded.
fn check_pins(hub: &Hub, sha256: Digest) -> Result<(), Error> {
    let hint = format!("`lockstep model pin {} --revision {}` prints the table anew", hub.repository, hub.revision);
    if let Some(other) = hub.files.iter().find(|file| !counts(&file.name)) {
        return Err(fault(&hub.repository, format!("the plan pins {}, which is no part of a model", other.name), hint));
    }
    let found = pinned_digest(hub);
    if found == sha256 {
        return Ok(());
    }
    let problem = format!("the files that the plan pins give the digest {found}, and model.sha256 is {sha256}");
    Err(fault(&hub.repository, problem, hint))
}

/// Keeps others from filling the folder at the same time.
fn claim(hub: &Hub, folder: &Path) -> Result<File, Error> {
    let path = folder.join(CLAIM);
    let file = File::create(&path).map_err(io("creating", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(fault(&hub.repository, "another lockstep is downloading it", "wait until it is done, then start again"))
        }
        Err(TryLockError::Error(problem)) => Err(Error::Io { action: "locking", path, problem }),
    }
}

/// The files that are not there as they are pinned; one that is there and differs goes.
fn missing<'a>(hub: &'a Hub, folder: &Path) -> Result<Vec<&'a HubFile>, Error> {
    let mut missing = Vec::new();
    for file in &hub.files {
        let path = folder.join(&file.name);
        match Digest::of_file(&path) {
            Ok(found) if found == file.sha256 => continue,
            Ok(_) => std::fs::remove_file(&path).map_err(io("removing", &path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(problem) => return Err(Error::Io { action: "reading", path, problem }),
        }
        missing.push(file);
    }
    Ok(missing)
}

/// Whether the file system takes what is missing, said before the first byte comes.
fn check_room(folder: &Path, missing: &[&HubFile]) -> Result<(), Error> {
    let there = |file: &HubFile| std::fs::metadata(part_of(&folder.join(&file.name))).map_or(0, |found| found.len());
    let needed_bytes = missing.iter().map(|file| file.bytes.saturating_sub(there(file))).fold(0, u64::saturating_add);
    let system =
        rustix::fs::statvfs(folder).map_err(|errno| io("asking for the free space of", folder)(errno.into()))?;
    let free_bytes = system.f_bavail.saturating_mul(system.f_frsize);
    if needed_bytes <= free_bytes {
        return Ok(());
    }
    Err(Error::NoRoom { folder: folder.to_owned(), needed_bytes, free_bytes })
}

/// What the hub lists of a revision.
#[derive(Deserialize)]
struct Listed {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: String,
    size: u64,
}

/// A conversation about one repository.
struct Conversation {
    transport: Transport,
    endpoint: Url,
    repository: String,
    authorization: Option<Authorization>,
}

impl Conversation {
    fn open(options: &HubOptions, repository: &str) -> Result<Self, Error> {
        let address = |problem: String| {
            let found = format!("the hub's address {:?}: {problem}", printable(&options.endpoint));
            fault(repository, found, "check HF_ENDPOINT; without it https://huggingface.co is asked")
        };
        let endpoint = Url::parse(&options.endpoint).map_err(|error| address(error.to_string()))?;
        let host = endpoint.host_str().unwrap_or_default().to_owned();
        let plain = match endpoint.scheme() {
            "https" => false,
            "http" if options.http.speaks_plain_http(&host, endpoint.port()) => true,
            "http" => return Err(address("a hub that is not on this host is asked with encryption alone".to_owned())),
            other => return Err(address(format!("{other:?} is no scheme that is spoken here"))),
        };
        if !Hub::is_repository(repository) {
            let problem = format!("{:?} is no repository", printable(repository));
            return Err(fault("a hub's checkpoint", problem, "write OWNER/NAME"));
        }
        Ok(Self {
            transport: Transport::new(Arc::new(options.http.clone()), !plain)?,
            endpoint,
            repository: repository.to_owned(),
            authorization: options.token.clone().map(Authorization::Bearer),
        })
    }

    /// The endpoint's URL with these parts behind it.
    fn url(&self, parts: &[&str]) -> Result<Url, Error> {
        let mut url = self.endpoint.clone();
        url.set_query(None);
        let found = printable(self.endpoint.as_str());
        let mut path = url
            .path_segments_mut()
            .map_err(|()| Error::Address { found, problem: "nothing can stand below it".to_owned() })?;
        path.pop_if_empty().extend(parts);
        drop(path);
        Ok(url)
    }

    fn file_url(&self, revision: &str, name: &str) -> Result<Url, Error> {
        let parts: Vec<&str> = self.repository.split('/').chain(["resolve", revision, name]).collect();
        self.url(&parts)
    }

    /// The error of an answer that is no success.
    fn refused(&self, asked: Box<Asked>, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        let words = said(headers, body);
        let page = self.url(&self.repository.split('/').collect::<Vec<_>>()).map(String::from).unwrap_or_default();
        let problem = format!("{asked}: HTTP {status}{words}");
        let hint = match (status, &self.authorization) {
            (401, Some(_)) => {
                "the hub does not take the token in HF_TOKEN for this: check that it is valid, and the repository's name"
                    .to_owned()
            }
            (403, Some(_)) => format!("the token in HF_TOKEN may not read it: ask for access on {page} with its account"),
            (401 | 403, None) => format!(
                "it is gated, private or not there: check the name, ask for access on {page} and put an access token \
                 into the variable HF_TOKEN"
            ),
            (404, _) => "check the names of repository, revision and file".to_owned(),
            _ => "check that HF_ENDPOINT, where it is set, names a model hub".to_owned(),
        };
        fault(&self.repository, problem, hint)
    }

    async fn list(&self, revision: &str) -> Result<Listed, Error> {
        let parts = ["api", "models"].into_iter().chain(self.repository.split('/')).chain(["revision", revision]);
        let mut url = self.url(&parts.collect::<Vec<_>>())?;
        url.set_query(Some("blobs=true"));
        let request = Request {
            method: Method::GET,
            url,
            what: format!("the files of {} at {}", self.repository, printable(revision)),
            accept: "application/json",
            authorization: self.authorization.as_ref(),
            limit_bytes: LARGEST_LIST_BYTES,
        };
        let answer = self.transport.send(&request).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.refused(answer.asked, answer.status, &answer.headers, &answer.body));
        }
        let hint = "check that HF_ENDPOINT, where it is set, names a model hub";
        let listed: Listed = serde_json::from_slice(&answer.body).map_err(|error| {
            fault(&self.repository, format!("{}: the answer cannot be read: {error}", answer.asked), hint)
        })?;
        if !Hub::is_commit(&listed.sha) {
            let problem = format!("{}: {:?} is no commit", answer.asked, printable(&listed.sha));
            return Err(fault(&self.repository, problem, hint));
        }
        Ok(listed)
    }

    async fn pin(&self, revision: &str, scratch: &Path) -> Result<Hub, Error> {
        let Listed { sha, siblings } = self.list(revision).await?;
        let mut files = Vec::new();
        for sibling in siblings.iter().filter(|sibling| counts(&sibling.rfilename) && Hub::is_file(&sibling.rfilename))
        {
            files.push(self.pin_file(&sha, sibling, scratch).await?);
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        check_complete(scratch, &names).map_err(|error| match error {
            Error::Incomplete { missing, hint, .. } => {
                fault(&self.repository, format!("revision {sha} has not {missing}"), hint)
            }
            other => other,
        })?;
        Ok(Hub { repository: self.repository.clone(), revision: sha, files })
    }

    /// Weights are pinned by what the hub says of them; any other file is downloaded and hashed.
    async fn pin_file(&self, commit: &str, sibling: &Sibling, scratch: &Path) -> Result<HubFile, Error> {
        let Sibling { rfilename: name, size, lfs } = sibling;
        let said = lfs.as_ref().and_then(|lfs| Some((format!("sha256:{}", lfs.sha256).parse().ok()?, lfs.size)));
        if let Some((sha256, bytes)) = said.filter(|_| name.ends_with(".safetensors")) {
            return Ok(HubFile { name: name.clone(), bytes, sha256 });
        }
        let bytes = said.map(|(_, bytes)| bytes).or(*size).unwrap_or_default();
        if !(1..=LARGEST_SMALL_FILE_BYTES).contains(&bytes) {
            let problem = format!("the hub lists {name} with {bytes} bytes and no SHA-256 of them");
            return Err(fault(
                &self.repository,
                problem,
                "only weights may be large, and only where the hub hashes them",
            ));
        }
        let file = HubFile { name: name.clone(), bytes, sha256: Digest::of(b"") };
        let expected = said.map(|(sha256, _)| (sha256, "the hub's list"));
        let sha256 = self.download(commit, &file, expected, scratch, &mut |_| {}).await?;
        Ok(HubFile { sha256, ..file })
    }

    async fn fetch(
        &self,
        hub: &Hub,
        missing: &[&HubFile],
        folder: &Path,
        told: &mut (dyn FnMut(Fetched<'_>) + Send),
    ) -> Result<(), Error> {
        let total_bytes = hub.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
        let missing_bytes = missing.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
        let mut before = total_bytes.saturating_sub(missing_bytes);
        for file in missing {
            let mut of_file = |bytes| told(Fetched { file: &file.name, done_bytes: before + bytes, total_bytes });
            of_file(0);
            let expected = Some((file.sha256, "the plan"));
            self.download(&hub.revision, file, expected, folder, &mut of_file).await?;
            before = before.saturating_add(file.bytes);
        }
        Ok(())
    }

    async fn download(
        &self,
        commit: &str,
        file: &HubFile,
        sha256: Option<(Digest, &'static str)>,
        folder: &Path,
        told: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Digest, Error> {
        let wanted = Wanted {
            url: self.file_url(commit, &file.name)?,
            what: format!("{} of {}", file.name, self.repository),
            authorization: self.authorization.as_ref(),
            bytes: file.bytes,
            sha256,
            refused: &|asked, status, headers, body| self.refused(asked, status, headers, body),
        };
        self.transport.download(&wanted, &folder.join(&file.name), told).await
    }
}

/// The hub's own words, made safe to print, with a leading separator; empty when there are none.
fn said(headers: &HeaderMap, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let header = headers.get("x-error-message").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let words = header.or_else(|| serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.error));
    words.filter(|words| !words.trim().is_empty()).map_or_else(String::new, |words| format!(", {}", printable(&words)))
}
