//! Every operation on one device against another.

use crate::ops::*;
use crate::{AttentionRule, Device, Dropout, EngineError, MemoryPlan, Slot};

/// How far two devices are apart in an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The operation in words.
    pub operation: &'static str,
    /// Largest difference of a number, relative to the largest number of its array; infinite where one is not a
    /// number.
    pub largest: f64,
}

/// Runs every operation, forward and backward, on random inputs on both devices, whose arenas are overwritten.
///
/// # Errors
/// [`EngineError::OutOfMemory`] where a device has no room for some hundred kilobytes.
pub fn self_test(
    device: &mut dyn Device,
    reference: &mut dyn Device,
) -> Result<Vec<Difference>, EngineError> {
    let sizes = Sizes { sequences: 2, bins: 98, heads: 2, head_width: 32, units: 130 };
    cases(&sizes).iter().map(|case| case.compare(device, reference)).collect()
}

/// Sizes of the operations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub sequences: usize,
    pub bins: usize,
    pub heads: usize,
    /// Even.
    pub head_width: usize,
    pub units: usize,
}

type Work = Box<dyn Fn(&mut dyn Device, &[Slot])>;

/// One or more operations on slots.
pub(crate) struct Case {
    pub name: &'static str,
    /// What the first slots hold before.
    inputs: Vec<Vec<f32>>,
    /// Lengths of the slots behind them, which hold zeros before.
    outputs: Vec<usize>,
    /// Lengths of slots of factors behind all others, which nobody reads but the operations.
    factors: Vec<usize>,
    work: Work,
}

impl Case {
    fn new(
        name: &'static str,
        inputs: impl Into<Vec<Vec<f32>>>,
        outputs: impl Into<Vec<usize>>,
        work: impl Fn(&mut dyn Device, &[Slot]) + 'static,
    ) -> Self {
        let (inputs, outputs, factors) = (inputs.into(), outputs.into(), Vec::new());
        Self { name, inputs, outputs, factors, work: Box::new(work) }
    }

    fn with_factors(self, lengths: impl Into<Vec<usize>>) -> Self {
        Self { factors: lengths.into(), ..self }
    }

    /// What all slots hold afterwards, and the gaps between them, which must stay 0.
    pub fn run(&self, device: &mut dyn Device) -> Result<Vec<Vec<f32>>, EngineError> {
        const GAP: usize = 16;
        let mut plan = MemoryPlan::new();
        let lengths = self.inputs.iter().map(Vec::len).chain(self.outputs.iter().copied());
        let pairs: Vec<(Slot, Slot)> = lengths.map(|length| (plan.slot(length), plan.slot(GAP))).collect();
        let factors: Vec<Slot> = self.factors.iter().map(|length| plan.factors(*length)).collect();
        device.reserve(plan.floats())?;
        for (index, (slot, gap)) in pairs.iter().enumerate() {
            match self.inputs.get(index) {
                Some(values) => device.write(*slot, values),
                None => device.fill(*slot, 0.0),
            }
            device.fill(*gap, 0.0);
        }
        let slots: Vec<Slot> = pairs.iter().map(|(slot, _)| *slot).chain(factors).collect();
        (self.work)(device, &slots);
        let all = pairs.iter().flat_map(|(slot, gap)| [*slot, *gap]);
        Ok(all
            .map(|slot| {
                let mut values = vec![0.0; slot.len()];
                device.read(slot, &mut values);
                values
            })
            .collect())
    }

    /// Runs on both devices.
    pub fn compare(
        &self,
        device: &mut dyn Device,
        reference: &mut dyn Device,
    ) -> Result<Difference, EngineError> {
        let (got, expected) = (self.run(device)?, self.run(reference)?);
        let largest = got.iter().zip(&expected).map(|(got, expected)| difference(got, expected));
        Ok(Difference { operation: self.name, largest: largest.fold(0.0, f64::max) })
    }
}

/// Largest difference relative to the largest expected value; absolute where all are 0.
fn difference(got: &[f32], expected: &[f32]) -> f64 {
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(f64::from(v.abs())));
    let unit = if largest > 0.0 { largest } else { 1.0 };
    // Equal bits are equal, whatever they stand for: some slots hold words.
    let apart = |a: &f32, b: &f32| {
        if a.to_bits() == b.to_bits() { 0.0 } else { (f64::from(*a) - f64::from(*b)).abs() }
    };
    let differences = got.iter().zip(expected).map(|(a, b)| apart(a, b) / unit);
    // `f64::max` would leave out what is not a number.
    differences.fold(0.0, |m, d| if d.is_nan() { f64::INFINITY } else { f64::max(m, d) })
}

