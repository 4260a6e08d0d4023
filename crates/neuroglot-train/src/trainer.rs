//! The training loop.

mod progress;
mod saving;
mod sharing;
mod starting;
pub(crate) mod steps;

use crate::batches::{epoch as epoch_batches, per_session};
use crate::calibration::training_trials;
use crate::drawn_batch::DrawnBatch;
use crate::kept_session::KeptSession;
use crate::lanes::{LaneBatch, Lanes};
use crate::late_losses::{LateBatch, LateLosses};
use crate::ranks::Ranks;
use crate::validation::validate;
use crate::{
    BaseModel, EpochRecord, Freeze, OneCycle, Purpose, RunConfig, RunFolder, RunInfo, SelectBy, TrainConfig,
    TrainError, TrialRecord, session_shape, stream,
};
use neuroglot_data::{Session, Split, check_distinct};
use neuroglot_engine::Device;
use neuroglot_masks::Regions;
use neuroglot_model::{Model, SessionShape, Update};
use progress::Progress;
use saving::Output;
use sharing::{STEPS_BETWEEN_WORDS, order};
use starting::{open_to_resume, settled};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) use saving::MOMENTS;
pub use sharing::follow;

/// Whether a run begins or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// In a new folder.
    Fresh,
    /// From the last checkpoint of a folder; from the beginning where it has none yet.
    Resume,
}

/// One step, as an observer sees it.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Steps done.
    pub done: u64,
    /// Steps of the whole run.
    pub total: u64,
    /// Epoch under way, counted from 1.
    pub epoch: u64,
    /// Epochs of the whole run.
    pub epochs: u64,
    /// Mean loss per hidden entry of this epoch as far as losses are read (nats): they are some steps late, so that the
    /// device need not be waited for. In the first steps of an epoch it may be the last one's.
    pub loss: f64,
}

/// Sees how a run goes. All methods do nothing by default.
pub trait Observer {
    /// Called once before the first step, with steps already done (when resumed) and steps in all.
    fn begin(&mut self, _done: u64, _total: u64) {}
    /// Called after every step.
    fn step(&mut self, _step: &Step) {}
    /// Called after every epoch.
    fn epoch(&mut self, _record: &EpochRecord) {}
    /// Called when the last checkpoint is saved, with the epochs and steps that it holds.
    fn saved(&mut self, _epochs: u64, _steps: u64) {}
    /// Called where something should be looked at.
    fn warn(&mut self, _text: &str) {}
}

impl Observer for () {}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Epochs done.
    pub epochs: u64,
    /// Steps done.
    pub steps: u64,
    /// Epoch of the best checkpoint and its score, where a score chose it.
    pub best: Option<(u64, f64)>,
    /// Seconds spent, over all resumptions.
    pub seconds: f64,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// Validation trials of all sessions; without them, or without a spike in them, no score chooses.
    pub validation_trials: usize,
}

/// What trains a network: a device, alone or with those of other ranks.
pub struct TrainingDevice<'a> {
    /// The device of this process.
    pub device: Box<dyn Device>,
    /// This process and those that train with it, of which it is the first; `None` where it trains alone.
    pub ranks: Option<&'a Ranks>,
}

impl From<Box<dyn Device>> for TrainingDevice<'_> {
    fn from(device: Box<dyn Device>) -> Self {
        Self { device, ranks: None }
    }
}

impl<D: Device + 'static> From<Box<D>> for TrainingDevice<'_> {
    fn from(device: Box<D>) -> Self {
        Self { device, ranks: None }
    }
}

