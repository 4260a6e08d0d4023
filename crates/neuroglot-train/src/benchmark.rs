//! Timing of training steps, the forward pass and one trial, on made-up counts.

use crate::trainer::steps::Steps;
use crate::{Checkpoint, CheckpointConfig, Purpose, RunConfig, TrainError, session_shape, stream};
use neuroglot_data::{Session, SessionParts, SpikeCountsBuilder, Split, Unit};
use neuroglot_engine::{Device, Profile};
use neuroglot_masks::{Holdout, Prompt, Scheme};
use neuroglot_model::{Architecture, CountStatistics, Model, ModelConfig};
use rand::RngExt;
use std::collections::BTreeMap;
use std::time::Instant;

/// What is timed.
#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    /// The model.
    pub model: ModelConfig,
    /// Trials per batch.
    pub batch: usize,
    /// Sessions that training visits in turn.
    pub sessions: usize,
    /// Batches of a training step.
    pub accumulate: usize,
    /// Whether batches of different sessions in one step pass the trunk together.
    pub join_sessions: bool,
    /// Bins per trial.
    pub bins: usize,
    /// Units of each session.
    pub units: usize,
    /// Timed repetitions of the step and of the forward pass; one trial is timed three times as often.
    pub repetitions: usize,
    /// Whether operations of a step are timed one by one besides, which some devices do.
    pub profile: bool,
}

/// Times of repetitions (ms).
#[derive(Debug, Clone, Copy, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct BenchmarkTimes {
    /// One training step, waited for: drawing masks, forward, loss, backward, update.
    pub step: Times,
    /// A step among many that follow each other as in a run, which waits for their losses now and then: the mean (ms).
    pub step_in_a_row: f64,
    /// Bytes that such a step sends to the device, on average.
    pub bytes_sent: f64,
    /// The forward pass of a batch, without dropout.
    pub forward: Times,
    /// The forward pass of one trial: what a closed loop waits for.
    pub one_trial: Times,
    /// The operations of one step, each with its median time, where they are asked for.
    pub profile: Option<Profile>,
}

/// Repetitions that are not timed.
const UNTIMED: u64 = 3;

impl Benchmark {
    /// A model of the paper's size on batches of 16 trials of 100 bins and 300 units of one session.
    pub fn paper(architecture: Architecture) -> Self {
        let model = ModelConfig { architecture, ..ModelConfig::default() };
        Self {
            model,
            batch: 16,
            sessions: 1,
            accumulate: 1,
            join_sessions: false,
            bins: 100,
            units: 300,
            repetitions: 8,
            profile: false,
        }
    }

    /// A model of the size of the recipe `neuroglot` on the same batches.
    pub fn small(architecture: Architecture) -> Self {
        Self { repetitions: 24, ..Self::sized(architecture, [128, 4, 4, 256]) }
    }

    /// A model that is good for nothing but trying things out.
    pub fn tiny(architecture: Architecture) -> Self {
        Self::sized(architecture, [16, 1, 2, 8])
    }

    /// The benchmark of the paper with another width, number of layers, heads and channels.
    fn sized(architecture: Architecture, [hidden, layers, heads, channels]: [usize; 4]) -> Self {
        let paper = Self::paper(architecture);
        let mut model = ModelConfig { hidden, layers, heads, ..paper.model };
        if architecture == Architecture::Ndt1Stitch {
            model.ndt1_stitch.channels = channels;
        }
        Self { model, ..paper }
    }

