//! Which of NVIDIA's libraries and devices are there.

use crate::EngineError;
use cudarc::{cublaslt, driver::sys, nvrtc};
use std::ffi::{CStr, c_char, c_int};

/// A GPU of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The product's name.
    pub name: String,
    /// Major and minor compute capability.
    pub capability: (u32, u32),
    /// Memory in bytes.
    pub memory: usize,
}

/// The GPUs of this machine in the driver's order, whose places in the list are the numbers to open them by.
///
/// # Errors
/// [`EngineError::CudaDriverMissing`] without NVIDIA's driver, [`EngineError::Cuda`] where it fails.
pub fn devices() -> Result<Vec<DeviceInfo>, EngineError> {
    let count = start_driver()?;
    (0..count).map(info).collect()
}

/// Starts the driver and counts its devices.
pub(super) fn start_driver() -> Result<usize, EngineError> {
    // SAFETY: loading NVIDIA's libraries runs their start-up code, which has no preconditions.
    if !unsafe { sys::is_culib_present() } {
        return Err(EngineError::CudaDriverMissing);
    }
    let mut count = 0;
    // SAFETY: `count` outlives the call; starting the driver twice is allowed.
    unsafe {
        let started = sys::cuInit(0);
        if started == sys::CUresult::CUDA_ERROR_NO_DEVICE {
            return Ok(0);
        }
        check("cuInit", started)?;
        check("cuDeviceGetCount", sys::cuDeviceGetCount(&raw mut count))?;
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Fails where a library is missing that only computing needs.
pub(super) fn require_libraries() -> Result<(), EngineError> {
    // SAFETY: as in `start_driver`.
    let (compiler, products) = unsafe { (nvrtc::sys::is_culib_present(), cublaslt::sys::is_culib_present()) };
    if !compiler {
        return Err(EngineError::CudaLibraryMissing { library: "NVRTC (libnvrtc)" });
    }
    if !products {
        return Err(EngineError::CudaLibraryMissing { library: "cuBLASLt (libcublasLt)" });
    }
    Ok(())
}

/// What the driver says about a device whose number is below the count.
pub(super) fn info(index: usize) -> Result<DeviceInfo, EngineError> {
    let mut device = 0;
    let mut name = [0 as c_char; 256];
    let mut memory = 0;
    let mut capability = [0; 2];
    let attributes = [
        sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    ];
    // SAFETY: all places written to outlive the calls, and the name's length is given.
    unsafe {
        check("cuDeviceGet", sys::cuDeviceGet(&raw mut device, index as c_int))?;
        let length = name.len() as c_int;
        check("cuDeviceGetName", sys::cuDeviceGetName(name.as_mut_ptr(), length, device))?;
        check("cuDeviceTotalMem", sys::cuDeviceTotalMem_v2(&raw mut memory, device))?;
        for (value, attribute) in capability.iter_mut().zip(attributes) {
            check("cuDeviceGetAttribute", sys::cuDeviceGetAttribute(value, attribute, device))?;
        }
    }
    // SAFETY: the driver ends the name with a zero within the given length.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
    let [major, minor] = capability.map(|number| u32::try_from(number).unwrap_or(0));
    Ok(DeviceInfo { name, capability: (major, minor), memory })
}

/// The clock of a device's memory (kHz) and the width of its bus (bits); `None` where the driver does not tell.
pub(super) fn memory_clock_and_width(index: usize) -> Result<Option<[u32; 2]>, EngineError> {
    let mut device = 0;
    // SAFETY: the place written to outlives the call.
    check("cuDeviceGet", unsafe { sys::cuDeviceGet(&raw mut device, index as c_int) })?;
    let attribute = |attribute| {
        let mut value = 0;
        // SAFETY: as above.
        let told = unsafe { sys::cuDeviceGetAttribute(&raw mut value, attribute, device) };
        check("cuDeviceGetAttribute", told).ok().and_then(|()| u32::try_from(value).ok())
    };
    let clock = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
    let width = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
    Ok(clock.zip(width).map(|(clock, width)| [clock, width]))
}

/// The driver's answer as a result.
pub(super) fn check(call: &'static str, answer: sys::CUresult) -> Result<(), EngineError> {
    match answer {
        sys::CUresult::CUDA_SUCCESS => Ok(()),
        failure => Err(EngineError::Cuda { call, reason: format!("{failure:?}") }),
    }
}

/// Whether a library is there for a test. One that the system does not find is looked for in the folders of
/// NEUROGLOT_CUDA_LIBRARIES (separated by `:`) and among the packages of `python3`, and found by its name from then on.
#[cfg(test)]
pub(super) fn test_library(name: &str, is_present: impl Fn() -> bool) -> bool {
    use std::path::PathBuf;
    let packages = || {
        let print = "import glob, nvidia; print(*glob.glob(nvidia.__path__[0] + '/*/lib'), sep=':')";
        let output = std::process::Command::new("python3").args(["-c", print]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let folders = std::env::var("NEUROGLOT_CUDA_LIBRARIES").ok().or_else(packages).unwrap_or_default();
    for folder in std::env::split_paths(&folders) {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_library = |path: &PathBuf| {
            path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("lib{name}.so")))
        };
        for file in names.filter(is_library) {
            // SAFETY: loading NVIDIA's libraries runs their start-up code, which has no preconditions. It is kept: a
            // library that is loaded is found by its name.
            std::mem::forget(unsafe { libloading::Library::new(file) });
        }
    }
    let present = is_present();
    if !present {
        eprintln!("skipped: lib{name} is not found; NEUROGLOT_CUDA_LIBRARIES can name its folder");
    }
    present
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::{CudaDevice, CudaDriver, Precision};

    #[test]
    fn a_machine_without_driver_or_gpu_gets_an_error_that_names_the_cure() {
        let opened = CudaDevice::<CudaDriver>::open(0, Precision::F32).map(|_| ());
        match (devices(), opened) {
            (Err(EngineError::CudaDriverMissing), Err(error)) => {
                assert!(error.to_string().contains("install"), "{error}");
            }
            (Ok(devices), Err(EngineError::CudaDeviceMissing { .. })) => assert!(devices.is_empty()),
            (Ok(devices), _) => assert!(!devices.is_empty()),
            (Err(error), _) => assert!(matches!(error, EngineError::Cuda { .. }), "{error}"),
        }
    }
}
