//! Lists of Debian's packages: every file that a build adds to its base, each with its digest. `containers/debian/list.sh`
//! makes them from the archive's signed index.

use std::collections::BTreeSet;

use super::Error;
use crate::plan::{archive_name, is_web};
use crate::terms::Digest;

/// One file of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianFile {
    /// Where it is fetched.
    pub url: String,
    /// Its digest.
    pub sha256: Digest,
}

/// Where Debian keeps the file of `url` as it was on `day` (YYYY-MM-DD): its archive drops a version when another comes.
/// Nothing for a file of anybody else's.
#[must_use]
pub fn as_of(url: &str, day: &str) -> Option<String> {
    let path = url.strip_prefix("https://deb.debian.org/")?;
    let (archive, path) = path.split_once('/')?;
    let stamp = format!("{}T235959Z", day.replace('-', ""));
    Some(format!("https://snapshot.debian.org/archive/{archive}/{stamp}/{path}"))
}

/// Reads a list: `URL sha256:HEX` on each line, `#` before what is for people.
///
/// # Errors
/// A line that is no such pair, a file that is no package or stands twice, or no file at all.
pub fn debian_files(file: &str, text: &str) -> Result<Vec<DebianFile>, Error> {
    let fault = |line: usize, problem: String| Error::Requirements {
        file: file.to_owned(),
        line,
        problem,
        hint: "make the list anew by `containers/debian/list.sh`".to_owned(),
    };
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let fault = |problem: String| fault(index + 1, problem);
        let Some((url, digest)) = line.split_once(' ') else {
            return Err(fault(format!("{line:?} is no pair of an URL and a digest")));
        };
        let name = archive_name(url);
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~');
        if !is_web(url) || !name.ends_with(".deb") || name.starts_with('.') || !name.chars().all(good) {
            return Err(fault(format!("{url:?} names no package: expected an https URL that ends in NAME.deb")));
        }
        if !names.insert(name) {
            return Err(fault(format!("{name} stands twice")));
        }
        let sha256 = digest.parse().map_err(|error| fault(format!("{digest:?}: {error}")))?;
        found.push(DebianFile { url: url.to_owned(), sha256 });
    }
    match found.is_empty() {
        true => Err(fault(0, "it names no package".to_owned())),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_debian_s_archive_has_an_address_of_a_day_and_others_have_none() {
        assert_eq!(
            as_of("https://deb.debian.org/debian/pool/main/m/make/make_4.4_amd64.deb", "2026-11-21").as_deref(),
            Some("https://snapshot.debian.org/archive/debian/20261121T235959Z/pool/main/m/make/make_4.4_amd64.deb")
        );
        assert_eq!(as_of("https://files.pythonhosted.org/packages/a.whl", "2026-11-21"), None);
    }

    #[test]
    fn a_list_is_read_with_every_digest_and_what_leaves_anything_open_is_refused() {
        let digest = Digest::of(b"package");
        let line = |url: &str| format!("{url} {digest}\n");
        let url = "https://deb.debian.org/debian/pool/main/z/zlib/zlib1g-dev_1.3.dfsg+really1.3.1-1+b1_amd64.deb";
        let read = |text: &str| debian_files("containers/debian/a.txt", text);
        let whole = format!("# made by a tool\n\n{}", line(url));
        assert_eq!(read(&whole).unwrap(), [DebianFile { url: url.to_owned(), sha256: digest }]);
        for (text, expected) in [
            (format!("{url}\n"), "a.txt:1: \"https"),
            (format!("{url} md5:00\n"), "md5:00"),
            (line("https://deb.debian.org/debian/a.tar.xz"), "names no package"),
            (line("http://deb.debian.org/debian/a.deb"), "expected an https URL"),
            (line("https://deb.debian.org/debian/$(a).deb"), "names no package"),
            (
                format!("{whole}{}", line("https://elsewhere.org/zlib1g-dev_1.3.dfsg+really1.3.1-1+b1_amd64.deb")),
                ":4: zlib1g-dev_1.3.dfsg+really1.3.1-1+b1_amd64.deb stands twice",
            ),
            ("# nothing\n".to_owned(), "a.txt: it names no package; make the list anew"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