/// Random numbers from a linear congruence of 64 bits.
struct Draws(u64);

impl Draws {
    /// Between 0 and 1.
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Between −1 and 1.
    fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| 2.0 * self.unit() - 1.0).collect()
    }

    /// Arrays of [`Draws::values`].
    fn arrays<const N: usize>(&mut self, lengths: [usize; N]) -> [Vec<f32>; N] {
        lengths.map(|length| self.values(length))
    }

    /// Spike counts, mostly 0.
    fn counts(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (4.0 * self.unit() - 2.5).max(0.0).ceil()).collect()
    }
}

const DROPOUT: Dropout = Dropout { probability: 0.4, seed: 0x0123_4567_89AB_CDEF, step: 1_000, site: 3 };
const OTHER_SITE: Dropout = Dropout { site: 4, ..DROPOUT };

/// All operations in these sizes.
pub(crate) fn cases(sizes: &Sizes) -> Vec<Case> {
    let mut cases = Vec::new();
    linear_cases(sizes, &mut cases);
    count_cases(sizes, &mut cases);
    norm_cases(sizes, &mut cases);
    attention_cases(sizes, &mut cases);
    factor_cases(sizes, &mut cases);
    row_cases(sizes, &mut cases);
    training_cases(sizes, &mut cases);
    cases
}

/// The slot of a parameter's gradient, which is empty where the parameter is not trained.
fn wanted(trained: bool, slot: Slot) -> Slot {
    if trained { slot } else { Slot::default() }
}

fn linear_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(1);
    let rows = sizes.sequences * sizes.bins;
    let (inputs, outputs) = (sizes.heads * sizes.head_width, sizes.units);
    let (of_x, of_weight, of_y) = (rows * inputs, outputs * inputs, rows * outputs);
    let mut forward = |name, then: fn(&[Slot]) -> Then| {
        let arrays = draws.arrays([of_x, of_weight, outputs, of_y]);
        cases.push(Case::new(name, arrays, [of_y; 2], move |device, s| {
            let (x, weight, bias, y) = (s[0], s[1], s[2], s[4]);
            device.linear(&Linear { rows, inputs, outputs, x, weight, bias, y, then: then(s) });
        }));
    };
    forward("linear", |_| Then::Nothing);
    forward("linear, GELU", |s| Then::Gelu { activated: s[5] });
    forward("linear, GELU in place", |_| Then::Gelu { activated: Slot::default() });
    forward("linear, residual in place", |_| Then::Residual { x: Slot::default(), dropout: None });
    forward("linear, residual", |s| Then::Residual { x: s[3], dropout: None });
    forward("linear, dropout, residual", |s| Then::Residual { x: s[3], dropout: Some(DROPOUT) });

    let draws = &mut Draws(2);
    let mut backward = |name, dropout: Option<Dropout>, trained: bool, before: fn(&[Slot]) -> Before| {
        let arrays = draws.arrays([of_x, of_weight, of_y, of_x]);
        cases.push(Case::new(name, arrays, [of_x, of_weight, outputs], move |device, s| {
            device.linear_backward(&LinearBackward {
                rows,
                inputs,
                outputs,
                x: s[0],
                weight: s[1],
                y_gradient: s[2],
                dropout,
                x_gradient: s[4],
                before: before(s),
                weight_gradient: wanted(trained, s[5]),
                bias_gradient: wanted(trained, s[6]),
            });
        }));
    };
    backward("gradient of linear", None, true, |_| Before::Nothing);
    backward("gradient of linear, dropout, residual", Some(DROPOUT), true, |_| Before::Nothing);
    backward("gradient of GELU, linear", None, true, |s| Before::Gelu { z: s[3] });
    backward("gradient of softsign, linear", None, true, |_| Before::Softsign);
    backward("gradient of frozen linear, dropout", Some(DROPOUT), false, |_| Before::Nothing);
}

