//! Units of plain arrays.

use std::collections::{HashMap, HashSet};

use super::description::UnitLists;
use super::value::ArrayValue;
use crate::files::npy::NpyArray;
use crate::files::number::FileNumber;
use crate::{Location, PrepareError, RecordedUnit, TrialColumn, quality};

/// More units than any session has.
pub(super) const MAX_UNITS: usize = 1 << 17;

/// Units that cluster numbers alone may make; more have to be listed.
const MAX_IMPLIED: u32 = 1 << 14;

impl UnitLists {
    /// The units, all `found` of them.
    ///
    /// # Errors
    /// [`PrepareError`], if a list cannot be read, is not as long as there are units or contradicts its meaning.
    pub(super) fn units(&self, found: usize, eid: &str) -> Result<Vec<RecordedUnit>, PrepareError> {
        let uuids = match (&self.uuids, &self.ids) {
            (Some(list), _) => names(list, found)?,
            (None, Some(ids)) => of_units(ids.list_of_numbers::<i64>()?, found, ids)?
                .iter()
                .map(|id| format!("{eid}-{id}"))
                .collect(),
            (None, None) => (0..found).map(|unit| format!("{eid}-{unit}")).collect(),
        };
        if let Some(list) = self.uuids.as_ref().or(self.ids.as_ref()) {
            let mut seen = HashSet::new();
            if let Some(twice) = uuids.iter().find(|uuid| !seen.insert(uuid.as_str())) {
                return Err(list.wrong(format!("names {twice} twice"), "give every unit a name of its own"));
            }
        }
        let locations = self.locations(found)?;
        let numbers = |list: &Option<ArrayValue>| {
            let numbers = |list: &ArrayValue| of_units(list.list_of_numbers::<f64>()?, found, list);
            list.as_ref().map(numbers).transpose()
        };
        let (depths, channels) = (numbers(&self.depths)?, numbers(&self.channels)?);
        let mut whole_channels = vec![None; found];
        if let (Some(channels), Some(list)) = (channels, &self.channels) {
            for (place, channel) in whole_channels.iter_mut().zip(channels) {
                // NaN is a unit without a channel.
                if !channel.is_nan() && i64::from_float(channel).is_none() {
                    let problem = format!("holds {channel} where whole numbers are needed");
                    return Err(list.wrong(problem, "give channels by number"));
                }
                *place = (!channel.is_nan()).then_some(channel as i64);
            }
        }
        let good = match &self.good {
            Some(list) => of_units(qualities(list)?, found, list)?,
            None => vec![None; found],
        };
        let unit = |(unit, (uuid, location)): (usize, (String, Location))| RecordedUnit {
            uuid,
            location,
            probe: String::new(),
            depth: depths.as_ref().map(|depths| depths[unit]).filter(|depth| depth.is_finite()),
            channel: whole_channels[unit],
            good: good[unit],
        };
        Ok(uuids.into_iter().zip(locations).enumerate().map(unit).collect())
    }

    /// The name that a region is given by, or the coordinates where there is none.
    fn locations(&self, found: usize) -> Result<Vec<Location>, PrepareError> {
        let mut locations = match &self.coordinates {
            None => vec![Location::Unknown; found],
            Some(list) => {
                let NpyArray { shape, values } = list.numbers::<f64>()?;
                if shape != [found, 3] {
                    let problem = format!("has shape {shape:?}, expected [unit, 3] = [{found}, 3]");
                    return Err(
                        list.wrong(problem, "give three coordinates for each unit, µm in the Allen CCF")
                    );
                }
                let location = |at: &[f64]| {
                    if at.iter().all(|value| value.is_finite()) {
                        Location::Ccf([at[0], at[1], at[2]])
                    } else {
                        Location::Unknown
                    }
                };
                values.chunks_exact(3).map(location).collect()
            }
        };
        let Some(list) = &self.regions else { return Ok(locations) };
        let regions: Vec<Option<Location>> = match list.list()? {
            TrialColumn::Text(names) => {
                let named = |name: String| (!name.is_empty()).then_some(Location::Acronym(name));
                names.into_iter().map(named).collect()
            }
            TrialColumn::Numbers(_) => {
                list.list_of_numbers::<i64>()?.into_iter().map(|id| Some(Location::Id(id))).collect()
            }
        };
        for (location, region) in locations.iter_mut().zip(of_units(regions, found, list)?) {
            if let Some(region) = region {
                *location = region;
            }
        }
        Ok(locations)
    }

