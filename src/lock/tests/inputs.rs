//! Resolving a lane's inputs against servers that answer, that answer wrongly, and that are not there.

use std::collections::BTreeMap;

use super::super::faulty_registry::{FaultyRegistry, Reply, Seen};
use super::super::{ArchiveCache, OverlayCache, RegistryOptions, Resolver, Statements};
use crate::plan::{Content, Input, LockedInput};
use crate::terms::Digest;

const COMMIT: &str = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a";

fn resolver(package_index: String, statements: &str) -> Resolver {
    let options = RegistryOptions { attempts: 1, connect_s: 2.0, ..RegistryOptions::default() };
    let overlays = OverlayCache { folder: "/nowhere".into(), tool: Vec::new(), search_path: String::new() };
    let statements = Statements::parse("stated.toml", statements).unwrap();
    let archives = ArchiveCache { folder: "/nowhere/archives".into() };
    Resolver::new(options, package_index, "/nowhere".into(), overlays, archives, statements, "2026-11-21".into())
}

fn resolve(resolver: &Resolver, input: &Input, files: &[(&str, String)]) -> Result<LockedInput, String> {
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.clone().into_bytes())).collect();
    resolver.resolve("lane", input, &files).map_err(|error| error.to_string())
}

fn git(server: &FaultyRegistry, revision: &str) -> Input {
    let repository = format!("http://{}/a/b", server.address);
    Input::Git { repository, revision: revision.into(), argument: None }
}

fn advertises(seen: &Seen) -> Reply {
    let line = |text: String| format!("{:04x}{text}", text.len() + 4);
    match seen.target.as_str() {
        "/a/b/info/refs?service=git-upload-pack" => {
            let head = line("# service=git-upload-pack\n".into());
            Reply::new(200, format!("{head}0000{}0000", line(format!("{COMMIT} refs/heads/main\0caps\n"))))
        }
        _ => Reply::new(404, "nothing"),
    }
}