fn count_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(3);
    let rows = sizes.sequences * sizes.bins;
    let (units, outputs) = (sizes.units, sizes.heads * sizes.head_width);
    let arrays = [draws.counts(rows * units), draws.values(units * outputs), draws.values(outputs)];
    cases.push(Case::new("counts linear, softsign", arrays, [rows * outputs], move |device, s| {
        let (x, weight, bias, y) = (s[0], s[1], s[2], s[3]);
        device.counts_linear(&CountsLinear { rows, units, outputs, x, weight, bias, y });
    }));
    let arrays = [draws.counts(rows * units), draws.values(rows * outputs)];
    cases.push(Case::new(
        "gradient of counts linear",
        arrays,
        [units * outputs, outputs],
        move |device, s| {
            let (x, z_gradient, weight_gradient, bias_gradient) = (s[0], s[1], s[2], s[3]);
            device.counts_linear_backward(&CountsLinearBackward {
                rows,
                units,
                outputs,
                x,
                z_gradient,
                weight_gradient,
                bias_gradient,
            });
        },
    ));
    let (inputs, middle) = (units, sizes.bins);
    let arrays = draws.arrays([middle * inputs, middle, outputs * middle, outputs]);
    let compose = move |slots: [Slot; 6]| {
        let [inner_weight, inner_bias, outer_weight, outer_bias, weight, bias] = slots;
        Compose { inputs, middle, outputs, inner_weight, inner_bias, outer_weight, outer_bias, weight, bias }
    };
    cases.push(Case::new("composed layers", arrays, [inputs * outputs, outputs], move |device, s| {
        device.compose(&compose([0, 1, 2, 3, 4, 5].map(|i| s[i])));
    }));
    for (name, trained) in
        [("gradient of composed layers", true), ("gradient of a frozen outer layer", false)]
    {
        let arrays = draws.arrays([middle * inputs, middle, outputs * middle, inputs * outputs, outputs]);
        let lengths = [middle * inputs, middle, outputs * middle, outputs];
        cases.push(Case::new(name, arrays, lengths, move |device, s| {
            let nothing = Slot::default();
            device.compose_backward(&ComposeBackward {
                forward: compose([s[0], s[1], s[2], nothing, nothing, nothing]),
                weight_gradient: s[3],
                bias_gradient: s[4],
                inner_weight_gradient: s[5],
                inner_bias_gradient: s[6],
                outer_weight_gradient: wanted(trained, s[7]),
                outer_bias_gradient: wanted(trained, s[8]),
            });
        }));
    }
}

fn norm_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(4);
    let rows = sizes.sequences * sizes.bins;
    let width = sizes.units;
    let of_x = rows * width;
    let arrays = draws.arrays([of_x, width, width, of_x, of_x]);
    let lengths = [of_x, 2 * rows, width, width];
    cases.push(Case::new("LayerNorm and its gradient", arrays, lengths, move |device, s| {
        let (x, gain, bias, y, statistics) = (s[0], s[1], s[2], s[5], s[6]);
        let forward = LayerNorm { rows, width, x, gain, bias, y, statistics };
        device.layer_norm(&forward);
        device.layer_norm_backward(&LayerNormBackward {
            forward,
            y_gradient: s[3],
            x_gradient: s[4],
            gain_gradient: s[7],
            bias_gradient: s[8],
        });
    }));
    let arrays = draws.arrays([of_x, 1, of_x, of_x]);
    cases.push(Case::new("ScaleNorm and its gradient", arrays, [of_x, 2 * rows, 1], move |device, s| {
        let (x, gain, y, statistics) = (s[0], s[1], s[4], s[5]);
        let forward = ScaleNorm { rows, width, x, gain, y, statistics };
        device.scale_norm(&forward);
        device.scale_norm_backward(&ScaleNormBackward {
            forward,
            y_gradient: s[2],
            x_gradient: s[3],
            gain_gradient: s[6],
        });
    }));
}

