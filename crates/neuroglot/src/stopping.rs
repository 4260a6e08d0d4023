//! What is put right and said when the process is asked to stop: by Ctrl-C, or by a scheduler before it kills.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

static FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static WORDS: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());

/// Forgets its file when dropped.
#[must_use]
pub struct Registered(PathBuf);

/// Has a file removed should the process be asked to stop while this is held. A run that is cut off goes on from its last
/// checkpoint, so there is nothing else to save.
pub fn remove_when_stopped(path: &Path) -> Registered {
    listen();
    locked(&FILES).push(path.to_owned());
    Registered(path.to_owned())
}

impl Drop for Registered {
    fn drop(&mut self) {
        locked(&FILES).retain(|path| *path != self.0);
    }
}

/// What is to be said of work under way; forgotten when dropped.
#[must_use]
pub struct Saying(u64);

/// Has it said, should the process be asked to stop while this is held, what is kept and how the work goes on. Of work
/// inside other work, the inner words come first.
pub fn say_when_stopped(words: impl Into<String>) -> Saying {
    listen();
    let mut all = locked(&WORDS);
    let id = all.last().map_or(0, |(last, _)| last + 1);
    all.push((id, words.into()));
    Saying(id)
}

impl Saying {
    /// Says something else from now on.
    pub fn change(&self, words: impl Into<String>) {
        if let Some((_, known)) = locked(&WORDS).iter_mut().find(|(id, _)| *id == self.0) {
            *known = words.into();
        }
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        locked(&WORDS).retain(|(id, _)| *id != self.0);
    }
}

fn listen() {
    static HANDLER: Once = Once::new();
    // Without a handler the process is stopped all the same, and its files are found stale later.
    HANDLER.call_once(|| drop(ctrlc::set_handler(stop)));
}

fn stop() {
    for path in locked(&FILES).iter() {
        let _ = std::fs::remove_file(path);
    }
    let words: Vec<String> = locked(&WORDS).iter().rev().map(|(_, words)| words.clone()).collect();
    if !words.is_empty() {
        // A bar may stand in the line.
        anstream::eprintln!("\nstopped: {}", words.join("; "));
    }
    // 128 + SIGINT, as shells have it.
    std::process::exit(130);
}

fn locked<T>(list: &'static Mutex<Vec<T>>) -> MutexGuard<'static, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
