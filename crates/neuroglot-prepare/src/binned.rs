//! A recording that is cut into trials and binned already.

use std::collections::BTreeMap;

use neuroglot_data::{Behaviour, SpikeCounts};

use crate::activity::{Activity, Known, Reasons};
use crate::observed::leave_out_unobserved_counts;
use crate::{Asked, Condition, PrepareOptions, RecordedUnit, Species, TrialRule, TrialTable};

/// Counts of spikes in the bins of trials that are aligned already, and what is known of units and trials.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedRecording {
    /// Identifier of the session, unique among those of one model.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// The laboratory.
    pub lab: String,
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// Species of the animal.
    pub species: Species,
    /// When the window of each trial began, s: `[trial]`; `None` if it is not known.
    pub starts: Option<Vec<f64>>,
    /// The units, `[unit]`.
    pub units: Vec<RecordedUnit>,
    /// Counts of spikes, `[trial, bin, unit]`.
    pub counts: SpikeCounts,
    /// Whether each unit was observed in each trial, `[trial, unit]` flattened; `None` where nothing is said.
    pub observed: Option<Vec<bool>>,
    /// What is known of each trial, `[trial]`; all of it becomes behaviours.
    pub trials: TrialTable,
    /// Behaviours by name, `[trial, bin]` flattened; NaN where missing.
    pub per_bin: BTreeMap<String, Vec<f64>>,
    /// What a reader wants said.
    pub notes: Vec<String>,
}

/// Counts of trials, of which some are taken. Window, bin width and the longest gap of the options say nothing here, and of
/// the rules only further ones are there.
pub(crate) struct Binned<'a> {
    binned: BinnedRecording,
    options: &'a PrepareOptions,
}

impl<'a> Binned<'a> {
    /// Checks that the options fit.
    pub(crate) fn new(mut binned: BinnedRecording, options: &'a PrepareOptions) -> Result<Self, String> {
        options.bins()?;
        if let Some(align) = &options.align {
            return Err(format!("counts are aligned already, not to {align}: leave the alignment out"));
        }
        let seconds = binned.bin_seconds;
        binned
            .notes
            .push(format!("binned already, in bins of {seconds} s: window and bin width are its own"));
        Ok(Self { binned, options })
    }
}

impl Activity for Binned<'_> {
    fn known(&self) -> Known<'_> {
        let BinnedRecording { eid, subject, lab, species, units, trials, notes, .. } = &self.binned;
        Known { eid, subject, lab, species, units, trials, notes, quality_unknown: None }
    }

    fn rules(&self) -> Vec<TrialRule> {
        self.options.rules.iter().flatten().chain(&self.options.further_rules).cloned().collect()
    }

    fn conditions(&self) -> Vec<Condition> {
        let of_column = |name: &str| Condition { name: name.to_owned(), column: name.to_owned() };
        let own = self.binned.trials.names().map(of_column);
        own.chain(self.options.conditions.iter().cloned()).collect()
    }

    fn traces(&self) -> Vec<String> {
        self.binned.per_bin.keys().cloned().collect()
    }

    fn choose_traces(&mut self, asked: Asked<'_>) -> Vec<String> {
        self.binned.per_bin.retain(|name, _| asked.has(name));
        Vec::new()
    }

    fn leave_out_unobserved(&self, trials: &mut Reasons, units: &mut Reasons) -> Result<Vec<String>, String> {
        let least = self.options.least_observed;
        let observed = self.binned.observed.as_ref();
        Ok(observed
            .map_or(Vec::new(), |observed| leave_out_unobserved_counts(observed, least, trials, units)))
    }

    fn bin_seconds(&self) -> f64 {
        self.binned.bin_seconds
    }

    fn window_seconds(&self) -> f64 {
        self.binned.counts.bins() as f64 * self.binned.bin_seconds
    }

    fn starts(&self, trials: &[usize]) -> Option<Vec<f64>> {
        let starts = self.binned.starts.as_ref()?;
        Some(trials.iter().map(|&trial| starts[trial]).collect())
    }

    fn per_bin(&self, trials: &[usize]) -> BTreeMap<String, Behaviour> {
        let bins = self.binned.counts.bins();
        let per_bin = self.binned.per_bin.iter().map(|(name, values)| {
            let of_trials = trials.iter().flat_map(|&trial| &values[trial * bins..][..bins]);
            (name.clone(), Behaviour::PerBin(of_trials.copied().collect()))
        });
        per_bin.collect()
    }

    fn counts(&self, trials: &[usize]) -> SpikeCounts {
        if trials.len() == self.binned.counts.trials() {
            self.binned.counts.clone()
        } else {
            self.binned.counts.select_trials(trials)
        }
    }
}
