//! Other people's containers, images and networks.

use std::collections::{BTreeSet, HashMap};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    ListNetworksOptions, StartContainerOptions, TagImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use lockstep::launch::{Engine, Marker, Supervisor, build_self_image};

use crate::block_on;
use crate::daemon::{Daemon, Settings};
use crate::lane_project::{ContainerLane, IMAGE, load, lockstep, settled};
use crate::project::{PlanText, Project, faulty_runner};

/// Everything that an engine holds, by name.
#[derive(Debug, PartialEq)]
struct Inventory {
    running: BTreeSet<String>,
    containers: BTreeSet<String>,
    images: BTreeSet<String>,
    networks: BTreeSet<String>,
}

async fn inventory(client: &Docker) -> Inventory {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let containers = client.list_containers(Some(options)).await.expect("the daemon answers");
    let options = ListImagesOptionsBuilder::default().build();
    let images = client.list_images(Some(options)).await.expect("the daemon answers");
    let networks = client.list_networks(None::<ListNetworksOptions>).await.expect("the daemon answers");
    let is_running = |state: &bollard::models::ContainerSummaryStateEnum| state.to_string() == "running";
    Inventory {
        running: containers.iter().filter(|c| c.state.as_ref().is_some_and(is_running)).flat_map(names).collect(),
        containers: containers.iter().flat_map(names).collect(),
        images: images.into_iter().flat_map(|image| [image.repo_tags, vec![image.id]].concat()).collect(),
        networks: networks.into_iter().filter_map(|network| network.name).collect(),
    }
}

fn names(container: &bollard::models::ContainerSummary) -> Vec<String> {
    container.names.clone().unwrap_or_default()
}

async fn container(client: &Docker, name: &str, labels: HashMap<String, String>, running: bool) {
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        // Reads its input, which never ends.
        cmd: Some(vec!["no-greeting".to_owned()]),
        open_stdin: Some(true),
        labels: Some(labels),
        network_disabled: Some(true),
        ..Default::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    client.create_container(Some(options), body).await.expect("a container is made");
    if running {
        client.start_container(name, None::<StartContainerOptions>).await.expect("it starts");
    }
}

/// What others may have, some of it close to what is ours.
async fn foreign(client: &Docker) {
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    container(client, "database", labels(&[("org.example.kind", "database")]), true).await;
    container(client, "finished", labels(&[]), false).await;
    let half = [("org.lockstep.run", "20260101-a"), ("org.lockstep.supervisor", "no such mark")];
    container(client, "half-marked", labels(&half), true).await;
    for (repository, tag) in [
        ("somebody/else", "1"),
        ("lockstep-lane", "by-hand"),
        ("lockstep/selfmade", "1"),
        ("lockstep/bundle", "theirs"),
        ("lockstep/bundle", "0123456789ab"),
    ] {
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        client.tag_image(IMAGE, Some(options)).await.expect("an image gets a name");
    }
    let network = NetworkCreateRequest {
        name: "backend".to_owned(),
        driver: Some("bridge".to_owned()),
        internal: Some(true),
        ..Default::default()
    };
    client.create_network(network).await.expect("a network is made");
    nameless(client, "LABEL org.example.stage=1").await;
    // As a bundle calls an image that its lane pulled: by its own digest.
    let pulled = nameless(client, "LABEL org.example.pulled=1").await;
    let options =
        TagImageOptionsBuilder::default().repo("lockstep/bundle").tag(&pulled["sha256:".len()..][..12]).build();
    client.tag_image(&pulled, Some(options)).await.expect("an image gets a name");
}

/// An image of nothing, without a name; its id.
async fn nameless(client: &Docker, changes: &str) -> String {
    let options = CreateImageOptionsBuilder::default().from_src("-").changes(vec![changes.to_owned()]).build();
    let empty = tar::Builder::new(Vec::new()).into_inner().expect("an empty archive");
    let mut messages = client.create_image(Some(options), Some(bollard::body_full(empty.into())), None);
    let mut id = None;
    while let Some(message) = messages.next().await {
        id = message.expect("the engine takes an empty archive").status.or(id);
    }
    id.expect("the engine says the image's id")
}

/// A lane's container, and one that reads an image, of a supervisor that is gone: its process id was given to another process.
async fn orphans(client: &Docker) {
    let here = Supervisor::current().expect("this process is in /proc");
    let supervisor = Supervisor { start_ticks: here.start_ticks + 1, ..here };
    let marker = Marker { run: "20260101-b".into(), lane: "gone".into(), launch: 3, supervisor };
    container(client, "orphan", marker.labels(), true).await;
    container(client, "reader", marker.supervisor.labels(), false).await;
}

/// The device of the host's own engine, if it has one.
fn of_the_host() -> bool {
    std::path::Path::new("/sys/class/net/docker0").exists()
}

pub fn left_alone(_: &Daemon) {
    let had_device = of_the_host();
    let daemon = Daemon::start(Settings::default()).expect("a daemon started before");
    assert_eq!(of_the_host(), had_device, "a test's daemon took the host's network away");
    load(&daemon);
    let before = block_on(async {
        let client = daemon.client_within().await;
        foreign(&client).await;
        inventory(&client).await
    });
    let names = before.images.iter().filter(|name| !name.starts_with("sha256:") && !name.starts_with("<none>"));
    assert_eq!((before.running.len(), before.containers.len(), names.count()), (2, 3, 7), "{before:?}");

    let project = Project::new();
    ContainerLane::new("ours", "none").write(&project, IMAGE);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("one", &["ours"]) });
    settled(&project, &daemon, lockstep(&project, &daemon, &["run", "one", "--unlocked"])).0.exits(0);
    let after_run = block_on(async { inventory(&daemon.client_within().await).await });
    assert_eq!(after_run, before, "a run leaves the engine as it was");

    let (own, stage) = block_on(async {
        let client = daemon.client_within().await;
        orphans(&client).await;
        let stage = nameless(&client, "LABEL org.lockstep.lane=built").await;
        let engine = Engine::connect(Some(&daemon.host())).await.expect("the daemon answers");
        let runner = faulty_runner().expect("the test is not run without it");
        (build_self_image(&engine, &runner).await.expect("an image of ours is loaded").reference, stage)
    });
    let cleaned = lockstep(&project, &daemon, &["clean", "--images"]);
    cleaned.exits(0).prints(&[" of lane gone, launch 3, run 20260101-b", &format!("removed image {own}")]);
    cleaned.prints(&[" of no lane", &format!("removed image {stage}")]);
    cleaned.prints(&["not looked at or not removed: image lockstep/bundle:", "it carries no label of lockstep's"]);
    assert_eq!(cleaned.stdout.lines().count(), 5, "it says what it removed and left, and nothing else: {cleaned:?}");
    let after_clean = block_on(async { inventory(&daemon.client_within().await).await });
    assert_eq!(after_clean, before);
    lockstep(&project, &daemon, &["clean", "--images"]).exits(0).prints(&["nothing was left behind"]);
}
