//! The layers of a model, their memory, and both passes through them.

use super::{Architecture, ModelConfig};
use crate::ends::Ends;
use crate::initialisation::embedding;
use crate::ndt1::Stitched;
use crate::ndt2::Patched;
use crate::parameters::{Layout, Parameter, Parameters, Part};
use crate::trunk::{
    DropoutKey, FirstBlockSlots, LinearParameters, NormParameters, Sequence, Trunk, TrunkConfig, TrunkSlots,
    dropout_at,
};
use crate::{ModelError, PatchLayout, Prompt, SessionShape};
use neuroglot_engine::ops::*;
use neuroglot_engine::{Device, MemoryPlan, PassKey, Slot};
use rand_chacha::ChaCha8Rng;

/// Session and prompt tokens stand in front of the others.
pub(super) const PREFIX: usize = 2;
/// Site of the tokens' dropout.
const TOKEN_DROPOUT: u32 = 0;

/// The layers, and where their parameters lie on the device.
pub(super) struct Layers {
    pub config: ModelConfig,
    pub bins: usize,
    pub parameters: Parameters,
    pub ends: Box<dyn Ends>,
    pub trunk: Trunk,
    spikes: LinearParameters,
    projection: LinearParameters,
    prompts: Parameter,
    session_rows: Parameter,
    sessions: usize,
    out_norm: NormParameters,
}

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PassShape {
    pub session: usize,
    pub trials: usize,
    /// Log-rates that are wanted of each row.
    pub outputs: usize,
    pub use_of: Use,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Loss and gradients.
    Training,
    /// Log-rates of counts.
    Prediction,
    /// Log-rates of rows that are opened already.
    PredictionOfOpened,
}

impl PassShape {
    pub(super) fn key(&self, prompt: Prompt, dropout: Option<DropoutKey>) -> PassKey {
        let kind = self.use_of as usize + 4 * usize::from(dropout.is_some());
        [self.session, self.trials, self.outputs, kind, prompt.row(), usize::from(prompt.is_causal())]
    }
}

/// Memory for opening some rows by themselves.
#[derive(Debug)]
pub(super) struct OpeningSlots {
    pub session: usize,
    pub rows: usize,
    pub inputs: Slot,
    /// Which of a trial's tokens each row becomes.
    pub places: Slot,
    embedded: Slot,
    positions: Slot,
    pub tokens: Slot,
    pub first: FirstBlockSlots,
}

/// Rows to open are rounded up to a multiple of this, so that few plans serve all.
pub(super) const OPENED_ROWS: usize = 32;

/// Memory of a pass over one batch shape.
#[derive(Debug)]
pub(super) struct PassSlots {
    pub shape: PassShape,
    /// Counts of a row.
    pub width: usize,
    pub inputs: Slot,
    embedded: Slot,
    pub projected: Slot,
    pub tokens: Slot,
    pub trunk: TrunkSlots,
    encoded: Slot,
    normed: Slot,
    statistics: Slot,
    pub log_rates: Slot,
    /// Where not all units are wanted.
    pub selection: Option<Selection>,
    pub counts: Slot,
    pub target: Slot,
    pub loss: Slot,
    /// Gradients: of the log-rates, of rows behind the blocks, of the tokens, of the embedding.
    pub log_rates_gradient: Slot,
    encoded_gradient: Slot,
    tokens_gradient: Slot,
    embedded_gradient: Slot,
    first_layer_gradients: [Slot; 2],
}

/// The decoder of some units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection {
    /// Numbers of the units.
    pub units: Slot,
    weight: Slot,
    bias: Slot,
    weight_gradient: Slot,
    bias_gradient: Slot,
}

