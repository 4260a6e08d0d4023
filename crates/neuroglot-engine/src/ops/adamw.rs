//! The AdamW update of parameters.

use crate::cpu::parallel::{PIECE, simd};
use crate::{Cost, Slot};
use rayon::prelude::*;

/// The numbers of one optimiser step.
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

/// One AdamW step (Loshchilov and Hutter 2019) over parts of the parameters, in one pass.
///
/// With t the step counted from 1: θ ← θ·(1 − rate·decay); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
/// θ ← θ − rate · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε). β₁ may change from step to step; the correction uses the
/// present one.
#[derive(Debug, Clone, Copy)]
pub struct AdamW<'a> {
    /// θ of all parameters, changed in the parts.
    pub values: Slot,
    /// g, as long as θ, read.
    pub gradients: Slot,
    /// m, as long as θ, changed in the parts.
    pub first_moments: Slot,
    /// v, as long as θ, changed in the parts.
    pub second_moments: Slot,
    /// What is updated; parts do not overlap.
    pub parts: &'a [AdamWPart],
    /// Rate, β₁, β₂, ε and decay of this step.
    pub update: Update,
}

/// Parameters that have been updated equally often.
#[derive(Debug, Clone, Copy)]
pub struct AdamWPart {
    /// The first of them.
    pub offset: usize,
    /// How many they are.
    pub len: usize,
    /// t, counted from 1.
    pub step: u64,
}

/// The numbers of one step, worked out in f64.
pub(crate) struct AdamWFactors {
    /// 1 − rate·decay.
    pub keep: f32,
    /// rate / (1 − β₁ᵗ).
    pub rate: f32,
    pub beta1: f32,
    /// 1 − β₁.
    pub rest1: f32,
    pub beta2: f32,
    /// 1 − β₂.
    pub rest2: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub root: f32,
    pub epsilon: f32,
}

impl AdamW<'_> {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        // All but the gradients are read and written.
        Cost::of_floats(7 * self.parts.iter().map(|part| part.len).sum::<usize>())
    }

    pub(crate) fn factors(&self, step: u64) -> AdamWFactors {
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let Update { rate, beta1, beta2, epsilon, decay } = self.update;
        AdamWFactors {
            keep: (1.0 - rate * decay) as f32,
            rate: (rate / (1.0 - beta1.powi(step))) as f32,
            beta1: beta1 as f32,
            rest1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            rest2: (1.0 - beta2) as f32,
            root: (1.0 / (1.0 - beta2.powi(step)).sqrt()) as f32,
            epsilon: epsilon as f32,
        }
    }

    pub(crate) fn slots(&self) -> [Slot; 4] {
        [self.values, self.gradients, self.first_moments, self.second_moments]
    }

    pub(crate) fn run(&self, [values, gradients, first, second]: [&mut [f32]; 4]) {
        for part in self.parts {
            let range = part.offset..part.offset + part.len;
            let factors = self.factors(part.step);
            let moments = [&mut first[range.clone()], &mut second[range.clone()]];
            factors.update(&mut values[range.clone()], &gradients[range], moments);
        }
    }
}

impl AdamWFactors {
    fn update(&self, values: &mut [f32], gradients: &[f32], [first, second]: [&mut [f32]; 2]) {
        let Self { keep, rate, beta1, rest1, beta2, rest2, root, epsilon } = *self;
        let pieces = values.par_chunks_mut(PIECE).zip(gradients.par_chunks(PIECE));
        let pieces = pieces.zip(first.par_chunks_mut(PIECE)).zip(second.par_chunks_mut(PIECE));
        pieces.for_each(|(((values, gradients), first), second)| {
            simd(
                #[inline(always)]
                || {
                    let moments = first.iter_mut().zip(second.iter_mut());
                    for ((value, g), (m, v)) in values.iter_mut().zip(gradients).zip(moments) {
                        *m = beta1 * *m + rest1 * g;
                        *v = beta2 * *v + rest2 * g * g;
                        *value = *value * keep - rate * *m / (v.sqrt() * root + epsilon);
                    }
                },
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::{AdamW, AdamWPart, Update};
    use crate::{CpuDevice, Device, MemoryPlan};

    #[test]
    fn follows_the_formula_in_f64_over_steps_of_changing_rate_and_beta() {
        let len = 33;
        // Two parts, the second of which takes its first step later; what lies between them stays.
        let (first, second) = (0..20, 22..33);
        let mut plan = MemoryPlan::new();
        let [values, gradients, first_moments, second_moments] = [0; 4].map(|_| plan.slot(len));
        let mut device = CpuDevice::new(2).unwrap();
        device.reserve(plan.floats()).unwrap();
        let mut draw = crate::ops::gradient_check::uniform(-1.0, 1.0);
        let start: Vec<f32> = (0..len).map(|_| draw()).collect();
        device.write(values, &start);
        let mut theta: Vec<f64> = start.iter().map(|v| f64::from(*v)).collect();
        let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
        for step in 1..=20u64 {
            let g: Vec<f32> = (0..len).map(|_| draw()).collect();
            let (rate, beta1, beta2) = (0.01 * step as f64, 0.95 - 0.005 * step as f64, 0.999);
            let (epsilon, decay) = (1e-8, 0.01);
            device.write(gradients, &g);
            let parts = [(&first, step), (&second, step.saturating_sub(3))];
            let parts = parts.iter().filter(|(_, step)| *step > 0);
            let parts: Vec<AdamWPart> = parts
                .map(|(range, step)| AdamWPart { offset: range.start, len: range.len(), step: *step })
                .collect();
            device.adamw(&AdamW {
                values,
                gradients,
                first_moments,
                second_moments,
                parts: &parts,
                update: Update { rate, beta1, beta2, epsilon, decay },
            });
            for AdamWPart { offset, len, step } in parts {
                for i in offset..offset + len {
                    let g = f64::from(g[i]);
                    theta[i] *= 1.0 - rate * decay;
                    m[i] = beta1 * m[i] + (1.0 - beta1) * g;
                    v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
                    let corrected = m[i] / (1.0 - beta1.powi(step as i32));
                    theta[i] -=
                        rate * corrected / ((v[i] / (1.0 - beta2.powi(step as i32))).sqrt() + epsilon);
                }
            }
        }
        let mut got = vec![0.0; len];
        device.read(values, &mut got);
        for i in 0..len {
            assert!((f64::from(got[i]) - theta[i]).abs() < 1e-4, "{i}: {} not {}", got[i], theta[i]);
        }
        assert_eq!(got[20..22], start[20..22]);
    }
}
