//! Writing and checking a lane's lock. Pure: what was hashed and resolved comes in, a lock or a verdict on it goes out.

use std::collections::BTreeMap;

use super::change::changes;
use super::overlay::recipe_wheels;
use super::{Error, ImageReference};
use crate::plan::{
    Candidate, Content, IMAGE_INPUT, ImagePin, ImageSource, Input, Lane, Launcher, Lock, LockedInput, SelfImagePin,
    is_commit,
};
use crate::terms::Digest;

/// Version of the lock's format.
const SCHEMA: u32 = 1;

/// Every input of a lane by name, the image that it runs from a registry among them.
#[must_use]
pub fn lane_inputs(lane: &Lane) -> BTreeMap<String, Input> {
    let image = lane
        .launcher
        .registry_image()
        .map(|reference| (IMAGE_INPUT.to_owned(), Input::Image { reference: reference.to_owned(), argument: None }));
    image.into_iter().chain(lane.inputs.clone()).collect()
}

/// The lock of `lane` as `lockstep lock` writes it.
///
/// `files` are the shipped files that the lane executes or builds from, by path below `containers/`; `inputs` is what
/// each of [`lane_inputs`] was resolved to; `self_recipe` is the recipe of the self-built image, kept where the lane
/// runs that one. A lock that lacks what the lane needs fails [`verify_lock`].
#[must_use]
pub fn lock_lane(
    lane: &Lane,
    files: &BTreeMap<String, Digest>,
    inputs: BTreeMap<String, LockedInput>,
    self_recipe: Option<Digest>,
) -> Lock {
    let recipe = self_recipe.filter(|_| runs_own_image(lane));
    Lock {
        schema: SCHEMA,
        lane: lane.name.clone(),
        manifest: lane.digest(),
        executable: None,
        files: files.clone(),
        self_image: recipe.map(|recipe| SelfImagePin { recipe, config: None, diff_ids: Vec::new() }),
        built: None,
        build: build_axes(lane),
        inputs,
    }
}

/// Axes that a built interpreter has from its build.
const BUILD_AXES: [&str; 3] = ["gcc", "gil", "python"];

fn build_axes(lane: &Lane) -> BTreeMap<String, String> {
    let Some(build) = lane.launcher.build().filter(|build| build.foundation.is_some()) else { return BTreeMap::new() };
    let declared = |axis: &&str| lane.axes.get(*axis).map(|value| ((*axis).to_owned(), value.clone()));
    build.arguments.clone().into_iter().chain(BUILD_AXES.iter().filter_map(declared)).collect()
}

fn runs_own_image(lane: &Lane) -> bool {
    matches!(&lane.launcher, Launcher::Docker(docker) if docker.image == ImageSource::OwnExecutable)
}

/// Whether `lock` still says what `lane` is. `files` and `self_recipe` are as in [`lock_lane`], taken now. That an input
/// is not resolved is for [`unresolved`] to say: such a lock matches its lane, and the lane does not run.
///
/// The executable and the built image are no part of this: they change with every build, and stand only in a run's
/// own copy of the lock.
///
/// # Errors
/// The first that differs, in this order: the lane's name, its manifest, its files, its own image, its build, its inputs.
pub fn verify_lock(
    lane: &Lane,
    lock: &Lock,
    files: &BTreeMap<String, Digest>,
    self_recipe: Option<Digest>,
) -> Result<(), Error> {
    let name = || lane.name.clone();
    let Lock {
        schema: _,
        lane: locked_lane,
        manifest,
        executable: _,
        files: locked_files,
        self_image,
        built: _,
        build,
        inputs,
    } = lock;
    if *locked_lane != lane.name {
        return Err(Error::OtherLane { lane: name(), locked: locked_lane.clone() });
    }
    let found = lane.digest();
    if *manifest != found {
        return Err(Error::LaneEdited { lane: name(), found, locked: *manifest });
    }
    let changes = changes(locked_files, files);
    if !changes.is_empty() {
        return Err(Error::FilesDiffer { lane: name(), changes });
    }
    match (runs_own_image(lane), self_image) {
        (false, None) => {}
        (true, Some(pin)) => verify_recipe(lane, pin, self_recipe)?,
        (true, None) => {
            return Err(Error::NotPinned {
                lane: name(),
                needs: "the self-built image".into(),
                key: "self_image".into(),
            });
        }
        (false, Some(_)) => return Err(Error::Stray { lane: name(), key: "self_image".into() }),
    }
    verify_build(lane, build)?;
    verify_inputs(lane, inputs, files)
}

