//! What an operation costs at least, by its shapes.

use crate::Slot;
use std::ops::Add;

/// Bytes that an operation must read or write, and multiply-adds of its products. Each operation in [`crate::ops`] says
/// its own; what stands around products, such as a GELU, counts by its bytes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Bytes of the operands in the device's memory. Each counts once for being read and once for being written.
    pub bytes: u64,
    /// Products of two numbers that are added up.
    pub multiply_adds: u64,
    /// Those of the bytes that belong to slots of factors: half as many where a device keeps these in bf16.
    pub bytes_of_factors: u64,
}

impl Cost {
    /// Slots that are read or written, each once; one that is both is given twice.
    pub(crate) fn of_slots<const N: usize>(slots: [Slot; N]) -> Self {
        let bytes_of =
            |slots: &mut dyn Iterator<Item = &Slot>| Self::of_floats(slots.map(|s| s.len()).sum()).bytes;
        let bytes_of_factors = bytes_of(&mut slots.iter().filter(|slot| slot.is_factors()));
        Self { bytes: bytes_of(&mut slots.iter()), bytes_of_factors, ..Self::default() }
    }

    /// So many floats read or written.
    pub(crate) fn of_floats(floats: usize) -> Self {
        Self { bytes: (size_of::<f32>() * floats) as u64, ..Self::default() }
    }

    /// On a device that keeps factors in bf16.
    #[cfg(feature = "cuda")]
    pub(crate) fn with_rounded_factors(self) -> Self {
        Self { bytes: self.bytes - self.bytes_of_factors / 2, bytes_of_factors: 0, ..self }
    }