    /// Times everything on a device: about 0.1 spikes per entry, 30 % of the units hidden, three untimed repetitions
    /// first.
    ///
    /// # Errors
    /// [`TrainError::Model`] where the device has too little memory, or does not time operations and is asked to;
    /// [`TrainError::Setting`] for sessions that cannot be joined.
    pub fn run(
        &self,
        training: Box<dyn Device>,
        predicting: Box<dyn Device>,
    ) -> Result<BenchmarkTimes, TrainError> {
        let config = self.config();
        config.check()?;
        let sessions = self.made_up_sessions(Split::Train)?;
        let mut steps = Steps::new(&config, &sessions, training)?;
        let step = self.time(self.repetitions, |number| {
            steps.step(number)?;
            steps.wait()
        })?;
        let (start, sent) = (Instant::now(), steps.model().bytes_sent());
        let repetitions = self.repetitions.max(1);
        (0..repetitions as u64).try_for_each(|number| steps.step(UNTIMED + number))?;
        steps.wait()?;
        let step_in_a_row = 1e3 * start.elapsed().as_secs_f64() / repetitions as f64;
        let bytes_sent = (steps.model().bytes_sent() - sent) as f64 / repetitions as f64;
        let profile = if self.profile { Some(self.profile(&mut steps)?) } else { None };
        let weights = steps.model().weights();
        drop(steps);

        let mut model = weights.model_on(predicting)?;
        let batch: Vec<usize> = (0..self.batch).collect();
        let counts = sessions[0].dense(&batch);
        let (mut log_rates, nothing) = (vec![0.0; counts.len()], Holdout::nothing(1, self.bins, self.units));
        let prompt = Prompt(Scheme::Neuron);
        let forward = self.time(self.repetitions, |_| {
            Ok(model.log_rates(0, prompt, &counts, &nothing, &mut log_rates)?)
        })?;
        let entries = self.bins * self.units;
        let one_trial = self.time(3 * self.repetitions, |_| {
            Ok(model.log_rates(0, prompt, &counts[..entries], &nothing, &mut log_rates[..entries])?)
        })?;
        Ok(BenchmarkTimes { step, step_in_a_row, bytes_sent, forward, one_trial, profile })
    }

    /// A model as it starts on a device, with what is known of it, and a session of one batch of test trials: what predictions
    /// in an evaluation are timed with.
    ///
    /// # Errors
    /// [`TrainError::Model`] where the device has too little memory.
    pub fn untrained(
        &self,
        device: Box<dyn Device>,
    ) -> Result<(Model, CheckpointConfig, Session), TrainError> {
        let (config, sessions) = (self.config(), [self.made_up_session(0, self.batch, Split::Test)?]);
        let shapes = [session_shape(&sessions[0])];
        let mut rng = stream(config.seed, Purpose::Initialisation, 0, 0);
        let mut model = config.model.init(self.bins, &shapes, false, device, &mut rng)?;
        // Poisson: the variance is the mean.
        let of_units = |value: f64| vec![value as f32; self.units];
        let (mean, deviation) = (of_units(MEAN_COUNT), of_units(MEAN_COUNT.sqrt()));
        model.set_count_statistics(0, CountStatistics { mean, deviation })?;
        let known = Checkpoint::describe(&model, &sessions, &config, 0, 0, None);
        let [session] = sessions;
        Ok((model, known, session))
    }

    /// The settings of the run whose steps are timed.
    fn config(&self) -> RunConfig {
        let mut config = RunConfig { model: self.model.clone(), ..RunConfig::default() };
        config.mask.pool = Scheme::Neuron.into();
        config.train.batch = self.batch;
        config.train.accumulate = self.accumulate;
        config.train.join_sessions = self.join_sessions;
        config
    }

    /// As many trials of each session as it takes for an epoch of whole steps.
    fn made_up_sessions(&self, split: Split) -> Result<Vec<Session>, TrainError> {
        let is_whole = |batches: &usize| (batches * self.sessions).is_multiple_of(self.accumulate);
        let trials = self.batch * (1..self.accumulate).find(is_whole).unwrap_or(self.accumulate);
        (0..self.sessions).map(|index| self.made_up_session(index, trials, split)).collect()
    }

    /// Units in two regions that fire independently of each other and of time.
    fn made_up_session(&self, index: usize, trials: usize, split: Split) -> Result<Session, TrainError> {
        let Self { bins, units, .. } = *self;
        let mut rng = stream(index as u64, Purpose::Initialisation, 0, 0);
        let mut counts = SpikeCountsBuilder::new(bins, units);
        for _ in 0..trials {
            let trial: Vec<u32> = (0..bins * units).map(|_| made_up_count(rng.random())).collect();
            counts.push_dense(&trial);
        }
        let unit = |unit: usize| Unit {
            uuid: format!("unit-{unit}"),
            region: if unit < units / 2 { "CA1" } else { "DG" }.to_owned(),
            depth: None,
            channel: None,
            good: None,
        };
        Ok(Session::new(SessionParts {
            eid: format!("benchmark-{index}"),
            subject: format!("benchmark-{index}"),
            lab: "benchmark".to_owned(),
            bin_seconds: 0.02,
            units: (0..units).map(unit).collect(),
            splits: vec![split; trials],
            counts: counts.finish(),
            behaviours: BTreeMap::new(),
            true_rates: None,
        })?)
    }

