//! Image references, by Docker's rules.
//!
//! Grammar and defaults are those of the `distribution/reference` library that every Docker client uses: the first
//! part is a host only when it holds a `.` or a `:`, is `localhost` or has an upper-case letter; without a host the
//! registry is `docker.io`, and there a name of one part lies below `library/`.

use std::fmt;
use std::str::FromStr;

use super::Error;
use crate::terms::Digest;

const DEFAULT_HOST: &str = "docker.io";
/// The host that Docker Hub serves its registry API on.
const DOCKER_HUB_API_HOST: &str = "registry-1.docker.io";
/// Longest repository path that registries take.
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

/// A checked image reference in its full form; `Display` writes that form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageReference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl ImageReference {
    /// The registry as the reference names it: `HOST` or `HOST:PORT`, `docker.io` by default.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host that serves the registry's API; only Docker Hub's differs from its name.
    #[must_use]
    pub fn api_host(&self) -> &str {
        if self.host == DEFAULT_HOST { DOCKER_HUB_API_HOST } else { &self.host }
    }

    /// The repository, for example `library/debian`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag: the one that was written, or `latest` when neither tag nor digest was.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that was written. It decides over the tag.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// `HOST/REPOSITORY`, without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// `HOST/REPOSITORY@DIGEST`: what an engine pulls to get exactly that manifest.
    #[must_use]
    pub fn by_digest(&self, digest: Digest) -> String {
        format!("{}@{digest}", self.name())
    }

    /// The reference by its tag alone; `None` when it has only a digest.
    #[must_use]
    pub fn without_digest(&self) -> Option<Self> {
        self.tag.is_some().then(|| Self { digest: None, ..self.clone() })
    }

    /// What a manifest is asked for by: the digest where there is one, else the tag.
    #[must_use]
    pub(super) fn selector(&self) -> Selector<'_> {
        match (self.digest, &self.tag) {
            (Some(digest), _) => Selector::Digest(digest),
            (None, Some(tag)) => Selector::Tag(tag),
            (None, None) => Selector::Tag("latest"),
        }
    }

    /// Whether the host is this machine itself: `localhost`, 127.0.0.0/8 or `[::1]`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(split_port(&self.host).0)
    }
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector<'a> {
    Tag(&'a str),
    Digest(Digest),
}

impl fmt::Display for Selector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

/// Whether `host` (no port; IPv6 in brackets or not) names this machine itself.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageReference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = |problem: String, hint: &str| Error::Reference {
            found: text.chars().take(300).collect(),
            problem,
            hint: hint.to_owned(),
        };
        if text.is_empty() {
            return Err(fault("is empty".into(), "write [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:...]"));
        }
        if text.contains("://") {
            return Err(fault(
                "starts with a URL scheme".into(),
                "write the reference without it, HOST/REPOSITORY:TAG",
            ));
        }
        if let Some(bad) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(fault(format!("holds the character {bad:?}"), "remove it"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let digest = digest.map(|d| read_digest(d).map_err(|(problem, hint)| fault(problem, hint))).transpose()?;
        let name_start = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest.get(name_start..).and_then(|last| last.rfind(':')) {
            Some(colon) => {
                let (name, tag) = rest.split_at(name_start + colon);
                (name, Some(tag.trim_start_matches(':')))
            }
            None => (rest, None),
        };
        if let Some(tag) = tag {
            check_tag(tag).map_err(|(problem, hint)| fault(problem, hint))?;
        }
        let (host, repository) = split_host(name);
        check_host(host).map_err(|(problem, hint)| fault(problem, hint))?;
        check_repository(&repository).map_err(|(problem, hint)| fault(problem, hint))?;
        let tag = match (tag, digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { host: host.to_owned(), repository, tag, digest })
    }
}

type Problem = (String, &'static str);

/// Docker's split of host and path, with its defaults.
fn split_host(name: &str) -> (&str, String) {
    let (host, path) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => (DEFAULT_HOST, name),
    };
    let host = if host == "index.docker.io" { DEFAULT_HOST } else { host };
    if host == DEFAULT_HOST && !path.contains('/') && !path.is_empty() {
        (host, format!("library/{path}"))
    } else {
        (host, path.to_owned())
    }
}

fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase)
}

/// Host and port; the brackets of an IPv6 address stay.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rfind(':') {
        Some(colon) if !host.get(colon..).is_some_and(|tail| tail.contains(']')) => {
            let (host, port) = host.split_at(colon);
            (host, port.get(1..))
        }
        _ => (host, None),
    }
}

fn check_host(host: &str) -> Result<(), Problem> {
    let (name, port) = split_port(host);
    // A sign would pass the parse, and zero is no port.
    let is_port =
        |port: &str| port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if let Some(port) = port.filter(|port| !is_port(port)) {
        return Err((format!("has the port {port:?}"), "a port is a number from 1 to 65535"));
    }
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err((format!("has the host {name:?}"), "brackets hold an IPv6 address, for example [::1]:5000")),
        };
    }
    let part_is_good = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(part_is_good) {
        let hint =
            "a host has letters, digits, `.` and inner `-`; an upper-case letter in the first part makes it a host";
        return Err((format!("has the host {name:?}"), hint));
    }
    Ok(())
}

fn check_repository(repository: &str) -> Result<(), Problem> {
    const HINT: &str = "a repository has lower-case letters and digits, joined by one of `.` `_` `__` `-` or by `/`";
    if repository.is_empty() {
        return Err(("names no repository".into(), "write [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:...]"));
    }
    if repository.len() > LONGEST_REPOSITORY {
        let problem = format!("has a repository of {} characters", repository.len());
        return Err((problem, "registries take at most 255"));
    }
    if let Some(upper) = repository.chars().find(|c| c.is_uppercase()) {
        return Err((format!("has the upper-case letter {upper:?} in its repository"), "repositories are lower case"));
    }
    if !repository.split('/').all(is_path_part) {
        return Err((format!("has the repository {repository:?}"), HINT));
    }
    let last = repository.strip_prefix("library/").unwrap_or(repository);
    if last.len() == 64 && last.bytes().all(|c| c.is_ascii_hexdigit()) {
        let hint = "64 hex digits alone would be an image id; write REPOSITORY@sha256:... to name a digest";
        return Err(("is 64 hex digits".into(), hint));
    }
    Ok(())
}

/// `[a-z0-9]+` joined by one `.`, one or two `_`, or any number of `-`.
fn is_path_part(part: &str) -> bool {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = part.as_bytes();
    if !(bytes.first().copied().is_some_and(word) && bytes.last().copied().is_some_and(word)) {
        return false;
    }
    part.split(|c: char| c.is_ascii() && word(c as u8))
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|c| c == b'-'))
}

fn check_tag(tag: &str) -> Result<(), Problem> {
    const HINT: &str = "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two";
    let good = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'.' || c == b'-';
    if tag.is_empty() || tag.len() > LONGEST_TAG || !tag.bytes().all(good) || tag.starts_with(['.', '-']) {
        return Err((format!("has the tag {:?}", tag.chars().take(140).collect::<String>()), HINT));
    }
    Ok(())
}