    /// And these products.
    pub(crate) fn with_multiply_adds(self, multiply_adds: usize) -> Self {
        Self { multiply_adds: self.multiply_adds + multiply_adds as u64, ..self }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            multiply_adds: self.multiply_adds + other.multiply_adds,
            bytes_of_factors: self.bytes_of_factors + other.bytes_of_factors,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::*;
    use crate::{AttentionRule, Cost, Dropout, MemoryPlan, Slot};

    /// Slots of these lengths.
    fn slots<const N: usize>(lengths: [usize; N]) -> [Slot; N] {
        let mut plan = MemoryPlan::new();
        lengths.map(|length| plan.slot(length))
    }

    #[track_caller]
    fn assert_cost(cost: Cost, floats: u64, multiply_adds: u64) {
        assert_eq!(cost, Cost { bytes: 4 * floats, multiply_adds, bytes_of_factors: 0 });
    }

    const DROPOUT: Dropout = Dropout { probability: 0.5, seed: 1, step: 1, site: 1 };

    #[test]
    #[cfg(feature = "cuda")]
    fn factors_are_half_as_long_where_they_are_rounded() {
        let mut plan = MemoryPlan::new();
        let (x, y, part) = (plan.slot(10), plan.factors(30), plan.factors(8).part(4, 4));
        let cost = Cost::of_slots([x, y]) + Cost::of_slots([part, x]);
        assert_eq!(cost, Cost { bytes: 4 * 54, multiply_adds: 0, bytes_of_factors: 4 * 34 });
        assert_eq!(cost.with_rounded_factors(), Cost { bytes: 4 * 20 + 2 * 34, ..Cost::default() });
    }

    #[test]
    fn a_linear_layer_reads_its_operands_and_writes_its_result() {
        // x [10, 3], W [4, 3], b [4], y [10, 4], and another [10, 4].
        let [x, weight, bias, y, other] = slots([30, 12, 4, 40, 40]);
        let (rows, inputs, outputs, then) = (10, 3, 4, Then::Nothing);
        let linear = Linear { rows, inputs, outputs, x, weight, bias, y, then };
        assert_cost(linear.cost(), 30 + 12 + 4 + 40, 120);
        let with = |then| Linear { then, ..linear }.cost();
        assert_cost(with(Then::Gelu { activated: other }), 126, 120);
        assert_cost(with(Then::Gelu { activated: Slot::default() }), 86, 120);
        assert_cost(with(Then::Residual { x: other, dropout: Some(DROPOUT) }), 126, 120);
        // A residual in place reads y before it writes it.
        assert_cost(with(Then::Residual { x: Slot::default(), dropout: None }), 126, 120);
    }

    #[test]
    fn the_gradient_of_a_linear_layer_is_two_products_and_one_where_it_is_frozen() {
        let [x, weight, y_gradient, x_gradient, weight_gradient, bias_gradient, z] =
            slots([30, 12, 40, 30, 12, 4, 30]);
        let backward = LinearBackward {
            rows: 10,
            inputs: 3,
            outputs: 4,
            x,
            weight,
            y_gradient,
            dropout: None,
            x_gradient,
            before: Before::Nothing,
            weight_gradient,
            bias_gradient,
        };
        assert_cost(backward.cost(), 30 + 12 + 40 + 30 + 12 + 4, 240);
        assert_cost(LinearBackward { before: Before::Gelu { z }, ..backward }.cost(), 158, 240);
        let nothing = Slot::default();
        let frozen = LinearBackward { weight_gradient: nothing, bias_gradient: nothing, ..backward };
        // x is of no use then, unless it says how the softsign slopes.
        assert_cost(frozen.cost(), 12 + 40 + 30, 120);
        assert_cost(LinearBackward { before: Before::Softsign, ..frozen }.cost(), 112, 120);
    }

    #[test]
    fn products_of_counts_and_of_composed_layers() {
        // 5 rows of 6 units, 2 outputs.
        let [x, weight, bias, y] = slots([30, 12, 2, 10]);
        let (rows, units, outputs) = (5, 6, 2);
        assert_cost(CountsLinear { rows, units, outputs, x, weight, bias, y }.cost(), 54, 60);
        let (z_gradient, weight_gradient, bias_gradient) = (y, weight, bias);
        let backward =
            CountsLinearBackward { rows, units, outputs, x, z_gradient, weight_gradient, bias_gradient };
        assert_cost(backward.cost(), 54, 60);

        // V [3, 6], c [3], U [2, 3], d [2]; W [6, 2], b [2].
        let [inner_weight, inner_bias, outer_weight, outer_bias, weight, bias] = slots([18, 3, 6, 2, 12, 2]);
        let (inputs, middle, outputs) = (6, 3, 2);
        let compose = Compose {
            inputs,
            middle,
            outputs,
            inner_weight,
            inner_bias,
            outer_weight,
            outer_bias,
            weight,
            bias,
        };
        // U·V and U·c.
        assert_cost(compose.cost(), 43, 2 * 3 * 6 + 2 * 3);
        let backward = ComposeBackward {
            forward: compose,
            weight_gradient: weight,
            bias_gradient: bias,
            inner_weight_gradient: inner_weight,
            inner_bias_gradient: inner_bias,
            outer_weight_gradient: outer_weight,
            outer_bias_gradient: outer_bias,
        };
        // dU = dW·Vᵀ + db·cᵀ, dV = Uᵀ·dW, dc = Uᵀ·db.
        let floats = 18 + 3 + 6 + 12 + 2 + 18 + 3 + 6 + 2;
        assert_cost(backward.cost(), floats, (36 + 6) + 36 + 6);
        let nothing = Slot::default();
        let frozen =
            ComposeBackward { outer_weight_gradient: nothing, outer_bias_gradient: nothing, ..backward };
        // V and c are needed for dU alone.
        assert_cost(frozen.cost(), floats - 8 - 21, 36 + 6);
    }

    #[test]
    fn an_attention_multiplies_allowed_pairs_alone() {
        let (batch, tokens, heads, head_width) = (2, 5, 3, 4);
        let [qkv, y, log_sums, qkv_gradient] = slots([360, 120, 30, 360]);
        let (dropout, y_dropout, first_sequence) = (None, None, 0);
        let shape = |rule| AttentionShape {
            batch,
            tokens,
            heads,
            head_width,
            rule,
            dropout,
            y_dropout,
            first_sequence,
        };
        let full = shape(AttentionRule::full());
        // Scores and weighted values: 2 products of 25 pairs, for 6 heads of width 4.
        let forward = Attention { shape: full, qkv, y, log_sums };
        assert_cost(forward.cost(), 510, 2 * 25 * 6 * 4);
        // Two prefix tokens see 5 keys each, then 3, 4 and 5.
        let causal = AttentionRule { prefix: 2, causal: true, ..AttentionRule::full() };
        assert_cost(Attention { shape: shape(causal), qkv, y, log_sums }.cost(), 510, 2 * 22 * 6 * 4);
        // Scores again, dV, dP, dQ and dK.
        let backward = AttentionBackward { forward, y_gradient: y, qkv_gradient };
        assert_cost(backward.cost(), 360 + 120 + 30 + 120 + 360, 5 * 25 * 6 * 4);
        // Queries and keys, two thirds, are read and written; a table of 2 pairs a token.
        let [table] = slots([20]);
        assert_cost(Rope { batch, tokens, heads, head_width, table, qkv, inverse: false }.cost(), 500, 0);
    }

    #[test]
    fn operations_without_products_cost_their_bytes() {
        let (rows, width) = (10, 3);
        let [x, y, gain, bias, statistics, one] = slots([30, 30, 3, 3, 20, 1]);
        let forward = LayerNorm { rows, width, x, gain, bias, y, statistics };
        assert_cost(forward.cost(), 86, 0);
        let backward = LayerNormBackward {
            forward,
            y_gradient: y,
            x_gradient: y,
            gain_gradient: gain,
            bias_gradient: bias,
        };
        // dx is added to.
        assert_cost(backward.cost(), 30 + 3 + 20 + 30 + 60 + 3 + 3, 0);
        let forward = ScaleNorm { rows, width, x, gain: one, y, statistics };
        assert_cost(forward.cost(), 81, 0);
        let backward = ScaleNormBackward { forward, y_gradient: y, x_gradient: y, gain_gradient: one };
        // So are the statistics.
        assert_cost(backward.cost(), 30 + 1 + 40 + 30 + 60 + 1, 0);

        let [indices, selected] = slots([4, 12]);
        let select = SelectRows { rows, width, selected: 4, x, indices, y: selected };
        assert_cost(select.cost(), 28, 0);
        assert_cost(select.backward_cost(), 4 + 12 + 30, 0);
        let part = |offset, len| AdamWPart { offset, len, step: 1 };
        let adamw = AdamW {
            parts: &[part(0, 10), part(20, 3)],
            values: x,
            gradients: x,
            first_moments: x,
            second_moments: x,
            update: Update { rate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.0 },
        };
        // All but the gradients are read and written.
        assert_cost(adamw.cost(), 7 * 13, 0);
    }

    #[test]
    fn trials_cost_what_is_read_of_their_table() {
        // 2 trials of 3 bins and 5 units in a table of 7: 15 bytes a trial are 4 floats. Places 2, units 2, bins 2, scored 1.
        let layout = MarkLayout::new(2, 3, 5, false);
        let [table, marks, columns, mean, deviation, x, y] = slots([28, layout.words(), 4, 5, 5, 24, 24]);
        let (trials, bins, units, has_entries) = (2, 3, 5, false);
        let of = MaskedTrials { trials, bins, units, table, format: CountFormat::U8, marks, has_entries };
        assert_cost(
            ShownCounts { of, columns, padding: 0.0, mean, deviation, x }.cost(),
            8 + 7 + 4 + 10 + 24,
            0,
        );
        let [loss] = slots([1]);
        let poisson = PoissonLoss { of, columns, log_rates: x, gradient: y, loss };
        assert_cost(poisson.cost(), 8 + 7 + 4 + 24 + 24 + 1, 0);
    }

    #[test]
    fn rows_cost_what_is_moved() {
        // 2 sequences of 3 bins, 4 wide.
        let (batch, bins_per_sequence, width) = (2, 3, 4);
        let [bins, positions, first, second, tokens] = slots([24, 12, 4, 4, 40]);
        let rows = TokenRows {
            batch,
            bins_per_sequence,
            width,
            bins,
            positions,
            first,
            second,
            tokens,
            dropout: Some(DROPOUT),
        };
        assert_cost(rows.cost(), 84, 0);
        assert_cost(TokenRows { dropout: None, ..rows }.backward_cost(), 84, 0);
        assert_cost(rows.backward_cost(), 124, 0);
        // The prefix is not read, and its gradient is written.
        let prefix = DropPrefix { batch, prefix: 2, bins_per_sequence, width, tokens, bins };
        assert_cost(prefix.cost(), 48, 0);
        assert_cost(prefix.backward_cost(), 64, 0);

        let [time, space, region, region_of_patch, y] = slots([12, 8, 4, 2, 24]);
        let (bins, patches, regions) = (3, 2, 1);
        let positions =
            PatchPositions { bins, patches, width, regions, time, space, region, region_of_patch, y };
        assert_cost(positions.cost(), 50, 0);
    }
}
