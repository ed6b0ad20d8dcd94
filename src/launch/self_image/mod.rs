//! An image made from the running executable, without a registry and without a build tool.
//!
//! `FROM scratch`: the executable at `/lockstep`, and where it is linked dynamically its loader and every shared
//! library that it needs. The bytes of layers, configuration and manifest are written here, sorted and without times
//! or owners, so that the same executable gives the same digests in any engine and in either image store.
//!
//! Data takes one way: executable → `elf` (what one file asks its loader for) → `libraries` (what the loader would
//! find, and where the image must hold it) → `layout` (the entries of the two layers) → `archive` (tar segments and
//! their digests) → `build` (into the engine, and read back).

mod archive;
mod build;
mod elf;
mod layout;
mod libraries;

pub use archive::ImageArchive;
pub use build::{SelfImage, build_self_image, prune_self_images};
pub use layout::recipe_digest;