#[test]
fn a_branch_becomes_the_commit_that_the_repository_advertises() {
    let server = FaultyRegistry::start(advertises);
    let resolver = resolver(String::new(), "");
    match resolve(&resolver, &git(&server, "main"), &[]).unwrap() {
        LockedInput::Verified { seen, by, content: Content::Git { commit, .. } } => {
            assert_eq!((seen.as_str(), commit.as_str()), ("2026-11-21", COMMIT));
            assert!(by.ends_with("advertises it as refs/heads/main"), "{by}");
        }
        other => panic!("{other:?}"),
    }
    match resolve(&resolver, &git(&server, "gone"), &[]).unwrap() {
        LockedInput::Unresolved { reason, resolve, .. } => {
            assert!(reason.contains("no branch, tag or commit \"gone\""), "{reason}");
            assert!(resolve.contains("lockstep lock lane"), "{resolve}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_commit_that_nobody_vouches_for_is_stated_and_by_whom() {
    let server = FaultyRegistry::start(|_| Reply::new(401, "no"));
    let input = git(&server, COMMIT);
    let source = |statements: &str| match resolve(&resolver(String::new(), statements), &input, &[]).unwrap() {
        LockedInput::Stated { source, .. } => source,
        other => panic!("{other:?}"),
    };
    assert!(source("").starts_with("the manifest"));
    let Input::Git { repository, .. } = &input else { panic!("a repository") };
    let stated = format!("[[commit]]\nrepository = {repository:?}\ncommit = {COMMIT:?}\nsource = \"a report\"\n");
    assert_eq!(source(&stated), "a report");
    // A branch is nothing without an answer, and the refusal is told.
    match resolve(&resolver(String::new(), ""), &git(&server, "main"), &[]).unwrap() {
        LockedInput::Unresolved { reason, .. } => assert!(reason.contains("HTTP 401"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_package_set_is_held_against_the_index_hash_by_hash() {
    let (listed, other) = (Digest::of(b"wheel"), Digest::of(b"another wheel"));
    let server = FaultyRegistry::start(move |seen| match seen.target.as_str() {
        "/simple/some-package/" => Reply::new(200, format!("<a href=\"/f.whl#sha256={}\">f</a>", listed.hex())),
        _ => Reply::new(404, "nothing"),
    });
    let resolver = resolver(format!("http://{}/simple", server.address), "");
    let input = Input::Packages { requirements: "set".into(), argument: None };
    let with = |digest: Digest| [("requirements/set.txt", format!("Some_Package==1.0 --hash={digest}\n"))];
    match resolve(&resolver, &input, &with(listed)).unwrap() {
        LockedInput::Verified { content: Content::Packages { sha256, packages, .. }, .. } => {
            assert_eq!((sha256, packages), (Digest::of(with(listed)[0].1.as_bytes()), 1));
        }
        found => panic!("{found:?}"),
    }
    let error = resolve(&resolver, &input, &with(other)).unwrap_err();
    assert!(error.contains("no file of some-package==1.0") && error.contains(&other.to_string()), "{error}");
    assert_eq!(server.seen().len(), 1, "a package's page is asked for once");
    let error = resolve(&resolver, &input, &[]).unwrap_err();
    assert!(error.contains("there is no file containers/requirements/set.txt"), "{error}");
}

#[test]
fn an_index_that_refuses_or_is_busy_leaves_a_set_open_with_its_words() {
    for (status, expected) in [(401, "HTTP 401"), (404, "HTTP 404"), (429, "HTTP 429")] {
        let server = FaultyRegistry::start(move |_| Reply::new(status, "no"));
        let resolver = resolver(format!("http://{}/simple", server.address), "");
        let input = Input::Packages { requirements: "set".into(), argument: None };
        let set = [("requirements/set.txt", format!("a==1 --hash={}\n", Digest::of(b"a")))];
        match resolve(&resolver, &input, &set).unwrap() {
            LockedInput::Unresolved { reason, .. } => assert!(reason.contains(expected), "{reason}"),
            found => panic!("{found:?}"),
        }
    }
}

#[test]
fn a_patch_must_be_the_one_that_the_manifest_names() {
    let sha256 = Digest::of(b"diff");
    let input = Input::Patch { file: "toy/fix.patch".into(), sha256, argument: None };
    let resolver = resolver(String::new(), "");
    let found = resolve(&resolver, &input, &[("toy/fix.patch", "diff".into())]).unwrap();
    assert!(
        matches!(found, LockedInput::Verified { content: Content::Patch { sha256: found, .. }, .. } if found == sha256)
    );
    let error = resolve(&resolver, &input, &[("toy/fix.patch", "other".into())]).unwrap_err();
    assert!(error.contains("containers/toy/fix.patch is") && error.contains(&sha256.to_string()), "{error}");
}

#[test]
fn an_archive_that_nobody_serves_is_stated_by_the_manifest_and_a_kept_one_is_verified() {
    let sha256 = Digest::of(b"source");
    let input = Input::Archive { url: "http://127.0.0.1:1/a/source.tar".into(), sha256 };
    match resolve(&resolver(String::new(), ""), &input, &[]).unwrap() {
        LockedInput::Stated { source, content: Content::Archive { sha256: found, .. } } => {
            assert!(source.starts_with("the manifest") && source.contains("no connection"), "{source}");
            assert_eq!(found, sha256);
        }
        other => panic!("{other:?}"),
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(sha256.hex()), "source").unwrap();
    let mut kept = resolver(String::new(), "");
    kept.archives = ArchiveCache { folder: folder.path().to_owned() };
    assert!(matches!(resolve(&kept, &input, &[]).unwrap(), LockedInput::Verified { .. }));
}

#[test]
fn an_image_whose_registry_does_not_answer_is_what_public_sources_say() {
    let digest = Digest::of(b"image");
    let stated = format!(
        "[[image]]\nreference = \"127.0.0.1:1/a/b:1\"\ndigest = \"{digest}\"\nof = \"index\"\nsource = \"somebody\"\n"
    );
    let input = Input::Image { reference: "127.0.0.1:1/a/b:1".into(), argument: None };
    match resolve(&resolver(String::new(), &stated), &input, &[]).unwrap() {
        LockedInput::Stated { source, content: Content::ImageDigest { digest: found, .. } } => {
            assert_eq!((source.as_str(), found), ("somebody (of: index)", digest));
        }
        other => panic!("{other:?}"),
    }
    match resolve(&resolver(String::new(), ""), &input, &[]).unwrap() {
        LockedInput::Unresolved { reason, .. } => {
            assert!(reason.contains("no connection") && reason.contains("states no digest for this tag"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
