//! The shared vocabulary: digests, axes, phases, cells, outcomes, signals, scalars, host facts and the order of
//! versions.
//!
//! This room imports no other. It holds plain data with one meaning everywhere: what a plan declares, a runner
//! reports, the journal keeps and a verdict reads is spelled with these types and no others. Two questions that are asked
//! both while measuring and while judging have their one answer here: which axes signals show, and whether an answer is
//! the work that was asked.

mod axis;
mod canonical;
mod cell;
mod compiled;
mod digest;
mod evidence;
mod host;
mod observed;
mod outcome;
mod parsed;
mod phase;
mod scalar;
mod signal;
mod version;
mod wording;
mod work;

pub use axis::{AXIS_NAMES, Axes, CELL_AXES, nearest};
pub use canonical::{canonical_json, canonical_value};
pub use cell::{Cell, CellId, CellIdError, SamplingSpec, describe_work};
pub use compiled::{MIN_GENERATED_SHARE, asks_for_compiled_code, fell_back};
pub use digest::{Digest, DigestError, Hasher};
pub use evidence::Evidence;
pub use host::{CpuFacts, GpuFacts, HostFacts};
pub use observed::{Contradiction, axes_by_own_word, axis_contradictions, observed_axes};
pub use outcome::{Failure, FailureClass, Outcome, StopReason};
pub use phase::{Phase, Stage};
pub use scalar::Scalar;
pub use signal::{Observer, Signal, SignalValue};
pub use version::compare_versions;
pub use wording::{decimals, is_name, significant, words};
pub use work::{Answer, Expectations, Proven, assess};
