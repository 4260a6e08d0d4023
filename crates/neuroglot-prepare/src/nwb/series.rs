//! Time series of `/processing` and `/acquisition`, and tables of `/events`.

use std::collections::{BTreeMap, BTreeSet};

use super::NwbOptions;
use crate::hdf5::{Dataset, File, Group, Kind, TraceSet, Wanted, in_order, unfit};
use crate::{PrepareError, Trace};

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

/// Reads the series that the options select.
pub(super) fn read(
    file: &File,
    options: &NwbOptions,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, Trace>, PrepareError> {
    let mut traces = TraceSet::new(&options.traces);
    let mut seen = BTreeSet::new();
    for part in ["processing", "acquisition", "events"] {
        if let Some(group) = file.group(part)? {
            visit(&group, MOST_DEEP, &mut seen, &mut traces, notes)?;
        }
    }
    traces.finish(file)
}

/// Looks for series in a group and those below. A group is looked at once, by whatever links it is reached.
fn visit(
    group: &Group<'_>,
    deep: usize,
    seen: &mut BTreeSet<u64>,
    traces: &mut TraceSet<'_>,
    notes: &mut Vec<String>,
) -> Result<(), PrepareError> {
    if deep == 0 || !seen.insert(group.address()) {
        return Ok(());
    }
    let (groups, datasets) = group.names()?;
    let has = |name: &str| datasets.iter().any(|dataset| dataset == name);
    if has("timestamps") || (has("data") && has("starting_time")) {
        series(group, traces, notes)?;
    } else if has("timestamp") {
        for wanted in traces.wanted(group.path(), group.name()) {
            events(group, "timestamp", &wanted, traces, notes)?;
        }
    }
    for name in groups {
        if let Some(child) = group.group(&name)? {
            visit(&child, deep - 1, seen, traces, notes)?;
        }
    }
    Ok(())
}

fn series(group: &Group<'_>, traces: &mut TraceSet<'_>, notes: &mut Vec<String>) -> Result<(), PrepareError> {
    let path = group.path().to_owned();
    let kind = group.text_attribute("neurodata_type")?.unwrap_or_default();
    for wanted in traces.wanted(&path, group.name()) {
        if !wanted.chosen && RAW.contains(&kind.as_str()) {
            continue;
        }
        match group.dataset("data")? {
            // Events have no values, or names and labels that say which kind they are of.
            None => events(group, "timestamps", &wanted, traces, notes)?,
            Some(data)
                if data.kind() == Kind::Text || kind == "LabeledEvents" || kind == "AnnotationSeries" =>
            {
                events(group, "timestamps", &wanted, traces, notes)?;
            }
            Some(data) => match unfit(&data, &wanted) {
                Some(why) if wanted.chosen => {
                    let problem = format!("cannot be a trace, {why}");
                    return Err(group.file().field(
                        data.path(),
                        problem,
                        "choose another series, or one column of it",
                    ));
                }
                Some(why) => notes.push(format!("{path} passed over: {why}")),
                None => samples(group, &data, &wanted, traces, notes)?,
            },
        }
    }
    Ok(())
}

fn events(
    group: &Group<'_>,
    column: &str,
    wanted: &Wanted,
    traces: &mut TraceSet<'_>,
    notes: &mut Vec<String>,
) -> Result<(), PrepareError> {
    let Some(timestamps) = group.dataset(column)? else {
        notes.push(format!("{} passed over: its events have no timestamps", group.path()));
        return Ok(());
    };
    let times = timestamps.numbers()?;
    let (times, _) = in_order(times.clone(), times, group.path(), notes);
    traces.insert(wanted.name.clone(), group.path(), Trace::Events(times));
    Ok(())
}

/// A series of samples: `data × conversion + offset` at `timestamps`, or at `starting_time + sample / rate`.
fn samples(
    group: &Group<'_>,
    data: &Dataset<'_>,
    wanted: &Wanted,
    traces: &mut TraceSet<'_>,
    notes: &mut Vec<String>,
) -> Result<(), PrepareError> {
    let file = group.file();
    let columns = usize::try_from(data.columns()).unwrap_or(usize::MAX);
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
                return Err(file.field(
                    timestamps.path(),
                    problem,
                    "the file is inconsistent, export it again",
                ));
            }
            times
        }
        (None, Some(starting_time)) => {
            let rate = starting_time.number_attribute("rate")?.unwrap_or(f64::NAN);
            let start = starting_time.numbers()?.first().copied().unwrap_or(f64::NAN);
            if !(rate > 0.0 && rate.is_finite() && start.is_finite()) {
                let problem = format!("has the start {start} s and the rate {rate} Hz");
                return Err(file.field(
                    starting_time.path(),
                    problem,
                    "the file is inconsistent, export it again",
                ));
            }
            (0..rows).map(|sample| start + sample as f64 / rate).collect()
        }
        (None, None) => {
            let cure = "choose a series with times";
            return Err(file.field(group.path(), "has neither timestamps nor a rate", cure));
        }
    };
    traces.insert_samples(file, wanted, group.path(), &times, &values, columns, notes)
}
