//! The device that a command computes on: what is asked for, and what this machine has.

use crate::CommandError;
use crate::terminal::console::{Console, one_line};
use clap::{Args, ValueEnum};
use neuroglot::engine::cuda::Precision;
use neuroglot::engine::{DeviceChoice, OpenDevice};
use std::cell::Cell;

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

impl DeviceOptions {
    /// With the threads that the CPU computes on; 0 takes one per core.
    pub fn with_threads(self, threads: usize) -> Compute {
        Compute { choice: Cell::new(self.device), precision: self.precision.into(), threads }
    }

    /// On a GPU of this number, which other options choose.
    pub fn on_gpu(self, number: usize, threads: usize) -> Compute {
        Self { device: DeviceChoice::Cuda(number), ..self }.with_threads(threads)
    }
}

impl Compute {
    /// Opens the device that was asked for.
    ///
    /// # Errors
    /// A GPU that was asked for by name and cannot be used, threads that cannot be started.
    pub fn open(&self, console: &Console) -> Result<OpenDevice, CommandError> {
        let open = self.choice.get().open(self.precision, self.threads)?;
        if let Some(reason) = &open.unusable_gpu {
            console.note(format_args!("computing on the CPU: {}", one_line(reason)));
        }
        if open.choice == DeviceChoice::Cpu {
            self.choice.set(DeviceChoice::Cpu);
        }
        Ok(open)
    }
}
