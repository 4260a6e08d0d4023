//! Units hidden for whole trials: a unit is predicted from the others (co-smoothing).

use super::{Definition, Scheme};
use crate::{Holdout, Prompt, Regions};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(super) const SCHEME: Definition = Definition {
    name: "neuron",
    description: "each unit with some probability, in all bins",
    in_multi_task: true,
    prompt: Prompt(Scheme::Neuron),
    is_causal: false,
    ratio: None,
    draw,
};

pub(super) fn draw(holdout: &mut Holdout, _: &Regions, ratio: f64, rng: &mut ChaCha8Rng) {
    for trial in 0..holdout.trials() {
        for unit in 0..holdout.units() {
            if rng.random_bool(ratio) {
                holdout.hide_unit_in(trial, unit);
            }
        }
    }
    holdout.score_hidden();
}