    /// The unit of each spike, and the number of units. Spikes whose cluster `ids` does not list get `None`.
    ///
    /// # Errors
    /// [`PrepareError`], if a cluster is no unit of the lists, or there are too many.
    pub(super) fn of_spikes(
        &self,
        spikes: &[i64],
        clusters: &ArrayValue,
    ) -> Result<(Vec<Option<u32>>, usize), PrepareError> {
        if let Some(list) = &self.ids {
            let ids = list.list_of_numbers::<i64>()?;
            if ids.len() > MAX_UNITS {
                return Err(list.wrong(format!("lists {} units", ids.len()), "list each cluster once"));
            }
            let units: HashMap<i64, u32> = ids.iter().zip(0u32..).map(|(&id, unit)| (id, unit)).collect();
            if units.len() < ids.len() {
                return Err(list.wrong("lists a cluster twice", "list each cluster once"));
            }
            return Ok((spikes.iter().map(|cluster| units.get(cluster).copied()).collect(), ids.len()));
        }
        let listed = self.listed()?;
        let limit = listed.map_or(MAX_IMPLIED, |(_, found)| found as u32);
        let mut largest = None;
        let mut units = Vec::with_capacity(spikes.len());
        for &cluster in spikes {
            let unit = u32::try_from(cluster).ok().filter(|&unit| unit < limit);
            let Some(unit) = unit else {
                let problem = match listed {
                    Some((list, found)) => {
                        format!("names cluster {cluster}, {} has {found} units, from 0", list.field())
                    }
                    None => format!("names cluster {cluster}"),
                };
                return Err(clusters.wrong(problem, "list the numbers of all clusters as units.ids"));
            };
            largest = largest.max(Some(unit));
            units.push(Some(unit));
        }
        let found = listed.map_or(largest.map_or(0, |largest| largest as usize + 1), |(_, found)| found);
        Ok((units, found))
    }

    /// A list that says how many units there are, and how many it says.
    fn listed(&self) -> Result<Option<(&ArrayValue, usize)>, PrepareError> {
        let UnitLists { ids: _, regions, coordinates, uuids, depths, channels, good, observed: _ } = self;
        let Some(list) = [regions, uuids, depths, channels, good, coordinates].into_iter().flatten().next()
        else {
            return Ok(None);
        };
        let shape = list.column()?.shape;
        let found = match coordinates {
            Some(coordinates) if std::ptr::eq(coordinates, list) => shape.first().copied().unwrap_or(1),
            _ => shape.iter().product(),
        };
        if found <= MAX_UNITS {
            Ok(Some((list, found)))
        } else {
            Err(list.wrong(format!("lists {found} units"), "give one value for each unit"))
        }
    }
}

/// Names of units; whole numbers are names too.
fn names(list: &ArrayValue, found: usize) -> Result<Vec<String>, PrepareError> {
    let names = match list.list()? {
        TrialColumn::Text(names) => names,
        TrialColumn::Numbers(_) => list.list_of_numbers::<i64>()?.iter().map(i64::to_string).collect(),
    };
    of_units(names, found, list)
}

/// Whether units are good: truth values, labels of the IBL (1 passes all criteria), or `good` in text, as Kilosort and
/// phy write it.
fn qualities(list: &ArrayValue) -> Result<Vec<Option<bool>>, PrepareError> {
    let verdict = match list.list()? {
        TrialColumn::Numbers(values) => quality::of_numbers(&values, &[]),
        TrialColumn::Text(words) => quality::of_words(&words, &[]),
    };
    let cure = "give truth values, `good` and other words, or shares of criteria of which 1 is good";
    verdict.map(|verdict| verdict.good).map_err(|problem| list.wrong(problem, cure))
}

/// A list with one value per unit.
fn of_units<T>(values: Vec<T>, found: usize, list: &ArrayValue) -> Result<Vec<T>, PrepareError> {
    if values.len() == found {
        Ok(values)
    } else {
        Err(list
            .wrong(format!("has {} values for {found} units", values.len()), "give one value for each unit"))
    }
}
