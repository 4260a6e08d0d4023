//! One process at a time works on a cell, also where several machines share a file system.

use crate::StudyError;
use crate::process::Process;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A cell that this process alone may write, until this is dropped.
#[derive(Debug)]
pub struct CellLock {
    path: PathBuf,
}

/// Why a cell cannot be worked on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who holds it and what to do if nobody does, in one line.
    pub reason: String,
}

impl CellLock {
    /// Takes the lock file `path`, which is made if there is none.
    ///
    /// A file that is left by a process which certainly does not run any more (a dead process of this machine, an
    /// earlier run of this Slurm job or Kubernetes pod) is taken over.
    ///
    /// # Errors
    /// [`StudyError::Write`] where the file cannot be made. `Ok(Err(_))` says that another process holds it.
    pub fn take(path: &Path) -> Result<Result<Self, Held>, StudyError> {
        let me = Process::this();
        if let Some(lock) = create(path, &me)? {
            return Ok(Ok(lock));
        }
        let Some(holder) = read(path) else { return Ok(Err(held(path, None))) };
        if !holder.is_certainly_gone(&me) {
            return Ok(Err(held(path, Some(&holder))));
        }
        take_over(path, &me)
    }

    /// Where the lock file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CellLock {
    fn drop(&mut self) {
        // A file that cannot be removed is found stale, or its message says what to do.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the file, unless there is one: of several processes that try, one succeeds.
fn create(path: &Path, me: &Process) -> Result<Option<CellLock>, StudyError> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(StudyError::write(path)(error)),
    };
    // From here on the file is removed should it not be written.
    let lock = CellLock { path: path.to_owned() };
    let text = serde_json::to_vec(me).expect("a process is JSON");
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(StudyError::write(path))?;
    Ok(Some(lock))
}

/// Replaces a stale file. Only the holder of a second file may remove the first, and looks at it again before: else of
/// two processes that find it stale, the slower one would remove the lock that the faster one has just made.
fn take_over(path: &Path, me: &Process) -> Result<Result<CellLock, Held>, StudyError> {
    let guard = path.with_extension("takeover");
    let Some(_guard) = create(&guard, me)? else { return Ok(Err(held(&guard, read(&guard).as_ref()))) };
    match read(path) {
        Some(holder) if holder.is_certainly_gone(me) => {
            fs::remove_file(path).map_err(StudyError::write(path))?;
        }
        // Somebody else has it by now, or had it and is done.
        holder if path.exists() => return Ok(Err(held(path, holder.as_ref()))),
        _ => {}
    }
    Ok(create(path, me)?.ok_or_else(|| held(path, read(path).as_ref())))
}

/// What a lock file says; `None` if it says nothing yet, or is damaged.
fn read(path: &Path) -> Option<Process> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn held(path: &Path, holder: Option<&Process>) -> Held {
    let (who, path) = (holder.map_or("another process".to_owned(), Process::to_string), path.display());
    Held { reason: format!("{who} works on it; if it does not run any more, remove {path} and start again") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cell.lock");
        let first = CellLock::take(&path).unwrap().unwrap();
        // This process holds it: that its own number runs must not make it stale for another thread.
        let reason = CellLock::take(&path).unwrap().unwrap_err().reason;
        assert!(reason.contains(&std::process::id().to_string()), "{reason}");
        assert!(reason.contains("cell.lock and start again"), "{reason}");
        drop(first);
        assert!(!path.exists());
        assert!(CellLock::take(&path).unwrap().is_ok());
    }

    #[test]
    fn of_many_threads_one_takes_a_stale_lock() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cell.lock");
        for _ in 0..20 {
            let mut gone = Process::this();
            gone.pid = dead();
            fs::write(&path, serde_json::to_vec(&gone).unwrap()).unwrap();
            let barrier = std::sync::Barrier::new(8);
            let taken: Vec<CellLock> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            barrier.wait();
                            CellLock::take(&path).unwrap().ok()
                        })
                    })
                    .collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(taken.len(), 1);
            drop(taken);
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left behind");
        }
    }

    #[test]
    fn a_holder_on_another_machine_is_believed_and_half_a_file_too() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cell.lock");
        let mut other = Process::this();
        (other.host, other.pid) = ("elsewhere".to_owned(), dead());
        fs::write(&path, serde_json::to_vec(&other).unwrap()).unwrap();
        let reason = CellLock::take(&path).unwrap().unwrap_err().reason;
        assert!(reason.contains("on elsewhere"), "{reason}");
        fs::write(&path, "").unwrap();
        assert!(CellLock::take(&path).unwrap().is_err());
        assert!(path.exists(), "a lock that is not ours stays");
    }

    /// The number of a process that has ended.
    fn dead() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }
}
