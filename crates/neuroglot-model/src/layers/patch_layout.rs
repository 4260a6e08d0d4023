//! Which unit stands where in the patches of a bin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands in the places of a patch that units do not fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PatchTail {
    /// The inputs of the last units of the patch before, as published; [`PatchTail::Padding`] where there is none.
    #[default]
    Repeat,
    /// −1, which no count is.
    Padding,
}

impl std::fmt::Display for PatchTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PatchTail::Repeat => "repeat",
            PatchTail::Padding => "padding",
        })
    }
}

/// The input of a place without a unit.
pub(crate) const PADDING: f32 = -1.0;

/// Units of a session in patches: places `[patch, place in the patch]`, of which each unit has one.
///
/// What fills the tail of a patch is an input alone: no loss counts it, and no prediction is read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchLayout {
    size: usize,
    /// The place of each unit.
    places: Vec<usize>,
    /// The unit whose input stands in a place; `None` for padding.
    sources: Vec<Option<usize>>,
    /// The region acronym of each patch; empty where patches mix regions.
    regions: Vec<String>,
}

impl PatchLayout {
    /// Patches of `size` units in the order of the session, from the region acronym of each unit.
    ///
    /// With `by_region` no patch holds units of two regions: regions follow each other in alphabetical order, and
    /// each ends with a tail of its own.
    pub fn new(acronyms: &[impl AsRef<str>], size: usize, by_region: bool, tail: PatchTail) -> Self {
        let all: Vec<usize> = (0..acronyms.len()).collect();
        let mut layout = Self { size, places: vec![0; all.len()], sources: Vec::new(), regions: Vec::new() };
        if !by_region {
            layout.push(&all, tail);
            return layout;
        }
        let mut names: Vec<&str> = acronyms.iter().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let inside: Vec<usize> =
                all.iter().copied().filter(|unit| acronyms[*unit].as_ref() == name).collect();
            layout.push(&inside, tail);
            layout.regions.resize(layout.patches(), name.to_owned());
        }
        layout
    }

    /// Adds units in patches of their own.
    fn push(&mut self, units: &[usize], tail: PatchTail) {
        for unit in units {
            self.places[*unit] = self.sources.len();
            self.sources.push(Some(*unit));
        }
        let whole = units.len() / self.size * self.size;
        if whole == units.len() {
            return;
        }
        let missing = whole + self.size - units.len();
        if tail == PatchTail::Repeat && whole > 0 {
            self.sources.extend(units[whole - missing..whole].iter().map(|unit| Some(*unit)));
        } else {
            self.sources.extend(std::iter::repeat_n(None, missing));
        }
    }

    /// Units of a patch.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Patches of a bin.
    pub fn patches(&self) -> usize {
        self.sources.len() / self.size
    }

    /// The patch of each unit.
    pub fn patch_of_unit(&self) -> impl Iterator<Item = usize> {
        self.places.iter().map(|place| place / self.size)
    }

    /// The place of a unit in its patch.
    pub fn place_in_patch(&self, unit: usize) -> usize {
        self.places[unit] % self.size
    }

    /// The region acronym of each patch; empty where patches mix regions.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The unit whose input stands in each place, `[patch, place]`; `None` for padding.
    pub(crate) fn sources(&self) -> &[Option<usize>] {
        &self.sources
    }

    /// The unit that has each place as its own, `[patch, place]`.
    pub(crate) fn own_units(&self) -> Vec<Option<usize>> {
        let mut own = vec![None; self.sources.len()];
        self.places.iter().enumerate().for_each(|(unit, place)| own[*place] = Some(unit));
        own
    }

    /// Reads the values of some units, `[row, given unit]`, from `[row, patch, place]`.
    pub(crate) fn read(&self, places: &[f32], units: &[usize], values: &mut [f32]) {
        let rows = places.chunks_exact(self.sources.len()).zip(values.chunks_exact_mut(units.len()));
        for (places, values) in rows {
            for (unit, value) in units.iter().zip(values) {
                *value = places[self.places[*unit]];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs_of(layout: &PatchLayout, row: &[f32]) -> Vec<f32> {
        layout.sources().iter().map(|source| source.map_or(PADDING, |unit| row[unit])).collect()
    }

    #[test]
    fn the_last_patch_is_filled_from_the_end_of_the_one_before() {
        let row = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        let layout = PatchLayout::new(&["CA1"; 6], 4, false, PatchTail::Repeat);
        assert_eq!(inputs_of(&layout, &row), [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 12.0, 13.0]);
        let layout = PatchLayout::new(&["CA1"; 6], 4, false, PatchTail::Padding);
        assert_eq!(inputs_of(&layout, &row), [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, -1.0, -1.0]);
        // A first patch has none before it, and one that is full needs no filling.
        let layout = PatchLayout::new(&["CA1"; 3], 4, false, PatchTail::Repeat);
        assert_eq!(inputs_of(&layout, &row[..3]), [10.0, 11.0, 12.0, -1.0]);
        let layout = PatchLayout::new(&["CA1"; 6], 3, false, PatchTail::Repeat);
        assert_eq!((inputs_of(&layout, &row), layout.patches()), (row.to_vec(), 2));
    }

    #[test]
    fn by_region_no_patch_holds_units_of_two_regions() {
        let acronyms = ["PO", "CA1", "PO", "root", "PO", "CA1"];
        let layout = PatchLayout::new(&acronyms, 2, true, PatchTail::Repeat);
        assert_eq!(layout.regions(), ["CA1", "PO", "PO", "root"]);
        assert_eq!(layout.patch_of_unit().collect::<Vec<_>>(), [1, 0, 1, 3, 2, 0]);
        let row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        // CA1 is whole; the second patch of PO repeats the last unit of its first; root has no other.
        assert_eq!(inputs_of(&layout, &row), [1.0, 5.0, 0.0, 2.0, 4.0, 2.0, 3.0, -1.0]);
    }

    #[test]
    fn values_come_back_to_their_units_and_tails_hold_none() {
        let layout = PatchLayout::new(&["PO", "CA1", "PO", "CA1", "CA1"], 2, true, PatchTail::Repeat);
        let own = layout.own_units();
        assert_eq!(own, [Some(1), Some(3), Some(4), None, Some(0), Some(2)]);
        let places: Vec<f32> = (0..2)
            .flat_map(|row| own.iter().map(move |unit| unit.map_or(0.0, |unit| (5 * row + unit + 1) as f32)))
            .collect();
        let mut back = [0.0; 4];
        layout.read(&places, &[0, 4], &mut back);
        assert_eq!(back, [1.0, 5.0, 6.0, 10.0]);
    }
}
