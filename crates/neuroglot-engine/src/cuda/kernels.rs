//! Kernels on the device, each program compiled and loaded at its first use.

use super::driver::Launch;
use super::libraries::check;
use super::nvrtc::compile;
use super::programs::Program;
use crate::EngineError;
use cudarc::driver::sys;
use std::collections::HashMap;
use std::ffi::CString;
use std::ptr::null_mut;

/// Shared memory of a block that needs no permission.
const USUAL_SHARED_BYTES: usize = 48 << 10;

/// The programs loaded so far. All calls need a current context.
pub(super) struct Kernels {
    capability: (u32, u32),
    modules: HashMap<Program, Module>,
    functions: HashMap<(Program, &'static str), sys::CUfunction>,
}

// SAFETY: as for `Queue`.
unsafe impl Send for Kernels {}

struct Module(sys::CUmodule);

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: loaded by `load`, and the driver waits for all work before. A failure would only leak it.
        let _ = unsafe { sys::cuModuleUnload(self.0) };
    }
}

impl Kernels {
    /// Loads the general program now rather than in the first pass: that fails where NVRTC does not know the GPU.
    pub fn new(capability: (u32, u32)) -> Result<Self, EngineError> {
        let mut kernels = Self { capability, modules: HashMap::new(), functions: HashMap::new() };
        kernels.load(Program::General)?;
        Ok(kernels)
    }

    fn load(&mut self, program: Program) -> Result<sys::CUmodule, EngineError> {
        if let Some(module) = self.modules.get(&program) {
            return Ok(module.0);
        }
        let image = compile(program, self.capability)?;
        let mut module = null_mut();
        // SAFETY: the image is machine code of the compiler's, which the driver copies.
        unsafe {
            check("cuModuleLoadData", sys::cuModuleLoadData(&raw mut module, image.as_ptr().cast()))?;
        }
        self.modules.insert(program, Module(module));
        Ok(module)
    }

    /// The kernel of a launch, allowed to use its shared memory: one kernel always asks for the same.
    pub fn function(&mut self, launch: &Launch) -> Result<sys::CUfunction, EngineError> {
        if let Some(function) = self.functions.get(&(launch.program, launch.kernel)) {
            return Ok(*function);
        }
        let module = self.load(launch.program)?;
        let name = CString::new(launch.kernel)
            .map_err(|error| EngineError::CudaKernels { log: error.to_string() })?;
        let mut function = null_mut();
        // SAFETY: module and name are alive, and the place written to outlives the call.
        unsafe {
            let found = sys::cuModuleGetFunction(&raw mut function, module, name.as_ptr());
            check("cuModuleGetFunction", found)?;
            if launch.shared_bytes > USUAL_SHARED_BYTES {
                use sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                let allowed = sys::cuFuncSetAttribute(
                    function,
                    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    launch.shared_bytes as i32,
                );
                check("cuFuncSetAttribute", allowed)?;
            }
        }
        self.functions.insert((launch.program, launch.kernel), function);
        Ok(function)
    }
}
