//! Electrodes: where a unit without a region of its own was recorded.

use std::collections::BTreeMap;

use super::NwbOptions;
use crate::hdf5::{Column, File, Purpose, Table, locations, numbers, texts};
use crate::{Location, PrepareError};

/// Extent of the Allen Common Coordinate Framework, µm: anterior to posterior, dorsal to ventral, left to right.
const CCF_EXTENT: [f64; 3] = [13_200.0, 8_000.0, 11_400.0];

/// The table of electrodes.
pub(super) struct Electrodes {
    rows: usize,
    ids: Option<Vec<f64>>,
    row_of_id: BTreeMap<i64, usize>,
    locations: Option<Vec<Location>>,
    coordinates: Option<[Vec<f64>; 3]>,
    depths: Option<Vec<f64>>,
    groups: Option<Vec<String>>,
}

impl Electrodes {
    /// Reads the table that the column `electrodes` of `units` has rows of, or else `/general/extracellular_ephys/electrodes`, if
    /// it is there.
    pub(super) fn read(
        file: &File,
        units: &Table<'_>,
        options: &NwbOptions,
    ) -> Result<Option<Electrodes>, PrepareError> {
        let of_units = match units.dataset("electrodes") {
            // Where the table that is referred to is not there, the standard says where it is.
            Ok(Some(electrodes)) => units.other_table(&electrodes).ok().flatten(),
            _ => None,
        };
        let table = match (of_units, file.group("/general/extracellular_ephys/electrodes")) {
            (Some(table), _) => table,
            (None, Ok(None)) => return Ok(None),
            (None, Ok(Some(group))) => Table::open(group, &["id", "group_name", "location"])?,
            (None, Err(error)) => return Err(error),
        };
        let regions = table.pick(
            options.electrode_region.as_deref(),
            &["location", "brain_area", "region"],
            Purpose::Region,
        )?;
        let regions = regions.map(|(name, column)| locations(&table, &name, column)).transpose()?;
        let column = |names: &[&str]| {
            let column = table.pick(None, names, Purpose::Other)?;
            Ok::<_, PrepareError>(column.map(|(_, column)| column))
        };
        let ids = column(&["id"])?.and_then(numbers);
        let mut coordinates = None;
        if options.coordinates {
            let axes = [
                column(&["anterior_posterior_ccf_coordinate", "x"])?,
                column(&["dorsal_ventral_ccf_coordinate", "y"])?,
                column(&["left_right_ccf_coordinate", "z"])?,
            ];
            let [Some(Column::Numbers(x)), Some(Column::Numbers(y)), Some(Column::Numbers(z))] = axes else {
                return Err(file.missing(
                    format!("columns x, y and z of numbers in {}", table.path()),
                    "take the names of regions, not coordinates",
                ));
            };
            coordinates = Some([x, y, z]);
        }
        let groups = column(&["group_name", "group"])?.map(texts);
        Ok(Some(Electrodes {
            // Every column that was read has this many values.
            rows: ids.as_ref().map(Vec::len).or(groups.as_ref().map(Vec::len)).unwrap_or(0),
            row_of_id: ids.iter().flatten().enumerate().map(|(row, &id)| (id as i64, row)).collect(),
            ids,
            locations: regions,
            coordinates,
            depths: column(&["rel_y", "probe_vertical_position"])?.and_then(numbers),
            groups,
        }))
    }

    /// Number of electrodes.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Row of the electrode of a number.
    pub(super) fn row(&self, id: i64) -> Option<usize> {
        self.row_of_id.get(&id).copied()
    }

    /// Where most of these electrodes are; of places with as many, the one of the first.
    pub(super) fn location(&self, electrodes: &[usize]) -> Location {
        if let Some([x, y, z]) = &self.coordinates {
            let place = electrodes.first().and_then(|&row| Some([*x.get(row)?, *y.get(row)?, *z.get(row)?]));
            return match place {
                Some(place) if place.iter().zip(CCF_EXTENT).all(|(&at, end)| at > 0.0 && at < end) => {
                    Location::Ccf(place)
                }
                _ => Location::Unknown,
            };
        }
        let Some(locations) = &self.locations else { return Location::Unknown };
        let mut best = (0, &Location::Unknown);
        for location in electrodes.iter().filter_map(|&row| locations.get(row)) {
            let count = electrodes.iter().filter(|&&row| locations.get(row) == Some(location)).count();
            if *location != Location::Unknown && count > best.0 {
                best = (count, location);
            }
        }
        best.1.clone()
    }

    /// Name of the group of the first of these electrodes.
    pub(super) fn probe(&self, electrodes: &[usize]) -> Option<&str> {
        Some(self.groups.as_ref()?.get(*electrodes.first()?)?.as_str()).filter(|name| !name.is_empty())
    }

    /// Depth of an electrode along its probe, µm; of several, none is known to be the unit's.
    pub(super) fn depth(&self, electrodes: &[usize]) -> Option<f64> {
        let [electrode] = electrodes else { return None };
        self.depths.as_ref()?.get(*electrode).copied().filter(|depth| depth.is_finite())
    }

    /// Number of an electrode; of several, none is known to be the unit's.
    pub(super) fn channel(&self, electrodes: &[usize]) -> Option<i64> {
        let [electrode] = electrodes else { return None };
        Some(*self.ids.as_ref()?.get(*electrode)? as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn electrodes(names: &[&str]) -> Electrodes {
        Electrodes {
            rows: names.len(),
            ids: None,
            row_of_id: BTreeMap::new(),
            locations: Some(names.iter().map(|name| crate::hdf5::location(name)).collect()),
            coordinates: None,
            depths: None,
            groups: None,
        }
    }

    #[test]
    fn a_unit_is_where_most_of_its_electrodes_are() {
        let table = electrodes(&["CA1", "VISp", "VISp", "unknown", "unknown", "unknown"]);
        assert_eq!(table.location(&[0, 1, 2, 3, 4, 5]), Location::Acronym("VISp".into()));
        assert_eq!(table.location(&[0, 1]), Location::Acronym("CA1".into()));
        assert_eq!(table.location(&[3]), Location::Unknown);
        assert_eq!(table.location(&[]), Location::Unknown);
    }

    #[test]
    fn coordinates_outside_the_atlas_are_no_place() {
        let mut table = electrodes(&["CA1", "CA1"]);
        table.coordinates = Some([vec![7000.0, -2.5], vec![2000.0, 1.0], vec![5700.0, 0.5]]);
        assert_eq!(table.location(&[0]), Location::Ccf([7000.0, 2000.0, 5700.0]));
        assert_eq!(table.location(&[1]), Location::Unknown);
    }
}