impl Layers {
    pub(super) fn place(
        config: &ModelConfig,
        bins: usize,
        sessions: &[SessionShape],
        training: bool,
        device: &mut dyn Device,
    ) -> Result<Self, ModelError> {
        let (hidden, width) = (config.hidden, config.embedded_width());
        let mut layout = Layout::default();
        layout.group();
        let name = |part: &str| format!("encoder.embedder.{part}");
        let spikes = LinearParameters::place(&mut layout, &name("embed_spikes"), width, 2 * width);
        let projection = LinearParameters::place(&mut layout, &name("projection"), 2 * width, hidden);
        let prompts = layout.place(name("embed_prompt.weight"), &[Prompt::COUNT, hidden]);
        let session_rows = layout.place(name("embed_session.weight"), &[sessions.len(), hidden]);
        let trunk = Trunk::place(
            &mut layout,
            TrunkConfig {
                hidden,
                layers: config.layers,
                heads: config.heads,
                mlp: config.mlp_width(),
                dropout: config.dropout as f32,
                norm: config.norm,
                rope: config.rope,
            },
        );
        let out_norm = NormParameters::place(&mut layout, "encoder.out_norm", hidden, config.norm);
        let ends: Box<dyn Ends> = match config.architecture {
            Architecture::Ndt1Stitch => {
                Box::new(Stitched::place(&mut layout, config, bins, sessions, spikes))
            }
            Architecture::Ndt2 => Box::new(Patched::place(&mut layout, config, bins, sessions, spikes)),
        };
        Ok(Self {
            config: config.clone(),
            bins,
            parameters: layout.finish(device, training)?,
            ends,
            trunk,
            spikes,
            projection,
            prompts,
            session_rows,
            sessions: sessions.len(),
            out_norm,
        })
    }

    pub(super) fn initialise(&self, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        let p = &self.parameters;
        self.spikes.initialise(p, device, rng, 1.0);
        self.projection.initialise(p, device, rng, 1.0);
        self.ends.initialise_positions(p, device, rng);
        for (parameter, count) in [(self.prompts, Prompt::COUNT), (self.session_rows, self.sessions)] {
            p.set(device, parameter, &embedding(rng, count, self.config.hidden));
        }
        self.trunk.initialise(p, device, rng);
        self.out_norm.initialise(p, device);
        self.ends.initialise_decoders(p, device, rng);
    }

    fn sequence(&self, session: usize) -> Sequence {
        let tokens_per_bin = self.ends.patches(session).map_or(1, PatchLayout::patches);
        Sequence { prefix: PREFIX, bins: self.bins, tokens_per_bin }
    }

    pub(super) fn plan(&self, plan: &mut MemoryPlan, shape: PassShape) -> PassSlots {
        let PassShape { session, trials, outputs, use_of } = shape;
        let training = use_of == Use::Training;
        let (hidden, embedded) = (self.config.hidden, self.spikes.outputs);
        let (sequence, width) = (self.sequence(session), self.ends.width(session));
        let (rows, token_rows) = (trials * sequence.of_bins(), trials * sequence.tokens());
        let tokens = plan.slot(token_rows * hidden);
        let trunk = self.trunk.plan(plan, trials, sequence, training);
        let only_training = |plan: &mut MemoryPlan, len| {
            if training { plan.slot(len) } else { Slot::default() }
        };
        let of_counts = |plan: &mut MemoryPlan, len| {
            if use_of == Use::PredictionOfOpened { Slot::default() } else { plan.slot(len) }
        };
        let selection = (outputs < width).then(|| Selection {
            units: plan.slot(outputs),
            weight: plan.slot(outputs * hidden),
            bias: plan.slot(outputs),
            weight_gradient: only_training(plan, outputs * hidden),
            bias_gradient: only_training(plan, outputs),
        });
        PassSlots {
            shape,
            width,
            inputs: of_counts(plan, rows * width),
            embedded: of_counts(plan, rows * embedded),
            projected: of_counts(plan, rows * hidden),
            tokens,
            trunk,
            encoded: plan.slot(rows * hidden),
            normed: plan.slot(rows * hidden),
            statistics: plan.slot(rows * 2),
            log_rates: plan.slot(rows * outputs),
            selection,
            counts: only_training(plan, rows * outputs),
            target: only_training(plan, rows * outputs),
            loss: only_training(plan, 1),
            log_rates_gradient: only_training(plan, rows * outputs),
            encoded_gradient: only_training(plan, rows * hidden),
            tokens_gradient: only_training(plan, token_rows * hidden),
            embedded_gradient: only_training(plan, rows * embedded),
            first_layer_gradients: [only_training(plan, width * embedded), only_training(plan, embedded)],
        }
    }

