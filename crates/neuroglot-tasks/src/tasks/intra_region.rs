//! Each unit in turn from the other units of its region alone.

use super::{CaseGroup, Definition, PredictedFrom, too_few_regions};
use neuroglot_masks::{Holdout, Regions, Scheme};

pub(super) const TASK: Definition = Definition {
    name: "intra-region",
    title: "intra-region",
    description: "all other regions, and within the region one unit at a time; the region’s other units are seen.",
    scheme: Scheme::IntraRegion,
    predicted_from: PredictedFrom::OtherUnits,
    why_not: |regions| too_few_regions(regions, 1),
    cases,
};

fn cases(regions: &Regions, bins: usize) -> Vec<CaseGroup> {
    let of_region = |region: usize| {
        let mut outside = Holdout::nothing(1, bins, regions.units());
        outside.hide_units(|unit| regions.of_unit(unit) != Some(region));
        CaseGroup::units_in_turn(outside, regions.units_of(region))
    };
    (0..regions.names().len()).map(of_region).collect()
}
