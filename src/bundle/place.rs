//! Which paths a bundle may hold: names below its own folders that mean the same file on every file system.

use super::Error;

/// The folders of a bundle.
const FOLDERS: [&str; 9] =
    ["bin", "containers", "images", "lanes", "lockfiles", "models", "overlays", "plans", "snapshots"];
/// Longest name of a file or folder that common file systems take.
const LONGEST_NAME: usize = 255;

/// Checks one path.
pub(super) fn check(path: &str) -> Result<(), Error> {
    let wrong = |problem| Err(Error::Path { path: path.chars().take(300).collect(), problem });
    if path.starts_with('/') {
        return wrong("is an absolute path");
    }
    if path.split('/').any(|part| part == "..") {
        return wrong("leads out of its folder");
    }
    if path.split('/').any(|part| matches!(part, "" | ".")) {
        return wrong("has an empty name in it");
    }
    // Two spellings of a letter, or a backslash, are one name here and two elsewhere.
    let plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') || c == ' ';
    if !path.chars().all(plain) {
        return wrong("holds a character that is not safe in a file name");
    }
    if path.split('/').any(|part| part.len() > LONGEST_NAME) {
        return wrong("has a name of more than 255 bytes");
    }
    let folder = path.split_once('/').map(|(folder, _)| folder);
    if path != super::METADATA && !folder.is_some_and(|folder| FOLDERS.contains(&folder)) {
        return wrong("lies in no folder that a bundle has");
    }
    Ok(())
}

/// Checks that no two of the paths, which are sorted or not, are one file on some file system, and that none is the folder
/// of another.
pub(super) fn check_apart<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut spelled: Vec<(String, &str)> = paths.map(|path| (path.to_ascii_lowercase(), path)).collect();
    spelled.sort();
    let wrong = |path: &str, problem| Err(Error::Path { path: path.to_owned(), problem });
    for pair in spelled.windows(2) {
        let [(one, _), (two, path)] = pair else { continue };
        if one == two {
            return wrong(path, "stands twice, in the same or in another case");
        }
    }
    let known: std::collections::BTreeSet<&str> = spelled.iter().map(|(lower, _)| lower.as_str()).collect();
    for (lower, path) in &spelled {
        let folders = lower.match_indices('/').filter_map(|(at, _)| lower.get(..at));
        for folder in folders {
            if known.contains(folder) {
                return wrong(path, "lies below another entry, which is a file");
            }
        }
    }
    Ok(())
}
