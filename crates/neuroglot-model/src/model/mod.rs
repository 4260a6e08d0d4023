//! A model on its device: parameters, memory, and what users do with them.

mod batch_inputs;
mod kept_trials;
mod losses;
mod passes;
mod ranks;
mod replicas;
mod token_cache;

pub use kept_trials::{BatchCounts, KeptTrial, KeptTrials};
pub use replicas::ModelWeights;
pub use token_cache::{CachedTokens, CachedTokensPart};

use crate::context::Context;
use crate::network::Network;
use crate::parameters::{Layout, Parameters, Part};
use crate::session_shape::check_sessions;
use crate::{CountStatistics, InputKind, ModelConfig, ModelError, ParameterInfo, SessionShape, networks};
use kept_trials::TrialTable;
use losses::Losses;
use neuroglot_engine::ops::Update;
use neuroglot_engine::{Device, MemoryPlan, Profile, Slot};
use neuroglot_masks::{Holdout, Prompt};
use passes::{Buffers, PlannedPass};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use token_cache::TokenPlan;

/// One batch of training: trials of one session under one mask.
#[derive(Debug, Clone, Copy)]
pub struct TrainingBatch<'a> {
    /// Index of the session.
    pub session: usize,
    /// Prompt of the masking scheme.
    pub prompt: Prompt,
    /// Its counts.
    pub counts: BatchCounts<'a>,
    /// What is hidden of them, and what the loss counts.
    pub holdout: &'a Holdout,
    /// Seed and step that choose the dropout bits; `None` drops nothing.
    pub dropout: Option<(u64, u64)>,
}

/// The model on its device: the host of a network, which it knows by its trait alone.
pub struct Model {
    config: ModelConfig,
    bins: usize,
    sessions: Vec<SessionShape>,
    /// Of each session; `None` until they are given, and where the network reads counts.
    count_statistics: Vec<Option<CountStatistics>>,
    /// Their mean and deviation on the device; empty where the network reads counts.
    statistics_slots: Vec<[Slot; 2]>,
    /// Trials that the device keeps.
    tables: Vec<TrialTable>,
    device: Box<dyn Device>,
    parameters: Parameters,
    network: Arc<dyn Network>,
    /// The session that the network is prepared for, as long as parameters are those it was prepared with.
    prepared_for: Option<usize>,
    /// Ends behind the parameters and what stays from pass to pass: plans of passes start here.
    shared: MemoryPlan,
    /// One pass per batch shape used so far.
    passes: Vec<Arc<PlannedPass>>,
    /// One plan per number of tokens computed ahead of their trials so far.
    token_plans: Vec<Arc<TokenPlan>>,
    /// The pass whose constants are on the device, and which ran last.
    pass_in_use: Option<Arc<PlannedPass>>,
    /// Losses of the last steps, read from the device when asked for.
    losses: Losses,
    buffers: Buffers,
}

