//! Locks: from names that may move to digests that may not, and the check that nothing moved since.
//!
//! Data takes one way: a tag → [`ImageReference`] → [`Registry`] (the OCI distribution API; every body is hashed) →
//! `plan::ImagePin`; a checkpoint folder → [`folder_digest`]; both, with the digests of the files that a lane executes →
//! [`lock_lane`] → `plan::Lock`, which [`verify_lock`] compares with the lane before each run.
//!
//! | file | holds |
//! |---|---|
//! | `reference`, `platform` | texts → checked names, by Docker's rules |
//! | `manifest`, `challenge`, `retry` | what registries answer → values; pure |
//! | `transport` | one HTTP request: bounds, retries, what went wrong |
//! | `session`, `token` | one conversation with one registry: proof of identity, hashed bodies |
//! | `registry` | resolving a reference, and whether a tag moved |
//! | `checkpoint`, `change` | digest of a model's folder, and what changed in it |
//! | `lane_lock` | writing and checking a lock; pure |
//!
//! The async client is an island: [`Registry`]'s functions are synchronous and may be called from anywhere.

mod challenge;
mod change;
mod checkpoint;
mod error;
mod lane_lock;
mod manifest;
mod options;
mod platform;
mod reference;
mod registry;
mod retry;
mod session;
mod token;
mod transport;

#[cfg(test)]
mod faulty_registry;
#[cfg(test)]
mod tests;

pub use change::Change;
pub use checkpoint::{FileStamp, FolderDigest, file_stamps, folder_digest, verify_folder};
pub use error::{Asked, Error};
pub use lane_lock::{lock_lane, run_copy, verify_lock};
pub use options::{Credentials, Proxy, RegistryOptions};
pub use platform::Platform;
pub use reference::ImageReference;
pub use registry::{Drift, Registry};
