//! Which trials make up which batch of an epoch.

use crate::{Purpose, stream};
use rand::seq::SliceRandom;

/// Trials of one session that are trained on together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub session: usize,
    /// Indices of trials of the session.
    pub trials: Vec<usize>,
}

/// Batches per epoch: of each session its training trials in ⌊trials / batch⌋ parts, at least one.
pub(crate) fn batches_per_epoch(training_trials: &[Vec<usize>], batch: usize) -> u64 {
    training_trials.iter().map(|trials| parts(trials.len(), batch) as u64).sum()
}

/// The batches of an epoch in order: trials shuffled and cut into parts that differ by one trial at most, so that
/// every trial is seen once; then the batches of all sessions shuffled.
pub(crate) fn epoch(training_trials: &[Vec<usize>], batch: usize, seed: u64, epoch: u64) -> Vec<Batch> {
    let mut rng = stream(seed, Purpose::Shuffling, epoch, 0);
    let mut batches = Vec::new();
    for (session, trials) in training_trials.iter().enumerate() {
        let mut trials = trials.clone();
        trials.shuffle(&mut rng);
        let parts = parts(trials.len(), batch);
        let mut rest = trials.as_slice();
        for part in 0..parts {
            let size = rest.len().div_ceil(parts - part);
            let (trials, others) = rest.split_at(size);
            batches.push(Batch { session, trials: trials.to_vec() });
            rest = others;
        }
    }
    batches.shuffle(&mut rng);
    batches
}

fn parts(trials: usize, batch: usize) -> usize {
    if trials == 0 { 0 } else { (trials / batch).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_seen_once_in_parts_of_nearly_one_size() {
        let trials = vec![(10..267).collect::<Vec<usize>>(), (0..5).collect(), vec![]];
        assert_eq!(batches_per_epoch(&trials, 16), 17);
        let batches = epoch(&trials, 16, 3, 4);
        assert_eq!(batches.len(), 17);
        for (session, expected) in trials.iter().enumerate() {
            let of_session = batches.iter().filter(|batch| batch.session == session);
            let mut seen: Vec<usize> = of_session.flat_map(|batch| batch.trials.clone()).collect();
            seen.sort();
            assert_eq!(&seen, expected);
        }
        for batch in batches.iter().filter(|batch| batch.session == 0) {
            assert!(batch.trials.len() == 16 || batch.trials.len() == 17);
        }
    }

    #[test]
    fn epochs_differ_and_repeat_by_seed() {
        let trials = vec![(0..64).collect::<Vec<usize>>()];
        assert_eq!(epoch(&trials, 16, 3, 4), epoch(&trials, 16, 3, 4));
        assert_ne!(epoch(&trials, 16, 3, 4), epoch(&trials, 16, 3, 5));
        assert_ne!(epoch(&trials, 16, 3, 4), epoch(&trials, 16, 4, 4));
    }
}
