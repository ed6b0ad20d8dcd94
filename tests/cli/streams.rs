//! What goes to standard output and standard error, on terminals and elsewhere.

use std::path::Path;

use crate::prepared::{acceptable, own_copy, prepared};
use crate::project::{Ended, PlanText, Project, Started};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("without_a_terminal_there_are_plain_lines_and_no_escape_codes", Needs::Nothing, plain_lines),
    Named("json_is_one_document_alone_on_standard_output", Needs::Nothing, json),
    Named("a_report_comes_in_every_form", Needs::Nothing, report_forms),
    Named("a_reader_who_leaves_early_ends_the_output_and_nothing_else", Needs::Nothing, closed_stdout),
    Named("nobody_who_reads_standard_error_is_no_obstacle", Needs::Nothing, closed_stderr),
    Named("colour_is_for_terminals_and_not_where_no_color_is_set", Needs::Program("script"), colour),
    Named("a_terminal_gets_a_progress_bar", Needs::Program("script"), progress_bar),
    Named("no_escape_codes_go_to_a_redirected_standard_error", Needs::Program("script"), redirected_stderr),
];

fn plain_lines() {
    let (project, run) = prepared();
    let reports = [
        project.lockstep(&["report", "latest", "--format", "text"]),
        project.lockstep(&["verify", "latest"]),
        project.lockstep(&["explain", "latest", &cell()]),
        project.lockstep(&["compare", "latest", "latest"]),
        project.lockstep(&["lanes"]),
        project.lockstep(&["plan", "tiny"]),
        project.lockstep(&["runs"]),
        project.lockstep(&["report", "nothing"]),
    ];
    for ended in reports.iter().chain([&run.ended]) {
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "escape codes without a terminal: {ended:?}");
    }
    let done = run.ended.stderr.lines().filter(|line| line.trim_start().split(' ').nth(1) == Some("%"));
    assert!(done.count() >= 8, "progress comes line by line: {:?}", run.ended);
    run.ended.tells(&["lane native ready", "repetitions to measure", "100 %"]);
}

/// A cell of the prepared plan.
fn cell() -> String {
    prepared().1.verdict().cells[0].cell.to_string()
}

fn json() {
    let (project, run) = prepared();
    let cell = cell();
    let (plan, journal) = (run.file("plan.toml"), run.file("journal.jsonl"));
    let (plan, journal) = (plan.to_string_lossy(), journal.to_string_lossy());
    let verbs: &[&[&str]] = &[
        &["lanes"],
        &["plan"],
        &["plan", "tiny"],
        &["runs"],
        &["judge", &plan, &journal],
        &["verify", "latest"],
        &["report", "latest"],
        &["explain", "latest", &cell],
        &["compare", "latest", "latest"],
        &["clean"],
    ];
    // What looks at a run may look at everybody's; what starts lanes or holds a journal gets its own.
    let (mine, _) = own_copy();
    let active: &[&[&str]] = &[
        &["resume", "latest"],
        &["rerun", "latest", "--failed"],
        &["accept", "latest"],
        &["preflight", "native", "--plan", "tiny"],
    ];
    let passive = verbs.iter().map(|verb| (project, verb));
    for (project, verb) in passive.chain(active.iter().map(|verb| (&mine, verb))) {
        let ended = project.lockstep(&[verb, &["--format", "json"][..]].concat());
        ended.exits(0).json();
    }
    let mine = Project::new();
    mine.plan(&PlanText::new("tiny", &["native", "native-again"]));
    let run = mine.run(&["run", "tiny", "--format", "json"]);
    run.exits(0);
    assert_eq!(run.ended.json()["verdict"]["journal"]["run"], run.id.as_str());
    let alone = mine.run(&["lane", "native", "--plan", "tiny", "--format", "json"]);
    assert_eq!(alone.exits(0).ended.json()["verdict"]["plan"], "tiny+native");
}

fn report_forms() {
    let (project, run) = prepared();
    let report = |form: &str| project.lockstep(&["report", "latest", "--format", form]);
    let markdown = report("md");
    markdown.exits(0).prints(&["# ", "| --- |", "native-again", &cell()]);
    assert_eq!(markdown.stdout, std::fs::read_to_string(run.file("report.md")).expect("a run has a report"));
    report("text").exits(0).prints(&["AS EXPECTED", "native-again"]);
    let junit = report("junit");
    junit.exits(0).prints(&["<?xml", "<testsuites", "tests=", "native-again", "conclusion"]);
    assert!(!junit.stdout.contains("<failure"), "{junit:?}");
}

