//! Units of one region hidden, and all other regions: a unit is predicted from the others of its region.

use super::{Definition, Scheme, neuron};
use crate::{Holdout, Prompt, Regions};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(super) const SCHEME: Definition = Definition {
    name: "intra-region",
    description: "all regions but one, and each of its units with some probability; those are scored",
    in_multi_task: true,
    prompt: Prompt(Scheme::IntraRegion),
    is_causal: false,
    ratio: None,
    draw,
};

fn draw(holdout: &mut Holdout, regions: &Regions, ratio: f64, rng: &mut ChaCha8Rng) {
    if regions.names().is_empty() {
        return neuron::draw(holdout, regions, ratio, rng);
    }
    let region = rng.random_range(0..regions.names().len());
    neuron::draw(holdout, regions, ratio, rng);
    let is_inside = |unit: usize| regions.of_unit(unit) == Some(region);
    holdout.score_units(is_inside).hide_units(|unit| !is_inside(unit));
}
