//! Images that are built from a lane's Dockerfile: everything that the build sees comes from the lock, and the image is
//! found again by the lock's digest.

use std::collections::{BTreeMap, HashMap};
use std::io;

use bollard::models::ImageSummary;
use bollard::query_parameters::{BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions};
use futures_util::{FutureExt as _, StreamExt as _};

use super::base_image::{base_reference, check_bases};
use super::engine::{Engine, NEWS_DEADLINE, within};
use super::image::ImageFacts;
use super::image_tree::tree_of_image;
use super::pull::PullNews;
use crate::launch::Error;
use crate::plan::{Build, Content, ImagePin, Input, Lane, Lock};
use crate::terms::{Digest, canonical_json};

/// Marks images that were built from a lane's lock; its value is the lane's name.
const LABEL: &str = "org.lockstep.lane";
/// The repository that they are kept under in the engine; nothing is ever pushed there.
const REPOSITORY: &str = "lockstep-lane";

/// What an engine says in place of a name.
const NO_NAME: &str = "<none>:<none>";

/// The build argument of the image that a lane's own starts from.
const FOUNDATION: &str = "FOUNDATION";
/// The folder of a build's context that holds archives, each in a folder named after its input.
const INPUTS: &str = "inputs";

/// Where a build finds the archive of an input.
#[must_use]
pub fn archive_path(input: &str, file: &str) -> String {
    format!("{INPUTS}/{input}/{file}")
}

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
        Content::LocalImage { tree, .. } => Some(base_reference(*tree)),
        Content::Archive { .. } | Content::Debian { .. } | Content::Overlay(_) | Content::Model { .. } => None,
    }
}

/// Builds the image of `lane` from `lock` and `files`, which are the build's whole context, by path below `containers/`.
/// `progress` hears each step of a Dockerfile, and how far the pull of a base is.
///
/// # Errors
/// An input is not resolved, a base that was made on a host is not there, the engine fails at a step of a Dockerfile, or
/// the image cannot be read afterwards.
pub async fn build_lane_image(
    engine: &Engine,
    lane: &Lane,
    build: &Build,
    lock: &Lock,
    files: &BTreeMap<String, Vec<u8>>,
    mut progress: impl FnMut(String),
) -> Result<BuiltImage, Error> {
    let reference = built_reference(lock);
    let mut arguments = build_arguments(lane, build, lock)?;
    check_bases(engine, lock).await?;
    if let Some(folder) = &build.foundation {
        let foundation = Step::foundation(lane, folder, &arguments, files);
        match ImageFacts::read(engine, &foundation.reference).await? {
            Some(_) => progress(format!("{folder} is there as {}", foundation.reference)),
            None => drop(foundation.build(engine, &mut progress).await?),
        }
        arguments.insert(FOUNDATION.to_owned(), foundation.reference);
    }
    let own = |path: &str| build.foundation.as_deref().is_none_or(|folder| !is_below(path, folder));
    let files = files.iter().filter(|(path, _)| own(path)).map(|(path, bytes)| (path.clone(), bytes.clone()));
    let step = Step { lane, folder: &build.folder, reference, arguments, files: files.collect() };
    let before = ImageFacts::read(engine, &step.reference).await?.map(|facts| facts.id);
    let id = step.build(engine, &mut progress).await?;
    if let Some(old) = before.filter(|old| *old != id) {
        remove_nameless(engine, &old.to_string()).await;
    }
    let tree = tree_of_image(engine, &step.reference).await?;
    Ok(BuiltImage { reference: step.reference, id, tree })
}

