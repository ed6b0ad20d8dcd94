//! Images: built from this binary, pulled by digest, refused when they are others; and the end of orphans.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptionsBuilder,
};
use lockstep::launch::{
    Error, Fate, ImageArchive, ImageStore, Marker, ModelMount, OrphanKind, PullProgress, ResolvedImage, SelfImage,
    Supervisor, build_self_image, create_body, ensure_image, local_image, prune_self_images, start, sweep,
};
use lockstep::plan::{ImagePin, Launcher};
use lockstep::terms::Digest;

use crate::lanes::expect;
use crate::registry::Registry;
use crate::{Bench, Test, ask_engine, block_on, lane};

pub const TESTS: &[Test] = &[
    ("the_same_binary_gives_the_same_image_loaded_once", self_image_is_stable),
    ("old_self_images_are_cleared_away_and_others_stay", prune),
    ("a_container_of_another_image_is_refused_and_removed", wrong_image),
    ("an_image_is_pulled_by_digest_and_once", pull_by_digest),
    ("an_image_without_a_lock_is_fixed_by_its_id", image_without_lock),
    ("containers_of_dead_supervisors_are_swept_and_no_others", sweep_containers),
];

/// A folder that stands for a model and that anyone may read.
pub fn model_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder is made");
    let weights = folder.path().join("weights");
    std::fs::write(&weights, "the model's weights\n").expect("a file is written");
    for (path, mode) in [(folder.path(), 0o755), (&weights, 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions are set");
    }
    folder
}

/// A second image: of a copy of this binary that differs by one byte at its end.
struct OtherImage<'a> {
    bench: &'a Bench,
    image: SelfImage,
}

impl<'a> OtherImage<'a> {
    async fn build(bench: &'a Bench, mark: &[u8]) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("other");
        let mut bytes = std::fs::read(&bench.executable).map_err(|error| error.to_string())?;
        bytes.extend_from_slice(mark);
        std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
        let image = build_self_image(&bench.engine, &path).await.map_err(|error| error.to_string())?;
        Ok(Self { bench, image })
    }

    async fn remove(self) -> Result<(), String> {
        let removed = prune_self_images(&self.bench.engine, |name| name != self.image.reference).await;
        expect("images removed", removed.map_err(|error| error.to_string())?, vec![self.image.reference])
    }
}

fn self_image_is_stable(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let again = build_self_image(&bench.engine, &bench.executable).await.map_err(|error| error.to_string())?;
        expect("loaded again", again.reused, true)?;
        expect("image", SelfImage { reused: bench.image.reused, ..again }, bench.image.clone())?;
        let meant = match bench.engine.store() {
            ImageStore::GraphDriver => bench.image.config,
            ImageStore::Containerd => bench.image.manifest,
        };
        expect("the engine's id", bench.image.id, meant)?;
        let inspect = ask_engine().inspect_image(&bench.image.reference).await.map_err(|error| error.to_string())?;
        expect("the id that the engine gives", inspect.id, Some(meant.to_string()))?;
        let layers = inspect.root_fs.and_then(|layers| layers.layers).unwrap_or_default();
        expect("layers", layers, bench.image.diff_ids.iter().map(Digest::to_string).collect())
    })
}

fn prune(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let other = OtherImage::build(bench, b"prune").await?;
        expect("loaded", other.image.reused, false)?;
        other.remove().await?;
        ask_engine().inspect_image(&bench.image.reference).await.map(drop).map_err(|error| error.to_string())
    })
}

fn wrong_image(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let other = OtherImage::build(bench, b"wrong image").await?;
        // What a lock names, and what somebody put in its place.
        let swapped = ResolvedImage { id: other.image.id, expected: bench.image.resolved().expected };
        let lane = lane("");
        let refused = start(&bench.request(&lane, "wrong-image", &swapped), Some(&bench.engine)).await;
        match refused {
            Err(error @ Error::WrongImage { .. }) => {
                let text = error.to_string();
                expect("kind", (error.is_wrong_image(), error.is_refusal()), (true, true))?;
                expect("it names what differs", text.contains("diff_ids"), true)?;
                expect("it names what was found", text.contains(&other.image.diff_ids[1].to_string()), true)?;
                expect("it names what was locked", text.contains(&bench.image.diff_ids[1].to_string()), true)?;
            }
            other => return Err(format!("another image was taken: {other:?}")),
        }
        expect("containers left", labelled("wrong-image").await?, Vec::<String>::new())?;
        other.remove().await
    })
}

