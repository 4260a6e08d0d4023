//! The last tenth of the bins from those before.

use super::{CaseGroup, Definition, PredictedFrom};
use neuroglot_data::first_forward_bin;
use neuroglot_masks::{Holdout, Regions, Scheme};

pub(super) const TASK: Definition = Definition {
    name: "forward",
    title: "forward prediction",
    description: "the last tenth of the bins, of all units; the bins before are seen.",
    scheme: Scheme::Causal,
    predicted_from: PredictedFrom::ThePast,
    why_not: |_| None,
    cases,
};

fn cases(regions: &Regions, bins: usize) -> Vec<CaseGroup> {
    let mut future = Holdout::nothing(1, bins, regions.units());
    future.hide_bins(|bin| bin >= first_forward_bin(bins)).score_hidden();
    vec![CaseGroup::listed(bins, regions.units(), vec![future])]
}
