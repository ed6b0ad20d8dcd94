//! An image that is built from a lock: twice the same stack although no two builds have the same id.

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use serde_json::Value;

use super::Outcome;
use super::images::{Family, Image, Pusher};
use super::moved::Project;

const DOCKERFILE: &str = "ARG BASE\nFROM ${BASE}\nARG COLOUR\nCOPY toy/hello.txt /opt/hello.txt\nCOPY runner /opt/runner\n\
                          LABEL colour=${COLOUR}\n";

pub async fn two_builds_of_one_lock_are_one_stack(docker: &Docker, host: &str) -> Outcome {
    let base = Image::new(Family::Oci, "linux/amd64", "base");
    Pusher::new(host, "toy/base", None)?.image(&base, Some("1")).await?;
    let folder = tempfile::tempdir()?;
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder.path())).and_then(|()| std::fs::write(path, text))
    };
    write("containers/toy/Dockerfile", DOCKERFILE)?;
    write("containers/toy/hello.txt", "hello\n")?;
    write("containers/runner/run.py", "pass\n")?;
    let lane = format!(
        "schema = 1\nname = \"toy-built\"\nlauncher = \"docker\"\nrunner = \"native\"\n[docker]\nbuild = \"toy\"\n\
         files = \"runner\"\narguments = {{ COLOUR = \"red\" }}\n[input.base]\nkind = \"image\"\n\
         reference = \"{host}/toy/base:1\"\nargument = \"BASE\"\n"
    );
    write("lanes/toy-built.toml", &lane)?;
    let project = Project { folder: folder.path() };
    let build = || -> Result<Value, String> {
        let (code, text) = project.lockstep(&["image", "build", "toy-built", "--format", "json"])?;
        let mut values = serde_json::Deserializer::from_str(&text).into_iter();
        let json = values.next().filter(|_| code == 0).ok_or_else(|| format!("exit {code}: {text}"))?;
        json.map_err(|error| format!("{error}: {text}"))
    };

    project.expect(&["lock", "toy-built"], 0, &["written"])?;
    // Before it is built there is nothing to run.
    project.expect(&["preflight", "toy-built"], 3, &["run `lockstep image build toy-built`"])?;
    let first = build()?;
    remove(docker, &first).await?;
    let second = build()?;
    assert_eq!(first["tree"], second["tree"]);
    assert_ne!(first["id"], second["id"], "an id holds the time of the build");
    project.expect(&["lock", "toy-built"], 0, &["unchanged"])?;

    let lock = std::fs::read_to_string(folder.path().join("lockfiles/toy-built.lock"))?;
    let tree = second["tree"].as_str().unwrap_or_default();
    write("lockfiles/toy-built.lock", &lock.replace(tree, &format!("sha256:{}", "0".repeat(64))))?;
    project.expect(
        &["image", "build", "toy-built"],
        3,
        &["this is another stack than the one that was built before"],
    )?;

    write("containers/toy/hello.txt", "changed\n")?;
    project.expect(&["image", "build", "toy-built"], 2, &["toy/hello.txt (from "])?;
    project.expect(&["lock", "toy-built"], 0, &["written"])?;
    let third = build()?;
    assert_ne!(third["tree"], second["tree"]);
    for built in [&second, &third] {
        remove(docker, built).await?;
    }
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let pulled = format!("{host}/toy/base@{}", base.manifest.digest());
    docker.remove_image(&pulled, Some(options), None).await?;
    Ok(())
}

async fn remove(docker: &Docker, built: &Value) -> Result<(), String> {
    let reference = built["reference"].as_str().unwrap_or_default();
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let removed = docker.remove_image(reference, Some(options), None).await;
    removed.map(drop).map_err(|error| format!("removing {reference}: {error}"))
}
