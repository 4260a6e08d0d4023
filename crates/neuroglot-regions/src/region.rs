//! One structure of the tree.

use crate::Parcellation;

/// A structure of the Allen tree; the same one on both sides of the brain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The Allen id, not negative.
    pub id: i64,
    /// The acronym, such as `CA1`; unique in the tree.
    pub acronym: &'static str,
    /// The full name, such as "Field CA1".
    pub name: &'static str,
    /// The Allen atlas's colour: red, green, blue.
    pub colour: [u8; 3],
    /// Row of the parent in the table.
    pub(crate) parent: Option<u16>,
    /// Rows of the structures that this one is mapped to, in the order of [`Parcellation::COARSE`].
    pub(crate) targets: [u16; Parcellation::COARSE.len()],
}

impl Region {
    /// The colour as `#rrggbb`.
    pub fn hex(&self) -> String {
        let [red, green, blue] = self.colour;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Whether this is a part of the brain: `root` and `void` are not.
    pub fn is_region(&self) -> bool {
        is_region(self.acronym)
    }
}

/// Whether a label names a brain region: `root` (the whole brain), `void` (outside it), `unknown` and an empty label
/// do not, and units with such a label are never the target of a region mask.
///
/// Any other label does, whether the Allen tree has it or not: recordings of other species have regions too.
pub fn is_region(label: &str) -> bool {
    !label.is_empty() && !["root", "void", "unknown"].contains(&label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_no_region_are_the_four_that_recordings_use() {
        assert!(["root", "void", "unknown", ""].iter().all(|label| !is_region(label)));
        assert!(["CA1", "VISp2/3", "M1", "grey"].iter().all(|label| is_region(label)));
    }
}
