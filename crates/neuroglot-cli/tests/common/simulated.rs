//! Libraries that stand in for NVIDIA's: the engine's tests have them.

use super::{Output, Workplace};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the libraries and gives them the names that are looked for; `None` without a C++ compiler.
pub fn simulated_libraries(workplace: &Workplace, names: &[&str]) -> Option<PathBuf> {
    if !Command::new("c++").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no C++ compiler to build the libraries");
        return None;
    }
    let folder = workplace.path("libraries");
    std::fs::create_dir(&folder).unwrap();
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../neuroglot-engine").canonicalize().unwrap();
    let library = folder.join("libsimulated.so");
    let built = Command::new("c++")
        .args(["-std=c++17", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(format!("-DHOST_HEADER=\"{}\"", engine.join("src/cuda/host/cuda_on_host.h").display()))
        .arg(engine.join("tests/simulated_cuda/libraries.cpp"))
        .arg("-ldl")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for name in names {
        std::os::unix::fs::symlink(&library, folder.join(name)).unwrap();
    }
    Some(folder)
}

/// A command that finds the libraries.
pub fn command(workplace: &Workplace, libraries: &Path, arguments: &str) -> Command {
    let mut command = workplace.command(arguments);
    command.env("LD_LIBRARY_PATH", libraries).env("SIMULATED_CUDA_FOLDER", libraries);
    command
}

pub fn run(workplace: &Workplace, libraries: &Path, arguments: &str) -> Output {
    workplace.output(&mut command(workplace, libraries, arguments))
}
