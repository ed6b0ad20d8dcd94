//! Which files make up the project: what git tracks or would track, or the whole folder where there is no git.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What a build or a run leaves behind; only asked about where git cannot answer.
const LEFT_BEHIND: [&str; 5] = [".git", "target", "runs", "result", "__pycache__"];

/// Paths relative to `root`, with `/` between their parts, sorted.
pub fn files(root: &Path) -> Vec<String> {
    let mut paths = from_git(root).unwrap_or_else(|| from_folder(root));
    paths.retain(|path| root.join(path).is_file());
    paths.sort();
    paths
}

fn from_git(root: &Path) -> Option<Vec<String>> {
    if !root.join(".git").exists() {
        return None;
    }
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.split_terminator('\0').map(str::to_owned).collect())
}

fn from_folder(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if entry.path().is_dir() && !LEFT_BEHIND.contains(&name.as_str()) {
                folders.push(path);
            } else if entry.path().is_file() {
                found.push(path);
            }
        }
    }
    found
}
