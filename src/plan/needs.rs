//! What a lane needs of its host, so that all that is missing can be said before anything is downloaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;
use super::document::{Document, key};

/// Axes of a host's own Python that an overlay lane may depend on.
const HOST_AXES: [&str; 4] = ["python", "torch", "transformers", "triton"];
/// More than any host has; a larger number is a slip of the pen.
const MOST_MIB: u64 = 1 << 30;

/// What a lane needs of its host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// NVIDIA GPUs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus: u32,
    /// Compute capabilities that the stack is built for, for example `90` for 9.0; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sm: Vec<u32>,
    /// Memory of one GPU, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory_mib: Option<u64>,
    /// Memory of the host, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Free disk for images and caches, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mib: Option<u64>,
    /// Names of environment variables that must be set, for example `HF_TOKEN`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
    /// Platform of the host, for example `linux/amd64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Versions of the host's own Python and of what is installed in it, by axis. `3.12` takes 3.12.3; a local part
    /// (`+cu130`) counts where it is written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Needs {
    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The needs in a few words each.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let Self { gpus, sm, gpu_memory_mib, memory_mib, disk_mib, credentials, platform, host } = self;
        let mut words = Vec::new();
        if *gpus > 0 {
            words.push(format!("{gpus} GPU{}", if *gpus == 1 { "" } else { "s" }));
        }
        if !sm.is_empty() {
            words.push(sm.iter().map(|sm| format!("sm_{sm}")).collect::<Vec<_>>().join(" or "));
        }
        let sizes = [(gpu_memory_mib, "GPU memory"), (memory_mib, "memory"), (disk_mib, "disk")];
        words.extend(sizes.iter().filter_map(|(size, what)| size.map(|mib| format!("{mib} MiB {what}"))));
        words.extend(credentials.iter().map(|name| format!("${name}")));
        words.extend(platform.iter().cloned());
        words.extend(host.iter().map(|(axis, version)| format!("host {axis} {version}")));
        words
    }
}

pub(super) fn check(document: &Document<'_>, needs: &Needs) -> Result<(), Error> {
    let Needs { gpus, sm, gpu_memory_mib, memory_mib, disk_mib, credentials, platform, host } = needs;
    let fault = |path: &str, message: String| Err(document.fault(&format!("needs.{path}"), message, None));
    if *gpus > 1_024 {
        return fault("gpus", format!("{gpus} is out of range: expected up to 1024"));
    }
    if *gpus == 0 && (!sm.is_empty() || gpu_memory_mib.is_some()) {
        return fault("gpus", "is 0, and the lane asks for a kind of GPU".to_owned());
    }
    if let Some(odd) = sm.iter().find(|sm| !(10..1_000).contains(*sm)) {
        return fault("sm", format!("{odd} is no compute capability: expected for example 90 for 9.0"));
    }
    for (path, size) in [("gpu_memory_mib", gpu_memory_mib), ("memory_mib", memory_mib), ("disk_mib", disk_mib)] {
        if let Some(size) = size.filter(|size| *size == 0 || *size > MOST_MIB) {
            return fault(path, format!("{size} is out of range: expected 1 to {MOST_MIB}"));
        }
    }
    let variable = |name: &&String| {
        name.is_empty() || !name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    if let Some(odd) = credentials.iter().find(variable) {
        return fault("credentials", format!("{odd:?} is no name of a variable"));
    }
    if let Some(odd) = platform.as_ref().filter(|platform| !platform.contains('/')) {
        return fault("platform", format!("{odd:?} is no platform: expected for example linux/amd64"));
    }
    for (axis, version) in host {
        let path = format!("host.{}", key(axis));
        if !HOST_AXES.contains(&axis.as_str()) {
            return fault(&path, format!("unknown axis: known are {}", HOST_AXES.join(", ")));
        }
        let numbers = version.split('+').next().unwrap_or_default();
        if !numbers.split('.').all(|part| part.parse::<u32>().is_ok()) {
            return fault(&path, format!("{version:?} is no version"));
        }
    }
    Ok(())
}

/// Whether `found` is the version that `wanted` names: each number that is written must be equal, and so must the local
/// part where one is written.
#[must_use]
pub fn is_version(wanted: &str, found: &str) -> bool {
    let (numbers, local) = wanted.split_once('+').map_or((wanted, None), |(numbers, local)| (numbers, Some(local)));
    let (found_numbers, found_local) = found.split_once('+').map_or((found, None), |(n, local)| (n, Some(local)));
    let mut parts = found_numbers.split('.');
    let equal = numbers.split('.').all(|part| parts.next() == Some(part));
    equal && (local.is_none() || local == found_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_held_to_what_is_written_of_it() {
        for (wanted, found, same) in [
            ("3.12", "3.12.3", true),
            ("3.12", "3.1", false),
            ("3.1", "3.12.3", false),
            ("2.11.0", "2.11.0+cu130", true),
            ("2.11.0+cu130", "2.11.0+cu130", true),
            ("2.11.0+cu130", "2.11.0+cu128", false),
            ("2.11.0+cu130", "2.11.0", false),
            ("2.11.0", "2.11", false),
        ] {
            assert_eq!(is_version(wanted, found), same, "{wanted} {found}");
        }
    }
}
