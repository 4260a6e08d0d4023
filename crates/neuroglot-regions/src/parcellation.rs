//! How finely the brain is divided.

use crate::UnknownParcellation;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A division of the brain into structures of the Allen tree.
///
/// Written and read in lower case (`beryl`), read in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parcellation {
    /// Every structure of the tree (1,326 and `root`), such as cortical layers.
    Allen,
    /// 306 areas and nuclei, as the IBL reports recordings: neither layers nor subdivisions of nuclei.
    #[default]
    Beryl,
    /// 10 large divisions: isocortex, hippocampal formation, thalamus, …
    Cosmos,
    /// 321 structures of the Swanson flatmap.
    Swanson,
}

impl Parcellation {
    /// All of them, the finest first.
    pub const ALL: [Parcellation; 4] =
        [Parcellation::Allen, Parcellation::Beryl, Parcellation::Cosmos, Parcellation::Swanson];

    /// Those that are coarser than the tree, in the order of the table's columns.
    pub(crate) const COARSE: [Parcellation; 3] =
        [Parcellation::Beryl, Parcellation::Cosmos, Parcellation::Swanson];

    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Parcellation::Allen => "allen",
            Parcellation::Beryl => "beryl",
            Parcellation::Cosmos => "cosmos",
            Parcellation::Swanson => "swanson",
        }
    }
}

impl fmt::Display for Parcellation {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Parcellation {
    type Err = UnknownParcellation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Parcellation::ALL
            .into_iter()
            .find(|parcellation| parcellation.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownParcellation { name: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_in_any_case() {
        for parcellation in Parcellation::ALL {
            assert_eq!(parcellation.to_string().parse(), Ok(parcellation));
            assert_eq!(parcellation.to_string().to_uppercase().parse(), Ok(parcellation));
        }
        let error = "Brodmann".parse::<Parcellation>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no parcellation \"Brodmann\": write allen, beryl, cosmos or swanson"
        );
    }
}
