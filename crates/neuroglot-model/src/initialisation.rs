//! How parameters start.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Weights of a linear layer, `[outputs, inputs]`: uniform within ± 1/√inputs, times `scale`.
pub(crate) fn linear_weight(rng: &mut ChaCha8Rng, inputs: usize, outputs: usize, scale: f64) -> Vec<f32> {
    let bound = 1.0 / (inputs as f64).sqrt();
    (0..inputs * outputs).map(|_| (rng.random_range(-bound..bound) * scale) as f32).collect()
}

/// Bias of a linear layer, `[outputs]`: uniform within ± 1/√inputs.
pub(crate) fn linear_bias(rng: &mut ChaCha8Rng, inputs: usize, outputs: usize) -> Vec<f32> {
    linear_weight(rng, inputs, outputs, 1.0).into_iter().take(outputs).collect()
}

/// Rows of an embedding, `[rows, width]`: standard normal.
pub(crate) fn embedding(rng: &mut ChaCha8Rng, rows: usize, width: usize) -> Vec<f32> {
    let normal = |_| <StandardNormal as Distribution<f32>>::sample(&StandardNormal, rng);
    (0..rows * width).map(normal).collect()
}
