//! Builds the kernels for the host with the system's C++ compiler.

use super::signature::Signature;
use crate::cuda::Program;
use libloading::{Library, Symbol};
use std::collections::HashMap;
use std::ffi::c_void;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Arguments: kernel, its arguments, blocks along x and y, threads, bytes of shared memory, threads in reversed order.
type Run = unsafe extern "C" fn(Kernel, *mut *mut c_void, u32, u32, u32, usize, bool);
type Kernel = unsafe extern "C" fn(*mut *mut c_void);

/// A program for the host.
pub(crate) struct HostProgram {
    library: Library,
    pub signatures: HashMap<String, Signature>,
}

impl HostProgram {
    /// A kernel, and what runs it.
    pub fn kernel(&self, name: &str) -> (Symbol<'_, Kernel>, Symbol<'_, Run>) {
        // SAFETY: both have these types in the text that `build` writes.
        unsafe {
            let kernel =
                self.library.get(format!("host_{name}").as_bytes()).expect("a kernel of this program");
            (kernel, self.library.get(b"run_on_host").expect("the runner of cuda_on_host.h"))
        }
    }
}

/// The C++ compiler of this machine.
pub(crate) fn compiler() -> Option<&'static str> {
    static COMPILER: OnceLock<Option<&str>> = OnceLock::new();
    let works =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    *COMPILER.get_or_init(|| ["c++", "g++", "clang++"].into_iter().find(works))
}

/// A program, built once per process.
pub(crate) fn program(program: Program) -> Arc<HostProgram> {
    static PROGRAMS: Mutex<Option<HashMap<Program, Arc<HostProgram>>>> = Mutex::new(None);
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let programs = programs.get_or_insert_with(HashMap::new);
    programs.entry(program).or_insert_with(|| Arc::new(build(program))).clone()
}

fn build(program: Program) -> HostProgram {
    let text = program.text();
    let signatures = Signature::all_of(&text);
    let mut source = format!("{}\n{text}\n", include_str!("cuda_on_host.h"));
    for Signature { name, types } in &signatures {
        let arguments: Vec<String> =
            types.iter().enumerate().map(|(i, kind)| format!("*({kind} *)arguments[{i}]")).collect();
        let arguments = arguments.join(", ");
        source += &format!("extern \"C\" void host_{name}(void **arguments) {{ {name}({arguments}); }}\n");
    }
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("kernels.cpp"), folder.path().join("kernels.so"));
    std::fs::write(&input, source).unwrap();
    let compiler = compiler().expect("asked for before");
    let flags = ["-std=c++17", "-O2", "-w", "-shared", "-fPIC", "-o"];
    let run = Command::new(compiler).args(flags).arg(&output).arg(&input).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // SAFETY: the library's start-up code is empty.
    let library = unsafe { Library::new(&output) }.unwrap();
    let signatures = signatures.into_iter().map(|signature| (signature.name.clone(), signature)).collect();
    HostProgram { library, signatures }
}
