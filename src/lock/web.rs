//! Plain questions over HTTP: repositories of source code and package indexes.

use std::sync::Arc;

use reqwest::{Method, Url};

use super::transport::{Request, Transport, printable, refusal};
use super::{Asked, Error, RegistryOptions};

/// A client for the pages below one URL.
pub(super) struct Web {
    transport: Transport,
    base: Url,
}

impl Web {
    /// Opens a conversation about `base`; nothing is sent yet.
    pub(super) fn open(options: &Arc<RegistryOptions>, base: &str) -> Result<Self, Error> {
        let fault = |problem: String| Error::Address { found: printable(base), problem };
        let mut base_url = Url::parse(base).map_err(|error| fault(error.to_string()))?;
        if !base_url.path().ends_with('/') {
            base_url.set_path(&format!("{}/", base_url.path()));
        }
        let plain = match base_url.scheme() {
            "https" => false,
            "http" if options.speaks_plain_http(base_url.host_str().unwrap_or_default(), base_url.port()) => true,
            "http" => return Err(fault("the host is not named as one that is asked without encryption".into())),
            other => return Err(fault(format!("{other:?} is no scheme that is spoken here"))),
        };
        Ok(Self { transport: Transport::new(Arc::clone(options), !plain)?, base: base_url })
    }

    /// The page at `path` below the base, at most `limit_bytes` long.
    pub(super) async fn get(
        &self,
        what: String,
        path: &str,
        accept: &'static str,
        limit_bytes: u64,
    ) -> Result<(Box<Asked>, Vec<u8>), Error> {
        let url = self
            .base
            .join(path)
            .map_err(|error| Error::Address { found: printable(path), problem: error.to_string() })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = Request { method: Method::GET, url, what, accept, authorization: None, limit_bytes };
        let answer = self.transport.send(&request).await?;
        match answer.status {
            200..=299 => Ok((answer.asked, answer.body)),
            status @ (401 | 403) => {
                Err(Error::Denied { asked: answer.asked, status, found: refusal(&answer.body), host })
            }
            404 => Err(Error::NotFound { found: refusal(&answer.body), asked: answer.asked }),
            status => Err(Error::Status { status, found: refusal(&answer.body), asked: answer.asked }),
        }
    }
}
