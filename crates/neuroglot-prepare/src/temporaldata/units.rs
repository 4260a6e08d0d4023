//! `spikes` and `units`.

use super::TemporaldataOptions;
use crate::hdf5::{File, Purpose, Table, UnitTable, finish_units, texts};
use crate::{Location, PrepareError, RecordedUnit, Recording, SpikeStream};

/// What can be done about spikes that cannot be told apart.
const CONTRADICTS: &str = "its spikes cannot be told apart; download it again, or leave the file out";

/// Reads the units and their spikes into `recording`, whose `eid` is set.
pub(super) fn read(
    file: &File,
    options: &TemporaldataOptions,
    recording: &mut Recording,
) -> Result<(), PrepareError> {
    let Some(group) = file.group("units")? else {
        return Err(file.missing("group units", "it has no sorted units; choose a file with spikes of units"));
    };
    let fields = group.members()?.datasets;
    let keys: Vec<&str> =
        ["id", "unit_id", "unit_number"].into_iter().chain(fields.iter().map(String::as_str)).collect();
    let table = Table::open(group, &keys)?;
    let usual = ["id", "unit_id", "unit_name", "unit_number"];
    let names = table.pick(None, &usual, Purpose::Other)?.map(|(_, names)| texts(names));
    let columns = UnitTable::read(&table, &options.units)?;
    recording.quality_unknown.clone_from(&columns.quality_unknown);
    let units = match &names {
        Some(names) => names.len(),
        None => table
            .plain_names()?
            .first()
            .map_or(Ok(0), |name| table.column(name).map(|column| column.map_or(0, |column| column.len())))?,
    };
    recording.units = (0..units)
        .map(|unit| {
            let name = names.as_ref().and_then(|names| names.get(unit)).cloned();
            let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| unit.to_string());
            RecordedUnit {
                uuid: match columns.uuid(unit) {
                    Some(uuid) => uuid.to_owned(),
                    // Names of units start anew in every session.
                    None => format!("{}:{name}", recording.eid),
                },
                location: columns.location(unit).cloned().unwrap_or(Location::Unknown),
                probe: columns.probe(unit).unwrap_or_default().to_owned(),
                depth: columns.depth(unit),
                channel: columns.channel(unit),
                good: columns.good(unit),
            }
        })
        .collect();
    finish_units(file, &mut recording.units);
    recording.spikes = vec![spikes(file, units)?];
    Ok(())
}

fn spikes(file: &File, units: usize) -> Result<SpikeStream, PrepareError> {
    let (Some(timestamps), Some(index)) =
        (file.dataset("spikes/timestamps")?, file.dataset("spikes/unit_index")?)
    else {
        return Err(file.missing(
            "spikes.timestamps with spikes.unit_index",
            "choose a file with sorted spikes; threshold crossings without units are not read",
        ));
    };
    let mut times = timestamps.numbers()?;
    let indices = index.integers()?;
    if times.len() != indices.len() {
        let problem = format!("has {} values for {} spikes", indices.len(), times.len());
        return Err(file.field(index.path(), problem, CONTRADICTS));
    }
    let mut of_units = Vec::with_capacity(indices.len());
    for index_of_spike in indices {
        match u32::try_from(index_of_spike) {
            Ok(unit) if (unit as usize) < units => of_units.push(unit),
            _ => {
                let problem = format!("names unit {index_of_spike} of {units}");
                return Err(file.field(index.path(), problem, CONTRADICTS));
            }
        }
    }
    if !(times.iter().all(|time| time.is_finite()) && times.is_sorted()) {
        let before = times.len();
        let mut spikes: Vec<(f64, u32)> = times.into_iter().zip(of_units).collect();
        spikes.retain(|(time, _)| time.is_finite());
        spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
        file.note(format!(
            "spikes were not in order of time and were sorted; {} of no time were left out",
            before - spikes.len()
        ));
        (times, of_units) = spikes.into_iter().unzip();
    }
    Ok(SpikeStream::Interleaved { times, units: of_units })
}
