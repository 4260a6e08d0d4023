use thiserror::Error;

/// Why a device cannot do its work.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The arena does not fit in memory.
    #[error(
        "the model needs {mebibytes} MiB of device memory, which cannot be had: use a smaller batch or model"
    )]
    OutOfMemory {
        /// Size asked for.
        mebibytes: usize,
    },
    /// The threads of the CPU device cannot be started.
    #[error("cannot start {threads} compute threads ({reason}): ask for fewer")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The system's words.
        reason: String,
    },
    /// The device does not time its operations.
    #[error(
        "{device} does not time its operations one by one: a profile is taken on a GPU, with `--device cuda`"
    )]
    NoProfile {
        /// The device in words.
        device: String,
    },
    /// The driver lacks the call that times operations.
    #[cfg(feature = "cuda")]
    #[error(
        "the NVIDIA driver, of CUDA {major}.{minor}, does not time operations: a profile needs version 570 or later of it"
    )]
    DriverTooOldToProfile {
        /// The CUDA version that it is of.
        major: i32,
        /// The CUDA version that it is of.
        minor: i32,
    },
    /// There is no NVIDIA driver.
    #[cfg(feature = "cuda")]
    #[error("no NVIDIA driver is found: install the one for this machine's GPU, or compute on the CPU")]
    CudaDriverMissing,
    /// A library is missing that computing on a GPU needs.
    #[cfg(feature = "cuda")]
    #[error(
        "{library} is not found: install the CUDA toolkit, or `pip install nvidia-cuda-nvrtc nvidia-cublas` and set \
         LD_LIBRARY_PATH to the folders that hold the libraries"
    )]
    CudaLibraryMissing {
        /// Its name and file.
        library: &'static str,
    },
    /// There is no GPU of this number.
    #[cfg(feature = "cuda")]
    #[error(
        "there is no GPU {index}: the NVIDIA driver lists {count}, counted from 0 (CUDA_VISIBLE_DEVICES hides others)"
    )]
    CudaDeviceMissing {
        /// Number asked for.
        index: usize,
        /// GPUs there are.
        count: usize,
    },
    /// The GPU lacks what the kernels use.
    #[cfg(feature = "cuda")]
    #[error(
        "{name} has compute capability {major}.{minor}, and 8.0 is needed: use a GPU of the Ampere generation or a \
         later one, or compute on the CPU"
    )]
    CudaDeviceTooOld {
        /// The GPU.
        name: String,
        /// Its compute capability.
        major: u32,
        /// Its compute capability.
        minor: u32,
    },
    /// The kernels cannot be compiled.
    #[cfg(feature = "cuda")]
    #[error(
        "the GPU kernels do not compile; where the GPU is newer than the CUDA toolkit, a newer toolkit helps:\n{log}"
    )]
    CudaKernels {
        /// The compiler's words.
        log: String,
    },
    /// The GPU reports an error.
    #[cfg(feature = "cuda")]
    #[error(
        "the GPU fails: {call} answers {reason}. Start again; if it fails again, `nvidia-smi` tells whether the GPU is \
         healthy and has free memory"
    )]
    Cuda {
        /// The call that told of it.
        call: &'static str,
        /// Its answer.
        reason: String,
    },
    /// NCCL is missing, which several GPUs need.
    #[cfg(feature = "cuda")]
    #[error(
        "NCCL (libnccl.so.2) is not found, by which GPUs add up gradients: install it, or `pip install nvidia-nccl-cu13` \
         (nvidia-nccl-cu12 for a driver of CUDA 12) and set LD_LIBRARY_PATH to the folder that holds the library"
    )]
    NcclMissing,
    /// GPUs cannot compute together.
    #[cfg(feature = "cuda")]
    #[error(
        "the GPUs cannot compute together: {call} answers {reason}. Start again with NCCL_DEBUG=INFO, which prints what \
         NCCL tries between which GPUs and machines"
    )]
    Nccl {
        /// The call that told of it.
        call: &'static str,
        /// Its answer.
        reason: String,
    },
    /// Only GPUs can compute together.
    #[error("{device} cannot be one of several devices that train one model: choose GPUs")]
    NotInGroups {
        /// The device in words.
        device: String,
    },
}
