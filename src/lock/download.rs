//! A file that is downloaded whole or not at all, and goes on where an earlier attempt broke off.
//!
//! What has arrived lies in `FILE.part` and is hashed as it comes. It becomes `FILE` when size and digest are those that
//! were asked for, so whatever the server sends, a file of the right name is the right file.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use reqwest::header::{ACCEPT, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Response, Url};

use super::transport::{Authorization, Transport, Trouble, innermost, shown};
use super::{Asked, Error, retry};
use crate::terms::{Digest, Hasher};

/// An attempt that brought as much is no failure: the next one is counted as the first again.
const WORTH_BYTES: u64 = 1 << 20;

/// Makes an error of an answer that is neither the file nor a trouble that passes: its status, headers and body.
type Refusal<'a> = dyn Fn(Box<Asked>, u16, &HeaderMap, &[u8]) -> Error + Sync + 'a;

/// A file to be downloaded.
pub(super) struct Wanted<'a> {
    pub url: Url,
    /// What it is, for error messages.
    pub what: String,
    pub authorization: Option<&'a Authorization>,
    /// Its size.
    pub bytes: u64,
    /// Its digest, and who says so; unknown where the file is only now to be pinned.
    pub sha256: Option<(Digest, &'static str)>,
    pub refused: &'a Refusal<'a>,
}

/// What has arrived of it.
struct Partial {
    path: PathBuf,
    file: File,
    bytes: u64,
    hasher: Hasher,
    /// The server's name for the content, once it has said it.
    etag: Option<String>,
}

/// Where the bytes that have arrived lie until they are all there.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

impl Transport {
    /// Downloads `wanted` to `path` and gives its digest. `told` gets the number of bytes that are there, again and again.
    pub(super) async fn download(
        &self,
        wanted: &Wanted<'_>,
        path: &Path,
        told: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Digest, Error> {
        let asked = Asked { what: wanted.what.clone(), url: shown(&wanted.url) };
        let mut partial = Partial::open(part_of(path), wanted.bytes)?;
        let mut attempt = 1;
        while partial.bytes < wanted.bytes {
            let before = partial.bytes;
            if let Err(trouble) = self.go_on(wanted, &asked, &mut partial, told).await {
                if partial.bytes >= before.saturating_add(WORTH_BYTES) {
                    attempt = 1;
                }
                self.wait_or_give_up(trouble, &mut attempt, &asked).await?;
            }
        }
        partial.settle(wanted, asked, path)
    }

    /// One request for what is missing.
    async fn go_on(
        &self,
        wanted: &Wanted<'_>,
        asked: &Asked,
        partial: &mut Partial,
        told: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), Trouble> {
        let mut builder = self.client().get(wanted.url.clone()).header(ACCEPT, "*/*");
        if let Some(authorization) = wanted.authorization {
            builder = authorization.put_on(builder);
        }
        if partial.bytes > 0 {
            builder = builder.header(RANGE, format!("bytes={}-", partial.bytes));
            if let Some(etag) = &partial.etag {
                builder = builder.header(IF_RANGE, etag);
            }
        }
        let answered = self.in_time(builder.send()).await?;
        let mut response = answered.map_err(|error| match partial.bytes {
            0 => self.trouble(&error, &wanted.url, asked),
            // The server was reached before, so this may pass too.
            _ => Trouble::Broken(innermost(&error)),
        })?;
        let status = response.status().as_u16();
        match status {
            200 | 206 => {
                check_place(&response, wanted, asked, partial)?;
                partial.etag = strong_etag(response.headers());
            }
            // What lies here is not the beginning of what lies there.
            416 => {
                partial.restart()?;
                return Err(Trouble::Broken("the server cannot go on from where it broke off".to_owned()));
            }
            _ => {
                let body = self.refusal_body(&mut response).await?;
                return Err(match retry::is_passing(status) {
                    true => Trouble::busy(status, response.headers(), &body),
                    false => {
                        Trouble::Final((wanted.refused)(Box::new(asked.clone()), status, response.headers(), &body))
                    }
                });
            }
        }
        while let Some(chunk) = self
            .in_time(response.chunk())
            .await?
            .map_err(|error| Trouble::Broken(format!("{} bytes are there; {}", partial.bytes, innermost(&error))))?
        {
            if partial.bytes.saturating_add(chunk.len() as u64) > wanted.bytes {
                let found_bytes = partial.bytes.saturating_add(chunk.len() as u64);
                partial.remove();
                return Err(Trouble::Final(wrong_size(asked, found_bytes, wanted.bytes)));
            }
            partial.take(&chunk)?;
            told(partial.bytes);
        }
        if partial.bytes < wanted.bytes {
            return Err(Trouble::Broken(format!("it ended after {} of {} bytes", partial.bytes, wanted.bytes)));
        }
        Ok(())
    }
}

/// Where the answer's bytes belong: behind those that are there (206), or at the beginning (200), where the others go.
fn check_place(response: &Response, wanted: &Wanted<'_>, asked: &Asked, partial: &mut Partial) -> Result<(), Trouble> {
    let wrong = |partial: &Partial, found_bytes| {
        partial.remove();
        Err(Trouble::Final(wrong_size(asked, found_bytes, wanted.bytes)))
    };
    if response.status().as_u16() == 200 {
        partial.restart()?;
        return match response.content_length() {
            Some(found_bytes) if found_bytes != wanted.bytes => wrong(partial, found_bytes),
            _ => Ok(()),
        };
    }
    let text = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match content_range(text) {
        Some((_, Some(whole))) if whole != wanted.bytes => wrong(partial, whole),
        Some((first, _)) if first == partial.bytes => Ok(()),
        _ => {
            let problem = format!("bytes from {} on were asked for, and {:?} came", partial.bytes, text.to_owned());
            partial.restart()?;
            Err(Trouble::Broken(super::transport::printable(&problem)))
        }
    }
}

/// First byte and whole length of `bytes FIRST-LAST/WHOLE` (RFC 9110, section 14.4).
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    let whole = if whole == "*" { None } else { Some(whole.parse().ok()?) };
    Some((first.parse().ok()?, whole))
}

