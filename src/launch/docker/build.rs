//! Images that are built from a lane's Dockerfile: everything that the build sees comes from the lock, and the image is
//! found again by the lock's digest.

use std::collections::{BTreeMap, HashMap};
use std::io;

use bollard::query_parameters::{BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions};
use futures_util::{FutureExt as _, StreamExt as _};

use super::engine::{Engine, NEWS_DEADLINE, within};
use super::image::ImageFacts;
use super::image_tree::tree_of_image;
use crate::launch::Error;
use crate::plan::{Build, Content, ImagePin, Input, Lane, Lock};
use crate::terms::{Digest, canonical_json};

/// Marks images that were built from a lane's lock; its value is the lane's name.
const LABEL: &str = "org.lockstep.lane";
/// The repository that they are kept under in the engine; nothing is ever pushed there.
const REPOSITORY: &str = "lockstep-lane";

/// An image that was built from a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// The name that the engine holds it under.
    pub reference: String,
    /// The engine's own id; another with every build, since it holds times.
    pub id: Digest,
    /// Digest of its normalised file tree, the same for every build from one lock.
    pub tree: Digest,
}

/// The name of the image that is built from `lock`. What a run adds to its own copy, and what the build itself gave, is
/// no part of it.
#[must_use]
pub fn built_reference(lock: &Lock) -> String {
    let bare = Lock { executable: None, self_image: None, built: None, ..lock.clone() };
    let text = canonical_json(&bare).unwrap_or_default();
    let word = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let lane: String = lock.lane.chars().map(word).take(80).collect();
    format!("{REPOSITORY}:{lane}-{}", Digest::of(text.as_bytes()).short())
}

/// The build arguments: those of the manifest, and those that the lock fills.
///
/// # Errors
/// An input that fills one is not resolved.
pub fn build_arguments(lane: &Lane, build: &Build, lock: &Lock) -> Result<BTreeMap<String, String>, Error> {
    let mut arguments = build.arguments.clone();
    for (name, input) in &lane.inputs {
        let Some(argument) = input.argument() else { continue };
        let content = lock.inputs.get(name).and_then(|entry| entry.content());
        let value = content
            .and_then(|content| value_of(input, content))
            .ok_or_else(|| Error::Unresolved { lane: lane.name.clone(), input: name.clone() })?;
        arguments.insert(argument.to_owned(), value);
    }
    Ok(arguments)
}

fn value_of(input: &Input, content: &Content) -> Option<String> {
    let by_digest = |reference: &str, digest: Digest| {
        let name = reference.split('@').next().unwrap_or_default();
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let tag = name.get(last..).and_then(|part| part.find(':')).map_or(name.len(), |colon| last + colon);
        name.get(..tag).map(|repository| format!("{repository}@{digest}"))
    };
    match content {
        Content::Image(ImagePin { reference, manifest, .. }) => by_digest(reference, *manifest),
        Content::ImageDigest { reference, digest } => by_digest(reference, *digest),
        Content::Git { commit, .. } => Some(commit.clone()),
        Content::Packages { .. } => input.files(),
        Content::Patch { file, .. } => Some(file.clone()),
        Content::Overlay(_) | Content::Model { .. } => None,
    }
}

/// Builds the image of `lane` from `lock` and `files`, which are the build's whole context, by path below `containers/`.
///
/// # Errors
/// An input is not resolved, the engine fails at a step of the Dockerfile, or the image cannot be read afterwards.
pub async fn build_lane_image(
    engine: &Engine,
    lane: &Lane,
    build: &Build,
    lock: &Lock,
    files: &BTreeMap<String, Vec<u8>>,
    mut progress: impl FnMut(String),
) -> Result<BuiltImage, Error> {
    let reference = built_reference(lock);
    let arguments: HashMap<String, String> = build_arguments(lane, build, lock)?.into_iter().collect();
    let labels = HashMap::from([(LABEL.to_owned(), lane.name.clone())]);
    let context = context(files).map_err(|source| Error::ArchivePath { path: build.folder.clone(), source })?;
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(&format!("{}/Dockerfile", build.folder))
        .t(&reference)
        .buildargs(&arguments)
        .labels(&labels)
        // Steps of an earlier build would prove nothing of this lock.
        .nocache(true)
        .rm(true)
        .forcerm(true)
        .build();
    let doing = format!("building the image of lane {}", lane.name);
    let before = ImageFacts::read(engine, &reference).await?.map(|facts| facts.id);
    let mut messages = engine.docker().build_image(options, None, Some(bollard::body_full(context.into())));
    let mut last = String::new();
    loop {
        let news = messages.next().map(Option::transpose);
        let Some(message) = within(NEWS_DEADLINE, doing.clone(), news).await.map_err(|error| at_step(error, &last))?
        else {
            break;
        };
        if let Some(error) = message.error_detail.and_then(|detail| detail.message) {
            return Err(Error::Answer { doing, found: format!("{error} (after: {last})") });
        }
        let line = message.stream.unwrap_or_default().trim().to_owned();
        if line.starts_with("Step ") {
            last.clone_from(&line);
            progress(line);
        }
    }
    drop(messages);
    let built = ImageFacts::read(engine, &reference).await?;
    let found = "the build ended well, and the image is not there".to_owned();
    let id = built.ok_or(Error::Answer { doing, found })?.id;
    if let Some(old) = before.filter(|old| *old != id) {
        // It has lost its name to the new one. Where a container still uses it, it stays.
        let old = old.to_string();
        let removal = engine.docker().remove_image(&old, None::<RemoveImageOptions>, None);
        let _ = engine.ask("removing the image that was built before", removal).await;
    }
    let tree = tree_of_image(engine, &reference).await?;
    Ok(BuiltImage { reference, id, tree })
}

