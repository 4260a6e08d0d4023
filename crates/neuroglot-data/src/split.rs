//! Which trials a model is trained, chosen and scored on.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// The part of a session's trials that a trial belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Parameters are fitted on these trials.
    Train,
    /// The best checkpoint and penalties are chosen on these trials.
    Validation,
    /// Figures are reported on these trials, which nothing was fitted to.
    Test,
}

impl Split {
    /// All splits, in the order in which files and reports list them.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The name in file names: `train`, `val` or `test`.
    pub fn file_name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "val",
            Split::Test => "test",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        })
    }
}

/// Draws the split of each of `trials` trials: 70 % train, 10 % validation, 20 % test by a seeded random permutation
/// (MtM, arXiv 2407.14668).
///
/// Train is rounded down and validation up. Three trials or more leave no split empty; fewer go to train first, then
/// to validation.
pub fn split_trials(trials: usize, seed: u64) -> Vec<Split> {
    let train = (trials * 7 / 10).min(trials.saturating_sub(2)).max(1).min(trials);
    let validation = (trials - train).div_ceil(3);
    shuffled(trials, train, validation, seed)
}

/// Draws the split of each of `trials` trials with other shares: `train` and `validation` (from 0 to 1), the rest test.
///
/// Train is rounded down and validation up; 0.7 and 0.1 give what [`split_trials`] gives.
///
/// # Panics
/// If a share is negative or no number, or both exceed 1 together.
pub fn split_trials_by(trials: usize, seed: u64, train: f64, validation: f64) -> Vec<Split> {
    let rest = 1.0 - train;
    assert!(train >= 0.0 && validation >= 0.0 && rest >= -1e-9, "shares {train} and {validation}");
    // What rounding errors of the shares themselves would add is taken off first.
    let floor = |value: f64| (value + 1e-9).floor() as usize;
    let least = usize::from(train > 0.0);
    let at_most =
        trials.saturating_sub(usize::from(validation > 0.0) + usize::from(train + validation < 1.0 - 1e-9));
    let train_trials = floor(trials as f64 * train).min(at_most).max(least).min(trials);
    let left = trials - train_trials;
    let of_rest = if rest > 1e-9 { (validation / rest).min(1.0) } else { 0.0 };
    let validation_trials = ((left as f64 * of_rest - 1e-9).ceil().max(0.0) as usize).min(left);
    shuffled(trials, train_trials, validation_trials, seed)
}

fn shuffled(trials: usize, train: usize, validation: usize, seed: u64) -> Vec<Split> {
    let mut splits: Vec<Split> = (0..trials)
        .map(|place| match place {
            place if place < train => Split::Train,
            place if place < train + validation => Split::Validation,
            _ => Split::Test,
        })
        .collect();
    splits.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    splits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_shares() {
        for trials in 0..400 {
            assert_eq!(split_trials_by(trials, 3, 0.7, 0.1), split_trials(trials, 3), "{trials} trials");
        }
        let sizes = |train, validation| {
            let splits = split_trials_by(100, 1, train, validation);
            Split::ALL.map(|split| splits.iter().filter(|other| **other == split).count())
        };
        assert_eq!(sizes(0.8, 0.1), [80, 10, 10]);
        assert_eq!(sizes(1.0, 0.0), [100, 0, 0]);
        assert_eq!(sizes(0.0, 0.0), [0, 0, 100]);
        assert_eq!(sizes(0.6, 0.4), [60, 40, 0]);
    }

    use proptest::prelude::*;

    fn sizes(splits: &[Split]) -> [usize; 3] {
        Split::ALL.map(|split| splits.iter().filter(|&&s| s == split).count())
    }

    #[test]
    fn sizes_are_those_of_distributed_recordings() {
        // 367 and 214 trials: the sizes in which two real recordings are distributed.
        for (trials, expected) in [
            (367, [256, 37, 74]),
            (214, [149, 22, 43]),
            (10, [7, 1, 2]),
            (4, [2, 1, 1]),
            (3, [1, 1, 1]),
            (2, [1, 1, 0]),
            (1, [1, 0, 0]),
            (0, [0, 0, 0]),
        ] {
            assert_eq!(sizes(&split_trials(trials, 42)), expected, "{trials} trials");
        }
    }

    #[test]
    fn trials_are_not_split_in_order() {
        let splits = split_trials(300, 42);
        assert!(
            Split::ALL.iter().all(|split| splits[..100].contains(split) && splits[200..].contains(split))
        );
    }

    proptest! {
        #[test]
        fn every_trial_has_one_split_and_the_seed_decides(trials in 3usize..2000, seed: u64) {
            let splits = split_trials(trials, seed);
            prop_assert_eq!(splits.len(), trials);
            let [train, validation, test] = sizes(&splits);
            prop_assert_eq!(train + validation + test, trials);
            prop_assert!(train >= 1 && validation >= 1 && test >= 1);
            prop_assert!((train as f64 - 0.7 * trials as f64).abs() <= 1.2);
            prop_assert!((validation as f64 - 0.1 * trials as f64).abs() <= 1.2);
            prop_assert_eq!(&splits, &split_trials(trials, seed));
            if trials > 50 {
                prop_assert_ne!(splits, split_trials(trials, seed ^ 1));
            }
        }
    }
}
