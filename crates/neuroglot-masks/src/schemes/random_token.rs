//! Patches of units hidden in single bins (the baseline, NDT2).

use super::{Definition, Scheme};
use crate::{Holdout, Prompt, Regions};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(super) const SCHEME: Definition = Definition {
    name: "random-token",
    description: "each patch of units in each bin with some probability",
    in_multi_task: false,
    prompt: Prompt(Scheme::Neuron),
    is_causal: false,
    ratio: None,
    draw,
};

fn draw(holdout: &mut Holdout, regions: &Regions, ratio: f64, rng: &mut ChaCha8Rng) {
    let patch_of_unit = regions.patch_of_unit();
    let patches = patch_of_unit.iter().max().map_or(0, |last| last + 1);
    let rows = holdout.trials() * holdout.bins();
    let is_hidden: Vec<bool> = (0..rows * patches).map(|_| rng.random_bool(ratio)).collect();
    let bins = holdout.bins();
    holdout.hide(|trial, bin, unit| is_hidden[(trial * bins + bin) * patches + patch_of_unit[unit]]);
    holdout.score_hidden();
}
