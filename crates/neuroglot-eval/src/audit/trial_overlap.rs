//! Which test trials of a session are among the trials that a model has seen.

use neuroglot_data::TrialFingerprint;
use neuroglot_train::TrialRecord;
use serde::Serialize;
use std::collections::HashMap;

/// What a model's checkpoint says of the test trials of a session that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TrialOverlap {
    /// Trials were compared by their counts.
    Compared(TrialsSeen),
    /// The checkpoint does not say which trials it has seen: it was imported, or written before they were recorded.
    NotRecorded,
    /// The session is binned in another way than the one that the model has seen.
    OtherBins,
    /// The session lacks units that the model has seen, or has names of units twice.
    OtherUnits,
}

/// How many test trials of a session a model has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TrialsSeen {
    /// Test trials of the session.
    pub test: usize,
    /// Those that the model was trained on.
    pub trained_on: usize,
    /// Those that its checkpoint was chosen by.
    pub chosen_by: usize,
    /// Those that the model's session had too, and that it has not seen.
    pub unseen: usize,
    /// Those that the model's session did not have: it was aligned otherwise, or other trials were kept.
    pub new: usize,
}

impl TrialsSeen {
    /// Looks test trials up in what a checkpoint recorded.
    ///
    /// Trials with equal counts, such as those without a spike, cannot be told apart: of these, the ones that were not
    /// seen come first, so that an unchanged session never seems to have been seen.
    pub fn of(test: &[TrialFingerprint], record: &TrialRecord) -> Self {
        let mut left = [&record.unseen, &record.validation, &record.training].map(|trials| {
            let mut counts = HashMap::<TrialFingerprint, usize>::new();
            for trial in trials {
                *counts.entry(*trial).or_default() += 1;
            }
            counts
        });
        let mut seen = Self { test: test.len(), ..Self::default() };
        for trial in test {
            let place = left.iter_mut().position(|counts| match counts.get_mut(trial) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            });
            match place {
                Some(0) => seen.unseen += 1,
                Some(1) => seen.chosen_by += 1,
                Some(_) => seen.trained_on += 1,
                None => seen.new += 1,
            }
        }
        seen
    }

    /// Whether the model was trained on any, or chosen by any.
    pub fn are_used(self) -> bool {
        self.trained_on + self.chosen_by > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(numbers: &[u64]) -> Vec<TrialFingerprint> {
        numbers.iter().map(|number| format!("{number:016x}").try_into().unwrap()).collect()
    }

    #[test]
    fn each_test_trial_is_counted_once() {
        let record =
            TrialRecord { training: trials(&[1, 2, 3]), validation: trials(&[4]), unseen: trials(&[5, 6]) };
        let seen = TrialsSeen::of(&trials(&[2, 3, 4, 6, 7, 8]), &record);
        assert_eq!(seen, TrialsSeen { test: 6, trained_on: 2, chosen_by: 1, unseen: 1, new: 2 });
        assert!(seen.are_used());
        assert!(!TrialsSeen::of(&trials(&[5, 6, 7]), &record).are_used());
    }

    #[test]
    fn trials_that_cannot_be_told_apart_are_taken_for_unseen_ones_first() {
        // Three silent trials, one of them a test trial.
        let record =
            TrialRecord { training: trials(&[1, 9, 9]), validation: Vec::new(), unseen: trials(&[9]) };
        assert_eq!(TrialsSeen::of(&trials(&[9]), &record).unseen, 1);
        // Two of them in another test split: one must have been a training trial.
        let seen = TrialsSeen::of(&trials(&[9, 9]), &record);
        assert_eq!((seen.unseen, seen.trained_on), (1, 1));
        // More of them than there were are new.
        assert_eq!(TrialsSeen::of(&trials(&[9; 5]), &record).new, 2);
    }
}