fn read_digest(text: &str) -> Result<Digest, Problem> {
    text.parse().map_err(|_| match text.split_once(':') {
        Some((algorithm, _)) if algorithm != "sha256" => {
            (format!("has a digest by {algorithm:?}"), "only sha256 digests are taken")
        }
        _ => (
            format!("has the digest {:?}", text.chars().take(100).collect::<String>()),
            "a digest is `sha256:` and 64 lower-case hex digits",
        ),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full(text: &str) -> String {
        text.parse::<ImageReference>().map_or_else(|error| error.to_string(), |r| r.to_string())
    }

    #[test]
    fn docker_s_defaults_are_filled_in() {
        let sha = Digest::of(b"x");
        for (text, expected) in [
            ("debian", "docker.io/library/debian:latest".to_owned()),
            ("debian:12", "docker.io/library/debian:12".to_owned()),
            ("vllm/vllm-openai:v0.11.0", "docker.io/vllm/vllm-openai:v0.11.0".to_owned()),
            ("docker.io/debian", "docker.io/library/debian:latest".to_owned()),
            ("index.docker.io/debian", "docker.io/library/debian:latest".to_owned()),
            ("localhost/a", "localhost/a:latest".to_owned()),
            ("localhost:5000/a:b", "localhost:5000/a:b".to_owned()),
            ("localhost:5000", "docker.io/library/localhost:5000".to_owned()),
            ("127.0.0.1:5000/lanes/a__b:1", "127.0.0.1:5000/lanes/a__b:1".to_owned()),
            ("[::1]:5000/a", "[::1]:5000/a:latest".to_owned()),
            ("[::1]/a", "[::1]/a:latest".to_owned()),
            ("GHCR.example/org/a--b:1", "GHCR.example/org/a--b:1".to_owned()),
            (&format!("a@{sha}"), format!("docker.io/library/a@{sha}")),
            (&format!("a:1@{sha}"), format!("docker.io/library/a:1@{sha}")),
        ] {
            assert_eq!(full(text), expected, "{text}");
        }
    }

    #[test]
    fn a_digest_decides_over_the_tag() {
        let sha = Digest::of(b"x");
        let reference: ImageReference = format!("a:1@{sha}").parse().unwrap();
        assert_eq!(reference.selector(), Selector::Digest(sha));
        assert_eq!((reference.tag(), reference.digest()), (Some("1"), Some(sha)));
    }

    #[test]
    fn only_docker_hub_answers_on_another_host() {
        assert_eq!("debian".parse::<ImageReference>().unwrap().api_host(), "registry-1.docker.io");
        assert_eq!("quay.example/a".parse::<ImageReference>().unwrap().api_host(), "quay.example");
    }

    #[test]
    fn loopback_hosts_are_known() {
        for (text, expected) in [
            ("localhost:5000/a", true),
            ("127.0.0.1/a", true),
            ("127.9.9.9:80/a", true),
            ("[::1]:5000/a", true),
            ("128.0.0.1/a", false),
            ("localhost.example/a", false),
            ("127.0.0.1.example/a", false),
            ("debian", false),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_with_a_hint() {
        let hex = Digest::of(b"x").hex();
        for (text, part) in [
            ("", "is empty"),
            ("https://a.example/b", "scheme"),
            ("a b", "' '"),
            ("a\nb", "'\\n'"),
            ("a:", "tag"),
            ("a:-1", "tag"),
            (&format!("a:{}", "t".repeat(129)), "tag"),
            ("a/", "repository"),
            ("/a", "repository"),
            ("a//b", "repository"),
            ("org/a..b", "repository"),
            ("org/Debian", "upper-case"),
            ("a___b", "repository"),
            ("a._b", "repository"),
            ("-a", "repository"),
            ("é", "repository"),
            ("a.example:x/b", "port"),
            ("a.example:0/b", "port"),
            ("a.example:70000/b", "port"),
            ("a.example:/b", "port"),
            ("-a.example/b", "host"),
            ("[::g]/b", "host"),
            ("a@sha512:00", "sha512"),
            ("a@sha256:00", "digest"),
            ("a@", "digest"),
            (&hex, "64 hex"),
            (&"a/".repeat(128), "characters"),
        ] {
            let error = text.parse::<ImageReference>().expect_err(text).to_string();
            assert!(error.contains(part) && error.contains("; "), "{text:?}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_refused_or_survives_its_own_text_in_5_000_cases(
            text in prop_oneof![any::<String>(), "[a-zA-Z0-9.:/@_\\[\\]-]{0,60}", "([a-z0-9.-]{1,9}(:[0-9]{1,5})?/)?[a-z0-9._/-]{1,20}(:[\\w.-]{1,12})?"]
        ) {
            if let Ok(reference) = text.parse::<ImageReference>() {
                let again: ImageReference = reference.to_string().parse().unwrap();
                prop_assert_eq!(again, reference);
            }
        }
    }
}
