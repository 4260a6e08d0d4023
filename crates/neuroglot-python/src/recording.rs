//! Sessions of arrays and of recordings, by the same steps as `neuroglot prepare`.

use crate::detached::detached;
use crate::failure::{Failure, parsed};
use crate::floats::{doubles, whole_numbers};
use crate::session::Session;
use neuroglot::data::{SpikeCounts, SpikeCountsBuilder};
use neuroglot::prepare::{
    BinnedRecording, Content, Location, Preparation, PrepareOptions, Prepared, RecordedUnit, Recording,
    SourceOptions, Species, SpikeStream, TrialColumn, TrialTable, UsualTrials, assemble,
};
use pyo3::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known of a recording besides its spikes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    eid: String,
    subject: String,
    lab: String,
    species: String,
    units: Vec<UnitDescription>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitDescription {
    uuid: String,
    region: Option<String>,
    depth: Option<f64>,
    channel: Option<i64>,
    good: Option<bool>,
}

impl From<UnitDescription> for RecordedUnit {
    fn from(UnitDescription { uuid, region, depth, channel, good }: UnitDescription) -> Self {
        let location = region.map_or(Location::Unknown, Location::Acronym);
        Self { uuid, location, probe: String::new(), depth, channel, good }
    }
}

/// A column of the trials table as Python gives it: numbers as bytes, or texts.
#[derive(FromPyObject)]
pub enum Column {
    /// Little-endian doubles.
    Numbers(Vec<u8>),
    /// Names of conditions.
    Texts(Vec<String>),
}

/// A table of trials; columns that are too long or too short are named.
fn trial_table(rows: usize, columns: BTreeMap<String, Column>) -> Result<TrialTable, Failure> {
    let mut table = TrialTable::new(rows);
    for (name, column) in columns {
        let column = match column {
            Column::Numbers(bytes) => TrialColumn::Numbers(doubles(&bytes)),
            Column::Texts(texts) => TrialColumn::Text(texts),
        };
        if column.len() != rows {
            let found = column.len();
            return Err(Failure::setting(format!(
                "trials: {name} has {found} values for {rows} trials: give one per trial"
            )));
        }
        table.insert(name, column, Path::new(""))?;
    }
    Ok(table)
}

/// The session, and what should be known about it.
fn prepared(Prepared { session, notes, .. }: Prepared) -> (Session, Vec<String>) {
    (Session::new(session), notes)
}

/// Counts of trials, added one by one.
#[pyclass(module = "neuroglot._neuroglot")]
pub struct CountsBuilder {
    builder: Option<SpikeCountsBuilder>,
    entries: usize,
}

#[pymethods]
impl CountsBuilder {
    #[new]
    fn new(bins: usize, units: usize) -> Result<Self, Failure> {
        if bins == 0 || units == 0 || u32::try_from(units).is_err() {
            return Err(Failure::setting(format!(
                "counts of {bins} bins and {units} units: each must be 1 or more, in the shape [trial, bin, unit]"
            )));
        }
        Ok(Self { builder: Some(SpikeCountsBuilder::new(bins, units)), entries: bins * units })
    }

    /// Adds a trial, `[bin, unit]` as little-endian whole numbers of 32 bits.
    fn push(&mut self, counts: &[u8]) -> Result<(), Failure> {
        let counts = whole_numbers(counts);
        match &mut self.builder {
            Some(builder) if counts.len() == self.entries => {
                builder.push_dense(&counts);
                Ok(())
            }
            _ => Err(Failure::setting("counts: all trials must be of one shape, [bin, unit]")),
        }
    }
}

impl CountsBuilder {
    fn finish(&mut self) -> Result<SpikeCounts, Failure> {
        let builder = self.builder.take();
        Ok(builder.ok_or_else(|| Failure::setting("counts: they were used already"))?.finish())
    }
}

