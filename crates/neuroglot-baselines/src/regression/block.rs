//! Tasks as regressions: which units are predicted together, and which of the others each of them sees.

use neuroglot_eval::{Task, TestTrials};
use neuroglot_fit::HiddenColumns;

/// Units predicted from the same covariates, of which each may see only some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
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
    /// The blocks of a task.
    pub fn of_task(task: Task, test: &TestTrials<'_>, units: usize) -> Vec<Self> {
        let all: Vec<usize> = (0..units).collect();
        let regions = test.regions();
        let inside = (0..regions.names().len()).map(|region| regions.units_of(region));
        match task {
            Task::CoSmoothing => vec![Self::each_hidden(all)],
            Task::IntraRegion => inside.map(Self::each_hidden).collect(),
            Task::InterRegion => {
                let hidden: Vec<Vec<usize>> = inside.collect();
                let of_region = |(region, units): (usize, &Vec<usize>)| vec![region; units.len()];
                let hidden_from = hidden.iter().enumerate().flat_map(of_region).collect();
                vec![Self { inputs: all, targets: hidden.concat(), hidden, hidden_from }]
            }
            Task::Forward => {
                vec![Self {
                    inputs: all.clone(),
                    hidden_from: vec![0; units],
                    targets: all,
                    hidden: vec![vec![]],
                }]
            }
        }
    }

    /// Each unit from the others.
    fn each_hidden(units: Vec<usize>) -> Self {
        let places = 0..units.len();
        let hidden = places.clone().map(|place| vec![place]).collect();
        Self { inputs: units.clone(), targets: units, hidden, hidden_from: places.collect() }
    }

    /// Covariates that are hidden from each target, of `per_unit` covariates a unit.
    pub fn hidden_from_targets(&self, per_unit: usize) -> HiddenColumns {
        let columns = |place: &usize| place * per_unit..(place + 1) * per_unit;
        let sets = self.hidden.iter().map(|places| places.iter().flat_map(columns).collect()).collect();
        HiddenColumns::new(sets, self.hidden_from.clone())
    }
}
