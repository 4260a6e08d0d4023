//! NDT1-stitch: one token per bin, one stitcher per session.

mod config;
mod losses;
mod parts;
mod passes;

pub use config::Ndt1Config;
pub use parts::Ndt1Weights;

use crate::initialisation::embedding;
use crate::parameters::{Layout, Parameter, Parameters, Part};
use crate::trunk::{LinearParameters, NormParameters, Trunk, TrunkConfig};
use crate::{ModelError, ParameterInfo, Prompt};
use losses::Losses;
use neuroglot_engine::{Device, MemoryPlan, Slot};
use passes::{Buffers, EmbeddingSlots, PassSlots};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// A session as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionShape {
    /// Session id: the key of its stitchers.
    pub eid: String,
    /// Number of units.
    pub units: usize,
}

/// One batch of training: trials of one session under one mask.
#[derive(Debug, Clone, Copy)]
pub struct TrainingBatch<'a> {
    /// Index of the session.
    pub session: usize,
    /// Number of trials.
    pub trials: usize,
    /// Prompt of the masking scheme.
    pub prompt: Prompt,
    /// Counts with hidden entries set to 0, `[trial, bin, unit]`.
    pub inputs: &'a [f32],
    /// Counts, `[trial, bin, unit]`.
    pub counts: &'a [f32],
    /// 1 for entries that the loss counts, 0 for others, `[trial, bin, unit]`.
    pub target: &'a [f32],
    /// Seed and step that choose the dropout bits; `None` drops nothing.
    pub dropout: Option<(u64, u64)>,
}

/// One optimiser step; see [`neuroglot_engine::ops::AdamW`].
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// Learning rate.
    pub rate: f64,
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub epsilon: f64,
    /// Weight decay.
    pub decay: f64,
}

/// The stitchers of one session.
#[derive(Debug)]
struct Stitchers {
    encoder: LinearParameters,
    decoder: LinearParameters,
    group: usize,
}

/// The layers, and where their parameters lie on the device.
struct Layers {
    config: Ndt1Config,
    bins: usize,
    parameters: Parameters,
    stitchers: Vec<Stitchers>,
    spikes: LinearParameters,
    projection: LinearParameters,
    positions: Parameter,
    prompts: Parameter,
    session_rows: Parameter,
    trunk: Trunk,
    out_norm: NormParameters,
    /// A session's stitcher and the embedding of spikes as one layer: weight `[units, 2 · channels]` and bias, large
    /// enough for the session with the most units.
    composed: [Slot; 2],
}

/// The model on its device.
pub struct Ndt1 {
    sessions: Vec<SessionShape>,
    device: Box<dyn Device>,
    layers: Layers,
    /// The session whose composed layer is on the device, as long as its parameters are those it was made of.
    composed_for: Option<usize>,
    /// Ends behind the parameters and what is kept from pass to pass: plans of passes start here.
    kept: MemoryPlan,
    /// One plan per batch shape used so far.
    plans: Vec<Arc<PassSlots>>,
    /// One plan per number of rows embedded by themselves so far.
    embeddings: Vec<Arc<EmbeddingSlots>>,
    /// The plan whose constants are on the device.
    prepared: Option<usize>,
    /// Losses of the last steps, read from the device when asked for.
    losses: Losses,
    buffers: Buffers,
}

const TRUNK_GROUP: usize = 0;

