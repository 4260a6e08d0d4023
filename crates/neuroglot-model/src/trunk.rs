//! Pre-norm transformer blocks, shared by all models.

use crate::initialisation::{linear_bias, linear_weight};
use crate::parameters::{Layout, Parameter, Parameters};
use neuroglot_engine::ops::*;
use neuroglot_engine::{AttentionRule, Device, Dropout, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Which normalisation a block uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Mean 0, variance 1, then gain and bias per feature.
    #[default]
    Layer,
    /// Length 1, then one gain.
    Scale,
}

/// Sizes of the blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrunkConfig {
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub mlp: usize,
    pub dropout: f32,
    pub norm: NormKind,
    pub rope: bool,
}

/// The tokens of a trial: prefix tokens, then bins of equally many tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    pub prefix: usize,
    pub bins: usize,
    pub tokens_per_bin: usize,
}

impl Sequence {
    /// Tokens of all bins.
    pub(crate) fn of_bins(&self) -> usize {
        self.bins * self.tokens_per_bin
    }

    /// All tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.prefix + self.of_bins()
    }

    /// Who sees whom.
    pub(crate) fn rule(&self, causal: bool) -> AttentionRule {
        let Self { prefix, tokens_per_bin, .. } = *self;
        AttentionRule { prefix, tokens_per_bin, used_per_bin: tokens_per_bin, causal }
    }

    /// Angles of all tokens: those of a bin share a position.
    fn rope_table(&self, head_width: usize) -> Vec<f32> {
        let positions = rope_table(self.prefix + self.bins, head_width);
        let (prefix, bins) = positions.split_at(self.prefix * head_width);
        let bins = bins.chunks(head_width).flat_map(|bin| bin.repeat(self.tokens_per_bin));
        prefix.iter().copied().chain(bins).collect()
    }
}

/// A linear layer's parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinearParameters {
    pub weight: Parameter,
    pub bias: Parameter,
    pub inputs: usize,
    pub outputs: usize,
}

impl LinearParameters {
    pub(crate) fn place(layout: &mut Layout, name: &str, inputs: usize, outputs: usize) -> Self {
        let weight = layout.place(format!("{name}.weight"), &[outputs, inputs]);
        let bias = layout.place(format!("{name}.bias"), &[outputs]);
        Self { weight, bias, inputs, outputs }
    }

    pub(crate) fn initialise(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        rng: &mut ChaCha8Rng,
        scale: f64,
    ) {
        p.set(device, self.weight, &linear_weight(rng, self.inputs, self.outputs, scale));
        p.set(device, self.bias, &linear_bias(rng, self.inputs, self.outputs));
    }

    /// y = x·Wᵀ + b and nothing else; other layers change the fields they need.
    pub(crate) fn forward(&self, p: &Parameters, rows: usize, x: Slot, y: Slot) -> Linear {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let (weight, bias) = (p.value(self.weight), p.value(self.bias));
        Linear { rows, inputs, outputs, x, dropout: None, weight, bias, y, then: Then::Nothing }
    }

    /// The backward pass of [`LinearParameters::forward`].
    pub(crate) fn backward(
        &self,
        p: &Parameters,
        rows: usize,
        x: Slot,
        y_gradient: Slot,
        x_gradient: Slot,
    ) -> LinearBackward {
        LinearBackward {
            rows,
            inputs: self.inputs,
            outputs: self.outputs,
            x,
            weight: p.value(self.weight),
            y_gradient,
            dropout: None,
            x_gradient,
            before: Before::Nothing,
            weight_gradient: p.gradient(self.weight),
            bias_gradient: p.gradient(self.bias),
        }
    }
}

/// A normalisation's parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormParameters {
    gain: Parameter,
    /// Layer norm only.
    bias: Option<Parameter>,
    width: usize,
}

impl NormParameters {
    pub(crate) fn place(layout: &mut Layout, name: &str, width: usize, kind: NormKind) -> Self {
        match kind {
            NormKind::Layer => {
                let gain = layout.place(format!("{name}.weight"), &[width]);
                let bias = layout.place(format!("{name}.bias"), &[width]);
                Self { gain, bias: Some(bias), width }
            }
            NormKind::Scale => Self { gain: layout.place(format!("{name}.scale"), &[1]), bias: None, width },
        }
    }

    pub(crate) fn initialise(&self, p: &Parameters, device: &mut dyn Device) {
        match self.bias {
            Some(bias) => {
                device.fill(p.value(self.gain), 1.0);
                device.fill(p.value(bias), 0.0);
            }
            None => device.fill(p.value(self.gain), (self.width as f32).sqrt()),
        }
    }

