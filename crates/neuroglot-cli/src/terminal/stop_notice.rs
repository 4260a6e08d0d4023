//! What is put right and said when the process is asked to stop: by Ctrl-C, or by a scheduler before it kills.

use crate::machine::children;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static WORDS: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());

/// What is to be said of work under way; forgotten when dropped.
#[must_use]
pub struct StopNotice(u64);

/// Has it said, should the process be asked to stop while this is held, what is kept and how the work goes on. Of work
/// inside other work, the inner words come first.
pub fn say_when_stopped(words: impl Into<String>) -> StopNotice {
    let mut all = locked(&WORDS);
    let id = all.last().map_or(0, |(last, _)| last + 1);
    all.push((id, words.into()));
    StopNotice(id)
}

impl StopNotice {
    /// Says something else from now on.
    pub fn change(&self, words: impl Into<String>) {
        if let Some((_, known)) = locked(&WORDS).iter_mut().find(|(id, _)| *id == self.0) {
            *known = words.into();
        }
    }
}

impl Drop for StopNotice {
    fn drop(&mut self) {
        locked(&WORDS).retain(|(id, _)| *id != self.0);
    }
}

/// Releases the locks of outputs should the process be asked to stop, so that processes on other machines need not wait until
/// they count as stale, and has said what is registered by [`say_when_stopped`].
pub fn listen() {
    // Without a handler the process is stopped all the same, and its locks are found stale later.
    drop(ctrlc::set_handler(stop));
}

fn stop() {
    // 128 + SIGINT, as shells have it.
    end(130)
}

/// Ends the process from whatever thread, whatever the others do: what is to be put right is, and what is to be said is said.
pub fn end(code: i32) -> ! {
    neuroglot::files::release_before_exit();
    children::kill();
    let words: Vec<String> = locked(&WORDS).iter().rev().map(|(_, words)| words.clone()).collect();
    if !words.is_empty() {
        // A bar may stand in the line.
        anstream::eprintln!("\nstopped: {}", words.join("; "));
    }
    // A library may wait in its own end for a GPU that waits for others.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(10));
        std::process::abort();
    });
    std::process::exit(code)
}

fn locked<T>(list: &'static Mutex<Vec<T>>) -> MutexGuard<'static, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
