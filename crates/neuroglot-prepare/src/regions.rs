//! The regions of units, in one parcellation.

use std::collections::BTreeMap;

use neuroglot_regions::{Annotation, Atlas, Parcellation};

use crate::Location;

/// Names the regions of a recording's units.
pub(crate) struct RegionNames<'a> {
    atlas: &'static Atlas,
    parcellation: Parcellation,
    annotation: Option<&'a Annotation>,
    /// Names that the tree has not, and how many units have them.
    unknown: BTreeMap<String, usize>,
    /// Units with coordinates, and no volume to look them up in.
    without_annotation: usize,
    /// Units whose place is not said.
    without_location: usize,
}

/// Acronym of the part of the brain volume that is outside the brain.
const VOID: &str = "void";

impl<'a> RegionNames<'a> {
    pub(crate) fn new(parcellation: Parcellation, annotation: Option<&'a Annotation>) -> Self {
        Self {
            atlas: Atlas::allen(),
            parcellation,
            annotation,
            unknown: BTreeMap::new(),
            without_annotation: 0,
            without_location: 0,
        }
    }

    /// Acronym of a unit's region. A name that the tree has not is kept as it is.
    pub(crate) fn name(&mut self, location: &Location) -> String {
        let region = match location {
            Location::Acronym(name) if name.is_empty() => None,
            Location::Acronym(name) => match self.atlas.by_acronym(name) {
                Some(region) => Some(region),
                None => {
                    *self.unknown.entry(name.clone()).or_insert(0) += 1;
                    return name.clone();
                }
            },
            Location::Id(id) => match self.atlas.by_id(*id) {
                Some(region) => Some(region),
                None => {
                    *self.unknown.entry(format!("id {id}")).or_insert(0) += 1;
                    None
                }
            },
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
    pub(crate) fn into_notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.unknown.is_empty() {
            let names: Vec<String> =
                self.unknown.iter().map(|(name, units)| format!("{name} (units: {units})")).collect();
            notes.push(format!(
                "not in the Allen tree: {}; names are kept as they are, ids are no region",
                names.join(", ")
            ));
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
        notes
    }
}