/// Trains a model on sessions that have passed the run's filters, and writes the run folder. With
/// [`InitConfig::from`](crate::InitConfig::from) set, a trained model is fine-tuned.
///
/// `paths` are the session folders, kept in `run.json` so that later commands find them. Equal configuration, sessions
/// and device give equal weights and metrics to the bit, however often the run is killed and resumed. The other ranks of a
/// device train along in [`follow`].
///
/// # Errors
/// [`TrainError`]: settings, sessions that do not fit together, a folder that cannot be written or that another process
/// writes, a loss that is no number. The last checkpoint stays as it was.
pub fn train<'a>(
    config: &RunConfig,
    sessions: &[Session],
    paths: &[PathBuf],
    out: &Path,
    start: Start,
    device: impl Into<TrainingDevice<'a>>,
    observer: &mut dyn Observer,
) -> Result<Summary, TrainError> {
    config.check()?;
    check_sessions(sessions)?;
    Lanes::check(config.train.lanes, sessions.len())?;
    check_paths(paths)?;
    let (folder, lock, config) = match start {
        Start::Fresh => {
            let config = settled(config, sessions)?;
            let (folder, lock) = RunFolder::claim(out)?;
            (folder, lock, config)
        }
        Start::Resume => open_to_resume(out, config)?,
    };
    let TrainingDevice { mut device, ranks } = device.into();
    let ranks = ranks.unwrap_or(Ranks::alone());
    order(&config, device.as_mut(), ranks)?;
    let output = Output { folder, lock };
    let mut trainer = Trainer::new(&config, sessions, paths, Some(&output), device, ranks)?;
    if start == Start::Fresh || !trainer.resume(&output, observer)? {
        trainer.begin()?;
    }
    let result = trainer.begin_together().and_then(|()| trainer.run(observer));
    // A folder that was removed or taken away is the reason of whatever else went wrong.
    result.map_err(|error| output.lock.check().err().map_or(error, TrainError::from))
}

/// Paths are kept in `run.json`, which holds text alone.
pub(crate) fn check_paths(paths: &[PathBuf]) -> Result<(), TrainError> {
    match paths.iter().find(|path| path.to_str().is_none()) {
        None => Ok(()),
        Some(path) => Err(TrainError::RunFolder {
            path: path.clone(),
            problem: "a run cannot keep this path, which is not UTF-8: rename the file or folder".to_owned(),
        }),
    }
}

/// Sessions of one run must have trials of one shape.
fn check_sessions(sessions: &[Session]) -> Result<(), TrainError> {
    check_distinct(sessions)?;
    let Some(first) = sessions.first() else { return Err(neuroglot_model::ModelError::NoSession.into()) };
    for session in sessions {
        let fail = |problem: String| Err(TrainError::Session { eid: session.eid().to_owned(), problem });
        if session.bins() != first.bins() || session.bin_seconds() != first.bin_seconds() {
            return fail(format!(
                "{} bins of {} s a trial, and {} has {} of {} s: train them in runs of their own",
                session.bins(),
                session.bin_seconds(),
                first.eid(),
                first.bins(),
                first.bin_seconds()
            ));
        }
        if session.trials_in(Split::Train).is_empty() {
            return fail("it has no training trial: check its train split".to_owned());
        }
    }
    Ok(())
}

struct Trainer<'a> {
    config: &'a RunConfig,
    sessions: &'a [Session],
    regions: Vec<Regions>,
    training_trials: Vec<Vec<usize>>,
    /// What checkpoints say of the trials of each session.
    trial_records: Vec<TrialRecord>,
    /// `None` where another rank writes.
    output: Option<&'a Output>,
    ranks: &'a Ranks,
    info: RunInfo,
    model: Model,
    schedule: OneCycle,
    lanes: Lanes,
    batches_per_epoch: u64,
    progress: Progress,
    losses: LateLosses,
    /// The latest mean loss per hidden entry.
    mean_loss: f64,
    /// Of each session, where the device keeps its trials.
    kept: Vec<Option<KeptSession>>,
    /// Room for the batches that are computed together.
    drawn: Vec<DrawnBatch>,
    started: Instant,
    /// Seconds of earlier processes of this run.
    seconds_before: f64,
    saved: Instant,
    base: Option<BaseModel>,
}

