//! Whether a run was long enough, as its validation scores tell.

use crate::EpochRecord;

/// Share of all that validation rose by that it may rise by in the last quarter of a run that is long enough. A score that
/// nears its end exponentially, with a third of the run as its time constant, rises by 6 % of all in the last quarter; one
/// that rises in a straight line, by 25 %.
const MOST_OF_THE_RISE: f64 = 0.1;

/// How validation rose at the end of a run that was too short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LateRise {
    /// Epoch with the best score of those before the last quarter.
    pub epoch: u64,
    /// That score.
    pub score: f64,
    /// The last epoch.
    pub last_epoch: u64,
    /// Its score, the best of all.
    pub last_score: f64,
}

/// Whether validation still rises at the end of a run: its last score is the best, by more than a tenth of the whole rise
/// above all before the last quarter of the validations. `None` where it does not, or there are fewer than two.
pub fn late_rise(records: &[EpochRecord]) -> Option<LateRise> {
    let scored: Vec<(u64, f64)> =
        records.iter().filter_map(|record| Some((record.epoch, record.score?))).collect();
    let ((last_epoch, last_score), before) = scored.split_last()?;
    let lowest = before.iter().map(|(_, score)| *score).reduce(f64::min)?;
    let is_best = before.iter().all(|(_, score)| score < last_score);
    let late = before.len().div_ceil(4);
    let early = &before[..before.len() + 1 - late];
    let best = early.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    let (epoch, score) = best?;
    let is_rising = is_best && last_score - score > MOST_OF_THE_RISE * (last_score - lowest);
    is_rising.then_some(LateRise { epoch, score, last_epoch: *last_epoch, last_score: *last_score })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// One validation an epoch, and an epoch without one after each.
    fn rise(scores: impl IntoIterator<Item = f64>) -> Option<LateRise> {
        let record = |epoch: usize, score: Option<f64>| EpochRecord {
            epoch: epoch as u64,
            step: 0,
            loss: 0.5,
            learning_rate: 1e-3,
            validation: BTreeMap::new(),
            score,
        };
        let records: Vec<EpochRecord> = scores
            .into_iter()
            .enumerate()
            .flat_map(|(index, score)| [record(2 * index, Some(score)), record(2 * index + 1, None)])
            .collect();
        late_rise(&records)
    }

    /// At times 0 to 1 of the run, in 41 validations.
    fn times() -> impl Iterator<Item = f64> {
        (0..41).map(|index| f64::from(index) / 40.0)
    }

    #[test]
    fn a_score_that_has_settled_is_not_rising_and_one_that_climbs_is() {
        assert_eq!(rise(times().map(|time| 1.0 - (-3.0 * time).exp())), None);
        let line = rise(times()).expect("a straight line rises to the end");
        assert_eq!((line.epoch, line.score, line.last_epoch, line.last_score), (60, 0.75, 80, 1.0));
        // Beginning below 0, and rising ever faster.
        assert!(rise(times().map(|time| time * time - 2.0)).is_some());
        // Half-way up an exponential.
        assert!(rise(times().map(|time| 1.0 - (-0.7 * time).exp())).is_some());
    }

    #[test]
    fn a_score_that_was_better_before_is_not_rising() {
        assert_eq!(rise([0.0, 0.5, 0.4]), None);
        assert_eq!(rise([0.2, 0.2, 0.2, 0.2]), None);
        assert_eq!(rise(times().map(|time| -time)), None);
    }

    #[test]
    fn two_validations_say_which_way_it_goes_and_one_says_nothing() {
        assert_eq!(rise([0.1, 0.2]).map(|rise| (rise.score, rise.last_score)), Some((0.1, 0.2)));
        assert_eq!(rise([0.2, 0.1]), None);
        assert_eq!(rise([0.2]), None);
        assert_eq!(rise([]), None);
    }
}
