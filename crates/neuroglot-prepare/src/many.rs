//! Many sources at a time, within a bound on memory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use neuroglot_files::remove_leftovers;

use crate::prepare::{key_of, session_folder};
use crate::{Outcome, Preparation, PrepareError, Source, open_source};

/// How many sources are worked on at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most so many.
    pub jobs: usize,
    /// Together they take about so much memory, bytes; a source that needs more is worked on alone.
    pub memory: u64,
}

/// Memory that a recording takes for each byte of its files: its spikes and traces, the session, and what is being
/// written.
const MEMORY_PER_BYTE: u64 = 4;

/// Memory that any source takes, bytes.
const MEMORY_AT_LEAST: u64 = 64 << 20;

impl Preparation {
    /// Prepares sources by their names, several at a time. `locate` brings one here, if it must be downloaded, and says where
    /// it is; `done` is told of each as it is finished. Both are given its place in `names`.
    pub fn prepare_many(
        &self,
        names: &[String],
        out: &Path,
        limits: Limits,
        locate: &(dyn Fn(usize) -> Result<PathBuf, PrepareError> + Sync),
        done: &(dyn Fn(usize, &Result<Outcome, PrepareError>) + Sync),
    ) -> Vec<Result<Outcome, PrepareError>> {
        // Sessions that are there already are not written, and so would keep what a killed process left of them.
        remove_leftovers(out);
        let (next, memory) = (AtomicUsize::new(0), Memory::new(limits.memory));
        let folders = Folders::default();
        let results: Vec<Mutex<Option<Result<Outcome, PrepareError>>>> =
            names.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for _ in 0..limits.jobs.clamp(1, names.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(name) = names.get(place) else { break };
                        let result = locate(place).and_then(|path| {
                            let source = open_source(&path, &self.reading)?;
                            let taken = memory.take(memory_of(&*source));
                            // Two sources of one folder come one after the other, so that the second finds the first.
                            let result = folders.alone(folder_of(&*source, &path, out), || {
                                self.prepare_opened(&*source, &path, name, out)
                            });
                            memory.give_back(taken);
                            result
                        });
                        done(place, &result);
                        *results[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                    }
                });
            }
        });
        let finished =
            results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        finished.map(|result| result.expect("every source was taken by a thread")).collect()
    }
}

/// The folder that a source's session will have, as far as that can be known before it is read.
fn folder_of(source: &dyn Source, path: &Path, out: &Path) -> Option<PathBuf> {
    session_folder(out, &source.eid()?, path).ok()
}

/// About what a source takes, bytes.
fn memory_of(source: &dyn Source) -> u64 {
    let size = |file: &PathBuf| file.metadata().map_or(0, |metadata| metadata.len());
    let bytes: u64 = source.files().iter().map(size).sum();
    bytes.saturating_mul(MEMORY_PER_BYTE).max(MEMORY_AT_LEAST)
}

/// Folders that are worked on.
#[derive(Default)]
struct Folders {
    busy: Mutex<HashSet<String>>,
    changed: Condvar,
}

impl Folders {
    /// Does some work when no other is done on a folder that a file system may take for this one.
    fn alone<T>(&self, folder: Option<PathBuf>, work: impl FnOnce() -> T) -> T {
        let Some(key) = folder.map(|folder| key_of(&folder)) else { return work() };
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while !busy.insert(key.clone()) {
            busy = self.changed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        drop(busy);
        let result = work();
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        self.changed.notify_all();
        result
    }
}

/// What is left of the bound.
struct Memory {
    all: u64,
    free: Mutex<u64>,
    changed: Condvar,
}

impl Memory {
    fn new(all: u64) -> Memory {
        Memory { all, free: Mutex::new(all), changed: Condvar::new() }
    }

    /// Waits until so much is free, or all of it, and takes it.
    fn take(&self, wanted: u64) -> u64 {
        let wanted = wanted.min(self.all);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < wanted {
            free = self.changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= wanted;
        wanted
    }

    fn give_back(&self, taken: u64) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += taken;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    #[test]
    fn no_more_than_the_bound_is_taken_at_a_time() {
        let (memory, in_use, most) = (Memory::new(100), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            // The last wants more than there is and gets all.
            for wanted in [40, 60, 30, 50, 70, 10, 1000] {
                let (memory, in_use, most) = (&memory, &in_use, &most);
                scope.spawn(move || {
                    let taken = memory.take(wanted);
                    most.fetch_max(in_use.fetch_add(taken, Ordering::SeqCst) + taken, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    in_use.fetch_sub(taken, Ordering::SeqCst);
                    memory.give_back(taken);
                });
            }
        });
        assert_eq!(most.into_inner(), 100);
        assert_eq!(*memory.free.lock().unwrap(), 100);
    }
}
