//! Which trials of a session a model has seen: a checkpoint keeps a fingerprint of each.

use neuroglot_data::{Session, Split, TrialFingerprint};
use serde::{Deserialize, Serialize};

/// Which trials of a session a model was trained on and chosen by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Trials that it was trained on.
    pub training: Vec<TrialFingerprint>,
    /// Trials that its checkpoint was chosen by.
    pub validation: Vec<TrialFingerprint>,
    /// Trials that it has not seen: test trials, and training trials beyond [`DataConfig::trials`].
    ///
    /// [`DataConfig::trials`]: crate::DataConfig::trials
    pub unseen: Vec<TrialFingerprint>,
}

impl TrialRecord {
    /// Of a session of which these training trials are used, ascending; its validation trials choose the checkpoint.
    pub fn of(session: &Session, training: &[usize]) -> Self {
        let mut record = Self::default();
        let [trials, units] = [session.trials(), session.units().len()].map(|n| (0..n).collect::<Vec<_>>());
        let fingerprints = TrialFingerprint::of_trials(session, &trials, &units);
        for (trial, fingerprint) in fingerprints.into_iter().enumerate() {
            let list = match session.splits()[trial] {
                Split::Train if training.binary_search(&trial).is_ok() => &mut record.training,
                Split::Validation => &mut record.validation,
                Split::Train | Split::Test => &mut record.unseen,
            };
            list.push(fingerprint);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;

    #[test]
    fn a_record_has_each_trial_once_where_it_was_used() {
        let session = SimulatorConfig { sessions: 1, units: 6, trials: 20, ..SimulatorConfig::default() };
        let session = session.simulate().unwrap().remove(0);
        let all: Vec<usize> = (0..session.units().len()).collect();
        let list = |trials: &[usize]| TrialFingerprint::of_trials(&session, trials, &all);
        let [training, validation, test] = Split::ALL.map(|split| session.trials_in(split));
        let (used, left) = training.split_at(training.len() / 2);
        let found = TrialRecord::of(&session, used);
        assert_eq!((&found.training, &found.validation), (&list(used), &list(&validation)));
        let mut unseen = [left, test.as_slice()].concat();
        unseen.sort();
        assert_eq!(found.unseen, list(&unseen));
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["training"][0], found.training[0].to_string());
        assert_eq!(serde_json::from_value::<TrialRecord>(json).unwrap(), found);
    }
}
