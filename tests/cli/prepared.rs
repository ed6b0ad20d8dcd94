//! A finished and accepted run that many tests look at and none changes.

use std::path::Path;
use std::sync::OnceLock;

use crate::project::{PlanText, Project, Run};

static PREPARED: OnceLock<(Project, Run)> = OnceLock::new();

/// The plan of a run that can be accepted however busy the machine is: its lanes compute long enough that others
/// cannot take nearly all of the host, and it expects no timing.
pub fn acceptable(name: &'static str) -> PlanText {
    PlanText { repetitions: 4, new_tokens: 120, ..PlanText::new(name, &["native", "native-again"]) }
}

/// A project with a run of the plan `tiny` over two native lanes, and its snapshot.
pub fn prepared() -> &'static (Project, Run) {
    PREPARED.get_or_init(|| {
        let project = Project::new();
        project.plan(&acceptable("tiny"));
        let run = project.run(&["run", "tiny"]);
        run.ended.exits(0);
        project.lockstep(&["accept", "latest"]).exits(0);
        (project, run)
    })
}

/// A copy of the prepared project, to be spoilt.
pub fn own_copy() -> (Project, Run) {
    let (project, run) = prepared();
    let mine = Project::new();
    for folder in ["plans", "runs", "snapshots"] {
        copy(&project.file(folder), &mine.file(folder));
    }
    let path = mine.file("runs").join(&run.id);
    let ended = mine.lockstep(&["runs"]);
    (mine, Run { id: run.id.clone(), path, ended })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be listed").filter_map(Result::ok) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// A static is never dropped, so its folder is removed by hand.
pub fn remove() {
    if let Some((project, _)) = PREPARED.get() {
        let _ = std::fs::remove_dir_all(project.root());
    }
}
