//! Where a run stands.

use serde::{Deserialize, Serialize};

/// All that a resumed run needs besides weights and moments. Random streams are found by counting epochs and steps, so their
/// state is here too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Epochs done.
    pub epoch: u64,
    /// Batches of the present epoch done.
    pub batch: u64,
    /// Steps done.
    pub step: u64,
    /// Loss and hidden entries of the present epoch, of steps whose losses are read. Checkpoints hold no others. They are
    /// those of the first lane.
    loss: f64,
    targets: u64,
    /// Those of the other lanes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    other_lanes: Vec<(f64, u64)>,
    pub learning_rate: f64,
    pub best: Option<(u64, f64)>,
    pub validations_since_best: u64,
    /// Length of `metrics.jsonl`.
    pub metrics_bytes: u64,
    pub optimiser_steps: Vec<u64>,
    pub finished: bool,
    /// How many ranks computed it last.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
}

fn one() -> usize {
    1
}

// The form that serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

impl Progress {
    /// At the beginning, computed by so many ranks.
    pub fn none(ranks: usize) -> Self {
        Self {
            epoch: 0,
            batch: 0,
            step: 0,
            loss: 0.0,
            targets: 0,
            other_lanes: Vec::new(),
            learning_rate: 0.0,
            best: None,
            validations_since_best: 0,
            metrics_bytes: 0,
            optimiser_steps: Vec::new(),
            finished: false,
            ranks,
        }
    }

    /// Adds the loss of a batch to those of its lane.
    pub fn add_loss(&mut self, lane: usize, loss: f64, targets: u64) {
        let (known_loss, known_targets) = self.lane(lane);
        self.set_lane(lane, (known_loss + loss, known_targets + targets));
    }

    /// Loss and hidden entries of a lane.
    pub fn lane(&self, lane: usize) -> (f64, u64) {
        match lane.checked_sub(1) {
            None => (self.loss, self.targets),
            Some(other) => self.other_lanes.get(other).copied().unwrap_or_default(),
        }
    }

    /// Sets them.
    pub fn set_lane(&mut self, lane: usize, (loss, targets): (f64, u64)) {
        let Some(other) = lane.checked_sub(1) else {
            (self.loss, self.targets) = (loss, targets);
            return;
        };
        let known = self.other_lanes.len().max(lane);
        self.other_lanes.resize(known, (0.0, 0));
        self.other_lanes[other] = (loss, targets);
    }

    /// Mean loss per hidden entry. Lanes are added up in their order, so that it does not depend on who computes them.
    pub fn mean_loss(&self) -> f64 {
        let others = self.other_lanes.iter().copied();
        let (loss, targets) =
            others.fold((self.loss, self.targets), |sums, lane| (sums.0 + lane.0, sums.1 + lane.1));
        loss / targets.max(1) as f64
    }

    /// Goes to the start of the next epoch.
    pub fn end_epoch(&mut self) {
        self.epoch += 1;
        self.batch = 0;
        (self.loss, self.targets) = (0.0, 0);
        self.other_lanes.clear();
    }
}
