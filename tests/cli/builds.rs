//! What a lane's image is built from: nothing without a hash, and nothing that is broken.

use std::path::Path;

use lockstep::terms::Digest;

use crate::project::{PlanText, Project};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("nothing_that_a_build_installs_is_without_a_hash", Needs::Nothing, hashed),
    Named("packages_of_debian_are_locked_file_by_file", Needs::Nothing, debian),
    Named("a_package_set_is_held_to_what_asks_for_it", Needs::Nothing, sets),
    Named("a_lock_that_was_edited_is_told_by_what_it_says_otherwise", Needs::Nothing, edited),
    Named("a_broken_root_file_system_is_told_by_file_and_place", Needs::Nothing, broken),
    Named("a_proof_that_could_not_fail_is_refused", Needs::Nothing, proofs),
];

/// Each line of each Dockerfile, with those that it goes on in.
fn commands() -> Vec<(String, String)> {
    let containers = Path::new(env!("CARGO_MANIFEST_DIR")).join("containers");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(&containers).expect("the folder is there").filter_map(Result::ok) {
        let Ok(text) = std::fs::read_to_string(folder.path().join("Dockerfile")) else { continue };
        let name = folder.file_name().to_string_lossy().into_owned();
        let text = text.replace("\\\n", " ");
        found.extend(text.lines().filter(|line| !line.starts_with('#')).map(|line| (name.clone(), line.to_owned())));
    }
    assert!(found.iter().filter(|(_, line)| line.starts_with("FROM ")).count() >= 5, "{found:?}");
    found
}

fn hashed() {
    for (folder, line) in commands() {
        for fetches in ["apt-get", "apt ", "curl", "wget", "git clone", "ADD ", "http:", "conda", "npm "] {
            assert!(!line.contains(fetches), "containers/{folder}/Dockerfile installs what no hash holds: {line}");
        }
        if line.starts_with("FROM ") {
            let named = ["${BASE}", "${FOUNDATION}"].iter().any(|base| line.starts_with(&format!("FROM {base}")));
            assert!(named, "containers/{folder}/Dockerfile starts from what the lock does not fill: {line}");
        }
        for part in line.split("&&").filter(|part| part.contains("pip install")) {
            assert!(part.contains("--require-hashes") || part.contains("--no-index"), "containers/{folder}: {part}");
        }
        if line.contains("git fetch") {
            let file = format!("/opt/{folder}.commit");
            for proves in [format!("git rev-parse HEAD > {file}"), format!("test \"$(cat {file})\" = \"${{COMMIT}}\"")]
            {
                assert!(line.contains(&format!("&& {proves}")), "containers/{folder}: {proves} is not in {line}");
            }
        }
    }
}

fn debian() {
    let project = Project::new();
    let lane = "schema = 1\nname = \"toy\"\nlauncher = \"docker\"\nrunner = \"native\"\n[docker]\nbuild = \"toy\"\n\
                [input.tools]\nkind = \"debian\"\nlist = \"toy\"\n";
    project.write("lanes/toy.toml", lane);
    project.write("containers/toy/Dockerfile", "FROM scratch\nCOPY inputs/tools /\n");
    project.lockstep(&["lock", "toy"]).exits(2).tells(&["there is no file containers/debian/toy.txt"]);
    let digest = Digest::of(b"a package");
    let list = format!("http://127.0.0.1:1/pool/a_1.deb {digest}\n");
    project.write("containers/debian/toy.txt", "http://127.0.0.1:1/pool/a_1.deb\n");
    project.lockstep(&["lock", "toy"]).exits(2).tells(&["containers/debian/toy.txt:1", "no pair", "debian/list.sh"]);
    // Nobody serves the file: the list alone says what it is. Kept by its digest it is seen.
    project.write("containers/debian/toy.txt", &list);
    project.lockstep(&["lock", "toy"]).exits(0);
    assert!(project.read("lockfiles/toy.lock").contains("source = \"the list, which names every digest itself; "));
    project.write(&format!("runs/.archives/{}", digest.hex()), "a package");
    project.lockstep(&["lock", "toy"]).exits(0).prints(&["written"]);
    let lock = project.read("lockfiles/toy.lock");
    for line in
        ["by = \"the bytes of every file\"", "kind = \"debian\"", "packages = 1", "\"debian/toy.txt\" = \"sha256:"]
    {
        assert!(lock.contains(line), "{line} is not in\n{lock}");
    }
    project.lockstep(&["lock", "toy", "--check"]).exits(0);
    project.write("containers/debian/toy.txt", format!("# changed\n{list}"));
    project.lockstep(&["lock", "toy", "--check"]).exits(1).prints(&["debian/toy.txt (from "]);
}

