//! Bins hidden for all units (the baseline, NDT).

use super::{Definition, Scheme};
use crate::{Holdout, Prompt, Regions};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(super) const SCHEME: Definition = Definition {
    name: "temporal",
    description: "each bin with some probability, of all units",
    in_multi_task: false,
    prompt: Prompt(Scheme::Neuron),
    is_causal: false,
    ratio: None,
    draw,
};

pub(super) fn draw(holdout: &mut Holdout, _: &Regions, ratio: f64, rng: &mut ChaCha8Rng) {
    for trial in 0..holdout.trials() {
        for bin in 0..holdout.bins() {
            if rng.random_bool(ratio) {
                holdout.hide_bin_in(trial, bin);
            }
        }
    }
    holdout.score_hidden();
}
