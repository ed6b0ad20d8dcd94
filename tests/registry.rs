//! Resolving images against a real registry, pulling them by digest with a real engine, and noticing moved tags.
//!
//! What is not installed makes its tests show as ignored, with the reason; what is installed and does not work makes
//! them fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lockstep::lock::{Credentials, Error, ImageReference, Platform, Registry, RegistryOptions, lock_lane, verify_lock};
use lockstep::plan::{Content, IMAGE_INPUT, ImagePin, Lane, Lock, LockedInput};
use lockstep::terms::Digest;

#[path = "registry/built.rs"]
mod built;
#[path = "registry/bundled.rs"]
mod bundled;
#[path = "registry/engine.rs"]
mod engine;
#[path = "registry/images.rs"]
mod images;
#[path = "registry/moved.rs"]
mod moved;
#[path = "registry/server.rs"]
mod server;
#[path = "registry/started.rs"]
mod started;
#[allow(dead_code, reason = "of the texts that other tests share, one plan is taken here")]
#[path = "project/texts.rs"]
mod texts;
#[path = "registry/zstd.rs"]
mod zstd;

use images::{Document, Family, Image, Pusher, index};
use server::{Absence, Server};

type Outcome = Result<(), Failed>;
/// A test that is given the shared registry's host.
type Test = fn(&str) -> Outcome;

/// The registry that all tests share, each in a repository of its own. It starts with the first test that needs it.
#[derive(Default)]
struct Lab {
    started: OnceLock<Result<String, Absence>>,
    server: Mutex<Option<Server>>,
}

impl Lab {
    fn host(&self) -> Result<&str, &Absence> {
        let start = || {
            let server = Server::start(None)?;
            let address = server.address.to_string();
            *self.server.lock().expect("no test panics while it holds this") = Some(server);
            Ok(address)
        };
        self.started.get_or_init(start).as_ref().map(String::as_str)
    }

    fn stop(&self) {
        if let Ok(mut server) = self.server.lock() {
            server.take();
        }
    }
}

/// Runs `test` with the shared registry's host, or says why it cannot run.
fn with_registry(lab: &Lab, test: Test) -> Result<Completion, Failed> {
    match lab.host() {
        Ok(host) => test(host).map(|()| Completion::Completed),
        Err(absence) => without_registry(absence),
    }
}

