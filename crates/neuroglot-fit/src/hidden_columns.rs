//! Which covariates are hidden from which target.

use faer::Mat;

/// Columns of the covariates that are hidden from each of some targets: their weights are 0, and the others are fitted
/// without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenColumns {
    sets: Vec<Vec<usize>>,
    set_of: Vec<usize>,
}

impl HiddenColumns {
    /// Of sets of columns that are hidden together, and which of the sets is hidden from each target, `[target]`.
    ///
    /// # Panics
    /// If a target names a set that there is not.
    pub fn new(sets: Vec<Vec<usize>>, set_of: Vec<usize>) -> Self {
        assert!(set_of.iter().all(|set| *set < sets.len()), "there are {} sets", sets.len());
        Self { sets, set_of }
    }

    /// Nothing is hidden from any of so many targets.
    pub fn none(targets: usize) -> Self {
        Self { sets: vec![Vec::new()], set_of: vec![0; targets] }
    }

    /// Number of targets.
    pub fn targets(&self) -> usize {
        self.set_of.len()
    }

    /// The columns that are hidden from a target.
    pub fn from_target(&self, target: usize) -> &[usize] {
        &self.sets[self.set_of[target]]
    }

    /// Sets of columns.
    pub(crate) fn sets(&self) -> &[Vec<usize>] {
        &self.sets
    }

    /// The targets from which a set is hidden.
    pub(crate) fn targets_of(&self, set: usize) -> Vec<usize> {
        (0..self.targets()).filter(|target| self.set_of[*target] == set).collect()
    }

    /// Puts 0 where a column is hidden, `[column, target]`.
    pub(crate) fn zero_in(&self, values: &mut Mat<f64>) {
        for target in 0..self.targets() {
            self.from_target(target).iter().for_each(|column| values[(*column, target)] = 0.0);
        }
    }
}
