//! What a lane's stack is made of, what it needs, and what it runs of others: manifests and locks.

use super::{assert_faults, edit};
use crate::plan::{Content, EXEC_VARIABLE, ImageSource, Input, Lane, Launcher, Lock, LockedInput};

const BUILT: &str = r#"schema = 1
name = "built"
launcher = "docker"
runner = "python-exec"

[docker]
build = "toy"
files = "runner"
command = ["--backend", "exec"]
gpus = ["0"]

[docker.arguments]
COLOUR = "red"

[input.base]
kind = "image"
reference = "docker.io/library/python:3.12"
argument = "BASE"

[input.set]
kind = "packages"
requirements = "torch-2.11.0"
argument = "SET"

[input.source]
kind = "git"
repository = "https://host/a/b"
revision = "main"
argument = "COMMIT"

[input.patch]
kind = "patch"
file = "toy/fix.patch"
sha256 = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
argument = "PATCH"

[exec]
directory = "/opt/toy"
arguments = ["python", "run.py", "--new", "{new_tokens}", "{{literal}}"]

[[exec.line]]
name = "wall_s"
pattern = 'took (?P<value>[0-9.]+) s'
required = true

[needs]
gpus = 1
sm = [80, 90]
disk_mib = 1000
credentials = ["HF_TOKEN"]
platform = "linux/amd64"
"#;

const OVER: &str = r#"schema = 1
name = "over"
launcher = "process"
runner = "python-pytorch"

[process]
program = "python3"

[input.over]
kind = "overlay"
recipe = "triton-3.4.0"

[needs.host]
python = "3.12"
torch = "2.11.0+cu130"
"#;

