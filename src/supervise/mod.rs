//! The async island: starts lanes, proves them, walks them through their cells and writes down what came of it.
//!
//! A run is one call of [`run`], synchronous from outside. Inside:
//!
//! ```text
//! sweep orphans → look at the host → probe every lane once → header
//!   → for each launch that is due:  open → preflight → load → preflight → warmup → preflight
//!                                     → repetitions, a row each → preflight → leave
//!   → seal
//! ```
//!
//! | part | what it holds |
//! |---|---|
//! | `inputs`, `event` | what a run needs; what it tells while it goes |
//! | `agenda` | what is still to do (pure) |
//! | `session` | one launched lane: conversation, deadlines, the end |
//! | `server` | one launched server: readiness, what it says of itself, the end |
//! | `gates` | signals against gates (pure) |
//! | `missing` | what a lane lacks on this host, before anything starts |
//! | `host`, `busy` | what this host is, and who else used it |
//! | `telemetry` | the GPUs while a lane measures |
//! | `probe` | the first launch of each lane, which fills the header |
//! | `segment` | the run as a whole: lanes, header, what is due |
//! | `blocks` | the launches in order, and what is given up |
//! | `launch_run` | one launch from open to gone |
//! | `tasks` | the other things that need the island: images, orphans |

mod agenda;
mod blocks;
mod busy;
mod error;
mod event;
mod gates;
mod host;
mod inputs;
mod launch_run;
mod missing;
mod probe;
mod segment;
mod server;
mod session;
mod stop;
mod tasks;
mod telemetry;

pub use agenda::Mode;
pub use error::Error;
pub use event::Event;
pub use inputs::{Ended, Inputs, LaneExecutable, LaneInput, Packed};
pub use missing::{Missing, Question, Surroundings, missing, of_lock as lock_faults};
pub use probe::{LaneLook, look_at_lane};
pub use segment::run;
pub use tasks::{Cleaned, ImageOrigin, build_from_lock, build_image, clean, host_facts, import_base_image, pack_image};
