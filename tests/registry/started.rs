//! A lane that is built, brings a model of its own and shows its patch from outside: from its manifest to its rows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use lockstep::journal::read_file;
use lockstep::launch::ImageArchive;
use lockstep::terms::Outcome as Came;

use super::images::Pusher;
use super::moved::Project;
use super::texts::PlanText;
use super::{Outcome, built};

const DOCKERFILE: &str = "ARG BASE\nFROM ${BASE} AS first\nCOPY toy/module.py /module.py\nFROM ${BASE}\n\
                          COPY --from=first /module.py /opt/module.py\n";

pub async fn a_built_lane_with_a_model_of_its_own_is_run(docker: &Docker, host: &str, runner: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    // An image of this test's own: those of the runner as it is come and go with other tests.
    let mine = folder.path().join("faulty_runner");
    std::fs::write(&mine, [std::fs::read(runner)?, b"started".to_vec()].concat())?;
    let archive = ImageArchive::of(&mine)?;
    let pusher = Pusher::new(host, "lanes/started", None)?;
    let manifest = pusher.archive(&archive).await?;
    pusher.document(&manifest, "1").await?;
    let project = Project { folder: folder.path() };
    lay_out(folder.path(), host, "warned = True")?;
    // The container's user is nobody, and reads its model all the same.
    std::fs::set_permissions(folder.path().join("own/weights/a.bin"), std::fs::Permissions::from_mode(0o644))?;

    project.expect(&["lock", "started"], 0, &["written"])?;
    let first = project.expect(&["image", "build", "started"], 0, &["its lock says now what it builds"])?;
    let looked = project.expect(&["preflight", "started", "--plan", "alone", "--format", "json"], 0, &[])?;
    for word in ["container.proof.patch.sha256", "container.proof.weights", "/model/own/a.bin ro bind"] {
        if !looked.contains(word) {
            return Err(format!("{word} is not seen:\n{looked}").into());
        }
    }
    let (code, said) = project.lockstep(&["run", "alone"])?;
    let runs = std::fs::read_dir(folder.path().join("runs"))?.filter_map(Result::ok).map(|entry| entry.path());
    let run = runs.into_iter().find(|path| path.join("journal.jsonl").is_file()).ok_or("no run was made")?;
    let journal = read_file(&run.join("journal.jsonl"))?;
    let rows: Vec<Came> = journal.rows().map(|(_, row)| row.outcome).collect();
    // Others on the host may leave the run inconclusive.
    if !matches!(code, 0 | 5) || rows.is_empty() || rows.iter().any(|outcome| *outcome != Came::Ok) {
        return Err(format!("exit {code}, {rows:?}:\n{said}").into());
    }

    // The same manifest over a file without the patch: built and locked, and refused by what was seen.
    lay_out(folder.path(), host, "warned = False")?;
    project.expect(&["lock", "started"], 0, &["written"])?;
    let second = project.expect(&["image", "build", "started"], 0, &[])?;
    project.expect(&["preflight", "started", "--plan", "alone"], 3, &["container.proof.patch", "seen false"])?;
    for text in [first, second] {
        let name = text.lines().find(|line| line.starts_with("lockstep-lane:")).ok_or("no name of an image")?;
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        docker.remove_image(name.trim(), Some(options), None).await?;
    }
    built::remove_stages(docker, "started").await?;
    super::moved::remove(docker, archive.config).await?;
    Ok(())
}

fn lay_out(folder: &Path, host: &str, module: &str) -> Outcome {
    let lane = format!(
        "schema = 1\nname = \"started\"\nlauncher = \"docker\"\nrunner = \"faulty\"\n[docker]\nbuild = \"toy\"\n\
         command = [\"none\"]\n\
         [[docker.proof]]\nname = \"patch\"\npath = \"/opt/module.py\"\nholds = [\"import os\", \"warned = True\"]\n\
         [[docker.proof]]\nname = \"weights\"\npath = \"/model/own/a.bin\"\nholds = [\"of its own\"]\n\
         [input.base]\nkind = \"image\"\nreference = \"{host}/lanes/started:1\"\nargument = \"BASE\"\n\
         [input.weights]\nkind = \"model\"\npath = \"own/weights\"\ntarget = \"/model/own\"\n\
         [axes]\ncache = \"dynamic\"\ndtype = \"f32\"\n\
         [[gate]]\nstage = \"before_imports\"\nsignal = \"container.proof.patch\"\nequals = true\n\
         [[gate]]\nstage = \"before_imports\"\nsignal = \"container.proof.weights\"\nequals = true\n\
         [limits]\nload_s = 60\nmeasure_s = 60\n"
    );
    let plan = PlanText::new("alone", &["started"]).text();
    let module = format!("import os\n{module}\n");
    for (path, text) in [
        ("containers/toy/Dockerfile", DOCKERFILE),
        ("containers/toy/module.py", &module),
        ("own/weights/a.bin", "weights of its own"),
        ("lanes/started.toml", &lane),
        ("plans/alone.toml", &plan),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}
