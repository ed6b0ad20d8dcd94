//! What public sources say about images and commits that were not seen: `containers/stated.toml`.

use serde::Deserialize;

use super::{Error, ImageReference};
use crate::plan::{Candidate, Content, LockedInput};
use crate::terms::Digest;

/// The statements of `containers/stated.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statements {
    /// About images.
    #[serde(default, rename = "image")]
    images: Vec<StatedImage>,
    /// About commits.
    #[serde(default, rename = "commit")]
    commits: Vec<StatedCommit>,
}

/// Somebody writes that this reference has this digest. One without a tag may be of any tag of its repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatedImage {
    reference: String,
    digest: Digest,
    /// Of what: `index`, a platform such as `linux/amd64`, or `unknown`.
    of: String,
    source: String,
}

/// Somebody writes that this commit is one of this repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatedCommit {
    repository: String,
    commit: String,
    source: String,
}

impl Statements {
    /// Reads them; `file` names the text in errors.
    ///
    /// # Errors
    /// The text is no such file, or holds a reference that cannot be read.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let invalid = |problem: String| Error::Statements { file: file.to_owned(), problem };
        let statements: Self = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        for StatedImage { reference, .. } in &statements.images {
            let _: ImageReference = reference.parse()?;
        }
        Ok(statements)
    }

    /// The entry for an image that its registry did not tell, because of `error`: stated where sources agree on one
    /// digest for each thing that they speak of, unresolved otherwise.
    pub(super) fn image(&self, name: &ImageReference, lane: &str, error: &Error) -> LockedInput {
        let same = |stated: &&StatedImage| {
            let reference = stated.reference.parse::<ImageReference>();
            reference
                .is_ok_and(|reference| reference == *name || (stated.names_no_tag() && reference.name() == name.name()))
        };
        let about: Vec<&StatedImage> = self.images.iter().filter(same).collect();
        // A platform's own manifest says more than an index, whose choice is not known here.
        let with_tag = || about.iter().filter(|stated| !stated.names_no_tag());
        let named = with_tag().find(|stated| stated.of.contains('/')).or_else(|| with_tag().next());
        let resolve = remedy(error, lane, name.api_host());
        let unresolved = |reason: String| {
            let candidate = |stated: &&StatedImage| Candidate {
                digest: stated.digest,
                source: format!("{} (of: {})", stated.source, stated.of),
            };
            let mut candidates: Vec<Candidate> = about.iter().map(candidate).collect();
            if named.is_none() {
                candidates.extend(self.others(name));
            }
            LockedInput::Unresolved { reason, resolve: resolve.clone(), candidates }
        };
        match (named, left_open(&about)) {
            (None, _) => unresolved(format!("{error}; containers/stated.toml states no digest for this tag")),
            (Some(_), Some(open)) => unresolved(format!("{error}; {open}")),
            (Some(StatedImage { digest, source, of, .. }), None) => LockedInput::Stated {
                source: format!("{source} (of: {of})"),
                content: Content::ImageDigest { reference: name.to_string(), digest: *digest },
            },
        }
    }

    /// What is said of other tags of the same repository: no answer, and a place to start from.
    fn others(&self, name: &ImageReference) -> impl Iterator<Item = Candidate> {
        let read = |stated: &StatedImage| Some((stated.clone(), stated.reference.parse::<ImageReference>().ok()?));
        let tagged = self.images.iter().filter(|stated| !stated.names_no_tag());
        let stated: Vec<(StatedImage, ImageReference)> = tagged.filter_map(read).collect();
        let repository = name.name();
        stated.into_iter().filter(move |(_, reference)| reference.name() == repository).map(|(stated, reference)| {
            let source = format!("{}, of {reference} and not of the tag asked for", stated.source);
            Candidate { digest: stated.digest, source }
        })
    }

    /// Who says that `commit` is one of `repository`.
    pub(super) fn commit(&self, repository: &str, commit: &str) -> Option<String> {
        let stated = self.commits.iter().find(|stated| stated.repository == repository && stated.commit == commit);
        stated.map(|stated| stated.source.clone())
    }
}

/// Why statements about one image do not settle it; nothing where they agree.
fn left_open(about: &[&StatedImage]) -> Option<&'static str> {
    let pairs = || about.iter().flat_map(|one| about.iter().map(move |other| (*one, *other)));
    // An index and a platform's manifest have different digests and do not speak against each other.
    let differ = |one: &StatedImage, other: &StatedImage| {
        one.digest != other.digest && (one.of == other.of || other.of == "unknown")
    };
    let with_tags = |(one, other): &(&StatedImage, &StatedImage)| !one.names_no_tag() && !other.names_no_tag();
    let mut of_tag = pairs().filter(with_tags).filter(|(one, other)| differ(one, other)).peekable();
    if of_tag.peek().is_some() {
        let same_thing = of_tag.any(|(one, other)| one.of == other.of && one.of != "unknown");
        return Some(match same_thing {
            true => "public sources contradict each other",
            false => "public sources state several digests and do not say of what (an index, a platform) or as of when",
        });
    }
    let open = pairs().any(|(one, other)| differ(one, other));
    open.then_some(
        "public sources that name the tag agree; one that names none states another digest, perhaps of another",
    )
}

impl StatedImage {
    fn names_no_tag(&self) -> bool {
        let last = self.reference.rsplit('/').next().unwrap_or_default();
        !last.contains([':', '@'])
    }
}

