//! Random numbers of the distributions that the simulator needs, equal on every machine.

use rand::{Rng, RngExt};

/// A number with a normal distribution, mean 0 and variance 1 (Box and Muller).
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    // 1 − u is never 0, of which there is no logarithm.
    let radius = (-2.0 * libm::log(1.0 - random.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * random.random::<f64>())
}

/// A spike count with a Poisson distribution, by adding up waiting times (Knuth).
pub(super) fn poisson(mean: f64, random: &mut impl Rng) -> u32 {
    // exp(−mean) would vanish for large means; counts of parts of the bin add up to that of the bin.
    const LARGEST: f64 = 30.0;
    let parts = (mean / LARGEST).ceil().max(1.0);
    let limit = libm::exp(-mean / parts);
    let mut count = 0;
    for _ in 0..parts as u32 {
        let mut product = random.random::<f64>();
        while product > limit {
            count += 1;
            product *= random.random::<f64>();
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn moments(draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = std::iter::repeat_with(draw).take(40_000).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        // Five standard errors of 40,000 draws.
        let (mean, variance) = moments(|| normal(&mut random));
        assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.036, "{mean} {variance}");
        for expected in [0.1, 3.0, 75.0] {
            let (mean, variance) = moments(|| poisson(expected, &mut random).into());
            assert!((mean - expected).abs() < 5.0 * (expected / 40_000.0_f64).sqrt(), "{expected}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.1, "{expected}: {variance}");
        }
        assert_eq!(poisson(0.0, &mut random), 0);
    }
}