impl ModelConfig {
    /// Builds a model for trials of `bins` bins, its parameters drawn from `rng`.
    ///
    /// `training` reserves memory for gradients and moments too.
    ///
    /// # Errors
    /// [`ModelError`] for settings that make no model, a session without units or given twice, too little memory.
    pub fn init(
        &self,
        bins: usize,
        sessions: &[SessionShape],
        training: bool,
        device: Box<dyn Device>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Model, ModelError> {
        let mut model = self.build(bins, sessions, training, device)?;
        model.network.clone().initialise(&mut model.context(), rng);
        Ok(model)
    }

    /// Name, shape and role of every parameter of a model, without building it.
    ///
    /// # Errors
    /// [`ModelError::Config`] for settings that make no model.
    pub fn parameters(
        &self,
        bins: usize,
        sessions: &[SessionShape],
    ) -> Result<Vec<ParameterInfo>, ModelError> {
        self.check()?;
        let mut layout = Layout::default();
        networks::place(&mut layout, self, bins, sessions);
        Ok(layout.into_infos())
    }

    /// Number of parameter values of a model, without building it.
    ///
    /// # Errors
    /// As [`ModelConfig::parameters`].
    pub fn parameter_count(&self, bins: usize, sessions: &[SessionShape]) -> Result<u128, ModelError> {
        Ok(self.parameters(bins, sessions)?.iter().map(|info| info.values() as u128).sum())
    }

    /// A model whose parameters are 0.
    fn build(
        &self,
        bins: usize,
        sessions: &[SessionShape],
        training: bool,
        mut device: Box<dyn Device>,
    ) -> Result<Model, ModelError> {
        self.check()?;
        check_sessions(sessions)?;
        self.check_bins(bins, sessions)?;
        let mut layout = Layout::default();
        let mut network = networks::place(&mut layout, self, bins, sessions);
        let parameters = layout.finish(device.as_mut(), training)?;
        let mut shared = MemoryPlan::after(&parameters.plan);
        network.plan_shared(&mut shared, training);
        let losses = Losses::new(&mut shared);
        let is_standardised = self.input == InputKind::Standardised;
        let mut statistics = |session: &SessionShape| shared.slot_if(is_standardised, session.units());
        let statistics_slots = sessions.iter().map(|session| [statistics(session), statistics(session)]);
        let statistics_slots = statistics_slots.collect();
        device.reserve(shared.floats())?;
        network.write_constants(device.as_mut());
        Ok(Model {
            config: self.clone(),
            bins,
            sessions: sessions.to_vec(),
            count_statistics: vec![None; sessions.len()],
            statistics_slots,
            tables: Vec::new(),
            device,
            parameters,
            network: network.into(),
            prepared_for: None,
            shared,
            passes: Vec::new(),
            token_plans: Vec::new(),
            pass_in_use: None,
            losses,
            buffers: Buffers::default(),
        })
    }
}

impl Model {
    /// Sets the biases of the output, so that rates of some sessions start there, from the index of each and its
    /// log-rates `[unit]`, ln(spikes/bin).
    ///
    /// # Panics
    /// Where there is not one log-rate per unit.
    pub fn set_output_bias(&mut self, log_rates: &[(usize, Vec<f32>)]) {
        for (session, log_rates) in log_rates {
            assert_eq!(log_rates.len(), self.sessions[*session].units(), "one log-rate per unit");
        }
        self.network.clone().set_output_bias(&mut self.context(), log_rates);
    }

    /// Sets the statistics that standardise the counts of a session. Where the network reads counts, nothing is done.
    ///
    /// # Errors
    /// [`ModelError::CountStatistics`] where there are not as many as units, or some standardise nothing.
    pub fn set_count_statistics(
        &mut self,
        session: usize,
        statistics: CountStatistics,
    ) -> Result<(), ModelError> {
        if self.config.input == InputKind::Standardised {
            let SessionShape { eid, regions } = &self.sessions[session];
            if let Some(problem) = statistics.problem(regions.len()) {
                return Err(ModelError::CountStatistics { eid: eid.clone(), problem });
            }
            let values = [&statistics.mean, &statistics.deviation];
            for (slot, values) in self.statistics_slots[session].into_iter().zip(values) {
                self.device.write(slot, values);
            }
            self.count_statistics[session] = Some(statistics);
        }
        Ok(())
    }

    /// What standardises the counts of a session; `None` where the network reads them as they are.
    ///
    /// # Errors
    /// [`ModelError::CountStatistics`] where it reads them standardised and has not been told by what.
    pub fn count_statistics(&self, session: usize) -> Result<Option<&CountStatistics>, ModelError> {
        let statistics = self.count_statistics[session].as_ref();
        if statistics.is_none() && self.config.input == InputKind::Standardised {
            let eid = self.sessions[session].eid.clone();
            return Err(ModelError::CountStatistics { eid, problem: "it has been given none" });
        }
        Ok(statistics)
    }

    /// What computes outside of batches, without dropout.
    fn context(&mut self) -> Context<'_> {
        Context { p: &self.parameters, device: self.device.as_mut(), dropout: None }
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Bins per trial.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Its sessions, in the order of their indices.
    pub fn sessions(&self) -> &[SessionShape] {
        &self.sessions
    }

    /// The device in words.
    pub fn device_description(&self) -> String {
        self.device.description()
    }

    /// Bytes that were copied to the device so far; see [`Device::bytes_sent`].
    pub fn bytes_sent(&self) -> u64 {
        self.device.bytes_sent()
    }

    /// Times every operation from here on until [`Model::take_profile`].
    ///
    /// # Errors
    /// [`ModelError::Engine`] of a device that cannot.
    pub fn start_profile(&mut self) -> Result<(), ModelError> {
        Ok(self.device.start_profile()?)
    }

    /// What was timed, once all of it is done.
    pub fn take_profile(&mut self) -> Profile {
        self.device.take_profile()
    }

    /// Name and shape of every parameter; other methods refer to them by their index here.
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.parameters.infos
    }