/// The build's axes repeat the manifest: what a lock says of them is what was built.
fn verify_build(lane: &Lane, locked: &BTreeMap<String, String>) -> Result<(), Error> {
    let wanted = build_axes(lane);
    let of = |axes: &BTreeMap<String, String>, axis: &str| match axes.get(axis) {
        Some(value) => format!("{axis} = {value:?}"),
        None => format!("nothing of {axis}"),
    };
    let differs = wanted.keys().chain(locked.keys()).find(|axis| wanted.get(*axis) != locked.get(*axis));
    let other = |axis: &String| Error::OtherBuild {
        lane: lane.name.clone(),
        locked: of(locked, axis),
        wanted: of(&wanted, axis),
    };
    differs.map_or(Ok(()), |axis| Err(other(axis)))
}

/// Whether the wheels that the lock names for each overlay are those of its recipe, whose text is among `files`.
///
/// # Errors
/// The first overlay with another wheel or hash, or whose recipe is none.
pub fn verify_wheels(lane: &Lane, lock: &Lock, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
    for (name, input) in lane_inputs(lane) {
        let content = lock.inputs.get(&name).and_then(LockedInput::content);
        let (Some(Content::Overlay(pin)), Some(recipe)) = (content, input.files().and_then(|path| files.get(&path)))
        else {
            continue;
        };
        let wanted = recipe_wheels(&pin.recipe, recipe)?;
        let said = |wheels: &BTreeMap<String, Digest>, wheel: &str| match wheels.get(wheel) {
            Some(digest) => format!("{wheel} {digest}"),
            None => format!("no {wheel}"),
        };
        let names = || wanted.keys().chain(pin.wheels.keys());
        if let Some(wheel) = names().find(|wheel| wanted.get(*wheel) != pin.wheels.get(*wheel)) {
            let (locked, wanted) = (said(&pin.wheels, wheel), said(&wanted, wheel));
            let problem = format!("the lock has {locked}, and the recipe {} has {wanted}", pin.recipe);
            return Err(Error::OtherInput { lane: lane.name.clone(), input: name, problem });
        }
    }
    Ok(())
}

fn verify_inputs(
    lane: &Lane,
    locked: &BTreeMap<String, LockedInput>,
    files: &BTreeMap<String, Digest>,
) -> Result<(), Error> {
    let wanted = lane_inputs(lane);
    if let Some(stray) = locked.keys().find(|name| !wanted.contains_key(*name)) {
        return Err(Error::Stray { lane: lane.name.clone(), key: format!("input.{stray}") });
    }
    for (name, input) in &wanted {
        let key = || format!("input.{name}");
        let Some(entry) = locked.get(name) else {
            return Err(Error::NotPinned { lane: lane.name.clone(), needs: input.words(), key: key() });
        };
        let Some(content) = entry.content() else { continue };
        let other = |problem: String| Error::OtherInput { lane: lane.name.clone(), input: name.clone(), problem };
        if let Some(problem) = content.mismatch(input) {
            return Err(other(problem));
        }
        match (input, content) {
            (Input::Image { reference, .. }, Content::Image(pin)) => verify_pin(lane, reference, pin)?,
            (Input::Image { reference, .. }, Content::ImageDigest { reference: locked, digest }) => {
                verify_digest(lane, reference, locked, *digest)?;
            }
            (Input::Image { reference, .. }, Content::LocalImage { reference: locked, .. }) if locked != reference => {
                return Err(other(format!("the lock holds an image in place of {locked}, not of {reference}")));
            }
            (Input::Archive { sha256, .. }, Content::Archive { sha256: locked, .. }) if locked != sha256 => {
                return Err(other(format!("the lock holds {locked} in place of {sha256}")));
            }
            (Input::Git { revision, .. }, Content::Git { commit, .. }) if is_commit(revision) && commit != revision => {
                return Err(other(format!("the lock holds the commit {commit} in place of {revision}")));
            }
            _ => {}
        }
        verify_file(input, content, files).map_err(other)?;
    }
    Ok(())
}

