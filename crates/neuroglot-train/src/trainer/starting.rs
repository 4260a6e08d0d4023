//! How a run begins, and how it goes on.

use super::progress::Progress;
use super::saving::{MOMENTS, Output, PROGRESS};
use super::{Observer, Trainer};
use crate::checkpoint::{Tensors, read_tensors};
use crate::run_folder::LostMetrics;
use crate::transfer::{Base, NewSession, with_model_of};
use crate::{Checkpoint, OutputBias, RunConfig, RunFolder, TrainError};
use neuroglot_data::Session;
use neuroglot_files::FromIo;
use neuroglot_files::{OutputLock, RESULTS, recover_folder};
use neuroglot_model::CountStatistics;
use std::path::Path;

/// Of a unit's counts, spikes/bin: that of one spike in 400 bins, so that a spike of a unit that hardly ever fired in training is no
/// more than 20 to a network.
const LEAST_DEVIATION: f64 = 0.05;

/// The settings of a new run: those of the model are the ones of the model that it starts from.
pub(super) fn settled(config: &RunConfig, sessions: &[Session]) -> Result<RunConfig, TrainError> {
    let Some(base) = Base::of(&config.init)? else {
        let mut config = config.clone();
        config.add_prompts();
        return Ok(config);
    };
    base.check(sessions)?;
    with_model_of(config, &base.config().model)
}

pub(super) fn open_to_resume(
    out: &Path,
    config: &RunConfig,
) -> Result<(RunFolder, OutputLock, RunConfig), TrainError> {
    let folder = RunFolder::open(out)?;
    let lock = OutputLock::inside(out)?;
    // A new beginning would replace the only checkpoint that an imported run has.
    let has_last = folder.checkpoint(RunFolder::LAST).is_ok();
    if !has_last && folder.info().is_ok_and(|info| info.finished) {
        return Err(
            folder.wrong("there is no training to go on with: it was imported; use `neuroglot finetune`")
        );
    }
    let own = folder.config()?;
    // What a run started from need not be there any more.
    let config = if own.is_fine_tuning() { with_model_of(config, &own.model)? } else { config.clone() };
    let differences = own.differences(&config);
    if differences.is_empty() {
        return Ok((folder, lock, config));
    }
    if let [only] = &differences[..]
        && only.starts_with("train.epochs is ")
    {
        let (planned, asked) = (own.train.epochs, config.train.epochs);
        let place = out.display();
        // The rate falls to nothing over the planned epochs: steps after them would teach nothing, and with another plan
        // those that are done would have had other rates.
        let problem = format!(
            "the learning rate of this run rises and falls once over {planned} epochs, so it cannot become one of {asked}: \
             go on from its last model with a rise and fall of their own, `neuroglot finetune {place} SESSION... --out \
             OTHER --epochs N --set init.from_checkpoint=last`, or train a new run with --epochs {asked}"
        );
        return Err(folder.wrong(&problem));
    }
    let problem = format!(
        "the run was started with other settings ({}); resume it with its own, or start another",
        differences.join("; ")
    );
    Err(folder.wrong(&problem))
}

