//! Trials whose counts stay on the device, so that a batch of them is named and not sent.

use super::Model;
use crate::ModelError;
use neuroglot_engine::ops::CountFormat;
use neuroglot_engine::{MemoryPlan, Slot};

/// Trials of a session that the device keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptTrials {
    pub(super) index: usize,
}

/// One of them in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptTrial {
    /// Its place among the trials that are kept.
    pub place: u32,
    /// Whether its bins are read from the last to the first.
    pub is_reversed: bool,
}

/// Counts of a batch.
#[derive(Debug, Clone, Copy)]
pub enum BatchCounts<'a> {
    /// Counts, `[trial, bin, unit]`.
    Given(&'a [f32]),
    /// Trials that are on the device already.
    Kept(KeptTrials, &'a [KeptTrial]),
}

impl<'a> From<&'a [f32]> for BatchCounts<'a> {
    fn from(counts: &'a [f32]) -> Self {
        Self::Given(counts)
    }
}

impl<'a> From<&'a Vec<f32>> for BatchCounts<'a> {
    fn from(counts: &'a Vec<f32>) -> Self {
        Self::Given(counts)
    }
}

/// Where the counts of kept trials lie.
pub(super) struct TrialTable {
    pub session: usize,
    pub trials: usize,
    pub slot: Slot,
    pub format: CountFormat,
    /// What lay in front of it.
    before: MemoryPlan,
}

/// One part of so many of the device's spare memory is for kept trials: activations need the rest, and a device that makes room for them
/// holds all of its memory twice for a moment.
const LARGEST_SHARE: usize = 4;

impl Model {
    /// Bytes that kept trials may take on the device; 0 where it computes in the memory of the host, which holds the counts already.
    pub fn bytes_for_trials(&self) -> usize {
        self.device.spare_bytes().map_or(0, |spare| spare / LARGEST_SHARE)
    }

    /// Keeps the counts of so many trials of a session on the device, if they take no more than so many bytes. `write_counts` is
    /// asked for each trial twice, and writes its counts, `[bin, unit]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device fails.
    pub fn keep_trials(
        &mut self,
        session: usize,
        trials: usize,
        most_bytes: usize,
        mut write_counts: impl FnMut(usize, &mut [f32]),
    ) -> Result<Option<KeptTrials>, ModelError> {
        // Nobody need look at counts that are not kept.
        if trials == 0 || most_bytes == 0 {
            return Ok(None);
        }
        let mut counts = vec![0.0; self.bins * self.sessions[session].units()];
        let mut format = CountFormat::U8;
        for trial in 0..trials {
            write_counts(trial, &mut counts);
            let of_trial = CountFormat::for_counts(counts.iter().copied());
            if of_trial.bytes() > format.bytes() {
                format = of_trial;
            }
        }
        let floats = format.floats(counts.len());
        if trials.saturating_mul(floats).saturating_mul(size_of::<f32>()) > most_bytes {
            return Ok(None);
        }
        let before = self.shared.clone();
        let slot = self.shared.slot(trials * floats);
        self.change_plans();
        self.device.reserve(self.shared.floats())?;
        let mut packed = vec![0.0; floats];
        for trial in 0..trials {
            write_counts(trial, &mut counts);
            format.pack(&counts, &mut packed);
            self.device.write(slot.part(trial * floats, floats), &packed);
        }
        self.tables.push(TrialTable { session, trials, slot, format, before });
        Ok(Some(KeptTrials { index: self.tables.len() - 1 }))
    }

    /// Lets go of kept trials.
    ///
    /// # Panics
    /// Where others were kept after them.
    pub fn forget_trials(&mut self, kept: KeptTrials) {
        assert_eq!(kept.index + 1, self.tables.len(), "trials kept last are forgotten first");
        if let Some(table) = self.tables.pop() {
            self.shared = table.before;
            self.change_plans();
        }
    }

    /// What passes share has become longer or shorter, so their own memory lies elsewhere.
    fn change_plans(&mut self) {
        self.passes.clear();
        self.token_plans.clear();
        self.pass_in_use = None;
        self.device.forget_passes();
    }

    /// The table of kept trials, by its number.
    ///
    /// # Panics
    /// Where they are not of this session, or were forgotten.
    pub(super) fn table(&self, session: usize, number: usize) -> &TrialTable {
        let table = &self.tables[number];
        assert_eq!(table.session, session, "kept trials of another session");
        table
    }
}
