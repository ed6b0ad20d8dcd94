//! The GPUs while a lane measures: sampled beside it, summed up by window, never in its way.
//!
//! ```text
//! Telemetry (a run: NVML open, what each GPU offers)
//!   └ Watch (a launch: what each GPU held before it)
//!       └ Sampler (while it measures, on the GPUs that it uses)
//!           ├ one thread: power, clocks, heat, use, memory, energy, clock reasons; now and then who else is there
//!           └ one thread a GPU: PCIe throughput, each reading of which blocks for 20 ms
//! ```
//!
//! | part | what it holds |
//! |---|---|
//! | `device` | one look at one GPU, and what it does not offer |
//! | `sampler` | the threads and their schedules |
//! | `summary` | samples in a window → what a row says (pure) |
//! | `watch` | which GPUs are a lane's, and who was on them without it |

mod device;
mod sampler;
mod summary;
mod watch;

pub(super) use watch::{Telemetry, Watch};
