//! Processes that this one has started to work with it, and that must not outlive it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// How long children that are to end by themselves may take.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Lines of what a child says that are kept.
const LINES: usize = 20;

/// The children of a command, in the order in which they were started. Dropped, it waits for them to end.
#[derive(Debug, Default)]
pub struct Children {
    said: Vec<Arc<Mutex<Vec<String>>>>,
}

impl Children {
    /// Starts one, whose messages are kept for [`Children::last_words`].
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(&mut self, command: &mut Command) -> std::io::Result<()> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let said = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let said = said.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut said = locked(&said);
                    let surplus = (said.len() + 1).saturating_sub(LINES);
                    said.drain(..surplus);
                    said.push(line);
                }
            });
        }
        self.said.push(said);
        locked(&CHILDREN).push(child);
        Ok(())
    }

    /// The first that has ended, with its place and how it did.
    pub fn ended(&self) -> Option<(usize, ExitStatus)> {
        let mut children = locked(&CHILDREN);
        children.iter_mut().enumerate().find_map(|(place, child)| Some((place, child.try_wait().ok()??)))
    }

    /// The last lines that a child has said.
    pub fn last_words(&self, place: usize) -> Vec<String> {
        // Its last line comes with its end.
        std::thread::sleep(10 * PAUSE);
        self.said.get(place).map_or_else(Vec::new, |said| locked(said).clone())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        if self.said.is_empty() {
            return;
        }
        let begun = Instant::now();
        let is_running = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_none());
        while begun.elapsed() < PATIENCE && locked(&CHILDREN).iter_mut().any(is_running) {
            std::thread::sleep(PAUSE);
        }
        kill();
    }
}

/// Kills all that run.
pub fn kill() {
    for mut child in locked(&CHILDREN).drain(..) {
        // One that has ended by itself cannot be killed.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
