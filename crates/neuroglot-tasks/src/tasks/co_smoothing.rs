//! Each unit in turn from all others.

use super::{CaseGroup, Definition, PredictedFrom};
use neuroglot_masks::{Holdout, Regions, Scheme};

pub(super) const TASK: Definition = Definition {
    name: "co-smoothing",
    title: "co-smoothing",
    description: "one unit at a time, for the whole trial; all other units are seen.",
    scheme: Scheme::Neuron,
    predicted_from: PredictedFrom::OtherUnits,
    why_not: |_| None,
    cases,
};

fn cases(regions: &Regions, bins: usize) -> Vec<CaseGroup> {
    let nothing = Holdout::nothing(1, bins, regions.units());
    vec![CaseGroup::units_in_turn(nothing, (0..regions.units()).collect())]
}
