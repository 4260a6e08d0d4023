//! Which device is meant by the name that users give it, and opening it.

use crate::cuda::{CudaDevice, CudaDriver, Precision, devices};
use crate::{CpuDevice, Device, EngineError};
use std::fmt;
use std::str::FromStr;

/// A device by its name: `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first NVIDIA GPU that can be used, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number, counted from 0.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => return Ok(Self::Cuda(0)),
            _ => {}
        }
        let number = text.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        number.map(Self::Cuda).ok_or("choose auto, cpu, cuda or cuda:N, where N counts GPUs from 0")
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(index) => write!(formatter, "cuda:{index}"),
        }
    }
}

/// A device, and what results are reported to come from.
pub struct OpenDevice {
    /// The device.
    pub device: Box<dyn Device>,
    /// What was chosen: the CPU or a GPU.
    pub choice: DeviceChoice,
    /// How its products are rounded; the CPU's are not.
    pub precision: Precision,
    /// Why no GPU was chosen, where there is one that cannot be used. Of several, what the first one said.
    pub unusable_gpu: Option<EngineError>,
}

impl DeviceChoice {
    /// Opens the device. The CPU computes on so many threads, 0 takes one per core; a GPU rounds products to `precision`.
    ///
    /// # Errors
    /// A GPU that was chosen by its number and cannot be used, threads that cannot be started.
    pub fn open(self, precision: Precision, threads: usize) -> Result<OpenDevice, EngineError> {
        match self {
            Self::Cpu => cpu(threads, None),
            Self::Cuda(index) => gpu(index, precision),
            Self::Auto => match first_usable_gpu(precision) {
                Ok(Some(gpu)) => Ok(gpu),
                Ok(None) => cpu(threads, None),
                Err(reason) => cpu(threads, Some(reason)),
            },
        }
    }
}

fn cpu(threads: usize, unusable_gpu: Option<EngineError>) -> Result<OpenDevice, EngineError> {
    let device = Box::new(CpuDevice::new(threads)?);
    Ok(OpenDevice { device, choice: DeviceChoice::Cpu, precision: Precision::F32, unusable_gpu })
}

fn gpu(index: usize, precision: Precision) -> Result<OpenDevice, EngineError> {
    let device = Box::new(CudaDevice::<CudaDriver>::open(index, precision)?);
    Ok(OpenDevice { device, choice: DeviceChoice::Cuda(index), precision, unusable_gpu: None })
}

/// `None` on a machine that is not meant to have one. Of several GPUs that cannot be used, the first says why.
fn first_usable_gpu(precision: Precision) -> Result<Option<OpenDevice>, EngineError> {
    let count = match devices() {
        Ok(devices) => devices.len(),
        Err(EngineError::CudaDriverMissing) => 0,
        Err(error) => return Err(error),
    };
    let mut first_reason = None;
    for index in 0..count {
        match gpu(index, precision) {
            Ok(gpu) => return Ok(Some(gpu)),
            Err(reason) => first_reason = first_reason.or(Some(reason)),
        }
    }
    first_reason.map_or(Ok(None), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }
}