/// Ids of the containers of a run.
pub async fn labelled(run: &str) -> Result<Vec<String>, String> {
    let filters = std::collections::HashMap::from([("label", vec![format!("org.lockstep.run={run}")])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = ask_engine().list_containers(Some(options)).await.map_err(|error| error.to_string())?;
    Ok(listed.into_iter().filter_map(|container| container.id).collect())
}

fn pull_by_digest(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let archive = ImageArchive::of(Path::new("/bin/sh")).map_err(|error| error.to_string())?;
        let registry = Registry::serve(&archive);
        let pin = ImagePin {
            reference: registry.reference(),
            platform: "linux/amd64".into(),
            index: None,
            manifest: archive.manifest,
            config: archive.config,
            diff_ids: archive.diff_ids.clone(),
        };
        let lying = ImagePin { config: Digest::of(b"another"), diff_ids: vec![Digest::of(b"x")], ..pin.clone() };
        let refused = ensure_image(&bench.engine, &lying, drop).await;
        expect("a pin that names other layers", matches!(refused, Err(Error::WrongImage { .. })), true)?;
        let mut news: Vec<PullProgress> = Vec::new();
        let pulled = ensure_image(&bench.engine, &pin, |progress| news.push(progress)).await;
        let pulled = pulled.map_err(|error| error.to_string())?;
        expect("news of an image that is there by now", news.len(), 0)?;
        remove_image(&pulled.id).await?;
        let pulled = ensure_image(&bench.engine, &pin, |progress| news.push(progress)).await;
        let pulled = pulled.map_err(|error| error.to_string())?;
        expect("news of a pull", news.iter().any(|progress| progress.status.contains("Pull complete")), true)?;
        expect("id", [archive.config, archive.manifest].contains(&pulled.id), true)?;
        remove_image(&pulled.id).await?;
        let unknown = ImagePin { manifest: Digest::of(b"nowhere"), ..pin };
        let refused = ensure_image(&bench.engine, &unknown, drop).await;
        expect("a manifest that is nowhere", matches!(refused, Err(Error::Engine { .. })), true)
    })
}

async fn remove_image(id: &Digest) -> Result<(), String> {
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let removed = ask_engine().remove_image(&id.to_string(), Some(options), None).await;
    removed.map(drop).map_err(|error| error.to_string())
}

fn image_without_lock(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let resolved = local_image(&bench.engine, &bench.image.reference).await.map_err(|error| error.to_string())?;
        expect("id", resolved.id, bench.image.id)?;
        expect("layers", resolved.expected.diff_ids, bench.image.diff_ids.clone())?;
        let absent = local_image(&bench.engine, "lockstep/self:no-such-tag").await;
        expect("a name that is nowhere", matches!(absent, Err(Error::Absent { .. })), true)
    })
}

/// A container that carries the marks of `supervisor`, created and not started.
async fn marked(bench: &Bench, supervisor: Supervisor) -> Result<String, String> {
    let lane = lane("");
    let Launcher::Docker(docker) = &lane.launcher else { return Err("no container lane".into()) };
    let marker = Marker { run: "sweep".into(), lane: lane.name.clone(), launch: 1, supervisor };
    let model = ModelMount { source: bench.model_dir.display().to_string(), target: "/model".into() };
    let body = create_body(&lane, docker, &bench.image.id.to_string(), &[model], &marker);
    let created = ask_engine().create_container(None::<CreateContainerOptions>, body).await;
    created.map(|created| created.id).map_err(|error| error.to_string())
}

fn sweep_containers(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let here = Supervisor::current().map_err(|error| error.to_string())?;
        let dead = marked(bench, Supervisor { start_ticks: here.start_ticks + 1, ..here.clone() }).await?;
        let before_boot = marked(bench, Supervisor { boot: Some("earlier".into()), ..here.clone() }).await?;
        let alive = marked(bench, here.clone()).await?;
        let elsewhere = Supervisor { boot: Some("other".into()), machine: Some("other".into()), ..here };
        let elsewhere = marked(bench, elsewhere).await?;
        ask_engine()
            .start_container(&dead, None::<bollard::query_parameters::StartContainerOptions>)
            .await
            .map_err(|error| error.to_string())?;
        let report = sweep(Some(&bench.engine)).await.map_err(|error| error.to_string())?;
        let ids = |orphans: &[lockstep::launch::Orphan]| -> Vec<String> {
            let id = |orphan: &lockstep::launch::Orphan| match &orphan.kind {
                OrphanKind::Container { id } => Some(id.clone()),
                OrphanKind::Process { .. } | OrphanKind::Network { .. } => None,
            };
            orphans.iter().filter_map(id).collect()
        };
        let (removed, left) = (ids(&report.removed), ids(&report.left));
        for (what, id, gone) in [
            ("of a dead supervisor", &dead, true),
            ("of an earlier boot", &before_boot, true),
            ("of this process", &alive, false),
            ("of another machine", &elsewhere, false),
        ] {
            expect(what, removed.contains(id), gone)?;
            let found = ask_engine().inspect_container(id, None::<InspectContainerOptions>).await.is_ok();
            expect(what, found, !gone)?;
        }
        expect("of another machine, reported", left.contains(&elsewhere), true)?;
        expect("of this process, reported", left.contains(&alive), false)?;
        expect("left alone only what is unknown", report.left.iter().all(|orphan| orphan.fate == Fate::Unknown), true)?;
        expect("failures", (report.failed.len(), report.unlisted.is_none()), (0, true))?;
        for id in [alive, elsewhere] {
            let options = RemoveContainerOptionsBuilder::default().force(true).build();
            ask_engine().remove_container(&id, Some(options)).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}
