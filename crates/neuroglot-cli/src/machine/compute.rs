//! The device that a command computes on: what is asked for, and what this machine has.

use crate::CommandError;
use crate::terminal::console::{Console, one_line};
use clap::{Args, ValueEnum};
use neuroglot::engine::cuda::{CudaDevice, CudaDriver, Precision, devices};
use neuroglot::engine::{CpuDevice, Device, EngineError};
use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

/// Options of every command that computes.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Device")]
pub struct DeviceOptions {
    /// Where to compute: `auto` (the first NVIDIA GPU that can be used, else the CPU), `cpu`, `cuda` or `cuda:N`
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// How products are rounded on a GPU; the CPU always computes in f32
    #[arg(long, value_enum, value_name = "PRECISION", default_value_t = PrecisionName::Tf32)]
    precision: PrecisionName,
}

/// What `--device` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceChoice {
    Auto,
    Cpu,
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

/// The engine's [`Precision`] as an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionName {
    /// Nothing is rounded
    F32,
    /// 10 bits behind the point, on tensor cores
    Tf32,
    /// 7 bits behind the point, on tensor cores; parameters and sums stay f32
    Bf16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::Tf32 => Precision::Tf32,
            PrecisionName::Bf16 => Precision::Bf16,
        }
    }
}

/// Opens the devices of one command.
#[derive(Debug)]
pub struct Compute {
    /// `auto` becomes `cpu` where no GPU can be used, so that the reason is said once.
    choice: Cell<DeviceChoice>,
    precision: Precision,
    threads: usize,
}

/// A device, and what results are reported to come from.
pub struct OpenDevice {
    /// The device.
    pub device: Box<dyn Device>,
    /// Its name as an option of the command line: `cpu` or `cuda:N`.
    pub name: String,
    /// How its products are rounded; the CPU's are not.
    pub precision: Precision,
}

impl DeviceOptions {
    /// With the threads that the CPU computes on; 0 takes one per core.
    pub fn with_threads(self, threads: usize) -> Compute {
        Compute { choice: Cell::new(self.device), precision: self.precision.into(), threads }
    }
}

impl Compute {
    /// Opens the device that was asked for.
    ///
    /// # Errors
    /// A GPU that was asked for by name and cannot be used, threads that cannot be started.
    pub fn open(&self, console: &Console) -> Result<OpenDevice, CommandError> {
        match self.choice.get() {
            DeviceChoice::Cpu => self.cpu(),
            DeviceChoice::Cuda(index) => Ok(self.cuda(index)?),
            DeviceChoice::Auto => match self.first_usable_gpu() {
                Ok(Some(gpu)) => Ok(gpu),
                unusable => {
                    if let Err(reason) = unusable {
                        console.note(format_args!("computing on the CPU: {}", one_line(&reason)));
                    }
                    self.choice.set(DeviceChoice::Cpu);
                    self.cpu()
                }
            },
        }
    }

    fn cpu(&self) -> Result<OpenDevice, CommandError> {
        let device = Box::new(CpuDevice::new(self.threads)?);
        Ok(OpenDevice { device, name: DeviceChoice::Cpu.to_string(), precision: Precision::F32 })
    }

    fn cuda(&self, index: usize) -> Result<OpenDevice, EngineError> {
        let precision = self.precision;
        let device = Box::new(CudaDevice::<CudaDriver>::open(index, precision)?);
        Ok(OpenDevice { device, name: DeviceChoice::Cuda(index).to_string(), precision })
    }

    /// `None` on a machine that is not meant to have one. Of several GPUs that cannot be used, the first says why.
    fn first_usable_gpu(&self) -> Result<Option<OpenDevice>, EngineError> {
        let count = match devices() {
            Ok(devices) => devices.len(),
            Err(EngineError::CudaDriverMissing) => 0,
            Err(error) => return Err(error),
        };
        let mut first_reason = None;
        for index in 0..count {
            match self.cuda(index) {
                Ok(gpu) => return Ok(Some(gpu)),
                Err(reason) => first_reason = first_reason.or(Some(reason)),
            }
        }
        first_reason.map_or(Ok(None), Err)
    }
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