impl<'a> Trainer<'a> {
    fn new(
        config: &'a RunConfig,
        sessions: &'a [Session],
        paths: &[PathBuf],
        output: Option<&'a Output>,
        device: Box<dyn Device>,
        ranks: &'a Ranks,
    ) -> Result<Self, TrainError> {
        let used = |session: &Session| training_trials(session, config.data.trials, config.seed);
        let training_trials: Vec<Vec<usize>> = sessions.iter().map(used).collect();
        let trial_records =
            sessions.iter().zip(&training_trials).map(|(session, used)| TrialRecord::of(session, used));
        let batches = per_session(&training_trials, config.train.batch, config.train.sampling);
        let lanes = Lanes::deal(&batches, config.train.lanes, config.train.accumulate);
        let shapes: Vec<SessionShape> = sessions.iter().map(session_shape).collect();
        let mut rng = stream(config.seed, Purpose::Initialisation, 0, 0);
        let mut model = config.model.init(sessions[0].bins(), &shapes, true, device, &mut rng)?;
        if config.train.freeze == Freeze::Trunk {
            model.freeze_trunk();
        }
        if lanes.most_batches() > 1 {
            model.make_room_for_sums()?;
        }
        let (mut kept, mut room) = (Vec::new(), model.bytes_for_trials());
        for (index, (session, training)) in sessions.iter().zip(&training_trials).enumerate() {
            let trials = [training.clone(), session.trials_in(Split::Validation)].concat();
            // Batches of a pass differ by a trial at most, but a session's only one may be as large as two.
            let batch = 2 * config.train.batch;
            let is_here = ranks.of_lane(lanes.of(index)) == ranks.rank();
            kept.push(if is_here {
                KeptSession::new(&mut model, (index, session), &trials, batch, &mut room)?
            } else {
                None
            });
        }
        let steps = config.train.epochs * lanes.steps_per_epoch(&batches);
        let mut schedule = OneCycle::new(config.train.learning_rate, steps);
        schedule.warm_up = config.train.warm_up;
        let info = RunInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sessions: paths.to_vec(),
            device: match ranks.count() {
                1 => model.device_description(),
                count => format!("{}, the first of {count} ranks", model.device_description()),
            },
            parameters: model.parameters().iter().map(|info| info.values() as u64).sum(),
            seconds: 0.0,
            finished: false,
            imported: None,
        };
        Ok(Self {
            config,
            sessions,
            regions: shapes.iter().map(|shape| config.model.regions(&shape.regions)).collect(),
            trial_records: trial_records.collect(),
            training_trials,
            output,
            ranks,
            info,
            model,
            schedule,
            batches_per_epoch: batches.into_iter().map(|batches| batches as u64).sum(),
            lanes,
            progress: Progress::none(ranks.count()),
            losses: LateLosses::new(),
            mean_loss: 0.0,
            kept,
            drawn: Vec::new(),
            started: Instant::now(),
            seconds_before: 0.0,
            saved: Instant::now(),
            base: None,
        })
    }

    fn run(&mut self, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
        // Not before: a run that cannot go on keeps what it knew of its sessions and its time.
        self.count_seconds();
        if let Some(output) = self.output {
            output.folder.settle(self.config, &self.info)?;
        }
        observer.begin(self.progress.step, self.schedule.steps);
        let TrainConfig { batch, sampling, epochs, .. } = self.config.train;
        let shows_its_start = self.config.is_fine_tuning() || epochs == 0;
        if shows_its_start && self.progress.metrics_bytes == 0 && self.progress.step == 0 {
            let record = self.record_start()?;
            observer.epoch(&record);
        }
        while !self.is_finished() {
            let epoch = self.progress.epoch;
            let batches = epoch_batches(&self.training_trials, batch, sampling, self.config.seed, epoch);
            // A run stops between steps, never within one.
            let (mut seen, done) = (0, self.progress.batch);
            for batches in self.lanes.steps(batches) {
                seen += batches.len() as u64;
                if seen <= done {
                    continue;
                }
                self.step(&batches, observer)?;
                let is_told =
                    self.ranks.count() == 1 || self.progress.step.is_multiple_of(STEPS_BETWEEN_WORDS);
                if self.progress.batch < self.batches_per_epoch && is_told && self.save_is_due()? {
                    self.save_last()?;
                    observer.saved(self.progress.epoch, self.progress.step);
                }
            }
            let record = self.finish_epoch()?;
            observer.epoch(&record);
            if self.is_finished() || self.save_is_due()? || self.config.train.checkpoint_seconds == 0 {
                self.save_last()?;
                observer.saved(self.progress.epoch, self.progress.step);
            }
        }
        if self.lacks(RunFolder::BEST)? {
            // The last model is asked for, or is the only choice without validation trials.
            self.save_best(None)?;
        }
        if self.lacks(RunFolder::LAST)? {
            // No epoch was asked for.
            self.save_last()?;
        }
        self.info.finished = true;
        self.write_info()?;
        Ok(Summary {
            epochs: self.progress.epoch,
            steps: self.progress.step,
            best: self.progress.best,
            seconds: self.info.seconds,
            stopped_early: self.progress.epoch < self.config.train.epochs,
            validation_trials: self
                .sessions
                .iter()
                .map(|session| session.trials_in(Split::Validation).len())
                .sum(),
        })
    }

    fn is_finished(&self) -> bool {
        self.progress.finished || self.progress.epoch >= self.config.train.epochs
    }

    /// One step of the optimiser, by the gradients of several batches where these are added up.
    fn step(&mut self, batches: &[LaneBatch], observer: &mut dyn Observer) -> Result<(), TrainError> {
        let config = self.config;
        let adds_up = self.lanes.most_batches() > 1;
        let own: Vec<&LaneBatch> = batches.iter().filter(|batch| self.has(batch.batch.session)).collect();
        let groups = self.joined(&own);
        for (index, together) in groups.iter().enumerate() {
            let are_last = index + 1 == groups.len();
            self.compute_gradients(together, adds_up.then_some(are_last))?;
        }
        let (rate, beta1) = self.schedule.at(self.progress.step);
        let TrainConfig { beta2, epsilon, weight_decay: decay, .. } = config.train;
        let update = Update { rate, beta1, beta2, epsilon, decay };
        if adds_up {
            self.model.update_by_sums(&update);
        } else {
            self.model.update(batches[0].batch.session, &update);
        }
        let progress = &mut self.progress;
        progress.step += 1;
        progress.batch += batches.len() as u64;
        progress.learning_rate = rate;
        if self.losses.are_due() || self.progress.batch == self.batches_per_epoch {
            self.settle_losses()?;
        }
        observer.step(&Step {
            done: self.progress.step,
            total: self.schedule.steps,
            epoch: self.progress.epoch + 1,
            epochs: config.train.epochs,
            loss: self.mean_loss,
        });
        Ok(())
    }

    /// Batches of a step in groups that the trunk sees together: those of different sessions of a lane, where that is asked
    /// for. Lanes are kept apart, so that groups are the same whoever computes them.
    fn joined<'b>(&self, batches: &[&'b LaneBatch]) -> Vec<Vec<&'b LaneBatch>> {
        let mut groups: Vec<Vec<&LaneBatch>> = Vec::new();
        for batch in batches {
            let is_free = |group: &&mut Vec<&LaneBatch>| {
                let is_other = |other: &LaneBatch| {
                    other.lane == batch.lane && other.batch.session != batch.batch.session
                };
                group.iter().all(|other| is_other(other))
            };
            match groups.iter_mut().find(is_free).filter(|_| self.config.train.join_sessions) {
                Some(group) => group.push(*batch),
                None => groups.push(vec![*batch]),
            }
        }
        groups
    }

    /// Loss and gradients of batches of the present step, each under a mask of its own. Where gradients are added up:
    /// whether these are the last ones of it.
    fn compute_gradients(&mut self, batches: &[&LaneBatch], adds_up: Option<bool>) -> Result<(), TrainError> {
        let (config, step) = (self.config, self.progress.step);
        self.drawn.resize_with(batches.len().max(self.drawn.len()), DrawnBatch::default);
        for (batch, drawn) in batches.iter().zip(&mut self.drawn) {
            let session = batch.batch.session;
            let of_session = (&self.sessions[session], &self.regions[session]);
            drawn.draw(config, step, batch, of_session, (&mut self.model, self.kept[session].as_ref()));
        }
        // No two batches drop the same, also of one step; those that are joined are told apart by the model.
        let dropout = (config.seed, step * self.lanes.most_batches() as u64 + batches[0].place);
        let drawn = &self.drawn[..batches.len()];
        let of_model: Vec<_> = drawn.iter().map(|drawn| drawn.for_model(dropout)).collect();
        match adds_up {
            Some(are_last) => self.model.add_up_gradients_of(&of_model, are_last)?,
            None => self.model.loss_and_gradients_of(&of_model)?,
        }
        for (batch, drawn) in batches.iter().zip(drawn) {
            self.losses.push(LateBatch { step, lane: batch.lane, targets: drawn.targets() });
        }
        Ok(())
    }

    /// Reads the losses of all batches done and adds them up in their order, so that sums do not depend on when that is.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] at the first step of a loss that is no number.
    fn settle_losses(&mut self) -> Result<(), TrainError> {
        for (LateBatch { step, lane, targets }, loss) in self.losses.take(&mut self.model) {
            if !loss.is_finite() {
                let learning_rate = self.config.train.learning_rate;
                return Err(TrainError::Diverged { step, loss, learning_rate });
            }
            self.progress.add_loss(lane, loss, targets);
        }
        self.mean_loss = self.progress.mean_loss();
        Ok(())
    }

    /// Validates before the first step, and writes a line of epoch 0.
    fn record_start(&mut self) -> Result<EpochRecord, TrainError> {
        let learning_rate = self.schedule.at(0).0;
        let (loss, validation) = (f64::NAN, BTreeMap::new());
        let mut record = EpochRecord { epoch: 0, step: 0, loss, learning_rate, validation, score: None };
        self.validate(&mut record)?;
        self.choose_best(record.score)?;
        self.append(&record)?;
        Ok(record)
    }

    /// Appends a line to the metrics, if the folder is still this run's.
    fn append(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        if let Some(Output { folder, lock }) = self.output {
            lock.check()?;
            self.progress.metrics_bytes = folder.append(record)?;
        }
        Ok(())
    }

    /// Validates where it is time, saves a better model, and writes the epoch's line.
    fn finish_epoch(&mut self) -> Result<EpochRecord, TrainError> {
        debug_assert_eq!(self.losses.len(), 0, "an epoch's last step settles its losses");
        self.gather_losses()?;
        let progress = &mut self.progress;
        let mut record = EpochRecord {
            epoch: progress.epoch + 1,
            step: progress.step,
            loss: progress.mean_loss(),
            learning_rate: progress.learning_rate,
            validation: BTreeMap::new(),
            score: None,
        };
        progress.end_epoch();
        let is_last = record.epoch == self.config.train.epochs;
        if record.epoch.is_multiple_of(self.config.validate_every()) || is_last {
            self.validate(&mut record)?;
            self.choose_best(record.score)?;
        }
        self.append(&record)?;
        Ok(record)
    }

    fn validate(&mut self, record: &mut EpochRecord) -> Result<(), TrainError> {
        let mut own = Vec::new();
        for (index, session) in self.sessions.iter().enumerate() {
            if !self.has(index) {
                continue;
            }
            let regions = &self.regions[index];
            let kept = self.kept[index].as_ref();
            own.push((index, validate(&mut self.model, self.config, (index, session), regions, kept)?));
        }
        let mut chosen = Vec::new();
        for (index, scores) in self.gather_scores(own)? {
            chosen.extend(scores.iter().filter_map(|(_, scores)| match self.config.train.select {
                SelectBy::BitsPerSpike => scores.bps_pooled,
                SelectBy::R2 => scores.r2,
                SelectBy::Last => None,
            }));
            if !scores.is_empty() {
                let eid = self.sessions[index].eid().to_owned();
                record.validation.insert(eid, scores.into_iter().collect());
            }
        }
        // All ranks decide by it.
        let mean = || Ok((!chosen.is_empty()).then(|| chosen.iter().sum::<f64>() / chosen.len() as f64));
        record.score = self.ranks.tell(mean)?;
        Ok(())
    }

    fn choose_best(&mut self, score: Option<f64>) -> Result<(), TrainError> {
        let Some(score) = score else { return Ok(()) };
        if self.progress.best.is_none_or(|(_, best)| score > best) {
            self.progress.best = Some((self.progress.epoch, score));
            self.progress.validations_since_best = 0;
            return self.save_best(Some(score));
        }
        self.progress.validations_since_best += 1;
        let patience = self.config.train.patience;
        self.progress.finished = patience > 0 && self.progress.validations_since_best >= patience;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;
    use neuroglot_engine::CpuDevice;
    use std::time::Duration;

    /// Keeps the steps that it sees.
    impl Observer for Vec<u64> {
        fn step(&mut self, step: &Step) {
            assert!(step.loss.is_finite());
            self.push(step.done);
        }
    }

    /// Trains for three epochs of more steps than the device keeps losses of, in a new folder.
    fn train_settling_after(interval: Duration, learning_rate: &str, out: &Path) -> Result<u64, TrainError> {
        let simulator = SimulatorConfig {
            sessions: 2,
            units: 6,
            trials: 60,
            bins: 5,
            seed: 5,
            ..SimulatorConfig::default()
        };
        let sessions = simulator.simulate()?;
        let learning_rate = format!("train.learning_rate={learning_rate}");
        let small = ["model.hidden=8", "model.layers=1", "model.heads=2", "model.ndt1-stitch.channels=4"];
        let settings = ["train.batch=1", "train.epochs=3", "train.validate_every=1", &learning_rate];
        let settings: Vec<String> = small.iter().chain(&settings).map(|text| text.to_string()).collect();
        let config = RunConfig::load(None, &settings)?;
        let device = Box::new(CpuDevice::new(1).unwrap());
        let (folder, lock) = RunFolder::claim(out)?;
        let output = Output { folder, lock };
        let mut trainer = Trainer::new(&config, &sessions, &[], Some(&output), device, Ranks::alone())?;
        assert!(trainer.batches_per_epoch > 64);
        trainer.losses.interval = interval;
        let mut seen = Vec::new();
        let steps = trainer.run(&mut seen)?.steps;
        assert_eq!(seen, (1..=steps).collect::<Vec<u64>>(), "every step is shown");
        Ok(steps)
    }

    #[test]
    fn when_losses_are_read_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let files = [Duration::ZERO, Duration::MAX].map(|interval| {
            let out = root.path().join(format!("{}", interval.as_secs()));
            train_settling_after(interval, "1e-2", &out).unwrap();
            let names = ["metrics.jsonl", "last/model.safetensors", "last/progress.json"];
            names.map(|name| std::fs::read(out.join(name)).unwrap())
        });
        assert!(files[0] == files[1]);
    }

    #[test]
    fn a_loss_that_is_no_number_is_that_of_its_own_step_however_late_it_is_read() {
        let root = tempfile::tempdir().unwrap();
        let steps = [Duration::ZERO, Duration::MAX].map(|interval| {
            let out = root.path().join(format!("{}", interval.as_secs()));
            match train_settling_after(interval, "1e30", &out) {
                Err(TrainError::Diverged { step, .. }) => step,
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(steps[0], steps[1]);
        assert!(steps[0] > 0, "the first steps of a warm-up are short");
    }
}