/// The answer's entity tag, if a range may be conditional on it (RFC 9110, section 13.1.5).
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(ETAG)?.to_str().ok()?;
    (text.starts_with('"') && text.ends_with('"')).then(|| text.to_owned())
}

fn wrong_size(asked: &Asked, found_bytes: u64, expected_bytes: u64) -> Error {
    Error::WrongSize { asked: Box::new(asked.clone()), found_bytes, expected_bytes }
}

impl Partial {
    /// What an earlier attempt left, or an empty file.
    fn open(path: PathBuf, most_bytes: u64) -> Result<Self, Error> {
        let fault = |action| {
            let path = path.clone();
            move |problem| Error::Io { action, path, problem }
        };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(fault("opening"))?;
        let (mut hasher, mut bytes) = (Hasher::default(), 0);
        let mut buffer = vec![0_u8; 1 << 20];
        loop {
            let read = file.read(&mut buffer).map_err(fault("reading"))?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
        let mut partial = Self { path, file, bytes, hasher, etag: None };
        if bytes > most_bytes {
            partial.empty()?;
        }
        Ok(partial)
    }

    fn empty(&mut self) -> Result<(), Error> {
        let emptied = self.file.set_len(0).and_then(|()| std::io::Seek::rewind(&mut self.file));
        emptied.map_err(|problem| Error::Io { action: "emptying", path: self.path.clone(), problem })?;
        (self.bytes, self.hasher, self.etag) = (0, Hasher::default(), None);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        if self.bytes > 0 { self.empty().map_err(Trouble::Final) } else { Ok(()) }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Trouble> {
        self.file.write_all(chunk).map_err(|problem| {
            Trouble::Final(Error::Io { action: "writing what was downloaded to", path: self.path.clone(), problem })
        })?;
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    fn remove(&self) {
        // The fault that led here is the one to tell; what stays is tried again and found wrong again.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Moves the whole file into place, or removes it where it is another than was asked for.
    fn settle(self, wanted: &Wanted<'_>, asked: Asked, path: &Path) -> Result<Digest, Error> {
        let Self { path: part, file, hasher, .. } = self;
        let found = hasher.finish();
        if let Some((expected, by)) = wanted.sha256.filter(|(expected, _)| *expected != found) {
            let _ = std::fs::remove_file(&part);
            return Err(Error::WrongDigest { asked: Box::new(asked), found, by, expected });
        }
        let moved = file.sync_all().and_then(|()| std::fs::rename(&part, path));
        moved.map_err(|problem| Error::Io { action: "keeping", path: path.to_owned(), problem })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_says_where_it_begins_and_how_long_the_whole_is() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for text in ["", "bytes */10", "bytes 5/10", "lines 5-9/10", "bytes -1-9/10", "bytes 5-9/x"] {
            assert_eq!(content_range(text), None, "{text:?}");
        }
    }
}