    pub(crate) fn forward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        rows: usize,
        x: Slot,
        y: Slot,
        statistics: Slot,
    ) {
        let (gain, width) = (p.value(self.gain), self.width);
        match self.bias {
            Some(bias) => {
                device.layer_norm(&LayerNorm { rows, width, x, gain, bias: p.value(bias), y, statistics });
            }
            None => device.scale_norm(&ScaleNorm { rows, width, x, gain, y, statistics }),
        }
    }

    /// Adds to `x_gradient`.
    pub(crate) fn backward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        rows: usize,
        x: Slot,
        statistics: Slot,
        y_gradient: Slot,
        x_gradient: Slot,
    ) {
        let (gain, gain_gradient, width) = (p.value(self.gain), p.gradient(self.gain), self.width);
        match self.bias {
            Some(bias) => device.layer_norm_backward(&LayerNormBackward {
                rows,
                width,
                x,
                gain,
                statistics,
                y_gradient,
                x_gradient,
                gain_gradient,
                bias_gradient: p.gradient(bias),
            }),
            None => device.scale_norm_backward(&ScaleNormBackward {
                rows,
                width,
                x,
                gain,
                statistics,
                y_gradient,
                x_gradient,
                gain_gradient,
            }),
        }
    }
}

#[derive(Debug)]
struct BlockParameters {
    norm1: NormParameters,
    /// Query, key and value lie side by side: one product makes all three.
    qkv: LinearParameters,
    qkv_parts: [LinearParameters; 3],
    out: LinearParameters,
    norm2: NormParameters,
    up: LinearParameters,
    down: LinearParameters,
}

/// The parameters of all blocks.
#[derive(Debug)]
pub(crate) struct Trunk {
    config: TrunkConfig,
    blocks: Vec<BlockParameters>,
}

/// What one block keeps for its backward pass.
#[derive(Debug, Clone, Copy)]
struct BlockSlots {
    normed1: Slot,
    statistics1: Slot,
    qkv: Slot,
    log_sums: Slot,
    attended: Slot,
    middle: Slot,
    normed2: Slot,
    statistics2: Slot,
    up: Slot,
    activated: Slot,
    output: Slot,
}

/// Memory for what the first block attends with, of rows by themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstBlockSlots {
    normed: Slot,
    statistics: Slot,
    /// Queries, keys and values, `[row, 3 · hidden]`.
    pub qkv: Slot,
}

/// Memory of the blocks for one batch shape.
#[derive(Debug, Clone)]
pub(crate) struct TrunkSlots {
    batch: usize,
    sequence: Sequence,
    blocks: Vec<BlockSlots>,
    /// Backward pass only.
    normed_gradient: Slot,
    attended_gradient: Slot,
    wide_gradient: Slot,
    rope_table: Slot,
}

impl TrunkSlots {
    /// Where the first block's queries, keys and values lie, `[batch · tokens, 3 · hidden]`.
    pub(crate) fn first_qkv(&self) -> Slot {
        self.blocks.first().map_or(Slot::default(), |block| block.qkv)
    }
}

/// Which dropout bits a pass draws; `None` at inference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DropoutKey {
    pub seed: u64,
    pub step: u64,
}

/// The dropout at one place of the model.
pub(crate) fn dropout_at(key: Option<DropoutKey>, probability: f32, site: u32) -> Option<Dropout> {
    key.filter(|_| probability > 0.0).map(|key| Dropout { probability, seed: key.seed, step: key.step, site })
}

impl Trunk {
    pub(crate) fn place(layout: &mut Layout, config: TrunkConfig) -> Self {
        let TrunkConfig { hidden, mlp, norm, .. } = config;
        let blocks = (0..config.layers)
            .map(|layer| {
                let name = |part: &str| format!("encoder.layers.{layer}.{part}");
                let norm1 = NormParameters::place(layout, &name("ln1"), hidden, norm);
                let parts = ["query", "key", "value"];
                let named = |suffix: &str, shape: Vec<usize>| {
                    parts.map(|part| (name(&format!("attn.{part}.{suffix}")), shape.clone()))
                };
                let weights = layout.adjacent(named("weight", vec![hidden, hidden]));
                let biases = layout.adjacent(named("bias", vec![hidden]));
                let part = |i: usize| LinearParameters {
                    weight: weights[i],
                    bias: biases[i],
                    inputs: hidden,
                    outputs: hidden,
                };
                BlockParameters {
                    norm1,
                    qkv: LinearParameters {
                        weight: weights[0].through(weights[2]),
                        bias: biases[0].through(biases[2]),
                        inputs: hidden,
                        outputs: 3 * hidden,
                    },
                    qkv_parts: [part(0), part(1), part(2)],
                    out: LinearParameters::place(layout, &name("attn.out_proj"), hidden, hidden),
                    norm2: NormParameters::place(layout, &name("ln2"), hidden, norm),
                    up: LinearParameters::place(layout, &name("mlp.up_proj"), hidden, mlp),
                    down: LinearParameters::place(layout, &name("mlp.down_proj"), mlp, hidden),
                }
            })
            .collect();
        Self { config, blocks }
    }

