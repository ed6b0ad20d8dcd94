//! Which tests `.ci/run` lets be ignored, by what it knows of the host: `.ci/skipped`.

use std::ffi::OsStr;
use std::path::Path;

use crate::project::{Ended, Project, Started};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("what_is_installed_may_not_be_skipped_on_the_machine_that_decides", Needs::Program("bash"), everything_here),
    Named("where_something_is_absent_its_tests_may_be_skipped", Needs::Program("bash"), something_absent),
    Named("a_test_that_is_ignored_without_a_word_is_found", Needs::Program("bash"), unsaid),
];

const ALL: [&str; 5] = ["root=yes", "installed=yes", "engine=present", "python=present", "gil=present"];

/// Reasons in the words of the tests that give them, each with the facts that take its excuse away.
const REASONS: [(&str, &[&str]); 11] = [
    ("nix does not start: No such file or directory (os error 2); Debian has it as nix-bin", &["installed=yes"]),
    ("no registry: install the package docker-registry", &["installed=yes"]),
    ("patch cannot be started: No such file or directory (os error 2)", &["installed=yes"]),
    ("a daemon of the test's own needs dockerd, which is not installed", &["root=yes", "engine=present"]),
    ("a daemon of the test's own needs a network device of its own: no", &["root=yes", "engine=present"]),
    ("this user may not make a network namespace: unshare failed", &["root=yes", "engine=present"]),
    ("no small file system can be mounted here: permission denied", &["root=yes", "engine=present"]),
    ("the image x was not built here; README says how under \"GIL ablation\"", &["gil=present"]),
    ("the example faulty_runner is not built; `cargo build --example faulty_runner` builds it", &[]),
    ("no container engine answers: connection refused", &["engine=present"]),
    ("python3 cannot be started: No such file or directory (os error 2)", &["python=present"]),
];

/// What the script says of tests that were ignored for these reasons, by their numbers.
fn skipped(reasons: &[&str], facts: &[&str]) -> Ended {
    let lines = reasons.iter().enumerate().map(|(at, reason)| format!("test number_{at} ... ignored, {reason}\n"));
    let text: String = lines.collect();
    judged(&format!("{text}test result: ok. 1 passed; 0 failed; {} ignored; 0 measured\n", reasons.len()), facts)
}

fn judged(log: &str, facts: &[&str]) -> Ended {
    let project = Project::new();
    let log = project.write("test.log", log);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/skipped");
    let words: Vec<&OsStr> =
        [script.as_os_str(), log.as_os_str()].into_iter().chain(facts.iter().map(OsStr::new)).collect();
    Started::of(project.command_of(Path::new("bash"), &words)).finish()
}

fn everything_here() {
    for (reason, _) in REASONS {
        skipped(&[reason], &ALL).exits(1).prints(&["although", ": number_0: ", reason]);
    }
    let all: Vec<&str> = REASONS.iter().map(|(reason, _)| *reason).collect();
    let ended = skipped(&all, &ALL);
    assert_eq!(ended.exits(1).stdout.lines().count(), REASONS.len(), "each by its own name: {ended:?}");
    skipped(&["the moon is in the wrong house"], &ALL)
        .exits(1)
        .prints(&["for a reason that .ci/skipped does not know"]);
    // What such a machine need not have.
    let refused = "loading the model: the lane declares cache = 'static', this backend has 'dynamic' or 'none'";
    for reason in ["no NVIDIA GPU is here", "all 12 skipped: torch is not installed", refused] {
        assert_eq!(skipped(&[reason], &ALL).exits(0).stdout, "", "{reason}");
    }
}

fn something_absent() {
    for (reason, decides) in REASONS {
        skipped(&[reason], decides).exits(1).prints(&["although", reason]);
        for fact in decides {
            let others: Vec<&str> = ALL.into_iter().filter(|other| other != fact).collect();
            assert_eq!(skipped(&[reason], &others).exits(0).stdout, "", "{reason} without {fact}");
        }
    }
    skipped(&["the moon is in the wrong house"], &ALL[1..]).exits(0);
}

fn unsaid() {
    let result = "test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured\n";
    judged(&format!("test one ... ignored\n{result}"), &[])
        .exits(1)
        .prints(&["ignored without a reason: one: ", "2 tests were ignored, 1 of them say so"]);
    judged("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n", &ALL).exits(0);
    judged(result, &["engine"]).exits(2).tells(&["unknown fact 'engine'"]);
    judged(result, &["moon=full"]).exits(2).tells(&["unknown fact 'moon=full'"]);
    let words = [Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/skipped"), "nowhere.log".into()];
    Started::of(Project::new().command_of(Path::new("bash"), &words))
        .finish()
        .exits(2)
        .tells(&["usage: .ci/skipped LOG"]);
    // The script decides for `.ci/run`, which tells it what is here.
    let run = include_str!("../../.ci/run");
    for word in
        [".ci/skipped \"$test_log\" \"${facts[@]}\"", "root=yes", "installed=yes", "engine=present", "python=present"]
    {
        assert!(run.contains(word), ".ci/run lacks {word}");
    }
    assert!(!run.contains("docker version"), "the client is no proof of an engine, and need not be there");
}
