//! A process's control groups, version 1, 2 or both: limits and processor time.

use std::path::{Path, PathBuf};

use super::procfs;

/// The folders of a process's control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::launch) struct Cgroup {
    path: String,
    memory: Option<Folder>,
    cpu: Option<Folder>,
    cpuacct: Option<Folder>,
    pids: Option<Folder>,
}

/// One group's folder, and the mount point above which nothing is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    version: Version,
    mount: PathBuf,
    group: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A line of `mountinfo` that mounts control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    version: Version,
    root: String,
    point: PathBuf,
    controllers: Vec<String>,
}

impl Cgroup {
    /// The control groups of `pid`, where its `cgroup` file and the mounts can be read.
    pub(in crate::launch) fn of(pid: u32) -> Option<Self> {
        let groups = procfs::text(pid, "cgroup")?;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::parse(&groups, &mounts)
    }

    fn parse(groups: &str, mountinfo: &str) -> Option<Self> {
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(parse_mount).collect();
        let folder = |controller: &str| folder(groups, &mounts, controller);
        let path = group_of(groups, Some("memory")).or_else(|| group_of(groups, None))?;
        Some(Self {
            path: path.to_owned(),
            memory: folder("memory"),
            cpu: folder("cpu"),
            cpuacct: folder("cpuacct"),
            pids: folder("pids"),
        })
    }

    /// The group's name, as the kernel writes it.
    pub(in crate::launch) fn path(&self) -> &str {
        &self.path
    }

    /// Memory limit in bytes, the lowest of the group and those above it; `None` without one.
    pub(in crate::launch) fn memory_limit_bytes(&self) -> Option<u64> {
        // Version 1 writes "no limit" as the largest page-aligned number.
        let unlimited = 1 << 60;
        let limit = self
            .memory
            .as_ref()?
            .lowest(|folder, at| number(&at.join(folder.version.pick("memory.limit_in_bytes", "memory.max"))))?;
        (limit < unlimited).then_some(limit)
    }

    /// Processors that may be used at a time, the lowest of the group and those above it; `None` without a limit.
    pub(in crate::launch) fn cpu_limit(&self) -> Option<f64> {
        // In millionths, so that limits can be ordered as whole numbers.
        let millionths = self.cpu.as_ref()?.lowest(|folder, at| {
            let (quota, period) = match folder.version {
                Version::One => (number(&at.join("cpu.cfs_quota_us"))?, number(&at.join("cpu.cfs_period_us"))?),
                Version::Two => {
                    let text = std::fs::read_to_string(at.join("cpu.max")).ok()?;
                    let (quota, period) = text.trim().split_once(' ')?;
                    (quota.parse().ok()?, period.parse().ok()?)
                }
            };
            quota.checked_mul(1_000_000)?.checked_div(period)
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a count of processors in millionths is far below 2^53")]
        Some(millionths as f64 / 1.0e6)
    }

    /// Processes and threads that the group may hold; `None` without a limit.
    pub(in crate::launch) fn pids_limit(&self) -> Option<u64> {
        self.pids.as_ref()?.lowest(|_, at| number(&at.join("pids.max")))
    }

    /// Processor time that the group used so far, in nanoseconds.
    pub(in crate::launch) fn cpu_ns(&self) -> Option<u64> {
        let folder = self.cpuacct.as_ref()?;
        match folder.version {
            Version::One => number(&folder.group.join("cpuacct.usage")),
            Version::Two => {
                let text = std::fs::read_to_string(folder.group.join("cpu.stat")).ok()?;
                let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
                usage.trim().parse::<u64>().ok()?.checked_mul(1_000)
            }
        }
    }
}

impl Version {
    const fn pick(self, one: &'static str, two: &'static str) -> &'static str {
        match self {
            Self::One => one,
            Self::Two => two,
        }
    }
}

impl Folder {
    /// The lowest value from the group's folder up to the mount point.
    fn lowest(&self, value: impl Fn(&Self, &Path) -> Option<u64>) -> Option<u64> {
        self.group.ancestors().take_while(|at| at.starts_with(&self.mount)).filter_map(|at| value(self, at)).min()
    }
}

fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The group's path for a version 1 controller, or, for `None`, of version 2.
fn group_of<'a>(groups: &'a str, controller: Option<&str>) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let matches = match controller {
            Some(name) => controllers.split(',').any(|other| other == name),
            None => number == "0" && controllers.is_empty(),
        };
        matches.then_some(path)
    })
}

