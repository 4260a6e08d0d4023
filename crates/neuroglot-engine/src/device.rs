//! What a device must be able to do.

use crate::ops::*;
use crate::{EngineError, Profile, Slot};

/// Devices to use side by side in place of one, each for batches of its own.
#[derive(Debug, Clone, Copy)]
pub struct Replicas {
    /// How many.
    pub count: usize,
    /// Makes one, on the thread that is going to use it.
    pub make: fn() -> Result<Box<dyn Device>, EngineError>,
}

/// What tells one pass from another, chosen by the model: equal keys mean equal calls.
pub type PassKey = [usize; 6];

/// A place that holds floats and runs the operations of the models on them.
///
/// Each operation is described in [`crate::ops`]: its formula, its shapes, and which slots it reads, writes or adds
/// to. Slots written must not overlap any other slot of the call. Two calls with equal inputs give equal bits,
/// whatever the number of threads.
pub trait Device: Send {
    /// The device in words, such as `cpu, 2 threads`.
    fn description(&self) -> String;

    /// Bytes that were copied to the device from the host's memory since it was opened; 0 for a device that computes in the
    /// host's memory.
    fn bytes_sent(&self) -> u64 {
        0
    }

    /// Times every operation from here on until [`Device::take_profile`]. Passes run their calls meanwhile, even where they
    /// are recorded.
    ///
    /// # Errors
    /// [`EngineError::NoProfile`] of a device that cannot.
    fn start_profile(&mut self) -> Result<(), EngineError> {
        Err(EngineError::NoProfile { device: self.description() })
    }

    /// What was timed since [`Device::start_profile`], once all of it is done; nothing without it.
    fn take_profile(&mut self) -> Profile {
        Profile::default()
    }

    /// The devices to share many independent batches among; `None` where this device should compute one batch after the
    /// other.
    fn replicas(&self) -> Option<Replicas> {
        None
    }

    /// Bytes of the device's own memory that nothing uses; `None` where it computes in the memory of the host, so that there is
    /// nothing to gain from keeping anything there.
    fn spare_bytes(&self) -> Option<usize> {
        None
    }

    /// Makes the arena at least `floats` floats long; what it holds stays.
    ///
    /// # Errors
    /// [`EngineError::OutOfMemory`] where there is not enough memory.
    fn reserve(&mut self, floats: usize) -> Result<(), EngineError>;

    /// Copies host values into a slot of the same length.
    fn write(&mut self, slot: Slot, values: &[f32]);

    /// Declares that `slot` is constant: no operation writes to it, so the device may cache it in another form as well.
    /// [`Device::write`] and [`Device::fill`] may still change it.
    fn pin(&mut self, _slot: Slot) {}

    /// Copies a slot to the host, once everything that writes to it is done.
    fn read(&self, slot: Slot, values: &mut [f32]);

    /// Sets every float of a slot.
    fn fill(&mut self, slot: Slot, value: f32);

    /// Copies one slot to another of the same length.
    fn copy(&mut self, from: Slot, to: Slot);

    /// Adds one slot to another of the same length: to ← to + from.
    fn add(&mut self, from: Slot, to: Slot);

    /// Runs `work`, which makes the same calls on this device every time the same `key` is given. Only what the slots hold
    /// may differ, and `dropout`, the seed and step of every [`Dropout`](crate::Dropout) among the calls.
    ///
    /// A device may record the calls of a key and later repeat them without running `work`; without a key it never does. So `work` must not read or write slots
    /// from the host, and must change nothing but the device. Growing the arena discards all recordings.
    fn pass(
        &mut self,
        key: Option<PassKey>,
        dropout: Option<(u64, u64)>,
        work: &mut dyn FnMut(&mut dyn Device),
    );

    /// Forgets all recordings: from here on, equal keys may mean other calls than before.
    fn forget_passes(&mut self) {}

    /// A new name for a group of devices that train one model together, each in a process of its own. All are to join by it.
    ///
    /// # Errors
    /// [`EngineError`] where this device cannot be one of a group.
    fn group_id(&self) -> Result<Vec<u8>, EngineError> {
        Err(EngineError::NotInGroups { device: self.description() })
    }

    /// Joins a group as the one of number `rank` of `ranks`, counted from 0, once all others do.
    ///
    /// # Errors
    /// As [`Device::group_id`], and where the devices do not reach each other.
    fn join_group(&mut self, _id: &[u8], _rank: usize, _ranks: usize) -> Result<(), EngineError> {
        Err(EngineError::NotInGroups { device: self.description() })
    }

    /// Devices of the group; 1 without one.
    fn ranks(&self) -> usize {
        1
    }

    /// Begins to replace a slot by its sum over all ranks, the same bits on each; nothing without a group. All ranks must
    /// make the same calls between ranks in the same order, and until [`Device::wait_for_ranks`] the slot may not be used:
    /// work on others may be done meanwhile. Of what goes on between ranks, a pass may call this alone.
    fn sum_over_ranks(&mut self, _slot: Slot) {}

    /// Work from here on finds what was begun between ranks done.
    fn wait_for_ranks(&mut self) {}

    /// Copies a slot from one rank to all others.
    fn broadcast(&mut self, _slot: Slot, _from: usize) {}

    /// See [`ShownCounts`].
    fn shown_counts(&mut self, op: &ShownCounts);
    /// See [`CountsLinear`].
    fn counts_linear(&mut self, op: &CountsLinear);
    /// See [`CountsLinearBackward`].
    fn counts_linear_backward(&mut self, op: &CountsLinearBackward);
    /// See [`Compose`].
    fn compose(&mut self, op: &Compose);
    /// See [`ComposeBackward`].
    fn compose_backward(&mut self, op: &ComposeBackward);
    /// See [`SelectRows`].
    fn select_rows(&mut self, op: &SelectRows);
    /// See [`SelectRows`].
    fn select_rows_backward(&mut self, op: &SelectRows);
    /// See [`Linear`].
    fn linear(&mut self, op: &Linear);
    /// See [`LinearBackward`].
    fn linear_backward(&mut self, op: &LinearBackward);
    /// See [`LayerNorm`].
    fn layer_norm(&mut self, op: &LayerNorm);
    /// See [`LayerNormBackward`].
    fn layer_norm_backward(&mut self, op: &LayerNormBackward);
    /// See [`ScaleNorm`].
    fn scale_norm(&mut self, op: &ScaleNorm);
    /// See [`ScaleNormBackward`].
    fn scale_norm_backward(&mut self, op: &ScaleNormBackward);
    /// See [`Attention`].
    fn attention(&mut self, op: &Attention);
    /// See [`AttentionBackward`].
    fn attention_backward(&mut self, op: &AttentionBackward);
    /// See [`Rope`].
    fn rope(&mut self, op: &Rope);
    /// See [`TokenRows`].
    fn token_rows(&mut self, op: &TokenRows);
    /// See [`TokenRows`].
    fn token_rows_backward(&mut self, op: &TokenRows);
    /// See [`DropPrefix`].
    fn drop_prefix(&mut self, op: &DropPrefix);
    /// See [`DropPrefix`]: the rows of the bins receive their gradient, the prefix rows zeros.
    fn drop_prefix_backward(&mut self, op: &DropPrefix);
    /// See [`PatchPositions`].
    fn patch_positions(&mut self, op: &PatchPositions);
    /// See [`PatchPositions`].
    fn patch_positions_backward(&mut self, op: &PatchPositions);
    /// See [`PoissonLoss`].
    fn poisson_loss(&mut self, op: &PoissonLoss);
    /// See [`AdamW`].
    fn adamw(&mut self, op: &AdamW<'_>);
}
