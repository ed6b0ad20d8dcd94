//! A supervisor that is killed without warning, and what the next start finds.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use bollard::query_parameters::InspectContainerOptions;
use lockstep::launch::{Engine, LaunchRequest, build_self_image, start, sweep};
use lockstep::plan::Lane;

use crate::images::labelled;
use crate::lanes::expect;
use crate::{Bench, Test, ask_engine, block_on, lane};

/// The argument that makes this binary a supervisor that will be killed.
pub const FLAG: &str = "--be-a-supervisor";

pub const TESTS: &[Test] = &[("nothing_of_a_killed_supervisors_lanes_is_left_after_the_next_sweep", killed)];

/// Starts a container lane and a process lane that both outlive it, says which they are, and waits to be killed.
pub fn supervise() -> ExitCode {
    block_on(async {
        let engine = Engine::connect(None).await.expect("the engine answered before");
        let executable = std::env::current_exe().expect("this binary has a path");
        let image = build_self_image(&engine, &executable).await.expect("the image is there").resolved();
        let model = std::env::args().nth(2).expect("the model's folder");
        let (contained, stubborn) = (lane(""), stubborn());
        let request = LaunchRequest {
            lane: &contained,
            run: "abandoned",
            run_dir: std::path::Path::new("runs/abandoned"),
            launch: 1,
            model_dir: std::path::Path::new(&model),
            models: &[],
            files_dir: None,
            overlay_dir: None,
            stderr_file: None,
            own_executable: &executable,
            search_path: "/usr/bin:/bin",
            visible_gpus: None,
            image: Some(&image),
        };
        let _container = start(&request, Some(&engine)).await.expect("the container starts");
        let process = start(&LaunchRequest { lane: &stubborn, ..request }, None).await.expect("the process starts");
        let ids = labelled("abandoned").await.expect("the engine lists containers");
        let (id, pid) = (ids.first().expect("an id"), process.pid().expect("a pid"));
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{id} {pid}").and_then(|()| stdout.flush()).expect("the test reads");
        std::future::pending().await
    })
}

/// A process lane that ends by no polite means.
fn stubborn() -> Lane {
    let text = "schema = 1\nname = \"stubborn\"\nlauncher = \"process\"\nrunner = \"test\"\n[process]\n\
                program = \"sh\"\narguments = [\"-c\", \"trap '' TERM HUP PIPE; while :; do sleep 1; done\"]";
    Lane::parse("lanes/stubborn.toml", text).expect("the test's lane is well formed")
}

fn killed(bench: &Bench) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    let mut supervisor =
        Command::new(&bench.executable).arg(FLAG).arg(&bench.model_dir).stdout(Stdio::piped()).spawn().map_err(io)?;
    let mut line = String::new();
    BufReader::new(supervisor.stdout.take().ok_or("no stdout")?).read_line(&mut line).map_err(io)?;
    let (id, pid) = line.trim().split_once(' ').ok_or_else(|| format!("the supervisor said {line:?}"))?;
    let is_running = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')),
        Err(_) => false,
    };
    supervisor.kill().and_then(|()| supervisor.wait()).map_err(io)?;
    expect("the process after the kill", is_running(), true)?;
    let report = block_on(sweep(Some(&bench.engine))).map_err(|error| error.to_string())?;
    expect("failures", report.failed.len(), 0)?;
    // Another test's sweep may have come first, so what counts is that they are gone.
    expect("the process", is_running(), false)?;
    let found = block_on(async { ask_engine().inspect_container(id, None::<InspectContainerOptions>).await.is_ok() });
    expect("the container", found, false)
}
