//! Which of the host's GPUs are ours: all, or those that `CUDA_VISIBLE_DEVICES` names, as any CUDA program takes it.
//!
//! A host of several GPUs can so run several plans side by side. What the variable leaves out is neither listed nor
//! watched, and lanes started as processes are given the variable on. An engine's containers are given GPUs by their
//! manifest instead.

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

const NAMES: &str = "CUDA_VISIBLE_DEVICES";
/// CUDA counts the fastest GPU first unless it is told to count as the driver does.
const ORDER: (&str, &str) = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");

/// What a lane's process is given where not all GPUs are ours.
pub(super) fn given_on(named: Option<&str>) -> Vec<(&'static str, &str)> {
    named.into_iter().flat_map(|named| [(NAMES, named), ORDER]).collect()
}

/// NVML, and the GPUs that are ours, counted by their places among themselves.
#[derive(Debug)]
pub struct VisibleGpus {
    nvml: Nvml,
    indices: Vec<u32>,
}

impl VisibleGpus {
    /// Opens NVML; `named` is the variable's value, where it is set.
    ///
    /// # Errors
    /// There is no NVML, or it cannot list its devices.
    pub fn open(named: Option<&str>) -> Result<Self, NvmlError> {
        let nvml = Nvml::init()?;
        let count = nvml.device_count()?;
        let indices = match named {
            None => (0..count).collect(),
            Some(named) => {
                let uuid = |index| nvml.device_by_index(index).and_then(|device| device.uuid());
                let uuids: Vec<String> = (0..count).map(|index| uuid(index).unwrap_or_default()).collect();
                chosen(named, &uuids)
            }
        };
        Ok(Self { nvml, indices })
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.indices.len()
    }

    /// All places, in order.
    pub fn places(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.indices.len()).unwrap_or(u32::MAX)
    }

    /// The GPU at this place.
    ///
    /// # Errors
    /// There is none, or NVML does not give it.
    pub fn device(&self, place: u32) -> Result<Device<'_>, NvmlError> {
        let index = self.indices.get(place as usize).ok_or(NvmlError::InvalidArg)?;
        self.nvml.device_by_index(*index)
    }

    /// The driver's version, where NVML tells it.
    #[must_use]
    pub fn driver(&self) -> Option<String> {
        self.nvml.sys_driver_version().ok()
    }
}

/// The indices that `named` names among GPUs with these UUIDs: by index or by the beginning of a UUID, up to the first
/// name that is none, as CUDA reads it.
fn chosen(named: &str, uuids: &[String]) -> Vec<u32> {
    let index = |name: &str| {
        let by_number = name.parse::<usize>().ok().filter(|number| *number < uuids.len());
        let by_uuid = || uuids.iter().position(|uuid| name.starts_with("GPU-") && uuid.starts_with(name));
        by_number.or_else(by_uuid).and_then(|place| u32::try_from(place).ok())
    };
    named.split(',').map(|name| index(name.trim())).map_while(|index| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_named_by_index_or_by_the_beginning_of_their_uuid() {
        let uuids = ["GPU-3e", "GPU-77", "GPU-7f"].map(str::to_owned);
        assert_eq!(chosen("2,0", &uuids), [2, 0]);
        assert_eq!(chosen(" GPU-7f , GPU-3", &uuids), [2, 0]);
        assert_eq!(chosen("1,9,0", &uuids), [1], "CUDA sees none from the first name that is none on");
        for none in ["", "-1", "none", "MIG-3e", "3"] {
            assert_eq!(chosen(none, &uuids), [0_u32; 0], "{none:?}");
        }
    }
}