/// The step that failed stands in the messages before.
fn at_step(error: Error, last: &str) -> Error {
    match error {
        Error::Engine { doing, source } if !last.is_empty() => {
            Error::Engine { doing: format!("{doing} ({last})"), source }
        }
        other => other,
    }
}

/// The same files give the same bytes.
fn context(files: &BTreeMap<String, Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    archive.into_inner()
}

/// Removes images that were built from locks; returns their names. One that a container still uses stays.
///
/// # Errors
/// The engine does not list its images.
pub async fn prune_lane_images(engine: &Engine) -> Result<Vec<String>, Error> {
    let filters = HashMap::from([("label", vec![LABEL])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = engine.ask("listing images", engine.docker().list_images(Some(options))).await?;
    let mut removed = Vec::new();
    for name in images.into_iter().flat_map(|image| image.repo_tags) {
        if !name.starts_with(&format!("{REPOSITORY}:")) {
            continue;
        }
        let removal = engine.docker().remove_image(&name, None::<RemoveImageOptions>, None);
        if engine.ask(format!("removing image {name}"), removal).await.is_ok() {
            removed.push(name);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::LockedInput;

    fn lane() -> Lane {
        let text = "schema = 1\nname = \"built+1\"\nlauncher = \"docker\"\nrunner = \"pytorch\"\n[docker]\nbuild = \"toy\"\n\
                    arguments = { COLOUR = \"red\" }\n[input.base]\nkind = \"image\"\nreference = \"host:5000/a/b:1\"\n\
                    argument = \"BASE\"\n[input.set]\nkind = \"packages\"\nrequirements = \"torch\"\nargument = \"SET\"\n";
        Lane::parse("lanes/built+1.toml", text).unwrap()
    }

    fn lock(entries: &[(&str, Content)]) -> Lock {
        let entry = |content: &Content| LockedInput::Stated { source: "somebody".into(), content: content.clone() };
        let lane = lane();
        Lock {
            schema: 1,
            lane: lane.name.clone(),
            manifest: lane.digest(),
            executable: None,
            files: BTreeMap::new(),
            self_image: None,
            built: None,
            inputs: entries.iter().map(|(name, content)| ((*name).to_owned(), entry(content))).collect(),
        }
    }

    #[test]
    fn the_lock_fills_the_arguments_and_a_gap_is_refused() {
        let digest = Digest::of(b"base");
        let base = Content::ImageDigest { reference: "host:5000/a/b:1".into(), digest };
        let set = Content::Packages { requirements: "torch".into(), sha256: Digest::of(b""), packages: 1 };
        let lane = lane();
        let build = lane.launcher.build().unwrap();
        let arguments = build_arguments(&lane, build, &lock(&[("base", base.clone()), ("set", set)])).unwrap();
        let expected = [
            ("BASE", format!("host:5000/a/b@{digest}")),
            ("COLOUR", "red".to_owned()),
            ("SET", "requirements/torch.txt".to_owned()),
        ];
        assert_eq!(arguments, expected.map(|(name, value)| (name.to_owned(), value)).into());
        let error = build_arguments(&lane, build, &lock(&[("base", base)])).unwrap_err().to_string();
        assert!(error.contains("input \"set\"") && error.contains("lockstep lock built+1"), "{error}");
    }

    #[test]
    fn another_lock_is_another_image_and_what_a_run_adds_is_not() {
        let base = |content: &[u8]| {
            let content = Content::ImageDigest { reference: "a:1".into(), digest: Digest::of(content) };
            lock(&[("base", content)])
        };
        let reference = built_reference(&base(b"1"));
        assert!(reference.starts_with("lockstep-lane:built-1-"), "{reference}");
        assert_ne!(reference, built_reference(&base(b"2")));
        assert_eq!(reference, built_reference(&Lock { executable: Some(Digest::of(b"x")), ..base(b"1") }));
    }
}
