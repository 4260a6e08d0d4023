//! What this machine has to compute on.

use crate::terminal::console::one_line;
use neuroglot::engine::EngineError;
use neuroglot::engine::cuda::{CudaDevice, CudaDriver, DeviceInfo, Precision, devices};
use serde_json::{Value, json};
use std::fmt;

/// The processor and the GPUs.
pub struct Machine {
    threads: usize,
    /// The GPUs that the driver lists, each with the reason why it cannot be used, or why there is none to list.
    gpus: Result<Vec<(DeviceInfo, Option<String>)>, String>,
}

impl Machine {
    /// Asks the driver for its GPUs; the processor computes on `threads` threads.
    pub fn detect(threads: usize) -> Self {
        let usable = |index: usize| CudaDevice::<CudaDriver>::open(index, Precision::F32);
        let gpus = match devices() {
            Ok(devices) if devices.is_empty() => {
                Err(one_line(&EngineError::CudaDeviceMissing { index: 0, count: 0 }))
            }
            Ok(devices) => {
                let problem = |index: usize| usable(index).err().map(|reason| one_line(&reason));
                Ok(devices.into_iter().enumerate().map(|(index, info)| (info, problem(index))).collect())
            }
            Err(reason) => Err(one_line(&reason)),
        };
        Self { threads, gpus }
    }

    /// The same for scripts.
    pub fn json(&self) -> Value {
        let gpu = |(info, problem): &(DeviceInfo, Option<String>)| {
            json!({
                "name": info.name,
                "compute_capability": format!("{}.{}", info.capability.0, info.capability.1),
                "memory_mb": info.memory as f64 / 1e6,
                "problem": problem,
            })
        };
        json!({
            "cpu": { "threads": self.threads, "vector_instructions": vector_instructions() },
            "cuda": {
                "devices": self.gpus.iter().flatten().map(gpu).collect::<Vec<_>>(),
                "problem": self.gpus.as_ref().err(),
            },
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "neuroglot  {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(formatter, "cpu        {}, {} threads", vector_instructions(), self.threads)?;
        let gpus = match &self.gpus {
            Ok(gpus) => gpus,
            Err(reason) => return writeln!(formatter, "cuda       cannot be used: {reason}"),
        };
        for (index, (info, problem)) in gpus.iter().enumerate() {
            let (DeviceInfo { name, capability: (major, minor), .. }, mebibytes) = (info, info.memory >> 20);
            write!(formatter, "cuda:{index:<5} {name}, {mebibytes} MiB, compute capability {major}.{minor}")?;
            match problem {
                Some(reason) => writeln!(formatter, "; cannot be used: {reason}")?,
                None => writeln!(formatter)?,
            }
        }
        Ok(())
    }
}

/// The widest instructions of the processor that the engine uses.
fn vector_instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            return if neuroglot::engine::has_matrix_unit() { "AVX-512 and AMX" } else { "AVX-512" };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    if cfg!(target_arch = "aarch64") { "NEON" } else { "no vector instructions beyond the compiler's" }
}
