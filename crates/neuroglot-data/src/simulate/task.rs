//! The task of the simulated animals: report the side of a grating by turning a wheel.

use rand::{Rng, RngExt};

/// Contrasts of the grating.
const CONTRASTS: [f64; 5] = [0.0, 0.0625, 0.125, 0.25, 1.0];

/// Fraction of trials in which the animal guesses.
const LAPSE: f64 = 0.1;

/// What happens in one trial.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    /// Probability of a left stimulus in this block of trials.
    pub block: f64,
    pub contrast_left: f64,
    pub contrast_right: f64,
    /// +1 reports left, −1 right.
    pub choice: f64,
    /// 1 if the choice is correct.
    pub reward: f64,
    /// From the stimulus to the movement, s.
    pub reaction_seconds: f64,
}

/// Draws the trials of a session.
///
/// An unbiased block comes first, then blocks in which left stimuli are rare (0.2) or frequent (0.8), in turn, as in the
/// task of the International Brain Laboratory (2021, eLife 10:e63711). Blocks are short, 20 to 39 trials, so that short
/// sessions have several. The choice is logistic in contrast and prior.
pub(super) fn draw_trials(trials: usize, random: &mut impl Rng) -> Vec<Trial> {
    let mut block = 0.5;
    let mut left_in_block = trials.div_ceil(8);
    let mut drawn = Vec::with_capacity(trials);
    for _ in 0..trials {
        if left_in_block == 0 {
            block = match block {
                0.2 => 0.8,
                0.8 => 0.2,
                _ if random.random_bool(0.5) => 0.2,
                _ => 0.8,
            };
            left_in_block = random.random_range(20..40);
        }
        left_in_block -= 1;
        drawn.push(draw_trial(block, random));
    }
    drawn
}

fn draw_trial(block: f64, random: &mut impl Rng) -> Trial {
    let side = if random.random_bool(block) { 1.0 } else { -1.0 };
    let contrast = CONTRASTS[random.random_range(0..CONTRASTS.len())];
    let evidence = 4.0 * side * contrast.sqrt() + libm::log(block / (1.0 - block));
    let left = LAPSE / 2.0 + (1.0 - LAPSE) / (1.0 + libm::exp(-evidence));
    let choice = if random.random_bool(left) { 1.0 } else { -1.0 };
    Trial {
        block,
        contrast_left: if side > 0.0 { contrast } else { 0.0 },
        contrast_right: if side < 0.0 { contrast } else { 0.0 },
        choice,
        reward: if choice == side { 1.0 } else { 0.0 },
        reaction_seconds: 0.1 + 0.15 * random.random::<f64>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn animals_follow_contrast_and_prior() {
        let trials = draw_trials(6000, &mut ChaCha8Rng::seed_from_u64(3));
        let fraction = |chosen: &dyn Fn(&Trial) -> bool, counted: &dyn Fn(&Trial) -> bool| {
            let chosen: Vec<_> = trials.iter().filter(|trial| chosen(trial)).collect();
            chosen.iter().filter(|trial| counted(trial)).count() as f64 / chosen.len() as f64
        };
        let left = |trial: &Trial| trial.choice == 1.0;
        assert!(fraction(&|t| t.contrast_left == 1.0, &left) > 0.9);
        assert!(fraction(&|t| t.contrast_right == 1.0, &left) < 0.1);
        let without_contrast =
            |block: f64| move |t: &Trial| t.contrast_left + t.contrast_right == 0.0 && t.block == block;
        assert!(fraction(&without_contrast(0.8), &left) > 0.65);
        assert!(fraction(&without_contrast(0.2), &left) < 0.35);
        let shown_left = |t: &Trial| t.contrast_left > 0.0;
        let shown = fraction(&|t| t.block == 0.8 && t.contrast_left + t.contrast_right > 0.0, &shown_left);
        assert!((shown - 0.8).abs() < 0.05, "{shown}");
        let correct = |t: &Trial| (t.choice == 1.0) == (t.contrast_left > 0.0);
        assert!(fraction(&|t| t.contrast_left + t.contrast_right > 0.0 && t.reward == 1.0, &correct) == 1.0);
        assert_eq!(fraction(&|t| t.block == 0.5, &|_| true), 1.0);
    }
}
