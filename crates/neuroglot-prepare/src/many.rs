//! Many sources at a time, within a bound on memory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::{Outcome, Preparation, PrepareError, Source};

/// A source to prepare.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in provenance and messages.
    pub name: String,
}

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
    /// Prepares sources, several at a time. `done` is told of each as it is finished, with its place in `jobs`.
    pub fn prepare_many(
        &self,
        jobs: &[Job],
        out: &Path,
        limits: Limits,
        done: &(dyn Fn(usize, &Result<Outcome, PrepareError>) + Sync),
    ) -> Vec<Result<Outcome, PrepareError>> {
        let (next, memory) = (AtomicUsize::new(0), Memory::new(limits.memory));
        let results: Vec<Mutex<Option<Result<Outcome, PrepareError>>>> =
            jobs.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for _ in 0..limits.jobs.clamp(1, jobs.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(place) else { break };
                        let taken = memory.take(self.memory_of(job));
                        let result = self.prepare(&job.path, &job.name, out);
                        memory.give_back(taken);
                        done(place, &result);
                        *results[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                    }
                });
            }
        });
        let finished =
            results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        finished.map(|result| result.expect("every job was taken by a thread")).collect()
    }

    /// About what a source takes, bytes. One that cannot be opened fails before it takes any.
    fn memory_of(&self, job: &Job) -> u64 {
        let files = Source::open(&job.path, &self.reading).and_then(|source| source.files());
        let size = |file: &PathBuf| file.metadata().map_or(0, |metadata| metadata.len());
        let bytes: u64 = files.map_or(0, |files| files.iter().map(size).sum());
        bytes.saturating_mul(MEMORY_PER_BYTE).max(MEMORY_AT_LEAST)
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
