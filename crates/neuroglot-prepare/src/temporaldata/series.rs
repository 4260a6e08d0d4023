//! Time series: `IrregularTimeSeries` with timestamps, `RegularTimeSeries` with a rate.

use std::collections::{BTreeMap, BTreeSet};

use super::{TemporaldataOptions, domain};
use crate::hdf5::{File, Group, TraceSet, in_order, unfit};
use crate::{Intervals, PrepareError, Trace};

/// Groups in groups are followed this deep; `Data` in `Data` is rare.
const MOST_DEEP: usize = 8;

/// Traces by name, and when they were recorded, as far as it is said.
type Traces = (BTreeMap<String, Trace>, BTreeMap<String, Intervals>);

/// Reads the series that the options select, each field as a trace `group.field`.
pub(super) fn read(
    file: &File,
    options: &TemporaldataOptions,
    notes: &mut Vec<String>,
) -> Result<Traces, PrepareError> {
    let mut traces = TraceSet::new(&options.traces);
    visit(&file.root()?, "", MOST_DEEP, &mut BTreeSet::new(), &mut traces, notes)?;
    let observed = traces.observed();
    Ok((traces.finish(file)?, observed))
}

/// Looks for series in a group and those below; `name` is its path with dots.
fn visit(
    group: &Group<'_>,
    name: &str,
    deep: usize,
    seen: &mut BTreeSet<u64>,
    traces: &mut TraceSet<'_>,
    notes: &mut Vec<String>,
) -> Result<(), PrepareError> {
    if deep == 0 || name == "spikes" || !seen.insert(group.address()) {
        return Ok(());
    }
    match group.text_attribute("object")?.as_deref() {
        Some("Data") => {
            for child in group.names()?.0 {
                if let Some(below) = group.group(&child)? {
                    let name = if name.is_empty() { child } else { format!("{name}.{child}") };
                    visit(&below, &name, deep - 1, seen, traces, notes)?;
                }
            }
            Ok(())
        }
        Some("IrregularTimeSeries") => series(group, name, true, traces, notes),
        Some("RegularTimeSeries") => series(group, name, false, traces, notes),
        _ => Ok(()),
    }
}

fn series(
    group: &Group<'_>,
    name: &str,
    irregular: bool,
    traces: &mut TraceSet<'_>,
    notes: &mut Vec<String>,
) -> Result<(), PrepareError> {
    let file = group.file();
    let mut irregular_times = None;
    let fields: Vec<String> = group.names()?.1.into_iter().filter(|field| !is_index(field)).collect();
    if fields.is_empty() && irregular {
        for wanted in traces.wanted(name, name) {
            let times = timestamps(group)?;
            let (times, _) = in_order(times.clone(), times, name, notes);
            if let Some(domain) = domain::of(group)?
                && !domain::is_span_of(&domain, times.first(), times.last())
            {
                traces.observe(name, domain);
            }
            traces.insert(wanted.name, name, Trace::Events(times));
        }
    }
    for field in fields {
        let path = format!("{name}.{field}");
        // Which samples the file's makers train and test on.
        if field.ends_with("_mask") {
            continue;
        }
        for wanted in traces.wanted(&path, &path) {
            let Some(data) = group.dataset(&field)? else { continue };
            match unfit(&data, &wanted) {
                Some(why) if wanted.chosen => {
                    let problem = format!("cannot be a trace, {why}");
                    return Err(file.field(
                        data.path(),
                        problem,
                        "choose another field, or one column of it",
                    ));
                }
                Some(why) => {
                    notes.push(format!("{path} passed over: {why}"));
                    continue;
                }
                None => {}
            }
            let columns = usize::try_from(data.columns()).unwrap_or(usize::MAX);
            let values = data.numbers()?;
            let rows = values.len().checked_div(columns).unwrap_or(0);
            let regular_times;
            let times = if irregular {
                if irregular_times.is_none() {
                    irregular_times = Some(timestamps(group)?);
                }
                irregular_times.as_deref().unwrap_or_default()
            } else {
                regular_times = grid(group, rows)?;
                &regular_times
            };
            if times.len() != rows {
                let problem = format!("has {rows} samples for {} times", times.len());
                return Err(file.field(data.path(), problem, "the file is inconsistent, write it again"));
            }
            // The edges of a regular series lie on its samples, of which that at the end is fill already: half a sample
            // earlier no rounding matters.
            if !irregular && let Some(domain) = domain::of(group)? {
                let half = 0.5 / group.number_attribute("sampling_rate")?.unwrap_or(f64::INFINITY);
                let earlier = domain.stretches().iter().map(|stretch| stretch.map(|edge| edge - half));
                traces.observe(&path, Intervals::new(earlier));
            }
            traces.insert_samples(file, &wanted, &path, times, &values, columns, notes)?;
        }
    }
    Ok(())
}

/// Whether a data set of a series says when its samples are, not what.
fn is_index(field: &str) -> bool {
    field == "timestamps" || field == "timestamp_indices_1s"
}

fn timestamps(group: &Group<'_>) -> Result<Vec<f64>, PrepareError> {
    match group.dataset("timestamps")? {
        Some(dataset) => dataset.numbers(),
        None => Err(group
            .file()
            .missing(format!("timestamps in {}", group.path()), "the file is inconsistent, write it again")),
    }
}

/// Times of regular samples: the start of the domain, then one in every 1 / `sampling_rate`, also where gaps are filled.
fn grid(group: &Group<'_>, rows: usize) -> Result<Vec<f64>, PrepareError> {
    let file = group.file();
    let rate = group.number_attribute("sampling_rate")?.unwrap_or(f64::NAN);
    let start = match group.group("domain")? {
        Some(domain) => match domain.dataset("start")? {
            Some(start) => start.numbers()?.first().copied().unwrap_or(f64::NAN),
            None => f64::NAN,
        },
        None => f64::NAN,
    };
    if !(rate > 0.0 && rate.is_finite() && start.is_finite()) {
        let problem = format!("has the start {start} s and the rate {rate} Hz");
        return Err(file.field(group.path(), problem, "the file is inconsistent, write it again"));
    }
    Ok((0..rows).map(|sample| start + sample as f64 / rate).collect())
}
