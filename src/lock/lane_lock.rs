//! Writing and checking a lane's lock. Pure: what was hashed and resolved comes in, a lock or a verdict on it goes out.

use std::collections::BTreeMap;

use super::change::changes;
use super::{Error, ImageReference};
use crate::plan::{ImagePin, Lane, Launcher, Lock, SelfImagePin};
use crate::terms::Digest;

/// Version of the lock's format.
const SCHEMA: u32 = 1;
/// What a docker lane writes for the image that Lockstep builds itself.
const SELF_IMAGE: &str = "self";

/// What a lane's image is pinned by.
enum ImageKind<'a> {
    /// A process lane has none.
    None,
    /// Built from the executable; pinned by its recipe.
    OwnRecipe,
    /// From a registry; pinned by digests.
    Registry(&'a str),
}

fn image_kind(lane: &Lane) -> ImageKind<'_> {
    match &lane.launcher {
        Launcher::Process(_) => ImageKind::None,
        Launcher::Docker(docker) if docker.image == SELF_IMAGE => ImageKind::OwnRecipe,
        Launcher::Docker(docker) => ImageKind::Registry(&docker.image),
    }
}

/// The lock of `lane` as `lockstep lock` writes it.
///
/// `files` are the shipped files that the lane executes, by path below `containers/`; `pin` is what
/// [`super::Registry::resolve`] found for the lane's image; `self_recipe` is the recipe of the self-built image. Of the
/// last two a lane keeps the one that it needs; a lock that lacks it fails [`verify_lock`].
#[must_use]
pub fn lock_lane(
    lane: &Lane,
    files: &BTreeMap<String, Digest>,
    pin: Option<ImagePin>,
    self_recipe: Option<Digest>,
) -> Lock {
    let (image, self_image) = match image_kind(lane) {
        ImageKind::None => (None, None),
        ImageKind::OwnRecipe => {
            (None, self_recipe.map(|recipe| SelfImagePin { recipe, config: None, diff_ids: Vec::new() }))
        }
        ImageKind::Registry(_) => (pin, None),
    };
    Lock {
        schema: SCHEMA,
        lane: lane.name.clone(),
        manifest: lane.digest(),
        executable: None,
        files: files.clone(),
        image,
        self_image,
    }
}

/// Whether `lock` still says what `lane` is. `files` and `self_recipe` are as in [`lock_lane`], taken now.
///
/// The executable and the built image are no part of this: they change with every build, and stand only in a run's
/// own copy of the lock.
///
/// # Errors
/// The first that differs, in this order: the lane's name, its manifest, its files, its image.
pub fn verify_lock(
    lane: &Lane,
    lock: &Lock,
    files: &BTreeMap<String, Digest>,
    self_recipe: Option<Digest>,
) -> Result<(), Error> {
    let name = || lane.name.clone();
    let Lock { schema: _, lane: locked_lane, manifest, executable: _, files: locked_files, image, self_image } = lock;
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
    match (image_kind(lane), image, self_image) {
        (ImageKind::None, None, None) => Ok(()),
        (ImageKind::OwnRecipe, None, Some(pin)) => verify_recipe(lane, pin, self_recipe),
        (ImageKind::Registry(wanted), Some(pin), None) => verify_pin(lane, wanted, pin),
        (ImageKind::OwnRecipe, None, None) => {
            Err(Error::NotPinned { lane: name(), needs: "the self-built image".into(), key: "self_image" })
        }
        (ImageKind::Registry(wanted), None, None) => {
            Err(Error::NotPinned { lane: name(), needs: format!("the image {wanted}"), key: "image" })
        }
        (ImageKind::None | ImageKind::OwnRecipe, Some(_), _) => Err(Error::Stray { lane: name(), key: "image" }),
        (ImageKind::None | ImageKind::Registry(_), _, Some(_)) => Err(Error::Stray { lane: name(), key: "self_image" }),
    }
}

