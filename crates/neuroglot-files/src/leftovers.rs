//! What processes left that were killed while they wrote.

use crate::folder::{parent, remove_all};
use crate::lock::{is_lock, remove_stale_lock};
use crate::temporary::{Kind, State, Temporary};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long something must lie untouched before it counts as left behind, where its maker cannot be asked: it ran on another
/// machine, or before the machine was started anew, or was of an earlier version.
const UNTOUCHED: Duration = Duration::from_secs(24 * 3600);

/// Whether a name is that of a lock or of something that is being written, and none of a finished output.
pub fn is_ours(file_name: &str) -> bool {
    Temporary::parse(file_name).is_some() || is_lock(file_name)
}

/// Removes the temporary files and folders in `folder` whose makers do not run any more, and the locks that they held.
///
/// Those of a process that runs stay; those of which that cannot be told stay for a day after they were last touched. A
/// folder whose replacement was cut off is left to the one who locks it next.
///
/// What cannot be removed stays: this is no reason to fail.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match Temporary::parse(&name) {
            Some(temporary) if is_left(&path, &temporary) => drop(remove_all(&path)),
            None if is_lock(&name) => remove_stale_lock(&path),
            _ => {}
        }
    }
}

fn is_left(path: &Path, temporary: &Temporary) -> bool {
    let is_gone = match temporary.state() {
        State::Runs => return false,
        State::Gone => true,
        State::Unknown => is_untouched(path),
    };
    is_gone && !may_be_the_only_one(path, temporary)
}

/// Whether the folder that it was to replace, or stands for, is missing.
fn may_be_the_only_one(path: &Path, temporary: &Temporary) -> bool {
    if temporary.kind == Kind::Part || temporary.name.is_empty() {
        return false;
    }
    let place = parent(path).join(&temporary.name);
    let has_old = temporary.kind == Kind::Old || path.with_extension("old").exists();
    place.symlink_metadata().is_err() && has_old
}

/// Whether neither it nor anything in it was changed lately.
fn is_untouched(path: &Path) -> bool {
    let newest = newest(path, 3);
    SystemTime::now().duration_since(newest).is_ok_and(|age| age > UNTOUCHED)
}

fn newest(path: &Path, depth: usize) -> SystemTime {
    let own = path.symlink_metadata().and_then(|metadata| metadata.modified());
    let own = own.unwrap_or_else(|_| SystemTime::now());
    if depth == 0 || !path.is_dir() {
        return own;
    }
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    inside.map(|entry| newest(&entry.path(), depth - 1)).fold(own, SystemTime::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::gone_and_elsewhere;
    use crate::temporary::tests::left_by;
    use crate::{OutputLock, StagedFolder};
    use std::fs::File;

    #[test]
    fn what_the_dead_left_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let (gone, elsewhere) = gone_and_elsewhere();
        let at = |name: &str| root.path().join(name);
        let old = SystemTime::now() - 2 * UNTOUCHED;
        for name in ["notes.part", ".hidden", "run.json", &left_by(&elsewhere, "page.html", Kind::Part)] {
            fs::write(at(name), "stays").unwrap();
        }
        let alive = StagedFolder::new(&at("a_aligned")).unwrap();
        let held = OutputLock::beside(&at("a_aligned")).unwrap();
        // The only copy of a folder whose replacement was cut off.
        fs::create_dir(at(&left_by(&gone, "last", Kind::New))).unwrap();
        fs::create_dir(at(&left_by(&gone, "last", Kind::Old))).unwrap();
        let stays = fs::read_dir(root.path()).unwrap().count();

        fs::write(at(&left_by(&gone, "page.html", Kind::Part)), "half").unwrap();
        fs::create_dir_all(at(&left_by(&gone, "b_aligned", Kind::New)).join("data")).unwrap();
        let left = at(&left_by(&elsewhere, "c.html", Kind::Part));
        File::create(&left).unwrap().set_modified(old).unwrap();
        File::create(at(".run.json.a1b2c3.part")).unwrap().set_modified(old).unwrap();
        fs::write(at(".b_aligned.lock"), serde_json::to_vec(&gone).unwrap()).unwrap();
        remove_leftovers(root.path());

        let mut names: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names.len(), stays, "{names:?}");
        assert!(alive.path().is_dir());
        held.check().unwrap();
    }
}
