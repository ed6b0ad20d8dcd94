//! Help, exit codes, completions.

use std::process::Stdio;

use crate::project::{Project, Started};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("every_verb_has_help_with_an_example", Needs::Nothing, examples),
    Named("exit_codes_are_those_of_the_readme", Needs::Nothing, exit_codes),
    Named("the_gates_of_verify_are_those_of_the_readme", Needs::Nothing, gates),
    Named("completions_know_every_verb", Needs::Nothing, completions),
    Named("bash_takes_the_completions", Needs::Program("bash"), completions_in_bash),
    Named("without_a_verb_the_help_is_shown_as_an_error", Needs::Nothing, no_verb),
];

/// The verbs that `--help` lists.
fn verbs(project: &Project) -> Vec<String> {
    let help = project.lockstep(&["--help"]).stdout;
    let listed = help.split("Commands:\n").nth(1).expect("help lists commands").split("\n\n").next();
    let lines = listed.expect("the list has an end").lines();
    // A long description goes on below, indented further.
    let verbs = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    verbs.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

fn examples() {
    let project = Project::new();
    let verbs = verbs(&project);
    let asked = [
        "run",
        "lane",
        "lanes",
        "plan",
        "preflight",
        "calibrate",
        "resume",
        "rerun",
        "judge",
        "import",
        "audit",
        "verify",
        "accept",
        "report",
        "explain",
        "compare",
        "model",
        "image",
        "clean",
        "schema",
        "completions",
        "runs",
    ];
    for verb in asked {
        assert!(verbs.iter().any(|listed| listed == verb), "there is no verb {verb}: {verbs:?}");
    }
    // `help` and the table of exit codes take nothing that an example could show.
    for verb in verbs.iter().filter(|verb| !["help", "exit-codes"].contains(&verb.as_str())) {
        for arguments in [vec![verb.as_str(), "--help"], vec!["help", verb.as_str()]] {
            let help = project.lockstep(&arguments);
            let example = format!("lockstep {verb}");
            let shown = help.exits(0).stdout.split("Example").nth(1).is_some_and(|text| text.contains(&example));
            assert!(shown, "no example: {help:?}");
            assert!(help.stderr.is_empty(), "{help:?}");
        }
    }
    project.lockstep(&["--version"]).exits(0).prints(&[concat!("lockstep ", env!("CARGO_PKG_VERSION"))]);
}

/// The cells of each row of the table in the README that begins with `head`.
fn readme_table(head: &str) -> Vec<Vec<String>> {
    let readme = include_str!("../../README.md");
    let table = readme.split(head).nth(1).expect("the README has the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let columns = head.matches('|').count() - 1;
    rows.map(|row| row.trim_matches('|').splitn(columns, '|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Name, exit code and meaning of every gate.
fn gates() {
    let project = Project::new();
    let help = project.lockstep(&["verify", "--help"]);
    let listed = help.exits(0).stdout.split("Gates, with the exit code of each:\n").nth(1).expect("help lists gates");
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, code) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        vec![format!("`{name}`"), code, words.collect::<Vec<_>>().join(" ")]
    };
    let rows: Vec<Vec<String>> = listed.lines().take_while(|line| !line.is_empty()).map(row).collect();
    assert!(rows.len() > 10, "{rows:?}");
    assert_eq!(rows, readme_table("| gate | code | meaning |"), "`lockstep verify --help` and the README differ");
}

fn exit_codes() {
    let project = Project::new();
    let printed = project.lockstep(&["help", "exit-codes"]);
    printed.exits(0);
    let rows: Vec<Vec<String>> = printed
        .stdout
        .lines()
        .filter_map(|line| line.trim_start().split_once("  "))
        .filter(|(code, _)| code.parse::<u8>().is_ok())
        .map(|(code, meaning)| vec![code.to_owned(), meaning.trim().to_owned()])
        .collect();
    let codes: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "6", "70"]);
    assert_eq!(rows, readme_table("| code | meaning |"), "`lockstep help exit-codes` and the README differ");
    printed.prints(&["the first of: 70, 2, 3, 4, 1, 6, 5"]);
    let alone = project.lockstep(&["exit-codes"]);
    assert!(printed.stdout.starts_with(alone.exits(0).stdout.trim_end()), "{alone:?}");
}

fn completions() {
    let project = Project::new();
    let verbs = verbs(&project);
    for shell in ["bash", "zsh", "fish"] {
        let script = project.lockstep(&["completions", shell]);
        script.exits(0);
        for verb in &verbs {
            assert!(script.stdout.contains(verb.as_str()), "{shell} does not complete {verb}");
        }
        assert!(!script.stdout.contains("panicked") && script.stderr.is_empty(), "{script:?}");
    }
}

fn completions_in_bash() {
    let project = Project::new();
    let script = project.lockstep(&["completions", "bash"]).stdout;
    let ask = "\nCOMP_WORDS=(lockstep re); COMP_CWORD=1; _lockstep lockstep re lockstep; echo \"${COMPREPLY[@]}\"\n";
    let mut command = project.command_of(std::path::Path::new("bash"), &["--norc", "-s"]);
    let path = project.write("ask.sh", format!("{script}{ask}"));
    command.stdin(Stdio::from(std::fs::File::open(path).expect("it was just written")));
    Started::of(command).finish().exits(0).prints(&["report", "rerun", "resume"]);
}

fn no_verb() {
    let project = Project::new();
    let ended = project.lockstep::<&str>(&[]);
    ended.exits(2).tells(&["Usage: lockstep", "lockstep help exit-codes"]);
    assert!(ended.stdout.is_empty());
}
