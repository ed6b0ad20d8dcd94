//! What the journal promises when its process is killed or its disk is full, with real processes and real disks.
//!
//! The test binary starts itself as the process that appends. It prints a row's number after `append` returned, so a
//! printed number is a row that must be in the journal whatever happened next.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lockstep::journal::{Error, LaunchEnd, Opened, Record, Writer, read_file};

/// Appends rows until it is killed, or an append fails.
const CHILD_APPEND: &str = "child:append";

/// Appends one more row and the seal.
const CHILD_FINISH: &str = "child:finish";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, CHILD_APPEND, path] => return append(Path::new(path), usize::MAX),
        [_, CHILD_FINISH, path] => return append(Path::new(path), 1),
        _ => {}
    }
    let trials = vec![
        Trial::test("a_killed_writer_loses_no_row_and_repeats_none", killed_writer),
        Trial::test("a_full_file_limit_stops_the_writer_and_leaves_a_readable_journal", file_size_limit),
        Trial::ignorable_test("a_full_disk_stops_the_writer_and_leaves_a_readable_journal", full_disk),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Header, launch and row of the fixture that the room's own tests use.
fn fixture(line: usize) -> Record {
    let text = include_str!("fixtures/journal/records.jsonl");
    serde_json::from_str(text.lines().nth(line).expect("the fixture has this line")).expect("the fixture holds records")
}

fn row(rep: usize, launch: u32) -> Record {
    let Record::Row(mut row) = fixture(4) else { panic!("line 5 of the fixture is a row") };
    (row.rep, row.launch) = (u32::try_from(rep).expect("a test appends few rows"), Some(launch));
    Record::Row(row)
}

/// Creates the journal or goes on with it, as a run and its `resume` do, and appends up to `more` rows.
fn append(path: &Path, more: usize) -> ExitCode {
    match try_append(path, more) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(if error.is_full() { 5 } else { 70 })
        }
    }
}

fn try_append(path: &Path, more: usize) -> Result<(), Error> {
    let (mut writer, records) = match Writer::open(path) {
        Ok(Opened { writer, journal, .. }) => (writer, journal.records),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            (Writer::create(path)?, Vec::new())
        }
        Err(error) => return Err(error),
    };
    if records.is_empty() {
        writer.append(&fixture(0))?;
    } else {
        writer.append(&Record::Reopen { reason: "resumed".to_owned(), command: Vec::new(), signals: Vec::new() })?;
    }
    let Record::LaunchStart(mut start) = fixture(2) else { panic!("line 3 of the fixture starts a launch") };
    start.launch = records.iter().filter(|record| matches!(record, Record::LaunchStart(_))).count() as u32;
    writer.append(&Record::LaunchStart(start.clone()))?;
    for _ in 0..more {
        let rep = writer.rows();
        if let Err(error) = writer.append(&row(rep, start.launch)) {
            let next = writer.append(&row(rep, start.launch));
            assert!(matches!(next, Err(Error::Spent { .. })), "a failed writer took another record");
            return Err(error);
        }
        println!("{rep}");
    }
    let end = LaunchEnd {
        launch: start.launch,
        exit_status: Some(0),
        signal: None,
        busy: None,
        disowned: None,
        stderr_unwritten_bytes: None,
        telemetry: Vec::new(),
    };
    writer.append(&Record::LaunchEnd(Box::new(end)))?;
    writer.seal().map(|_| ())
}

fn start(path: &Path) -> Result<Child, Failed> {
    let own = std::env::current_exe()?;
    Ok(Command::new(own).arg(CHILD_APPEND).arg(path).stdout(Stdio::piped()).spawn()?)
}

/// The rows in the journal, which must count from 0 without a gap or a repetition, and whether its end is torn.
fn rows(path: &Path) -> Result<(usize, bool), Failed> {
    let journal = match read_file(path) {
        Ok(journal) => journal,
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok((0, false)),
        Err(Error::File { fault, .. }) if matches!(*fault, Error::Empty) => return Ok((0, false)),
        Err(error) => return Err(error.into()),
    };
    let reps: Vec<usize> = journal.rows().map(|(_, row)| row.rep as usize).collect();
    if reps.iter().copied().ne(0..reps.len()) {
        return Err(format!("rows are lost or repeated: {reps:?}").into());
    }
    Ok((reps.len(), journal.torn.is_some()))
}