/// What to try where the registry at `host` did not tell, because of `error`. One that answered is asked again in vain
/// until what it answered to has changed.
fn remedy(error: &Error, lane: &str, host: &str) -> String {
    let again = format!("`lockstep lock {lane}`");
    match error {
        Error::NotFound { .. } => {
            format!("{host} says that it has no such image: correct the reference in lanes/{lane}.toml, then {again}")
        }
        Error::Denied { .. } | Error::Challenge { .. } => format!(
            "{host} wants a login, or has no such image: {again} --credentials FILE with a login that may read it, or \
             correct the reference in lanes/{lane}.toml"
        ),
        Error::Busy { status: 429, .. } => {
            format!(
                "{host} takes no more requests for now: {again} later, or --credentials FILE with a login that may ask more"
            )
        }
        Error::Busy { .. } => format!("{host} is in trouble: {again} later"),
        Error::Dns { .. }
        | Error::Connect { .. }
        | Error::Tls { .. }
        | Error::Timeout { .. }
        | Error::Interrupted { .. } => format!("{again} where {host} answers"),
        _ => format!("see what {host} serves there, then {again}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One statement for each pair of the digest's content and what it is of.
    fn about(reference: &str, said: &[(&str, &str)]) -> Statements {
        let entry = |(content, of): &(&str, &str)| {
            let digest = Digest::of(content.as_bytes());
            format!(
                "[[image]]\nreference = {reference:?}\ndigest = \"{digest}\"\nof = {of:?}\nsource = \"s {content}\"\n"
            )
        };
        Statements::parse("stated.toml", &said.iter().map(entry).collect::<String>()).unwrap()
    }

    fn entry(statements: &Statements) -> LockedInput {
        let error = Error::Platform { found: "no answer".into() };
        statements.image(&"a/b:1".parse().unwrap(), "lane", &error)
    }

    #[test]
    fn sources_that_agree_state_and_others_leave_it_open_by_the_reason() {
        let stated = |said| match entry(&about("docker.io/a/b:1", said)) {
            LockedInput::Stated { content: Content::ImageDigest { digest, .. }, .. } => Ok(digest),
            LockedInput::Unresolved { candidates, reason, .. } => Err((candidates.len(), reason)),
            other => panic!("{other:?}"),
        };
        assert_eq!(stated(&[("x", "unknown")]), Ok(Digest::of(b"x")));
        assert_eq!(stated(&[("i", "index"), ("m", "linux/amd64")]), Ok(Digest::of(b"m")), "the platform's own");
        for (said, why) in [
            (&[("x", "index"), ("y", "index")][..], "contradict each other"),
            (&[("x", "unknown"), ("y", "unknown")], "do not say of what"),
            (&[("x", "index"), ("y", "unknown")], "do not say of what"),
        ] {
            let (count, reason) = stated(said).unwrap_err();
            assert!(count == 2 && reason.contains(why), "{said:?}: {count}, {reason}");
        }
        let (count, reason) = stated(&[]).unwrap_err();
        assert!(count == 0 && reason.contains("stated.toml states no digest for this tag"), "{reason}");
    }

    #[test]
    fn a_source_that_names_no_tag_may_be_of_any_and_leaves_open_what_those_that_do_agree_on() {
        let both = [("docker.io/a/b:1", "x"), ("docker.io/a/b", "y"), ("docker.io/a/bc", "z")];
        let entries = both.map(|(reference, content)| {
            let digest = Digest::of(content.as_bytes());
            format!("[[image]]\nreference = {reference:?}\ndigest = \"{digest}\"\nof = \"unknown\"\nsource = \"s\"\n")
        });
        match entry(&Statements::parse("stated.toml", &entries.concat()).unwrap()) {
            LockedInput::Unresolved { candidates, reason, .. } => {
                assert!(reason.contains("that name the tag agree"), "{reason}");
                let digests: Vec<Digest> = candidates.iter().map(|candidate| candidate.digest).collect();
                assert_eq!(digests, [Digest::of(b"x"), Digest::of(b"y")]);
            }
            other => panic!("{other:?}"),
        }
        match entry(&about("docker.io/a/b", &[("y", "unknown")])) {
            LockedInput::Unresolved { candidates, .. } => assert_eq!(candidates.len(), 1, "alone it states nothing"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_registry_that_answered_is_not_asked_for_an_answer() {
        let asked = || Box::new(crate::lock::error::Asked { what: "it".into(), url: "u".into() });
        let none = String::new;
        let not_found = Error::NotFound { asked: asked(), found: none() };
        let denied = Error::Denied { asked: asked(), status: 401, found: none(), host: "h".into() };
        let busy = Error::Busy { asked: asked(), status: 429, found: none(), attempts: 4, advice: none() };
        for (error, words) in
            [(not_found, "correct the reference in lanes/a.toml"), (denied, "--credentials FILE"), (busy, "later")]
        {
            let found = remedy(&error, "a", "h");
            assert!(found.contains(words) && found.contains("lockstep lock a"), "{found}");
            assert!(!found.contains("where h answers"), "{found}");
        }
        let away = Error::Dns { asked: asked(), problem: none() };
        assert_eq!(remedy(&away, "a", "h"), "`lockstep lock a` where h answers");
    }

    #[test]
    fn what_is_said_of_another_tag_is_named_as_such_and_settles_nothing() {
        match entry(&about("docker.io/a/b:latest", &[("x", "unknown")])) {
            LockedInput::Unresolved { candidates, .. } => {
                assert!(candidates[0].source.contains("of docker.io/a/b:latest and not of the tag asked for"));
            }
            other => panic!("{other:?}"),
        }
    }
}