/// Each part of a lock that follows from manifest and recipe, edited by hand.
fn edited() {
    const NOGIL: &str = include_str!("../../lockfiles/python-nogil.lock");
    const OVERLAY: &str = include_str!("../../lockfiles/triton-3.4.0-torch-2.11.lock");
    let wheel = "\"triton==3.4.0\" = \"sha256:31c1d84a";
    let cases = [
        (
            "python-nogil",
            NOGIL,
            "gil = \"false\"",
            "gil = \"true\"",
            "[build] says gil = \"true\", and the manifest gil = \"false\"",
        ),
        ("python-nogil", NOGIL, "\nOPT = \"", "\nOPT = \"-O0 ", "[build] says OPT = \"-O0 "),
        (
            "python-nogil",
            NOGIL,
            "gil = \"false\"\n",
            "",
            "[build] says nothing of gil, and the manifest gil = \"false\"",
        ),
        (
            "triton-3.4.0-torch-2.11",
            OVERLAY,
            wheel,
            &wheel.replace("31c1", "41c1"),
            "the lock has triton==3.4.0 sha256:41c1d84a",
        ),
    ];
    let project = Project::new();
    for (lane, shipped, from, to, words) in cases {
        assert!(shipped.contains(from), "the lock of {lane} has no {from:?}");
        let path = format!("lockfiles/{lane}.lock");
        project.write(&path, shipped);
        project.lockstep(&["lock", lane, "--check"]).exits(0).prints(&["unchanged"]);
        project.write(&path, shipped.replacen(from, to, 1));
        project.lockstep(&["lock", lane, "--check"]).exits(1).prints(&["differs", words]);
    }
}

