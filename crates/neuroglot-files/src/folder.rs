//! Folders that appear whole, and are replaced whole.

use crate::lock::committing;
use crate::temporary::{Kind, State, Temporary, old_of, temporary};
use crate::{FilesError, FromIo};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A folder that is being written beside its place. It vanishes when it is dropped.
#[derive(Debug)]
pub struct StagedFolder {
    place: PathBuf,
    temporary: PathBuf,
}

impl StagedFolder {
    /// Makes an empty folder beside `place`, whose parent must be there.
    ///
    /// # Errors
    /// [`FilesError::Io`], or a path without a name.
    pub fn new(place: &Path) -> Result<Self, FilesError> {
        if place.file_name().is_none() {
            return Err(FilesError::NoName { path: place.to_owned() });
        }
        let temporary = temporary(place, Kind::New);
        fs::create_dir(&temporary).map_err(FilesError::io("write", place))?;
        Ok(Self { place: place.to_owned(), temporary })
    }

    /// Where it is for now.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts it in its place, where nothing may be but an empty folder.
    ///
    /// # Errors
    /// [`FilesError::Appeared`] where something is there, which stays; [`FilesError::Io`].
    pub fn create(self) -> Result<(), FilesError> {
        sync_folder(&self.temporary)?;
        let commit = committing();
        // Of two folders that are renamed to one name, the second is refused unless the first is empty.
        if let Err(error) = fs::rename(&self.temporary, &self.place) {
            return Err(match self.place.symlink_metadata() {
                Ok(_) => FilesError::Appeared { path: self.place.clone() },
                Err(_) => FilesError::io("write", &self.place)(error),
            });
        }
        drop(commit);
        sync_folder(parent(&self.place))
    }

    /// Puts it in its place, and takes away the folder that is there.
    ///
    /// Killed at any moment, what is there afterwards is the old folder or the new one, if need be once
    /// [`recover_folder`] was called.
    ///
    /// # Errors
    /// [`FilesError::Io`], and the old folder stays; [`FilesError::Appeared`] where another process put one there in
    /// the same moment.
    pub fn replace(self) -> Result<(), FilesError> {
        sync_folder(&self.temporary)?;
        let commit = committing();
        let (new, place) = (&self.temporary, &self.place);
        if place.symlink_metadata().is_err() {
            drop(commit);
            return self.create();
        }
        if exchange(new, place).is_err() {
            let old = old_of(new);
            fs::rename(place, &old).map_err(FilesError::io("write", place))?;
            if let Err(error) = fs::rename(new, place) {
                if fs::rename(&old, place).is_err() && place.symlink_metadata().is_ok() {
                    return Err(FilesError::Appeared { path: place.clone() });
                }
                return Err(FilesError::io("write", place)(error));
            }
        }
        drop(commit);
        sync_folder(parent(place))?;
        // By now the old folder is one of these; one that stays is removed by whoever writes here next.
        for rest in [new.clone(), old_of(new)] {
            let _ = remove_all(&rest);
        }
        Ok(())
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        // After success there is none. What cannot be removed is removed by whoever writes here next.
        let _ = remove_all(&self.temporary);
    }
}

/// Replaces a folder whole: `fill` writes the new one beside it, which then takes its name.
///
/// # Errors
/// Those of [`StagedFolder::replace`] and of `fill`; the old folder stays.
pub fn replace_folder<E: From<FilesError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let staged = StagedFolder::new(path)?;
    fill(staged.path())?;
    Ok(staged.replace()?)
}

/// Puts right what processes left that were killed in the middle of [`replace_folder`], for one who alone may write there.
///
/// An old folder is moved away only once the new one is whole, so where the folder is missing, the new one is whole.
///
/// # Errors
/// [`FilesError::Io`].
pub fn recover_folder(path: &Path) -> Result<(), FilesError> {
    let mut left = replacing(path);
    left.retain(|(_, temporary)| temporary.state() != State::Runs);
    if path.symlink_metadata().is_err()
        && let Some(whole) = whole_of(&left)
    {
        rename_if_there(&whole, path)?;
    }
    for (rest, _) in left {
        remove_all(&rest)?;
    }
    Ok(())
}

/// Where the whole folder lies at this moment. Nothing is moved: a reader must not disturb who writes.
pub fn whole_folder(path: &Path) -> PathBuf {
    // A process that is just renaming takes a moment.
    for _ in 0..20 {
        if path.exists() {
            return path.to_owned();
        }
        let found = replacing(path);
        let Some(whole) = whole_of(&found) else { return path.to_owned() };
        if found.iter().all(|(_, temporary)| temporary.state() != State::Runs) {
            return whole;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    path.to_owned()
}

/// The folders in the midst of taking the place of `path`, and those that were moved away for them.
fn replacing(path: &Path) -> Vec<(PathBuf, Temporary)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let entries = fs::read_dir(parent(path)).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let temporary = Temporary::parse(&entry.file_name().to_string_lossy())?;
        let is_one = temporary.name == name && temporary.kind != Kind::Part;
        is_one.then(|| (path.with_file_name(entry.file_name()), temporary))
    });
    found.collect()
}

