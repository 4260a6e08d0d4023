//! Time series of `/processing` and `/acquisition`, and tables of `/events`.

use std::collections::{BTreeMap, BTreeSet};

use super::NwbOptions;
use crate::hdf5::{Dataset, File, Group, Kind, Members, OTHER_SERIES, TraceSet, Wanted, regular_times};
use crate::{Asked, PrepareError, Trace};

/// Groups in groups are followed this deep; files that people have need six.
const MOST_DEEP: usize = 16;

/// Types whose samples are voltages or images, taken only where they are named.
const RAW: [&str; 8] = [
    "ElectricalSeries",
    "SpikeEventSeries",
    "ImageSeries",
    "ImageMaskSeries",
    "OpticalSeries",
    "TwoPhotonSeries",
    "OnePhotonSeries",
    "IndexSeries",
];

/// Reads the series that the options select and that are asked for.
pub(super) fn read(
    file: &File,
    options: &NwbOptions,
    asked: Asked<'_>,
) -> Result<BTreeMap<String, Trace>, PrepareError> {
    let mut traces = TraceSet::new(file, &options.traces, asked);
    let mut seen = BTreeSet::new();
    for part in ["processing", "acquisition", "events"] {
        match file.group(part) {
            Ok(Some(group)) => visit(&group, MOST_DEEP, &mut seen, &mut traces)?,
            Ok(None) => {}
            Err(error) => traces.pass_over(&format!("/{part}"), error)?,
        }
    }
    traces.finish()
}

/// Looks for series in a group and those below. A group is looked at once, by whatever links it is reached.
fn visit(
    group: &Group<'_>,
    deep: usize,
    seen: &mut BTreeSet<(usize, u64)>,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    if deep == 0 || !seen.insert(group.identity()) {
        return Ok(());
    }
    let Members { groups, datasets, unreadable } = match group.members() {
        Ok(members) => members,
        Err(error) => return traces.pass_over(group.path(), error),
    };
    let is_unreadable = |name: &str| unreadable.iter().any(|(other, _)| other == name);
    let has = |name: &str| datasets.iter().any(|dataset| dataset == name) || is_unreadable(name);
    let is_series = has("timestamps") || (has("data") && has("starting_time"));
    if is_series {
        traces.add(group.path(), group.name(), |wanted, traces| series(group, wanted, traces))?;
    } else if has("timestamp") {
        let read = |wanted: &Wanted, traces: &mut TraceSet| events(group, "timestamp", wanted, traces);
        traces.add(group.path(), group.name(), read)?;
    }
    for name in groups {
        match group.group(&name) {
            Ok(Some(child)) => visit(&child, deep - 1, seen, traces)?,
            Ok(None) => {}
            Err(error) => traces.pass_over(&format!("{}/{name}", group.path()), error)?,
        }
    }
    for (name, error) in unreadable {
        // What belongs to a series was said with it.
        if !is_series {
            traces.pass_over(&format!("{}/{name}", group.path()), error)?;
        }
    }
    Ok(())
}

fn series(group: &Group<'_>, wanted: &Wanted, traces: &mut TraceSet<'_>) -> Result<(), PrepareError> {
    let path = group.path();
    let kind = group.text_attribute("neurodata_type")?.unwrap_or_default();
    if !wanted.chosen && RAW.contains(&kind.as_str()) {
        return Ok(());
    }
    let Some(data) = group.dataset("data")? else {
        // Events have no values.
        if kind == "TimeSeries" {
            group.note(format!("{path} has times and no values: the times are counted as events"));
        }
        return events(group, "timestamps", wanted, traces);
    };
    // Or names and labels that say which kind they are of.
    if data.kind() == Kind::Text || kind == "LabeledEvents" || kind == "AnnotationSeries" {
        return events(group, "timestamps", wanted, traces);
    }
    if traces.fits(group.file(), &data, columns_of(group, &data)?, wanted, path)? {
        samples(group, &data, wanted, traces)?;
    }
    Ok(())
}

fn events(
    group: &Group<'_>,
    column: &str,
    wanted: &Wanted,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    let Some(timestamps) = group.dataset(column)? else {
        group.note(format!("{} passed over: its events have no timestamps", group.path()));
        return Ok(());
    };
    let times = timestamps.numbers()?;
    let (times, _) = traces.in_order(times.clone(), times, group.path());
    traces.insert(wanted.name.clone(), group.path(), Trace::Events(times));
    Ok(())
}

/// A series of samples: `data × conversion + offset` at `timestamps`, or at `starting_time + sample / rate`.
fn samples(
    group: &Group<'_>,
    data: &Dataset<'_>,
    wanted: &Wanted,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    let file = group.file();
    let columns = usize::try_from(columns_of(group, data)?).unwrap_or(usize::MAX);
    let mut values = data.numbers()?;
    let rows = values.len().checked_div(columns).unwrap_or(0);
    let conversion = data.number_attribute("conversion")?.unwrap_or(1.0);
    let offset = data.number_attribute("offset")?.unwrap_or(0.0);
    if (conversion, offset) != (1.0, 0.0) {
        values.iter_mut().for_each(|value| *value = *value * conversion + offset);
    }
    let times = match (group.dataset("timestamps")?, group.dataset("starting_time")?) {
        (Some(timestamps), _) => {
            let times = timestamps.numbers()?;
            if times.len() != rows {
                let problem = format!("has {} times for {rows} samples", times.len());
                return Err(file.field(timestamps.path(), problem, OTHER_SERIES));
            }
            times
        }
        (None, Some(starting_time)) => {
            let rate = starting_time.number_attribute("rate")?.unwrap_or(f64::NAN);
            let start = starting_time.numbers()?.first().copied().unwrap_or(f64::NAN);
            regular_times(file, starting_time.path(), start, rate, rows)?
        }
        (None, None) => {
            return Err(file.field(group.path(), "has neither timestamps nor a rate", OTHER_SERIES));
        }
    };
    traces.insert_samples(file, wanted, group.path(), &times, &values, columns)
}

/// Number of values of each sample. A list is one of samples, also where it lies in one row, unless there is but one time.
fn columns_of(group: &Group<'_>, data: &Dataset<'_>) -> Result<u64, PrepareError> {
    let times = group.dataset("timestamps")?.and_then(|times| times.list_length());
    match data.list_length() {
        Some(_) if times != Some(1) => Ok(1),
        _ => Ok(data.columns()),
    }
}
