//! A user's own Python file as a lane, by the manifest that README.md shows, in a folder that holds nothing else.

use lockstep::terms::Outcome;

use crate::project::{Ledger, PlanText, Project};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("an_own_script_joins_as_readme_says_and_is_pinned_by_its_lock", Needs::Program("python3"), joins),
    Named("what_a_lanes_arguments_name_and_no_folder_holds_is_refused_before_a_lock", Needs::Nothing, misplaced),
];

/// What README.md's script is to the runner, without torch: a `Backend` over the shipped phases.
const SCRIPT: &str = r#"
from lockstep_runner.backends.reference import Reference

class Backend(Reference):
    HONOURED = {"cache": ("dynamic",), "compile_mode": ("none", "eager"), "device": ("cpu",), "dtype": ("f32",)}

    def signals(self, stage):
        return {"engine.name": "mine", "engine.dtype": "f32"}

    def evidence(self, cache):
        return {"cache": "dynamic", "dtype": "f32", "threads": 1}
"#;

/// The manifest in README.md.
fn shown() -> &'static str {
    let readme = include_str!("../../README.md");
    let of_lane = |block: &&str| block.contains("name = \"mine\"") && block.contains("[process]");
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    blocks.into_iter().find(of_lane).expect("README.md shows the lane of an own script")
}

fn joins() {
    let project = Project::new();
    project.write("lanes/mine.toml", shown());
    project.write("containers/mine/my_backend.py", SCRIPT);
    project.lockstep(&["lock", "mine"]).exits(0).prints(&["written"]);
    let lock = project.read("lockfiles/mine.lock");
    for path in ["mine/my_backend.py", "runner/lockstep_runner/phases.py"] {
        assert!(lock.contains(path), "{path} is not pinned: {lock}");
    }
    project.plan(&PlanText::new("both", &["mine", "python-reference"]));
    project.lockstep(&["preflight", "mine", "--plan", "both"]).exits(0).prints(&["engine.name"]);
    let run = project.run(&["run", "both"]);
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    assert_eq!(ledger.rows_of("mine").len(), ledger.rows_of("python-reference").len());
    assert!(ledger.rows().iter().all(|row| row.outcome == Outcome::Ok && !row.tokens.is_empty()), "{:?}", run.ended);

    project.write("containers/mine/my_backend.py", format!("{SCRIPT}\n# Another word.\n"));
    project.lockstep(&["lock", "mine", "--check"]).exits(1).prints(&["differs"]);
    project.lockstep(&["lock", "python-reference", "--check"]).exits(0).prints(&["unchanged"]);
}

fn misplaced() {
    let project = Project::new();
    project.write("lanes/mine.toml", shown());
    project.write("containers/mine/my_backnd.py", SCRIPT);
    let near = ["starts `{own_files}/my_backend.py`", "did you mean `mine/my_backnd.py`?"];
    project.lockstep(&["lock", "mine"]).exits(2).tells(&near);

    project.write("lanes/mine.toml", shown().replace("\"--backend\", \"{own", "\"--backend={own"));
    project.lockstep(&["lock", "mine"]).exits(2).tells(&near);

    // A file beside the shipped runner's, as one would put it there who takes the folder for the shipped one.
    project.write("lanes/mine.toml", shown().replace("own_files = \"mine\"\n", "").replace("own_files", "files"));
    project.write("containers/runner/my_backend.py", SCRIPT);
    let whole = ["starts `{files}/lockstep_runner`", "taken whole in place of the built-in one", "`own_files`"];
    project.lockstep(&["lock", "mine"]).exits(2).tells(&whole);
    assert!(!project.file("lockfiles/mine.lock").exists(), "nothing was locked");
}
