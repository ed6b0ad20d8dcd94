//! Files of a running image, read by way of the engine: the runner has no word in what they hold.

use std::io::{self, Read as _};

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::{FutureExt as _, StreamExt as _};

use super::engine::{Engine, NEWS_DEADLINE, within};
use crate::launch::Error;
use crate::plan::Proof;
use crate::terms::{Digest, Signal};

/// The largest file that is taken for a proof: sources have a hundredth of it.
const LARGEST_BYTES: u64 = 16 << 20;

/// What `proofs` show in the container. A file that is not there, or is no plain file, proves nothing and has no digest.
pub(super) async fn read_proofs(engine: &Engine, container: &str, proofs: &[Proof]) -> Result<Vec<Signal>, Error> {
    let mut signals = Vec::new();
    for Proof { name, path, holds } in proofs {
        let content = match read(engine, container, path).await {
            Err(error) if error.is_unknown() => None,
            other => other?,
        };
        let signal = format!("container.proof.{name}");
        if let Some(content) = &content {
            signals.push(Signal::outside(&format!("{signal}.sha256"), Digest::of(content).to_string()));
        }
        let text = content.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        signals.push(Signal::outside(&signal, holds.iter().all(|wanted| text.contains(wanted))));
    }
    Ok(signals)
}

async fn read(engine: &Engine, container: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let doing = format!("reading {path} in the container");
    let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
    let mut stream = engine.docker().download_from_container(container, Some(options));
    let mut archive = Vec::new();
    while let Some(bytes) = within(NEWS_DEADLINE, doing.clone(), stream.next().map(Option::transpose)).await? {
        archive.extend_from_slice(&bytes);
        if archive.len() as u64 > LARGEST_BYTES {
            return Err(Error::Answer { doing, found: format!("it has more than {LARGEST_BYTES} bytes") });
        }
    }
    only_file(&archive).map_err(|error| Error::Answer { doing, found: error.to_string() })
}

/// The content of the one file of an archive; nothing where it holds a folder, a link or several entries.
fn only_file(archive: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(archive);
    let mut found = None;
    for (index, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        if index > 0 || !entry.header().entry_type().is_file() {
            return Ok(None);
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        found = Some(content);
    }
    Ok(found)
}
