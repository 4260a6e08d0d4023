//! `spikes` and `units`.

use super::TemporaldataOptions;
use crate::hdf5::{File, Purpose, Table, UnitTable, finish_units, texts};
use crate::time_order::{Disorder, put_in_order};
use crate::{PrepareError, Recording, SpikeStream};

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
    recording.units = columns.units(units);
    for (number, unit) in recording.units.iter_mut().enumerate().filter(|(_, unit)| unit.uuid.is_empty()) {
        let name = names.as_ref().and_then(|names| names.get(number)).filter(|name| !name.is_empty());
        let name = name.cloned().unwrap_or_else(|| number.to_string());
        // Names of units start anew in every session.
        unit.uuid = format!("{}:{name}", recording.eid);
    }
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
    let Disorder { left_out, sorted } = put_in_order(&mut times, &mut of_units);
    if sorted || left_out > 0 {
        file.note(format!(
            "spikes were not in order of time and were sorted; {left_out} of no time were left out"
        ));
    }
    Ok(SpikeStream::Interleaved { times, units: of_units })
}
