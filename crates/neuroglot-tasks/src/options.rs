//! What to evaluate, and how intervals are made.

use crate::TaskSelection;

/// What to evaluate, and how intervals are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Tasks and behaviours.
    pub selection: TaskSelection,
    /// Bootstrap resamples of the interval over units.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self { selection: TaskSelection::default(), resamples: 1000, seed: 42 }
    }
}