fn attention_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(5);
    let Sizes { sequences: batch, heads, head_width, .. } = *sizes;
    let tokens = sizes.bins + 2;
    let hidden = batch * tokens * heads * head_width;
    let causal = AttentionRule { prefix: 2, tokens_per_bin: 1, used_per_bin: 1, causal: true };
    let patches = AttentionRule { prefix: 2, tokens_per_bin: 3, used_per_bin: 2, causal: true };
    let mut attention = |name, rule, dropout: Option<Dropout>| {
        // y is dropped where weights are, and behind sequences of its own number.
        let y_dropout = dropout.map(|_| OTHER_SITE);
        let shape = AttentionShape {
            batch,
            tokens,
            heads,
            head_width,
            rule,
            dropout,
            y_dropout,
            first_sequence: batch,
        };
        let lengths = [hidden, batch * heads * tokens, 3 * hidden];
        cases.push(Case::new(name, draws.arrays([3 * hidden, hidden]), lengths, move |device, s| {
            let (qkv, y_gradient, y, log_sums, qkv_gradient) = (s[0], s[1], s[2], s[3], s[4]);
            let forward = Attention { shape, qkv, y, log_sums };
            device.attention(&forward);
            device.attention_backward(&AttentionBackward { forward, y_gradient, qkv_gradient });
        }));
    };
    attention("attention and its gradient", AttentionRule::full(), None);
    attention("causal attention and its gradient", causal, Some(DROPOUT));
    attention("attention of patches and its gradient", patches, Some(DROPOUT));
    let unused = AttentionRule { causal: false, ..patches };
    attention("attention of unused patches and its gradient", unused, Some(DROPOUT));

    for (name, inverse) in [("rotary positions", false), ("gradient of rotary positions", true)] {
        let arrays = [rope_table(tokens, head_width), draws.values(3 * hidden)];
        cases.push(Case::new(name, arrays, [], move |device, s| {
            let (table, qkv) = (s[0], s[1]);
            device.rope(&Rope { batch, tokens, heads, head_width, table, qkv, inverse });
        }));
    }
}

/// Operations that hand each other factors of products: halves of a block of a transformer.
fn factor_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(8);
    let Sizes { sequences: batch, heads, head_width, .. } = *sizes;
    let (tokens, hidden) = (sizes.bins + 2, heads * head_width);
    let (rows, mlp) = (batch * tokens, 2 * hidden);
    let (of_x, of_mlp, of_qkv) = (rows * hidden, rows * mlp, rows * 3 * hidden);
    let plain = move |x, weight, bias, y| {
        let (inputs, outputs, then) = (hidden, hidden, Then::Nothing);
        Linear { rows, inputs, outputs, x, weight, bias, y, then }
    };
    let gradient = move |x, weight, y_gradient, x_gradient, [weight_gradient, bias_gradient]: [Slot; 2]| {
        let (inputs, outputs, dropout, before) = (hidden, hidden, None, Before::Nothing);
        LinearBackward {
            rows,
            inputs,
            outputs,
            x,
            weight,
            y_gradient,
            dropout,
            x_gradient,
            before,
            weight_gradient,
            bias_gradient,
        }
    };

    let lengths = [of_x, hidden, hidden, mlp * hidden, mlp, mlp * hidden, hidden, of_x];
    let outputs = [2 * rows, of_mlp, of_x, of_x, mlp * hidden, mlp, mlp * hidden, hidden];
    let work = move |device: &mut dyn Device, s: &[Slot]| {
        let [x, gain, bias, up, up_bias, down, down_bias, dy] = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| s[i]);
        let [statistics, z, y, dx, normed, activated, dz] = [8, 9, 10, 11, 16, 17, 18].map(|i| s[i]);
        device.layer_norm(&LayerNorm { rows, width: hidden, x, gain, bias, y: normed, statistics });
        let then = Then::Gelu { activated };
        device.linear(&Linear { outputs: mlp, then, ..plain(normed, up, up_bias, z) });
        let then = Then::Residual { x, dropout: Some(DROPOUT) };
        device.linear(&Linear { inputs: mlp, then, ..plain(activated, down, down_bias, y) });
        device.linear_backward(&LinearBackward {
            inputs: mlp,
            dropout: Some(DROPOUT),
            before: Before::Gelu { z },
            ..gradient(activated, down, dy, dz, [s[14], s[15]])
        });
        let up = gradient(normed, up, dz, dx, [s[12], s[13]]);
        device.linear_backward(&LinearBackward { outputs: mlp, ..up });
    };
    let case = Case::new("LayerNorm, MLP and their gradients", draws.arrays(lengths), outputs, work);
    cases.push(case.with_factors([of_x, of_mlp, of_mlp]));

    let rule = AttentionRule { prefix: 2, tokens_per_bin: 1, used_per_bin: 1, causal: true };
    let (dropout, y_dropout, first_sequence) = (Some(DROPOUT), Some(OTHER_SITE), 0);
    let shape = AttentionShape { batch, tokens, heads, head_width, rule, dropout, y_dropout, first_sequence };
    let lengths = [of_x, 1, 3 * hidden * hidden, 3 * hidden, hidden * hidden, hidden, of_x];
    let outputs = [
        2 * rows,
        of_qkv,
        batch * heads * tokens,
        of_x,
        of_x,
        of_x,
        3 * hidden * hidden,
        3 * hidden,
        hidden * hidden,
        hidden,
    ];
    let work = move |device: &mut dyn Device, s: &[Slot]| {
        let [x, gain, into, into_bias, out, out_bias, dy] = [0, 1, 2, 3, 4, 5, 6].map(|i| s[i]);
        let [statistics, qkv, log_sums, y, dattended, dx] = [7, 8, 9, 10, 11, 12].map(|i| s[i]);
        let [normed, attended, dqkv] = [17, 18, 19].map(|i| s[i]);
        device.scale_norm(&ScaleNorm { rows, width: hidden, x, gain, y: normed, statistics });
        device.linear(&Linear { outputs: 3 * hidden, ..plain(normed, into, into_bias, qkv) });
        let forward = Attention { shape, qkv, y: attended, log_sums };
        device.attention(&forward);
        device.linear(&plain(attended, out, out_bias, y));
        device.linear_backward(&gradient(attended, out, dy, dattended, [s[15], s[16]]));
        device.attention_backward(&AttentionBackward { forward, y_gradient: dattended, qkv_gradient: dqkv });
        let into = gradient(normed, into, dqkv, dx, [s[13], s[14]]);
        device.linear_backward(&LinearBackward { outputs: 3 * hidden, ..into });
    };
    let case =
        Case::new("ScaleNorm, attention of layers and gradients", draws.arrays(lengths), outputs, work);
    cases.push(case.with_factors([of_x, of_x, of_qkv]));
}

