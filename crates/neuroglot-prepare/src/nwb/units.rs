//! `/units`: spikes of each unit, and where it was recorded.

use super::electrodes::Electrodes;
use super::{NwbOptions, observed};
use crate::hdf5::{Column, File, Group, Kind, Table, UnitTable, finish_units, location, named_places};
use crate::recording::rows;
use crate::{Location, PrepareError, RecordedUnit, Recording, SpikeStream};

/// Reads the units into `recording`, whose `eid` is set.
pub(super) fn read(file: &File, options: &NwbOptions, recording: &mut Recording) -> Result<(), PrepareError> {
    let Some(group) = units_group(file)? else {
        return Err(
            file.missing("/units", "it has no sorted spikes; choose a file with units, or sort it first")
        );
    };
    let table = Table::open(group, &["id", "spike_times_index"])?;
    let Some(times) = table.dataset("spike_times")? else {
        let cure = format!("it has: {}", table.names().join(", "));
        return Err(file.missing(format!("column spike_times in {}", table.path()), cure));
    };
    if times.list_length().is_none() {
        let cure = "its spikes cannot be told apart; leave the file out";
        return Err(file.field(times.path(), "has several values for each spike", cure));
    }
    let mut times = times.numbers()?;
    let mut ends = table.ends("spike_times", times.len())?;
    let of_units = ends.last().copied().unwrap_or(0);
    if of_units < times.len() {
        file.note(format!(
            "{} spikes are behind those of the last unit, belong to none and were left out",
            times.len() - of_units
        ));
        times.truncate(of_units);
    }
    put_in_order(&mut times, &mut ends, |note| file.note(note));

    recording.units = describe(file, options, &table, recording, ends.len())?;
    finish_units(file, &mut recording.units);
    recording.spikes = vec![SpikeStream::PerUnit { first_unit: 0, times, ends }];
    recording.observed = observed::read(file, &table, &recording.units)?;
    Ok(())
}

/// The table of units: `/units`, else a table with spike times of `/processing`, where some laboratories have it.
fn units_group(file: &File) -> Result<Option<Group<'_>>, PrepareError> {
    if let Some(group) = file.group("/units")? {
        return Ok(Some(group));
    }
    let Some(processing) = file.group("/processing")? else { return Ok(None) };
    let mut tables = Vec::new();
    for module in processing.members()?.groups {
        let Some(module) = processing.group(&module)? else { continue };
        for name in module.members()?.groups {
            let Some(group) = module.group(&name)? else { continue };
            if group.dataset("spike_times")?.is_some() {
                tables.push(group);
            }
        }
    }
    let chosen = tables.iter().position(|table| table.name().eq_ignore_ascii_case("units")).unwrap_or(0);
    if let Some(table) = tables.get(chosen) {
        let others: Vec<&str> = tables.iter().map(Group::path).filter(|path| *path != table.path()).collect();
        file.note(if others.is_empty() {
            format!("units are those of {}", table.path())
        } else {
            format!("units are those of {}, not of {}", table.path(), others.join(", "))
        });
    }
    Ok(tables.into_iter().nth(chosen))
}

/// Leaves out spikes of no time, and sorts those of each unit where they are not.
fn put_in_order(times: &mut Vec<f64>, ends: &mut [usize], mut note: impl FnMut(String)) {
    if times.iter().any(|time| !time.is_finite()) {
        let before = times.len();
        let mut kept = 0;
        let mut start = 0;
        for end in ends.iter_mut() {
            for spike in start..*end {
                if times[spike].is_finite() {
                    times[kept] = times[spike];
                    kept += 1;
                }
            }
            start = *end;
            *end = kept;
        }
        times.truncate(kept);
        note(format!("{} spikes have no time and were left out", before - kept));
    }
    let mut sorted = 0;
    for row in rows(ends) {
        let spikes = &mut times[row];
        if !spikes.is_sorted() {
            spikes.sort_by(f64::total_cmp);
            sorted += 1;
        }
    }
    if sorted > 0 {
        note(format!("the spikes of {sorted} units were not in order of time and were sorted"));
    }
}

