//! Both programs as whole processes, as they are started: with all that they load, read and print.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use lockstep::report;
use lockstep::verdict::Verdict;

use super::journal::Size;
use super::{Failure, script, told};

/// Starts them in turns on the journal and the design in `folder`.
pub fn in_turns(python: &Path, folder: &Path, size: Size, verdict: &Verdict, pairs: usize) -> Result<(), Failure> {
    std::fs::write(folder.join("plan.toml"), size.plan_text().ok_or("the plan's file is another plan")?)?;
    // A line of standard input is a judgement.
    std::fs::write(folder.join("once"), "\n")?;
    let stated = report::json(verdict)?;
    let (mut own, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs + 1 {
        let own_s = judge(folder, &stated)?;
        let reference_s = reference(python, folder)?;
        if pair > 0 {
            own.push(own_s);
            theirs.push(reference_s);
            ratios.push(reference_s / own_s);
        }
    }
    println!("whole processes: lockstep judge {} s", told(own, 3)?);
    println!("whole processes: reference {} s", told(theirs, 3)?);
    println!("whole processes: reference over judge, {pairs} pairs: {}", told(ratios, 1)?);
    Ok(())
}

/// The seconds of `lockstep judge`, which has to print the verdict that is known.
fn judge(folder: &Path, stated: &str) -> Result<f64, Failure> {
    let printed = folder.join("verdict.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(["judge", "plan.toml", "journal.jsonl", "--format", "json"]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(File::create(&printed)?);
    let begun = Instant::now();
    command.status()?;
    let seconds = begun.elapsed().as_secs_f64();
    if std::fs::read(&printed)? == stated.as_bytes() { Ok(seconds) } else { Err("another verdict was printed".into()) }
}

/// The seconds of the reference, which prints none of its numbers.
fn reference(python: &Path, folder: &Path) -> Result<f64, Failure> {
    let mut command = Command::new(python);
    command.arg(script()).args(["design.json", "journal.jsonl"]).current_dir(folder);
    command.stdin(File::open(folder.join("once"))?).stdout(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let seconds = begun.elapsed().as_secs_f64();
    if status.success() { Ok(seconds) } else { Err("the reference failed".into()) }
}
