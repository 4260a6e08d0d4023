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
#[derive(Debug, Clone)]
pub(super) struct TrialTable {
    pub session: usize,
    pub places: usize,
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

    /// Keeps counts of trials of a session in a table of so many places on the device, if it takes no more than so many bytes: the
    /// first trials, as many as there are places. The table can hold each of the trials, whatever their counts;
    /// [`Model::rewrite_trials`] puts others in. `write_counts` writes the counts of a trial, `[bin, unit]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device fails.
    pub fn keep_trials(
        &mut self,
        session: usize,
        trials: &[usize],
        places: usize,
        most_bytes: usize,
        mut write_counts: impl FnMut(usize, &mut [f32]),
    ) -> Result<Option<KeptTrials>, ModelError> {
        // Nobody need look at counts that are not kept.
        if places == 0 || most_bytes == 0 {
            return Ok(None);
        }
        let mut counts = vec![0.0; self.bins * self.sessions[session].units()];
        let mut format = CountFormat::U8;
        for trial in trials {
            write_counts(*trial, &mut counts);
            format = format.max(CountFormat::for_counts(&counts));
        }
        let floats = places.saturating_mul(format.floats(counts.len()));
        if floats.saturating_mul(size_of::<f32>()) > most_bytes {
            return Ok(None);
        }
        let before = self.shared.clone();
        let slot = self.shared.slot(floats);
        self.change_plans();
        self.device.reserve(self.shared.floats())?;
        self.tables.push(TrialTable { session, places, slot, format, before });
        let kept = KeptTrials { index: self.tables.len() - 1 };
        self.rewrite_trials(kept, places.min(trials.len()), |place, counts| {
            write_counts(trials[place], counts)
        });
        Ok(Some(kept))
    }

    /// Puts other trials into the first places of a table. `write_counts` writes the counts of a place, `[bin, unit]`.
    ///
    /// # Panics
    /// Where there are not so many places, or the table cannot hold a count.
    pub fn rewrite_trials(
        &mut self,
        kept: KeptTrials,
        count: usize,
        mut write_counts: impl FnMut(usize, &mut [f32]),
    ) {
        let TrialTable { session, places, slot, format, .. } = self.tables[kept.index].clone();
        assert!(count <= places, "{count} trials for {places} places");
        let mut counts = vec![0.0; self.bins * self.sessions[session].units()];
        let mut packed = vec![0.0; format.floats(counts.len())];
        for place in 0..count {
            write_counts(place, &mut counts);
            let needed = CountFormat::for_counts(&counts);
            assert!(needed <= format, "a count that the table of trials cannot hold");
            format.pack(&counts, &mut packed);
            self.device.write(slot.part(place * packed.len(), packed.len()), &packed);
        }
    }

    /// Bytes of a table.
    pub fn kept_bytes(&self, kept: KeptTrials) -> usize {
        self.tables[kept.index].slot.len() * size_of::<f32>()
    }

    /// Number of places in a table.
    pub fn kept_places(&self, kept: KeptTrials) -> usize {
        self.tables[kept.index].places
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