fn row_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(6);
    let Sizes { sequences: batch, bins: bins_per_sequence, .. } = *sizes;
    let width = sizes.heads * sizes.head_width;
    let (bins, tokens) = (batch * bins_per_sequence * width, batch * (bins_per_sequence + 2) * width);
    let of_positions = bins_per_sequence * width;
    for (name, dropout) in [("token rows and their gradient", None), ("token rows, dropout", Some(DROPOUT))] {
        let arrays = draws.arrays([bins, of_positions, width, width, tokens]);
        cases.push(Case::new(name, arrays, [tokens, bins, of_positions, width, width], move |device, s| {
            let op = |[bins, positions, first, second, tokens]: [Slot; 5]| TokenRows {
                batch,
                bins_per_sequence,
                width,
                bins,
                positions,
                first,
                second,
                tokens,
                dropout,
            };
            device.token_rows(&op([0, 1, 2, 3, 5].map(|i| s[i])));
            device.token_rows_backward(&op([6, 7, 8, 9, 4].map(|i| s[i])));
        }));
    }
    let arrays = draws.arrays([tokens, bins]);
    cases.push(Case::new("prefix dropped and its gradient", arrays, [bins, tokens], move |device, s| {
        let op = DropPrefix { batch, prefix: 2, bins_per_sequence, width, tokens: s[0], bins: s[2] };
        device.drop_prefix(&op);
        device.drop_prefix_backward(&DropPrefix { tokens: s[3], bins: s[1], ..op });
    }));
    let patches = 3;
    for (name, regions) in [("patch positions and their gradient", 0), ("patch positions with regions", 4)] {
        // The first and the last patch share a region, and two regions have no patch.
        let of_patch = if regions == 0 { vec![] } else { vec![2.0, 0.0, 2.0] };
        let of_places = [of_positions, patches * width, regions * width];
        let [time, space, region, y_gradient] =
            draws.arrays([of_places[0], of_places[1], of_places[2], patches * of_positions]);
        let arrays = [time, space, region, of_patch, y_gradient];
        let lengths = [&[patches * of_positions], &of_places[..]].concat();
        cases.push(Case::new(name, arrays, lengths, move |device, s| {
            let op = |[time, space, region, y]: [Slot; 4]| {
                let (bins, region_of_patch) = (bins_per_sequence, s[3]);
                PatchPositions { bins, patches, width, regions, time, space, region, region_of_patch, y }
            };
            device.patch_positions(&op([0, 1, 2, 5].map(|i| s[i])));
            device.patch_positions_backward(&op([6, 7, 8, 4].map(|i| s[i])));
        }));
    }
    // Every second row from the last on, then a number that selects nothing.
    let rows = sizes.units;
    let mut indices: Vec<f32> = (0..rows).rev().step_by(2).map(|row| row as f32).collect();
    indices.push(rows as f32);
    let selected = indices.len();
    let arrays = [draws.values(rows * width), indices, draws.values(selected * width)];
    let lengths = [selected * width, rows * width];
    cases.push(Case::new("rows selected and their gradient", arrays, lengths, move |device, s| {
        let op = SelectRows { rows, width, selected, x: s[0], indices: s[1], y: s[3] };
        device.select_rows(&op);
        device.select_rows_backward(&SelectRows { x: s[4], y: s[2], ..op });
    }));
}

