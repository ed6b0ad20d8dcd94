//! One conversation with one registry about one repository. No body leaves it before its digest was checked.

use std::sync::Arc;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Url};

use super::manifest::{ACCEPT, Document, ImageConfig, Part, Refusal};
use super::reference::Selector;
use super::transport::{Answer, Authorization, Request, Transport, printable, refusal};
use super::{Asked, Error, ImageReference, Platform, RegistryOptions, token};
use crate::terms::Digest;

/// Registries take manifests of up to 4 MiB (OCI distribution specification 1.1, "Pushing Manifests").
const LARGEST_MANIFEST_BYTES: u64 = 4 << 20;
/// The same bound as for manifests is what engines give a configuration; some room for long histories.
const LARGEST_CONFIG_BYTES: u64 = 16 << 20;

pub(super) struct Session<'a> {
    transport: Transport,
    reference: &'a ImageReference,
    base: Url,
    authorization: Option<Authorization>,
}

/// A checked answer: its bytes have this digest, and everyone who named one named this.
struct Checked {
    asked: Box<Asked>,
    digest: Digest,
    content_type: Option<String>,
    body: Vec<u8>,
}

/// A checked manifest or index.
pub(super) struct Found {
    pub asked: Box<Asked>,
    pub digest: Digest,
    pub document: Document,
}

/// What a body must be, where something named it before.
#[derive(Clone, Copy)]
struct Expected {
    by: &'static str,
    digest: Digest,
    size_bytes: Option<u64>,
}

impl<'a> Session<'a> {
    /// Opens a conversation; nothing is sent yet.
    pub(super) fn open(options: &Arc<RegistryOptions>, reference: &'a ImageReference) -> Result<Self, Error> {
        let host = reference.api_host();
        let invalid = |error: String| Error::Reference {
            found: reference.to_string(),
            problem: format!("has a host that no URL can hold ({error})"),
            hint: "check the host".to_owned(),
        };
        let https = format!("https://{host}/v2/{}/", reference.repository());
        let mut base = Url::parse(&https).map_err(|error| invalid(error.to_string()))?;
        let is_plain = options.speaks_plain_http(base.host_str().unwrap_or_default(), base.port());
        if is_plain {
            // Parsed again rather than changed, because a URL forgets the port that is its scheme's default.
            let http = https.replacen("https:", "http:", 1);
            base = Url::parse(&http).map_err(|error| invalid(error.to_string()))?;
        }
        let transport = Transport::new(Arc::clone(options), !is_plain)?;
        Ok(Self { transport, reference, base, authorization: None })
    }

    /// The manifest or index that the reference names.
    pub(super) async fn named(&mut self) -> Result<Found, Error> {
        let selector = self.reference.selector();
        let expected = match selector {
            Selector::Digest(digest) => Some(Expected { by: "the reference", digest, size_bytes: None }),
            Selector::Tag(_) => None,
        };
        let what = format!("the manifest of {}", self.reference);
        self.manifest(what, &selector.to_string(), expected).await
    }

    /// The manifest that an index lists for a platform.
    pub(super) async fn listed(&mut self, platform: &Platform, part: Part) -> Result<Found, Error> {
        let expected = Expected { by: "the index", digest: part.digest, size_bytes: Some(part.size_bytes) };
        let what = format!("the manifest of {} for {platform}", self.reference);
        self.manifest(what, &part.digest.to_string(), Some(expected)).await
    }

