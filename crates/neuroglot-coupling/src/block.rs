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

    /// The same with no more inputs of each target than so many, those with the highest activity `[unit]` of those that it
    /// sees; 0 leaves all. Where whole regions are hidden, targets that see different units no longer share their inputs.
    pub(crate) fn with_most_inputs(self, most: usize, activity: &[f64]) -> Vec<Self> {
        if most == 0 || self.inputs.len() <= most {
            return vec![self];
        }
        let most_active = |mut units: Vec<usize>| {
            units.sort_by(|one, other| activity[*other].total_cmp(&activity[*one]));
            units.truncate(most);
            units.sort();
            units
        };
        if self.hidden.iter().all(|places| places.len() <= 1) {
            // Those that are inputs themselves see one unit less.
            let inputs = most_active(self.inputs.clone());
            let place_of = |place: &usize| inputs.binary_search(&self.inputs[*place]).ok();
            let hidden = self.hidden.iter().map(|places| places.iter().filter_map(place_of).collect());
            return vec![Self { hidden: hidden.collect(), inputs, ..self }];
        }
        let of_set = |(set, hidden): (usize, &Vec<usize>)| {
            let seen = (0..self.inputs.len()).filter(|place| !hidden.contains(place));
            let targets = self.targets.iter().zip(&self.hidden_from).filter(|(_, from)| **from == set);
            let targets: Vec<usize> = targets.map(|(target, _)| *target).collect();
            Self {
                inputs: most_active(seen.map(|place| self.inputs[place]).collect()),
                hidden: vec![Vec::new()],
                hidden_from: vec![0; targets.len()],
                targets,
            }
        };
        self.hidden.iter().enumerate().map(of_set).collect()
    }

    /// Covariates that are hidden from each target, of `per_unit` covariates a unit.
    pub fn hidden_from_targets(&self, per_unit: usize) -> HiddenColumns {
        let columns = |place: &usize| place * per_unit..(place + 1) * per_unit;
        let sets = self.hidden.iter().map(|places| places.iter().flat_map(columns).collect()).collect();
        HiddenColumns::new(sets, self.hidden_from.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units of regions A, B, A, B, of falling activity but for unit 3.
    fn blocks(task: Task, most: usize) -> Vec<Block> {
        let regions = Regions::new(["A", "B", "A", "B"]);
        let blocks = Block::of_task(task, &regions, 5).into_iter();
        blocks.flat_map(|block| block.with_most_inputs(most, &[4.0, 3.0, 2.0, 9.0])).collect()
    }

    #[test]
    fn the_most_active_units_that_a_target_sees_are_its_inputs() {
        let all = blocks(Task::CoSmoothing, 0);
        assert_eq!(all[0].inputs, [0, 1, 2, 3]);
        assert_eq!(blocks(Task::CoSmoothing, 4), all);

        let [block] = &blocks(Task::CoSmoothing, 2)[..] else { panic!("one block") };
        assert_eq!((&block.inputs[..], &block.targets[..]), (&[0, 3][..], &[0, 1, 2, 3][..]));
        // Two filters a unit: each input is hidden from itself, and nothing from the others.
        let hidden = block.hidden_from_targets(2);
        let hidden: Vec<&[usize]> = (0..4).map(|target| hidden.from_target(target)).collect();
        assert_eq!(hidden, [&[0, 1][..], &[], &[], &[2, 3]]);

        let found: Vec<(Vec<usize>, Vec<usize>)> =
            blocks(Task::InterRegion, 1).into_iter().map(|block| (block.inputs, block.targets)).collect();
        assert_eq!(found, [(vec![3], vec![0, 2]), (vec![0], vec![1, 3])]);
        let found: Vec<Vec<usize>> =
            blocks(Task::IntraRegion, 1).into_iter().map(|block| block.inputs).collect();
        assert_eq!(found, [[0], [3]]);
    }
}