/// A session of counts of trials.
#[pyfunction]
#[pyo3(signature = (counts, bin_seconds, description, trials, traces, starts, options))]
pub fn session_of_counts(
    py: Python<'_>,
    mut counts: PyRefMut<'_, CountsBuilder>,
    bin_seconds: f64,
    description: &str,
    trials: BTreeMap<String, Column>,
    traces: BTreeMap<String, Vec<u8>>,
    starts: Option<&[u8]>,
    options: &str,
) -> PyResult<(Session, Vec<String>)> {
    let counts = counts.finish()?;
    let Description { eid, subject, lab, species, units } = parsed(description)?;
    let options: PrepareOptions = parsed(options)?;
    let rows = counts.trials();
    let starts = starts.map(doubles);
    for (name, found, expected) in [("units", units.len(), counts.units())]
        .into_iter()
        .chain(starts.iter().map(|starts| ("starts", starts.len(), rows)))
    {
        if found != expected {
            let problem = format!("{name}: {found} are given, and the counts are of {expected}");
            return Err(Failure::setting(problem).into());
        }
    }
    let per_bin = traces.into_iter().map(|(name, bytes)| (name, doubles(&bytes))).collect::<BTreeMap<_, _>>();
    for (name, values) in &per_bin {
        if values.len() != rows * counts.bins() {
            let problem =
                format!("traces: {name} has {} values, expected [trial, bin] as the counts", values.len());
            return Err(Failure::setting(problem).into());
        }
    }
    let binned = BinnedRecording {
        eid,
        subject,
        lab,
        bin_seconds,
        species: Species::named(&species),
        starts,
        units: units.into_iter().map(RecordedUnit::from).collect(),
        counts,
        observed: None,
        trials: trial_table(rows, trials)?,
        per_bin,
        notes: Vec::new(),
    };
    detached(py, || Ok(prepared(assemble(Content::from(binned), &options, None, Path::new(""))?)))
}

/// A session of spikes through time, aligned to events.
#[pyfunction]
#[pyo3(signature = (times, units_of_spikes, description, events, trials, options))]
pub fn session_of_spikes(
    py: Python<'_>,
    times: &[u8],
    units_of_spikes: &[u8],
    description: &str,
    events: &[u8],
    trials: BTreeMap<String, Column>,
    options: &str,
) -> PyResult<(Session, Vec<String>)> {
    /// Column of the events' times.
    const EVENT: &str = "event";
    let Description { eid, subject, lab, species, units } = parsed(description)?;
    let options: PrepareOptions = parsed(options)?;
    let (times, units_of_spikes, events) = (doubles(times), whole_numbers(units_of_spikes), doubles(events));
    if times.len() != units_of_spikes.len() {
        return Err(Failure::setting("times and units: give one unit per spike").into());
    }
    if units_of_spikes.iter().any(|unit| *unit as usize >= units.len()) {
        return Err(Failure::setting("units: a spike is of a unit that there is not").into());
    }
    if !times.is_sorted() {
        return Err(Failure::setting("times: they must rise, and none may be missing").into());
    }
    let names: Vec<String> = trials.keys().cloned().collect();
    if names.iter().any(|name| name == EVENT) {
        return Err(Failure::setting(format!("trials: rename the column {EVENT}")).into());
    }
    let mut table = trial_table(events.len(), trials)?;
    table.insert(EVENT, TrialColumn::Numbers(events), Path::new("")).map_err(Failure::from)?;
    let condition = |name: String| neuroglot::prepare::Condition { column: name.clone(), name };
    let recording = Recording {
        eid,
        subject,
        lab,
        species: Species::named(&species),
        units: units.into_iter().map(RecordedUnit::from).collect(),
        spikes: vec![SpikeStream::Interleaved { times, units: units_of_spikes }],
        trials: table,
        usual: UsualTrials {
            align: EVENT.to_owned(),
            rules: Vec::new(),
            conditions: names.into_iter().map(condition).collect(),
        },
        ..Recording::default()
    };
    detached(py, || Ok(prepared(assemble(Content::from(recording), &options, None, Path::new(""))?)))
}

/// A session of a recording as it is published; `reading` and `options` are those of `provenance.json`, as JSON.
#[pyfunction]
pub fn session_of_source(
    py: Python<'_>,
    place: PathBuf,
    reading: &str,
    options: &str,
) -> PyResult<(Session, Vec<String>)> {
    let reading: SourceOptions = parsed(reading)?;
    let options: PrepareOptions = parsed(options)?;
    let preparation = Preparation { reading, options, ..Preparation::default() };
    detached(py, || Ok(prepared(preparation.assemble(&place)?)))
}
