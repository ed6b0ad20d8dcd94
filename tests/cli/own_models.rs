//! Models that lanes bring themselves: held to the lock wherever they are used, and part of a bundle.

use lockstep::lock::model_input_digest;

use crate::project::{PlanText, Project};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("a_lane_s_own_model_is_held_to_its_lock_and_goes_into_bundles", Needs::Nothing, held),
    Named("a_target_is_for_containers_and_below_model_and_words_say_how_a_model_is_come_by", Needs::Nothing, places),
];

/// A lane of the built-in engine with a model of its own.
fn lane(rest: &str) -> String {
    let native = include_str!("../../lanes/native.toml").replace("name = \"native\"", "name = \"mine\"");
    format!("{native}\n[input.weights]\nkind = \"model\"\npath = \"own/weights\"\n{rest}")
}

fn held() {
    let project = Project::new();
    project.write("lanes/mine.toml", lane(""));
    project.plan(&PlanText::new("tiny", &["mine"]));
    project.lockstep(&["lock", "mine"]).exits(3).prints(&["the project holds no model own/weights", "put it at"]);

    project.write("own/weights/a.bin", "one");
    project.write("own/weights/b.bin", "more");
    project.lockstep(&["lock", "mine"]).exits(0).prints(&["written"]);
    project.lockstep(&["lock", "mine", "--check"]).exits(0);
    let locked = model_input_digest(&project.file("own/weights")).expect("it can be read").to_string();
    assert!(project.read("lockfiles/mine.lock").contains(&locked));

    let file = project.file("tiny.bundle").display().to_string();
    let list = project.lockstep(&["bundle", "tiny", "-o", &file, "--format", "json"]);
    let list = list.exits(0).json();
    let has = |path: &str| list["files"].as_array().into_iter().flatten().any(|file| file["path"] == path);
    assert!(has("models/.own/own/weights/a.bin") && has("models/.own/own/weights/b.bin"), "{list:#}");
    let reviewer = Project::new();
    let ran = reviewer.lockstep(&["run", "--bundle", &file]);
    // Others on the host may leave the run inconclusive.
    assert!(matches!(ran.status.code(), Some(0 | 5)), "{ran:?}");
    assert!(!reviewer.file("own").exists());

    project.write("own/weights/b.bin", "changed");
    let words = ["input `weights`", "and the lock says", &locked];
    project.lockstep(&["lock", "mine", "--check"]).exits(1).prints(&words);
    project.run(&["run", "tiny"]).exits(3).ended.tells(&words);
    project.lockstep(&["bundle", "tiny", "-o", &file]).exits(2).tells(&words);

    std::fs::remove_dir_all(project.file("own")).expect("the model can be removed");
    project.lockstep(&["lock", "mine", "--check"]).exits(1).prints(&["is not there"]);
    project.lockstep(&["lane", "mine", "--plan", "tiny"]).exits(3).prints(&["model: ", "is not there"]);
    project.run(&["run", "tiny"]).exits(3).ended.tells(&["is not there"]);
}

fn places() {
    let project = Project::new();
    project.write("lanes/mine.toml", lane("target = \"/model/weights\"\n"));
    project.lockstep(&["lock", "mine"]).exits(2).tells(&["input.weights", "the lane is a process"]);
    project.write("lanes/mine.toml", lane("obtain = \" \"\n"));
    project.lockstep(&["lock", "mine"]).exits(2).tells(&["input.weights.obtain", "is empty"]);
    project.write("lanes/mine.toml", lane("obtain = \"ask its owner\"\n"));
    project.lockstep(&["lock", "mine"]).exits(3).prints(&["ask its owner, put it at own/weights below"]);
    for wrong in ["/models/weights", "/model/../etc", "weights"] {
        project.write("lanes/mine.toml", lane(&format!("target = {wrong:?}\n")));
        project.lockstep(&["lock", "mine"]).exits(2).tells(&["input.weights.target", "below `/model`"]);
    }
}
