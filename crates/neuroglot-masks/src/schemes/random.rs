//! Single entries hidden.

use super::{Definition, Scheme};
use crate::{Holdout, Prompt, Regions};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(super) const SCHEME: Definition = Definition {
    name: "random",
    description: "each unit in each bin with some probability",
    in_multi_task: false,
    prompt: Prompt(Scheme::Neuron),
    is_causal: false,
    ratio: None,
    draw,
};

fn draw(holdout: &mut Holdout, _: &Regions, ratio: f64, rng: &mut ChaCha8Rng) {
    holdout.hide(|_, _, _| rng.random_bool(ratio)).score_hidden();
}
