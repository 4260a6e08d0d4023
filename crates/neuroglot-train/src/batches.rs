//! Which trials make up which batch of an epoch.

use crate::{Purpose, Sampling, stream};
use rand::seq::SliceRandom;

/// Trials of one session that are trained on together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub session: usize,
    /// Indices of trials of the session.
    pub trials: Vec<usize>,
}

/// The batches of an epoch, in order.
///
/// For each pass over a session, its trials are shuffled and cut into batches whose sizes differ by one trial at most, so
/// that a pass sees every trial once. Balanced sampling may stop within a session's last pass. The batches of all sessions
/// are then shuffled together.
pub(crate) fn epoch(
    training_trials: &[Vec<usize>],
    batch: usize,
    sampling: Sampling,
    seed: u64,
    epoch: u64,
) -> Vec<Batch> {
    let mut rng = stream(seed, Purpose::Shuffling, epoch, 0);
    let mut batches = Vec::new();
    let wanted = per_session(training_trials, batch, sampling);
    for (session, (trials, wanted)) in training_trials.iter().zip(wanted).enumerate() {
        let end = batches.len() + wanted;
        while batches.len() < end {
            let mut trials = trials.clone();
            trials.shuffle(&mut rng);
            let parts = parts(trials.len(), batch);
            let mut rest = trials.as_slice();
            for part in 0..parts.min(end - batches.len()) {
                let size = rest.len().div_ceil(parts - part);
                let (trials, others) = rest.split_at(size);
                batches.push(Batch { session, trials: trials.to_vec() });
                rest = others;
            }
        }
    }
    batches.shuffle(&mut rng);
    batches
}

/// Batches of each session in an epoch. A pass over a session's training trials takes ⌊trials / batch⌋ batches, at least
/// one; proportional sampling makes one pass over each session, balanced sampling takes of each session as many batches as
/// a pass over the one with the most.
pub(crate) fn per_session(training_trials: &[Vec<usize>], batch: usize, sampling: Sampling) -> Vec<usize> {
    let passes: Vec<usize> = training_trials.iter().map(|trials| parts(trials.len(), batch)).collect();
    let most = passes.iter().copied().max().unwrap_or(0);
    match sampling {
        Sampling::Proportional => passes,
        Sampling::Balanced => passes.into_iter().map(|pass| if pass == 0 { 0 } else { most }).collect(),
    }
}

fn parts(trials: usize, batch: usize) -> usize {
    if trials == 0 { 0 } else { (trials / batch).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Sampling::{Balanced, Proportional};

    #[test]
    fn every_trial_is_seen_once_in_parts_of_nearly_one_size() {
        let trials = vec![(10..267).collect::<Vec<usize>>(), (0..5).collect(), vec![]];
        assert_eq!(per_session(&trials, 16, Proportional), [16, 1, 0]);
        let batches = epoch(&trials, 16, Proportional, 3, 4);
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
    fn balanced_sessions_have_equally_many_batches_and_small_ones_are_repeated_evenly() {
        // Passes of 16, 3 and 1 batches.
        let trials = vec![(0..257).collect::<Vec<usize>>(), (0..50).collect(), (0..5).collect(), vec![]];
        assert_eq!(per_session(&trials, 16, Balanced), [16, 16, 16, 0]);
        let batches = epoch(&trials, 16, Balanced, 3, 4);
        // Seen at least and at most: 16 batches are 5 passes of 3 and a third of one.
        for (session, (least, most)) in [(0, (1, 1)), (1, (5, 6)), (2, (16, 16))] {
            let own: Vec<&Batch> = batches.iter().filter(|batch| batch.session == session).collect();
            assert_eq!(own.len(), 16);
            let times = |trial: &usize| own.iter().filter(|batch| batch.trials.contains(trial)).count();
            let counts: Vec<usize> = trials[session].iter().map(times).collect();
            assert_eq!((counts.iter().min(), counts.iter().max()), (Some(&least), Some(&most)));
            // No batch holds a trial twice.
            let seen: usize = own.iter().map(|batch| batch.trials.len()).sum();
            assert_eq!(seen, counts.iter().sum::<usize>());
        }
        assert_eq!(batches.len(), 3 * 16, "a session without trials has no batch");
    }

    #[test]
    fn sessions_of_one_length_are_sampled_alike_either_way() {
        let trials = vec![(0..64).collect::<Vec<usize>>(), (7..71).collect()];
        assert_eq!(epoch(&trials, 16, Balanced, 3, 4), epoch(&trials, 16, Proportional, 3, 4));
    }

    #[test]
    fn epochs_differ_and_repeat_by_seed() {
        let trials = vec![(0..64).collect::<Vec<usize>>(), (0..20).collect()];
        for sampling in [Proportional, Balanced] {
            let first = epoch(&trials, 16, sampling, 3, 4);
            assert_eq!(first, epoch(&trials, 16, sampling, 3, 4));
            assert_ne!(first, epoch(&trials, 16, sampling, 3, 5));
            assert_ne!(first, epoch(&trials, 16, sampling, 4, 4));
        }
    }
}
