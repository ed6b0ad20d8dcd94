//! One HTTP request with its answer: bounded in time and size, tried again while the trouble may pass.

use std::error::Error as StdError;
use std::sync::Arc;

use reqwest::header::{ACCEPT, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, Url, redirect};

use super::retry::{self, Next};
use super::{Asked, Credentials, Error, RegistryOptions};

/// An answer that is no success is for an error message only.
const LARGEST_REFUSAL_BYTES: u64 = 64 << 10;
const MOST_REDIRECTS: usize = 5;

/// The HTTP client of one conversation.
pub(super) struct Transport {
    client: reqwest::Client,
    options: Arc<RegistryOptions>,
}

/// Proof of identity that goes with a request.
#[derive(Clone)]
pub(super) enum Authorization {
    Bearer(String),
    Basic(Credentials),
}

/// One request.
pub(super) struct Request<'a> {
    pub method: Method,
    pub url: Url,
    /// What is read, for error messages.
    pub what: String,
    pub accept: &'static str,
    pub authorization: Option<&'a Authorization>,
    /// Largest body that is taken.
    pub limit_bytes: u64,
}

/// An answer, whatever its status, read to its end. A status that may pass was tried again before.
#[derive(Debug)]
pub(super) struct Answer {
    pub asked: Box<Asked>,
    pub status: u16,
    /// Where the answer came from in the end, after redirects.
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why one attempt gave no answer that can be used.
pub(super) enum Trouble {
    Final(Error),
    /// The status says that it may pass.
    Busy {
        status: u16,
        found: String,
        wait: Option<std::time::Duration>,
    },
    /// The connection broke.
    Broken(String),
}

impl Trouble {
    /// What a status that may pass means.
    pub(super) fn busy(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let wait = retry::asked_wait(text(RETRY_AFTER.as_str()), text("date"));
        Self::Busy { status, found: refusal(body), wait }
    }
}

impl Authorization {
    pub(super) fn put_on(&self, builder: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Self::Bearer(token) => builder.bearer_auth(token),
            Self::Basic(Credentials { username, password }) => builder.basic_auth(username, Some(password)),
        }
    }
}

impl Transport {
    /// A client for `options`. `needs_tls` says whether it is of use without any CA certificates.
    pub(super) fn new(options: Arc<RegistryOptions>, needs_tls: bool) -> Result<Self, Error> {
        let hint = "install the package ca-certificates";
        let client = match builder(&options)?.build() {
            Ok(client) => client,
            // The TLS library refuses to start on a host without CA certificates, where plain HTTP works all the same.
            Err(_) if !needs_tls => builder(&options)?
                .tls_certs_only([])
                .build()
                .map_err(|error| Error::Client { problem: innermost(&error), hint })?,
            Err(error) => return Err(Error::Client { problem: innermost(&error), hint }),
        };
        Ok(Self { client, options })
    }

