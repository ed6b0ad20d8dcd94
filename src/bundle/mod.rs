//! One archive that holds everything a run uses: plan, lanes, locks, images, model, the accepted verdict with its journal,
//! and Lockstep's own executable. For a reviewer without network, and for an archive of publications.
//!
//! Data takes one way: the files of a run → [`Contents`] (what the archive holds, with digests) → [`write()`] → one file →
//! [`extract`] (every byte compared with the contents) → a folder that a run takes everything from → [`check`] (nothing of it
//! changed meanwhile).
//!
//! | file | holds |
//! |---|---|
//! | `contents` | `bundle.json`: what the archive holds, and the digest of all of it |
//! | `place` | which paths a bundle may hold |
//! | `header` | the one form that an entry's header has |
//! | `archive` | writing |
//! | `extraction` | reading archives of strangers |
//! | `research_object` | `ro-crate-metadata.json`, by which archives of publications understand it |
//!
//! The archive is a tar file of regular files in one canonical form: no times, no owners, no links. The same files give
//! the same bytes, and an archive in any other form is refused by the name of the entry that differs.

mod archive;
mod contents;
mod error;
mod extraction;
mod header;
mod place;
mod research_object;

#[cfg(test)]
mod tests;

pub use archive::{Source, write};
pub use contents::{Contents, Executable, File, Image, Lane, LeftOut, MadeBy, Model};
pub use error::Error;
pub use extraction::{Bundle, check, extract};
pub use research_object::{About, METADATA};
