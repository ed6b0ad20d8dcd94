//! An image that is built from a lock: twice the same stack although no two builds have the same id.

use std::collections::HashMap;
use std::path::Path;

use bollard::Docker;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use serde_json::Value;

use super::Outcome;
use super::images::{Family, Image, Pusher};
use super::moved::Project;
use super::texts::PlanText;

const DOCKERFILE: &str = "ARG BASE\nFROM ${BASE} AS first\nCOPY toy/hello.txt /hello.txt\nFROM ${BASE}\nARG COLOUR\n\
                          COPY --from=first /hello.txt /opt/hello.txt\nCOPY runner /opt/runner\n\
                          LABEL colour=${COLOUR}\n";

pub async fn two_builds_of_one_lock_are_one_stack(docker: &Docker, host: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    // A base of this run's own, which the engine cannot have of an earlier run: it has to be pulled.
    let base = Image::new(Family::Oci, "linux/amd64", &folder.path().display().to_string());
    Pusher::new(host, "toy/base", None)?.image(&base, Some("1")).await?;
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text);
    lay_out(folder.path(), host)?;
    let project = Project { folder: folder.path() };
    let built_telling = || -> Result<(Value, String), String> {
        let (code, text) = project.lockstep(&["image", "build", "toy-built", "--format", "json"])?;
        let mut values = serde_json::Deserializer::from_str(&text).into_iter();
        let json = values.next().filter(|_| code == 0).ok_or_else(|| format!("exit {code}: {text}"))?;
        json.map_err(|error| format!("{error}: {text}")).map(|json| (json, text))
    };
    let build = || built_telling().map(|(json, _)| json);

    project.expect(&["lock", "toy-built"], 0, &["written"])?;
    // Before it is built there is nothing to run.
    project.expect(&["preflight", "toy-built"], 3, &["run `lockstep image build toy-built`"])?;
    let absent =
        ["image: the engine holds no image lockstep-lane:toy-built-", "to try: run `lockstep image build toy-built`"];
    project.expect(&["lane", "toy-built"], 3, &absent)?;
    let (first, told) = built_telling()?;
    // The base came from the registry, layer by layer, and the steps around it. An engine leaves a state out that a small
    // layer passed too soon, but never the last one.
    if !["Pulling from toy/base", ": Pull complete", "Step 1"].iter().all(|words| told.contains(words)) {
        return Err(format!("the build does not tell how far the pull of its base is:\n{told}").into());
    }
    remove(docker, &first).await?;
    let second = build()?;
    assert_eq!(first["tree"], second["tree"]);
    assert_ne!(first["id"], second["id"], "an id holds the time of the build");
    project.expect(&["lock", "toy-built"], 0, &["unchanged"])?;

    let lock = std::fs::read_to_string(folder.path().join("lockfiles/toy-built.lock"))?;
    let tree = second["tree"].as_str().unwrap_or_default();
    let base = format!("{host}/toy/base@{}", base.manifest.digest());
    taken_for_another(docker, &project, &second, &base).await?;
    let second = build()?;
    assert_eq!(second["tree"], tree);
    docker.inspect_image(&base).await.map_err(|error| format!("the build removed what it did not make: {error}"))?;
    let unsaid: String =
        lock.lines().filter(|line| !line.starts_with("built =")).map(|line| format!("{line}\n")).collect();
    write("lockfiles/toy-built.lock", &unsaid)?;
    project.expect(
        &["preflight", "toy-built"],
        3,
        &["does not say which file tree", "`lockstep image build toy-built`"],
    )?;

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
    remove_stages(docker, "toy-built").await?;
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    docker.remove_image(&base, Some(options), None).await?;
    Ok(())
}

/// A project whose one lane is built from the registry's toy base.
fn lay_out(folder: &Path, host: &str) -> Outcome {
    let lane = format!(
        "schema = 1\nname = \"toy-built\"\nlauncher = \"docker\"\nrunner = \"native\"\n[docker]\nbuild = \"toy\"\n\
         files = \"runner\"\narguments = {{ COLOUR = \"red\" }}\n[input.base]\nkind = \"image\"\n\
         reference = \"{host}/toy/base:1\"\nargument = \"BASE\"\n"
    );
    for (path, text) in [
        ("containers/toy/Dockerfile", DOCKERFILE),
        ("containers/toy/hello.txt", "hello\n"),
        ("containers/runner/run.py", "pass\n"),
        ("lanes/toy-built.toml", &lane),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// An image that somebody else calls as the lane's is neither run nor bundled, whatever was seen under the name before.
async fn taken_for_another(docker: &Docker, project: &Project<'_>, built: &Value, other: &str) -> Outcome {
    let own = project.lockstep(&["preflight", "toy-built"])?.1;
    if own.contains("file tree") {
        return Err(format!("the lane's own image is refused:\n{own}").into());
    }
    let reference = built["reference"].as_str().unwrap_or_default();
    let (repository, tag) = reference.rsplit_once(':').ok_or("a reference without a tag")?;
    let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
    docker.tag_image(other, Some(options)).await?;
    let tree = built["tree"].as_str().unwrap_or_default();
    let words = ["has the file tree sha256:", tree, "run `lockstep image build toy-built`"];
    project.expect(&["preflight", "toy-built"], 3, &words)?;
    let plan = PlanText::new("toy", &["toy-built"]).text();
    std::fs::create_dir_all(project.folder.join("plans"))?;
    std::fs::write(project.folder.join("plans/toy.toml"), plan)?;
    project.expect(&["run", "toy"], 3, &words)?;
    project.expect(&["bundle", "toy", "-o", "toy.bundle"], 2, &words)?;
    Ok(())
}

/// What is left of the first stage of each build has no name, and carries the lane's label.
pub async fn remove_stages(docker: &Docker, lane: &str) -> Outcome {
    let label = format!("org.lockstep.lane={lane}");
    let filters = HashMap::from([("label", vec![label.as_str()]), ("dangling", vec!["true"])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let stages = docker.list_images(Some(options)).await?;
    if stages.is_empty() {
        return Err("no stage of a build carries the label".into());
    }
    for stage in stages {
        let options = RemoveImageOptionsBuilder::default().build();
        docker.remove_image(&stage.id, Some(options), None).await?;
    }
    Ok(())
}

async fn remove(docker: &Docker, built: &Value) -> Result<(), String> {
    let reference = built["reference"].as_str().unwrap_or_default();
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let removed = docker.remove_image(reference, Some(options), None).await;
    removed.map(drop).map_err(|error| format!("removing {reference}: {error}"))
}
