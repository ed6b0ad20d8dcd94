//! Package sets: a requirements file whose every package is pinned to a version and to hashes, and the check that the
//! package index has files with these hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::web::Web;
use super::{Error, RegistryOptions};
use crate::terms::Digest;

/// The page of a package with thousands of files has some megabytes.
const LARGEST_PAGE_BYTES: u64 = 64 << 20;

/// One package of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pinned {
    /// By PEP 503: lower case, one `-` for each run of `-`, `_` and `.`.
    pub name: String,
    pub version: String,
    pub hashes: BTreeSet<Digest>,
}

/// Reads a requirements file as pip does with `--require-hashes`: `NAME==VERSION` and its hashes, each on a line of its
/// own that the one before continues.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Pinned>, Error> {
    let fault = |line: usize, problem: String| {
        let hint = "make it anew by `lockstep lock --requirements NAME`".to_owned();
        Error::Requirements { file: file.to_owned(), line, problem, hint }
    };
    let mut found: Vec<Pinned> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let words = line.split('#').next().unwrap_or_default().trim().trim_end_matches('\\');
        for word in words.split_whitespace() {
            match word.strip_prefix("--hash=") {
                Some(hash) => {
                    let digest = hash.parse().map_err(|error| fault(number, format!("{hash:?}: {error}")))?;
                    let last = found.last_mut().ok_or_else(|| fault(number, "a hash of no package".to_owned()))?;
                    last.hashes.insert(digest);
                }
                None if word.starts_with('-') => {
                    return Err(fault(number, format!("the option {word:?} is not taken")));
                }
                None => found.push(
                    pinned(word)
                        .ok_or_else(|| fault(number, format!("{word:?} is not pinned: expected NAME==VERSION")))?,
                ),
            }
        }
    }
    if let Some(bare) = found.iter().find(|package| package.hashes.is_empty()) {
        return Err(fault(0, format!("{}=={} has no hash", bare.name, bare.version)));
    }
    match found.is_empty() {
        true => Err(fault(0, "it pins no package".to_owned())),
        false => Ok(found),
    }
}

fn pinned(word: &str) -> Option<Pinned> {
    let (name, version) = word.split_once("==")?;
    let good = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '!'))
    };
    (good(name) && good(version)).then(|| Pinned {
        name: normal(name),
        version: version.to_owned(),
        hashes: BTreeSet::new(),
    })
}

pub(super) fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

/// What an index lists, by package; asked for once each.
#[derive(Debug, Default)]
pub(super) struct Listed(BTreeMap<String, BTreeSet<Digest>>);

/// Whether the index at `index` has a file for each hash of `packages`.
pub(super) async fn verify(
    options: &Arc<RegistryOptions>,
    index: &str,
    packages: &[Pinned],
    listed: &mut Listed,
) -> Result<(), Error> {
    let web = Web::open(options, index)?;
    for Pinned { name, version, hashes } in packages {
        if !listed.0.contains_key(name) {
            let what = format!("the files of {name}");
            let (_, page) = web.get(what, &format!("{name}/"), "text/html", LARGEST_PAGE_BYTES).await?;
            listed.0.insert(name.clone(), hashes_of(&String::from_utf8_lossy(&page)));
        }
        let there = listed.0.get(name);
        if let Some(digest) = hashes.iter().find(|hash| there.is_none_or(|there| !there.contains(hash))) {
            let (package, index) = (format!("{name}=={version}"), index.to_owned());
            return Err(Error::UnknownPackage { package, digest: *digest, index });
        }
    }
    Ok(())
}

/// The digests that a page of the simple index (PEP 503) gives its files in their URLs.
fn hashes_of(page: &str) -> BTreeSet<Digest> {
    let after = page.split("#sha256=").skip(1);
    after.filter_map(|rest| format!("sha256:{}", rest.get(..64)?).parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_with_every_hash() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let text = format!(
            "# made by a tool\nTyping_Extensions==4.1 \\\n    --hash={a} \\\n    --hash={b}\n    # via torch\ntorch==2.7.1+cu126 --hash={a}\n"
        );
        let found = parse("set.txt", &text).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].version.as_str()), ("typing-extensions", "4.1"));
        assert_eq!((found[0].hashes.len(), found[1].version.as_str()), (2, "2.7.1+cu126"));
    }

    #[test]
    fn what_leaves_anything_open_is_refused_with_its_line() {
        let hash = Digest::of(b"a");
        for (text, expected) in [
            ("torch\n".to_owned(), "set.txt:1: \"torch\" is not pinned"),
            (format!("torch>=2 --hash={hash}\n"), "is not pinned"),
            ("torch==2\n".to_owned(), "torch==2 has no hash"),
            ("--index-url https://a\n".to_owned(), "set.txt:1: the option"),
            ("torch==2 --hash=md5:00\n".to_owned(), "md5"),
            (format!("--hash={hash}"), "a hash of no package"),
            ("# nothing\n".to_owned(), "pins no package"),
        ] {
            let error = parse("set.txt", &text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_page_s_hashes_are_those_of_its_links() {
        let digest = Digest::of(b"a");
        let page = format!("<a href=\"/a.whl#sha256={}\">a</a> #sha256=short", digest.hex());
        assert_eq!(hashes_of(&page), BTreeSet::from([digest]));
    }
}