/// Removes an image that has lost its name to a newer one. Where a container still uses it, it stays, and so does one that
/// has another name or was not built here.
async fn remove_nameless(engine: &Engine, id: &str) {
    let doing = "removing the image that was built before";
    let Ok(image) = engine.ask(doing, engine.docker().inspect_image(id)).await else { return };
    let named = [image.repo_tags, image.repo_digests].into_iter().flatten().any(|names| !names.is_empty());
    let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
    if !named && labels.contains_key(LABEL) {
        let _ = engine.ask(doing, engine.docker().remove_image(id, None::<RemoveImageOptions>, None)).await;
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The build of one Dockerfile.
struct Step<'a> {
    lane: &'a Lane,
    /// The folder below `containers/` that holds the Dockerfile.
    folder: &'a str,
    /// What the image is called.
    reference: String,
    arguments: BTreeMap<String, String>,
    /// The whole context.
    files: BTreeMap<String, Vec<u8>>,
}

impl<'a> Step<'a> {
    /// The image that the lane's own starts from. Its name is the digest of all that goes into it: the arguments that its
    /// Dockerfile takes, the files of its folder and the archives that it copies. So it is built once on each engine.
    fn foundation(
        lane: &'a Lane,
        folder: &'a str,
        arguments: &BTreeMap<String, String>,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let dockerfile = files.get(&format!("{folder}/Dockerfile")).map(|bytes| String::from_utf8_lossy(bytes));
        let dockerfile = dockerfile.unwrap_or_default();
        let taken = |name: &str| {
            let names = dockerfile.lines().filter_map(|line| line.strip_prefix("ARG "));
            names.into_iter().any(|taken| taken.split('=').next().is_some_and(|taken| taken.trim() == name))
        };
        let arguments = arguments.iter().filter(|(name, _)| taken(name));
        let arguments: BTreeMap<String, String> =
            arguments.map(|(name, value)| (name.clone(), value.clone())).collect();
        let copied = |path: &str| path.rsplit_once('/').is_some_and(|(input, _)| dockerfile.contains(input));
        let in_context = |path: &str| is_below(path, folder) || (is_below(path, INPUTS) && copied(path));
        let files = files.iter().filter(|(path, _)| in_context(path));
        let files: BTreeMap<String, Vec<u8>> = files.map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
        let digests: BTreeMap<&String, Digest> = files.iter().map(|(path, bytes)| (path, Digest::of(bytes))).collect();
        let content = canonical_json(&(&arguments, digests)).unwrap_or_default();
        let reference = format!("{REPOSITORY}:{folder}-foundation-{}", Digest::of(content.as_bytes()).short());
        Self { lane, folder, reference, arguments, files }
    }

    /// Builds it; gives the engine's own id.
    async fn build(&self, engine: &Engine, progress: &mut impl FnMut(String)) -> Result<Digest, Error> {
        let Self { lane, folder, reference, arguments, files } = self;
        let arguments: HashMap<&String, &String> = arguments.iter().collect();
        let labels = HashMap::from([(LABEL.to_owned(), lane.name.clone())]);
        let mut files = files.clone();
        if let Some(dockerfile) = files.get_mut(&format!("{folder}/Dockerfile")) {
            *dockerfile = marked(&String::from_utf8_lossy(dockerfile), &lane.name).into_bytes();
        }
        let context = context(&files).map_err(|source| Error::ArchivePath { path: (*folder).to_owned(), source })?;
        let options = BuildImageOptionsBuilder::default()
            .dockerfile(&format!("{folder}/Dockerfile"))
            .t(reference)
            .buildargs(&arguments)
            .labels(&labels)
            // Steps of an earlier build would prove nothing of this lock.
            .nocache(true)
            .rm(true)
            .forcerm(true)
            .build();
        let doing = format!("building the image of lane {} from {folder}", lane.name);
        let mut messages = engine.docker().build_image(options, None, Some(bollard::body_full(context.into())));
        let (mut last, mut pulled) = (String::new(), PullNews::default());
        loop {
            let news = messages.next().map(Option::transpose);
            let Some(message) =
                within(NEWS_DEADLINE, doing.clone(), news).await.map_err(|error| at_step(error, &last))?
            else {
                break;
            };
            if let Some(error) = message.error_detail.and_then(|detail| detail.message) {
                return Err(Error::Answer { doing, found: format!("{error} (after: {last})") });
            }
            // What is pulled for a step, in the words that a pull of its own has.
            if let Some(news) = pulled.fresh(message.id, message.status, message.progress_detail) {
                progress(news.to_string());
            }
            let line = message.stream.unwrap_or_default().trim().to_owned();
            if line.starts_with("Step ") {
                last.clone_from(&line);
                progress(line);
            }
        }
        drop(messages);
        let built = ImageFacts::read(engine, reference).await?;
        let found = "the build ended well, and the image is not there".to_owned();
        Ok(built.ok_or(Error::Answer { doing, found })?.id)
    }
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

/// The Dockerfile with the label in each of its stages: the engine itself gives it to the last one alone, and images of
/// the others stay behind without a name. What is in the files of an image does not change by it.
fn marked(dockerfile: &str, lane: &str) -> String {
    let mut text = String::with_capacity(dockerfile.len());
    let mut in_from = false;
    for line in dockerfile.lines() {
        text.push_str(line);
        text.push('\n');
        in_from |= line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("FROM"));
        if in_from && !line.trim_end().ends_with('\\') {
            text.push_str(&format!("LABEL {LABEL}=\"{lane}\"\n"));
            in_from = false;
        }
    }
    text
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

/// Removes images that were built from locks, and what is left of the builds' stages; returns names, or ids of those that
/// have none. One that a container still uses stays, and so does a name that somebody else gave.
///
/// # Errors
/// The engine does not list its images.
pub async fn prune_lane_images(engine: &Engine) -> Result<Vec<String>, Error> {
    let filters = HashMap::from([("label", vec![LABEL])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = engine.ask("listing images", engine.docker().list_images(Some(options))).await?;
    let mut removed = Vec::new();
    let nameless = |image: &ImageSummary| {
        image.repo_tags.iter().all(|name| name == NO_NAME)
            && image.repo_digests.iter().all(|name| name.starts_with("<none>@"))
    };
    // Images with names stand on what has none.
    let (without, with): (Vec<_>, Vec<_>) = images.into_iter().partition(nameless);
    let own = |name: &String| name.starts_with(&format!("{REPOSITORY}:"));
    let names = with.into_iter().flat_map(|image| image.repo_tags).filter(own);
    for name in names.chain(without.into_iter().map(|image| image.id)) {
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
            build: BTreeMap::new(),
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
    fn a_foundation_is_named_by_what_goes_into_it_and_by_nothing_else() {
        let dockerfile = "ARG BASE\nFROM ${BASE}\nARG GIL=\"\"\nCOPY inputs/source /tmp\n";
        let files = |source: &str, wheel: &str, runner: &str| {
            let files = [
                ("cpython/Dockerfile", dockerfile),
                ("inputs/source/a.tar", source),
                ("inputs/numpy/b.whl", wheel),
                ("runner/a.py", runner),
            ];
            files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).into()
        };
        let arguments = |gil: &str, other: &str| {
            [("BASE", "base"), ("GIL", gil), ("OTHER", other)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        };
        let lane = lane();
        let step = |a: &BTreeMap<_, _>, f: &BTreeMap<_, _>| Step::foundation(&lane, "cpython", a, f);
        let base = step(&arguments("", "1"), &files("s", "w", "r"));
        assert!(base.reference.starts_with("lockstep-lane:cpython-foundation-"), "{}", base.reference);
        assert_eq!(base.files.keys().collect::<Vec<_>>(), ["cpython/Dockerfile", "inputs/source/a.tar"]);
        assert_eq!(base.arguments.keys().collect::<Vec<_>>(), ["BASE", "GIL"]);
        assert_eq!(step(&arguments("", "2"), &files("s", "v", "q")).reference, base.reference);
        assert_ne!(step(&arguments("--disable-gil", "1"), &files("s", "w", "r")).reference, base.reference);
        assert_ne!(step(&arguments("", "1"), &files("t", "w", "r")).reference, base.reference);
    }

    #[test]
    fn every_stage_carries_the_label_and_nothing_else_changes() {
        let text =
            "# FROM nowhere\nARG BASE\nFROM ${BASE} AS first\nRUN echo FROM\nfrom \\\n  ${BASE}\nCOPY --from=first a b";
        let label = "LABEL org.lockstep.lane=\"a+1\"\n";
        let expected = format!(
            "# FROM nowhere\nARG BASE\nFROM ${{BASE}} AS first\n{label}RUN echo FROM\nfrom \\\n  ${{BASE}}\n{label}COPY --from=first a b\n"
        );
        assert_eq!(marked(text, "a+1"), expected);
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
