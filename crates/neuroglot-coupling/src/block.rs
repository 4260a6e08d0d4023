//! Tasks as regressions: which units are predicted together, and which of the others each of them sees.

use neuroglot_fit::HiddenColumns;
use neuroglot_masks::Regions;
use neuroglot_tasks::{CaseGroup, PredictedFrom, Task};

/// Units predicted from the same covariates, of which each may see only some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Units whose activity makes covariates, ascending.
    pub inputs: Vec<usize>,
    /// Units predicted.
    pub targets: Vec<usize>,
    /// Sets of inputs that are hidden together, as places in `inputs`.
    pub hidden: Vec<Vec<usize>>,
    /// Which set is hidden from each target.
    pub hidden_from: Vec<usize>,
}

impl Block {
    /// The blocks of a task, one for each group of its cases.
    pub fn of_task(task: Task, regions: &Regions, bins: usize) -> Vec<Self> {
        task.cases(regions, bins).iter().map(|group| Self::of(group, task.predicted_from())).collect()
    }

    /// Units that are hidden in all cases are no inputs; those that a case hides beside them are hidden from what it scores.
    /// Where the future is hidden, all units are seen of the past.
    fn of(group: &CaseGroup, predicted_from: PredictedFrom) -> Self {
        let always_hidden = group.shared().units_hidden();
        let inputs: Vec<usize> =
            (0..group.shared().units()).filter(|unit| always_hidden.binary_search(unit).is_err()).collect();
        let mut block = Self { inputs, targets: Vec::new(), hidden: Vec::new(), hidden_from: Vec::new() };
        for (place, case) in group.cases().enumerate() {
            let hidden = match predicted_from {
                PredictedFrom::OtherUnits => case.units_hidden(),
                PredictedFrom::ThePast => Vec::new(),
            };
            block
                .hidden
                .push(hidden.iter().filter_map(|unit| block.inputs.binary_search(unit).ok()).collect());
            let targets = case.units_scored();
            block.hidden_from.extend(std::iter::repeat_n(place, targets.len()));
            block.targets.extend(targets);
        }
        block
    }

    /// Covariates that are hidden from each target, of `per_unit` covariates a unit.
    pub fn hidden_from_targets(&self, per_unit: usize) -> HiddenColumns {
        let columns = |place: &usize| place * per_unit..(place + 1) * per_unit;
        let sets = self.hidden.iter().map(|places| places.iter().flat_map(columns).collect()).collect();
        HiddenColumns::new(sets, self.hidden_from.clone())
    }
}
