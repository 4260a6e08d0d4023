//! What is hidden in turn.

use neuroglot_masks::Holdout;
use std::collections::BTreeSet;
use std::ops::Range;

/// Cases of a task that hide the same entries, and each some more in turn. A case is a [`Holdout`] of one trial, the same for
/// every trial.
#[derive(Debug, Clone)]
pub struct CaseGroup {
    shared: Holdout,
    turns: Turns,
}

#[derive(Debug, Clone)]
enum Turns {
    Units(Vec<usize>),
    Listed(Vec<Holdout>),
}

impl CaseGroup {
    /// Each of some units in turn is hidden beside what is hidden in every case, and scored.
    pub fn units_in_turn(shared: Holdout, units: Vec<usize>) -> Self {
        Self { shared, turns: Turns::Units(units) }
    }

    /// These cases, in trials of so many bins and units.
    pub fn listed(bins: usize, units: usize, cases: Vec<Holdout>) -> Self {
        Self { shared: Holdout::nothing(1, bins, units), turns: Turns::Listed(cases) }
    }

    /// What is hidden in every case. It scores nothing.
    pub fn shared(&self) -> &Holdout {
        &self.shared
    }

    /// The units that are hidden and scored in turn, where each case hides a single unit beside what all hide.
    pub fn turns(&self) -> Option<&[usize]> {
        match &self.turns {
            Turns::Units(units) => Some(units),
            Turns::Listed(_) => None,
        }
    }

    /// Number of cases.
    pub fn count(&self) -> usize {
        match &self.turns {
            Turns::Units(units) => units.len(),
            Turns::Listed(cases) => cases.len(),
        }
    }

    /// The cases, in order.
    pub fn cases(&self) -> impl Iterator<Item = Holdout> {
        (0..self.count()).map(|index| match &self.turns {
            Turns::Units(units) => {
                let mut case = self.shared.clone();
                case.hide_units(|unit| unit == units[index]).score_units(|unit| unit == units[index]);
                case
            }
            Turns::Listed(cases) => cases[index].clone(),
        })
    }
}

/// A rectangle of entries: some units, in rising order, in some bins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredPart {
    /// Units of which something is scored.
    pub units: Vec<usize>,
    /// Bins in which something is scored.
    pub bins: Range<usize>,
}

impl ScoredPart {
    /// What lies in it of `values` `[trial, bin, unit]`, of so many bins and units.
    pub fn cut(&self, values: &[f32], bins: usize, units: usize) -> Vec<f32> {
        let rows = values.chunks(units).enumerate().filter(|(row, _)| self.bins.contains(&(row % bins)));
        rows.flat_map(|(_, row)| self.units.iter().map(|unit| row[*unit])).collect()
    }

    /// What is scored in any case of some groups.
    pub(super) fn of(groups: &[CaseGroup]) -> Self {
        let (mut units, mut bins) = (BTreeSet::new(), BTreeSet::new());
        for group in groups {
            match &group.turns {
                Turns::Units(turns) => {
                    units.extend(turns.iter().copied());
                    bins.extend(0..group.shared.bins());
                }
                Turns::Listed(cases) => {
                    for case in cases {
                        units.extend(case.units_scored());
                        let rows = case.scored().chunks(case.units().max(1)).enumerate();
                        bins.extend(rows.filter(|(_, row)| row.contains(&true)).map(|(bin, _)| bin));
                    }
                }
            }
        }
        let first = bins.first().copied().unwrap_or(0);
        let end = bins.last().map_or(first, |last| last + 1);
        Self { units: units.into_iter().collect(), bins: first..end }
    }
}
