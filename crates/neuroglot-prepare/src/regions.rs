//! The regions of units, in one parcellation.

use std::collections::BTreeMap;

use neuroglot_regions::{Annotation, Atlas, Parcellation};

use crate::{Location, PrepareOptions};

/// Names the regions of a recording's units.
pub(crate) struct RegionNames<'a> {
    atlas: &'static Atlas,
    parcellation: Parcellation,
    annotation: Option<&'a Annotation>,
    /// Names that stand for numbers of the source.
    codes: &'a BTreeMap<i64, String>,
    /// Names that the tree has not, and how many units have them.
    unknown: BTreeMap<String, usize>,
    /// Regions of the numbers that were read as Allen ids; none where the tree has no such id.
    ids: BTreeMap<i64, Option<&'static str>>,
    /// Units with coordinates, and no volume to look them up in.
    without_annotation: usize,
    /// Units whose place is not said.
    without_location: usize,
}

/// Acronym of the part of the brain volume that is outside the brain.
const VOID: &str = "void";

impl<'a> RegionNames<'a> {
    pub(crate) fn new(options: &'a PrepareOptions, annotation: Option<&'a Annotation>) -> Self {
        Self {
            atlas: Atlas::allen(),
            parcellation: options.parcellation,
            annotation,
            codes: &options.region_codes,
            unknown: BTreeMap::new(),
            ids: BTreeMap::new(),
            without_annotation: 0,
            without_location: 0,
        }
    }

    /// Acronym of a unit's region. A name that the tree has not is kept as it is.
    pub(crate) fn name(&mut self, location: &Location) -> String {
        let named = match location {
            Location::Id(id) => self.codes.get(id).map(|name| crate::hdf5::location(name)),
            _ => None,
        };
        let region = match named.as_ref().unwrap_or(location) {
            Location::Acronym(name) if name.is_empty() => None,
            Location::Acronym(name) => match self.atlas.by_acronym(name) {
                Some(region) => Some(region),
                None => {
                    *self.unknown.entry(name.clone()).or_insert(0) += 1;
                    return name.clone();
                }
            },
            Location::Id(id) => {
                let region = self.atlas.by_id(*id);
                let named = region.map(|region| self.atlas.map(region, self.parcellation).acronym);
                self.ids.insert(*id, named);
                region
            }
            Location::Ccf(coordinates) => match self.annotation {
                Some(annotation) => annotation.at(*coordinates).and_then(|id| self.atlas.by_id(id)),
                None => {
                    self.without_annotation += 1;
                    None
                }
            },
            Location::Unknown => {
                self.without_location += 1;
                None
            }
        };
        region.map_or(VOID, |region| self.atlas.map(region, self.parcellation).acronym).to_owned()
    }

    /// What should be known about the names.
    ///
    /// # Errors
    /// Numbers that are no ids of the tree: they are codes of something else, and so may be those that happen to be ids.
    pub(crate) fn into_notes(self) -> Result<Vec<String>, String> {
        let mut notes = Vec::new();
        if !self.ids.is_empty() {
            let foreign: Vec<&i64> =
                self.ids.iter().filter(|(_, acronym)| acronym.is_none()).map(|(id, _)| id).collect();
            if !foreign.is_empty() {
                return Err(format!(
                    "the regions of the units are numbers, and {} are no ids of the Allen tree: if they are codes of \
                     something else, say of what with --region-codes {}=NAME,…, or name a column of the units with \
                     names of regions (--unit-region)",
                    shortened(foreign.iter().map(ToString::to_string)),
                    foreign[0]
                ));
            }
            let read = self.ids.iter().map(|(id, acronym)| format!("{id} → {}", acronym.unwrap_or(VOID)));
            notes.push(format!("regions are numbers, read as Allen ids: {}", shortened(read)));
        }
        if !self.unknown.is_empty() {
            let names: Vec<String> =
                self.unknown.iter().map(|(name, units)| format!("{name} (units: {units})")).collect();
            notes.push(format!("not in the Allen tree: {}; names are kept as they are", names.join(", ")));
        }
        if self.without_annotation > 0 {
            notes.push(format!(
                "units with coordinates and no region: {}; give --annotation annotation_25.nrrd to look them up",
                self.without_annotation
            ));
        }
        if self.without_location > 0 {
            notes.push(format!(
                "units without a location, and so without a region: {}",
                self.without_location
            ));
        }
        Ok(notes)
    }
}

/// The first few of a list, for a message.
fn shortened(texts: impl Iterator<Item = String>) -> String {
    const MOST: usize = 12;
    let texts: Vec<String> = texts.collect();
    let more = texts.len().saturating_sub(MOST);
    let first = texts[..texts.len() - more].join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ids: &[i64], codes: &[(i64, &str)]) -> Result<(Vec<String>, Vec<String>), String> {
        let region_codes = codes.iter().map(|(code, name)| (*code, (*name).to_owned())).collect();
        let options = PrepareOptions { region_codes, ..PrepareOptions::default() };
        let mut names = RegionNames::new(&options, None);
        let regions = ids.iter().map(|&id| names.name(&Location::Id(id))).collect();
        Ok((regions, names.into_notes()?))
    }

    #[test]
    fn numbers_are_said_to_be_read_as_ids() {
        // From the Allen tree: 1 is TMv, in Beryl TM, and 382 is CA1; negative ids are on the left.
        let (regions, notes) = names(&[1, -382, 0], &[]).unwrap();
        assert_eq!(regions, ["TM", "CA1", "void"]);
        assert_eq!(notes, ["regions are numbers, read as Allen ids: -382 → CA1, 0 → void, 1 → TM"]);
    }

    #[test]
    fn numbers_that_are_no_ids_are_an_error() {
        let message = names(&[1, 3_000_000, 2], &[]).unwrap_err();
        assert!(message.contains("3000000 are no ids") && message.contains("--region-codes"), "{message}");
    }

    #[test]
    fn codes_have_the_names_that_are_given() {
        let (regions, notes) =
            names(&[0, 1, 2, 3], &[(0, "CA1"), (1, "VISp"), (2, "M9"), (3, "unknown")]).unwrap();
        assert_eq!(regions, ["CA1", "VISp", "M9", "void"]);
        assert!(!notes.iter().any(|note| note.contains("Allen ids")), "{notes:?}");
    }
}
