//! Checkpoints of a run, and when they are due. All ranks take part; the first one writes.

use super::Trainer;
use super::progress::Progress;
use crate::checkpoint::{self, Tensor, write_tensors};
use crate::{Checkpoint, CheckpointConfig, RunFolder, TrainError};
use neuroglot_files::{OutputLock, replace_file, replace_folder};
use std::time::{Duration, Instant};

pub(super) const PROGRESS: &str = "progress.json";
pub(crate) const MOMENTS: &str = "optimiser.safetensors";

/// Where a run is written, by the first rank alone.
pub(super) struct Output {
    pub folder: RunFolder,
    pub lock: OutputLock,
}

impl Trainer<'_> {
    /// By the clock of the first rank.
    pub(super) fn save_is_due(&self) -> Result<bool, TrainError> {
        let seconds = self.config.train.checkpoint_seconds;
        Ok(seconds > 0 && self.ranks.tell(|| Ok(self.saved.elapsed() >= Duration::from_secs(seconds)))?)
    }

    /// Whether the run folder has no such checkpoint.
    pub(super) fn lacks(&self, name: &str) -> Result<bool, TrainError> {
        self.ranks
            .tell(|| Ok(self.output.is_some_and(|output| !output.folder.checkpoint_path(name).exists())))
    }

    pub(super) fn save_best(&mut self, score: Option<f64>) -> Result<(), TrainError> {
        self.gather_stitchers(false)?;
        let Some(output) = self.output else { return Ok(()) };
        output.lock.check()?;
        let config = self.describe(score);
        replace_folder(&output.folder.checkpoint_path(RunFolder::BEST), |folder| {
            Checkpoint::write(folder, &self.model, &config)
        })
    }

    /// Between epochs all losses are settled; inside one, some may not be.
    pub(super) fn save_last(&mut self) -> Result<(), TrainError> {
        if self.losses.len() > 0 {
            self.settle_losses()?;
        }
        self.gather_losses()?;
        self.gather_stitchers(true)?;
        self.progress.optimiser_steps = self.model.optimiser_steps();
        let Some(output) = self.output else { return Ok(()) };
        output.lock.check()?;
        output.folder.sync_metrics()?;
        let config = self.describe(None);
        replace_folder(&output.folder.checkpoint_path(RunFolder::LAST), |folder| {
            Checkpoint::write(folder, &self.model, &config)?;
            let mut moments = Vec::new();
            for (index, info) in self.model.parameters().iter().enumerate() {
                let named = checkpoint::MOMENTS.into_iter().zip(self.model.read_moments(index));
                moments.extend(named.map(|(moment, values)| Tensor::of(info, moment, values)));
            }
            write_tensors(&folder.join(MOMENTS), moments)?;
            let mut json = serde_json::to_vec_pretty(&self.progress).expect("progress is JSON");
            json.push(b'\n');
            Ok::<_, TrainError>(replace_file(&folder.join(PROGRESS), &json)?)
        })?;
        self.saved = Instant::now();
        self.write_info()
    }

    pub(super) fn write_info(&mut self) -> Result<(), TrainError> {
        let Some(output) = self.output else { return Ok(()) };
        output.lock.check()?;
        self.count_seconds();
        output.folder.write_info(&self.info)
    }

    pub(super) fn count_seconds(&mut self) {
        self.info.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
    }

    fn describe(&self, score: Option<f64>) -> CheckpointConfig {
        let Progress { epoch, step, .. } = self.progress;
        let mut config = Checkpoint::describe(&self.model, self.sessions, self.config, epoch, step, score);
        for (session, trials) in config.sessions.iter_mut().zip(&self.trial_records) {
            session.trials = Some(trials.clone());
        }
        CheckpointConfig { base: self.base.clone(), ..config }
    }
}