fn verify_recipe(lane: &Lane, pin: &SelfImagePin, found: Option<Digest>) -> Result<(), Error> {
    match found {
        Some(found) if found == pin.recipe => Ok(()),
        Some(found) => Err(Error::RecipeDiffers { lane: lane.name.clone(), found, locked: pin.recipe }),
        None => {
            let needs = "the self-built image, whose recipe was not given to compare".into();
            Err(Error::NotPinned { lane: lane.name.clone(), needs, key: "self_image" })
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

    #[test]
    fn a_fresh_lock_verifies_and_survives_its_file() {
        let recipe = Some(Digest::of(b"recipe"));
        for lane in [process(), docker("self"), docker("org/image:1")] {
            let lock = lock_lane(&lane, &files(), Some(pin("docker.io/org/image:1")), recipe);
            verify_lock(&lane, &lock, &files(), recipe).unwrap();
            assert_eq!(Lock::parse("lock", &lock.to_toml()).unwrap(), lock);
        }
    }

    #[test]
    fn a_lane_keeps_only_the_pin_that_it_needs() {
        let lock = |lane: Lane| lock_lane(&lane, &files(), Some(pin("a:1")), Some(Digest::of(b"recipe")));
        let kept = |lock: Lock| (lock.image.is_some(), lock.self_image.is_some());
        assert_eq!(kept(lock(process())), (false, false));
        assert_eq!(kept(lock(docker("self"))), (false, true));
        assert_eq!(kept(lock(docker("a:1"))), (true, false));
    }

    #[test]
    fn an_edited_lane_says_how_to_lock_it_again() {
        let lock = lock_lane(&process(), &files(), None, None);
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
        let lock = lock_lane(&other, &files(), None, None);
        let error = verify_lock(&process(), &lock, &files(), None).unwrap_err().to_string();
        assert_eq!(error, "the lock is for the lane `other`, not for `native`; run `lockstep lock native`");
    }

    #[test]
    fn changed_new_and_missing_files_are_all_named() {
        let lock = lock_lane(&process(), &files(), None, None);
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
            verify_lock(&lane, &lock_lane(&lane, &files(), pin, None), &files(), None)
        };
        assert!(verify("image:1", Some(pin("docker.io/library/image:1"))).is_ok());
        assert!(matches!(verify("image:1", None), Err(Error::NotPinned { key: "image", .. })));
        assert!(matches!(verify("image:1", Some(pin("docker.io/library/image:2"))), Err(Error::OtherImage { .. })));
        for (content, good) in [("index", true), ("manifest", true), ("other", false)] {
            let image = format!("image@{}", Digest::of(content.as_bytes()));
            assert_eq!(verify(&image, Some(pin(&image))).is_ok(), good, "{content}");
        }
    }

    #[test]
    fn a_self_built_image_is_held_to_its_recipe() {
        let lane = docker("self");
        let lock = lock_lane(&lane, &files(), None, Some(Digest::of(b"recipe")));
        let verify = |recipe| verify_lock(&lane, &lock, &files(), recipe);
        assert!(matches!(verify(Some(Digest::of(b"other"))), Err(Error::RecipeDiffers { .. })));
        assert!(matches!(verify(None), Err(Error::NotPinned { .. })));
        let unpinned = lock_lane(&lane, &files(), None, None);
        let verdict = verify_lock(&lane, &unpinned, &files(), Some(Digest::of(b"recipe")));
        assert!(matches!(verdict, Err(Error::NotPinned { key: "self_image", .. })));
    }

    #[test]
    fn a_pin_that_the_lane_does_not_use_is_refused() {
        let lock = Lock { image: Some(pin("a:1")), ..lock_lane(&process(), &files(), None, None) };
        assert!(matches!(verify_lock(&process(), &lock, &files(), None), Err(Error::Stray { key: "image", .. })));
        let recipe = Some(SelfImagePin { recipe: Digest::of(b"r"), config: None, diff_ids: vec![] });
        let lock = Lock { self_image: recipe, ..lock_lane(&process(), &files(), None, None) };
        assert!(matches!(verify_lock(&process(), &lock, &files(), None), Err(Error::Stray { key: "self_image", .. })));
    }

    #[test]
    fn a_run_s_copy_names_what_ran_and_still_verifies() {
        let lane = docker("self");
        let recipe = Some(Digest::of(b"recipe"));
        let lock = lock_lane(&lane, &files(), None, recipe);
        let (executable, config) = (Digest::of(b"executable"), Digest::of(b"config"));
        let copy = run_copy(&lock, Some(executable), Some((config, vec![Digest::of(b"layer")])));
        assert_eq!(copy.executable, Some(executable));
        let built = copy.self_image.clone().unwrap();
        assert_eq!((built.config, built.diff_ids), (Some(config), vec![Digest::of(b"layer")]));
        verify_lock(&lane, &copy, &files(), recipe).unwrap();
        assert_eq!(Lock::parse("lock", &copy.to_toml()).unwrap(), copy);
        let native = run_copy(&lock_lane(&process(), &files(), None, None), None, Some((config, vec![])));
        assert_eq!(native.self_image, None);
    }
}
