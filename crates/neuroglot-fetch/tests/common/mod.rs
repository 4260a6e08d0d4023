//! A server on loopback that misbehaves as it is told, and what every source has to stand.
#![allow(dead_code, unused_imports, reason = "each test program uses its part")]

pub mod battery;
pub mod model_hub;
pub mod server;

pub use model_hub::sha256;
use neuroglot_fetch::{Clock, Downloader, RetryPolicy};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Time that passes without waiting.
#[derive(Debug, Default)]
pub struct TestClock {
    waits: Mutex<Vec<u64>>,
}

impl TestClock {
    /// The waits so far, in s.
    pub fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().clone()
    }
}

impl Clock for TestClock {
    fn sleep(&self, duration: Duration) {
        self.waits.lock().unwrap().push(duration.as_secs());
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

/// A downloader that does not wait, and its clock.
pub fn quick() -> (Downloader, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    let policy = RetryPolicy { attempts: 5, silence: Duration::from_secs(5), ..RetryPolicy::default() };
    (Downloader::with_patience(policy, clock.clone()), clock)
}

/// `count` bytes that repeat nowhere near.
pub fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

/// All files in a folder and below, links followed.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
