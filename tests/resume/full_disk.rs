//! A disk that fills up while a run measures.

use std::path::Path;
use std::process::Stdio;

use libtest_mimic::{Completion, Failed};
use lockstep::journal::read_file;

use crate::project::{Ledger, PlanText, Project, processes_of};

/// A file system of its own in a mount namespace, which goes when its last process ends. `$1` is the executable; runs
/// are on the small disk. Its free space is measured once everything else is there, so that the journal meets the end.
const SCRIPT: &str = r#"
    "$1" run long > first.out 2> first.err
    test $? -eq 2 || exit 91
    cp runs/*/journal.jsonl full.jsonl || exit 92
    rm runs/ballast
    "$1" resume latest > second.out 2> second.err
    status=$?
    cp runs/2*/journal.jsonl finished.jsonl || exit 93
    mkdir -p kept && cp -r runs/2* kept/
    exit $status
"#;

pub fn full_disk() -> Result<Completion, Failed> {
    let project = Project::new();
    project.plan(&PlanText { repetitions: 40, ..PlanText::new("long", &["native", "native-again"]) });
    std::fs::create_dir(project.file("runs"))?;
    let in_namespace = |script: &str| {
        let script = format!("mount -t tmpfs -o size=512k tmpfs runs || exit 99; {script}");
        let mut arguments = vec!["--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_lockstep")];
        if !rustix::process::geteuid().is_root() {
            arguments.splice(0..0, ["--user", "--map-root-user"]);
        }
        project.command_of(Path::new("unshare"), &arguments).stdin(Stdio::null()).output()
    };
    let refused = match in_namespace("true") {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(reason) = refused {
        return Ok(Completion::ignored_with(format!("no small file system can be mounted here: {reason}")));
    }
    // The model and the run's own files take less than 300 KiB, the journal of the whole run takes more than 300.
    let output = in_namespace(&format!("head -c 230000 /dev/zero > runs/ballast; {SCRIPT}"))?;
    let first = project.read("first.err");
    assert!(!first.contains("panicked"), "{first}");
    let told = first.contains("the disk is full: free space") && first.contains("lockstep resume");
    assert!(told, "status {:?}, {first}\n{}", output.status.code(), String::from_utf8_lossy(&output.stderr));
    let full = read_file(&project.file("full.jsonl"))?;
    assert!(full.torn.is_none() && !full.sealed && full.rows().count() > 20, "{} rows", full.rows().count());
    let run = full.segments().next().ok_or("no segment")?.header.run.clone();
    assert_eq!(processes_of(&run), []);
    let second = project.read("second.err");
    assert!(matches!(output.status.code(), Some(0 | 5)), "status {:?}, {second}", output.status.code());
    let ledger = Ledger::of(&project.file("kept").join(&run));
    ledger.is_complete();
    let before: Vec<_> = full.rows().map(|(_, row)| row).collect();
    assert_eq!(ledger.rows()[..before.len()], before[..], "rows from before the disk was full");
    Ok(Completion::Completed)
}
