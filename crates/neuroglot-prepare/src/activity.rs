//! What is cut into trials, in either form in which it comes: spikes through time here, counts in bins in `binned.rs`.

use std::collections::BTreeMap;

use neuroglot_data::number::counted;
use neuroglot_data::{Behaviour, SpikeCounts};

use crate::assemble::kept_of;
use crate::binning::count_spikes;
use crate::observed::{Windows, leave_out_unobserved};
use crate::time_unit::{compare_spans, into_seconds};
use crate::trace_bins::{bin_trace, leave_out_fill};
use crate::{
    Asked, Condition, PrepareOptions, RecordedUnit, Recording, Species, TimeUnit, TrialRule, TrialTable,
};

/// Why something is left out, `[trial]` or `[unit]`; `None` for what is kept.
pub(crate) type Reasons = Vec<Option<String>>;

/// What is known of a recording besides its activity.
pub(crate) struct Known<'a> {
    pub eid: &'a str,
    pub subject: &'a str,
    pub lab: &'a str,
    pub species: &'a Species,
    pub units: &'a [RecordedUnit],
    pub trials: &'a TrialTable,
    pub notes: &'a [String],
    /// Why no unit is known to be good or not, where that is so.
    pub quality_unknown: Option<&'a str>,
}

/// Activity of units, and behaviour through time, of which trials are cut.
pub(crate) trait Activity {
    /// What else is known.
    fn known(&self) -> Known<'_>;

    /// What a trial must fulfil.
    fn rules(&self) -> Vec<TrialRule>;

    /// Columns of the trials table that become behaviours.
    fn conditions(&self) -> Vec<Condition>;

    /// Names of the behaviours with a value per bin.
    fn traces(&self) -> Vec<String>;

    /// Forgets the traces that nobody asks for. Returns what should be known of the others.
    fn choose_traces(&mut self, asked: Asked<'_>) -> Vec<String>;

    /// Notes a reason against trials and units of which nothing was recorded. Returns what should be known.
    ///
    /// # Errors
    /// In words: times that cannot be meant.
    fn leave_out_unobserved(&self, trials: &mut Reasons, units: &mut Reasons) -> Result<Vec<String>, String>;

    /// Width of a bin, s.
    fn bin_seconds(&self) -> f64;

    /// Length of a window, s.
    fn window_seconds(&self) -> f64;

    /// When the windows of some trials begin, s: `[trial]`; `None` where it is not known.
    fn starts(&self, trials: &[usize]) -> Option<Vec<f64>>;

    /// The traces in the bins of some trials.
    fn per_bin(&self, trials: &[usize]) -> BTreeMap<String, Behaviour>;

    /// Counts of all units in some trials, `[trial, bin, unit]`.
    fn counts(&self, trials: &[usize]) -> SpikeCounts;
}

/// A recording that is continuous in time, and when its trials are.
pub(crate) struct Continuous<'a> {
    recording: Recording,
    options: &'a PrepareOptions,
    /// Bins of a trial.
    bins: usize,
    /// Column of the event that trials are aligned to.
    align: String,
    /// Time of the event, s: `[trial]`; NaN where there is none.
    events: Vec<f64>,
    /// Whether somebody said what times of spikes count, and so has looked at them.
    time_unit_is_said: bool,
}

impl<'a> Continuous<'a> {
    /// Finds the events, and has all times in s.
    ///
    /// # Errors
    /// In words: an option that cannot be meant, or an event that the recording has not.
    pub(crate) fn new(mut recording: Recording, options: &'a PrepareOptions) -> Result<Self, String> {
        let bins = options.bins()?;
        let align = options.align.as_ref().unwrap_or(&recording.usual.align).clone();
        let events = recording.trials.numbers(&align);
        let events =
            events.ok_or_else(|| format!("no times to align to: {}", recording.trials.lack_of(&align)))?;
        let per_second = options.trial_time_unit.map_or(1.0, TimeUnit::per_second);
        let events = events.iter().map(|event| event / per_second).collect();
        let time_unit = options.spike_time_unit.or(recording.spike_time_unit);
        into_seconds(&mut recording.spikes, time_unit.unwrap_or(TimeUnit::Seconds));
        Ok(Self { recording, options, bins, align, events, time_unit_is_said: time_unit.is_some() })
    }