/// Standard output or standard error as a pipe that nobody reads any more.
fn closed(project: &Project, arguments: &[&str], stdout: bool) -> std::process::ExitStatus {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let mut command = project.command(arguments);
    let other = project.file("other-stream");
    let other = std::fs::File::create(other).expect("a file can be made");
    if stdout {
        command.stdout(writer).stderr(other)
    } else {
        command.stderr(writer).stdout(other)
    };
    command.status().expect("the executable can be started")
}

fn closed_stdout() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "native-again"]));
    let run = project.run(&["run", "tiny"]);
    let (plan, journal) = (run.file("plan.toml"), run.file("journal.jsonl"));
    let (plan, journal) = (plan.to_string_lossy(), journal.to_string_lossy());
    let verbs: &[&[&str]] = &[
        &["plan", "quickstart"],
        &["lanes"],
        &["runs"],
        &["report"],
        &["judge", &plan, &journal, "--format", "json"],
        &["schema", "journal"],
        &["completions", "zsh"],
        &["help", "exit-codes"],
        &["--help"],
        &["run", "--help"],
        &["run", "tiny"],
    ];
    for verb in verbs {
        let status = closed(&project, verb, true);
        let said = project.read("other-stream");
        assert!(!said.contains("panicked"), "{verb:?}: {said}");
        // What the work itself comes to is the answer, heard or not; a busy host may be one.
        assert!(matches!(status.code(), Some(0 | 5)), "{verb:?}: {status}, {said}");
    }
    for run in project.runs() {
        assert!(run.join("verdict.json").is_file(), "the run was not brought to its end");
    }
}

fn closed_stderr() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "native-again"]));
    let status = closed(&project, &["run", "tiny"], false);
    assert!(matches!(status.code(), Some(0 | 5)), "{status}");
    assert!(project.only_run().join("verdict.json").is_file());
    assert_eq!(closed(&project, &["run", "nothing"], false).code(), Some(2));
    let mut command = project.command(&["resume", "latest"]);
    command.env("LOCKSTEP_LOG", "trace");
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let status = command.stderr(writer).stdout(std::process::Stdio::null()).status().expect("it can be started");
    assert!(matches!(status.code(), Some(0 | 5)), "{status}");
}

/// Runs a command line on a terminal of its own; what the terminal got.
fn on_a_terminal(project: &Project, line: &str, variables: &[(&str, &str)]) -> Ended {
    let executable = env!("CARGO_BIN_EXE_lockstep");
    let line = line.replace("lockstep ", &format!("'{executable}' "));
    let mut command = project.command_of(Path::new("script"), &["-qec", &line, "/dev/null"]);
    command.env("TERM", "xterm-256color").envs(variables.iter().copied());
    Started::of(command).finish()
}

fn colour() {
    let (project, _) = prepared();
    for line in ["lockstep report latest --format text", "lockstep verify latest", "lockstep report nothing"] {
        let coloured = on_a_terminal(project, line, &[]);
        assert!(coloured.stdout.contains("\u{1b}["), "no colour on a terminal: {coloured:?}");
        let empty = on_a_terminal(project, line, &[("NO_COLOR", "")]);
        assert_eq!(coloured.stdout, empty.stdout, "an empty NO_COLOR says nothing (no-color.org)");
        let plain = on_a_terminal(project, line, &[("NO_COLOR", "1")]);
        assert!(!plain.stdout.contains("\u{1b}["), "colour although NO_COLOR is set: {plain:?}");
        assert_eq!(plain.status.code(), coloured.status.code());
    }
}

fn progress_bar() {
    let project = Project::new();
    project.plan(&acceptable("tiny"));
    let ended = on_a_terminal(&project, "lockstep run tiny", &[]);
    ended.exits(0).prints(&["/48", "native", "left", "AS EXPECTED"]);
    assert!(!ended.stdout.contains("100 %"), "plain lines beside the bar: {ended:?}");
    let colours = |text: &str| {
        text.split("\u{1b}[").skip(1).any(|rest| {
            rest.find('m')
                .is_some_and(|at| at < 6 && at > 0 && rest[..at].bytes().all(|c| c.is_ascii_digit() || c == b';'))
        })
    };
    let plain = on_a_terminal(&project, "lockstep run tiny", &[("NO_COLOR", "1")]);
    assert!(!colours(&plain.exits(0).stdout), "colour although NO_COLOR is set: {plain:?}");
}

fn redirected_stderr() {
    let (mine, _) = own_copy();
    for (line, words) in [("report nothing", "no run is called"), ("resume latest", "nothing is left to do")] {
        let ended = on_a_terminal(&mine, &format!("lockstep {line} 2> said.txt"), &[]);
        let said = mine.read("said.txt");
        assert!(said.contains(words), "{said}: {ended:?}");
        assert!(!said.contains('\u{1b}'), "escape codes in a file: {said:?}");
    }
}