    pub(super) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// Sends `request`, again while the trouble may pass, and reads the answer.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let asked = Box::new(Asked { what: request.what.clone(), url: shown(&request.url) });
        let mut attempt = 1;
        loop {
            match self.send_once(request, &asked).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => self.wait_or_give_up(trouble, &mut attempt, &asked).await?,
            }
        }
    }

    /// Waits until it makes sense to try again after attempt number `attempt`, or says why it makes none.
    pub(super) async fn wait_or_give_up(
        &self,
        trouble: Trouble,
        attempt: &mut u32,
        asked: &Asked,
    ) -> Result<(), Error> {
        let asked_wait = match trouble {
            Trouble::Final(error) => return Err(error),
            Trouble::Busy { wait, .. } => wait,
            Trouble::Broken(_) => None,
        };
        let advice = match retry::next(&self.options, *attempt, asked_wait) {
            Next::Wait(wait) => {
                tokio::time::sleep(wait).await;
                *attempt += 1;
                return Ok(());
            }
            Next::NoMoreAttempts => String::new(),
            Next::TooLong(wait) => format!(", and the server asks to wait {} s", wait.as_secs()),
        };
        let (asked, attempts) = (Box::new(asked.clone()), *attempt);
        Err(match trouble {
            Trouble::Final(error) => error,
            Trouble::Busy { status, found, .. } => Error::Busy { asked, status, found, attempts, advice },
            Trouble::Broken(problem) => Error::Interrupted { asked, attempts, problem },
        })
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// `step` of an answer, which must not take longer than a whole small request.
    pub(super) async fn in_time<T>(&self, step: impl Future<Output = T>) -> Result<T, Trouble> {
        let limit_s = self.options.request_s;
        let done = tokio::time::timeout(retry::seconds(limit_s), step).await;
        done.map_err(|_| Trouble::Broken(format!("nothing came for {limit_s} s")))
    }

    /// The beginning of what a server says about a refusal.
    pub(super) async fn refusal_body(&self, response: &mut Response) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        // A refusal whose words break off is one all the same.
        while let Ok(Some(chunk)) = self.in_time(response.chunk()).await? {
            body.extend_from_slice(&chunk);
            if body.len() as u64 > LARGEST_REFUSAL_BYTES {
                return Ok(Vec::new());
            }
        }
        Ok(body)
    }

    async fn send_once(&self, request: &Request<'_>, asked: &Asked) -> Result<Answer, Trouble> {
        let mut builder = self
            .client
            .request(request.method.clone(), request.url.clone())
            .header(ACCEPT, request.accept)
            .timeout(retry::seconds(self.options.request_s));
        if let Some(authorization) = request.authorization {
            builder = authorization.put_on(builder);
        }
        let mut response = builder.send().await.map_err(|error| self.trouble(&error, &request.url, asked))?;
        let status = response.status().as_u16();
        let good = response.status().is_success();
        let limit = if good { request.limit_bytes } else { LARGEST_REFUSAL_BYTES };
        let body = match self.read_body(&mut response, request, asked, limit).await {
            // Of a refusal, its beginning is enough.
            Err(Trouble::Final(Error::TooLarge { .. })) if !good => Vec::new(),
            body => body?,
        };
        let headers = response.headers().clone();
        if retry::is_passing(status) {
            return Err(Trouble::busy(status, &headers, &body));
        }
        Ok(Answer { asked: Box::new(asked.clone()), status, url: response.url().clone(), headers, body })
    }

    async fn read_body(
        &self,
        response: &mut Response,
        request: &Request<'_>,
        asked: &Asked,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, Trouble> {
        let too_large = || Trouble::Final(Error::TooLarge { asked: Box::new(asked.clone()), limit_bytes });
        if request.method == Method::HEAD {
            return Ok(Vec::new());
        }
        if response.content_length().is_some_and(|length| length > limit_bytes) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.trouble(&error, &request.url, asked))? {
            if (body.len() + chunk.len()) as u64 > limit_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What a failed request means.
    pub(super) fn trouble(&self, error: &reqwest::Error, url: &Url, asked: &Asked) -> Trouble {
        let asked = Box::new(asked.clone());
        let problem = innermost(error);
        let is_tls = url.scheme() == "https" && failed_handshake(error);
        Trouble::Final(if error.is_redirect() {
            Error::Redirect { asked, problem }
        } else if error.is_dns() {
            Error::Dns { asked, problem }
        } else if error.is_connect() && error.is_timeout() {
            Error::Connect { asked, problem: format!("none within {} s", self.options.connect_s) }
        } else if error.is_timeout() {
            Error::Timeout { asked, limit_s: self.options.request_s }
        } else if error.is_connect() && is_tls {
            Error::Tls { asked, problem }
        } else if error.is_connect() {
            Error::Connect { asked, problem }
        } else if error.is_builder() {
            Error::Malformed { asked, problem }
        } else {
            return Trouble::Broken(problem);
        })
    }
}

fn builder(options: &Arc<RegistryOptions>) -> Result<reqwest::ClientBuilder, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(retry::seconds(options.connect_s))
        .referer(false)
        .redirect(redirects(Arc::clone(options)))
        .no_proxy();
    if let Some(proxy) = &options.proxy {
        let invalid = |error: reqwest::Error| Error::Client {
            problem: format!("the proxy's URL cannot be used: {}", innermost(&error)),
            hint: "give http://HOST:PORT",
        };
        let except = format!("localhost,127.0.0.0/8,::1,{}", proxy.except);
        let no_proxy = reqwest::NoProxy::from_string(&except);
        builder = builder.proxy(reqwest::Proxy::all(&proxy.url).map_err(invalid)?.no_proxy(no_proxy));
    }
    Ok(builder)
}

/// Redirects are followed (blobs often lie in another store), but not out of encryption. The client itself drops the
/// proof of identity when a redirect leads to another host.
fn redirects(options: Arc<RegistryOptions>) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        let host = attempt.url().host_str().unwrap_or_default().to_owned();
        let is_plain = attempt.url().scheme() != "https";
        let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error(format!("more than {MOST_REDIRECTS} in a row"))
        } else if is_plain && (was_secure || !options.speaks_plain_http(&host, attempt.url().port())) {
            attempt.error(format!("it leads to {host} without encryption"))
        } else {
            attempt.follow()
        }
    })
}

/// The registry's own words on a refusal, made safe to print, with a leading separator; empty when there are none.
pub(super) fn refusal(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        errors: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        code: String,
        #[serde(default)]
        message: Option<String>,
    }
    match serde_json::from_slice::<Refusal>(body).ok().and_then(|refusal| refusal.errors.into_iter().next()) {
        Some(Item { code, message: Some(message) }) => format!(", {}", printable(&format!("{code}: {message}"))),
        Some(Item { code, message: None }) => format!(", {}", printable(&code)),
        None => String::new(),
    }
}

/// A text from outside, bounded and without control characters (which could write over a terminal).
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// A URL for messages: without user, password and query.
pub(super) fn shown(url: &Url) -> String {
    printable(&format!("{}{}", url.origin().ascii_serialization(), url.path()))
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// The words of the innermost cause; the outer ones only say that a request failed, and repeat the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    printable(&causes(error).last().map_or_else(String::new, ToString::to_string))
}

/// Whether the TLS handshake failed. The TLS library's errors arrive as I/O errors of these two kinds, wrapped in
/// further I/O errors whose `source` skips what they wrap.
fn failed_handshake(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .flat_map(|outer| std::iter::successors(Some(outer), |error| error.get_ref()?.downcast_ref()))
        .any(|error| matches!(error.kind(), InvalidData | UnexpectedEof))
}