impl Ndt1Config {
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
    ) -> Result<Ndt1, ModelError> {
        let mut model = self.build(bins, sessions, training, device)?;
        model.initialise(rng);
        Ok(model)
    }

    /// A model whose parameters are 0.
    fn build(
        &self,
        bins: usize,
        sessions: &[SessionShape],
        training: bool,
        mut device: Box<dyn Device>,
    ) -> Result<Ndt1, ModelError> {
        self.check()?;
        check_sessions(sessions)?;
        let hidden = self.hidden;
        let mut layout = Layout::default();
        layout.group();
        let name = |part: &str| format!("encoder.embedder.{part}");
        let spikes =
            LinearParameters::place(&mut layout, &name("embed_spikes"), self.channels, 2 * self.channels);
        let projection = LinearParameters::place(&mut layout, &name("projection"), 2 * self.channels, hidden);
        let positions = layout.place(name("embed_pos.weight"), &[bins, hidden]);
        let prompts = layout.place(name("embed_prompt.weight"), &[Prompt::COUNT, hidden]);
        let session_rows = layout.place(name("embed_session.weight"), &[sessions.len(), hidden]);
        let trunk = Trunk::place(
            &mut layout,
            TrunkConfig {
                hidden,
                layers: self.layers,
                heads: self.heads,
                mlp: self.mlp_width(),
                dropout: self.dropout as f32,
                norm: self.norm,
                rope: self.rope,
            },
        );
        let out_norm = NormParameters::place(&mut layout, "encoder.out_norm", hidden, self.norm);
        let stitchers: Vec<Stitchers> = sessions
            .iter()
            .enumerate()
            .map(|(index, SessionShape { eid, units })| {
                layout.group();
                let encoder = format!("encoder.stitcher.stitcher_dict.{eid}");
                let decoder = format!("stitch_decoder.stitch_decoder_dict.{eid}");
                Stitchers {
                    encoder: LinearParameters::place(&mut layout, &encoder, *units, self.channels),
                    decoder: LinearParameters::place(&mut layout, &decoder, hidden, *units),
                    group: TRUNK_GROUP + 1 + index,
                }
            })
            .collect();
        let parameters = layout.finish(device.as_mut(), training)?;
        let mut kept = MemoryPlan::after(&parameters.plan);
        let most_units = sessions.iter().map(|session| session.units).max().unwrap_or(0);
        let embedded = 2 * self.channels;
        let composed = [kept.slot(most_units * embedded), kept.slot(embedded)];
        let losses = Losses::new(&mut kept);
        device.reserve(kept.floats())?;
        Ok(Ndt1 {
            sessions: sessions.to_vec(),
            device,
            layers: Layers {
                config: self.clone(),
                bins,
                parameters,
                stitchers,
                spikes,
                projection,
                positions,
                prompts,
                session_rows,
                trunk,
                out_norm,
                composed,
            },
            composed_for: None,
            kept,
            plans: Vec::new(),
            embeddings: Vec::new(),
            prepared: None,
            losses,
            buffers: Buffers::default(),
        })
    }
}

fn check_sessions(sessions: &[SessionShape]) -> Result<(), ModelError> {
    if sessions.is_empty() {
        return Err(ModelError::NoSession);
    }
    for (index, session) in sessions.iter().enumerate() {
        let fail = |problem| Err(ModelError::Session { eid: session.eid.clone(), problem });
        if session.units == 0 {
            return fail("no unit is left: loosen the filters");
        }
        if sessions[..index].iter().any(|other| other.eid == session.eid) {
            return fail("it is given twice: name each session once");
        }
    }
    Ok(())
}

impl Ndt1 {
    fn initialise(&mut self, rng: &mut ChaCha8Rng) {
        let (layers, device) = (&self.layers, self.device.as_mut());
        let p = &layers.parameters;
        layers.spikes.initialise(p, device, rng, 1.0);
        layers.projection.initialise(p, device, rng, 1.0);
        let hidden = layers.config.hidden;
        let rows = [
            (layers.positions, layers.bins),
            (layers.prompts, Prompt::COUNT),
            (layers.session_rows, self.sessions.len()),
        ];
        for (parameter, count) in rows {
            p.set(device, parameter, &embedding(rng, count, hidden));
        }
        layers.trunk.initialise(p, device, rng);
        layers.out_norm.initialise(p, device);
        for stitchers in &layers.stitchers {
            stitchers.encoder.initialise(p, device, rng, 1.0);
            stitchers.decoder.initialise(p, device, rng, 1.0);
        }
    }