/// Which of them is the whole folder, where none has the name itself: the new one beside the old one moved away last.
fn whole_of(found: &[(PathBuf, Temporary)]) -> Option<PathBuf> {
    let olds = found.iter().filter(|(_, temporary)| temporary.kind == Kind::Old);
    let (old, moved) = olds.max_by_key(|(path, _)| modified(path))?;
    let new = found.iter().find(|(_, other)| other.kind == Kind::New && other.maker == moved.maker);
    Some(new.map_or_else(|| old.clone(), |(path, _)| path.clone()))
}

fn modified(path: &Path) -> SystemTime {
    path.symlink_metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Puts both in the other's place in one step, where the file system can.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(a: &Path, b: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Another process may have put the same thing right.
fn rename_if_there(from: &Path, to: &Path) -> Result<(), FilesError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FilesError::io("write", to)(error)),
        _ => Ok(()),
    }
}

/// Removes a file, or a folder with all that is in it, unless another process did.
pub(crate) fn remove_all(path: &Path) -> Result<(), FilesError> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FilesError::io("write", path)(error)),
        _ => Ok(()),
    }
}

/// The folder that a path lies in; a bare name lies in the present one.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder last through a loss of power, where the system can.
///
/// # Errors
/// [`FilesError::Io`].
pub fn sync_folder(path: &Path) -> Result<(), FilesError> {
    // Windows cannot open a folder as a file; its renames are durable without.
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(FilesError::io("write", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::gone_and_elsewhere;
    use crate::replace_file;
    use crate::temporary::tests::left_by;

    fn content(path: &Path) -> String {
        fs::read_to_string(path.join("file")).unwrap()
    }

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("file"), text).unwrap();
    }

    fn entries(path: &Path) -> usize {
        fs::read_dir(path).unwrap().count()
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
            Err(FilesError::NoName { path: folder.to_owned() })
        });
        assert!(failed.is_err());
        assert_eq!(content(&path), "two");
        assert_eq!(entries(root.path()), 1, "nothing is left behind");
    }

    #[test]
    fn a_folder_whose_parent_was_removed_is_not_made_again() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::remove_dir_all(&run).unwrap();
        assert!(replace_folder(&run.join("last"), |_| Ok::<_, FilesError>(())).is_err());
        assert!(!run.exists());
    }

    #[test]
    fn of_two_that_make_one_folder_the_second_is_refused_and_the_first_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("session");
        let (first, second) = (StagedFolder::new(&path).unwrap(), StagedFolder::new(&path).unwrap());
        put(first.path(), "first");
        put(second.path(), "second");
        first.create().unwrap();
        assert!(matches!(second.create(), Err(FilesError::Appeared { .. })));
        assert_eq!((content(&path).as_str(), entries(root.path())), ("first", 1));
    }

    #[test]
    fn of_many_that_replace_a_folder_it_is_always_the_whole_one_of_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("evaluation");
        put(&path, "0");
        std::thread::scope(|scope| {
            for thread in 1..5 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        let _ = replace_folder(path, |folder| {
                            put(folder, &thread.to_string());
                            Ok::<_, FilesError>(())
                        });
                    }
                });
            }
        });
        assert!(["0", "1", "2", "3", "4"].contains(&content(&path).as_str()));
        assert_eq!(entries(root.path()), 1);
    }

    #[test]
    fn every_moment_of_a_kill_recovers_to_a_whole_folder() {
        let (gone, elsewhere) = gone_and_elsewhere();
        let named = |of: &dyn Fn(Kind) -> String| {
            [("last".to_owned(), of(Kind::New), of(Kind::Old)), (String::new(), of(Kind::New), of(Kind::Old))]
        };
        let by_gone = named(&|kind| left_by(&gone, "last", kind));
        let by_elsewhere = named(&|kind| left_by(&elsewhere, "last", kind));
        let by_earlier_version =
            named(&|kind| if kind == Kind::New { ".last.new".to_owned() } else { ".last.old".to_owned() });
        for [(last, new, old), _] in [by_gone, by_elsewhere, by_earlier_version] {
            let states: [(&[(&str, &str)], &str); 5] = [
                (&[(&last, "old"), (&new, "half")], "old"),
                (&[(&last, "new"), (&new, "old")], "new"),
                (&[(&old, "old"), (&new, "new")], "new"),
                (&[(&old, "old"), (&last, "new")], "new"),
                (&[(&old, "old")], "old"),
            ];
            for (folders, expected) in states {
                let root = tempfile::tempdir().unwrap();
                for (name, text) in folders {
                    put(&root.path().join(name), text);
                }
                let path = root.path().join("last");
                assert_eq!(content(&whole_folder(&path)), expected, "for a reader of {folders:?}");
                assert_eq!(entries(root.path()), folders.len(), "a reader moves nothing");
                recover_folder(&path).unwrap();
                assert_eq!(content(&path), expected, "{folders:?}");
                assert_eq!(entries(root.path()), 1);
            }
        }
    }

    #[test]
    fn a_first_folder_killed_half_way_leaves_nothing_and_that_of_a_live_process_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("last");
        let (gone, _) = gone_and_elsewhere();
        put(&root.path().join(left_by(&gone, "last", Kind::New)), "half");
        let alive = StagedFolder::new(&path).unwrap();
        recover_folder(&path).unwrap();
        assert!(alive.path().is_dir());
        assert_eq!(entries(root.path()), 1);
    }
}
