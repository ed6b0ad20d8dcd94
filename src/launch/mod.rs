//! Starts and stops a lane, and sees it from outside. The only room that talks to a Docker engine.
//!
//! Data takes one way: a checked [`crate::plan::Lane`] and the run's facts make a [`LaunchRequest`] → [`start`] →
//! [`Launched`], which hands out the runner's stdin and stdout and answers questions about the lane that the runner
//! cannot answer for itself (which executable, which image, which limits) → [`Launched::stop`], which returns only
//! when nothing of the lane is left.
//!
//! | part | what it holds |
//! |---|---|
//! | `request`, `launched` | what is asked for, and the handle on what was started |
//! | `availability`, `interpreter` | whether a lane's launcher is there at all, with reason and remedy |
//! | `process` | a lane as a process: own group, cleared environment, marked |
//! | `docker` | the engine, the create request, attach, images by digest |
//! | `self_image` | an image made from the running executable and its libraries |
//! | `image_layout`, `tar_stream` | images as an OCI layout in a folder, and as an archive that every engine loads |
//! | `root_archive` | whether a file is a whole root file system, before an engine is given it |
//! | `outside` | `/proc` and cgroups: signals, processor time, the lane's process tree, and the children that this process was given |
//! | `supervisor`, `sweep` | whose lane is it, is that supervisor alive, and the end of orphans |
//!
//! Every lane carries the identity of its supervisor (process id, start time, process id namespace; a container also
//! the boot), so that a later start can tell an orphan from the lane of a supervisor that is still alive.

mod availability;
mod docker;
mod error;
mod image_layout;
mod interpreter;
mod launched;
mod outside;
mod pipes;
mod process;
mod request;
mod root_archive;
mod self_image;
mod supervisor;
mod sweep;
mod tar_stream;
mod visible_gpus;

pub use availability::{Availability, EngineFacts, Found, availability};
pub use docker::{
    BaseImage, BuiltImage, Engine, ExpectedImage, ImageFacts, ImageStore, ModelMount, PackedImage, PrunedBundles,
    PullProgress, ResolvedImage, TreeCache, archive_path, build_arguments, build_lane_image, built_image,
    built_reference, check_built, create_body, ensure_image, holds_image, import_base, load_packed_image, local_image,
    missing_bases, prune_bundled_images, prune_lane_images, save_image,
};
pub use error::Error;
pub use image_layout::{ImageLayout, LaidImage};
pub use interpreter::{HostAxes, host_axes};
pub use launched::{Launched, start};
pub use outside::tree::descends_from;
pub use pipes::{LaneInput, LaneOutput};
pub use request::{Exit, LaunchRequest};
pub use root_archive::check_root_archive;
pub use self_image::{ImageArchive, SelfImage, build_self_image, prune_self_images, recipe_digest};
pub use supervisor::{Fate, Marker, Supervisor};
pub use sweep::{Orphan, OrphanKind, Sweep, sweep};
pub use visible_gpus::VisibleGpus;
