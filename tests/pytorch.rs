//! The Python runner's own tests, `tests/pytorch/test_*.py`, a trial for each file. They run with the Python that
//! `LOCKSTEP_TORCH_PYTHON` names, else with `python3`; what lacks torch, transformers or a GPU there shows as ignored.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder of Python tests is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".py").filter(|name| name.starts_with("test_")).map(str::to_owned))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no test", folder.display());
    let trials = files.into_iter().map(|module| {
        let folder = folder.clone();
        Trial::ignorable_test(module.clone(), move || run(&folder, &module))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn run(folder: &PathBuf, module: &str) -> Result<Completion, Failed> {
    let python = std::env::var("LOCKSTEP_TORCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let ended = Command::new(&python).args(["-B", "-m", "unittest", "-v", module]).current_dir(folder).output();
    let Ok(ended) = ended else { return Ok(Completion::ignored_with(format!("there is no {python}"))) };
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        return Err(Failed::from(told));
    }
    let ran = number_after(&told, "Ran ").ok_or_else(|| format!("unittest does not say what it ran: {told}"))?;
    let skipped = number_after(&told, "skipped=").unwrap_or(0);
    if skipped < ran {
        return Ok(Completion::Completed);
    }
    let reason = told.lines().find_map(|line| line.split_once(" skipped ")).map_or("no reason", |(_, reason)| reason);
    Ok(Completion::ignored_with(format!("all {ran} skipped: {reason}")))
}

fn number_after(text: &str, word: &str) -> Option<u32> {
    let rest = text.rsplit_once(word)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
