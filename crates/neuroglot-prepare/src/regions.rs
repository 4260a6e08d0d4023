//! The regions of units, in one parcellation.

use std::collections::{BTreeMap, BTreeSet};

use neuroglot_data::Unit;
use neuroglot_regions::{Annotation, Atlas, Parcellation, Region};

use crate::{Location, PrepareOptions, RecordedUnit, Species};

/// Names the regions of a recording's units.
pub(crate) struct RegionNames<'a> {
    atlas: &'static Atlas,
    parcellation: Parcellation,
    annotation: Option<&'a Annotation>,
    /// Names that stand for numbers of the source.
    codes: &'a BTreeMap<i64, String>,
    /// Why names are the animal's own, not those of the Allen tree; `None` if they are.
    own: Option<String>,
    /// Whether names are taken for those of a mouse, and nothing says that it is one.
    assumed: bool,
    /// Names that were read as a structure of another acronym.
    read_as: BTreeMap<String, &'static str>,
    /// Structures larger than those of the parcellation, and how many units are in them.
    coarse: BTreeMap<&'static str, usize>,
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
    /// Names of regions are those of the mouse for mice alone: a macaque has a PMd of its own. Where the species is not said, one
    /// name that the tree has not says that the others are not of the tree either.
    pub(crate) fn new(
        options: &'a PrepareOptions,
        annotation: Option<&'a Annotation>,
        species: &Species,
        units: &[RecordedUnit],
    ) -> Self {
        let atlas = Atlas::allen();
        let names = units.iter().filter_map(|unit| match &unit.location {
            Location::Acronym(name) if !name.trim().is_empty() => Some(name),
            _ => None,
        });
        let own = match species {
            Species::Mouse => None,
            Species::Other(name) => Some(format!("the animal is no mouse ({name})")),
            Species::Unknown => names.clone().find(|name| atlas.find(name).is_none()).map(|name| {
                format!(
                    "the species is not said, and {name} is not in the Allen tree of the mouse (--species mouse maps the \
                     others)"
                )
            }),
        };
        Self {
            atlas,
            parcellation: options.parcellation,
            annotation,
            codes: &options.region_codes,
            assumed: *species == Species::Unknown && own.is_none() && names.count() > 0,
            own,
            read_as: BTreeMap::new(),
            coarse: BTreeMap::new(),
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
        let location = named.as_ref().unwrap_or(location);
        if self.own.is_some() {
            return match location {
                Location::Acronym(name) if !name.trim().is_empty() => name.trim().to_owned(),
                Location::Id(id) => id.to_string(),
                _ => VOID.to_owned(),
            };
        }
        let region = match location {
            Location::Acronym(name) if name.is_empty() => None,
            Location::Acronym(name) => match self.atlas.find(name) {
                Some(region) => {
                    if region.acronym != name.trim() {
                        self.read_as.insert(name.clone(), region.acronym);
                    }
                    Some(region)
                }
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
        let Some(region) = region else { return VOID.to_owned() };
        let mapped = self.atlas.map(region, self.parcellation);
        if !mapped.is_region() && self.atlas.is_divided(region, self.parcellation) {
            *self.coarse.entry(region.acronym).or_insert(0) += 1;
        }
        mapped.acronym.to_owned()
    }

    /// What should be known about structures that are larger than those of the parcellation.
    fn coarse_note(&self) -> Option<String> {
        let (listed, units) = self.coarse.iter().fold((Vec::new(), 0), |(mut listed, all), (name, units)| {
            listed.push(format!("{name} (units: {units})"));
            (listed, all + units)
        });
        let in_cosmos = |name: &&&str| {
            let region = self.atlas.by_acronym(name);
            region.is_some_and(|region| self.atlas.map(region, Parcellation::Cosmos).is_region())
        };
        let cure = match self.coarse.keys().all(|name| in_cosmos(&name)) {
            true => "--regions cosmos has them",
            false if self.coarse.keys().any(|name| in_cosmos(&name)) => {
                "--regions cosmos has most of them, --regions allen all"
            }
            false => "--regions allen has them",
        };
        (units > 0).then(|| {
            format!(
                "larger than the regions of {}, and so in no region (root): {}; {cure}",
                self.parcellation,
                listed.join(", ")
            )
        })
    }

    /// What should be known about the names.
    ///
    /// # Errors
    /// Numbers that are no ids of the tree: they are codes of something else, and so may be those that happen to be ids.
    pub(crate) fn into_notes(self) -> Result<Vec<String>, String> {
        let mut notes = Vec::new();
        if let Some(why) = &self.own {
            notes.push(format!("regions keep their own names: {why}"));
        }
        if self.assumed {
            notes.push(
                "the species is not said: names of regions are taken for those of the mouse (--species says otherwise)"
                    .to_owned(),
            );
        }
        if !self.read_as.is_empty() {
            let names: Vec<String> =
                self.read_as.iter().map(|(name, acronym)| format!("{name} → {acronym}")).collect();
            notes
                .push(format!("names of regions read as structures of the Allen tree: {}", names.join(", ")));
        }
        notes.extend(self.coarse_note());
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

/// What should be known about labels that are taken as they are: those that are larger than the regions of Beryl and hold
/// others, which a region mask would take for strangers.
pub(crate) fn note_on_labels(units: &[Unit]) -> Option<String> {
    let atlas = Atlas::allen();
    let labels: BTreeSet<&str> = units.iter().map(|unit| unit.region.as_str()).collect();
    let known: Vec<&Region> = labels.iter().filter_map(|label| atlas.by_acronym(label)).collect();
    // Labels of another animal are not of this tree.
    if known.len() < labels.len() {
        return None;
    }
    let holding = known.iter().filter_map(|&whole| {
        let held: Vec<&str> = (known.iter())
            .filter(|&&part| whole.is_region() && part != whole && atlas.is_within(part, whole))
            .map(|part| part.acronym)
            .collect();
        (!held.is_empty()).then(|| format!("{} holds {}", whole.acronym, held.join(", ")))
    });
    let holding: Vec<String> = holding.collect();
    (!holding.is_empty()).then(|| {
        format!("regions are of several levels, which models take for different ones: {}", holding.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ids: &[i64], codes: &[(i64, &str)]) -> Result<(Vec<String>, Vec<String>), String> {
        let region_codes = codes.iter().map(|(code, name)| (*code, (*name).to_owned())).collect();
        let options = PrepareOptions { region_codes, ..PrepareOptions::default() };
        let mut names = RegionNames::new(&options, None, &Species::Mouse, &[]);
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