    fn starts_of(&self, trials: &[usize]) -> Vec<f64> {
        trials.iter().map(|&trial| self.events[trial] + self.options.window[0]).collect()
    }
}

impl Activity for Continuous<'_> {
    fn known(&self) -> Known<'_> {
        let Recording { eid, subject, lab, species, units, trials, notes, quality_unknown, .. } =
            &self.recording;
        let quality_unknown = quality_unknown.as_deref();
        Known { eid, subject, lab, species, units, trials, notes, quality_unknown }
    }

    fn rules(&self) -> Vec<TrialRule> {
        let usual = self.options.rules.as_ref().unwrap_or(&self.recording.usual.rules);
        let further = &self.options.further_rules;
        std::iter::once(TrialRule::present(&self.align)).chain(usual.iter().chain(further).cloned()).collect()
    }

    fn conditions(&self) -> Vec<Condition> {
        self.recording.usual.conditions.iter().chain(&self.options.conditions).cloned().collect()
    }

    fn traces(&self) -> Vec<String> {
        self.recording.traces.keys().cloned().collect()
    }

    fn choose_traces(&mut self, asked: Asked<'_>) -> Vec<String> {
        let Recording { traces, observed, .. } = &mut self.recording;
        traces.retain(|name, _| asked.has(name));
        let mut notes = Vec::new();
        for (name, trace) in traces {
            let filled = observed.traces.get(name).map_or(0, |observed| leave_out_fill(trace, observed));
            if filled > 0 {
                let samples = counted(filled, "sample");
                notes.push(format!("{name}: {samples} at times when it was not recorded left out"));
            }
        }
        notes
    }

    fn leave_out_unobserved(&self, trials: &mut Reasons, units: &mut Reasons) -> Result<Vec<String>, String> {
        let Self { recording, options, events, .. } = self;
        let mut notes = Vec::new();
        if !self.time_unit_is_said {
            let left: Vec<f64> = kept_of(trials).into_iter().map(|trial| events[trial]).collect();
            notes.extend(compare_spans(&recording.spikes, recording.units.len(), &left, options.window)?);
        }
        let windows = Windows { events, window: options.window, bin_seconds: options.bin_seconds };
        notes.extend(leave_out_unobserved(recording, &windows, options.least_observed, trials, units));
        Ok(notes)
    }

    fn bin_seconds(&self) -> f64 {
        self.options.bin_seconds
    }

    fn window_seconds(&self) -> f64 {
        self.options.window[1] - self.options.window[0]
    }

    fn starts(&self, trials: &[usize]) -> Option<Vec<f64>> {
        Some(self.starts_of(trials))
    }

    fn per_bin(&self, trials: &[usize]) -> BTreeMap<String, Behaviour> {
        let starts = self.starts_of(trials);
        let Recording { traces, observed, .. } = &self.recording;
        let PrepareOptions { bin_seconds, max_gap, .. } = *self.options;
        let per_bin = traces.iter().map(|(name, trace)| {
            let observed = observed.traces.get(name);
            let binned = bin_trace(trace, observed, &starts, self.bins, bin_seconds, max_gap);
            (name.clone(), Behaviour::PerBin(binned))
        });
        per_bin.collect()
    }

    fn counts(&self, trials: &[usize]) -> SpikeCounts {
        let Recording { spikes, units, .. } = &self.recording;
        count_spikes(spikes, units.len(), &self.starts_of(trials), self.bins, self.options.bin_seconds)
    }
}
