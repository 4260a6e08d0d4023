//! One test alone: how many files may be open is the whole process's.
#![cfg(target_os = "linux")]

use neuroglot_data::{DataError, Session, SimulatorConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;

#[test]
fn too_many_open_files_are_no_corrupt_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let config = SimulatorConfig { sessions: 1, units: 4, trials: 20, bins: 5, ..SimulatorConfig::default() };
    let session = config.simulate().unwrap().remove(0);
    session.write(&path, false).unwrap();
    let usual = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..usual }).unwrap();
    // With one more left each time, the first refusal comes at another place: of a folder, of a file, of none.
    let mut open: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let mut refused = 0;
    while Session::read(&path).is_err_and(|error| {
        refused += 1;
        let message = error.to_string();
        assert!(message.contains("Too many open files"), "{message}");
        assert!(!matches!(error, DataError::Corrupt { .. }), "{message}");
        true
    }) {
        open.pop().expect("a session needs few files at once");
    }
    assert!(refused > 0);
    setrlimit(Resource::Nofile, usual).unwrap();
}
