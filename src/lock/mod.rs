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
//! | `git`, `packages`, `web` | commits by what repositories advertise; hashes by what package indexes list |
//! | `archive` | files of public addresses, by digest |
//! | `requirements` | package sets from what asks for them, and whether the two agree |
//! | `debian` | lists of Debian's packages, each file by digest |
//! | `download` | one large file, resumed and hashed as it comes |
//! | `hub` | checkpoints of a model hub: the pin, and what it pins |
//! | `overlay` | packed wheels, unpacked by content |
//! | `statements`, `resolve` | what public sources say; from a lane's inputs to its lock's entries |
//! | `lane_lock`, `difference` | writing and checking a lock, and what two of them differ in; pure |
//!
//! The async client is an island: [`Registry`]'s functions are synchronous and may be called from anywhere.

mod archive;
mod challenge;
mod change;
mod checkpoint;
mod debian;
mod difference;
mod download;
mod error;
mod git;
mod hub;
mod island;
mod lane_lock;
mod manifest;
mod model_input;
mod options;
mod overlay;
mod packages;
mod platform;
mod reference;
mod registry;
mod requirements;
mod resolve;
mod retry;
mod session;
mod statements;
mod token;
mod transport;
mod web;

#[cfg(test)]
mod faulty_registry;
#[cfg(test)]
mod tests;

pub use archive::ArchiveCache;
pub use change::Change;
pub use checkpoint::{FileStamp, FolderDigest, file_stamps, folder_digest, verify_folder};
pub use debian::{DebianFile, as_of, debian_files};
pub use difference::{Difference, differences, merged};
pub use error::{Asked, Error};
pub use hub::{Fetched, HubOptions, fetch_checkpoint, pin_checkpoint, pinned_digest};
pub use lane_lock::{lane_inputs, lock_lane, run_copy, unresolved, verify_lock, verify_wheels};
pub use model_input::{find_models, model_input_digest, model_input_files, verify_models};
pub use options::{Credentials, Proxy, RegistryOptions};
pub use overlay::OverlayCache;
pub use platform::Platform;
pub use reference::ImageReference;
pub use registry::{Drift, Registry};
pub use requirements::{check_requirements, resolve_requirements};
pub use resolve::Resolver;
pub use statements::Statements;
