//! A project whose lanes run the scripted runner in containers of a private engine.

use std::ffi::OsStr;

use bollard::query_parameters::{
    ImportImageOptionsBuilder, ListContainersOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use lockstep::journal::read_file;
use lockstep::launch::ImageArchive;

use crate::block_on;
use crate::daemon::Daemon;
use crate::project::{Ended, Ledger, Project, Run, Started, faulty_runner, processes_of};

/// The image of the scripted runner, under a name of its own: nothing that Lockstep would call its own.
pub const IMAGE: &str = "fixture/runner:1";

/// A container lane of the scripted runner.
pub struct ContainerLane {
    pub name: &'static str,
    /// Arguments of `faulty_runner`.
    pub arguments: &'static str,
    /// What else stands in the table `[docker]`.
    pub docker: &'static str,
    /// What else stands in the table `[limits]`.
    pub limits: &'static str,
}

impl ContainerLane {
    pub fn new(name: &'static str, arguments: &'static str) -> Self {
        Self { name, arguments, docker: "", limits: "" }
    }

    pub fn text(&self, image: &str) -> String {
        let Self { name, arguments, docker, limits } = self;
        let words: Vec<String> = arguments.split(' ').map(|word| format!("{word:?}")).collect();
        let mut text = format!(
            "schema = 1\nname = \"{name}\"\nlauncher = \"docker\"\nrunner = \"faulty\"\n[docker]\nimage = \"{image}\"\n\
             command = [{}]\n{docker}\n[axes]\ncache = \"dynamic\"\ndtype = \"f32\"\n[limits]\n{limits}\n",
            words.join(", ")
        );
        for (limit, seconds) in
            [("load_s", 20.0), ("warmup_s", 20.0), ("measure_s", 20.0), ("wall_s", 60.0), ("grace_s", 0.5)]
        {
            if !limits.contains(limit) {
                text.push_str(&format!("{limit} = {seconds:?}\n"));
            }
        }
        text
    }

    pub fn write(&self, project: &Project, image: &str) {
        project.write(&format!("lanes/{}.toml", self.name), self.text(image));
    }
}

/// The archive of the scripted runner's image.
pub fn archive() -> ImageArchive {
    let runner = faulty_runner().expect("the test is not run without it");
    ImageArchive::of(&runner).expect("the scripted runner can be put into an image")
}

/// Loads the scripted runner's image under [`IMAGE`] alone.
pub fn load(daemon: &Daemon) {
    let (archive, client) = (archive(), daemon.client());
    let mut bytes = Vec::new();
    archive.write_to(&mut bytes).expect("an archive is written");
    block_on(async {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let mut messages = client.import_image(options, bollard::body_full(bytes.into()), None);
        while let Some(message) = messages.next().await {
            message.expect("the engine loads the image");
        }
        let options = TagImageOptionsBuilder::default().repo("fixture/runner").tag("1").build();
        client.tag_image(&archive.reference, Some(options)).await.expect("the image gets a name");
        client.remove_image(&archive.reference, None::<RemoveImageOptions>, None).await.expect("its first name goes");
    });
}

/// The executable with `arguments`, talking to this daemon.
pub fn start<S: AsRef<OsStr>>(project: &Project, daemon: &Daemon, arguments: &[S]) -> Started {
    start_at(project, daemon, &daemon.host(), arguments)
}

/// As [`start`], the daemon reached at another address.
pub fn start_at<S: AsRef<OsStr>>(project: &Project, daemon: &Daemon, host: &str, arguments: &[S]) -> Started {
    let mut command = project.command(arguments);
    command.env("DOCKER_HOST", host).env("PATH", daemon.search_path());
    Started::of(command)
}

pub fn lockstep<S: AsRef<OsStr>>(project: &Project, daemon: &Daemon, arguments: &[S]) -> Ended {
    start(project, daemon, arguments).finish()
}

/// What must hold after every run: each repetition has its row, and of its lanes neither a container nor a process is
/// left.
#[track_caller]
pub fn settled(project: &Project, daemon: &Daemon, ended: Ended) -> (Run, Ledger) {
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    let run = Run::of(project, ended);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete().replaced_what_broke();
    assert_eq!(of_run(daemon, &run.id), Vec::<String>::new(), "containers of {:?}", run.ended);
    assert_eq!(processes_of(&run.id), [], "processes of {:?}", run.ended);
    (run, ledger)
}

/// Rows of the project's run so far.
pub fn rows(project: &Project) -> usize {
    let journal = project.runs().first().map(|run| run.join("journal.jsonl"));
    journal.and_then(|path| read_file(&path).ok()).map_or(0, |journal| journal.rows().count())
}

/// Containers that carry the run's label.
pub fn of_run(daemon: &Daemon, run: &str) -> Vec<String> {
    labelled(daemon, &format!("org.lockstep.run={run}"))
}

pub fn labelled(daemon: &Daemon, label: &str) -> Vec<String> {
    let filters = std::collections::HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = block_on(daemon.client().list_containers(Some(options))).expect("the daemon answers");
    listed.into_iter().filter_map(|container| container.id).collect()
}