    /// The values of a parameter.
    pub fn read_parameter(&self, index: usize) -> Vec<f32> {
        self.parameters.read(self.device.as_ref(), Part::Values, index)
    }

    /// Sets the values of a parameter.
    ///
    /// # Errors
    /// [`ModelError::ParameterLength`] where the number of values differs.
    pub fn write_parameter(&mut self, index: usize, values: &[f32]) -> Result<(), ModelError> {
        self.prepared_for = None;
        self.parameters.write(self.device.as_mut(), Part::Values, index, values)
    }

    /// The gradient of a parameter after [`Model::loss_and_gradients`]. Stitchers of other sessions hold old values.
    ///
    /// # Panics
    /// Where the model was built without `training`.
    pub fn read_gradient(&self, index: usize) -> Vec<f32> {
        self.parameters.read(self.device.as_ref(), Part::Gradients, index)
    }

    /// First and second moments of a parameter.
    ///
    /// # Panics
    /// Where the model was built without `training`.
    pub fn read_moments(&self, index: usize) -> [Vec<f32>; 2] {
        [Part::FirstMoments, Part::SecondMoments]
            .map(|part| self.parameters.read(self.device.as_ref(), part, index))
    }

    /// Sets first and second moments of a parameter.
    ///
    /// # Errors
    /// [`ModelError::ParameterLength`] where the number of values differs.
    pub fn write_moments(&mut self, index: usize, moments: [&[f32]; 2]) -> Result<(), ModelError> {
        for (part, values) in [Part::FirstMoments, Part::SecondMoments].into_iter().zip(moments) {
            self.parameters.write(self.device.as_mut(), part, index, values)?;
        }
        Ok(())
    }

    /// Optimiser steps counted so far: of the trunk, then of each session's stitchers.
    pub fn optimiser_steps(&self) -> Vec<u64> {
        self.parameters.steps()
    }

    /// Sets the steps of [`Model::optimiser_steps`].
    pub fn set_optimiser_steps(&mut self, steps: &[u64]) {
        self.parameters.set_steps(steps);
    }

    /// Freezes all that sessions share: from now on only stitchers and session tokens are trained. Nothing frozen is
    /// updated or decays, and the weights of its linear layers cost no gradient. Steps of [`Model::optimiser_steps`]
    /// counted for the trunk are then those of the session tokens.
    pub fn freeze_trunk(&mut self) {
        self.parameters.freeze_trunk();
    }

    /// Makes room for [`Model::add_up_gradients_of`]; once, before the first pass.
    ///
    /// # Errors
    /// [`ModelError`] where the device has too little memory.
    ///
    /// # Panics
    /// After the first pass.
    pub fn make_room_for_sums(&mut self) -> Result<(), ModelError> {
        assert!(self.passes.is_empty() && self.token_plans.is_empty(), "passes lie where the sums would");
        self.parameters.make_room_for_sums(&mut self.shared);
        Ok(self.device.reserve(self.shared.floats())?)
    }

    /// [`Model::loss_and_gradients_of`] batches, whose gradients are added to those of the batches before them:
    /// [`Model::update_by_sums`] then takes one step for all of them, of the trunk and of each session's stitchers.
    ///
    /// `are_last` says that no others of the step follow on this device. [Ranks](neuroglot_engine::Device::ranks) then begin to add up
    /// the trunk's gradients while these batches still run backward.
    ///
    /// # Errors
    /// As [`Model::loss_and_gradients_of`].
    ///
    /// # Panics
    /// As [`Model::loss_and_gradients_of`], and without [`Model::make_room_for_sums`].
    pub fn add_up_gradients_of(
        &mut self,
        batches: &[TrainingBatch<'_>],
        are_last: bool,
    ) -> Result<(), ModelError> {
        if are_last {
            self.parameters.begin_last_pass(self.device.as_ref());
        }
        self.loss_and_gradients_of(batches)?;
        let sessions: Vec<usize> = batches.iter().map(|batch| batch.session).collect();
        self.parameters.add_gradients(self.device.as_mut(), &sessions);
        Ok(())
    }

    /// Whether batches of different sessions may be run as one: [`Model::loss_and_gradients_of`].
    pub fn joins_sessions(&self) -> bool {
        self.network.joins_sessions()
    }

    /// One AdamW step of the trunk and the stitchers of the session that has the gradient.
    pub fn update(&mut self, session: usize, update: &Update) {
        self.prepared_for = None;
        self.parameters.update(self.device.as_mut(), session, update);
    }
}
