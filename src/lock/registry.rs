//! From a reference to a pin, and whether a tag has moved since.

use std::fmt;
use std::sync::Arc;

use super::island::block_on;
use super::manifest::Document;
use super::session::{Found, Session, refused};
use super::{Error, ImageReference, Platform, RegistryOptions};
use crate::plan::ImagePin;
use crate::terms::Digest;

/// A client of registries that speak the OCI distribution API. Its functions block, and may be called from anywhere,
/// async code included.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    options: Arc<RegistryOptions>,
}

/// A tag that resolves to another digest than the one that was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What was pinned.
    pub from: ImagePin,
    /// What the tag resolves to now.
    pub to: ImagePin,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{} moved from {} to {}", to.reference, top(from), top(to))?;
        if from.manifest == to.manifest {
            write!(f, "; the image for {} is the same in both", to.platform)?;
        }
        Ok(())
    }
}

/// What a tag points at: the index where there is one.
fn top(pin: &ImagePin) -> Digest {
    pin.index.unwrap_or(pin.manifest)
}

impl Registry {
    /// A client that reaches registries as `options` say. Nothing is sent yet.
    #[must_use]
    pub fn new(options: RegistryOptions) -> Self {
        Self { options: Arc::new(options) }
    }

    /// Resolves `reference` for `platform` to every digest that the image has. Each body on the way is hashed and
    /// compared with the digest it was asked by and with the one that the registry claims.
    ///
    /// # Errors
    /// The registry cannot be reached, denies access, is busy, or knows no such image; a body is not what its digest
    /// says, too large or unreadable; there is no image for the platform.
    pub fn resolve(&self, reference: &ImageReference, platform: &Platform) -> Result<ImagePin, Error> {
        block_on(self.resolve_async(reference, platform))
    }

    /// Whether the tag of a pin's reference resolves to another digest now. `None`: it did not move, or the reference
    /// has a digest alone, which cannot. A tag beside a digest is looked at too.
    ///
    /// That a tag did not move is the registry's word (the header of a HEAD request); where it moved to is proven.
    ///
    /// # Errors
    /// As for [`Registry::resolve`]; a tag that is gone is [`Error::NotFound`].
    pub fn drift(&self, pin: &ImagePin) -> Result<Option<Drift>, Error> {
        let reference: ImageReference = pin.reference.parse()?;
        let platform: Platform = pin.platform.parse()?;
        let Some(reference) = reference.without_digest() else { return Ok(None) };
        block_on(async {
            let claimed = Session::open(&self.options, &reference)?.claimed().await?;
            if claimed == Some(top(pin)) {
                return Ok(None);
            }
            let to = self.resolve_async(&reference, &platform).await?;
            let moved = top(&to) != top(pin);
            Ok(moved.then(|| Drift { from: pin.clone(), to }))
        })
    }

    async fn resolve_async(&self, reference: &ImageReference, platform: &Platform) -> Result<ImagePin, Error> {
        let mut session = Session::open(&self.options, reference)?;
        let Found { asked, digest: top, document } = session.named().await?;
        let (index, digest, manifest) = match document {
            Document::Manifest(manifest) => (None, top, manifest),
            Document::Index(index) => {
                let part = index.choose(platform).map_err(|refusal| refused(refusal, asked))?;
                let Found { asked, digest, document } = session.listed(platform, part).await?;
                match document {
                    Document::Manifest(manifest) => (Some(top), digest, manifest),
                    Document::Index(_) => {
                        let problem = "the index lists another index in place of an image".to_owned();
                        return Err(Error::NotAnImage { asked, problem });
                    }
                }
            }
        };
        let (asked, config) = session.config(manifest.config).await?;
        if !config.platform.is_for(platform, index.is_some()) {
            let available = vec![config.platform.to_string()];
            return Err(Error::NoPlatform { asked, platform: platform.to_string(), available });
        }
        if config.diff_ids.len() != manifest.layers {
            let (layers, diff_ids) = (manifest.layers, config.diff_ids.len());
            return Err(Error::LayerCount { asked, layers, diff_ids });
        }
        Ok(ImagePin {
            reference: reference.to_string(),
            platform: platform.to_string(),
            index,
            manifest: digest,
            config: manifest.config.digest,
            diff_ids: config.diff_ids,
        })
    }
}
