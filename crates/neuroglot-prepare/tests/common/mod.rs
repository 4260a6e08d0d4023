//! Helpers of the tests of sources.
#![allow(dead_code, reason = "each test binary uses some of them")]

use std::path::{Path, PathBuf};

use neuroglot_data::{Session, Split};
use serde_json::Value;

/// A file or folder of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What Python computed for a fixture.
pub fn expected(name: &str) -> Value {
    let path = fixture(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Numbers of a flat list; null is NaN.
pub fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Strings of a list.
pub fn texts(values: &Value) -> Vec<String> {
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// The session's trials in the source's order. Folders hold them by split; in each split the order is kept, and the split
/// of each trial is that of `split_trials`.
pub fn in_source_order(session: &Session, splits: &[Split]) -> Vec<usize> {
    let mut next = Split::ALL.map(|split| session.trials_in(split).into_iter());
    splits
        .iter()
        .map(|split| next[Split::ALL.iter().position(|other| other == split).unwrap()].next().unwrap())
        .collect()
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