    /// T-Fixup style scaling (Huang et al. 2020): 0.67·L^(−1/4) on the attention output and the MLP, √2 more on values.
    pub(crate) fn initialise(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        let scale = 0.67 * (self.config.layers as f64).powf(-0.25);
        for block in &self.blocks {
            block.norm1.initialise(p, device);
            block.norm2.initialise(p, device);
            for (part, scale) in block.qkv_parts.iter().zip([1.0, 1.0, scale * 2f64.sqrt()]) {
                part.initialise(p, device, rng, scale);
            }
            for linear in [&block.out, &block.up, &block.down] {
                linear.initialise(p, device, rng, scale);
            }
        }
    }

    /// Plans the memory of one batch shape. At inference the blocks share their slots.
    pub(crate) fn plan(
        &self,
        plan: &mut MemoryPlan,
        batch: usize,
        sequence: Sequence,
        training: bool,
    ) -> TrunkSlots {
        let TrunkConfig { hidden, mlp, heads, .. } = self.config;
        let rows = batch * sequence.tokens();
        let mut block = || {
            // Only a backward pass needs what residuals were added to, and the MLP's values before and after GELU.
            let mut kept = |width: usize| if training { plan.slot(rows * width) } else { Slot::default() };
            let (middle, activated, output) = (kept(hidden), kept(mlp), kept(hidden));
            BlockSlots {
                normed1: plan.slot(rows * hidden),
                statistics1: plan.slot(rows * 2),
                qkv: plan.slot(rows * 3 * hidden),
                log_sums: plan.slot(rows * heads),
                attended: plan.slot(rows * hidden),
                middle,
                normed2: plan.slot(rows * hidden),
                statistics2: plan.slot(rows * 2),
                up: plan.slot(rows * mlp),
                activated,
                output,
            }
        };
        let nothing = Slot::default();
        let layers = self.config.layers;
        let blocks = if training { (0..layers).map(|_| block()).collect() } else { vec![block(); layers] };
        let [normed_gradient, attended_gradient, wide_gradient] = [hidden, hidden, mlp.max(3 * hidden)]
            .map(|width| if training { plan.slot(rows * width) } else { nothing });
        let rope_table =
            if self.config.rope { plan.slot(sequence.tokens() * hidden / heads) } else { nothing };
        TrunkSlots { batch, sequence, blocks, normed_gradient, attended_gradient, wide_gradient, rope_table }
    }

    pub(crate) fn plan_first_block(&self, plan: &mut MemoryPlan, rows: usize) -> FirstBlockSlots {
        let hidden = self.config.hidden;
        FirstBlockSlots {
            normed: plan.slot(rows * hidden),
            statistics: plan.slot(rows * 2),
            qkv: plan.slot(rows * 3 * hidden),
        }
    }

    /// Queries, keys and values of the first block, before any rotation: they depend on nothing but their own token.
    pub(crate) fn open(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        rows: usize,
        tokens: Slot,
        slots: &FirstBlockSlots,
    ) {
        let Some(block) = self.blocks.first() else { return };
        block.norm1.forward(p, device, rows, tokens, slots.normed, slots.statistics);
        device.linear(&block.qkv.forward(p, rows, slots.normed, slots.qkv));
    }

    /// Writes what the blocks need besides their input, when a plan comes into use.
    pub(crate) fn prepare(&self, device: &mut dyn Device, slots: &TrunkSlots) {
        if self.config.rope {
            let head_width = self.config.hidden / self.config.heads;
            device.write(slots.rope_table, &slots.sequence.rope_table(head_width));
        }
    }