/// Inputs and loss of trials in every format and order, with and without single entries hidden, of all units and of some.
fn masked_trial_cases(sizes: &Sizes, draws: &mut Draws, cases: &mut Vec<Case>) {
    let Sizes { sequences: trials, bins, units, .. } = *sizes;
    let in_order = Vec::new();
    let some: Vec<f32> = (0..=units).rev().step_by(3).map(|unit| unit as f32).collect();
    for (name, format, has_entries, columns, largest) in [
        ("shown counts and Poisson loss, bytes", CountFormat::U8, false, &in_order, 200.0),
        ("shown counts and Poisson loss, some units", CountFormat::U16, true, &some, 60_000.0),
        ("shown counts and Poisson loss, floats", CountFormat::F32, true, &in_order, 1e6),
    ] {
        let mut counts = draws.counts(trials * bins * units);
        counts[0] = largest;
        let floats = format.floats(bins * units);
        let mut table = vec![0.0; trials * floats];
        let of_trials = counts.chunks(bins * units).zip(table.chunks_mut(floats));
        of_trials.for_each(|(counts, table)| format.pack(counts, table));
        let layout = MarkLayout::new(trials, bins, units, has_entries);
        // The trials from the last to the first, every other one reversed.
        let places = (0..trials as u32).rev().map(|place| place | ((place % 2) * MarkLayout::REVERSED));
        // Bits behind a row's end are read by nobody.
        let words = (layout.places..layout.words()).map(|_| (draws.unit() * u32::MAX as f32) as u32);
        let marks: Vec<f32> = places.chain(words).map(f32::from_bits).collect();
        let width = if columns.is_empty() { units } else { columns.len() };
        let length = trials * bins * width;
        let deviation = draws.values(units).into_iter().map(|value| 1.5 + value).collect();
        let arrays = [table, marks, columns.clone(), draws.values(units), deviation, draws.values(length)];
        let lengths = [length, length, length, 1];
        cases.push(Case::new(name, arrays, lengths, move |device, s| {
            let (table, marks, columns, nothing) = (s[0], s[1], s[2], Slot::default());
            let of = MaskedTrials { trials, bins, units, table, format, marks, has_entries };
            let (mean, deviation, log_rates) = (s[3], s[4], s[5]);
            let plain =
                ShownCounts { of, columns, padding: -1.0, mean: nothing, deviation: nothing, x: s[6] };
            device.shown_counts(&plain);
            device.shown_counts(&ShownCounts { mean, deviation, x: s[7], ..plain });
            device.poisson_loss(&PoissonLoss { of, columns, log_rates, gradient: s[8], loss: s[9] });
        }));
    }
}

fn training_cases(sizes: &Sizes, cases: &mut Vec<Case>) {
    let draws = &mut Draws(7);
    let length = sizes.sequences * sizes.bins * sizes.units;
    masked_trial_cases(sizes, draws, cases);
    let mut arrays = draws.arrays([length; 4]);
    arrays[3].iter_mut().for_each(|second_moment| *second_moment = second_moment.abs());
    // Five parts, of which each has taken another number of steps, and a gap.
    let cut = |place: usize| place * length / 6;
    let parts = (0..6usize).filter(|place| *place != 1).map(move |place| AdamWPart {
        offset: cut(place),
        len: cut(place + 1) - cut(place),
        step: 1 + 3 * place as u64,
    });
    let parts: Vec<AdamWPart> = parts.collect();
    cases.push(Case::new("AdamW", arrays, [], move |device, s| {
        device.adamw(&AdamW {
            parts: &parts,
            values: s[0],
            gradients: s[1],
            first_moments: s[2],
            second_moments: s[3],
            update: Update { rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 },
        });
    }));
    cases.push(Case::new("fill and copy", [draws.values(length)], [length; 2], |device, s| {
        device.copy(s[0], s[1]);
        device.fill(s[2], 0.25);
    }));
    cases.push(Case::new("one run added to another", draws.arrays([length; 2]), [], |device, s| {
        device.add(s[0], s[1]);
    }));
}