/// What the tables say of each unit.
fn describe(
    file: &File,
    options: &NwbOptions,
    table: &Table<'_>,
    recording: &mut Recording,
    units: usize,
) -> Result<Vec<RecordedUnit>, PrepareError> {
    let Recording { eid, quality_unknown, .. } = recording;
    let columns = UnitTable::read(table, &options.units)?;
    quality_unknown.clone_from(&columns.quality_unknown);
    let mut described = columns.units(units);
    let ids = match file.noted(table.column("id"))? {
        Some(Column::Numbers(ids)) => ids,
        _ => Vec::new(),
    };
    let is_asked_for = options.coordinates || options.electrode_region.is_some();
    // What is asked for must be there.
    let electrodes = Electrodes::read(file, table, options);
    let electrodes = if is_asked_for { electrodes? } else { file.noted(electrodes)? };
    if options.coordinates && electrodes.is_none() {
        return Err(file.missing(
            "/general/extracellular_ephys/electrodes",
            "leave out --coordinates, to take names of regions",
        ));
    }
    let rows = match &electrodes {
        Some(electrodes) if table.has("electrodes") => {
            let rows = electrodes_of_units(file, table, electrodes.rows(), units).map(Some);
            if is_asked_for { rows? } else { file.noted(rows)? }.unwrap_or_default()
        }
        // Files of the Allen Institute have no region references, but the electrode's number.
        Some(electrodes) => described
            .iter()
            .map(|unit| unit.channel.and_then(|id| electrodes.row(id)).into_iter().collect())
            .collect(),
        None => Vec::new(),
    };
    let groups = file.noted(groups_of_units(table, units).map(Some))?.unwrap_or_default();
    let electrodes = electrodes.as_ref();
    for (number, unit) in described.iter_mut().enumerate() {
        let rows = rows.get(number).map_or(&[][..], Vec::as_slice);
        let group = groups.get(number).and_then(Option::as_ref);
        if unit.uuid.is_empty() {
            // Numbers of units start anew in every session.
            unit.uuid = format!("{eid}:{}", ids.get(number).copied().unwrap_or(number as f64));
        }
        let by_electrodes = electrodes.map(|electrodes| electrodes.location(rows));
        let locations = if options.coordinates {
            [None, by_electrodes, None]
        } else {
            // What says most of the unit itself goes first.
            [Some(unit.location.clone()), by_electrodes, group.map(|(_, location)| location.clone())]
        };
        let known = locations.into_iter().flatten().find(|location| *location != Location::Unknown);
        unit.location = known.unwrap_or(Location::Unknown);
        if unit.probe.is_empty() {
            let probe = group.map(|(name, _)| name.as_str()).or_else(|| electrodes?.probe(rows));
            unit.probe = probe.unwrap_or_default().to_owned();
        }
        unit.depth = unit.depth.or_else(|| electrodes?.depth(rows));
        unit.channel = unit.channel.or_else(|| electrodes?.channel(rows));
    }
    Ok(described)
}

/// What can be done where electrodes do not say where units are.
const OTHER_REGIONS: &str = "take regions from a column of the units with --unit-region";

/// Rows of the table of electrodes for each unit, from the region references `electrodes`: `[unit][electrode]`.
fn electrodes_of_units(
    file: &File,
    table: &Table<'_>,
    electrodes: usize,
    units: usize,
) -> Result<Vec<Vec<usize>>, PrepareError> {
    let Some(dataset) = table.dataset("electrodes")? else { return Ok(Vec::new()) };
    if dataset.kind() != Kind::Number {
        return Ok(Vec::new());
    }
    let values = dataset.integers()?;
    // Without an index each unit has one electrode, or as many as there are columns.
    let ends = if table.is_ragged("electrodes") {
        table.ends("electrodes", values.len())?
    } else if dataset.rows() == units as u64 || dataset.list_length() == Some(units as u64) {
        let columns = values.len().checked_div(units).unwrap_or(0);
        (1..=units).map(|unit| unit * columns).collect()
    } else {
        let problem = format!("has {} rows for {units} units", dataset.rows());
        return Err(file.field(dataset.path(), problem, OTHER_REGIONS));
    };
    let electrode = |row: &i64| {
        usize::try_from(*row).ok().filter(|row| *row < electrodes).ok_or_else(|| {
            let problem = format!("names electrode {row} of {electrodes}");
            file.field(dataset.path(), problem, OTHER_REGIONS)
        })
    };
    rows(&ends).map(|of_unit| values[of_unit].iter().map(electrode).collect()).collect()
}

/// Name and region of each unit's `electrode_group`, where it has one.
fn groups_of_units(table: &Table<'_>, units: usize) -> Result<Vec<Option<(String, Location)>>, PrepareError> {
    let Some(dataset) = table.dataset("electrode_group")? else { return Ok(Vec::new()) };
    if dataset.kind() != Kind::Reference || dataset.list_length() != Some(units as u64) {
        return Ok(Vec::new());
    }
    let group = |place: (String, Option<String>)| (place.0, location(&place.1.unwrap_or_default()));
    Ok(named_places(&dataset)?.into_iter().map(|place| place.map(group)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_of_no_time_are_left_out_and_the_rest_sorted() {
        let mut times = vec![1.0, f64::NAN, 2.0, 5.0, 4.0];
        let mut ends = vec![3, 3, 5];
        let mut notes = Vec::new();
        put_in_order(&mut times, &mut ends, |note| notes.push(note));
        assert_eq!(times, [1.0, 2.0, 4.0, 5.0]);
        assert_eq!(ends, [2, 2, 4]);
        assert_eq!(notes.len(), 2, "{notes:?}");
    }
}
