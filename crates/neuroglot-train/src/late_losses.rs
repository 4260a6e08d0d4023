//! Losses that are read some time after their batches, so that training does not wait for its device in every step.

use neuroglot_model::Model;
use std::time::{Duration, Instant};

/// Longest time for which losses stay unread: short enough for a progress line, long enough for a device not to run dry.
const INTERVAL: Duration = Duration::from_millis(100);

/// A batch whose loss is not read yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LateBatch {
    pub step: u64,
    pub lane: usize,
    /// Hidden entries that the loss counts.
    pub targets: u64,
}

/// What is known of the batches whose losses the model still holds.
pub(crate) struct LateLosses {
    /// How long losses may stay unread. What a run computes does not depend on it.
    pub interval: Duration,
    /// When losses were last read by this process.
    read: Option<Instant>,
    /// Of each batch, oldest first.
    batches: Vec<LateBatch>,
}

impl LateLosses {
    /// No batch yet; the first one's loss is due at once.
    pub fn new() -> Self {
        Self { interval: INTERVAL, read: None, batches: Vec::new() }
    }

    /// Notes a batch.
    pub fn push(&mut self, batch: LateBatch) {
        self.batches.push(batch);
    }

    /// Batches whose losses are not read.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether it is time to read.
    pub fn are_due(&self) -> bool {
        self.read.is_none_or(|read| read.elapsed() >= self.interval)
    }

    /// Every batch that was pushed since the last call, oldest first, with its loss.
    pub fn take(&mut self, model: &mut Model) -> impl Iterator<Item = (LateBatch, f64)> {
        let losses = model.take_losses();
        debug_assert_eq!(losses.len(), self.batches.len(), "a loss per batch");
        self.read = Some(Instant::now());
        let batches = self.batches.drain(..).zip(losses);
        batches.map(|(batch, loss)| (batch, f64::from(loss)))
    }
}
