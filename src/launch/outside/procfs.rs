//! Readers of `/proc/PID`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The fields of `/proc/PID/stat` that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::launch) struct Stat {
    pub pid: u32,
    pub state: char,
    pub ppid: u32,
    pub pgrp: u32,
    /// User and system time of the process and of its reaped children, in clock ticks.
    pub cpu_ticks: u64,
    /// Start time, in clock ticks since boot.
    pub start_ticks: u64,
}

impl Stat {
    /// Ended, whether or not its parent has reaped it.
    pub(in crate::launch) const fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// A mapping of a file's code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::launch) struct CodeMapping {
    /// The file, as the process sees it.
    pub path: String,
    /// Its inode.
    pub inode: u64,
    /// The address range, as `/proc/PID/map_files` names it.
    pub range: String,
}

/// The process's `stat`, when it exists and can be seen.
pub(in crate::launch) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&text(pid, "stat")?)
}

/// A text of `/proc/PID`. Names and paths in it may hold any bytes, and one that is no UTF-8 must not hide the rest.
pub(in crate::launch) fn text(pid: u32, entry: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{entry}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The `stat` of every process that can be seen.
pub(in crate::launch) fn all_stats() -> Vec<Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The process's children, from the kernel's own list; `None` where the kernel keeps none.
pub(in crate::launch) fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        match std::fs::read_to_string(task.path().join("children")) {
            Ok(text) => found.extend(text.split_ascii_whitespace().filter_map(|id| id.parse::<u32>().ok())),
            // A thread that ended meanwhile has nothing to say; a kernel without the list says so for every thread.
            Err(_) if !task.path().exists() => {}
            Err(_) => return None,
        }
    }
    Some(found)
}

/// The environment the process was started with.
pub(in crate::launch) fn environment(pid: u32) -> Option<BTreeMap<String, String>> {
    Some(
        text(pid, "environ")?
            .split('\0')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}

/// The command line, one entry an argument; empty of a process that has ended.
pub(in crate::launch) fn command_line(pid: u32) -> Option<Vec<String>> {
    let text = text(pid, "cmdline")?;
    // Each argument ends with a zero byte, an empty one too.
    let arguments = text.strip_suffix('\0').unwrap_or(&text);
    Some(if text.is_empty() { Vec::new() } else { arguments.split('\0').map(str::to_owned).collect() })
}

/// A field of `/proc/PID/status`, for example `CapEff`.
pub(in crate::launch) fn status_field(status: &str, name: &str) -> Option<String> {
    status.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.trim().to_owned())
    })
}

/// The executable's path, as the process sees it.
pub(in crate::launch) fn executable(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Files that are mapped executable, one entry a file, sorted by path.
pub(in crate::launch) fn code_mappings(pid: u32) -> Option<Vec<CodeMapping>> {
    let mut found: Vec<CodeMapping> = text(pid, "maps")?.lines().filter_map(parse_mapping).collect();
    found.sort();
    found.dedup_by(|a, b| a.path == b.path && a.inode == b.inode);
    Some(found)
}

/// Whether a path of `/proc` may be used in the process's own view of the file system.
pub(in crate::launch) fn in_root_of(pid: u32, path: &str) -> PathBuf {
    Path::new(&format!("/proc/{pid}/root")).join(path.trim_start_matches('/'))
}

fn parse_stat(text: &str) -> Option<Stat> {
    let pid = text.split_ascii_whitespace().next()?.parse().ok()?;
    // The name stands in parentheses and may itself hold spaces and parentheses; the last one closes it.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    // proc_pid_stat(5) counts from 1, and the state is number 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = [14, 15, 16, 17].map(number);
    Some(Stat {
        pid,
        state: fields.first()?.chars().next()?,
        ppid: number(4)?.try_into().ok()?,
        pgrp: number(5)?.try_into().ok()?,
        cpu_ticks: ticks.into_iter().try_fold(0_u64, |sum, ticks| sum.checked_add(ticks?))?,
        start_ticks: number(22)?,
    })
}

fn parse_mapping(line: &str) -> Option<CodeMapping> {
    let mut fields = line.splitn(6, ' ');
    let (range, permissions) = (fields.next()?, fields.next()?);
    let inode = fields.nth(2)?.parse().ok()?;
    let path = fields.next()?.trim_start();
    if !permissions.contains('x') || !path.starts_with('/') {
        return None;
    }
    Some(CodeMapping { path: unescape(path), inode, range: range.to_owned() })
}

/// The kernel writes a line feed in a path as `\012`.
fn unescape(path: &str) -> String {
    path.replace("\\012", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_anything() {
        let text = "42 (a) b) R 1 2) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 3 4 20 0 1 0 5678 9 10 11\n";
        let stat = parse_stat(text).unwrap();
        let expected = Stat { pid: 42, state: 'S', ppid: 7, pgrp: 42, cpu_ticks: 37, start_ticks: 5678 };
        assert_eq!(stat, expected);
        for bad in ["", "42", "42 (a", "42 (a)", "42 (a) S 1", "x (a) S 7 42 42 0 -1 1 1 2 3 4 1 2 3 4 20 0 1 0 5 9"] {
            assert_eq!(parse_stat(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_files_that_are_mapped_executable_are_code() {
        let code = "7f00-7f10 r-xp 00001000 fe:00 1234                       /lib/with space.so";
        let expected = CodeMapping { path: "/lib/with space.so".into(), inode: 1234, range: "7f00-7f10".into() };
        assert_eq!(parse_mapping(code), Some(expected));
        for other in [
            "7f00-7f10 r--p 00001000 fe:00 1234                       /lib/a.so",
            "7f00-7f10 r-xp 00000000 00:00 0                          [vdso]",
            "7f00-7f10 r-xp 00000000 00:00 0 ",
            "",
        ] {
            assert_eq!(parse_mapping(other), None, "{other:?}");
        }
    }

    #[test]
    fn this_process_is_seen_as_it_is() {
        let pid = std::process::id();
        assert_eq!(executable(pid), std::env::current_exe().ok());
        let stat = stat(pid).unwrap();
        assert!(!stat.is_dead());
        assert!(all_stats().iter().any(|other| other.pid == pid && other.start_ticks == stat.start_ticks));
        let own = executable(pid).unwrap().to_string_lossy().into_owned();
        assert!(code_mappings(pid).unwrap().iter().any(|mapping| mapping.path == own));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        assert_eq!(status_field(&status, "Pid"), Some(pid.to_string()));
    }
}