/// An input that is a shipped file is locked by that file's own digest.
fn verify_file(input: &Input, content: &Content, files: &BTreeMap<String, Digest>) -> Result<(), String> {
    let locked = match content {
        Content::Packages { sha256, .. } | Content::Patch { sha256, .. } | Content::Debian { sha256, .. } => sha256,
        Content::Overlay(pin) => &pin.sha256,
        _ => return Ok(()),
    };
    let Some(path) = input.files() else { return Ok(()) };
    match files.get(&path) {
        Some(found) if found == locked => Ok(()),
        Some(found) => Err(format!("{path} is {found}, and the lock says {locked}")),
        None => Err(format!("{path} is not there")),
    }
}

/// Why the lane cannot run by its lock although that matches it: an input for each sentence, with the command that
/// resolves it.
#[must_use]
pub fn unresolved(lane: &Lane, lock: &Lock) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, entry) in &lock.inputs {
        match entry {
            LockedInput::Unresolved { reason, resolve, candidates } => {
                let mut text = format!("its lock does not say what input {name:?} is: {reason}");
                for Candidate { digest, source } in candidates {
                    text.push_str(&format!("; {source} says {digest}"));
                }
                found.push((text, resolve.clone()));
            }
            LockedInput::Stated { source, content: content @ Content::ImageDigest { .. } } => {
                let image = if name == IMAGE_INPUT { "image".to_owned() } else { format!("input {name:?}") };
                let text =
                    format!("its {image} is {} by {source} alone, and was not seen in its registry", content.short());
                found.push((text, format!("`lockstep lock {}` where its registry serves it", lane.name)));
            }
            LockedInput::Stated { .. } | LockedInput::Verified { .. } => {}
        }
    }
    found
}

fn verify_recipe(lane: &Lane, pin: &SelfImagePin, found: Option<Digest>) -> Result<(), Error> {
    match found {
        Some(found) if found == pin.recipe => Ok(()),
        Some(found) => Err(Error::RecipeDiffers { lane: lane.name.clone(), found, locked: pin.recipe }),
        None => {
            let needs = "the self-built image, whose recipe was not given to compare".into();
            Err(Error::NotPinned { lane: lane.name.clone(), needs, key: "self_image".into() })
        }
    }
}

/// The pin's reference is the lane's, in whatever spelling, and a digest in it is one that the pin holds.
fn verify_pin(lane: &Lane, wanted: &str, pin: &ImagePin) -> Result<(), Error> {
    let other = || Error::OtherImage {
        lane: lane.name.clone(),
        image: wanted.to_owned(),
        pinned: format!("{} ({})", pin.reference, pin.index.unwrap_or(pin.manifest)),
    };
    let wanted: ImageReference = wanted.parse()?;
    let pinned: ImageReference = pin.reference.parse()?;
    let holds = |digest| pin.index == Some(digest) || pin.manifest == digest;
    if pinned == wanted && wanted.digest().is_none_or(holds) { Ok(()) } else { Err(other()) }
}

/// The same for a digest of which nobody said more.
fn verify_digest(lane: &Lane, wanted: &str, locked: &str, digest: Digest) -> Result<(), Error> {
    let reference: ImageReference = wanted.parse()?;
    let pinned: ImageReference = locked.parse()?;
    if pinned == reference && reference.digest().is_none_or(|written| written == digest) {
        return Ok(());
    }
    let pinned = format!("{locked} ({digest})");
    Err(Error::OtherImage { lane: lane.name.clone(), image: wanted.to_owned(), pinned })
}

