//! Steps of training by themselves, of a run that keeps nothing: what a benchmark times.

use super::Trainer;
use crate::batches::epoch;
use crate::lanes::LaneBatch;
use crate::ranks::Ranks;
use crate::{RunConfig, TrainError};
use neuroglot_data::Session;
use neuroglot_engine::Device;
use neuroglot_model::Model;

/// The batches of one epoch again and again, taken as a run takes them.
pub(crate) struct Steps<'a> {
    trainer: Trainer<'a>,
    /// Of each step of the epoch.
    batches: Vec<Vec<LaneBatch>>,
}

impl<'a> Steps<'a> {
    /// A run that has not begun.
    pub(crate) fn new(
        config: &'a RunConfig,
        sessions: &'a [Session],
        device: Box<dyn Device>,
    ) -> Result<Self, TrainError> {
        let mut trainer = Trainer::new(config, sessions, &[], None, device, Ranks::alone())?;
        trainer.begin()?;
        let batches =
            epoch(&trainer.training_trials, config.train.batch, config.train.sampling, config.seed, 0);
        let batches = trainer.lanes.steps(batches);
        // An epoch's last step would wait for its losses.
        trainer.batches_per_epoch = u64::MAX;
        Ok(Self { trainer, batches })
    }

    /// The step of this number. Losses are read now and then, as in a run.
    pub(crate) fn step(&mut self, number: u64) -> Result<(), TrainError> {
        self.trainer.progress.step = number;
        let batches = &self.batches[number as usize % self.batches.len()];
        self.trainer.step(batches, &mut ())
    }

    /// Waits until all steps are done.
    pub(crate) fn wait(&mut self) -> Result<(), TrainError> {
        self.trainer.settle_losses()
    }

    /// The model in training.
    pub(crate) fn model(&mut self) -> &mut Model {
        &mut self.trainer.model
    }
}
