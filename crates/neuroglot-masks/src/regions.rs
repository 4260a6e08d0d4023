//! Which region and which patch each unit of a session lies in.

use neuroglot_regions::is_region;

/// The regions of one session, and the patches that the `random-token` mask hides.
///
/// Units labelled `root`, `void`, `unknown` or nothing lie in no region ([`is_region`]): they are never the target of a
/// region mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    names: Vec<String>,
    of_unit: Vec<Option<usize>>,
    patch_of_unit: Vec<usize>,
}

/// Units of a patch where nothing else is said, as published.
const PATCH: usize = 128;

impl Regions {
    /// Sorts the acronyms of all units into regions, in alphabetical order. Patches are of 128 units in order;
    /// `ModelConfig::regions` makes those of a model.
    pub fn new<'a>(acronyms: impl IntoIterator<Item = &'a str>) -> Self {
        let acronyms: Vec<&str> = acronyms.into_iter().collect();
        let mut names: Vec<String> =
            acronyms.iter().filter(|name| is_region(name)).map(|name| name.to_string()).collect();
        names.sort();
        names.dedup();
        let of_unit =
            acronyms.iter().map(|name| names.binary_search_by(|n| n.as_str().cmp(name)).ok()).collect();
        let patch_of_unit = (0..acronyms.len()).map(|unit| unit / PATCH).collect();
        Self { names, of_unit, patch_of_unit }
    }

    /// The same with other patches.
    ///
    /// # Panics
    /// Where there is not one patch for each unit.
    pub fn with_patches(mut self, patch_of_unit: impl IntoIterator<Item = usize>) -> Self {
        self.patch_of_unit = patch_of_unit.into_iter().collect();
        assert_eq!(self.patch_of_unit.len(), self.of_unit.len(), "one patch for each unit");
        self
    }

    /// The patch of each unit, counted from 0.
    pub fn patch_of_unit(&self) -> &[usize] {
        &self.patch_of_unit
    }

    /// Region acronyms, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.of_unit.len()
    }

    /// Index into [`Regions::names`] of a unit's region.
    pub fn of_unit(&self, unit: usize) -> Option<usize> {
        self.of_unit[unit]
    }

    /// The units of a region.
    pub fn units_of(&self, region: usize) -> Vec<usize> {
        (0..self.units()).filter(|unit| self.of_unit[*unit] == Some(region)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_outside_the_brain_have_no_region() {
        let regions = Regions::new(["PO", "CA1", "root", "PO", "void", ""]);
        assert_eq!(regions.names(), ["CA1", "PO"]);
        let of_unit: Vec<_> = (0..6).map(|unit| regions.of_unit(unit)).collect();
        assert_eq!(of_unit, [Some(1), Some(0), None, Some(1), None, None]);
        assert_eq!(regions.units_of(1), [0, 3]);
    }
}
