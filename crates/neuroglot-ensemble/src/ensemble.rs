//! Networks and couplings of one run.

use crate::{EnsembleError, Predictor};
use neuroglot_coupling::{SessionCoupling, TaskCoupling};
use neuroglot_engine::Device;
use neuroglot_masks::Scheme;
use neuroglot_model::{Model, ModelError, ModelWeights, Role, StitcherPart};
use neuroglot_train::{CheckpointConfig, ModelFolder, NetworkValues};

/// What a run predicts with.
///
/// The networks share one device: each is put in place when it is asked.
pub struct Ensemble {
    pub(crate) model: Model,
    /// Parameters of all networks where there are several; empty where the model is the only one.
    networks: Vec<NetworkValues>,
    couplings: Vec<SessionCoupling>,
    config: CheckpointConfig,
    /// Share of the couplings in averaged log-rates.
    weight: f64,
}

impl Ensemble {
    /// A network by itself, with what is known of how it was made.
    pub fn of_one(model: Model, config: CheckpointConfig) -> Self {
        Self { model, networks: Vec::new(), couplings: Vec::new(), config, weight: 0.0 }
    }

    /// Reads all that a checkpoint holds, with the first 64 bits of the SHA-256 of its files of weights, in hexadecimal.
    ///
    /// # Errors
    /// [`EnsembleError::Train`] names the file and what is wrong with it.
    pub fn open(folder: &ModelFolder, device: Box<dyn Device>) -> Result<(Self, String), EnsembleError> {
        let loaded = folder.load(device)?;
        let config = folder.config().clone();
        let weight = config.settings.as_ref().map_or(0.0, |settings| settings.coupling.weight);
        let (networks, couplings) = (loaded.networks, loaded.couplings);
        Ok((Self { model: loaded.model, networks, couplings, config, weight }, loaded.digest))
    }

    /// Trained networks, before couplings are solved beside them.
    pub(crate) fn of_networks(model: Model, networks: Vec<NetworkValues>, config: CheckpointConfig) -> Self {
        Self { networks, ..Self::of_one(model, config) }
    }

    /// What is known of how it was made.
    pub fn config(&self) -> &CheckpointConfig {
        &self.config
    }

    /// The ensemble asked about a session, by the session's place in [`Ensemble::config`].
    pub fn about(&mut self, session: usize) -> Predictor<'_> {
        Predictor::new(self, session)
    }

    /// Share of the coupling in averages, and the coupling of a session for what a scheme hides, where there is one.
    pub(crate) fn coupling(&self, session: usize, scheme: Scheme) -> Option<(f64, &TaskCoupling)> {
        let eid = &self.config.sessions[session].eid;
        let found = self.couplings.iter().find(|coupling| coupling.eid() == eid)?;
        Some((self.weight, found.of_scheme(scheme)?))
    }

    /// The couplings of its sessions.
    pub fn couplings(&self) -> &[SessionCoupling] {
        &self.couplings
    }

    /// The network whose seed is the run's own.
    pub(crate) fn first_network(&mut self) -> Result<&mut Model, EnsembleError> {
        if let Some(first) = self.networks.first() {
            put(&mut self.model, first)?;
        }
        Ok(&mut self.model)
    }

    /// Parameters of each network, to make copies from.
    ///
    /// # Errors
    /// Those of the device.
    pub fn weights(&mut self) -> Result<Vec<ModelWeights>, EnsembleError> {
        let Self { model, networks, .. } = self;
        if networks.is_empty() {
            return Ok(vec![model.weights()]);
        }
        let of_network = |network| put(model, network).map(|()| model.weights());
        Ok(networks.iter().map(of_network).collect::<Result<_, _>>()?)
    }

    /// Where the units of a session lie among the latents of the first network, `[unit, hidden]`: the weights by which it reads
    /// each unit's log-rate from them.
    ///
    /// # Errors
    /// [`EnsembleError::NoUnitEmbeddings`] where units have no weights of their own.
    pub fn unit_embeddings(&mut self, session: usize) -> Result<Vec<f32>, EnsembleError> {
        let role = Role::Stitcher { session, part: StitcherPart::OutputWeight };
        self.parameter_with(role)?.ok_or(EnsembleError::NoUnitEmbeddings)
    }

    /// What the first network has learned of each session as a whole, `[session, hidden]`: the session tokens.
    ///
    /// # Errors
    /// Those of the device.
    pub fn session_embeddings(&mut self) -> Result<Vec<f32>, EnsembleError> {
        Ok(self.parameter_with(Role::SessionRows)?.unwrap_or_default())
    }

    fn parameter_with(&mut self, role: Role) -> Result<Option<Vec<f32>>, EnsembleError> {
        let model = self.first_network()?;
        let index = model.parameters().iter().position(|info| info.role == role);
        Ok(index.map(|index| model.read_parameter(index)))
    }

    /// Width of latents and embeddings.
    pub fn hidden(&self) -> usize {
        self.model.config().hidden
    }

    /// Log-rates averaged over the networks: `ln(1/J Σ_j exp η_j)`.
    pub(crate) fn average(
        &mut self,
        mut log_rates: impl FnMut(&mut Model) -> Result<Vec<f32>, EnsembleError>,
    ) -> Result<Vec<f32>, EnsembleError> {
        let [first, others @ ..] = &self.networks[..] else { return log_rates(&mut self.model) };
        let exponentials =
            |log_rates: Vec<f32>| log_rates.into_iter().map(|log_rate| f64::from(log_rate).exp());
        put(&mut self.model, first)?;
        let mut sum: Vec<f64> = exponentials(log_rates(&mut self.model)?).collect();
        for network in others {
            put(&mut self.model, network)?;
            let rates = exponentials(log_rates(&mut self.model)?);
            sum.iter_mut().zip(rates).for_each(|(sum, rate)| *sum += rate);
        }
        let count = self.networks.len() as f64;
        Ok(sum.into_iter().map(|sum| (sum / count).ln() as f32).collect())
    }
}

fn put(model: &mut Model, network: &NetworkValues) -> Result<(), ModelError> {
    network.iter().enumerate().try_for_each(|(index, values)| model.write_parameter(index, values))
}
