//! Paths that a server names, kept inside a folder that the user named.

use crate::{FetchError, Result};
use std::path::{Path, PathBuf};

/// `folder` with the relative path `name` of an index in it.
///
/// # Errors
///
/// If the path is empty, absolute, leads upwards, or could mean something else on another operating system.
pub(crate) fn inside(folder: &Path, name: &str) -> Result<PathBuf> {
    let problem = if name.is_empty() {
        Some("is empty")
    } else if name.starts_with('/') {
        Some("is absolute")
    } else if name.contains('\\') {
        Some("has a backslash")
    } else if name.chars().any(char::is_control) {
        Some("has a control character")
    } else if name.len() > 2048 {
        Some("is too long")
    } else if name.split('/').any(|part| part == "..") {
        Some("leads out of the folder")
    } else if name.split('/').any(|part| part.is_empty() || part == ".") {
        Some("has an empty part")
    } else if name.ends_with(".part") || name.ends_with(".fetch.json") {
        Some("has the name of a part of a download")
    } else if cfg!(windows) && name.contains(':') {
        Some("has a colon")
    } else {
        None
    };
    match problem {
        Some(problem) => Err(FetchError::UnsafePath { path: name.to_string(), problem }),
        None => Ok(name.split('/').fold(folder.to_path_buf(), |path, part| path.join(part))),
    }
}

/// A pattern of paths, in which `*` also crosses `/`.
pub(crate) fn pattern(text: &str) -> Result<glob::Pattern> {
    glob::Pattern::new(text)
        .map_err(|error| FetchError::Pattern { pattern: text.to_string(), problem: error.msg.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_an_index_stay_in_the_folder() {
        let folder = Path::new("data");
        assert_eq!(inside(folder, "sub-1/a b.nwb").unwrap(), Path::new("data/sub-1/a b.nwb"));
        assert_eq!(inside(folder, "sub-1/..a..nwb").unwrap(), Path::new("data/sub-1/..a..nwb"));
        for bad in [
            "",
            "/etc/passwd",
            "..",
            "a/../../b",
            "a//b",
            "./a",
            "a/",
            "a\\..\\b",
            "a\0b",
            "a\nb",
            "a.nwb.part",
        ] {
            let error = inside(folder, bad).unwrap_err();
            assert!(matches!(&error, FetchError::UnsafePath { path, .. } if path == bad), "{error}");
        }
        assert!(inside(folder, &"x".repeat(5000)).is_err());
    }
}
