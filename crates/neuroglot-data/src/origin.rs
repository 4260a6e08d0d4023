//! Where the trials and units of a session stood before any of them was left out.

use crate::{DataError, Session, Split};
use std::collections::BTreeSet;

/// Places and names in the session as it was made or read; they stay what they are when trials and units are left out.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Index of each unit, `[unit]`, among `all_units`.
    units: Vec<usize>,
    all_units: usize,
    /// Index of each trial, `[trial]`.
    trials: Vec<usize>,
    /// Name of each trial, `[trial]`.
    trial_ids: Vec<String>,
    /// Whether the recording names its trials; else a name is made of split and row.
    names_trials: bool,
}

/// Sessions are equal by what they hold, wherever it comes from.
impl PartialEq for Origin {
    fn eq(&self, _: &Origin) -> bool {
        true
    }
}

impl Origin {
    /// Of a session of which nothing has been left out.
    pub(crate) fn whole(splits: &[Split], units: usize) -> Origin {
        let mut rows = [0; Split::ALL.len()];
        let name = |split: &Split| {
            let row = &mut rows[*split as usize];
            *row += 1;
            format!("{}-{}", split.file_name(), *row - 1)
        };
        Origin {
            units: (0..units).collect(),
            all_units: units,
            trials: (0..splits.len()).collect(),
            trial_ids: splits.iter().map(name).collect(),
            names_trials: false,
        }
    }

    pub(crate) fn select_units(&self, units: &[usize]) -> Origin {
        Origin { units: units.iter().map(|&unit| self.units[unit]).collect(), ..self.clone() }
    }

    pub(crate) fn select_trials(&self, trials: &[usize]) -> Origin {
        Origin {
            trials: trials.iter().map(|&trial| self.trials[trial]).collect(),
            trial_ids: trials.iter().map(|&trial| self.trial_ids[trial].clone()).collect(),
            ..self.clone()
        }
    }
}

impl Session {
    /// Index of a unit in the session as it was read, before filters left any out; counted from 0.
    ///
    /// # Panics
    /// If `unit` is out of range.
    pub fn unit_index(&self, unit: usize) -> usize {
        self.origin().units[unit]
    }

    /// Number of units before filters left any out.
    pub fn units_before_filters(&self) -> usize {
        self.origin().all_units
    }

    /// Index of a trial in the session as it was read, before filters left any out: the training trials come first,
    /// then those of validation, then the test trials; counted from 0.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn trial_index(&self, trial: usize) -> usize {
        self.origin().trials[trial]
    }

    /// The trial's name in its recording (`trial_id` in files), or where that names no trials its split and its row
    /// there, such as `test-12`; unique in the session.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn trial_id(&self, trial: usize) -> &str {
        &self.origin().trial_ids[trial]
    }

    /// Whether the recording names its trials.
    pub fn names_trials(&self) -> bool {
        self.origin().names_trials
    }

    /// The session with names of its trials, `[trial]`, such as their numbers in the recording's table of trials.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if there is not one for each trial, or two are alike.
    pub fn with_trial_ids(mut self, ids: Vec<String>) -> Result<Session, DataError> {
        let invalid = |problem: String| Err(DataError::invalid(self.eid(), "trial ids", problem));
        if ids.len() != self.trials() {
            return invalid(format!("are {}, but there are {} trials", ids.len(), self.trials()));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = ids.iter().find(|id| !seen.insert(id.as_str())) {
            return invalid(format!("hold {twice} twice: give each trial a name of its own"));
        }
        let origin = self.origin_mut();
        origin.trial_ids = ids;
        origin.names_trials = true;
        Ok(self)
    }
}
