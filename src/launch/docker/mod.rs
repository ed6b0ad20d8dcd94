//! Containers: the engine, the create request, the attached streams, and images by digest.
//!
//! An image is never run by its tag. [`ensure_image`] turns a lock's pin (and [`crate::launch::build_self_image`] the
//! running executable) into a [`ResolvedImage`], which names the engine's own id; the container is created from that
//! id, and after the start the image is read again from the container and compared digest by digest. How the
//! container is confined is read and compared likewise: one with fewer walls than were asked for is refused.

mod apart;
mod attach;
mod base_image;
mod build;
mod built_image;
mod confinement;
mod container;
mod container_signals;
mod create;
mod engine;
mod image;
mod image_tree;
mod load;
mod model_mounts;
mod network;
mod proofs;
mod pull;
mod save;

pub use base_image::{BaseImage, import_base, missing_bases};
pub use build::{BuiltImage, archive_path, build_arguments, build_lane_image, built_reference, prune_lane_images};
pub use built_image::{TreeCache, built_image, check_built};
pub(super) use container::{ContainerLaunch, remove_container};
pub use create::create_body;
pub(super) use create::{MODEL_DIR_INSIDE, SCRATCH_DIR_INSIDE, USER};
pub use engine::{Engine, ImageStore};
pub use image::{ExpectedImage, ImageFacts, ResolvedImage, holds_image, local_image};
pub(super) use load::load_archive;
pub use load::{PackedImage, PrunedBundles, load_packed_image, prune_bundled_images};
pub use model_mounts::ModelMount;
pub(super) use network::remove_network;
pub use pull::{PullProgress, ensure_image};
pub use save::save_image;