fn folder(groups: &str, mounts: &[Mount], controller: &str) -> Option<Folder> {
    let one = mounts.iter().find(|mount| mount.controllers.iter().any(|name| name == controller));
    let two = || mounts.iter().find(|mount| mount.version == Version::Two);
    let (mount, path) = match (one, group_of(groups, Some(controller))) {
        (Some(mount), Some(path)) => (mount, path),
        _ => (two()?, group_of(groups, None)?),
    };
    // A group outside the mounted part (`/..` seen from a cgroup namespace) cannot be read.
    let below = path.strip_prefix(mount.root.trim_end_matches('/'))?;
    if below.split('/').any(|part| part == "..") {
        return None;
    }
    let group = mount.point.join(below.trim_start_matches('/'));
    Some(Folder { version: mount.version, mount: mount.point.clone(), group })
}

fn parse_mount(line: &str) -> Option<Mount> {
    // proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, `-`, type, source, super options.
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    let version = match kind {
        "cgroup" => Version::One,
        "cgroup2" => Version::Two,
        _ => return None,
    };
    let controllers = match version {
        Version::One => options.split(',').map(str::to_owned).collect(),
        Version::Two => Vec::new(),
    };
    Some(Mount { version, root: root.to_owned(), point: PathBuf::from(point), controllers })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw";

    #[test]
    fn version_one_controllers_have_folders_of_their_own() {
        let groups = "4:pids:/docker/ab\n3:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/\n";
        let cgroup = Cgroup::parse(groups, HYBRID).unwrap();
        assert_eq!(cgroup.path(), "/docker/ab");
        let memory = cgroup.memory.unwrap();
        assert_eq!((memory.version, memory.group), (Version::One, "/sys/fs/cgroup/memory/docker/ab".into()));
        assert_eq!(cgroup.cpuacct.unwrap().group, Path::new("/sys/fs/cgroup/cpu,cpuacct/docker/ab"));
    }

    #[test]
    fn version_two_has_one_folder_and_respects_its_mounts_root() {
        let mounts = "30 25 0:26 /user.slice /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let cgroup = Cgroup::parse("0::/user.slice/a.scope\n", mounts).unwrap();
        assert_eq!(cgroup.memory.as_ref().unwrap().group, Path::new("/sys/fs/cgroup/a.scope"));
        assert_eq!(cgroup.memory, cgroup.pids);
        let outside = Cgroup::parse("0::/../b.scope\n", mounts).unwrap();
        assert_eq!(outside.memory, None, "a group outside the mounted part is not guessed at");
        assert_eq!(Cgroup::parse("", mounts), None);
    }

    #[test]
    fn the_lowest_limit_on_the_way_up_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("outer/inner");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |at: &Path, name: &str, text: &str| std::fs::write(at.join(name), text).unwrap();
        let outer = root.path().join("outer");
        write(&outer, "memory.max", "4096\n");
        write(&inner, "memory.max", "max\n");
        write(&outer, "cpu.max", "max 100000\n");
        write(&inner, "cpu.max", "150000 100000\n");
        write(&outer, "pids.max", "64\n");
        write(&inner, "pids.max", "256\n");
        write(&inner, "cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
        let folder = Folder { version: Version::Two, mount: root.path().to_owned(), group: inner };
        let [memory, cpu, cpuacct, pids] = [(); 4].map(|()| Some(folder.clone()));
        let cgroup = Cgroup { path: "/outer/inner".into(), memory, cpu, cpuacct, pids };
        assert_eq!(cgroup.memory_limit_bytes(), Some(4096));
        assert_eq!(cgroup.cpu_limit(), Some(1.5));
        assert_eq!(cgroup.pids_limit(), Some(64));
        assert_eq!(cgroup.cpu_ns(), Some(1_234_000));
    }
}