    /// The digest that the registry claims for the tag, without its manifest; `None` where it does not say. Not proven.
    pub(super) async fn claimed(&mut self) -> Result<Option<Digest>, Error> {
        let selector = self.reference.selector().to_string();
        let what = format!("the digest of {}", self.reference);
        let path = format!("manifests/{selector}");
        match self.fetch(Method::HEAD, what, &path, ACCEPT, LARGEST_MANIFEST_BYTES).await {
            Ok(answer) => claimed_digest(&answer),
            // Some registries answer no HEAD; the GET that follows then says what is wrong, if anything is.
            Err(Error::NotFound { .. } | Error::Status { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The configuration of an image.
    pub(super) async fn config(&mut self, part: Part) -> Result<(Box<Asked>, ImageConfig), Error> {
        let expected = Expected { by: "the manifest", digest: part.digest, size_bytes: Some(part.size_bytes) };
        let what = format!("the configuration of {}", self.reference);
        let path = format!("blobs/{}", part.digest);
        let answer = self.fetch(Method::GET, what, &path, "*/*", LARGEST_CONFIG_BYTES).await?;
        let checked = check(answer, Some(expected))?;
        match ImageConfig::parse(&checked.body) {
            Ok(config) => Ok((checked.asked, config)),
            Err(refusal) => Err(refused(refusal, checked.asked)),
        }
    }

    async fn manifest(&mut self, what: String, selector: &str, expected: Option<Expected>) -> Result<Found, Error> {
        let path = format!("manifests/{selector}");
        let answer = self.fetch(Method::GET, what, &path, ACCEPT, LARGEST_MANIFEST_BYTES).await?;
        let checked = check(answer, expected)?;
        match Document::parse(checked.content_type.as_deref(), &checked.body) {
            Ok(document) => Ok(Found { asked: checked.asked, digest: checked.digest, document }),
            Err(refusal) => Err(refused(refusal, checked.asked)),
        }
    }

    /// Sends a request; when the registry asks for proof of identity, gets it and sends the request once more.
    async fn fetch(
        &mut self,
        method: Method,
        what: String,
        path: &str,
        accept: &'static str,
        limit_bytes: u64,
    ) -> Result<Answer, Error> {
        let url = self.base.join(path).map_err(|error| Error::Reference {
            found: self.reference.to_string(),
            problem: format!("gives no URL ({error})"),
            hint: "check it".to_owned(),
        })?;
        let request = |authorization| Request {
            method: method.clone(),
            url: url.clone(),
            what: what.clone(),
            accept,
            authorization,
            limit_bytes,
        };
        let mut answer = self.transport.send(&request(self.authorization.as_ref())).await?;
        // A host that a redirect led to gets no proof of identity that was meant for the registry.
        if answer.status == 401 && answer.url.origin() == self.base.origin() {
            let authorization = token::authorize(&self.transport, self.reference, &answer).await?;
            answer = self.transport.send(&request(Some(&authorization))).await?;
            self.authorization = Some(authorization);
        }
        match answer.status {
            200..=299 => Ok(answer),
            401 | 403 => Err(token::denied(&answer, self.reference)),
            404 => Err(Error::NotFound { found: refusal(&answer.body), asked: answer.asked }),
            status => Err(Error::Status { status, found: refusal(&answer.body), asked: answer.asked }),
        }
    }
}

/// The `Docker-Content-Digest` header.
fn claimed_digest(answer: &Answer) -> Result<Option<Digest>, Error> {
    let Some(header) = answer.headers.get("docker-content-digest") else { return Ok(None) };
    let text = String::from_utf8_lossy(header.as_bytes());
    text.parse().map(Some).map_err(|_| Error::Malformed {
        asked: answer.asked.clone(),
        problem: format!("the header Docker-Content-Digest is {:?}, no sha256 digest", printable(&text)),
    })
}

/// Hashes the body and compares the digest with everyone's who named one.
fn check(answer: Answer, expected: Option<Expected>) -> Result<Checked, Error> {
    let found = Digest::of(&answer.body);
    let claimed = claimed_digest(&answer)?;
    let asked = answer.asked;
    if let Some(Expected { by, digest, size_bytes }) = expected {
        let found_bytes = answer.body.len() as u64;
        if let Some(expected_bytes) = size_bytes.filter(|size| *size != found_bytes) {
            return Err(Error::WrongSize { asked, found_bytes, expected_bytes });
        }
        if digest != found {
            return Err(Error::WrongDigest { asked, found, by, expected: digest });
        }
    }
    if let Some(expected) = claimed.filter(|claimed| *claimed != found) {
        return Err(Error::WrongDigest { asked, found, by: "the header Docker-Content-Digest", expected });
    }
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(|value| value.split(';').next().unwrap_or_default().trim().to_owned());
    Ok(Checked { asked, digest: found, content_type, body: answer.body })
}

/// A document's refusal, with where it came from.
pub(super) fn refused(refusal: Refusal, asked: Box<Asked>) -> Error {
    match refusal {
        Refusal::Malformed(problem) => Error::Malformed { asked, problem: printable(&problem) },
        Refusal::Schema1 => Error::Schema1 { asked },
        Refusal::NotAnImage(problem) => Error::NotAnImage { asked, problem: printable(&problem) },
        Refusal::NoPlatform { wanted, available } => {
            let available = available.iter().map(|platform| printable(platform)).collect();
            Error::NoPlatform { asked, platform: wanted, available }
        }
    }
}
