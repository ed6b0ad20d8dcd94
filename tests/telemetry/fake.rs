//! The scripted NVML: built once, put before the driver's by the loader's search path.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::project::{Ended, Lane, PlanText, Project, Started};

/// The folder of the library, or why there is none.
pub fn library() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<TempDir, String>> = OnceLock::new();
    BUILT.get_or_init(build).as_ref().map(TempDir::path).map_err(Clone::clone)
}

fn build() -> Result<TempDir, String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nvml.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let into = folder.path().join("libnvidia-ml.so.1");
    let ended = Command::new(&compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&into).arg(source).output();
    let Ok(ended) = ended else {
        return Err(format!("there is no C compiler ({compiler}) to build the scripted NVML"));
    };
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(folder)
}

/// What every script says where a test does not say otherwise.
pub const HEALTHY: &str = "power_mw 100000 300000\nsm_mhz 1980\nmemory_mhz 3201\ncelsius 45\ngpu_pct 90\nmemory_pct 40\n\
                           rx_kb_s 700\ntx_kb_s 50\nenergy_w 200\nused_mib 3\nlane_mib 600\n";

/// A project with the plan `faults` over `lanes`, of which the first has what the scripted GPU holds for its own.
pub struct Scene {
    pub project: Project,
    library: PathBuf,
}

impl Scene {
    /// `changes` come before what [`HEALTHY`] says.
    pub fn new(library: &Path, changes: &str, lanes: &[Lane], plan: &PlanText) -> Self {
        let project = Project::new();
        project.lanes(&lanes.iter().collect::<Vec<_>>());
        project.plan(plan);
        let pids = project.file(&format!("{}.pids", lanes[0].name));
        project.write("nvml.script", format!("{changes}{HEALTHY}lane_pids {}\n", pids.display()));
        Self { project, library: library.to_owned() }
    }

    /// The executable with `arguments` over the scripted GPU.
    pub fn lockstep(&self, arguments: &[&str]) -> Ended {
        self.seeing(None, arguments)
    }

    /// The same, with those GPUs alone that `visible` names.
    pub fn seeing(&self, visible: Option<&str>, arguments: &[&str]) -> Ended {
        let mut command = self.project.command(arguments);
        command.env_remove("CUDA_VISIBLE_DEVICES").envs(visible.map(|visible| ("CUDA_VISIBLE_DEVICES", visible)));
        command.env("LD_LIBRARY_PATH", &self.library).env("FAKE_NVML", self.project.file("nvml.script"));
        Started::of(command).finish()
    }
}
