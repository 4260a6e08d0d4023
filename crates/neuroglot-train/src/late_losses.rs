//! Losses that are read some time after their steps, so that training does not wait for its device in every step.

use neuroglot_model::Model;
use std::time::{Duration, Instant};

/// Longest time for which losses stay unread: short enough for a progress line, long enough for a device not to run dry.
const INTERVAL: Duration = Duration::from_millis(100);

/// What is known of the steps whose losses the model still holds.
pub(crate) struct LateLosses {
    /// How long losses may stay unread. What a run computes does not depend on it.
    pub interval: Duration,
    /// When losses were last read by this process.
    read: Option<Instant>,
    /// Hidden entries of each step, oldest first.
    targets: Vec<u64>,
}

impl LateLosses {
    /// No step yet; the first one's loss is due at once.
    pub fn new() -> Self {
        Self { interval: INTERVAL, read: None, targets: Vec::new() }
    }

    /// Notes a step of so many hidden entries.
    pub fn push(&mut self, targets: u64) {
        self.targets.push(targets);
    }

    /// Steps whose losses are not read.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether it is time to read.
    pub fn are_due(&self) -> bool {
        self.read.is_none_or(|read| read.elapsed() >= self.interval)
    }

    /// Loss and hidden entries of every step that was pushed since the last call, oldest first.
    pub fn take(&mut self, model: &mut Model) -> impl Iterator<Item = (f64, u64)> {
        let losses = model.take_losses();
        debug_assert_eq!(losses.len(), self.targets.len(), "a loss per step");
        self.read = Some(Instant::now());
        losses.into_iter().map(f64::from).zip(self.targets.drain(..))
    }
}
