//! A lane whose image was built from its lock, run from a bundle on an engine that has never seen that image.

use std::path::PathBuf;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, ListImagesOptionsBuilder, RemoveContainerOptionsBuilder};
use futures_util::StreamExt as _;
use lockstep::terms::{FailureClass, Outcome};
use serde_json::Value;

use crate::block_on;
use crate::daemon::{Daemon, Settings};
use crate::lane_project::{IMAGE, lockstep, settled};
use crate::project::{Ended, PlanText, Project, Started};

/// The base is a root file system and says nothing of what runs in it.
const DOCKERFILE: &str = "ARG BASE\nFROM ${BASE}\nCOPY toy/mark.txt /opt/mark.txt\nENTRYPOINT [\"/lockstep\"]\n";

const LANE: &str = "schema = 1\nname = \"built\"\nlauncher = \"docker\"\nrunner = \"faulty\"\n[docker]\nbuild = \"toy\"\n\
                    command = [\"none\"]\n[input.base]\nkind = \"image\"\nreference = \"127.0.0.1:1/toy/base:1\"\n\
                    argument = \"BASE\"\n[axes]\ncache = \"dynamic\"\ndtype = \"f32\"\n\
                    [limits]\nload_s = 20\nwarmup_s = 20\nmeasure_s = 20\nwall_s = 60\ngrace_s = 0.5\n";

/// The file tree that no image has.
const NO_TREE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// The files of the scripted runner's image, as one archive.
async fn root_file_system(daemon: &Daemon) -> Vec<u8> {
    let client = daemon.client_within().await;
    let body = ContainerCreateBody { image: Some(IMAGE.to_owned()), ..Default::default() };
    let created = client.create_container(None::<CreateContainerOptions>, body).await.expect("a container is made");
    let mut archive = Vec::new();
    let mut chunks = std::pin::pin!(client.export_container(&created.id));
    while let Some(chunk) = chunks.next().await {
        archive.extend_from_slice(&chunk.expect("the daemon gives its files"));
    }
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    client.remove_container(&created.id, Some(options)).await.expect("the container goes");
    archive
}

fn images(daemon: &Daemon) -> Vec<String> {
    let options = ListImagesOptionsBuilder::default().all(true).build();
    let listed = block_on(daemon.client().list_images(Some(options))).expect("the daemon answers");
    listed.into_iter().flat_map(|image| [image.repo_tags, vec![image.id]].concat()).collect()
}

/// Where a project keeps what it read of built images: a file for each, whose text is the tree.
fn trees(project: &Project) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project.file("runs/.trees")).into_iter().flatten();
    entries.map(|entry| entry.expect("a folder can be listed").path()).collect()
}

/// The project in which the lane is locked and built; with the tree that the build gave.
fn author(daemon: &Daemon) -> (Project, String) {
    let project = Project::new();
    project.write("containers/toy/Dockerfile", DOCKERFILE);
    project.write("containers/toy/mark.txt", "built\n");
    project.write("lanes/built.toml", LANE);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("contained", &["built"]) });
    project.write("base.tar", block_on(root_file_system(daemon)));
    lockstep(&project, daemon, &["lock", "built"]).exits(3).prints(&["written"]);
    lockstep(&project, daemon, &["image", "import", "built", "base", "base.tar"]).exits(0);
    let built = lockstep(&project, daemon, &["image", "build", "built", "--format", "json"]);
    let tree = built.exits(0).json()["tree"].as_str().expect("a build has a tree").to_owned();
    (project, tree)
}

/// The bundle, and the list of what it holds.
fn bundle(project: &Project, daemon: &Daemon, name: &str) -> (PathBuf, Value) {
    let written = lockstep(project, daemon, &["bundle", "contained", "-o", name, "--format", "json"]);
    (project.file(name), written.exits(0).json())
}

/// The run of the bundle where there is no network but that daemon's socket.
fn run_alone(project: &Project, daemon: &Daemon, file: &std::path::Path) -> Ended {
    let file = file.to_string_lossy();
    let words = ["--net", env!("CARGO_BIN_EXE_lockstep"), "run", "--bundle", &file];
    let mut command = project.command_of("unshare".as_ref(), &words);
    command.env("DOCKER_HOST", daemon.host());
    Started::of(command).finish()
}

pub fn built(daemon: &Daemon) {
    let (author, tree) = author(daemon);
    let (file, list) = bundle(&author, daemon, "built.bundle");
    let image = &list["lanes"][0]["image"];
    let name = image["reference"].as_str().expect("the bundle holds the image").to_owned();

    let elsewhere = Daemon::start(Settings::default()).expect("a daemon started before");
    assert_eq!(images(&elsewhere), Vec::<String>::new(), "this engine is new");
    let reviewer = Project::new();
    let (run, ledger) = settled(&reviewer, &elsewhere, run_alone(&reviewer, &elsewhere, &file));
    run.exits(0).ended.tells(&["no image was pulled"]);
    assert_eq!(ledger.outcomes("built"), [(Outcome::Ok, 6)].into(), "{:?}", run.ended);
    let header = ledger.journal.segments().next().expect("a run has a segment").header;
    let lane = &header.lanes[0];
    assert_eq!(lane.observed.get("image").map(String::as_str), image["config"].as_str(), "{lane:?}");
    assert!(images(&elsewhere).contains(&name), "{:?}", images(&elsewhere));
    // It was known by its files, which this engine was asked for.
    let read: Vec<String> = trees(&reviewer).iter().map(|path| std::fs::read_to_string(path).expect("text")).collect();
    assert_eq!(read, [format!("{tree}\n")]);

    // An author whose lock names other files than the image has is believed by nobody.
    for known in trees(&author) {
        std::fs::write(known, NO_TREE).expect("what was remembered can be changed");
    }
    let lock = author.read("lockfiles/built.lock");
    author.write("lockfiles/built.lock", lock.replace(&tree, NO_TREE));
    let (file, _) = bundle(&author, daemon, "false.bundle");
    let reviewer = Project::new();
    let (run, ledger) = settled(&reviewer, &elsewhere, run_alone(&reviewer, &elsewhere, &file));
    run.ended.exits(3);
    for row in ledger.rows_of("built") {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert_eq!((row.outcome, failure.class), (Outcome::Refused, FailureClass::Preflight), "{failure:?}");
        let words = format!("has the file tree {tree}, and the lock beside it says {NO_TREE}");
        assert!(failure.message.contains(&words), "{failure:?}");
    }
}
