//! The patch of a lane, put in by the very step of its Dockerfile and tried by what it does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lockstep::plan::{Input, Lane, Launcher};
use lockstep::terms::Digest;

use crate::project::{Ended, Project, Started};
use crate::{Named, Needs};

pub const TRIALS: &[Named] =
    &[Named("the_assertion_of_graph_trees_becomes_a_warning_or_nothing_changes", Needs::Patch, patched)];

/// The file that is patched, from the folder of torch's package on.
const PATCHED: &str = "torch/_inductor/cudagraph_trees.py";
/// A path of one node that holds a live tensor more than it has traces, and one that holds as many.
const TRY: &str = "
import types
from torch._inductor.cudagraph_trees import CUDAGraphTreeManager
tensors = [set(), set()]
for traces in [['first', 'second'], ['first']]:
    node = types.SimpleNamespace(tensor_weakrefs=[lambda t=t: t for t in tensors], stack_traces=traces)
    manager = CUDAGraphTreeManager(types.SimpleNamespace(_path_from_root=[node]))
    print('told:', *manager.dealloc_current_path_weakrefs())
";

fn shipped(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the lane of the patch says of it: its file, and the text by which a patched image is known.
fn stated() -> (String, Vec<String>) {
    let text = shipped("lanes/torch-2.10-ngc-26.01-patched.toml");
    let lane = Lane::parse("patched.toml", &text).expect("the lane is shipped");
    let Some(Input::Patch { file, sha256, .. }) = lane.inputs.get("patch") else { panic!("the lane has no patch") };
    assert_eq!(*sha256, Digest::of(shipped(&format!("containers/{file}")).as_bytes()));
    assert_eq!(lane.axes["patches"], sha256.to_string(), "its rows carry the patch");
    let Launcher::Docker(docker) = &lane.launcher else { panic!("the lane is a container's") };
    let [proof] = docker.proofs.as_slice() else { panic!("one proof is expected: {:?}", docker.proofs) };
    assert!(proof.path.ends_with(PATCHED), "{}", proof.path);
    (file.clone(), proof.holds.clone())
}

/// The step of the Dockerfile that patches, as an engine hands it to a shell.
fn step() -> String {
    let text = shipped("containers/ngc/Dockerfile").replace("\\\n", "");
    let mut steps = text.lines().filter_map(|line| line.strip_prefix("RUN ")).filter(|line| line.contains("patch -p1"));
    let step = steps.next().expect("a step patches");
    assert_eq!(steps.next(), None, "one step patches");
    step.to_owned()
}

/// A folder of packages with the module that the patch is for, its text changed.
struct Packages {
    project: Project,
    before: String,
}

impl Packages {
    fn new(change: (&str, &str)) -> Self {
        let project = Project::new();
        let before = include_str!("../fixtures/cudagraph_trees.py").replace(change.0, change.1);
        for package in ["torch", "torch/_inductor"] {
            project.write(&format!("packages/{package}/__init__.py"), "");
        }
        project.write(&format!("packages/{PATCHED}"), &before);
        let python = project.write("bin/python", "#!/bin/sh\nexec python3 \"$@\"\n");
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        Self { project, before }
    }

    fn module(&self) -> String {
        self.project.read(&format!("packages/{PATCHED}"))
    }

    fn is_as_before(&self) -> bool {
        self.module() == self.before
    }

    fn command(&self, program: &str, words: &[&str], patch: &str) -> Ended {
        let mut command = self.project.command_of(program.as_ref(), words);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.project.file("bin").display()));
        command
            .env("PYTHONPATH", self.project.file("packages"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PATCH", patch);
        Started::of(command).finish()
    }

    /// The step with that patch of `containers/`, or with none.
    fn step(&self, patch: Option<&str>) -> Ended {
        // The step looks for it below `/opt`, where an image has that folder's files.
        let below = |file: &str| {
            let place = self.project.write(file, shipped(&format!("containers/{file}")));
            format!("..{}", place.display())
        };
        self.command("sh", &["-c", &step()], &patch.map(below).unwrap_or_default())
    }

    fn tried(&self) -> Ended {
        self.command("python3", &["-c", TRY], "")
    }
}

fn patched() {
    let (file, proof) = stated();
    let packages = Packages::new(("", ""));
    packages.tried().exits(1).prints(&["told: first second\n"]).tells(&["AssertionError"]);
    // The lane without the patch is built by the same file.
    packages.step(None).exits(0);
    assert!(packages.is_as_before() && proof.iter().all(|text| !packages.module().contains(text)));

    packages.step(Some(&file)).exits(0);
    let tried = packages.tried();
    tried.exits(0).prints(&["told: first second\ntold: first\n"]);
    tried.tells(&["CUDA graph path: 2 tensors and 1 stack traces; the surplus is not told apart"]);
    assert_eq!(tried.stderr.lines().count(), 1, "of the path that has as many nothing is said: {tried:?}");
    assert!(proof.iter().all(|text| packages.module().contains(text)), "the lane's proof is not in what is patched");

    // What is patched already, and what is another file, stay as they are, and the build ends there.
    let once = packages.module();
    let again = packages.step(Some(&file));
    assert!(!again.status.success() && packages.module() == once, "{again:?}");
    for change in [
        ("assert node.stack_traces is not None", "assert node.stack_traces"),
        ("assert len(node.tensor_weakrefs)", "assert 0 + len(node.tensor_weakrefs)"),
        ("ten = None if t is None else t()", "ten = t and t()"),
    ] {
        let other = Packages::new(change);
        assert!(other.before.contains(change.1));
        let refused = other.step(Some(&file));
        assert!(!refused.status.success() && other.is_as_before(), "{change:?}: {refused:?}");
    }
}
