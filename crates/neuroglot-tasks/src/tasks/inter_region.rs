//! Each region in turn from all others.

use super::{CaseGroup, Definition, PredictedFrom, too_few_regions};
use neuroglot_masks::{Holdout, Regions, Scheme};

pub(super) const TASK: Definition = Definition {
    name: "inter-region",
    title: "inter-region",
    description: "a whole region, one at a time; the units of all other regions are seen.",
    scheme: Scheme::InterRegion,
    predicted_from: PredictedFrom::OtherUnits,
    why_not: |regions| too_few_regions(regions, 2),
    cases,
};

fn cases(regions: &Regions, bins: usize) -> Vec<CaseGroup> {
    let of_region = |region: usize| {
        let mut hidden = Holdout::nothing(1, bins, regions.units());
        hidden.hide_units(|unit| regions.of_unit(unit) == Some(region)).score_hidden();
        hidden
    };
    let cases = (0..regions.names().len()).map(of_region).collect();
    vec![CaseGroup::listed(bins, regions.units(), cases)]
}
