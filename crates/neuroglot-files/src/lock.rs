//! One process at a time writes an output, also where several machines share a file system.
//!
//! A lock is a file that says which process holds it. It is written under another name and then linked to its own, which
//! fails if there is one: of several processes that try, one succeeds, and no lock is ever seen half-written.
//!
//! Its holder touches it every minute. A lock is taken over if its holder certainly runs no more: it has died on this
//! machine, it is an earlier run of the same task of a scheduler, or it runs elsewhere and has not touched the lock for a
//! quarter of an hour.

use crate::folder::{parent, recover_folder};
use crate::process::Process;
use crate::temporary::{Kind, temporary};
use crate::{FilesError, FromIo, remove_leftovers};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The lock of a folder that lies in it. Locks beside an output have its name too.
const INSIDE: &str = ".lock";

/// How the file ends that is held while a lock is taken over.
const TAKEOVER: &str = ".takeover";

/// How often a holder touches its locks.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long a lock must lie untouched before a holder elsewhere counts as dead.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// How long a process waits for another one that is just taking over the same lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// An output that this process alone may write, until this is dropped.
#[derive(Debug)]
pub struct OutputLock {
    /// The lock file.
    path: PathBuf,
    /// What is written, as given.
    place: PathBuf,
    /// The folder, if it was made for the lock: it goes with it should it stay empty.
    made: Option<PathBuf>,
}

impl OutputLock {
    /// Locks a folder, which is made if there is none, by a file in it. What dead processes left in it is removed.
    ///
    /// # Errors
    /// [`FilesError::Held`] where another process has it, and [`FilesError::Io`].
    pub fn inside(folder: &Path) -> Result<Self, FilesError> {
        let is_new = !folder.exists();
        fs::create_dir_all(folder).map_err(FilesError::io("write", folder))?;
        let mut lock = Self::at(&folder.join(INSIDE), folder)?;
        lock.made = is_new.then(|| folder.to_owned());
        remove_leftovers(folder);
        Ok(lock)
    }

    /// Makes sure that no other process has locked a folder by [`OutputLock::inside`], without locking it: so that what
    /// takes long need not be begun in vain.
    ///
    /// # Errors
    /// [`FilesError::Held`].
    pub fn check_free_inside(folder: &Path) -> Result<(), FilesError> {
        let path = folder.join(INSIDE);
        match read(&path) {
            Found::Lock(holder, touched) if !is_stale(&path, holder.as_ref(), touched, SystemTime::now()) => {
                Err(held_by(folder, &path, holder.as_ref()))
            }
            _ => Ok(()),
        }
    }

    /// Locks a file or folder by a file beside it, which suits what is replaced whole; the folder above is made if there is
    /// none. What dead processes left there is removed, and a replacement that was cut off is put right.
    ///
    /// # Errors
    /// [`FilesError::Held`] where another process has it, and [`FilesError::Io`].
    pub fn beside(place: &Path) -> Result<Self, FilesError> {
        let Some(name) = place.file_name() else { return Err(FilesError::NoName { path: place.to_owned() }) };
        fs::create_dir_all(parent(place)).map_err(FilesError::io("write", place))?;
        let mut file = std::ffi::OsString::from(".");
        file.push(name);
        file.push(INSIDE);
        let lock = Self::at(&place.with_file_name(file), place)?;
        recover_folder(place)?;
        remove_leftovers(parent(place));
        Ok(lock)
    }

    /// Locks `place` by the file `path`.
    ///
    /// # Errors
    /// [`FilesError::Held`] where another process has it, and [`FilesError::Io`].
    pub fn at(path: &Path, place: &Path) -> Result<Self, FilesError> {
        // One lock has one path, by whatever way it is reached.
        let folder = parent(path).canonicalize().map_err(FilesError::io("write", parent(path)))?;
        let real = folder.join(path.file_name().unwrap_or_default());
        take(&real, 0).map_err(|error| match error {
            FilesError::Held { holder, .. } => {
                FilesError::Held { place: place.to_owned(), holder, lock: path.to_owned() }
            }
            error => error,
        })?;
        Ok(Self { path: real, place: place.to_owned(), made: None })
    }