impl Trainer<'_> {
    /// Starts parameters that do not start at random.
    pub(super) fn begin(&mut self) -> Result<(), TrainError> {
        let log_rates: Vec<Vec<f32>> = self
            .sessions
            .iter()
            .zip(&self.training_trials)
            .map(|(session, trials)| mean_log_rates(session, trials))
            .collect();
        for (index, (session, trials)) in self.sessions.iter().zip(&self.training_trials).enumerate() {
            self.model.set_count_statistics(index, count_statistics(session, trials))?;
        }
        if let Some(base) = Base::of(&self.config.init)? {
            let new = |index: usize| NewSession {
                index,
                session: &self.sessions[index],
                regions: &self.regions[index],
                trials: &self.training_trials[index],
                log_rates: &log_rates[index],
            };
            let sessions: Vec<NewSession<'_>> = (0..self.sessions.len()).map(new).collect();
            self.base = Some(base.hand_over(&mut self.model, self.config, &sessions)?);
        } else if self.config.init.output_bias == OutputBias::Rate {
            self.model.set_output_bias(&log_rates.into_iter().enumerate().collect::<Vec<_>>());
        }
        Ok(())
    }

    /// Takes weights, moments and progress from the last checkpoint; returns whether there is one.
    pub(super) fn resume(
        &mut self,
        Output { folder, .. }: &Output,
        observer: &mut dyn Observer,
    ) -> Result<bool, TrainError> {
        let last = folder.checkpoint_path(RunFolder::LAST);
        recover_folder(&last)?;
        recover_folder(&folder.checkpoint_path(RunFolder::BEST))?;
        if !last.exists() {
            // Nothing is shorter than that.
            let _ = folder.truncate_metrics(0)?;
            return Ok(false);
        }
        let checkpoint = Checkpoint::open(&last)?;
        let known = &checkpoint.config.sessions;
        if known.len() != self.sessions.len() {
            let (known, given) = (known.len(), self.sessions.len());
            let problem =
                format!("it was started with {known} sessions, and {given} are given: give the same");
            return Err(folder.wrong(&problem));
        }
        for ((known, session), trials) in known.iter().zip(self.sessions).zip(&self.trial_records) {
            let fail = |problem: String| Err(TrainError::Session { eid: session.eid().to_owned(), problem });
            if known.eid != session.eid() {
                return fail(format!("session {} stood in this place when the run began", known.eid));
            }
            known.check(session)?;
            // Going on would train on trials that the run is yet to be scored on.
            if known.trials.as_ref().is_some_and(|known| known != trials) {
                return fail(
                    "its trials, or their splits, are not those that the run began with: give the same files, or \
                     start another run"
                        .to_owned(),
                );
            }
        }
        let path = last.join(PROGRESS);
        let text = neuroglot_files::read(&path, RESULTS).map_err(TrainError::io("read", &path))?;
        let mut progress: Progress = serde_json::from_slice(&text).map_err(|error| {
            TrainError::Checkpoint { path, problem: format!("{error}; the file is damaged") }
        })?;
        let (weights_path, moments_path) = (last.join(Checkpoint::MODEL), last.join(MOMENTS));
        let values: u128 = self.model.parameters().iter().map(|info| info.values() as u128).sum();
        let weights = checkpoint.read_weights(&weights_path)?;
        // Two moments of each.
        let moments = read_tensors(&moments_path, 2 * values)?;
        let (weights, moments) =
            (Tensors::of(&weights_path, &weights)?, Tensors::of(&moments_path, &moments)?);
        checkpoint.fill(&mut self.model, &weights)?;
        for index in 0..self.model.parameters().len() {
            let info = self.model.parameters()[index].clone();
            let [first, second] = moments.read_moments(&info)?;
            self.model.write_moments(index, [&first, &second])?;
        }
        self.model.set_optimiser_steps(&progress.optimiser_steps);
        if let Err(LostMetrics { kept, expected }) = folder.truncate_metrics(progress.metrics_bytes)? {
            observer.warn(&format!(
                "{}: {kept} bytes of whole lines, and the last checkpoint says {expected}: what is missing of the course of \
                 training is lost, and the run goes on without it (weights and scores are not affected)",
                folder.path().join(RunFolder::METRICS).display()
            ));
            progress.metrics_bytes = kept;
        }
        self.seconds_before = folder.info().map_or(0.0, |info| info.seconds);
        let (before, now) = (progress.ranks, self.ranks.count());
        if before != now {
            observer.warn(&format!(
                "{}: it goes on with {now} GPUs (ranks) and was trained by {before}: gradients are added up in another order \
                 from here on, so its weights will differ in their last digits from those of an undisturbed run",
                folder.path().display()
            ));
        }
        progress.ranks = now;
        self.progress = progress;
        self.base = checkpoint.config.base;
        Ok(true)
    }
}

/// ln of each unit's mean count per bin over some trials; half a spike is added, so that silence is not −∞.
fn mean_log_rates(session: &Session, trials: &[usize]) -> Vec<f32> {
    let mut spikes = vec![0.5f64; session.units().len()];
    for trial in trials {
        for (_, unit, count) in session.entries(*trial) {
            spikes[unit] += f64::from(count);
        }
    }
    let entries = (trials.len() * session.bins()) as f64;
    spikes.into_iter().map(|spikes| (spikes / entries).ln() as f32).collect()
}

/// Mean and deviation of each unit's counts per bin over some trials, of half a spike at least.
fn count_statistics(session: &Session, trials: &[usize]) -> CountStatistics {
    let mut sums = vec![[0.0f64; 2]; session.units().len()];
    for trial in trials {
        for (_, unit, count) in session.entries(*trial) {
            let count = f64::from(count);
            let [spikes, squares] = &mut sums[unit];
            *spikes += count;
            *squares += count * count;
        }
    }
    let entries = (trials.len() * session.bins()) as f64;
    let deviation = |[spikes, squares]: &[f64; 2]| {
        let mean = spikes / entries;
        (squares / entries - mean * mean).max(0.0).sqrt().max(LEAST_DEVIATION) as f32
    };
    CountStatistics {
        mean: sums.iter().map(|[spikes, _]| (spikes.max(0.5) / entries) as f32).collect(),
        deviation: sums.iter().map(deviation).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;

    #[test]
    fn a_silent_unit_has_half_a_spike_and_a_deviation_to_divide_by() {
        let simulator =
            SimulatorConfig { units: 12, trials: 20, bins: 4, seed: 5, ..SimulatorConfig::default() };
        let session = &simulator.simulate().unwrap()[0];
        let counts = session.dense(&[3]);
        let spikes = |unit: usize| counts.iter().skip(unit).step_by(12).sum::<f32>();
        let CountStatistics { mean, deviation } = count_statistics(session, &[3]);
        let silent: Vec<usize> = (0..12).filter(|unit| spikes(*unit) == 0.0).collect();
        assert!(!silent.is_empty() && silent.len() < 12);
        for unit in 0..12 {
            if silent.contains(&unit) {
                assert_eq!((mean[unit], deviation[unit]), (0.5 / 4.0, 0.05));
            } else {
                assert!(mean[unit] == spikes(unit) / 4.0 && deviation[unit] > 0.1);
            }
        }
    }
}
