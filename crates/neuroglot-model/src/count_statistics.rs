//! Standardised inputs: what the counts of each unit are measured from and in.

use crate::{InputKind, ModelConfig, ParameterInfo, Role, SessionShape};

/// Mean and deviation of the counts of each unit of a session, spikes/bin, over the trials that a model is trained on:
/// a unit at its mean is read as 0, and one that is a deviation above it as 1. Nothing trains them.
#[derive(Debug, Clone, PartialEq)]
pub struct CountStatistics {
    /// `[unit]`.
    pub mean: Vec<f32>,
    /// `[unit]`, above 0.
    pub deviation: Vec<f32>,
}

impl CountStatistics {
    /// What keeps them from being those of a session of so many units.
    pub(crate) fn problem(&self, units: usize) -> Option<&'static str> {
        let Self { mean, deviation } = self;
        if [mean.len(), deviation.len()] != [units; 2] {
            Some("its units and their means and deviations are not as many")
        } else if !mean.iter().chain(deviation).all(|value| value.is_finite()) {
            Some("a mean or deviation is not a number")
        } else if !deviation.iter().all(|deviation| *deviation > 0.0) {
            Some("a deviation is 0 or less")
        } else {
            None
        }
    }
}

impl ModelConfig {
    /// Name and shape of the [`CountStatistics`] of each session, mean and deviation, as checkpoints hold them beside the
    /// parameters: none where the network reads counts.
    pub fn count_statistics(&self, sessions: &[SessionShape]) -> Vec<[ParameterInfo; 2]> {
        let of_session = |(session, shape): (usize, &SessionShape)| {
            let info = |after| {
                let role = Role::CountStatistics { session };
                ParameterInfo::of_session("count_statistics.", shape, after, &[shape.units()], role)
            };
            [info(".mean"), info(".deviation")]
        };
        let has_any = self.input == InputKind::Standardised;
        sessions.iter().enumerate().filter(|_| has_any).map(of_session).collect()
    }
}
