//! What training and test have in common: windows that overlap, and trials that are the same.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::{Session, Split};

/// Trials with fewer entries that are not 0 may be equal by chance.
const LEAST_ENTRIES: usize = 10;

/// Share of the bins of validation and test trials, from 0 to 1, that overlap with the window of a training trial: there
/// a model is scored on spikes that it was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharedTime {
    /// Of the bins of validation trials; 0 if there are none.
    pub validation: f64,
    /// Of the bins of test trials; 0 if there are none.
    pub test: f64,
}

impl SharedTime {
    /// Compares the windows; `None` if the session does not say when they were.
    pub fn of(session: &Session) -> Option<SharedTime> {
        let starts = session.window_starts()?;
        let trained = merged(starts, &session.trials_in(Split::Train), session.window_seconds());
        let width = session.bin_seconds();
        // Windows that touch do not overlap, whatever the rounding of their ends.
        let slack = 1e-6 * width;
        let is_shared = |from: f64| {
            let next = trained.partition_point(|[_, end]| *end <= from + slack);
            trained.get(next).is_some_and(|[start, _]| *start < from + width - slack)
        };
        let share = |split| {
            let trials = session.trials_in(split);
            let bins = trials
                .iter()
                .flat_map(|&trial| (0..session.bins()).map(move |bin| starts[trial] + bin as f64 * width));
            let shared = bins.filter(|&from| is_shared(from)).count();
            shared as f64 / (trials.len() * session.bins()).max(1) as f64
        };
        Some(SharedTime { validation: share(Split::Validation), test: share(Split::Test) })
    }
}

/// The windows of some trials, joined where they overlap, ascending.
fn merged(starts: &[f64], trials: &[usize], seconds: f64) -> Vec<[f64; 2]> {
    let mut starts: Vec<f64> = trials.iter().map(|&trial| starts[trial]).collect();
    starts.sort_by(f64::total_cmp);
    let mut windows: Vec<[f64; 2]> = Vec::new();
    for start in starts {
        match windows.last_mut() {
            Some([_, end]) if start <= *end => *end = start + seconds,
            _ => windows.push([start, start + seconds]),
        }
    }
    windows
}

/// A trial that is the copy of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The trial.
    pub trial: usize,
    /// The first trial that it equals.
    pub of: usize,
}

/// Trials that are copies of earlier ones: their windows begin at the same time or, where it is not known when they were, they
/// have the same spikes in the same bins, and more of them than could be by chance.
pub fn copied_trials(session: &Session) -> Vec<Copied> {
    match session.window_starts() {
        Some(starts) => copied_windows(starts),
        None => copied_counts(session),
    }
}

fn copied_windows(starts: &[f64]) -> Vec<Copied> {
    let mut first: HashMap<u64, usize> = HashMap::new();
    // Equal numbers have equal bits but for the sign of 0.
    let firsts = starts
        .iter()
        .enumerate()
        .map(|(trial, start)| Copied { trial, of: *first.entry((start + 0.0).to_bits()).or_insert(trial) });
    firsts.filter(|copied| copied.of < copied.trial).collect()
}

fn copied_counts(session: &Session) -> Vec<Copied> {
    let mut first: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut copies = Vec::new();
    for trial in 0..session.trials() {
        let mut hasher = DefaultHasher::new();
        session.entries(trial).for_each(|entry| entry.hash(&mut hasher));
        if session.entries(trial).count() < LEAST_ENTRIES {
            continue;
        }
        let alike = first.entry(hasher.finish()).or_default();
        match alike.iter().find(|&&of| session.entries(of).eq(session.entries(trial))) {
            Some(&of) => copies.push(Copied { trial, of }),
            None => alike.push(trial),
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SessionParts, SpikeCountsBuilder, Unit};

    /// Trials of 4 bins of 0.5 s and 4 units.
    fn session(trials: &[(Split, [u32; 16])]) -> Session {
        let mut counts = SpikeCountsBuilder::new(4, 4);
        trials.iter().for_each(|(_, dense)| counts.push_dense(dense));
        let unit = Unit { uuid: "u".into(), region: "CA1".into(), depth: None, channel: None, good: None };
        Session::new(SessionParts {
            eid: "example".into(),
            subject: String::new(),
            lab: String::new(),
            bin_seconds: 0.5,
            units: vec![unit; 4],
            splits: trials.iter().map(|(split, _)| *split).collect(),
            counts: counts.finish(),
            behaviours: Default::default(),
            true_rates: None,
        })
        .unwrap()
    }

    #[test]
    fn bins_in_training_windows_are_counted() {
        let splits = [Split::Train, Split::Test, Split::Train, Split::Test, Split::Validation];
        let trials = splits.map(|split| (split, [1; 16]));
        let session = session(&trials);
        assert_eq!(SharedTime::of(&session), None);
        // Training from 0 to 2 and from 2.5 to 4.5 s. All bins of the first test trial, from 1.25 to 3.25 s, overlap with
        // that; the second one begins where training ends; half of the validation trial is in it.
        let session = session.with_window_starts(vec![0.0, 1.25, 2.5, 4.5, 3.5]).unwrap();
        assert_eq!(SharedTime::of(&session), Some(SharedTime { validation: 0.5, test: 0.5 }));
        let apart = session.with_window_starts(vec![0.0, 2.0, 4.0, 6.0, 8.0]).unwrap();
        assert_eq!(SharedTime::of(&apart), Some(SharedTime { validation: 0.0, test: 0.0 }));
    }

    #[test]
    fn copies_are_found_by_counts_and_by_time() {
        let mut few = [0; 16];
        few[3] = 2;
        let many: [u32; 16] = std::array::from_fn(|entry| (entry % 3) as u32);
        let mut other = many;
        other[15] += 1;
        let trials = [few, few, many, other, many].map(|counts| (Split::Train, counts));
        let session = session(&trials);
        assert_eq!(copied_trials(&session), [Copied { trial: 4, of: 2 }]);
        let session = session.with_window_starts(vec![0.0, -0.0, 2.0, 4.0, 6.0]).unwrap();
        assert_eq!(
            copied_trials(&session),
            [Copied { trial: 1, of: 0 }],
            "spikes that come again are no copies"
        );
    }
}
