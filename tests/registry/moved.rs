//! A lane whose tag moves: push, lock, run by digest, move the tag, run the same digest, see what a re-lock would change.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use lockstep::launch::ImageArchive;
use lockstep::terms::Digest;

use super::Outcome;
use super::images::{Family, Image, Pusher};

/// What the lane's container runs: the scripted runner with its libraries, as one image.
pub fn scripted_runner() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let built = own.ancestors().nth(2).map(|profile| profile.join("examples/faulty_runner"));
    built.filter(|path| path.is_file()).ok_or_else(|| "the example faulty_runner is not built".to_owned())
}

/// A project folder, and the real executable in it.
pub struct Project<'a> {
    pub folder: &'a Path,
}

impl Project<'_> {
    pub fn lockstep(&self, arguments: &[&str]) -> Result<(i32, String), String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command.args(arguments).current_dir(self.folder).stdin(Stdio::null()).env_remove("LOCKSTEP_PROJECT");
        let Output { status, stdout, stderr } = command.output().map_err(|error| error.to_string())?;
        let text = format!("{}\n{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Ok((status.code().unwrap_or(-1), text))
    }

    pub fn expect(&self, arguments: &[&str], code: i32, words: &[&str]) -> Result<String, String> {
        let (found, text) = self.lockstep(arguments)?;
        match words.iter().find(|word| !text.contains(**word)) {
            None if found == code => Ok(text),
            missing => Err(format!("{arguments:?}: exit {found}, expected {code}; missing {missing:?} in:\n{text}")),
        }
    }

    /// The lane starts, and this is the image that the engine says it runs.
    fn runs(&self, config: Digest) -> Result<(), String> {
        let config = config.to_string();
        self.expect(&["preflight", "moving", "--format", "json"], 0, &[&config]).map(drop)
    }
}

pub async fn a_lane_runs_the_locked_digest(docker: &Docker, host: &str, runner: &Path) -> Outcome {
    let archive = ImageArchive::of(runner)?;
    let pusher = Pusher::new(host, "lanes/moving", None)?;
    let manifest = pusher.archive(&archive).await?;
    pusher.document(&manifest, "1").await?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir_all(folder.path().join("lanes"))?;
    let lane = format!(
        "schema = 1\nname = \"moving\"\nlauncher = \"docker\"\nrunner = \"faulty\"\n[docker]\n\
         image = \"{host}/lanes/moving:1\"\ncommand = [\"none\"]\n[limits]\nload_s = 60\n"
    );
    std::fs::write(folder.path().join("lanes/moving.toml"), lane)?;
    let project = Project { folder: folder.path() };

    project.expect(&["lock", "moving"], 0, &["written"])?;
    project.runs(archive.config)?;

    let other = Image::new(Family::Oci, "linux/amd64", "another");
    pusher.image(&other, Some("1")).await?;
    project.expect(&["lock", "moving", "--check"], 0, &["moving: unchanged"])?;
    let moved = format!("input.image.content.manifest: {} -> {}", manifest.digest(), other.manifest.digest());
    let config = format!("input.image.content.config: {} -> {}", archive.config, other.config);
    project.expect(&["lock", "moving", "--diff"], 1, &["moving: differs", &moved, &config])?;
    project.runs(archive.config)?;

    // Nothing of it left in the engine: it is pulled again, by its digest and not by its tag.
    remove(docker, archive.config).await?;
    project.runs(archive.config)?;
    remove(docker, archive.config).await?;
    project.expect(&["lock", "moving"], 0, &["written"])?;
    project.expect(&["lock", "moving", "--diff"], 0, &["moving: unchanged"])?;
    Ok(())
}

pub async fn remove(docker: &Docker, config: Digest) -> Result<(), String> {
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let removed = docker.remove_image(&config.to_string(), Some(options), None).await;
    removed.map(drop).map_err(|error| format!("removing the image: {error}"))
}
