//! The worked example of Neural Latents Benchmark and BrainWideBench scores: four entries of two units.

use neuroglot_metrics::{bits_per_spike, mean_defined, poisson_d2};

const COUNTS: [u8; 8] = [0, 1, 2, 0, 1, 1, 0, 3];
const LOG_RATES: [f64; 8] = [-1.0, 0.1, 0.5, -0.3, 0.0, 0.2, -0.7, 0.9];

fn assert_close(found: Option<f64>, expected: f64) {
    let found = found.expect("the score is defined");
    assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
}

#[test]
fn bits_per_spike_pooled_and_averaged() {
    let score = bits_per_spike(&LOG_RATES, &COUNTS, 2);
    assert_close(score.pooled, 0.488198523);
    assert_close(score.mean(), 0.520387926);
}

#[test]
fn poisson_d2_averaged() {
    assert_close(mean_defined(&poisson_d2(&LOG_RATES, &COUNTS, 2)), 0.611344277);
}
