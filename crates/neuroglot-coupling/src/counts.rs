//! Dense counts of some trials of a session.

use neuroglot_data::{Session, Split};

/// Counts of some trials, `[trial, bin, unit]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Number of trials.
    pub trials: usize,
    /// Bins of a trial.
    pub bins: usize,
    /// Number of units.
    pub units: usize,
    /// Spikes/bin, `[trial, bin, unit]`.
    pub values: Vec<f64>,
}

impl Counts {
    /// The trials of a split.
    pub fn of(session: &Session, split: Split) -> Self {
        Self::of_trials(session, &session.trials_in(split))
    }

    /// Some trials, in the order given.
    pub fn of_trials(session: &Session, trials: &[usize]) -> Self {
        let (bins, units) = (session.bins(), session.units().len());
        let mut values = vec![0.0; trials.len() * bins * units];
        for (place, trial) in trials.iter().enumerate() {
            for (bin, unit, count) in session.entries(*trial) {
                values[(place * bins + bin) * units + unit] = f64::from(count);
            }
        }
        Self { trials: trials.len(), bins, units, values }
    }

    /// Entries of a trial.
    pub fn stride(&self) -> usize {
        self.bins * self.units
    }

    /// Counts `[trial · bin, unit]` of the bins from `first` on and of some units.
    pub fn part(&self, first: usize, units: &[usize]) -> Vec<f64> {
        let rows = self.values.chunks(self.units).enumerate().filter(|(row, _)| row % self.bins >= first);
        rows.flat_map(|(_, row)| units.iter().map(|unit| row[*unit])).collect()
    }

    /// Average over trials, `[bin, unit]`.
    pub fn psth(&self) -> Vec<f64> {
        let mut sum = vec![0.0; self.stride()];
        for trial in self.values.chunks(self.stride()) {
            sum.iter_mut().zip(trial).for_each(|(sum, count)| *sum += count);
        }
        sum.iter_mut().for_each(|sum| *sum /= self.trials.max(1) as f64);
        sum
    }

    /// Mean count of each unit, spikes/bin. A unit that never fires counts as having fired half a spike, so that a
    /// spike in another trial is unlikely and not impossible.
    pub fn mean(&self) -> Vec<f64> {
        let mut spikes = vec![0.0; self.units];
        for row in self.values.chunks(self.units) {
            spikes.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        let entries = (self.trials * self.bins).max(1) as f64;
        spikes.into_iter().map(|spikes| f64::max(spikes, 0.5) / entries).collect()
    }

    /// The largest count of each unit in a bin, at least 1.
    pub fn largest(&self) -> Vec<f64> {
        let mut largest = vec![1.0; self.units];
        for row in self.values.chunks(self.units) {
            largest.iter_mut().zip(row).for_each(|(largest, count)| *largest = f64::max(*largest, *count));
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 trials of 2 bins of 2 units; unit 1 is silent.
    fn counts() -> Counts {
        Counts { trials: 2, bins: 2, units: 2, values: vec![1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 4.0, 0.0] }
    }

    #[test]
    fn averages_by_hand() {
        // Unit 0: 1 + 2 + 0 + 4 spikes in 4 bins; unit 1 as if half a spike.
        assert_eq!(counts().mean(), [7.0 / 4.0, 0.5 / 4.0]);
        assert_eq!(counts().psth(), [0.5, 0.0, 3.0, 0.0]);
        assert_eq!(counts().largest(), [4.0, 1.0]);
        assert_eq!(counts().part(1, &[0]), [2.0, 4.0]);
    }
}
