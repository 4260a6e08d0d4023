//! Copies of a model that predict side by side.

use super::{Model, ModelConfig};
use crate::{CountStatistics, ModelError, SessionShape};
use neuroglot_engine::{Device, Replicas};

/// The parameters of a model on the host, from which copies are made.
pub struct ModelWeights {
    config: ModelConfig,
    bins: usize,
    sessions: Vec<SessionShape>,
    count_statistics: Vec<Option<CountStatistics>>,
    values: Vec<Vec<f32>>,
}

impl Model {
    /// The devices to share independent batches among, each with a copy of this model; see [`Device::replicas`].
    pub fn replicas(&self) -> Option<Replicas> {
        self.device.replicas()
    }

    /// The parameters, to make copies from.
    pub fn weights(&self) -> ModelWeights {
        ModelWeights {
            config: self.config().clone(),
            bins: self.bins(),
            sessions: self.sessions.clone(),
            count_statistics: self.count_statistics.clone(),
            values: (0..self.parameters().len()).map(|index| self.read_parameter(index)).collect(),
        }
    }
}

impl ModelWeights {
    /// A model that predicts as the one they were taken from; it cannot be trained.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory.
    pub fn model_on(&self, device: Box<dyn Device>) -> Result<Model, ModelError> {
        self.build(false, device)
    }

    /// The same, which can be trained.
    ///
    /// # Errors
    /// As [`ModelWeights::model_on`].
    pub fn trainable_on(&self, device: Box<dyn Device>) -> Result<Model, ModelError> {
        self.build(true, device)
    }

    /// Has a trainable copy begin anew with these parameters, as if it had taken no step.
    ///
    /// # Errors
    /// [`ModelError::ParameterLength`] of a model of other sizes.
    pub fn restart(&self, model: &mut Model) -> Result<(), ModelError> {
        for (index, values) in self.values.iter().enumerate() {
            model.write_parameter(index, values)?;
            let nothing = vec![0.0; values.len()];
            model.write_moments(index, [&nothing, &nothing])?;
        }
        model.set_optimiser_steps(&vec![0; model.optimiser_steps().len()]);
        Ok(())
    }

    fn build(&self, training: bool, device: Box<dyn Device>) -> Result<Model, ModelError> {
        let mut model = self.config.build(self.bins, &self.sessions, training, device)?;
        for (index, values) in self.values.iter().enumerate() {
            model.write_parameter(index, values)?;
        }
        for (session, statistics) in self.count_statistics.iter().enumerate() {
            if let Some(statistics) = statistics {
                model.set_count_statistics(session, statistics.clone())?;
            }
        }
        Ok(model)
    }
}