#[test]
fn a_manifest_says_what_its_stack_is_made_of_and_what_it_needs() {
    let lane = Lane::parse("f", BUILT).unwrap();
    let Launcher::Docker(docker) = &lane.launcher else { panic!("the lane is a container") };
    let ImageSource::Build(build) = &docker.image else { panic!("its image is built") };
    assert_eq!((build.folder.as_str(), build.files.as_deref()), ("toy", Some("runner")));
    assert_eq!(lane.launcher.folders(), ["runner", "toy"]);
    let files: Vec<String> = lane.inputs.values().filter_map(Input::files).collect();
    assert_eq!(files, ["toy/fix.patch", "requirements/torch-2.11.0.txt"]);
    assert_eq!(lane.needs.words(), ["1 GPU", "sm_80 or sm_90", "1000 MiB disk", "$HF_TOKEN", "linux/amd64"]);
    let given = lane.given_environment();
    assert!(given[EXEC_VARIABLE].contains(r#""{new_tokens}""#), "{given:?}");
    assert!(!Lane::parse("f", OVER).unwrap().given_environment().contains_key(EXEC_VARIABLE));
}

/// An edit of the manifest above, and what the reader is told.
type Slip = (&'static str, &'static str, &'static str);

const BUILT_SLIPS: &[Slip] = &[
    ("kind = \"git\"", "kind = \"gitt\"", "f:26: input.source.kind: unknown value `gitt`; did you mean `git`?"),
    (
        "https://host/a/b",
        "ftp://host",
        "f:27: input.source.repository: \"ftp://host\" is no repository: expected an https URL",
    ),
    ("\"main\"", "\"a..b\"", "f:28: input.source.revision: \"a..b\" is no branch, tag or commit"),
    (
        "toy/fix.patch",
        "../fix.patch",
        "f:33: input.patch.file: \"../fix.patch\" is no path below `containers/`: expected names with `/` between them",
    ),
    (
        "argument = \"SET\"",
        "argument = \"BASE\"",
        "f:23: input.set.argument: BASE is filled by the input \"base\" already",
    ),
    (
        "argument = \"SET\"",
        "argument = \"a b\"",
        "f:23: input.set.argument: \"a b\" is no build argument: expected upper-case letters, digits and `_`",
    ),
    (
        "build = \"toy\"",
        "build = \"toy\"\nimage = \"a:1\"",
        "f:7: docker.build: stands beside `docker.image`; a lane has one image: remove one of them",
    ),
    (
        "build = \"toy\"\n",
        "",
        "f:6: docker: names no image; give `image`, a reference or `self`, or `build`, a folder below containers/",
    ),
    (
        "\"{new_tokens}\"",
        "\"{tokens}\"",
        "f:39: exec.arguments[3]: nothing fills `{tokens}`; known: model_dir, new_tokens, prompt_ids, prompt_tokens; a brace of its own is written twice",
    ),
    (
        "(?P<value>[0-9.]+)",
        "[0-9.]+",
        "f:43: exec.line[0].pattern: has no group `value`; write the part that is meant as `(?P<value>…)`",
    ),
    ("gpus = 1\nsm", "gpus = 0\nsm", "f:47: needs.gpus: is 0, and the lane asks for a kind of GPU"),
    ("[80, 90]", "[8]", "f:48: needs.sm: 8 is no compute capability: expected for example 90 for 9.0"),
    ("disk_mib = 1000", "disk_mib = 0", "f:49: needs.disk_mib: 0 is out of range: expected 1 to 1073741824"),
    ("HF_TOKEN", "hf token", "f:50: needs.credentials: \"hf token\" is no name of a variable"),
];

const OVER_SLIPS: &[Slip] = &[
    ("torch = ", "torhc = ", "f:15: needs.host.torhc: unknown axis: known are python, torch, transformers, triton"),
    ("\"3.12\"", "\"three\"", "f:14: needs.host.python: \"three\" is no version"),
    (
        "[needs.host]",
        "[environment]\nPYTHONPATH = \"/a\"\n[needs.host]",
        "f:9: input.over: an overlay sets PYTHONPATH, and so does the table [environment]",
    ),
    (
        "[needs.host]",
        "[input.second]\nkind = \"overlay\"\nrecipe = \"b\"\n[needs.host]",
        "f:13: input.second: is a second overlay, and a lane takes one",
    ),
];

#[test]
fn a_slip_in_what_a_stack_is_made_of_names_its_key() {
    assert_faults(BUILT, Lane::parse, BUILT_SLIPS);
    assert_faults(OVER, Lane::parse, OVER_SLIPS);
}

#[test]
fn an_argument_that_nothing_takes_is_refused() {
    let text = edit(
        OVER,
        "kind = \"overlay\"\nrecipe = \"triton-3.4.0\"",
        "kind = \"git\"\nrepository = \"https://a/b\"\nrevision = \"m\"\nargument = \"A\"",
    );
    let error = Lane::parse("f", &text).unwrap_err().to_string();
    assert!(error.contains("input.over.argument: the lane builds no image that could take it"), "{error}");
}

#[test]
fn a_lane_without_any_of_this_keeps_its_digest() {
    let bare = "schema = 1\nname = \"a\"\nlauncher = \"process\"\nrunner = \"native\"\n[process]\nprogram = \"self\"\n";
    let lane = Lane::parse("f", bare).unwrap();
    let text = crate::terms::canonical_json(&lane).unwrap();
    assert!(["needs", "input", "exec"].iter().all(|key| !text.contains(&format!("\"{key}\""))), "{text}");
}

#[test]
fn every_state_of_an_input_comes_back_from_the_lock_s_own_text() {
    let text = r#"schema = 1
lane = "a"
manifest = "sha256:d93244e7b08131ef10eda16a0717627450cf0e51d1ca713c41d301a51b9a6e54"

[input.base]
status = "unresolved"
reason = "no answer"
resolve = "lockstep lock a"

[[input.base.candidate]]
digest = "sha256:d93244e7b08131ef10eda16a0717627450cf0e51d1ca713c41d301a51b9a6e54"
source = "somebody"

[input.source]
status = "stated"
source = "a report"

[input.source.content]
kind = "git"
repository = "https://host/a/b"
commit = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a"
"#;
    let lock = Lock::parse("f", text).unwrap();
    assert_eq!(Lock::parse("f", &lock.to_toml()).unwrap(), lock);
    assert!(matches!(&lock.inputs["base"], LockedInput::Unresolved { candidates, .. } if candidates.len() == 1));
    assert!(matches!(lock.inputs["source"].content(), Some(Content::Git { .. })));
    let short = text.replace("d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a", "d2c5d82");
    let error = Lock::parse("f", &short).unwrap_err().to_string();
    assert!(error.contains("\"d2c5d82\" is no commit"), "{error}");
    let empty = text.replace("\"no answer\"", "\" \"");
    assert!(Lock::parse("f", &empty).unwrap_err().to_string().contains("input.base.reason: is empty"));
}