    pub(super) fn plan_opening(&self, plan: &mut MemoryPlan, session: usize, rows: usize) -> OpeningSlots {
        let hidden = self.config.hidden;
        OpeningSlots {
            session,
            rows,
            inputs: plan.slot(rows * self.ends.width(session)),
            places: plan.slot(rows),
            embedded: plan.slot(rows * self.spikes.outputs),
            positions: plan.slot(rows * hidden),
            tokens: plan.slot(rows * hidden),
            first: self.trunk.plan_first_block(plan, rows),
        }
    }

    /// Makes what the passes of a session need of the parameters alone.
    pub(super) fn prepare(&self, device: &mut dyn Device, session: usize) {
        self.ends.prepare(&self.parameters, device, session);
    }

    /// Rows of counts become tokens, and these what the first block attends with.
    pub(super) fn open_rows(&self, device: &mut dyn Device, slots: &OpeningSlots) {
        let OpeningSlots { session, rows, inputs, embedded, positions, tokens, .. } = *slots;
        let p = &self.parameters;
        self.embed(device, session, rows, inputs, embedded);
        device.select_rows(&SelectRows {
            rows: self.sequence(session).of_bins(),
            width: self.config.hidden,
            selected: rows,
            x: self.ends.positions(p, session),
            indices: slots.places,
            y: positions,
        });
        device.linear(&Linear {
            then: Then::Residual { x: positions, dropout: None },
            ..self.projection.forward(p, rows, embedded, tokens)
        });
        self.trunk.open(p, device, rows, tokens, &slots.first);
    }

    /// The same for the session token and the prompt token, in the first two rows.
    pub(super) fn open_prefix(&self, device: &mut dyn Device, slots: &OpeningSlots, prompt: Prompt) {
        let hidden = self.config.hidden;
        let p = &self.parameters;
        let session = p.row(Part::Values, self.session_rows, slots.session, hidden);
        let prompt = p.row(Part::Values, self.prompts, prompt.row(), hidden);
        device.fill(slots.tokens, 0.0);
        for (row, token) in [session, prompt].into_iter().enumerate() {
            device.copy(token, slots.tokens.part(row * hidden, hidden));
        }
        self.trunk.open(p, device, slots.rows, slots.tokens, &slots.first);
    }

    fn embed(&self, device: &mut dyn Device, session: usize, rows: usize, inputs: Slot, embedded: Slot) {
        let [weight, bias] = self.ends.first_layer(session);
        let (units, outputs) = (self.ends.width(session), self.spikes.outputs);
        device.counts_linear(&CountsLinear { rows, units, outputs, x: inputs, weight, bias, y: embedded });
    }

    pub(super) fn forward(
        &self,
        device: &mut dyn Device,
        slots: &PassSlots,
        prompt: Prompt,
        key: Option<DropoutKey>,
    ) {
        let hidden = self.config.hidden;
        let p = &self.parameters;
        let PassShape { session, trials, .. } = slots.shape;
        let sequence = self.sequence(session);
        let count = sequence.of_bins();
        let rows = trials * count;
        let is_opened = slots.shape.use_of == Use::PredictionOfOpened;
        if !is_opened {
            self.embed(device, session, rows, slots.inputs, slots.embedded);
            device.linear(&self.projection.forward(p, rows, slots.embedded, slots.projected));
            device.token_rows(&TokenRows {
                batch: trials,
                bins_per_sequence: count,
                width: hidden,
                bins: slots.projected,
                positions: self.ends.positions(p, session),
                first: p.row(Part::Values, self.session_rows, session, hidden),
                second: p.row(Part::Values, self.prompts, prompt.row(), hidden),
                tokens: slots.tokens,
                dropout: dropout_at(key, self.config.embed_dropout as f32, TOKEN_DROPOUT),
            });
        }
        let rule = sequence.rule(prompt.is_causal());
        let encoded = self.trunk.forward(p, device, &slots.trunk, slots.tokens, rule, key, is_opened);
        device.drop_prefix(&drop_prefix(count, hidden, trials, encoded, slots.encoded));
        self.out_norm.forward(p, device, rows, slots.encoded, slots.normed, slots.statistics);
        let decoder = self.ends.decoder(session);
        let mut linear = decoder.forward(p, rows, slots.normed, slots.log_rates);
        if let Some(selection) = &slots.selection {
            let select = |width, x, y| SelectRows {
                rows: slots.width,
                width,
                selected: slots.shape.outputs,
                x,
                indices: selection.units,
                y,
            };
            device.select_rows(&select(hidden, p.value(decoder.weight), selection.weight));
            device.select_rows(&select(1, p.value(decoder.bias), selection.bias));
            (linear.outputs, linear.weight, linear.bias) =
                (slots.shape.outputs, selection.weight, selection.bias);
        }
        device.linear(&linear);
    }

