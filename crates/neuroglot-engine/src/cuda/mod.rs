//! The CUDA device: kernels compiled at run time, cuBLASLt for products, recorded passes.
//!
//! Nothing of CUDA is needed to build or to start the program: the libraries are looked for when a device is opened,
//! and [`EngineError`](crate::EngineError) says what is missing. Operations are written against [`Driver`], which has
//! two implementations: [`CudaDriver`] on an NVIDIA GPU, and one in the tests that runs the very same kernels on the
//! host, so that every operation is checked against the CPU device on machines without a GPU.

mod argument;
mod cublas_lt;
mod cuda_driver;
mod device;
mod driver;
#[cfg(test)]
mod host;
mod kernels;
mod libraries;
mod marks;
mod nccl;
mod nvrtc;
mod ops;
mod product;
mod profiler;
mod programs;
mod queue;
mod rates;
mod room;
mod staging;

pub use argument::{Argument, DropoutArgument};
pub use cuda_driver::CudaDriver;
pub use device::CudaDevice;
pub use driver::{Address, Driver, Launch, THREADS};
pub use libraries::{DeviceInfo, devices};
pub use product::{ColumnMajor, Factor, Precision, Product, TermSums};
pub use programs::{HeadWidth, Program};
pub use rates::Rates;
