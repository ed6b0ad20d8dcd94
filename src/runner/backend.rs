//! What does the work of a cell.

use std::collections::BTreeMap;

use super::{Error, Pulse};
use crate::terms::{Axes, SignalValue, Stage, StopReason};
use crate::wire::Work;

/// Signal or evidence name to value.
pub type Signals = BTreeMap<String, SignalValue>;

/// What is to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct LoadOrder<'a> {
    /// Folder of the checkpoint.
    pub model_dir: &'a str,
    /// The lane's declared axes. A backend refuses a value that it cannot honour.
    pub axes: &'a Axes,
    /// Positions that the longest cell needs: prompt plus new tokens.
    pub max_positions: u32,
}

/// What a repetition gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The output, as token ids.
    pub tokens: Vec<u32>,
    /// Why generation ended.
    pub stop: StopReason,
    /// What shows which path did the work: `cache`, `forward_passes`, `dtype`, `threads`, …
    pub evidence: Signals,
}

/// Something that generates tokens. The runner holds the clock; a backend only keeps timed and untimed work apart.
///
/// Every function returns with the device idle: what it started has finished. An error, and a panic too, fails the
/// repetition and not the runner.
pub trait Backend {
    /// A repetition under way: its caches, its sampler, its output so far.
    type Job;

    /// The runner's name in its greeting, for example `native`.
    fn name(&self) -> &str;

    /// The runner's version in its greeting.
    fn version(&self) -> &str;

    /// What this process knows about itself at a stage.
    ///
    /// # Errors
    /// A signal could not be taken.
    fn signals(&mut self, stage: Stage, pulse: &Pulse) -> Result<Signals, Error>;

    /// Reads the weights. Comes once, before any repetition.
    ///
    /// # Errors
    /// The checkpoint cannot be read, or the axes ask for what this backend cannot do.
    fn load(&mut self, order: LoadOrder<'_>, pulse: &Pulse) -> Result<(), Error>;

    /// Does what is not timed: allocates caches, seeds the sampler, and for `kv_decode` runs the prefill and picks t0.
    ///
    /// # Errors
    /// The work cannot be done with this model.
    fn prepare(&mut self, work: &Work, pulse: &Pulse) -> Result<Self::Job, Error>;

    /// Does what is timed, and only that. Reports units to `pulse`, which costs one relaxed store.
    ///
    /// # Errors
    /// A forward pass or a pick failed.
    fn measure(&mut self, job: &mut Self::Job, pulse: &Pulse) -> Result<(), Error>;

    /// Hands over the output and frees what the repetition held.
    ///
    /// # Errors
    /// The evidence could not be taken.
    fn finish(&mut self, job: Self::Job) -> Result<Finished, Error>;
}