fn without_registry(absence: &Absence) -> Result<Completion, Failed> {
    match absence {
        Absence::NotInstalled => Ok(Completion::ignored_with("no registry: install the package docker-registry")),
        Absence::Broken(problem) => Err(problem.into()),
    }
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let lab = Arc::new(Lab::default());
    let tests: &[(&str, Test)] = &[
        ("an_index_resolves_for_each_of_its_platforms", an_index_resolves_for_each_of_its_platforms),
        ("a_manifest_of_either_family_resolves", a_manifest_of_either_family_resolves),
        ("a_digest_resolves_to_the_same_image", a_digest_resolves_to_the_same_image),
        ("what_is_not_there_is_named", what_is_not_there_is_named),
        ("a_moved_tag_is_drift", a_moved_tag_is_drift),
        ("an_index_that_gained_a_platform_is_drift_with_the_same_image", a_grown_index_is_drift),
        ("a_resolved_lane_locks_and_verifies", a_resolved_lane_locks_and_verifies),
    ];
    let mut trials: Vec<Trial> = tests
        .iter()
        .map(|(name, test)| {
            let (lab, test) = (Arc::clone(&lab), *test);
            Trial::ignorable_test(*name, move || with_registry(&lab, test))
        })
        .collect();
    trials.extend(with_an_engine(&lab));
    trials.push(Trial::ignorable_test("a_registry_with_users_wants_credentials", || {
        match Server::start(Some(USERS)) {
            Ok(server) => a_registry_with_users_wants_credentials(&server).map(|()| Completion::Completed),
            Err(absence) => without_registry(&absence),
        }
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    lab.stop();
    conclusion.exit_code()
}

/// Tests of an engine beside the registry.
fn with_an_engine(lab: &Arc<Lab>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let shared = Arc::clone(lab);
    trials.push(Trial::ignorable_test("an_engine_pulls_by_digest_what_was_resolved", move || {
        let runtime = runtime()?;
        match (runtime.block_on(engine::connect()), shared.host()) {
            (Err(reason), _) => Ok(Completion::ignored_with(reason)),
            (Ok(_), Err(absence)) => without_registry(absence),
            (Ok(docker), Ok(host)) => {
                runtime.block_on(an_engine_pulls_what_was_resolved(&docker, host)).map(|()| Completion::Completed)
            }
        }
    }));
    let shared = Arc::clone(lab);
    trials.push(Trial::ignorable_test("two_builds_of_one_lock_are_one_stack", move || {
        let runtime = runtime()?;
        match (runtime.block_on(engine::connect()), shared.host()) {
            (Err(reason), _) => Ok(Completion::ignored_with(reason)),
            (Ok(_), Err(absence)) => without_registry(absence),
            (Ok(docker), Ok(host)) => runtime
                .block_on(built::two_builds_of_one_lock_are_one_stack(&docker, host))
                .map(|()| Completion::Completed),
        }
    }));
    let shared = Arc::clone(lab);
    trials.push(Trial::ignorable_test("layers_by_zstd_are_the_locked_ones_or_refused_by_what_they_are", move || {
        let runtime = runtime()?;
        match (runtime.block_on(engine::connect()), shared.host()) {
            (Err(reason), _) => Ok(Completion::ignored_with(reason)),
            (Ok(_), Err(absence)) => without_registry(absence),
            (Ok(docker), Ok(host)) => runtime
                .block_on(zstd::layers_by_zstd_are_the_locked_ones_or_refused(&docker, host))
                .map(|()| Completion::Completed),
        }
    }));
    let shared = Arc::clone(lab);
    trials.push(Trial::ignorable_test("a_built_lane_with_a_model_of_its_own_is_run_end_to_end", move || {
        let runtime = runtime()?;
        match (runtime.block_on(engine::connect()), shared.host(), moved::scripted_runner()) {
            (Err(reason), ..) | (.., Err(reason)) => Ok(Completion::ignored_with(reason)),
            (_, Err(absence), _) => without_registry(absence),
            (Ok(docker), Ok(host), Ok(runner)) => runtime
                .block_on(started::a_built_lane_with_a_model_of_its_own_is_run(&docker, host, &runner))
                .map(|()| Completion::Completed),
        }
    }));
    let shared = Arc::clone(lab);
    trials.push(Trial::ignorable_test("a_lane_runs_the_locked_digest_after_its_tag_moved", move || {
        let runtime = runtime()?;
        match (runtime.block_on(engine::connect()), shared.host(), moved::scripted_runner()) {
            (Err(reason), ..) | (.., Err(reason)) => Ok(Completion::ignored_with(reason)),
            (_, Err(absence), _) => without_registry(absence),
            (Ok(docker), Ok(host), Ok(runner)) => runtime
                .block_on(moved::a_lane_runs_the_locked_digest(&docker, host, &runner))
                .map(|()| Completion::Completed),
        }
    }));
    trials.push(Trial::ignorable_test("a_bundle_outlives_its_registry", || {
        let runtime = runtime()?;
        match (runtime.block_on(engine::connect()), Server::start(None), moved::scripted_runner()) {
            (Err(reason), ..) | (.., Err(reason)) => Ok(Completion::ignored_with(reason)),
            (_, Err(absence), _) => without_registry(&absence),
            (Ok(docker), Ok(server), Ok(runner)) => runtime
                .block_on(bundled::a_bundle_outlives_its_registry(&docker, server, &runner))
                .map(|()| Completion::Completed),
        }
    }));
    trials
}

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Pushes each image under its digest, then each document under its tag.
fn push(host: &str, repository: &str, images: &[&Image], tagged: &[(&Document, &str)]) -> Outcome {
    runtime()?.block_on(async {
        let pusher = Pusher::new(host, repository, None)?;
        for image in images {
            pusher.image(image, None).await?;
        }
        for (document, tag) in tagged {
            pusher.document(document, tag).await?;
        }
        Ok(())
    })
}

fn resolve(reference: &str, platform: &str) -> Result<ImagePin, Error> {
    Registry::default().resolve(&reference.parse()?, &platform.parse()?)
}

fn pin_of(image: &Image, reference: &str, platform: &str, index: Option<Digest>) -> ImagePin {
    ImagePin {
        reference: reference.into(),
        platform: platform.into(),
        index,
        manifest: image.manifest.digest(),
        config: image.config,
        diff_ids: image.diff_ids.clone(),
    }
}

fn an_index_resolves_for_each_of_its_platforms(host: &str) -> Outcome {
    for family in [Family::Oci, Family::Docker] {
        let (amd64, arm64) = (Image::new(family, "linux/amd64", "a"), Image::new(family, "linux/arm64/v8", "b"));
        let index = index(family, &[&arm64, &amd64]);
        let repository = if family == Family::Oci { "index/oci" } else { "index/docker" };
        push(host, repository, &[&amd64, &arm64], &[(&index, "1")])?;
        let reference = format!("{host}/{repository}:1");
        let expect = |image, platform| pin_of(image, &reference, platform, Some(index.digest()));
        assert_eq!(resolve(&reference, "linux/amd64")?, expect(&amd64, "linux/amd64"));
        assert_eq!(resolve(&reference, "linux/arm64")?, expect(&arm64, "linux/arm64"));
        match resolve(&reference, "linux/s390x") {
            Err(Error::NoPlatform { available, .. }) => assert_eq!(available, ["linux/arm64", "linux/amd64"]),
            other => return Err(format!("expected NoPlatform: {other:?}").into()),
        }
    }
    Ok(())
}

fn a_manifest_of_either_family_resolves(host: &str) -> Outcome {
    for (family, tag) in [(Family::Oci, "oci"), (Family::Docker, "docker")] {
        let image = Image::new(family, "linux/amd64", tag);
        push(host, "manifest/both", &[&image], &[(&image.manifest, tag)])?;
        let reference = format!("{host}/manifest/both:{tag}");
        assert_eq!(resolve(&reference, "linux/amd64")?, pin_of(&image, &reference, "linux/amd64", None));
        assert!(matches!(resolve(&reference, "linux/arm64"), Err(Error::NoPlatform { .. })));
        // The name of this machine goes over plain HTTP as its address does.
        let by_name = reference.replace("127.0.0.1", "localhost");
        assert_eq!(resolve(&by_name, "linux/amd64")?.manifest, image.manifest.digest());
    }
    Ok(())
}

fn a_digest_resolves_to_the_same_image(host: &str) -> Outcome {
    let image = Image::new(Family::Oci, "linux/amd64", "a");
    let index = index(Family::Oci, &[&image]);
    push(host, "digest/a", &[&image], &[(&index, "1")])?;
    for (selector, index) in [
        (format!("@{}", index.digest()), Some(index.digest())),
        (format!(":1@{}", index.digest()), Some(index.digest())),
        (format!(":never-pushed@{}", image.manifest.digest()), None),
    ] {
        let reference = format!("{host}/digest/a{selector}");
        assert_eq!(resolve(&reference, "linux/amd64")?, pin_of(&image, &reference, "linux/amd64", index));
    }
    Ok(())
}

fn what_is_not_there_is_named(host: &str) -> Outcome {
    let image = Image::new(Family::Oci, "linux/amd64", "a");
    push(host, "missing/a", &[&image], &[(&image.manifest, "1")])?;
    let digest = Digest::of(b"never pushed");
    for (rest, code) in [
        ("missing/a:2".to_owned(), "MANIFEST_UNKNOWN"),
        (format!("missing/a@{digest}"), "MANIFEST_UNKNOWN"),
        ("missing/b:1".to_owned(), "UNKNOWN"),
    ] {
        let reference = format!("{host}/{rest}");
        let error = resolve(&reference, "linux/amd64").expect_err("nothing is there");
        let text = error.to_string();
        assert!(matches!(error, Error::NotFound { .. }), "{text}");
        assert!(text.contains(code) && text.contains(&reference) && text.contains("/v2/missing/"), "{text}");
    }
    Ok(())
}

fn a_moved_tag_is_drift(host: &str) -> Outcome {
    let (old, new) = (Image::new(Family::Oci, "linux/amd64", "old"), Image::new(Family::Oci, "linux/amd64", "new"));
    push(host, "drift/a", &[&old], &[(&old.manifest, "1")])?;
    let reference = format!("{host}/drift/a:1");
    let registry = Registry::default();
    let pin = resolve(&reference, "linux/amd64")?;
    let name: ImageReference = reference.parse()?;
    let mut by_digest = pin.clone();
    by_digest.reference = name.by_digest(pin.manifest);
    let mut by_both = pin.clone();
    by_both.reference = format!("{reference}@{}", pin.manifest);
    for pin in [&pin, &by_digest, &by_both] {
        assert_eq!(registry.drift(pin)?, None);
    }

    push(host, "drift/a", &[&new], &[(&new.manifest, "1")])?;
    for pin in [&pin, &by_both] {
        let drift = registry.drift(pin)?.ok_or("no drift was seen")?;
        assert_eq!(drift.to, pin_of(&new, &reference, "linux/amd64", None));
        let text = drift.to_string();
        let moved = format!("{reference} moved from {} to {}", old.manifest.digest(), new.manifest.digest());
        assert_eq!(text, moved);
    }
    assert_eq!(registry.drift(&by_digest)?, None, "a digest alone cannot move");
    assert_eq!(resolve(&by_digest.reference, "linux/amd64")?.manifest, pin.manifest, "the old image is still there");
    Ok(())
}

fn a_grown_index_is_drift(host: &str) -> Outcome {
    let amd64 = Image::new(Family::Oci, "linux/amd64", "a");
    let arm64 = Image::new(Family::Oci, "linux/arm64", "b");
    let (small, large) = (index(Family::Oci, &[&amd64]), index(Family::Oci, &[&amd64, &arm64]));
    push(host, "drift/index", &[&amd64, &arm64], &[(&small, "1")])?;
    let pin = resolve(&format!("{host}/drift/index:1"), "linux/amd64")?;
    push(host, "drift/index", &[], &[(&large, "1")])?;
    let drift = Registry::default().drift(&pin)?.ok_or("no drift was seen")?;
    assert_eq!((drift.from.index, drift.to.index), (Some(small.digest()), Some(large.digest())));
    assert!(drift.to_string().ends_with("; the image for linux/amd64 is the same in both"), "{drift}");
    Ok(())
}

fn a_resolved_lane_locks_and_verifies(host: &str) -> Outcome {
    let image = Image::new(Family::Oci, "linux/amd64", "a");
    let index = index(Family::Oci, &[&image]);
    push(host, "lanes/a", &[&image], &[(&index, "1")])?;
    let reference = format!("{host}/lanes/a:1");
    let text = format!(
        "schema = 1\nname = \"a\"\nlauncher = \"docker\"\nrunner = \"native\"\n[docker]\nimage = {reference:?}\n"
    );
    let lane = Lane::parse("lanes/a.toml", &text)?;
    let pin = resolve(&reference, "linux/amd64")?;
    let content = Content::Image(pin);
    let entry = LockedInput::Verified { seen: "2026-11-21".into(), by: "registry API".into(), content };
    let lock = lock_lane(&lane, &BTreeMap::new(), [(IMAGE_INPUT.to_owned(), entry)].into(), None);
    let read = Lock::parse("lockfiles/a.lock", &lock.to_toml())?;
    verify_lock(&lane, &read, &BTreeMap::new(), None)?;
    Ok(())
}

async fn an_engine_pulls_what_was_resolved(docker: &bollard::Docker, host: &str) -> Outcome {
    let platform = Platform::host();
    for (family, repository) in [(Family::Oci, "engine/oci"), (Family::Docker, "engine/docker")] {
        let image = Image::new(family, &platform.to_string(), repository);
        let index = index(family, &[&image]);
        let pusher = Pusher::new(host, repository, None)?;
        pusher.image(&image, Some("plain")).await?;
        pusher.document(&index, "index").await?;
        for tag in ["plain", "index"] {
            let reference: ImageReference = format!("{host}/{repository}:{tag}").parse()?;
            let pin = Registry::default().resolve(&reference, &platform)?;
            for digest in [Some(pin.manifest), pin.index].into_iter().flatten() {
                engine::pull_and_compare(docker, &reference.by_digest(digest), &pin).await?;
            }
        }
    }
    Ok(())
}

/// One user, `me` with the password `secret`, by bcrypt.
const USERS: &str = "me:$2b$05$lockstepsregistryteste.0AhxV8RVh2.tjJb4hdwWt2yccvLzpq\n";

fn a_registry_with_users_wants_credentials(server: &Server) -> Outcome {
    let host = server.address.to_string();
    let image = Image::new(Family::Oci, "linux/amd64", "a");
    runtime()?.block_on(async {
        let pusher = Pusher::new(&host, "private/a", Some(("me", "secret")))?;
        pusher.image(&image, Some("1")).await
    })?;
    let reference = format!("{host}/private/a:1");
    let resolve_as = |password: Option<&str>| {
        let credentials = password.map(|password| {
            let me = Credentials { username: "me".into(), password: password.into() };
            (host.clone(), me)
        });
        let options = RegistryOptions { credentials: credentials.into_iter().collect(), ..Default::default() };
        Registry::new(options).resolve(&reference.parse()?, &"linux/amd64".parse()?)
    };
    for wrong in [None, Some("wrong")] {
        let error = resolve_as(wrong).expect_err("the registry has users");
        assert!(matches!(error, Error::Denied { status: 401, .. }), "{error}");
        assert!(error.to_string().contains(&format!("give credentials for {host}")), "{error}");
    }
    assert_eq!(resolve_as(Some("secret"))?, pin_of(&image, &reference, "linux/amd64", None));
    Ok(())
}
