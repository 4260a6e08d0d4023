//! Which animal was recorded, as far as it decides what names of regions mean.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The species of an animal. Regions are those of the Allen atlas of the mouse for mice alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Species {
    /// *Mus musculus*.
    Mouse,
    /// Another one, as the source calls it.
    Other(String),
    /// Not said.
    #[default]
    Unknown,
}

/// Number of *Mus musculus* in the taxonomy of the NCBI.
const MOUSE_TAXON: &str = "10090";

impl Species {
    /// The species that a source names: in Latin or English, by its number in the taxonomy of the NCBI or that number's
    /// address, in any case, with spaces or underscores.
    pub fn named(text: &str) -> Species {
        let text = text.trim();
        let lower = text.to_lowercase().replace('_', " ");
        // Enumerations are written as `Species.MUS_MUSCULUS`.
        let lower = lower.strip_prefix("species.").unwrap_or(&lower);
        let taxon = lower.rsplit(['/', ' ', ':', '=']).next().unwrap_or(lower);
        let is_mouse = lower == "mus musculus"
            || lower.starts_with("mus musculus ")
            || ["mouse", "mice", "house mouse", "lab mouse", "laboratory mouse", "m. musculus"]
                .contains(&lower)
            || lower.starts_with("mouse (")
            || (taxon == MOUSE_TAXON
                && (lower == MOUSE_TAXON || lower.contains("ncbi") || lower.contains("txid")));
        match lower {
            "" | "unknown" | "none" | "n/a" | "na" | "nan" | "unspecified" => Species::Unknown,
            _ if is_mouse => Species::Mouse,
            _ => Species::Other(text.to_owned()),
        }
    }
}

impl From<String> for Species {
    fn from(text: String) -> Species {
        Species::named(&text)
    }
}

impl From<Species> for String {
    fn from(species: Species) -> String {
        species.to_string()
    }
}

impl fmt::Display for Species {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Species::Mouse => "mouse",
            Species::Other(name) => name,
            Species::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mouse_has_many_names() {
        for name in [
            "Mus musculus",
            "mus_musculus",
            "MUS_MUSCULUS",
            "Species.MUS_MUSCULUS",
            "Mus musculus domesticus",
            "mouse",
            " House mouse ",
            "http://purl.obolibrary.org/obo/NCBITaxon_10090",
            "https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id=10090",
            "NCBITaxon:10090",
            "10090",
        ] {
            assert_eq!(Species::named(name), Species::Mouse, "{name}");
        }
    }

    #[test]
    fn others_keep_their_names_and_some_have_none() {
        for name in [
            "Macaca mulatta",
            "MACACA_MULATTA",
            "Microcebus murinus (mouse lemur)",
            "Rattus norvegicus",
            "9544",
        ] {
            assert_eq!(Species::named(name), Species::Other(name.to_owned()));
        }
        assert_eq!([" ", "Unknown", "n/a"].map(Species::named), [const { Species::Unknown }; 3]);
    }
}
