//! Files that are replaced whole.

use crate::lock::committing;
use crate::temporary::{Kind, temporary};
use crate::{FilesError, FromIo};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Writes a file whole: to a temporary neighbour, then renamed over the old one.
///
/// # Errors
/// [`FilesError::Io`]; the old file stays, and nothing half-written.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    if path.file_name().is_none() {
        return Err(FilesError::NoName { path: path.to_owned() });
    }
    let temporary = temporary(path, Kind::Part);
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary);
    let write = |mut file: File| {
        file.write_all(bytes)?;
        file.sync_all()?;
        // Elsewhere than on Unix an open file cannot be renamed.
        drop(file);
        let _commit = committing();
        fs::rename(&temporary, path)
    };
    file.and_then(write).map_err(|error| {
        // The error that counts is the first.
        let _ = fs::remove_file(&temporary);
        FilesError::io("write", path)(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let folder = root.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let error = replace_file(&folder, b"three").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("folder"), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
        assert!(matches!(replace_file(Path::new(".."), b""), Err(FilesError::NoName { .. })));
    }
}
