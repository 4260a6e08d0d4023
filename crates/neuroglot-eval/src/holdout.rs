//! Predictions of hidden units, regions and bins, in batches across everything that is hidden in turn.

use crate::trials::Trials;
use crate::{EvalError, Task};
use neuroglot_model::{Ndt1, Prompt, Regions};

/// Sequences run at once: enough rows for all cores, little enough memory.
const SEQUENCES: usize = 64;

/// A model asked about one session.
pub(crate) struct Predictor<'a> {
    pub model: &'a mut Ndt1,
    pub session: usize,
}

impl Predictor<'_> {
    /// Runs `cases × trials` sequences in batches. `fill(case, trial, input)` prepares an input `[bin, unit]` that
    /// holds the counts of the trial; `take(case, trial, log_rates)` receives the prediction.
    pub(crate) fn run(
        &mut self,
        trials: &Trials,
        cases: usize,
        prompt: Prompt,
        mut fill: impl FnMut(usize, usize, &mut [f32]),
        mut take: impl FnMut(usize, usize, &[f32]),
    ) -> Result<(), EvalError> {
        let stride = trials.stride();
        let total = cases * trials.len();
        let mut inputs = vec![0.0; SEQUENCES.min(total) * stride];
        let mut log_rates = inputs.clone();
        for first in (0..total).step_by(SEQUENCES) {
            let count = SEQUENCES.min(total - first);
            let place =
                |sequence: usize| ((first + sequence) / trials.len(), (first + sequence) % trials.len());
            let (inputs, log_rates) = (&mut inputs[..count * stride], &mut log_rates[..count * stride]);
            for (sequence, input) in inputs.chunks_mut(stride).enumerate() {
                let (case, trial) = place(sequence);
                input.copy_from_slice(&trials.counts[trial * stride..][..stride]);
                fill(case, trial, input);
            }
            self.model.log_rates(self.session, prompt, count, inputs, log_rates)?;
            let is_rate = |log_rate: &&f32| log_rate.is_finite() && log_rate.exp().is_finite();
            if let Some(log_rate) = log_rates.iter().find(|log_rate| !is_rate(log_rate)) {
                let eid = self.model.sessions()[self.session].eid.clone();
                return Err(EvalError::Diverged { eid, log_rate: *log_rate });
            }
            for (sequence, log_rates) in log_rates.chunks(stride).enumerate() {
                let (case, trial) = place(sequence);
                take(case, trial, log_rates);
            }
        }
        Ok(())
    }

    /// Log-rates with nothing hidden, `[trial, bin, unit]`.
    pub(crate) fn with_nothing_hidden(
        &mut self,
        trials: &Trials,
        prompt: Prompt,
    ) -> Result<Vec<f32>, EvalError> {
        let mut predicted = vec![0.0; trials.counts.len()];
        let stride = trials.stride();
        let take = |_: usize, trial: usize, log_rates: &[f32]| {
            predicted[trial * stride..][..stride].copy_from_slice(log_rates);
        };
        self.run(trials, 1, prompt, |_, _, _| (), take)?;
        Ok(predicted)
    }

    /// Log-rates of a task, `[trial, bin, unit]`; entries that the task does not score stay 0.
    ///
    /// `progress(done, total)` counts what is hidden in turn.
    pub(crate) fn of_task(
        &mut self,
        task: Task,
        trials: &Trials,
        regions: &Regions,
        prompt: Prompt,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>, EvalError> {
        let mut predicted = vec![0.0; trials.counts.len()];
        let units = trials.units;
        match task {
            Task::CoSmoothing => {
                let all: Vec<usize> = (0..units).collect();
                self.each_unit(trials, &all, prompt, |_| false, &mut predicted, progress)?;
            }
            Task::IntraRegion => {
                let total = (0..units).filter(|unit| regions.of_unit(*unit).is_some()).count();
                let mut before = 0;
                for region in 0..regions.names().len() {
                    let inside = regions.units_of(region);
                    let outside = |unit: usize| regions.of_unit(unit) != Some(region);
                    let mut of_region = |done: usize, _: usize| progress(before + done, total);
                    self.each_unit(trials, &inside, prompt, outside, &mut predicted, &mut of_region)?;
                    before += inside.len();
                }
            }
            Task::InterRegion => {
                let stride = trials.stride();
                let count = regions.names().len();
                let inside = |region: usize, entry: usize| regions.of_unit(entry % units) == Some(region);
                let fill = |region: usize, _: usize, input: &mut [f32]| {
                    let hidden = input.iter_mut().enumerate().filter(|(entry, _)| inside(region, *entry));
                    hidden.for_each(|(_, count)| *count = 0.0);
                };
                let take = |region: usize, trial: usize, log_rates: &[f32]| {
                    let out = &mut predicted[trial * stride..][..stride];
                    for (entry, log_rate) in log_rates.iter().enumerate().filter(|(e, _)| inside(region, *e))
                    {
                        out[entry] = *log_rate;
                    }
                    progress(region + usize::from(trial + 1 == trials.len()), count);
                };
                self.run(trials, count, prompt, fill, take)?;
            }
            Task::Forward => {
                let (stride, first) = (trials.stride(), first_predicted_bin(trials.bins) * units);
                let fill = |_: usize, _: usize, input: &mut [f32]| input[first..].fill(0.0);
                let take = |_: usize, trial: usize, log_rates: &[f32]| {
                    predicted[trial * stride..][first..stride].copy_from_slice(&log_rates[first..]);
                    progress(trial + 1, trials.len());
                };
                self.run(trials, 1, prompt, fill, take)?;
            }
        }
        Ok(predicted)
    }

    /// Hides each of `hidden_in_turn` by itself, and always those that `always_hidden` says.
    fn each_unit(
        &mut self,
        trials: &Trials,
        hidden_in_turn: &[usize],
        prompt: Prompt,
        always_hidden: impl Fn(usize) -> bool,
        predicted: &mut [f32],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), EvalError> {
        let (stride, units) = (trials.stride(), trials.units);
        let hidden: Vec<usize> = (0..units).filter(|unit| always_hidden(*unit)).collect();
        let fill = |case: usize, _: usize, input: &mut [f32]| {
            for row in input.chunks_mut(units) {
                hidden.iter().for_each(|unit| row[*unit] = 0.0);
                row[hidden_in_turn[case]] = 0.0;
            }
        };
        let take = |case: usize, trial: usize, log_rates: &[f32]| {
            let unit = hidden_in_turn[case];
            let out = &mut predicted[trial * stride..][..stride];
            for (out, row) in out.chunks_mut(units).zip(log_rates.chunks(units)) {
                out[unit] = row[unit];
            }
            progress(case + usize::from(trial + 1 == trials.len()), hidden_in_turn.len());
        };
        self.run(trials, hidden_in_turn.len(), prompt, fill, take)
    }
}

/// The first of the bins that forward prediction hides: the last tenth, at least one.
pub(crate) fn first_predicted_bin(bins: usize) -> usize {
    bins - (bins / 10).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_prediction_hides_the_last_tenth() {
        assert_eq!(first_predicted_bin(100), 90);
        assert_eq!(first_predicted_bin(50), 45);
        assert_eq!(first_predicted_bin(9), 8);
    }
}