    pub(super) fn backward(
        &self,
        device: &mut dyn Device,
        slots: &PassSlots,
        prompt: Prompt,
        key: Option<DropoutKey>,
    ) {
        let hidden = self.config.hidden;
        let p = &self.parameters;
        let PassShape { session, trials, .. } = slots.shape;
        let sequence = self.sequence(session);
        let count = sequence.of_bins();
        let rows = trials * count;
        // `projected` is free again: it takes the gradient of the normed rows, later that of the projection.
        let row_gradient = slots.projected;
        let decoder = self.ends.decoder(session);
        let mut linear = decoder.backward(p, rows, slots.normed, slots.log_rates_gradient, row_gradient);
        if let Some(selection) = &slots.selection {
            linear.outputs = slots.shape.outputs;
            linear.weight = selection.weight;
            (linear.weight_gradient, linear.bias_gradient) =
                (selection.weight_gradient, selection.bias_gradient);
        }
        device.linear_backward(&linear);
        if let Some(selection) = &slots.selection {
            let select = |width, y_gradient, x_gradient| SelectRowsBackward {
                rows: slots.width,
                width,
                selected: slots.shape.outputs,
                indices: selection.units,
                y_gradient,
                x_gradient,
            };
            device.select_rows_backward(&select(
                hidden,
                selection.weight_gradient,
                p.gradient(decoder.weight),
            ));
            device.select_rows_backward(&select(1, selection.bias_gradient, p.gradient(decoder.bias)));
        }
        let (tokens, encoded) = (slots.tokens_gradient, slots.encoded_gradient);
        device.fill(encoded, 0.0);
        self.out_norm.backward(p, device, rows, slots.encoded, slots.statistics, row_gradient, encoded);
        device.drop_prefix_backward(&drop_prefix(count, hidden, trials, tokens, encoded));
        let rule = sequence.rule(prompt.is_causal());
        self.trunk.backward(p, device, &slots.trunk, slots.tokens, rule, key, tokens);
        // Prompts and sessions are one parameter each: rows not used in this batch have gradient 0.
        device.fill(p.gradient(self.prompts), 0.0);
        device.fill(p.gradient(self.session_rows), 0.0);
        device.token_rows_backward(&TokenRowsBackward {
            batch: trials,
            bins_per_sequence: count,
            width: hidden,
            tokens_gradient: tokens,
            dropout: dropout_at(key, self.config.embed_dropout as f32, TOKEN_DROPOUT),
            bins_gradient: row_gradient,
            positions_gradient: self.ends.positions_gradient(p, session),
            first_gradient: p.row(Part::Gradients, self.session_rows, session, hidden),
            second_gradient: p.row(Part::Gradients, self.prompts, prompt.row(), hidden),
        });
        device.linear_backward(&LinearBackward {
            before: Before::Softsign,
            ..self.projection.backward(p, rows, slots.embedded, row_gradient, slots.embedded_gradient)
        });
        let [weight_gradient, bias_gradient] = slots.first_layer_gradients;
        device.counts_linear_backward(&CountsLinearBackward {
            rows,
            units: slots.width,
            outputs: self.spikes.outputs,
            x: slots.inputs,
            z_gradient: slots.embedded_gradient,
            weight_gradient,
            bias_gradient,
        });
        self.ends.backward(p, device, session, slots.first_layer_gradients);
    }
}

fn drop_prefix(count: usize, width: usize, batch: usize, tokens: Slot, encoded: Slot) -> DropPrefix {
    DropPrefix { batch, prefix: PREFIX, bins_per_sequence: count, width, tokens, bins: encoded }
}
