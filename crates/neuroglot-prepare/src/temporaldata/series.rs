//! Time series: `IrregularTimeSeries` with timestamps, `RegularTimeSeries` with a rate.

use std::collections::{BTreeMap, BTreeSet};

use super::{TemporaldataOptions, domain};
use crate::hdf5::{File, Group, Members, OTHER_SERIES, TraceSet, Wanted, regular_times};
use crate::{Asked, Intervals, PrepareError, Trace};

/// Groups in groups are followed this deep; `Data` in `Data` is rare.
const MOST_DEEP: usize = 8;

/// Traces by name, and when they were recorded, as far as it is said.
type Traces = (BTreeMap<String, Trace>, BTreeMap<String, Intervals>);

/// Reads the series that the options select and that are asked for, each field as a trace `group.field`.
pub(super) fn read(
    file: &File,
    options: &TemporaldataOptions,
    asked: Asked<'_>,
) -> Result<Traces, PrepareError> {
    let mut traces = TraceSet::new(file, &options.traces, asked);
    visit(&file.root()?, "", MOST_DEEP, &mut BTreeSet::new(), &mut traces)?;
    let observed = traces.observed();
    Ok((traces.finish()?, observed))
}

/// Looks for series in a group and those below; `name` is its path with dots.
fn visit(
    group: &Group<'_>,
    name: &str,
    deep: usize,
    seen: &mut BTreeSet<(usize, u64)>,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    if deep == 0 || name == "spikes" || !seen.insert(group.identity()) {
        return Ok(());
    }
    let called = |child: &str| match name {
        "" => child.to_owned(),
        name => format!("{name}.{child}"),
    };
    match group.text_attribute("object") {
        Ok(Some(object)) if object == "Data" => {
            let Members { groups, unreadable, .. } = match group.members() {
                Ok(members) => members,
                Err(error) => return traces.pass_over(name, error),
            };
            for child in groups {
                match group.group(&child) {
                    Ok(Some(below)) => visit(&below, &called(&child), deep - 1, seen, traces)?,
                    Ok(None) => {}
                    Err(error) => traces.pass_over(&called(&child), error)?,
                }
            }
            for (child, error) in unreadable {
                traces.pass_over(&called(&child), error)?;
            }
            Ok(())
        }
        Ok(Some(object)) if object == "IrregularTimeSeries" => series(group, name, true, traces),
        Ok(Some(object)) if object == "RegularTimeSeries" => series(group, name, false, traces),
        Ok(_) => Ok(()),
        Err(error) => traces.pass_over(name, error),
    }
}

fn series(
    group: &Group<'_>,
    name: &str,
    irregular: bool,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    let fields = match group.members() {
        // A field behind a link that leads nowhere is one still.
        Ok(Members { datasets, unreadable, .. }) => {
            datasets.into_iter().chain(unreadable.into_iter().map(|(name, _)| name))
        }
        Err(error) => return traces.pass_over(name, error),
    };
    let fields: Vec<String> = fields.filter(|field| !is_index(field) && field != "domain").collect();
    if fields.is_empty() && irregular {
        traces.add(name, name, |wanted, traces| events(group, name, wanted, traces))?;
    }
    let mut irregular_times = None;
    for field in fields {
        let path = format!("{name}.{field}");
        // Which samples the file's makers train and test on.
        if field.ends_with("_mask") {
            continue;
        }
        traces.add(&path, &path, |wanted, traces| {
            let times = if irregular { Some(&mut irregular_times) } else { None };
            samples(group, &field, &path, wanted, times, traces)
        })?;
    }
    Ok(())
}

/// Adds a series that has times and no values.
fn events(
    group: &Group<'_>,
    name: &str,
    wanted: &Wanted,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    let times = timestamps(group)?;
    let (times, _) = traces.in_order(times.clone(), times, name);
    if let Some(domain) = domain::of(group)?
        && !domain::is_span_of(&domain, times.first(), times.last())
    {
        traces.observe(name, domain);
    }
    traces.insert(wanted.name.clone(), name, Trace::Events(times));
    Ok(())
}

/// Adds a field of a series: samples at `times`, which are read once for all fields, or at a rate.
fn samples(
    group: &Group<'_>,
    field: &str,
    path: &str,
    wanted: &Wanted,
    times: Option<&mut Option<Vec<f64>>>,
    traces: &mut TraceSet<'_>,
) -> Result<(), PrepareError> {
    let file = group.file();
    let Some(data) = group.dataset(field)? else { return Ok(()) };
    if !traces.fits(file, &data, data.columns(), wanted, path)? {
        return Ok(());
    }
    let columns = usize::try_from(data.columns()).unwrap_or(usize::MAX);
    let values = data.numbers()?;
    let rows = values.len().checked_div(columns).unwrap_or(0);
    let is_regular = times.is_none();
    let regular_times;
    let times = match times {
        Some(Some(times)) => times.as_slice(),
        Some(times) => times.insert(timestamps(group)?).as_slice(),
        None => {
            regular_times = grid(group, rows)?;
            &regular_times
        }
    };
    if times.len() != rows {
        let problem = format!("has {rows} samples for {} times", times.len());
        return Err(file.field(data.path(), problem, OTHER_SERIES));
    }
    // The edges of a regular series lie on its samples, of which that at the end is fill already: half a sample earlier no
    // rounding matters.
    if is_regular && let Some(domain) = domain::of(group)? {
        let half = 0.5 / group.number_attribute("sampling_rate")?.unwrap_or(f64::INFINITY);
        let earlier = domain.stretches().iter().map(|stretch| stretch.map(|edge| edge - half));
        traces.observe(path, Intervals::new(earlier));
    }
    traces.insert_samples(file, wanted, path, times, &values, columns)
}

/// Whether a data set of a series says when its samples are, not what.
fn is_index(field: &str) -> bool {
    field == "timestamps" || field == "timestamp_indices_1s"
}

fn timestamps(group: &Group<'_>) -> Result<Vec<f64>, PrepareError> {
    match group.dataset("timestamps")? {
        Some(dataset) => dataset.numbers(),
        None => Err(group.file().missing(format!("timestamps in {}", group.path()), OTHER_SERIES)),
    }
}

/// Times of regular samples: the start of the domain, then one in every 1 / `sampling_rate`, also where gaps are filled.
fn grid(group: &Group<'_>, rows: usize) -> Result<Vec<f64>, PrepareError> {
    let rate = group.number_attribute("sampling_rate")?.unwrap_or(f64::NAN);
    let start = match group.group("domain")? {
        Some(domain) => match domain.dataset("start")? {
            Some(start) => start.numbers()?.first().copied().unwrap_or(f64::NAN),
            None => f64::NAN,
        },
        None => f64::NAN,
    };
    regular_times(group.file(), group.path(), start, rate, rows)
}