fn killed_writer() -> Result<(), Failed> {
    const KILLS: u64 = 24;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal.jsonl");
    let (mut reported, mut unreported, mut torn) = (0, 0, 0);
    for kill in 0..KILLS {
        let mut child = start(&path)?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        // Some are killed before their first row, the others after some rows; then at any point of an append.
        for _ in 0..(kill * 7 % 24) {
            let rep: usize = lines.next().ok_or("the child ended by itself")??.parse()?;
            reported = reported.max(rep + 1);
            if !matches!(Writer::open(&path), Err(Error::Held { .. })) {
                return Err("a second writer was let in".into());
            }
        }
        spin(Duration::from_micros(kill * 1_237 % 4_001));
        child.kill()?;
        child.wait()?;
        for line in lines {
            reported = reported.max(line?.parse::<usize>()? + 1);
        }
        let (count, is_torn) = rows(&path)?;
        if count < reported {
            return Err(format!("{reported} rows were reported and {count} are in the journal").into());
        }
        unreported += usize::from(count > reported);
        torn += usize::from(is_torn);
        reported = count;
    }
    let own = std::env::current_exe()?;
    let finished = Command::new(own).arg(CHILD_FINISH).arg(&path).output()?;
    let journal = read_file(&path)?;
    if !finished.status.success() || !journal.sealed || rows(&path)? != (reported + 1, false) {
        return Err("the journal could not be finished".into());
    }
    println!(
        "{KILLS} kills, {reported} rows; {unreported} times a row was on disk and not yet reported, {torn} torn ends"
    );
    Ok(())
}

/// Waits without giving the processor away, since a sleep is coarser than an append.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// What a writer that ran out of space must have left: its error is clear, and its rows are those it reported.
fn check_full(output: &std::process::Output, journal: &Path, words: &str) -> Result<usize, Failed> {
    let text = String::from_utf8_lossy(&output.stdout);
    let reported = text.lines().filter(|line| line.parse::<usize>().is_ok()).count();
    if output.status.code() != Some(5) || !text.contains(words) || !text.contains("`lockstep resume`") {
        return Err(format!("status {:?}, output {text}", output.status).into());
    }
    let found = rows(journal)?;
    if reported < 20 || found != (reported, false) {
        return Err(format!("{reported} rows were reported, and rows and torn end are {found:?}").into());
    }
    Ok(reported)
}

fn file_size_limit() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal.jsonl");
    // The signal that comes with the limit would end the process before it sees the error.
    let script = r#"trap "" XFSZ; ulimit -f 64; exec "$@""#;
    let own = std::env::current_exe()?;
    let limited = Command::new("sh").args(["-c", script, "sh"]).arg(&own).arg(CHILD_APPEND).arg(&path).output()?;
    let reported = check_full(&limited, &path, "the file size limit is reached")?;
    let finished = Command::new(&own).arg(CHILD_FINISH).arg(&path).output()?;
    if !finished.status.success() || !read_file(&path)?.sealed || rows(&path)? != (reported + 1, false) {
        return Err("the journal could not be finished without the limit".into());
    }
    Ok(())
}

/// A file system of 64 KiB in a mount namespace of its own, which goes when its last process ends.
fn full_disk() -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("disk"))?;
    let own = std::env::current_exe()?;
    let in_namespace = |script: &str| {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let mount = "mount -t tmpfs -o size=64k tmpfs disk || exit 99;";
        command.args(["--mount", "sh", "-c", &format!("{mount} {script}"), "sh"]).arg(&own).current_dir(folder.path());
        command.stdin(Stdio::null()).output()
    };
    let refused = match in_namespace("true") {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(reason) = refused {
        return Ok(Completion::ignored_with(format!("no small file system can be mounted here: {reason}")));
    }
    let output = in_namespace(
        r#"head -c 16384 /dev/zero > disk/ballast
        "$1" child:append disk/journal.jsonl; status=$?
        cp disk/journal.jsonl full.jsonl
        rm disk/ballast
        "$1" child:finish disk/journal.jsonl > finish.txt || exit 98
        cp disk/journal.jsonl finished.jsonl
        exit $status"#,
    )?;
    std::io::stderr().write_all(&output.stderr)?;
    let reported = check_full(&output, &folder.path().join("full.jsonl"), "the disk is full: free space")?;
    let finished = folder.path().join("finished.jsonl");
    if !read_file(&finished)?.sealed || rows(&finished)? != (reported + 1, false) {
        return Err("the journal could not be finished after space was freed".into());
    }
    Ok(Completion::Completed)
}
