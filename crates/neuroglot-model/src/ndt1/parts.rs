//! Copies of a model that predict side by side.

use super::{Ndt1, Ndt1Config, SessionShape};
use crate::ModelError;
use neuroglot_engine::{Device, Parts};

/// The parameters of a model on the host, from which copies are made.
pub struct Ndt1Weights {
    config: Ndt1Config,
    bins: usize,
    sessions: Vec<SessionShape>,
    values: Vec<Vec<f32>>,
}

impl Ndt1 {
    /// How to share out independent batches among copies of this model; see [`Device::parts`].
    pub fn parts(&self) -> Option<Parts> {
        self.device.parts()
    }

    /// The parameters, to make copies from.
    pub fn weights(&self) -> Ndt1Weights {
        Ndt1Weights {
            config: self.config().clone(),
            bins: self.bins(),
            sessions: self.sessions.clone(),
            values: (0..self.parameters().len()).map(|index| self.read_parameter(index)).collect(),
        }
    }
}

impl Ndt1Weights {
    /// A model that predicts as the one they were taken from; it cannot be trained.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory.
    pub fn model_on(&self, device: Box<dyn Device>) -> Result<Ndt1, ModelError> {
        let mut model = self.config.build(self.bins, &self.sessions, false, device)?;
        for (index, values) in self.values.iter().enumerate() {
            model.write_parameter(index, values)?;
        }
        Ok(model)
    }
}
