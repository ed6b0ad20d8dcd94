//! Facts about a host that a measurement's identity rests on.

use serde::{Deserialize, Serialize};

use super::Digest;

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuFacts {
    /// Architecture, for example `x86_64`.
    pub arch: String,
    /// Vendor id, for example `AuthenticAMD`; empty where the kernel does not say.
    pub vendor: String,
    /// Model name as the kernel prints it.
    pub model_name: String,
    /// Family number; with `model`, the silicon behind the name.
    pub family: u32,
    /// Model number.
    pub model: u32,
    /// Logical processors online.
    pub cores: u32,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuFacts {
    /// Marketing name, for example `NVIDIA H200`.
    pub name: String,
    /// Device UUID.
    pub uuid: String,
    /// Total memory in bytes.
    pub memory_bytes: u64,
    /// Processes of others on the device when it was read.
    pub other_processes: u32,
}

/// What a journal's header says about the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostFacts {
    /// Digest of the machine id; the id itself is confidential by its manual page.
    pub machine: Digest,
    /// Boot id.
    pub boot: String,
    /// Operating system, for example `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// The processor.
    pub cpu: CpuFacts,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// GPUs, in index order.
    pub gpus: Vec<GpuFacts>,
    /// Driver version, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}