    /// One step again and again, each operation timed by the device.
    fn profile(&self, steps: &mut Steps<'_>) -> Result<Profile, TrainError> {
        let mut profiles = Vec::new();
        for repetition in 0..UNTIMED as usize + self.repetitions {
            steps.model().start_profile()?;
            steps.step(UNTIMED)?;
            let profile = steps.model().take_profile();
            steps.wait()?;
            if repetition >= UNTIMED as usize {
                profiles.push(profile);
            }
        }
        Ok(Profile::median_of(&profiles))
    }

    fn time(
        &self,
        repetitions: usize,
        mut work: impl FnMut(u64) -> Result<(), TrainError>,
    ) -> Result<Times, TrainError> {
        (0..UNTIMED).try_for_each(&mut work)?;
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
fn made_up_count(uniform: f64) -> u32 {
    let (mut count, mut term, mut below) = (0, (-MEAN_COUNT).exp(), (-MEAN_COUNT).exp());
    while uniform > below && count < 10 {
        count += 1;
        term *= MEAN_COUNT / f64::from(count);
        below += term;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_engine::CpuDevice;

    fn small() -> Benchmark {
        let model = ModelConfig { hidden: 8, layers: 1, heads: 2, ..ModelConfig::default() };
        let paper = Benchmark::paper(Architecture::Ndt1Stitch);
        Benchmark { model, batch: 2, bins: 5, units: 7, repetitions: 5, ..paper }
    }

    fn device() -> Box<dyn Device> {
        Box::new(CpuDevice::new(1).unwrap())
    }

    #[test]
    fn times_are_ordered_and_made_up_counts_have_their_mean() {
        let several = Benchmark { sessions: 3, accumulate: 2, ..small() };
        for benchmark in [small(), Benchmark { join_sessions: true, ..several.clone() }, several] {
            let times = benchmark.run(device(), device()).unwrap();
            for t in [times.step, times.forward, times.one_trial] {
                assert!(0.0 < t.min && t.min <= t.median && t.median <= t.p99 && t.p99 <= t.max);
            }
            assert!(times.step_in_a_row > 0.0 && times.profile.is_none());
            assert_eq!(times.bytes_sent, 0.0, "the CPU computes where counts are");
        }
        let counts: Vec<u32> = (0..10_000).map(|i| made_up_count((i as f64 + 0.5) / 1e4)).collect();
        assert!((f64::from(counts.iter().sum::<u32>()) / 1e4 - 0.1).abs() < 1e-3);
    }

    #[test]
    fn a_step_takes_its_batches_of_the_sessions_in_turn() {
        let of = |sessions, accumulate| {
            let benchmark = Benchmark { sessions, accumulate, ..small() };
            let (config, made_up) = (benchmark.config(), benchmark.made_up_sessions(Split::Train).unwrap());
            let mut steps = Steps::new(&config, &made_up, device()).unwrap();
            for number in 0..4 {
                steps.step(number).unwrap();
            }
            steps.wait().unwrap();
            // Of the trunk, then of each session.
            steps.model().optimiser_steps()
        };
        assert_eq!(of(1, 1), [4, 4]);
        assert_eq!(of(2, 1), [4, 2, 2]);
        // A step over batches of both.
        assert_eq!(of(2, 2), [4, 4, 4]);
        assert_eq!(of(1, 3), [4, 4]);
    }

    #[test]
    fn a_device_that_times_no_operations_says_so() {
        let benchmark = Benchmark { profile: true, ..small() };
        let error = benchmark.run(device(), device()).unwrap_err().to_string();
        assert!(error.contains("--device cuda"), "{error}");
    }

    #[test]
    fn an_untrained_model_knows_its_session_of_test_trials() {
        let (model, known, session) = small().untrained(device()).unwrap();
        assert_eq!((session.trials(), session.trials_in(Split::Test).len()), (2, 2));
        assert_eq!((model.bins(), &*known.sessions[0].eid), (5, session.eid()));
    }
}
