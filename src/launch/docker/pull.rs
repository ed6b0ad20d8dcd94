//! Pulling by digest, never by tag.

use std::collections::HashMap;
use std::fmt;

use bollard::models::ProgressDetail;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::{FutureExt as _, StreamExt as _};

use super::engine::{Engine, NEWS_DEADLINE, within};
use super::image::{ExpectedImage, ImageFacts, ResolvedImage};
use crate::launch::Error;
use crate::plan::ImagePin;

/// What an engine says of a layer whose bytes have the right digest and that it cannot unpack.
const UNREADABLE: &str = "failed to register layer: Error processing tar file";

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// The layer, by the engine's short id; empty for a message about the whole.
    pub layer: String,
    /// What is being done, for example `Downloading`.
    pub status: String,
    /// Bytes done and bytes in all, where the engine says.
    pub bytes: Option<(u64, u64)>,
}

impl fmt::Display for PullProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.layer.is_empty() {
            write!(f, "{}: ", self.layer)?;
        }
        f.write_str(&self.status)?;
        match self.bytes {
            Some((done, all)) => write!(f, " {done}/{all} bytes"),
            None => Ok(()),
        }
    }
}

/// The engine tells of a layer's bytes every hundred milliseconds. Of these, a listener gets what changes: each status of a
/// layer, and its bytes at every quarter of them.
#[derive(Debug, Default)]
pub(super) struct PullNews {
    /// What was told last of each layer.
    told: HashMap<String, (String, u64)>,
}

impl PullNews {
    /// A message of the engine, where it says something new.
    pub(super) fn fresh(
        &mut self,
        layer: Option<String>,
        status: Option<String>,
        detail: Option<ProgressDetail>,
    ) -> Option<PullProgress> {
        let (layer, status) = (layer.unwrap_or_default(), status.filter(|status| !status.is_empty())?);
        let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).filter(|n| *n > 0);
        let bytes = detail.and_then(|detail| Some((count(detail.current)?, count(detail.total)?)));
        let quarters = bytes.map_or(0, |(done, all)| done.saturating_mul(4) / all);
        let told = (status.clone(), quarters);
        let fresh = self.told.get(&layer) != Some(&told);
        self.told.insert(layer.clone(), told);
        fresh.then_some(PullProgress { layer, status, bytes })
    }
}

/// Makes sure that the engine holds the pinned image: the one that is there, or else pulled by its manifest digest.
/// `progress` hears how far a pull is.
///
/// # Errors
/// The engine cannot pull it, or what came is not what was pinned.
pub async fn ensure_image(
    engine: &Engine,
    pin: &ImagePin,
    mut progress: impl FnMut(PullProgress),
) -> Result<ResolvedImage, Error> {
    let expected = ExpectedImage::from(pin);
    let repository = repository(&pin.reference);
    let by_manifest = format!("{repository}@{}", pin.manifest);
    let names = [by_manifest.clone(), pin.config.to_string(), pin.manifest.to_string()];
    let by_index = pin.index.map(|index| format!("{repository}@{index}"));
    for name in names.iter().chain(&by_index) {
        if let Some(facts) = ImageFacts::read(engine, name).await?
            && facts.check(&expected).is_ok()
        {
            return Ok(ResolvedImage { id: facts.id, expected });
        }
    }
    let options = CreateImageOptionsBuilder::default()
        .from_image(repository)
        .tag(&pin.manifest.to_string())
        .platform(&pin.platform)
        .build();
    let mut messages = engine.docker().create_image(Some(options), None, None);
    let mut news_of = PullNews::default();
    loop {
        let news = messages.next().map(Option::transpose);
        match within(NEWS_DEADLINE, format!("pulling {by_manifest}"), news).await {
            Ok(Some(message)) => {
                let fresh = news_of.fresh(message.id, message.status, message.progress_detail);
                fresh.into_iter().for_each(&mut progress);
            }
            Ok(None) => break,
            Err(error) => return Err(told(error, &by_manifest)),
        }
    }
    let facts = ImageFacts::read(engine, &by_manifest).await?.ok_or_else(|| Error::Answer {
        doing: format!("pulling {by_manifest}"),
        found: "the pull ended well, and the image is not there".to_owned(),
    })?;
    facts.check(&expected)?;
    Ok(ResolvedImage { id: facts.id, expected })
}

/// An engine that does not know how a layer is packed takes it for a broken archive, and says no more than that.
fn told(error: Error, image: &str) -> Error {
    match &error {
        Error::Engine { source, .. } if source.to_string().contains(UNREADABLE) => Error::Answer {
            doing: format!("pulling {image}"),
            found: format!(
                "{source}. It could not unpack a layer that came whole: engines before 23 unpack none that is packed by \
                 zstd; take a newer engine, or an image whose layers are packed by gzip"
            ),
        },
        _ => error,
    }
}

/// The repository of a reference, without tag and digest; a colon before the last slash belongs to a port.
fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name.get(last..).and_then(|part| part.find(':')) {
        Some(colon) => name.get(..last + colon).unwrap_or(name),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_layers_bytes_every_quarter_is_told_and_every_status_once() {
        let mut news = PullNews::default();
        let mut told = Vec::new();
        let mut hear = |layer: &str, status: &str, current: Option<i64>| {
            let detail = current.map(|current| ProgressDetail { current: Some(current), total: Some(1000) });
            told.extend(news.fresh(Some(layer.into()), Some(status.into()), detail).map(|news| news.to_string()));
        };
        hear("", "Pulling from a/b", None);
        hear("l1", "Waiting", None);
        hear("l2", "Waiting", None);
        hear("l1", "Waiting", None);
        for current in 1..=1000 {
            hear("l1", "Downloading", Some(current));
        }
        hear("l1", "Extracting", Some(1000));
        let quarters = [1, 250, 500, 750, 1000].map(|done| format!("l1: Downloading {done}/1000 bytes"));
        let before = ["Pulling from a/b", "l1: Waiting", "l2: Waiting"].map(String::from);
        let after = ["l1: Extracting 1000/1000 bytes".to_owned()];
        assert_eq!(told, [before.as_slice(), &quarters, &after].concat());
        assert_eq!(news.fresh(Some("l1".into()), None, None), None, "a message without a status is no news");
    }

    #[test]
    fn a_repository_is_what_stands_before_tag_and_digest() {
        for (reference, expected) in [
            ("a/b:1", "a/b"),
            ("a/b", "a/b"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"),
            ("127.0.0.1:5000/a/b:1@sha256:00", "127.0.0.1:5000/a/b"),
            ("b@sha256:00", "b"),
            ("", ""),
        ] {
            assert_eq!(repository(reference), expected, "{reference}");
        }
    }
}