    /// Runs all blocks on tokens `[batch · tokens, hidden]` and returns the slot of the result, at inference that of the
    /// tokens. `is_opened` says that
    /// [`TrunkSlots::first_qkv`] holds what [`Trunk::open`] makes of them.
    pub(crate) fn forward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        slots: &TrunkSlots,
        input: Slot,
        rule: AttentionRule,
        key: Option<DropoutKey>,
        is_opened: bool,
    ) -> Slot {
        let TrunkConfig { dropout, .. } = self.config;
        let rows = slots.batch * slots.sequence.tokens();
        let mut x = input;
        for (layer, (block, s)) in self.blocks.iter().zip(&slots.blocks).enumerate() {
            let site = site_of(layer);
            if layer > 0 || !is_opened {
                block.norm1.forward(p, device, rows, x, s.normed1, s.statistics1);
                device.linear(&block.qkv.forward(p, rows, s.normed1, s.qkv));
            }
            if self.config.rope {
                device.rope(&self.rope(slots, s.qkv, false));
            }
            let shape = self.attention(slots, rule, dropout_at(key, dropout, site));
            device.attention(&Attention { shape, qkv: s.qkv, y: s.attended, log_sums: s.log_sums });
            // At inference residuals are added in place, to the tokens themselves.
            let in_place = s.output.is_empty();
            let residual = |x: Slot| if in_place { Slot::default() } else { x };
            let [middle, output] = if in_place { [x; 2] } else { [s.middle, s.output] };
            device.linear(&Linear {
                dropout: dropout_at(key, dropout, site + 1),
                then: Then::Residual { x: residual(x), dropout: None },
                ..block.out.forward(p, rows, s.attended, middle)
            });
            block.norm2.forward(p, device, rows, middle, s.normed2, s.statistics2);
            device.linear(&Linear {
                then: Then::Gelu { activated: s.activated },
                ..block.up.forward(p, rows, s.normed2, s.up)
            });
            let activated = if in_place { s.up } else { s.activated };
            device.linear(&Linear {
                then: Then::Residual { x: residual(middle), dropout: dropout_at(key, dropout, site + 2) },
                ..block.down.forward(p, rows, activated, output)
            });
            x = output;
        }
        x
    }

    /// Runs all blocks backward. `gradient` holds that of the result and becomes that of the input.
    pub(crate) fn backward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        slots: &TrunkSlots,
        input: Slot,
        rule: AttentionRule,
        key: Option<DropoutKey>,
        gradient: Slot,
    ) {
        let TrunkConfig { hidden, mlp, dropout, .. } = self.config;
        let rows = slots.batch * slots.sequence.tokens();
        for (layer, (block, s)) in self.blocks.iter().zip(&slots.blocks).enumerate().rev() {
            let site = site_of(layer);
            let x = if layer == 0 { input } else { slots.blocks[layer - 1].output };
            let up_gradient = slots.wide_gradient.part(0, rows * mlp);
            let key_dropout = |offset| dropout_at(key, dropout, site + offset);
            device.linear_backward(&LinearBackward {
                dropout: key_dropout(2),
                before: Before::Gelu { z: s.up },
                ..block.down.backward(p, rows, s.activated, gradient, up_gradient)
            });
            device.linear_backward(&block.up.backward(
                p,
                rows,
                s.normed2,
                up_gradient,
                slots.normed_gradient,
            ));
            block.norm2.backward(p, device, rows, s.middle, s.statistics2, slots.normed_gradient, gradient);
            let attended_gradient = slots.attended_gradient;
            device.linear_backward(&LinearBackward {
                before: key_dropout(1).map_or(Before::Nothing, Before::Dropout),
                ..block.out.backward(p, rows, s.attended, gradient, attended_gradient)
            });
            let qkv_gradient = slots.wide_gradient.part(0, rows * 3 * hidden);
            device.attention_backward(&AttentionBackward {
                shape: self.attention(slots, rule, key_dropout(0)),
                qkv: s.qkv,
                log_sums: s.log_sums,
                y_gradient: attended_gradient,
                qkv_gradient,
            });
            if self.config.rope {
                device.rope(&self.rope(slots, qkv_gradient, true));
            }
            device.linear_backward(&block.qkv.backward(
                p,
                rows,
                s.normed1,
                qkv_gradient,
                slots.normed_gradient,
            ));
            block.norm1.backward(p, device, rows, x, s.statistics1, slots.normed_gradient, gradient);
        }
    }

    fn attention(&self, slots: &TrunkSlots, rule: AttentionRule, dropout: Option<Dropout>) -> AttentionShape {
        AttentionShape {
            batch: slots.batch,
            tokens: slots.sequence.tokens(),
            heads: self.config.heads,
            head_width: self.config.hidden / self.config.heads,
            rule,
            dropout,
        }
    }

    fn rope(&self, slots: &TrunkSlots, qkv: Slot, inverse: bool) -> Rope {
        Rope {
            batch: slots.batch,
            tokens: slots.sequence.tokens(),
            heads: self.config.heads,
            head_width: self.config.hidden / self.config.heads,
            table: slots.rope_table,
            qkv,
            inverse,
        }
    }
}

/// First of the three dropout sites of a block; site 0 belongs to the tokens.
fn site_of(layer: usize) -> u32 {
    1 + 3 * layer as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_bin_share_its_rotation() {
        let sequence = |tokens_per_bin| Sequence { prefix: 2, bins: 3, tokens_per_bin };
        let one = sequence(1).rope_table(4);
        assert_eq!(one, rope_table(5, 4));
        let three = sequence(3).rope_table(4);
        let positions = [0, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4];
        assert_eq!(three.len(), 4 * positions.len());
        for (angles, position) in three.chunks(4).zip(positions) {
            assert_eq!(angles, &one[4 * position..][..4]);
        }
    }
}