/// A run's own copy of a lock: with the executable that ran and, for the self-built image, the configuration digest
/// and diff ids of the image that was built and run. `self_image` is left out where the lane has no such image.
#[must_use]
pub fn run_copy(lock: &Lock, executable: Option<Digest>, self_image: Option<(Digest, Vec<Digest>)>) -> Lock {
    let built = |pin: &SelfImagePin| match &self_image {
        Some((config, diff_ids)) => {
            SelfImagePin { recipe: pin.recipe, config: Some(*config), diff_ids: diff_ids.clone() }
        }
        None => pin.clone(),
    };
    Lock { executable, self_image: lock.self_image.as_ref().map(built), ..lock.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: &str = r#"
        schema = 1
        name = "native"
        launcher = "process"
        runner = "native"
        [process]
        program = "self"
    "#;

    fn docker(image: &str) -> Lane {
        let text = PROCESS.replace("\"process\"", "\"docker\"").replace("[process]", "[docker]");
        Lane::parse("lane", &text.replace("program = \"self\"", &format!("image = {image:?}"))).unwrap()
    }

    fn process() -> Lane {
        Lane::parse("lane", PROCESS).unwrap()
    }

    fn files() -> BTreeMap<String, Digest> {
        BTreeMap::from([("runner/a.py".to_owned(), Digest::of(b"a")), ("runner/b.py".to_owned(), Digest::of(b"b"))])
    }

    fn pin(reference: &str) -> ImagePin {
        ImagePin {
            reference: reference.into(),
            platform: "linux/amd64".into(),
            index: Some(Digest::of(b"index")),
            manifest: Digest::of(b"manifest"),
            config: Digest::of(b"config"),
            diff_ids: vec![Digest::of(b"layer")],
        }
    }

    fn verified(pin: ImagePin) -> LockedInput {
        LockedInput::Verified { seen: "2026-11-21".into(), by: "registry".into(), content: Content::Image(pin) }
    }

    fn image(pin: ImagePin) -> BTreeMap<String, LockedInput> {
        BTreeMap::from([(IMAGE_INPUT.to_owned(), verified(pin))])
    }

    #[test]
    fn a_fresh_lock_verifies_and_survives_its_file() {
        let recipe = Some(Digest::of(b"recipe"));
        let none = BTreeMap::new;
        let registry = image(pin("docker.io/org/image:1"));
        for (lane, inputs) in [(process(), none()), (docker("self"), none()), (docker("org/image:1"), registry)] {
            let lock = lock_lane(&lane, &files(), inputs, recipe);
            verify_lock(&lane, &lock, &files(), recipe).unwrap();
            assert_eq!(Lock::parse("lock", &lock.to_toml()).unwrap(), lock);
        }
    }

    #[test]
    fn a_lane_keeps_the_recipe_of_its_own_image_alone() {
        let lock = |lane: Lane| lock_lane(&lane, &files(), BTreeMap::new(), Some(Digest::of(b"recipe")));
        let kept = |lock: Lock| lock.self_image.is_some();
        assert_eq!(
            (kept(lock(process())), kept(lock(docker("self"))), kept(lock(docker("a:1")))),
            (false, true, false)
        );
    }

    #[test]
    fn an_edited_lane_says_how_to_lock_it_again() {
        let lock = lock_lane(&process(), &files(), BTreeMap::new(), None);
        let mut edited = process();
        edited.limits.wall_s += 1.0;
        let error = verify_lock(&edited, &lock, &files(), None).unwrap_err().to_string();
        assert!(error.contains("edited since it was locked") && error.contains("lockstep lock native"), "{error}");
        edited.limits = process().limits;
        edited.description = "another description".into();
        verify_lock(&edited, &lock, &files(), None).unwrap();
    }

    #[test]
    fn another_lane_s_lock_is_refused() {
        let mut other = process();
        other.name = "other".into();
        let lock = lock_lane(&other, &files(), BTreeMap::new(), None);
        let error = verify_lock(&process(), &lock, &files(), None).unwrap_err().to_string();
        assert_eq!(error, "the lock is for the lane `other`, not for `native`; run `lockstep lock native`");
    }

    #[test]
    fn changed_new_and_missing_files_are_all_named() {
        let lock = lock_lane(&process(), &files(), BTreeMap::new(), None);
        let mut now = files();
        now.insert("runner/a.py".into(), Digest::of(b"changed"));
        now.remove("runner/b.py");
        now.insert("runner/c.py".into(), Digest::of(b"c"));
        let error = verify_lock(&process(), &lock, &now, None).unwrap_err().to_string();
        for part in ["runner/a.py (from ", "runner/b.py (gone)", "runner/c.py (new)"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_image_must_be_pinned_under_its_own_reference() {
        let verify = |image: &str, pin: Option<ImagePin>| {
            let lane = docker(image);
            let inputs = pin.map(self::image).unwrap_or_default();
            verify_lock(&lane, &lock_lane(&lane, &files(), inputs, None), &files(), None)
        };
        assert!(verify("image:1", Some(pin("docker.io/library/image:1"))).is_ok());
        assert!(matches!(verify("image:1", None), Err(Error::NotPinned { key, .. }) if key == "input.image"));
        assert!(matches!(verify("image:1", Some(pin("docker.io/library/image:2"))), Err(Error::OtherImage { .. })));
        for (content, good) in [("index", true), ("manifest", true), ("other", false)] {
            let image = format!("image@{}", Digest::of(content.as_bytes()));
            assert_eq!(verify(&image, Some(pin(&image))).is_ok(), good, "{content}");
        }
    }

    #[test]
    fn a_self_built_image_is_held_to_its_recipe() {
        let lane = docker("self");
        let lock = lock_lane(&lane, &files(), BTreeMap::new(), Some(Digest::of(b"recipe")));
        let verify = |recipe| verify_lock(&lane, &lock, &files(), recipe);
        assert!(matches!(verify(Some(Digest::of(b"other"))), Err(Error::RecipeDiffers { .. })));
        assert!(matches!(verify(None), Err(Error::NotPinned { .. })));
        let unpinned = lock_lane(&lane, &files(), BTreeMap::new(), None);
        let verdict = verify_lock(&lane, &unpinned, &files(), Some(Digest::of(b"recipe")));
        assert!(matches!(verdict, Err(Error::NotPinned { key, .. }) if key == "self_image"));
    }

    #[test]
    fn an_image_that_is_only_stated_keeps_the_lane_from_running_whatever_its_input_is_called() {
        let text = PROCESS.replace("\"process\"", "\"docker\"").replace("[process]", "[docker]");
        let text = text.replace("program = \"self\"", "build = \"toy\"");
        let base = "[input.base]\nkind = \"image\"\nreference = \"a/b:1\"\nargument = \"BASE\"\n";
        let built = Lane::parse("lane", &format!("{text}\n{base}")).unwrap();
        for (lane, input, words) in
            [(built, "base", "its input \"base\" is "), (docker("a/b:1"), "image", "its image is ")]
        {
            let digest = Digest::of(b"stated");
            let content = Content::ImageDigest { reference: "docker.io/a/b:1".into(), digest };
            let stated = LockedInput::Stated { source: "a page of its project".into(), content };
            let lock = lock_lane(&lane, &files(), BTreeMap::from([(input.to_owned(), stated)]), None);
            verify_lock(&lane, &lock, &files(), None).unwrap();
            let found = unresolved(&lane, &lock);
            let [(text, resolve)] = found.as_slice() else { panic!("{found:?}") };
            assert!(text.starts_with(words) && text.contains("a page of its project alone"), "{text}");
            assert_eq!(resolve, "`lockstep lock native` where its registry serves it");
            // What is verified keeps nothing back.
            let lock = lock_lane(&lane, &files(), BTreeMap::from([(input.to_owned(), verified(pin("a/b:1")))]), None);
            assert_eq!(unresolved(&lane, &lock), []);
        }
    }

    #[test]
    fn a_pin_that_the_lane_does_not_use_is_refused() {
        let stray = |lock: &Lock| match verify_lock(&process(), lock, &files(), None) {
            Err(Error::Stray { key, .. }) => key,
            other => panic!("{other:?}"),
        };
        let lock = lock_lane(&process(), &files(), image(pin("a:1")), None);
        assert_eq!(stray(&lock), "input.image");
        let recipe = Some(SelfImagePin { recipe: Digest::of(b"r"), config: None, diff_ids: vec![] });
        let lock = Lock { self_image: recipe, ..lock_lane(&process(), &files(), BTreeMap::new(), None) };
        assert_eq!(stray(&lock), "self_image");
    }

    #[test]
    fn a_run_s_copy_names_what_ran_and_still_verifies() {
        let lane = docker("self");
        let recipe = Some(Digest::of(b"recipe"));
        let lock = lock_lane(&lane, &files(), BTreeMap::new(), recipe);
        let (executable, config) = (Digest::of(b"executable"), Digest::of(b"config"));
        let copy = run_copy(&lock, Some(executable), Some((config, vec![Digest::of(b"layer")])));
        assert_eq!(copy.executable, Some(executable));
        let built = copy.self_image.clone().unwrap();
        assert_eq!((built.config, built.diff_ids), (Some(config), vec![Digest::of(b"layer")]));
        verify_lock(&lane, &copy, &files(), recipe).unwrap();
        assert_eq!(Lock::parse("lock", &copy.to_toml()).unwrap(), copy);
        let native = run_copy(&lock_lane(&process(), &files(), BTreeMap::new(), None), None, Some((config, vec![])));
        assert_eq!(native.self_image, None);
    }
}
