//! Which training trials are used where not all are.

use crate::{Purpose, stream};
use neuroglot_data::{Session, Split};
use rand::seq::SliceRandom;

/// The training trials of a session that are used, ascending: the first `wanted` of a permutation that depends on the
/// seed alone, so that the trials of a smaller number are among those of a larger one; all where `wanted` is 0 or more
/// than there are.
pub fn training_trials(session: &Session, wanted: usize, seed: u64) -> Vec<usize> {
    let mut trials = session.trials_in(Split::Train);
    if wanted > 0 && wanted < trials.len() {
        trials.shuffle(&mut stream(seed, Purpose::Calibration, 0, 0));
        trials.truncate(wanted);
        trials.sort_unstable();
    }
    trials
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;

    #[test]
    fn fewer_trials_are_among_more_and_all_are_training_trials() {
        let simulator =
            SimulatorConfig { units: 6, trials: 60, bins: 5, seed: 5, ..SimulatorConfig::default() };
        let session = &simulator.simulate().unwrap()[0];
        let all = session.trials_in(Split::Train);
        let of = |wanted| training_trials(session, wanted, 3);
        for wanted in [0, all.len(), 1000] {
            assert_eq!(of(wanted), all);
        }
        let mut larger = all;
        for wanted in (1..larger.len()).rev() {
            let smaller = of(wanted);
            assert_eq!(smaller.len(), wanted);
            assert!(smaller.is_sorted_by(|a, b| a < b));
            assert!(smaller.iter().all(|trial| larger.contains(trial)));
            larger = smaller;
        }
        assert_ne!(training_trials(session, 20, 3), training_trials(session, 20, 4));
    }
}
