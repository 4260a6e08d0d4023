//! Writing so that a reader never sees half a file, whatever happens in between.

use crate::TrainError;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How the name of a file ends while it is being written.
const UNFINISHED: &str = ".part";

/// Writes a file whole: to a temporary neighbour, then renamed over the old one.
///
/// # Errors
/// [`TrainError::Write`]; the old file stays.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = parent(path);
    let fail = TrainError::write(path);
    let write = || -> std::io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!(".{name}.");
        let mut file = tempfile::Builder::new().prefix(&prefix).suffix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        // A temporary file is private to its owner; results are not.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(fail)
}

/// Removes what a kill in the middle of [`replace_file`] left in a folder that nobody else is writing in.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<(), TrainError> {
    let entries = fs::read_dir(folder).map_err(TrainError::read(folder))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            let path = entry.path();
            fs::remove_file(&path).map_err(TrainError::write(&path))?;
        }
    }
    Ok(())
}

/// Replaces a folder whole: `fill` writes the new one beside it, which then takes its name.
///
/// Killed at any moment, the folder is afterwards the old or the new one, once a run is resumed or a checkpoint opened.
///
/// # Errors
/// [`TrainError::Write`] and those of `fill`; the old folder stays.
pub fn replace_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    recover_folder(path)?;
    let (new, old) = neighbours(path);
    fs::create_dir_all(&new).map_err(TrainError::write(&new))?;
    if let Err(error) = fill(&new).and_then(|()| sync_folder(&new)) {
        // What is left of the attempt only takes up room; the error that counts is the first.
        let _ = fs::remove_dir_all(&new);
        return Err(error);
    }
    if path.exists() {
        fs::rename(path, &old).map_err(TrainError::write(&old))?;
    }
    fs::rename(&new, path).map_err(TrainError::write(path))?;
    sync_folder(parent(path))?;
    if old.exists() {
        fs::remove_dir_all(&old).map_err(TrainError::write(&old))?;
    }
    Ok(())
}

/// Puts right what a kill in the middle of [`replace_folder`] left.
///
/// The old folder is moved away only once the new one is whole, so where the folder is missing, the new one is whole.
pub(crate) fn recover_folder(path: &Path) -> Result<(), TrainError> {
    let whole = whole_folder(path);
    if whole != path {
        fs::rename(&whole, path).map_err(TrainError::write(path))?;
    }
    let (new, old) = neighbours(path);
    for rest in [new, old] {
        if rest.exists() {
            fs::remove_dir_all(&rest).map_err(TrainError::write(&rest))?;
        }
    }
    Ok(())
}

/// Where the whole folder lies at this moment. Nothing is moved: a reader must not disturb a run that is being trained.
pub(crate) fn whole_folder(path: &Path) -> PathBuf {
    let (new, old) = neighbours(path);
    match (path.exists(), old.exists(), new.exists()) {
        (false, true, true) => new,
        (false, true, false) => old,
        _ => path.to_owned(),
    }
}

fn neighbours(path: &Path) -> (PathBuf, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (path.with_file_name(format!(".{name}.new")), path.with_file_name(format!(".{name}.old")))
}

/// The folder that a path lies in; a bare name lies in the present one.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> Result<(), TrainError> {
    // Windows cannot open a folder as a file; its renames are durable without.
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(TrainError::write(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &Path) -> String {
        fs::read_to_string(path.join("file")).unwrap()
    }

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("file"), text).unwrap();
    }

    #[test]
    fn a_folder_is_replaced_whole_and_a_failure_leaves_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("last");
        for text in ["one", "two"] {
            replace_folder(&path, |folder| replace_file(&folder.join("file"), text.as_bytes())).unwrap();
            assert_eq!(content(&path), text);
        }
        let failed = replace_folder(&path, |folder| {
            put(folder, "three");
            Err(TrainError::RunFolder { path: folder.to_owned(), problem: "no room".into() })
        });
        assert!(failed.is_err());
        assert_eq!(content(&path), "two");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn every_moment_of_a_kill_recovers_to_a_whole_folder() {
        let states: [(&[(&str, &str)], &str); 4] = [
            (&[("last", "old"), (".last.new", "half")], "old"),
            (&[(".last.old", "old"), (".last.new", "new")], "new"),
            (&[(".last.old", "old"), ("last", "new")], "new"),
            (&[(".last.old", "old")], "old"),
        ];
        for (folders, expected) in states {
            let root = tempfile::tempdir().unwrap();
            for (name, text) in folders {
                put(&root.path().join(name), text);
            }
            let path = root.path().join("last");
            assert_eq!(content(&whole_folder(&path)), expected, "for a reader");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), folders.len(), "a reader moves nothing");
            recover_folder(&path).unwrap();
            assert_eq!(content(&path), expected);
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_file_killed_half_way_is_removed_and_others_stay() {
        let root = tempfile::tempdir().unwrap();
        for name in [".run.json.a1b2c3.part", ".hidden", "notes.part", "run.json"] {
            fs::write(root.path().join(name), "text").unwrap();
        }
        remove_unfinished(root.path()).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".hidden", "notes.part", "run.json"]);
    }

    #[test]
    fn a_first_folder_killed_half_way_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        put(&root.path().join(".last.new"), "half");
        recover_folder(&root.path().join("last")).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
