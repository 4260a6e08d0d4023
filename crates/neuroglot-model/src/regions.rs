//! Which region each unit of a session lies in.

/// The regions of one session.
///
/// Units labelled `root`, `void`, `unknown` or nothing lie in no region: they are never the target of a region mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    names: Vec<String>,
    of_unit: Vec<Option<usize>>,
}

impl Regions {
    /// Sorts the acronyms of all units into regions, in alphabetical order.
    pub fn new<'a>(acronyms: impl IntoIterator<Item = &'a str>) -> Self {
        let acronyms: Vec<&str> = acronyms.into_iter().collect();
        let mut names: Vec<String> =
            acronyms.iter().filter(|name| is_region(name)).map(|name| name.to_string()).collect();
        names.sort();
        names.dedup();
        let of_unit =
            acronyms.iter().map(|name| names.binary_search_by(|n| n.as_str().cmp(name)).ok()).collect();
        Self { names, of_unit }
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

fn is_region(name: &str) -> bool {
    !name.is_empty() && !["root", "void", "unknown"].contains(&name)
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
