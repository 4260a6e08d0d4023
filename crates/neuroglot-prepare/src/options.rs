//! How a recording is cut into trials.

use std::collections::BTreeMap;

use neuroglot_data::SplitKind;
use neuroglot_regions::Parcellation;
use serde::{Deserialize, Serialize};

use crate::rule::TrialRule;
use crate::{Species, TimeUnit};

/// How a recording is cut into trials and binned; the defaults are those of the paper (MtM, arXiv 2407.14668, section 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrepareOptions {
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// First and last moment of a trial, s from the event it is aligned to.
    pub window: [f64; 2],
    /// Column of the trials table with the event's time, s; `None` takes the source's usual one.
    pub align: Option<String>,
    /// What a trial must fulfil; `None` takes the source's usual rules.
    pub rules: Option<Vec<TrialRule>>,
    /// Rules beyond those.
    pub further_rules: Vec<TrialRule>,
    /// Leave out trials that lack a value of any behaviour.
    pub complete_behaviours: bool,
    /// Behaviours and traces to keep, by name; `None` keeps all.
    pub behaviours: Option<Vec<String>>,
    /// Columns of the trials table to keep as behaviours, with their new names.
    pub conditions: Vec<Condition>,
    /// A trace is interpolated over gaps between samples of at most this, s; in longer ones it is missing.
    pub max_gap: f64,
    /// Shares of the trials, in per cent: train, validation, test.
    pub split: [f64; 3],
    /// How it is decided which trials go where.
    pub split_kind: SplitKind,
    /// Least time between windows of two splits, s; `None` lets them lie as they come.
    pub split_gap: Option<f64>,
    /// Behaviour of one value per trial that a stratified split is by; `None` takes `choice`.
    pub split_by: Option<String>,
    /// Decides what the split leaves to chance.
    pub seed: u64,
    /// Keep trials that are copies of others; otherwise they are an error.
    pub identical_trials: bool,
    /// What times of spikes count; `None` takes what the source says, seconds if it says nothing.
    pub spike_time_unit: Option<TimeUnit>,
    /// What times of the events that trials are aligned to count; `None` is seconds.
    pub trial_time_unit: Option<TimeUnit>,
    /// Species of the animal; `None` takes what the source says.
    pub species: Option<Species>,
    /// Parcellation that the units' regions are named by.
    pub parcellation: Parcellation,
    /// Units outside of all regions (`root`, `void`) count as one, `outside`; otherwise they are never a target of region
    /// masks.
    pub outside_is_region: bool,
    /// Keep only units whose quality is good.
    pub good_units: bool,
    /// Keep only units that were observed in at least this share of the trials, in per cent, and of the trials only those in
    /// which all of these were; `None` takes the share that keeps most units times trials.
    pub least_observed: Option<f64>,
    /// Names of regions that a source has as numbers which are no Allen ids.
    pub region_codes: BTreeMap<i64, String>,
}

/// A column of the trials table that becomes a behaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Name of the behaviour.
    pub name: String,
    /// The column.
    pub column: String,
}

impl std::str::FromStr for Condition {
    type Err = String;

    /// `NAME=COLUMN`, or `COLUMN` alone.
    fn from_str(text: &str) -> Result<Condition, String> {
        let (name, column) = text.split_once('=').unwrap_or((text, text));
        let (name, column) = (name.trim(), column.trim());
        if name.is_empty() || column.is_empty() {
            Err(format!("`{text}` is not NAME=COLUMN, such as choice=response"))
        } else {
            Ok(Condition { name: name.to_owned(), column: column.to_owned() })
        }
    }
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self {
            bin_seconds: 0.02,
            window: [-0.5, 1.5],
            align: None,
            rules: None,
            further_rules: Vec::new(),
            complete_behaviours: false,
            behaviours: None,
            conditions: Vec::new(),
            max_gap: 1.0,
            split: [70.0, 10.0, 20.0],
            split_kind: SplitKind::Random,
            split_gap: None,
            split_by: None,
            seed: 42,
            identical_trials: false,
            spike_time_unit: None,
            trial_time_unit: None,
            species: None,
            parcellation: Parcellation::Beryl,
            outside_is_region: false,
            good_units: false,
            least_observed: None,
            region_codes: BTreeMap::new(),
        }
    }
}

/// More bins than any trial has.
const MAX_BINS: f64 = 100_000.0;

impl PrepareOptions {
    /// Checks what the types do not, and gives the number of bins of a trial.
    ///
    /// # Errors
    /// The option at fault, with the cure.
    pub fn bins(&self) -> Result<usize, String> {
        let [start, end] = self.window;
        if !(self.bin_seconds.is_finite() && self.bin_seconds > 0.0) {
            return Err(format!("bin width is {} s: it must be positive", self.bin_seconds));
        }
        if !(start.is_finite() && end.is_finite() && start < end) {
            return Err(format!("window is {start} to {end} s: it must end after it begins"));
        }
        let bins = (end - start) / self.bin_seconds;
        if !(bins - bins.round()).abs().le(&1e-6) || !(0.5..=MAX_BINS).contains(&bins) {
            return Err(format!(
                "a window of {start} to {end} s has {bins:.3} bins of {} s: choose a whole number of bins, at most {MAX_BINS}",
                self.bin_seconds
            ));
        }
        let share = |share: &f64| share.is_finite() && *share >= 0.0;
        if !self.split.iter().all(share) || (self.split.iter().sum::<f64>() - 100.0).abs() > 1e-6 {
            return Err(format!("split is {:?}: shares must add up to 100 per cent", self.split));
        }
        if self.split_gap.is_some_and(|gap| !(gap.is_finite() && gap >= 0.0)) {
            return Err("the gap between splits must be 0 s or more".to_owned());
        }
        if self.split_by.is_some() && self.split_kind != SplitKind::Stratified {
            return Err(format!("a {} split is by nothing: take a stratified one", self.split_kind));
        }
        if self.max_gap.is_nan() || self.max_gap <= 0.0 {
            return Err(format!("longest gap is {} s: it must be positive", self.max_gap));
        }
        if let Some(least) = self.least_observed
            && !(0.0..=100.0).contains(&least)
        {
            return Err(format!("least share of observed trials is {least}: it must be 0 to 100 per cent"));
        }
        Ok(bins.round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_has_a_hundred_bins() {
        assert_eq!(PrepareOptions::default().bins(), Ok(100));
    }

    #[test]
    fn what_cannot_be_binned_is_refused_by_name() {
        let refused = |change: fn(&mut PrepareOptions), word: &str| {
            let mut options = PrepareOptions::default();
            change(&mut options);
            let message = options.bins().unwrap_err();
            assert!(message.contains(word), "{message}");
        };
        refused(|o| o.bin_seconds = 0.0, "bin width");
        refused(|o| o.bin_seconds = 0.03, "whole number of bins");
        refused(|o| o.bin_seconds = 1e-9, "at most");
        refused(|o| o.window = [1.0, 1.0], "window");
        refused(|o| o.window = [f64::NAN, 1.0], "window");
        refused(|o| o.split = [70.0, 10.0, 10.0], "split");
        refused(|o| o.split_gap = Some(-1.0), "gap between splits");
        refused(|o| o.split_by = Some("choice".to_owned()), "stratified");
        refused(|o| o.max_gap = 0.0, "gap");
        refused(|o| o.least_observed = Some(f64::NAN), "observed");
    }
}
