//! Containers and images that somebody else removes.

use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use lockstep::terms::{FailureClass, Outcome};

use crate::block_on;
use crate::daemon::{Daemon, Settings};
use crate::lane_project::{ContainerLane, IMAGE, labelled, load, rows, settled, start};
use crate::project::{PlanText, Project, wait_for};

pub fn container(daemon: &Daemon) {
    let project = Project::new();
    ContainerLane::new("removed", "slow --ms 1000").write(&project, IMAGE);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("removed", &["removed"]) });
    let run = start(&project, daemon, &["run", "removed", "--unlocked"]);
    wait_for("the first row", || (rows(&project) > 0).then_some(()));
    let id = labelled(daemon, "org.lockstep.lane=removed").pop().expect("it has a container");
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    block_on(daemon.client().remove_container(&id, Some(options))).expect("anyone may remove it");
    let (run, ledger) = settled(&project, daemon, run.finish());
    let outcomes = ledger.outcomes("removed");
    assert_eq!(outcomes, [(Outcome::Ok, 5), (Outcome::Crashed, 1)].into(), "{:?}", run.ended);
    let row = ledger.rows().into_iter().find(|row| row.outcome == Outcome::Crashed).expect("it was counted");
    assert_eq!(row.failure.as_ref().map(|failure| failure.class), Some(FailureClass::Died), "{row:?}");
}

pub fn image(_: &Daemon) {
    let daemon = Daemon::start(Settings::default()).expect("a daemon started before");
    load(&daemon);
    let project = Project::new();
    ContainerLane::new("holds", "slow --ms 1000").write(&project, IMAGE);
    ContainerLane::new("loses", "none").write(&project, &other_image(&daemon));
    project.plan(&PlanText { repetitions: 1, same_tokens: false, ..PlanText::new("two", &["holds", "loses"]) });
    let run = start(&project, &daemon, &["run", "two", "--unlocked"]);
    // Once there is a row of the other lane, the lane that uses it was looked at and has no container.
    wait_for("the first launch", || {
        let containers = labelled(&daemon, "org.lockstep.lane=holds");
        (rows(&project) > 0 && !containers.is_empty()).then_some(())
    });
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    block_on(daemon.client().remove_image("fixture/other:1", Some(options), None)).expect("nobody uses it");
    let (run, ledger) = settled(&project, &daemon, run.finish());
    assert_eq!(ledger.outcomes("holds"), [(Outcome::Ok, 6)].into(), "{:?}", run.ended);
    // Which lane came first is drawn.
    let lost: Vec<_> = ledger.rows_of("loses").into_iter().filter(|row| row.outcome != Outcome::Ok).collect();
    assert!(matches!(lost.len(), 4 | 6), "{:?}", ledger.outcomes("loses"));
    for row in lost {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert_eq!((row.outcome, failure.class), (Outcome::Crashed, FailureClass::Launch), "{failure:?}");
        assert!(failure.message.contains("No such image"), "{failure:?}");
    }
}

/// The same runner in an image of another id: one that the engine itself made of a container.
fn other_image(daemon: &Daemon) -> String {
    block_on(async {
        let client = daemon.client_within().await;
        let body = bollard::models::ContainerCreateBody { image: Some(IMAGE.to_owned()), ..Default::default() };
        let created = client.create_container(None::<CreateContainerOptions>, body).await.expect("a container is made");
        let options =
            bollard::query_parameters::CommitContainerOptionsBuilder::default().container(&created.id).build();
        let config = bollard::models::ContainerConfig::default();
        let committed = client.commit_container(options, config).await.expect("an image is made of it");
        let options = TagImageOptionsBuilder::default().repo("fixture/other").tag("1").build();
        client.tag_image(&committed.id, Some(options)).await.expect("it gets a name");
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        client.remove_container(&created.id, Some(options)).await.expect("the container goes");
    });
    "fixture/other:1".to_owned()
}
