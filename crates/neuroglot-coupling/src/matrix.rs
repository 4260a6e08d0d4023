//! Who predicts whom: a coupling as a matrix of units × units.

use crate::{Counts, TaskCoupling};
use neuroglot_data::Session;
use neuroglot_tasks::results::{CoupledPair, SuspectedDuplicate};

/// The weights of a coupling, summed over filters.
#[derive(Debug, Clone, PartialEq)]
pub struct CouplingMatrix {
    units: usize,
    /// `[input, target]`.
    per_count: Vec<f32>,
    per_deviation: Vec<f32>,
}

/// How much stronger than usual the coupling of a suspected pair is, in both directions.
const TIMES_USUAL: f32 = 3.0;

/// The correlation in bins that a suspected pair has at least.
const LEAST_CORRELATION: f64 = 0.3;

impl TaskCoupling {
    /// The coupling as a matrix. In co-smoothing it is a functional connectivity: how each unit's log-rate goes with the activity of
    /// each other, given all others.
    pub fn matrix(&self) -> CouplingMatrix {
        let (units, per_unit) = (self.units(), self.design.per_unit());
        let nothing = vec![0.0; units * units];
        let mut matrix = CouplingMatrix { units, per_count: nothing.clone(), per_deviation: nothing };
        for block in &self.blocks {
            let weights = &block.weights.weights;
            for (first, input) in (0..).step_by(per_unit.max(1)).zip(&block.inputs) {
                let scale = &self.design.scale[input * per_unit..][..per_unit];
                for (column, target) in block.targets.iter().enumerate() {
                    let weights = &weights.col_as_slice(column)[first..first + per_unit];
                    let per_count: f64 =
                        weights.iter().zip(scale).map(|(weight, scale)| weight * scale).sum();
                    matrix.per_count[input * units + target] = per_count as f32;
                    matrix.per_deviation[input * units + target] = weights.iter().sum::<f64>() as f32;
                }
            }
        }
        matrix
    }
}

impl CouplingMatrix {
    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Change of the target's log-rate when all filtered counts of the input are higher by one spike/bin, `[input, target]`; 0
    /// for an input that the target does not see.
    pub fn per_count(&self) -> &[f32] {
        &self.per_count
    }

    /// The same when they are higher by their standard deviation over training trials.
    pub fn per_deviation(&self) -> &[f32] {
        &self.per_deviation
    }

    /// How a unit predicts another.
    pub fn pair(&self, input: usize, target: usize) -> CoupledPair {
        let place = input * self.units + target;
        let (per_count, per_deviation) = (self.per_count[place], self.per_deviation[place]);
        CoupledPair { input, target, per_count, per_deviation }
    }

    /// The so many strongest pairs, by what a standard deviation of the input changes: a spike more of a unit that hardly fires
    /// would always be ahead.
    pub fn strongest(&self, most: usize) -> Vec<CoupledPair> {
        let size = |place: &usize| self.per_deviation[*place].abs();
        let mut places: Vec<usize> =
            (0..self.per_deviation.len()).filter(|place| size(place) > 0.0).collect();
        places.sort_by(|one, other| size(other).total_cmp(&size(one)));
        places.truncate(most);
        places.into_iter().map(|place| self.pair(place / self.units, place % self.units)).collect()
    }

    /// The unit that excites a target most, if any does.
    fn strongest_input(&self, target: usize) -> Option<CoupledPair> {
        let inputs = (0..self.units).map(|input| self.pair(input, target));
        let best = inputs.max_by(|one, other| one.per_deviation.total_cmp(&other.per_deviation))?;
        (best.per_deviation > 0.0).then_some(best)
    }

    /// Pairs of units that look like one neuron that was sorted twice, the most strongly coupled first. They make a session look
    /// more predictable than its neurons are.
    ///
    /// Of such a pair, each unit is the strongest input of the other; in both directions their coupling is at least 3 times
    /// that of the strongest input of a usual unit; and their counts in the same bin have a correlation of at least 0.3 over
    /// the trials, beyond what they share on average. Neurons of one region can be like this too, so it is a warning. A neuron
    /// whose spikes are divided between two units, none counted twice, is not found in general.
    ///
    /// # Panics
    /// If the session has other units, or no such trial.
    pub fn suspected_duplicates(&self, session: &Session, trials: &[usize]) -> Vec<SuspectedDuplicate> {
        assert_eq!(session.units().len(), self.units, "the session that the coupling was fitted to");
        let strongest: Vec<Option<CoupledPair>> =
            (0..self.units).map(|target| self.strongest_input(target)).collect();
        let mut sizes: Vec<f32> =
            strongest.iter().map(|pair| pair.map_or(0.0, |pair| pair.per_deviation)).collect();
        sizes.sort_by(f32::total_cmp);
        let usual_coupling = sizes.get(self.units / 2).copied().unwrap_or(0.0);
        let counts = Counts::of_trials(session, trials);
        let departures = Departures::of(&counts);
        let of_pair = |pair: &CoupledPair| {
            let CoupledPair { input, target, per_deviation, .. } = *pair;
            let back = strongest[input].filter(|back| back.input == target && input < target)?;
            let found = SuspectedDuplicate {
                units: [input, target],
                coupling: per_deviation.min(back.per_deviation),
                usual_coupling,
                bin_correlation: departures.bin_correlation(input, target),
                trial_correlation: departures.trial_correlation(input, target),
            };
            let is_suspected =
                found.coupling >= TIMES_USUAL * usual_coupling && found.bin_correlation >= LEAST_CORRELATION;
            is_suspected.then_some(found)
        };
        let mut found: Vec<SuspectedDuplicate> = strongest.iter().flatten().filter_map(of_pair).collect();
        found.sort_by(|one, other| other.coupling.total_cmp(&one.coupling));
        found
    }
}

/// Counts less their average over trials.
struct Departures {
    units: usize,
    /// `[trial · bin, unit]`.
    in_bins: Vec<f64>,
    /// `[trial, unit]`.
    in_trials: Vec<f64>,
}

impl Departures {
    fn of(counts: &Counts) -> Self {
        let (units, stride) = (counts.units, counts.stride());
        let average = counts.psth();
        let in_bins: Vec<f64> = counts
            .values
            .iter()
            .zip(average.iter().cycle())
            .map(|(count, average)| count - average)
            .collect();
        let mut in_trials = vec![0.0; counts.trials * units];
        for (sums, trial) in in_trials.chunks_mut(units).zip(in_bins.chunks(stride)) {
            for row in trial.chunks(units) {
                sums.iter_mut().zip(row).for_each(|(sum, departure)| *sum += departure);
            }
        }
        Self { units, in_bins, in_trials }
    }

    fn bin_correlation(&self, one: usize, other: usize) -> f64 {
        correlation(&self.in_bins, self.units, one, other)
    }

    fn trial_correlation(&self, one: usize, other: usize) -> f64 {
        correlation(&self.in_trials, self.units, one, other)
    }
}

/// Of two columns of mean 0 of values `[row, unit]`; 0 where one does not vary.
fn correlation(values: &[f64], units: usize, one: usize, other: usize) -> f64 {
    let sum = |a: usize, b: usize| -> f64 { values.chunks(units).map(|row| row[a] * row[b]).sum() };
    let variance = sum(one, one) * sum(other, other);
    if variance > 0.0 { sum(one, other) / variance.sqrt() } else { 0.0 }
}