    /// Sets the bias of a session's output, so that rates start there, from log-rates `[unit]`, ln(spikes/bin).
    ///
    /// # Panics
    /// Where there is not one log-rate per unit.
    pub fn set_output_bias(&mut self, session: usize, log_rates: &[f32]) {
        assert_eq!(log_rates.len(), self.sessions[session].units, "one log-rate per unit");
        self.layers.parameters.set(
            self.device.as_mut(),
            self.layers.stitchers[session].decoder.bias,
            log_rates,
        );
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &Ndt1Config {
        &self.layers.config
    }

    /// Bins per trial.
    pub fn bins(&self) -> usize {
        self.layers.bins
    }

    /// Its sessions, in the order of their indices.
    pub fn sessions(&self) -> &[SessionShape] {
        &self.sessions
    }

    /// The device in words.
    pub fn device_description(&self) -> String {
        self.device.description()
    }

    /// Name and shape of every parameter; other methods refer to them by their index here.
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.layers.parameters.infos
    }

    /// The values of a parameter.
    pub fn read_parameter(&self, index: usize) -> Vec<f32> {
        self.layers.parameters.read(self.device.as_ref(), Part::Values, index)
    }

    /// Sets the values of a parameter.
    ///
    /// # Errors
    /// [`ModelError::ParameterLength`] where the number of values differs.
    pub fn write_parameter(&mut self, index: usize, values: &[f32]) -> Result<(), ModelError> {
        self.composed_for = None;
        self.layers.parameters.write(self.device.as_mut(), Part::Values, index, values)
    }

    /// The gradient of a parameter after [`Ndt1::loss_and_gradients`]. Stitchers of other sessions hold old values.
    ///
    /// # Panics
    /// Where the model was built without `training`.
    pub fn read_gradient(&self, index: usize) -> Vec<f32> {
        self.layers.parameters.read(self.device.as_ref(), Part::Gradients, index)
    }

    /// First and second moments of a parameter.
    ///
    /// # Panics
    /// Where the model was built without `training`.
    pub fn read_moments(&self, index: usize) -> [Vec<f32>; 2] {
        [Part::FirstMoments, Part::SecondMoments]
            .map(|part| self.layers.parameters.read(self.device.as_ref(), part, index))
    }

    /// Sets first and second moments of a parameter.
    ///
    /// # Errors
    /// [`ModelError::ParameterLength`] where the number of values differs.
    pub fn write_moments(&mut self, index: usize, moments: [&[f32]; 2]) -> Result<(), ModelError> {
        for (part, values) in [Part::FirstMoments, Part::SecondMoments].into_iter().zip(moments) {
            self.layers.parameters.write(self.device.as_mut(), part, index, values)?;
        }
        Ok(())
    }

    /// Optimiser steps counted so far: of the trunk, then of each session's stitchers.
    pub fn optimiser_steps(&self) -> Vec<u64> {
        self.layers.parameters.steps()
    }

    /// Sets the steps of [`Ndt1::optimiser_steps`].
    pub fn set_optimiser_steps(&mut self, steps: &[u64]) {
        self.layers.parameters.set_steps(steps);
    }

    /// Freezes all that sessions share: from now on only stitchers and session tokens are trained. Nothing frozen is
    /// updated or decays, and the weights of its linear layers cost no gradient. Steps of [`Ndt1::optimiser_steps`]
    /// counted for the trunk are then those of the session tokens.
    pub fn freeze_trunk(&mut self) {
        self.layers.parameters.freeze_first_group_but(self.layers.session_rows);
    }

    /// One AdamW step of the trunk and the stitchers of the session that has the gradient.
    pub fn update(&mut self, session: usize, update: &Update) {
        self.composed_for = None;
        let groups = [TRUNK_GROUP, self.layers.stitchers[session].group];
        self.layers.parameters.update(self.device.as_mut(), &groups, update);
    }
}