fn sets() {
    let project = Project::new();
    let shipped = include_str!("../../containers/requirements/triton-3.4.0.txt");
    project.write("containers/requirements/triton-3.4.0.in", "# uv pip compile --no-deps\ntriton==3.5.0\n");
    let words =
        ["triton-3.4.0.in: it asks for triton==3.5.0", "pins 3.4.0", "`lockstep lock --requirements triton-3.4.0`"];
    project.lockstep(&["lock", "--check", "triton-3.4.0"]).exits(1).prints(&words);
    project.lockstep(&["lock", "triton-3.4.0"]).exits(2).tells(&words);
    project.lockstep(&["lock", "--check", "triton-3.3.1"]).exits(0);
    project.lockstep(&["lock", "--requirements", "none"]).exits(2).tells(&["containers/requirements/none.in"]);
    // What resolves it gives another set than was asked for, and none: neither is taken.
    let resolver = project.write("bin/uv", "#!/bin/sh\nexit 3\n");
    let executable = |text: &str| {
        std::fs::write(&resolver, text).expect("a script can be written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&resolver, mode).expect("a mode can be set");
    };
    let lock = |path: &str| {
        let mut command = project.command(&["lock", "--requirements", "triton-3.4.0"]);
        command.env("PATH", path);
        crate::project::Started::of(command).finish()
    };
    lock("/nonexistent").exits(2).tells(&["uv cannot be started", "pip install uv"]);
    let path = format!("{}:/usr/bin:/bin", project.file("bin").display());
    executable("#!/bin/sh\nexit 3\n");
    lock(&path).exits(2).tells(&["uv ended with exit status: 3"]);
    project.write("set.txt", shipped);
    let copies = format!("#!/bin/sh\ncp {} triton-3.4.0.txt\n", project.file("set.txt").display());
    executable(&copies);
    lock(&path).exits(2).tells(&words[..2]);
    assert!(!project.file("containers/requirements/triton-3.4.0.txt").exists(), "a wrong set was written");
    project.write("set.txt", shipped.replace("3.4.0", "3.5.0"));
    lock(&path).exits(0).prints(&["triton-3.4.0: written to"]);
    lock(&path).exits(0).prints(&["triton-3.4.0: unchanged"]);
}

fn broken() {
    let project = Project::new();
    for (name, bytes, words) in [
        ("empty.tar", Vec::new(), "it is empty"),
        ("text.tar", b"no archive".to_vec(), "it is no tar archive"),
        ("cut.tar", archive("etc/passwd", 3000)[..2000].to_vec(), "at entry 1, etc/passwd"),
        ("saved.tar", archive("manifest.json", 2), "is an image as an engine saves it"),
        ("packed.tar.zst", vec![0x28, 0xb5, 0x2f, 0xfd, 0], "it is packed by zstd"),
    ] {
        let path = project.write(name, bytes).display().to_string();
        // No engine is there, and none is asked.
        let answer = project.lockstep(&["image", "import", "python-gil", "base", &path]);
        answer.exits(2).tells(&[&path, "is no root file system that can be taken in", words]);
        assert!(!answer.stderr.contains("ngine answers"), "{answer:?}");
    }
    let whole = project.write("whole.tar", archive("etc/passwd", 3000)).display().to_string();
    project.lockstep(&["image", "import", "python-gil", "base", &whole]).exits(2).tells(&["docker.sock"]);
    // Files that changed since the lock are `lock`'s to say, which asks for the base first.
    project.write("containers/runner/lockstep_runner/loop.py", "changed");
    let answer = project.lockstep(&["image", "import", "python-gil", "base", &whole]);
    answer.exits(2).tells(&["docker.sock"]);
    assert!(!answer.stderr.contains("differ from its lock"), "{answer:?}");
    project.lockstep(&["image", "build", "python-gil"]).exits(2).tells(&["files differ from its lock"]);
}

fn archive(name: &str, bytes: usize) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, vec![b'x'; bytes].as_slice()).expect("a vector takes every write");
    archive.into_inner().expect("a vector takes every write")
}

fn proofs() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["mine"]));
    let lane = |proof: &str| {
        format!(
            "schema = 1\nname = \"mine\"\nlauncher = \"docker\"\nrunner = \"native\"\n[docker]\nimage = \"self\"\n\
             [[docker.proof]]\n{proof}\n"
        )
    };
    for (proof, words) in [
        ("name = \"a\"\npath = \"/a\"\nholds = []", "names no text"),
        ("name = \"a\"\npath = \"/a\"\nholds = [\" \"]", "names no text"),
        ("name = \"a\"\npath = \"a\"\nholds = [\"x\"]", "no absolute path"),
        ("name = \"a\"\npath = \"/b/../a\"\nholds = [\"x\"]", "no absolute path"),
        (
            "name = \"a\"\npath = \"/a\"\nholds = [\"x\"]\n[[docker.proof]]\nname = \"a\"\npath = \"/b\"\nholds = [\"y\"]",
            "stands twice",
        ),
    ] {
        project.write("lanes/mine.toml", lane(proof));
        project.lockstep(&["plan", "tiny"]).exits(2).tells(&["docker.proof[", words]);
    }
    project.write("lanes/mine.toml", lane("name = \"a\"\npath = \"/a\"\nholds = [\"x\"]"));
    project.lockstep(&["plan", "tiny"]).exits(0);
}
