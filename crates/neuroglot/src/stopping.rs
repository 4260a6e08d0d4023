//! What is put right when the process is asked to stop: by Ctrl-C, or by a scheduler before it kills.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

static FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Forgets its file when dropped.
#[must_use]
pub struct Registered(PathBuf);

/// Has a file removed should the process be asked to stop while this is held. A run that is cut off goes on from its last
/// checkpoint, so there is nothing else to save.
pub fn remove_when_stopped(path: &Path) -> Registered {
    static HANDLER: Once = Once::new();
    // Without a handler the process is stopped all the same, and its files are found stale later.
    HANDLER.call_once(|| drop(ctrlc::set_handler(stop)));
    files().push(path.to_owned());
    Registered(path.to_owned())
}

impl Drop for Registered {
    fn drop(&mut self) {
        files().retain(|path| *path != self.0);
    }
}

fn stop() {
    for path in files().iter() {
        let _ = std::fs::remove_file(path);
    }
    // 128 + SIGINT, as shells have it.
    std::process::exit(130);
}

fn files() -> MutexGuard<'static, Vec<PathBuf>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}
