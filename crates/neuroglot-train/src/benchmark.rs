//! Timing of the training step, the forward pass and one trial, on made-up counts.

use crate::{OneCycle, Purpose, TrainError, stream};
use neuroglot_engine::Device;
use neuroglot_masks::{Holdout, Prompt, Regions, Scheme};
use neuroglot_model::{
    Architecture, CountStatistics, Model, ModelConfig, SessionShape, TrainingBatch, Update,
};
use rand::RngExt;
use serde::Serialize;
use std::time::Instant;

/// What is timed.
#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    /// The model.
    pub model: ModelConfig,
    /// Trials per batch.
    pub batch: usize,
    /// Bins per trial.
    pub bins: usize,
    /// Units of the session.
    pub units: usize,
    /// Timed repetitions of the step and of the forward pass; one trial is timed three times as often.
    pub repetitions: usize,
}

/// Times of repetitions (ms).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    /// Median.
    pub median: f64,
    /// Shortest.
    pub min: f64,
    /// Longest.
    pub max: f64,
    /// The time that 99 of 100 repetitions do not exceed.
    pub p99: f64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchmarkTimes {
    /// One training step: drawing a mask, forward, loss, backward, update.
    pub step: Times,
    /// The forward pass of a batch, without dropout.
    pub forward: Times,
    /// The forward pass of one trial: what a closed loop waits for.
    pub one_trial: Times,
}

impl Benchmark {
    /// A model of the paper's size on batches of 16 trials of 100 bins and 300 units.
    pub fn paper(architecture: Architecture) -> Self {
        let model = ModelConfig { architecture, ..ModelConfig::default() };
        Self { model, batch: 16, bins: 100, units: 300, repetitions: 8 }
    }

    /// A model of the size of the recipe `neuroglot` on the same batches.
    pub fn small(architecture: Architecture) -> Self {
        let paper = Self::paper(architecture);
        let mut model = ModelConfig { hidden: 128, layers: 4, heads: 4, ..paper.model };
        if architecture == Architecture::Ndt1Stitch {
            model.ndt1_stitch.channels = 256;
        }
        Self { model, repetitions: 24, ..paper }
    }

    /// Times everything on a device: about 0.1 spikes per entry, 30 % of the units hidden, three untimed repetitions
    /// first.
    ///
    /// # Errors
    /// [`TrainError::Model`] where the device has too little memory.
    pub fn run(
        &self,
        training: Box<dyn Device>,
        predicting: Box<dyn Device>,
    ) -> Result<BenchmarkTimes, TrainError> {
        let Self { batch, bins, units, .. } = *self;
        let mut rng = stream(0, Purpose::Initialisation, 0, 0);
        let acronyms: Vec<&str> =
            (0..units).map(|unit| if unit < units / 2 { "CA1" } else { "DG" }).collect();
        let shape = SessionShape::new("benchmark", acronyms.iter().copied());
        let mut model = self.model.init(bins, &[shape], true, training, &mut rng)?;
        let counts: Vec<f32> = (0..batch * bins * units).map(|_| made_up_count(rng.random())).collect();
        let regions = self.model.regions(&acronyms);
        // Poisson: the variance is the mean.
        let of_units = |value: f64| vec![value as f32; units];
        let statistics =
            CountStatistics { mean: of_units(MEAN_COUNT), deviation: of_units(MEAN_COUNT.sqrt()) };
        model.set_count_statistics(0, statistics)?;
        let step = self.time(self.repetitions, |step| self.step(&mut model, &counts, &regions, step))?;
        let weights = model.weights();
        drop(model);
        let mut model = weights.model_on(predicting)?;
        let (mut log_rates, nothing) = (vec![0.0; counts.len()], Holdout::nothing(1, bins, units));
        let forward = self.time(self.repetitions, |_| {
            Ok(model.log_rates(0, Prompt(Scheme::Neuron), &counts, &nothing, &mut log_rates)?)
        })?;
        let one_trial = self.time(3 * self.repetitions, |_| {
            let entries = bins * units;
            Ok(model.log_rates(
                0,
                Prompt(Scheme::Neuron),
                &counts[..entries],
                &nothing,
                &mut log_rates[..entries],
            )?)
        })?;
        Ok(BenchmarkTimes { step, forward, one_trial })
    }

    fn step(
        &self,
        model: &mut Model,
        counts: &[f32],
        regions: &Regions,
        step: u64,
    ) -> Result<(), TrainError> {
        let mut rng = stream(0, Purpose::Masking, step, 0);
        let holdout = Scheme::Neuron.draw(self.batch, self.bins, regions, Scheme::SHARED_RATIO, &mut rng);
        model.loss_and_gradients(&TrainingBatch {
            session: 0,
            prompt: Prompt(Scheme::Neuron),
            counts: counts.into(),
            holdout: &holdout,
            dropout: Some((0, step)),
        })?;
        let (rate, beta1) = OneCycle::new(1e-4, 10_000).at(step);
        model.update(0, &Update { rate, beta1, beta2: 0.999, epsilon: 1e-8, decay: 0.01 });
        // Of training's steps only some wait for their loss; here each does, so that its whole time is counted.
        if model.take_losses().iter().all(|loss| loss.is_finite()) {
            Ok(())
        } else {
            Err(self.diverged(step))
        }
    }

    fn diverged(&self, step: u64) -> TrainError {
        TrainError::Diverged { step, loss: f64::NAN, learning_rate: 1e-4 }
    }

    fn time(
        &self,
        repetitions: usize,
        mut work: impl FnMut(u64) -> Result<(), TrainError>,
    ) -> Result<Times, TrainError> {
        const UNTIMED: u64 = 3;
        for repetition in 0..UNTIMED {
            work(repetition)?;
        }
        let mut times = Vec::new();
        for repetition in 0..repetitions.max(1) as u64 {
            let start = Instant::now();
            work(UNTIMED + repetition)?;
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        Ok(Times { median: at(0.5), min: at(0.0), max: at(1.0), p99: at(0.99) })
    }
}

/// Mean of made-up counts, spikes/bin.
const MEAN_COUNT: f64 = 0.1;

/// Poisson counts, from a uniform number.
fn made_up_count(uniform: f64) -> f32 {
    let (mut count, mut term, mut below) = (0.0, (-MEAN_COUNT).exp(), (-MEAN_COUNT).exp());
    while uniform > below && count < 10.0 {
        count += 1.0;
        term *= MEAN_COUNT / count;
        below += term;
    }
    count as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_engine::CpuDevice;

    #[test]
    fn times_are_ordered_and_made_up_counts_have_their_mean() {
        let model = ModelConfig { hidden: 8, layers: 1, heads: 2, ..ModelConfig::default() };
        let benchmark = Benchmark { model, batch: 2, bins: 5, units: 7, repetitions: 5 };
        let device = || Box::new(CpuDevice::new(1).unwrap());
        let times = benchmark.run(device(), device()).unwrap();
        for t in [times.step, times.forward, times.one_trial] {
            assert!(0.0 < t.min && t.min <= t.median && t.median <= t.p99 && t.p99 <= t.max);
        }
        let counts: Vec<f32> = (0..10_000).map(|i| made_up_count((i as f64 + 0.5) / 1e4)).collect();
        assert!((counts.iter().sum::<f32>() / 1e4 - 0.1).abs() < 1e-3);
    }
}
