//! Times and clusters of spikes become a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::description::{Description, TraceArrays};
use super::observed;
use super::trials::read_table;
use super::value::ArrayValue;
use crate::time_order::put_in_order;
use crate::{Asked, Condition, Observed, PrepareError, Recording, SpikeStream, Trace, UsualTrials};

/// Reads spikes, units, trials and the traces that are asked for.
pub(super) fn read(
    description: &Description,
    [times_array, clusters_array]: [&ArrayValue; 2],
    align: &str,
    file: &Path,
    asked: Asked<'_>,
) -> Result<Recording, PrepareError> {
    let mut notes = Vec::new();
    let (times, clusters) =
        rayon::join(|| times_array.list_of_numbers::<f64>(), || clusters_array.list_of_numbers::<i64>());
    let (mut times, clusters) = (times?, clusters?);
    if times.len() != clusters.len() {
        return Err(clusters_array.wrong(
            format!("has {} values for {} {}", clusters.len(), times.len(), times_array.field()),
            "save times and clusters of the same spikes",
        ));
    }
    let (spike_units, found) = description.units.of_spikes(&clusters, clusters_array)?;
    let mut units = Vec::with_capacity(spike_units.len());
    let mut unlisted = BTreeSet::new();
    let mut place = 0;
    times.retain(|_| {
        let unit = spike_units[place];
        match unit {
            Some(unit) => units.push(unit),
            None => drop(unlisted.insert(clusters[place])),
        }
        place += 1;
        unit.is_some()
    });
    if !unlisted.is_empty() {
        notes.push(format!(
            "spikes of clusters that units.ids does not list, left out: {} (clusters: {})",
            clusters.len() - times.len(),
            unlisted.len()
        ));
    }
    let missing = put_in_order(&mut times, &mut units).left_out;
    if missing > 0 {
        notes.push(format!("{}: spikes without a time, left out: {missing}", times_array.file().display()));
    }

    let trials = read_table(&description.trials, align, file)?;
    let conditions = trials.names().filter(|name| *name != align);
    let conditions = conditions.map(|name| Condition { name: name.to_owned(), column: name.to_owned() });
    let usual = UsualTrials { align: align.to_owned(), rules: Vec::new(), conditions: conditions.collect() };
    let mut traces = BTreeMap::new();
    for (name, arrays) in description.traces.iter().filter(|(name, _)| asked.has(name)) {
        traces.insert(name.clone(), trace(arrays, &mut notes)?);
    }
    Ok(Recording {
        eid: description.eid.clone(),
        subject: description.subject.clone(),
        species: description.species.clone(),
        lab: description.lab.clone(),
        units: description.units.units(found, &description.eid)?,
        spikes: vec![SpikeStream::Interleaved { times, units }],
        spike_time_unit: None,
        trials,
        traces,
        usual,
        notes,
        ..Recording::default()
    })
}

/// When what was recorded, of a recording whose spikes were recorded when `of_spikes` says.
pub(super) fn observed(
    description: &Description,
    of_spikes: Option<&ArrayValue>,
    recording: &Recording,
) -> Result<Observed, PrepareError> {
    let units = description.units.observed.as_ref();
    let mut traces = BTreeMap::new();
    for (name, array) in &description.observed_traces {
        traces.insert(name.clone(), observed::stretches(array)?);
    }
    Ok(Observed {
        recording: of_spikes.map(observed::stretches).transpose()?,
        units: units.map_or(Ok(Vec::new()), |array| observed::of_units(array, recording.units.len()))?,
        traces,
    })
}

/// A trace in order of time; samples and events without a time are left out.
fn trace(arrays: &TraceArrays, notes: &mut Vec<String>) -> Result<Trace, PrepareError> {
    let mut left_out = |array: &ArrayValue, count: usize| {
        if count > 0 {
            notes.push(format!("{}: {count} without a time are left out", array.field()));
        }
    };
    match arrays {
        TraceArrays::Events(array) => {
            let mut events = array.list_of_numbers::<f64>()?;
            let found = events.len();
            events.retain(|time| time.is_finite());
            left_out(array, found - events.len());
            events.sort_by(f64::total_cmp);
            Ok(Trace::Events(events))
        }
        TraceArrays::Samples { times: times_array, values: values_array } => {
            let mut times = times_array.list_of_numbers::<f64>()?;
            let mut values = values_array.list_of_numbers::<f64>()?;
            if times.len() != values.len() {
                return Err(values_array.wrong(
                    format!("has {} values for {} {}", values.len(), times.len(), times_array.field()),
                    "save a value for each time",
                ));
            }
            left_out(times_array, put_in_order(&mut times, &mut values).left_out);
            Ok(Trace::Samples { times, values })
        }
    }
}
