//! A lane whose image came from a registry, run from a bundle when the registry is gone.

use std::path::Path;

use bollard::Docker;
use lockstep::journal::read_file;
use lockstep::launch::{ImageArchive, ImageStore};

use super::images::Pusher;
use super::moved::{Project, remove};
use super::server::Server;
use super::texts::PlanText;
use super::{Outcome, engine};

/// Push, lock, bundle; then the registry ends, the engine loses the image, and the run takes it from the bundle.
pub async fn a_bundle_outlives_its_registry(docker: &Docker, server: Server, runner: &Path) -> Outcome {
    let host = server.address.to_string();
    let folder = tempfile::tempdir()?;
    // An image of this run's own, which the engine cannot have of another: it has to be pulled to be packed.
    let mine = folder.path().join("faulty_runner");
    std::fs::write(&mine, [std::fs::read(runner)?, folder.path().as_os_str().as_encoded_bytes().to_vec()].concat())?;
    let archive = ImageArchive::of(&mine)?;
    let pusher = Pusher::new(&host, "lanes/bundled", None)?;
    let manifest = pusher.archive(&archive).await?;
    pusher.document(&manifest, "1").await?;
    let author = Project { folder: folder.path() };
    for name in ["lanes", "plans"] {
        std::fs::create_dir_all(folder.path().join(name))?;
    }
    let lane = format!(
        "schema = 1\nname = \"bundled\"\nlauncher = \"docker\"\nrunner = \"faulty\"\n[docker]\n\
         image = \"{host}/lanes/bundled:1\"\ncommand = [\"none\"]\n[axes]\ncache = \"dynamic\"\ndtype = \"f32\"\n\
         [limits]\nload_s = 60\nmeasure_s = 60\n"
    );
    std::fs::write(folder.path().join("lanes/bundled.toml"), lane)?;
    std::fs::write(folder.path().join("plans/alone.toml"), PlanText::new("alone", &["bundled"]).text())?;
    author.expect(&["lock", "bundled"], 0, &["written"])?;
    let config = archive.config.to_string();
    author.expect(
        &["bundle", "alone", "-o", "alone.bundle"],
        0,
        &["wrote alone.bundle", &config, ": Pulling from lanes/bundled", ": Pull complete"],
    )?;

    drop(server);
    remove(docker, archive.config).await?;
    let other = tempfile::tempdir()?;
    let reviewer = Project { folder: other.path() };
    let file = folder.path().join("alone.bundle").display().to_string();
    let (code, said) = reviewer.lockstep(&["run", "--bundle", &file])?;
    let loaded = engine::image_of_bundle(docker, archive.config).await;
    // Others on the host may leave the run inconclusive.
    if !matches!(code, 0 | 5) || !said.contains("no image was pulled") {
        return Err(format!("exit {code}:\n{said}").into());
    }
    loaded?;
    let run = std::fs::read_dir(other.path().join("runs"))?.filter_map(Result::ok).map(|entry| entry.path());
    let run = run.into_iter().find(|path| path.join("journal.jsonl").is_file()).ok_or("no run was made")?;
    let journal = read_file(&run.join("journal.jsonl"))?;
    let header = journal.segments().next().ok_or("the run has no segment")?.header;
    let found = header.lanes.first().and_then(|lane| lane.observed.get("image")).cloned();
    let classic = lockstep::launch::Engine::connect(None).await?.store() == ImageStore::GraphDriver;
    if classic && found.as_deref() != Some(config.as_str()) {
        return Err(format!("the container ran {found:?}, and {config} was bundled").into());
    }
    if !journal.rows().any(|(_, row)| row.outcome == lockstep::terms::Outcome::Ok) {
        return Err(format!("no row is ok:\n{said}").into());
    }
    Ok(())
}