    /// Makes sure that the output is there and still this process's.
    ///
    /// # Errors
    /// [`FilesError::Lost`] where it, or its lock, was removed; [`FilesError::TakenOver`].
    pub fn check(&self) -> Result<(), FilesError> {
        match read(&self.path) {
            Found::Nothing => Err(FilesError::Lost { place: self.place.clone(), lock: self.path.clone() }),
            Found::Lock(Some(holder), _) if holder != *Process::this() => {
                Err(FilesError::TakenOver { place: self.place.clone(), holder: holder.to_string() })
            }
            // It cannot be read for the moment, or is ours.
            Found::Lock(..) => Ok(()),
        }
    }
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        release(&self.path);
        if let Some(folder) = &self.made {
            // Refused where anything is in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Whether a name is that of a lock.
pub(crate) fn is_lock(file_name: &str) -> bool {
    let name = file_name.trim_end_matches(TAKEOVER);
    name.starts_with('.') && name.ends_with(INSIDE)
}

/// The locks that this process holds. A file that names this process and is not here is left by an attempt of which it could
/// not hear that it had succeeded, as happens on network file systems.
static HELD: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Held while something is put in its place.
static COMMIT: Mutex<()> = Mutex::new(());

fn held() -> MutexGuard<'static, Vec<PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be held while something is put in its place: not after the locks are released.
pub(crate) fn committing() -> MutexGuard<'static, ()> {
    COMMIT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Releases all locks of this process, which must end now: from here on nothing is put in its place any more.
pub fn release_before_exit() {
    std::mem::forget(committing());
    let mut held = held();
    for path in held.drain(..) {
        remove_if_own(&path);
    }
    std::mem::forget(held);
}

fn release(path: &Path) {
    // To other threads the file and the entry go together.
    let mut held = held();
    remove_if_own(path);
    held.retain(|held| held != path);
}

fn remove_if_own(path: &Path) {
    // A lock that cannot be removed is found stale, or its message says what to do.
    if is_own(path) {
        let _ = fs::remove_file(path);
    }
}

fn is_own(path: &Path) -> bool {
    matches!(read(path), Found::Lock(Some(holder), _) if holder == *Process::this())
}

/// What lies where a lock may be.
enum Found {
    Nothing,
    /// The holder, if it can be understood, and when the lock was touched last, if that is known.
    Lock(Option<Process>, Option<SystemTime>),
}

/// Most bytes that a lock has.
const LARGEST: u64 = 1 << 16;

fn read(path: &Path) -> Found {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Found::Nothing,
        Err(_) => return Found::Lock(None, None),
    };
    let text = match crate::read(path, LARGEST) {
        Err(error) if is_absent(&error) => return Found::Nothing,
        text => text.unwrap_or_default(),
    };
    Found::Lock(serde_json::from_slice(&text).ok(), metadata.modified().ok())
}

/// Whether there is no file, or not even a folder for one.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Whether the holder of a lock is at work no more, by the clock of the file system, in which it is `now`.
fn is_stale(path: &Path, holder: Option<&Process>, touched: Option<SystemTime>, now: SystemTime) -> bool {
    let me = Process::this();
    match holder {
        Some(holder) if holder == me => !held().iter().any(|held| held == path),
        Some(holder) if holder.is_visible_to(me) => holder.is_certainly_gone(me),
        Some(holder) if holder.is_certainly_gone(me) => true,
        _ => touched.is_some_and(|touched| now.duration_since(touched).is_ok_and(|age| age > SILENCE)),
    }
}

fn held_by(place: &Path, path: &Path, holder: Option<&Process>) -> FilesError {
    let holder = match holder {
        Some(holder) if holder == Process::this() => {
            "this very command, which is to write it twice".to_owned()
        }
        Some(holder) => holder.to_string(),
        None => "another process".to_owned(),
    };
    FilesError::Held { place: place.to_owned(), holder, lock: path.to_owned() }
}

/// Takes the lock `path`, or says who has it. `depth` is how many processes died while they took over this lock's lock.
fn take(path: &Path, depth: usize) -> Result<(), FilesError> {
    let started = Instant::now();
    loop {
        let Some(now) = create(path)? else { return Ok(()) };
        let Found::Lock(holder, touched) = read(path) else { continue };
        if depth > 3 || !is_stale(path, holder.as_ref(), touched, now) {
            return Err(held_by(path, path, holder.as_ref()));
        }
        match with_takeover(path, depth, || remove_if_stale(path, now)) {
            // Another process is at it, which takes a moment.
            Err(FilesError::Held { .. }) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => result?,
        }
    }
}

/// Does something while no other process may remove the stale lock `path`. Without this, of two processes that find it
/// stale the slower one would remove the lock that the faster one has just made.
fn with_takeover(
    path: &Path,
    depth: usize,
    work: impl FnOnce() -> Result<(), FilesError>,
) -> Result<(), FilesError> {
    let mut guard = path.as_os_str().to_owned();
    guard.push(TAKEOVER);
    let guard = PathBuf::from(guard);
    take(&guard, depth + 1)?;
    let result = work();
    release(&guard);
    result
}

fn remove_if_stale(path: &Path, now: SystemTime) -> Result<(), FilesError> {
    match read(path) {
        Found::Lock(holder, touched) if is_stale(path, holder.as_ref(), touched, now) => {
            fs::remove_file(path).map_err(FilesError::io("write", path))
        }
        _ => Ok(()),
    }
}

/// Removes a lock whose holder has died on this machine.
pub(crate) fn remove_stale_lock(path: &Path) {
    let Ok(folder) = parent(path).canonicalize() else { return };
    let path = folder.join(path.file_name().unwrap_or_default());
    let me = Process::this();
    let Found::Lock(Some(holder), _) = read(&path) else { return };
    if holder.is_visible_to(me) && holder.is_certainly_gone(me) {
        // One that stays is found stale by whoever needs it.
        let _ = with_takeover(&path, 0, || remove_if_stale(&path, SystemTime::UNIX_EPOCH));
    }
}

/// Makes the lock `path`; where there is one already, returns what time it is for the file system.
fn create(path: &Path) -> Result<Option<SystemTime>, FilesError> {
    let text = serde_json::to_vec(Process::this()).expect("a process is JSON");
    let draft = temporary(path, Kind::Part);
    let write = |path: &Path| -> std::io::Result<SystemTime> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(&text)?;
        file.metadata()?.modified()
    };
    let now = write(&draft);
    let mut held = held();
    let result = now.and_then(|now| {
        let linked = fs::hard_link(&draft, path);
        let made = match linked {
            // Some file systems have no links.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => write(path).map(drop),
            linked => linked,
        };
        match made {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Some(now)),
            Err(error) => Err(error),
        }
    });
    if matches!(result, Ok(None)) {
        held.push(path.to_owned());
        keep_alive();
    }
    drop(held);
    let _ = fs::remove_file(&draft);
    result.map_err(FilesError::io("write", path))
}

/// Starts to touch all locks of this process from time to time.
fn keep_alive() {
    static HEART: Once = Once::new();
    HEART.call_once(|| {
        // Without it the locks are good for a quarter of an hour, and on this machine for as long as the process runs.
        let _ = std::thread::Builder::new().name("locks".to_owned()).spawn(|| {
            loop {
                std::thread::sleep(HEARTBEAT);
                let paths = held().clone();
                for path in paths.iter().filter(|path| is_own(path)) {
                    let _ = touch(path);
                }
            }
        });
    });
}

/// Says that a file was changed now, by the clock of the file system.
#[cfg(unix)]
fn touch(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let file = OpenOptions::new().write(true).open(path)?;
    Ok(futimens(&file, &Timestamps { last_access: now, last_modification: now })?)
}

#[cfg(not(unix))]
fn touch(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_modified(SystemTime::now())
}

#[cfg(test)]
mod tests;
