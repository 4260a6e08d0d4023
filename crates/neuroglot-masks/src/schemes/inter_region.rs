//! A region hidden whole: it is predicted from the other regions.

use super::{Definition, Scheme, neuron};
use crate::{Holdout, Prompt, Regions};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(super) const SCHEME: Definition = Definition {
    name: "inter-region",
    description: "all units of one region",
    in_multi_task: true,
    prompt: Prompt(Scheme::InterRegion),
    is_causal: false,
    ratio: None,
    draw,
};

fn draw(holdout: &mut Holdout, regions: &Regions, ratio: f64, rng: &mut ChaCha8Rng) {
    if regions.names().is_empty() {
        return neuron::draw(holdout, regions, ratio, rng);
    }
    let region = rng.random_range(0..regions.names().len());
    holdout.hide_units(|unit| regions.of_unit(unit) == Some(region)).score_hidden();
}
