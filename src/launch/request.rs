//! What is asked for when a lane is started, and how a lane ended.

use std::path::Path;

use super::docker::{ModelMount, ResolvedImage};
use crate::plan::Lane;

/// One start of one lane.
#[derive(Debug, Clone, Copy)]
pub struct LaunchRequest<'a> {
    /// The lane.
    pub lane: &'a Lane,
    /// The run's id.
    pub run: &'a str,
    /// The run's folder; `{run}` in a process lane's environment becomes it.
    pub run_dir: &'a Path,
    /// The number of the launch within the run.
    pub launch: u32,
    /// The model's folder on this host.
    pub model_dir: &'a Path,
    /// Files of the lane's own models, each where its container finds it.
    pub models: &'a [ModelMount],
    /// The host folder that the folders which the lane executes from were written to; `{files}` in arguments becomes the one
    /// of them that its `files` names, and `{own_files}` that of its `own_files`.
    pub files_dir: Option<&'a Path>,
    /// The folder that is put in front of a process lane's Python packages.
    pub overlay_dir: Option<&'a Path>,
    /// The file that everything it writes to standard error is kept in.
    pub stderr_file: Option<&'a Path>,
    /// The executable that stands for `self`.
    pub own_executable: &'a Path,
    /// Folders that programs are searched in, separated by `:`; the lane's own `PATH`, unless it declares one.
    pub search_path: &'a str,
    /// The value of `CUDA_VISIBLE_DEVICES`, when it is set; a process lane is given it on.
    pub visible_gpus: Option<&'a str>,
    /// The image that a container lane runs.
    pub image: Option<&'a ResolvedImage>,
}

/// How a lane's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Exit status. A container's runner that died of signal `n` shows as `128 + n`, as its init reports it.
    pub status: Option<i32>,
    /// Signal that ended it. Of a container: read from a status above 128.
    pub signal: Option<i32>,
    /// The kernel ended it because memory ran out. Of a container: the engine says so. Of a process: it died of a
    /// KILL that was not ours, and the kernel counted an out-of-memory kill meanwhile.
    pub oom_killed: bool,
}
