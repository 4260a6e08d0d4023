//! Compiling programs for a device, once per process.

use super::programs::Program;
use crate::EngineError;
use cudarc::nvrtc::{result, sys};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, Mutex, PoisonError};

type Images = HashMap<(Program, (u32, u32)), Arc<[u8]>>;

/// The machine code of a program for a compute capability.
pub(super) fn compile(program: Program, capability: (u32, u32)) -> Result<Arc<[u8]>, EngineError> {
    static IMAGES: Mutex<Option<Images>> = Mutex::new(None);
    let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let images = images.get_or_insert_with(HashMap::new);
    if let Some(image) = images.get(&(program, capability)) {
        return Ok(image.clone());
    }
    let image: Arc<[u8]> = compile_text(&program.text(), capability)?.into();
    images.insert((program, capability), image.clone());
    Ok(image)
}

/// A program of the compiler's, given back in the end.
struct Compilation(sys::nvrtcProgram);

impl Drop for Compilation {
    fn drop(&mut self) {
        // SAFETY: made by `create_program` and not destroyed elsewhere. A failure would only leak it.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

fn compile_text(text: &str, (major, minor): (u32, u32)) -> Result<Vec<u8>, EngineError> {
    let failed = |error: result::NvrtcError| EngineError::CudaKernels { log: error.to_string() };
    let text = CString::new(text).map_err(|error| EngineError::CudaKernels { log: error.to_string() })?;
    let compilation = Compilation(result::create_program(&text, Some(c"neuroglot.cu")).map_err(failed)?);
    let options = [format!("--gpu-architecture=sm_{major}{minor}"), "--std=c++17".to_string()];
    // SAFETY: the program is alive until the end of this function, as is its text.
    unsafe {
        if let Err(error) = result::compile_program(compilation.0, &options) {
            let log = result::get_program_log(compilation.0).unwrap_or_default();
            let log = log_text(&log);
            return Err(EngineError::CudaKernels { log: format!("{error}: {log}") });
        }
        let mut size = 0;
        sys::nvrtcGetCUBINSize(compilation.0, &raw mut size).result().map_err(failed)?;
        let mut image = vec![0u8; size];
        // SAFETY: the image has the size that the compiler asked for.
        sys::nvrtcGetCUBIN(compilation.0, image.as_mut_ptr().cast()).result().map_err(failed)?;
        Ok(image)
    }
}

/// The text before the final zero.
fn log_text(log: &[c_char]) -> String {
    let bytes: Vec<u8> = log.iter().map(|c| *c as u8).collect();
    match CStr::from_bytes_until_nul(&bytes) {
        Ok(text) => text.to_string_lossy().trim().to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::HeadWidth;
    use crate::cuda::libraries::test_library;

    #[test]
    fn all_programs_compile_for_ampere_and_hopper() {
        // SAFETY: loading NVIDIA's libraries runs their start-up code, which has no preconditions.
        if !test_library("nvrtc", || unsafe { sys::is_culib_present() }) {
            return;
        }
        let mut programs = vec![Program::General];
        programs.extend([HeadWidth::W32, HeadWidth::W64, HeadWidth::W128].map(Program::Attention));
        let of_tensor_cores = [HeadWidth::W32, HeadWidth::W64];
        programs.extend(of_tensor_cores.map(Program::Tf32Attention));
        programs.extend(of_tensor_cores.map(Program::Bf16Attention));
        for program in programs {
            for capability in [(8, 0), (9, 0)] {
                let image = compile(program, capability).unwrap();
                assert_eq!(&image[1..4], b"ELF", "{program:?} for {capability:?}");
            }
        }
        let error = compile_text("int f() { return; }", (8, 0)).unwrap_err();
        assert!(error.to_string().contains("neuroglot.cu(1)"), "{error}");
    }
}
