//! From a branch, a tag or a commit to a commit, by what a repository advertises (Git's smart HTTP protocol, "Discovering
//! References" of gitprotocol-http(5)).

use std::sync::Arc;

use super::web::Web;
use super::{Error, RegistryOptions};
use crate::plan::is_commit;

/// Large repositories advertise some hundred thousand references.
const LARGEST_LIST_BYTES: u64 = 64 << 20;

/// What a revision was resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub commit: String,
    /// The reference that ends there; `None` for a commit that is the end of none, so that nobody vouches for it.
    pub reference: Option<String>,
}

/// Asks `repository` for `revision`.
pub(super) async fn resolve(
    options: &Arc<RegistryOptions>,
    repository: &str,
    revision: &str,
) -> Result<Resolved, Error> {
    let web = Web::open(options, repository)?;
    let what = format!("the references of {repository}");
    let (asked, body) = web.get(what, "info/refs?service=git-upload-pack", "*/*", LARGEST_LIST_BYTES).await?;
    let references = parse(&body).map_err(|problem| Error::Malformed { asked, problem })?;
    choose(&references, revision).ok_or_else(|| Error::NoRevision {
        repository: repository.to_owned(),
        revision: revision.to_owned(),
        count: references.len(),
    })
}

/// Commit and reference, in the order of the list.
fn parse(body: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut references = Vec::new();
    let mut rest = body;
    let mut lines = 0_u32;
    while !rest.is_empty() {
        let length = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
        let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let length = length.ok_or("a line does not begin with its length: no Git smart HTTP answer")?;
        if length == 0 {
            rest = rest.get(4..).unwrap_or_default();
            continue;
        }
        let line = rest.get(4..length).ok_or("a line is shorter than it says")?;
        rest = rest.get(length..).unwrap_or_default();
        lines += 1;
        let line = String::from_utf8_lossy(line);
        let line = line.split('\0').next().unwrap_or_default().trim_end();
        if lines == 1 && !line.starts_with("# service=git-upload-pack") {
            return Err("it does not begin with the service that was asked for".to_owned());
        }
        if let Some((commit, name)) = line.split_once(' ').filter(|(commit, _)| is_commit(commit)) {
            references.push((commit.to_owned(), name.to_owned()));
        }
    }
    if lines == 0 { Err("it is empty".to_owned()) } else { Ok(references) }
}

fn choose(references: &[(String, String)], revision: &str) -> Option<Resolved> {
    if is_commit(revision) {
        let by = references.iter().find(|(commit, _)| commit == revision);
        return Some(Resolved { commit: revision.to_owned(), reference: by.map(|(_, name)| name.clone()) });
    }
    // An annotated tag is an object of its own; what it points at stands beside it, with `^{}`.
    let names = [
        revision.to_owned(),
        format!("refs/tags/{revision}^{{}}"),
        format!("refs/tags/{revision}"),
        format!("refs/heads/{revision}"),
    ];
    let found = names.iter().find_map(|name| references.iter().find(|(_, listed)| listed == name));
    found.map(|(commit, name)| Resolved { commit: commit.clone(), reference: Some(name.clone()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a";
    const B: &str = "6ecad9b5b6b987d17ac4303965545873d0192086";

    fn line(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    fn advertised() -> String {
        [
            line("# service=git-upload-pack\n"),
            "0000".to_owned(),
            line(&format!("{B} HEAD\0multi_ack symref=HEAD:refs/heads/main\n")),
            line(&format!("{B} refs/heads/main\n")),
            line(&format!("{} refs/tags/v1\n", "a".repeat(40))),
            line(&format!("{A} refs/tags/v1^{{}}\n")),
            "0000".to_owned(),
        ]
        .concat()
    }

    #[test]
    fn a_revision_is_a_branch_a_tag_or_a_commit() {
        let references = parse(advertised().as_bytes()).unwrap();
        let commit = |revision| choose(&references, revision).map(|found| (found.commit, found.reference));
        assert_eq!(commit("main"), Some((B.into(), Some("refs/heads/main".into()))));
        assert_eq!(commit("HEAD"), Some((B.into(), Some("HEAD".into()))));
        assert_eq!(commit("v1"), Some((A.into(), Some("refs/tags/v1^{}".into()))), "the commit, not the tag's object");
        assert_eq!(commit(A), Some((A.into(), Some("refs/tags/v1^{}".into()))));
        let elsewhere = "0".repeat(40);
        assert_eq!(commit(&elsewhere), Some((elsewhere.clone(), None)), "nobody vouches for it");
        assert_eq!(commit("v2"), None);
    }

    #[test]
    fn what_is_no_smart_answer_is_refused() {
        for bad in ["", "<html>", "0032too short", "0010# other one\n"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
