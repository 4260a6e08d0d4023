//! A small, explicit training engine: about a dozen operations with their gradients, on a device.
//!
//! Nothing here records a graph. A model writes its forward pass as a list of calls and its backward pass as the
//! same calls in reverse; [`ops`] holds one operation per file with its formula, both passes on the CPU and a test
//! of its gradient. Memory is one arena per device: a [`MemoryPlan`] hands out [`Slot`]s once per batch shape, so a
//! pass over a batch then allocates nothing, and a slot says nothing about where the memory lives.
//!
//! ```
//! use neuroglot_engine::ops::{Linear, Then};
//! use neuroglot_engine::{CpuDevice, Device, MemoryPlan};
//!
//! let mut plan = MemoryPlan::new();
//! let (x, weight, bias, y) = (plan.slot(2 * 3), plan.slot(4 * 3), plan.slot(4), plan.slot(2 * 4));
//! let mut device = CpuDevice::new(1)?;
//! device.reserve(plan.floats())?;
//! device.write(x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
//! device.write(weight, &[0.5; 12]);
//! device.write(bias, &[1.0, 2.0, 3.0, 4.0]);
//! let then = Then::Nothing;
//! device.linear(&Linear { rows: 2, inputs: 3, outputs: 4, x, weight, bias, y, then });
//! let mut log_rates = [0.0; 8];
//! device.read(y, &mut log_rates);
//! assert_eq!(log_rates, [4.0, 5.0, 6.0, 7.0, 8.5, 9.5, 10.5, 11.5]);
//! # Ok::<(), neuroglot_engine::EngineError>(())
//! ```

mod attention_rule;
mod cost;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
#[cfg(feature = "cuda")]
mod device_choice;
mod dropout_bits;
mod error;
mod memory;
pub mod ops;
mod profile;
mod self_test;

pub use attention_rule::AttentionRule;
pub use cost::Cost;
pub use cpu::CpuDevice;
pub use cpu::products::has_matrix_unit;
pub use device::{Device, PassKey, Replicas};
#[cfg(feature = "cuda")]
pub use device_choice::{DeviceChoice, OpenDevice};
pub use dropout_bits::Dropout;
pub use error::EngineError;
pub use memory::{MemoryPlan, Slot};
pub use profile::{Profile, ProfiledKernel, ProfiledOperation};
pub use self_test::{Difference, self_test};
