//! When units were observed (`obs_intervals` of `/units`), and which times are invalid (`/intervals/invalid_times`).

use crate::hdf5::{File, Kind, Purpose, Table, numbers};
use crate::recording::rows;
use neuroglot_data::number::counted;

use crate::{Intervals, Observed, PrepareError, RecordedUnit};

/// What the file says of when it was recorded. `units` are those of the table of units.
pub(super) fn read(file: &File, table: &Table<'_>, units: &[RecordedUnit]) -> Result<Observed, PrepareError> {
    let of_units = file.noted(of_units(file, table, units.len()).map(Some))?.unwrap_or_default();
    let mut observed = Observed { units: of_units, ..Observed::default() };
    let invalid = file.noted(invalid_times(file).map(Some))?.unwrap_or_default();
    let (mut of_all, mut count) = (Vec::new(), 0);
    for Invalid { stretch, tags } in invalid {
        count += 1;
        let of_probe = |unit: &RecordedUnit| tags.iter().any(|tag| tag.eq_ignore_ascii_case(&unit.probe));
        let rest = Intervals::new([stretch]).complement();
        // A tag may name a probe: then the others were recorded.
        if !units.iter().any(of_probe) {
            of_all.push(stretch);
            continue;
        }
        observed.units.resize(units.len(), None);
        for (unit, own) in units.iter().zip(&mut observed.units) {
            if of_probe(unit) {
                *own = Some(own.take().map_or_else(|| rest.clone(), |own| own.intersection(&rest)));
            }
        }
    }
    if !of_all.is_empty() {
        observed.recording = Some(Intervals::new(of_all).complement());
    }
    if count > 0 {
        file.note(format!(
            "/intervals/invalid_times lists {}, which count as not recorded",
            counted(count, "interval")
        ));
    }
    Ok(observed)
}

/// `obs_intervals`, one or any number for each unit.
fn of_units(file: &File, table: &Table<'_>, units: usize) -> Result<Vec<Option<Intervals>>, PrepareError> {
    let Some(dataset) = table.dataset("obs_intervals")? else { return Ok(Vec::new()) };
    let passed_over = |why: &str| {
        file.note(format!("/units/obs_intervals passed over: {why}; spikes tell when it was recorded"));
        Ok(Vec::new())
    };
    if dataset.kind() != Kind::Number || dataset.columns() != 2 {
        return passed_over("it has no begin and end for each interval");
    }
    let edges = dataset.numbers()?;
    let (stretches, _) = edges.as_chunks::<2>();
    let ends = if table.is_ragged("obs_intervals") {
        table.ends("obs_intervals", stretches.len())?
    } else if stretches.len() == units {
        (1..=units).collect()
    } else {
        return passed_over("it has another number of rows than there are units");
    };
    let mut unsaid = 0;
    let observed = rows(&ends).map(|row| {
        let own = Intervals::new(stretches[row].iter().copied());
        // A unit without intervals is one of which nothing is said.
        let said = !own.stretches().is_empty();
        unsaid += usize::from(!said);
        said.then_some(own)
    });
    let observed: Vec<Option<Intervals>> = observed.collect();
    if unsaid > 0 {
        file.note(format!(
            "{unsaid} of {units} units have no obs_intervals: they are taken to be observed while their probe has spikes"
        ));
    }
    Ok(observed)
}

/// A row of the table of invalid times.
struct Invalid {
    stretch: [f64; 2],
    tags: Vec<String>,
}

fn invalid_times(file: &File) -> Result<Vec<Invalid>, PrepareError> {
    let Some(group) = file.group("/intervals/invalid_times")? else { return Ok(Vec::new()) };
    let path = group.path().to_owned();
    let table = Table::open(group, &["start_time", "id"])?;
    let edge = |name: &str| {
        let column = table.pick(None, &[name], Purpose::Other)?;
        Ok::<_, PrepareError>(column.and_then(|(_, column)| numbers(column)))
    };
    let (Some(starts), Some(stops)) = (edge("start_time")?, edge("stop_time")?) else {
        file.note(format!("{path} passed over: it has no numbers start_time and stop_time"));
        return Ok(Vec::new());
    };
    let mut tags = vec![Vec::new(); starts.len()];
    if table.is_ragged("tags")
        && let Some(dataset) = table.dataset("tags")?
        && dataset.kind() == Kind::Text
    {
        let texts = dataset.texts()?;
        let ends = table.ends("tags", texts.len())?;
        for (own, row) in tags.iter_mut().zip(rows(&ends)) {
            own.extend_from_slice(&texts[row]);
        }
    }
    let rows = starts.into_iter().zip(stops).zip(tags);
    let mut invalid: Vec<Invalid> =
        rows.map(|((start, stop), tags)| Invalid { stretch: [start, stop], tags }).collect();
    let found = invalid.len();
    invalid.retain(|row| row.stretch[0] <= row.stretch[1]);
    if invalid.len() < found {
        file.note(format!(
            "{} rows of {path} do not end after they begin and are passed over",
            found - invalid.len()
        ));
    }
    Ok(invalid)
}
