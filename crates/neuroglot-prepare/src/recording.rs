//! A recording as a source holds it: continuous in time, not yet cut into trials.

use crate::{Condition, Intervals, PrepareError, Species, TimeUnit, TrialRule};
use neuroglot_data::text::listed;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// One recording of one animal, continuous in time: all probes, the trials table and what the animal did.
///
/// Times are seconds on one clock.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// Identifier of the session, unique among those of one model.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// The laboratory.
    pub lab: String,
    /// Species of the animal.
    pub species: Species,
    /// The units of all probes, `[unit]`.
    pub units: Vec<RecordedUnit>,
    /// Their spikes; streams refer to units by their place in `units`.
    pub spikes: Vec<SpikeStream>,
    /// What times of spikes count, where the source says that they are not in s.
    pub spike_time_unit: Option<TimeUnit>,
    /// The trials table.
    pub trials: TrialTable,
    /// What was measured through time, by the name that the session will have it under.
    pub traces: BTreeMap<String, Trace>,
    /// When what was recorded, as far as the source says it.
    pub observed: Observed,
    /// What is usual for trials of this source.
    pub usual: UsualTrials,
    /// What a reader wants said: a file that was passed over, a clock that was mended, …
    pub notes: Vec<String>,
    /// Why no unit is known to be good or not, and what can be done about it, where that is so.
    pub quality_unknown: Option<String>,
    /// Where links of the file led.
    pub links: Links,
}

/// Where links of a file led.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Files that were read.
    pub followed: Vec<PathBuf>,
    /// Files that are not there.
    pub absent: Vec<PathBuf>,
}

/// When something was recorded, as far as a source says it. Where it was not, no spike is no silence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The recording as a whole; where nothing is said, and at an edge that lies at no finite time, spikes tell.
    pub recording: Option<Intervals>,
    /// Each unit, `[unit]`; empty where nothing is said of units.
    pub units: Vec<Option<Intervals>>,
    /// Traces by name. Samples at other times are none, and events at other times are not known.
    pub traces: BTreeMap<String, Intervals>,
}

/// What is usual for the trials of a source, where the options do not say otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsualTrials {
    /// Column of the event that trials are aligned to.
    pub align: String,
    /// What a trial must fulfil.
    pub rules: Vec<TrialRule>,
    /// Columns that become behaviours.
    pub conditions: Vec<Condition>,
}

/// A unit, and where it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedUnit {
    /// Identifier of the unit, unique in its recording.
    pub uuid: String,
    /// Where in the brain.
    pub location: Location,
    /// Probe or electrode group.
    pub probe: String,
    /// Depth along the probe, µm.
    pub depth: Option<f64>,
    /// Channel of the probe on which it is largest.
    pub channel: Option<i64>,
    /// Whether it passed the quality criteria of the laboratory.
    pub good: Option<bool>,
}

/// Where in the brain a unit was recorded, as the source says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Location {
    /// Acronym of a structure of the Allen tree, in any parcellation; or any other name.
    Acronym(String),
    /// Identifier of a structure of the Allen tree; negative in the left hemisphere, as the IBL has them.
    Id(i64),
    /// Coordinates in the Allen Common Coordinate Framework, µm from its corner: anterior to posterior, dorsal to
    /// ventral, left to right.
    Ccf([f64; 3]),
    /// Not said.
    Unknown,
}

/// Spikes of some units.
#[derive(Debug, Clone, PartialEq)]
pub enum SpikeStream {
    /// Spikes of all units of a probe, in order of time.
    Interleaved {
        /// Time of each spike, s, ascending: `[spike]`.
        times: Vec<f64>,
        /// Unit of each spike, its place in [`Recording::units`]: `[spike]`.
        units: Vec<u32>,
    },
    /// Spikes unit by unit.
    PerUnit {
        /// Place of the first unit in [`Recording::units`]; the others follow.
        first_unit: u32,
        /// Times of all spikes of the first unit, then of the next, …, s, ascending in each unit: `[spike]`.
        times: Vec<f64>,
        /// End of each unit's spikes in `times`: `[unit]`.
        ends: Vec<usize>,
    },
}

/// The trials table: columns by name, all of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialTable {
    rows: usize,
    columns: BTreeMap<String, TrialColumn>,
    /// Columns that could not be read, and why.
    left_out: BTreeMap<String, String>,
}

/// A column of the trials table, `[trial]`.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialColumn {
    /// Times in s, or values; NaN where missing. Truth values are 0 and 1.
    Numbers(Vec<f64>),
    /// Names of conditions.
    Text(Vec<String>),
}

/// Where the values of each row lie in a list of those of all rows, by where each row ends.
pub(crate) fn rows(ends: &[usize]) -> impl Iterator<Item = Range<usize>> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| start..*end)
}

impl SpikeStream {
    /// Calls `each` with the spikes of each unit, or with those of all where they lie together: times in order, and the
    /// unit of each.
    pub(crate) fn each_run(&self, mut each: impl FnMut(&[f64], &dyn Fn(usize) -> usize)) {
        match self {
            SpikeStream::Interleaved { times, units } => each(times, &|spike| units[spike] as usize),
            SpikeStream::PerUnit { first_unit, times, ends } => {
                for (unit, spikes) in rows(ends).enumerate() {
                    each(&times[spikes], &|_| *first_unit as usize + unit);
                }
            }
        }
    }

    /// Calls `each` with the time and the unit of each spike.
    pub(crate) fn each_spike(&self, mut each: impl FnMut(f64, usize)) {
        self.each_run(|times, unit_of| {
            times.iter().enumerate().for_each(|(spike, &time)| each(time, unit_of(spike)));
        });
    }
}

impl TrialColumn {
    /// Number of trials.
    pub fn len(&self) -> usize {
        match self {
            TrialColumn::Numbers(values) => values.len(),
            TrialColumn::Text(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TrialTable {
    /// A table of `rows` trials without columns.
    pub fn new(rows: usize) -> TrialTable {
        TrialTable { rows, ..TrialTable::default() }
    }

    /// Number of trials.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Names of the columns, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// Notes that there is a column of that name and why it could not be read.
    pub fn leave_out(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.left_out.insert(name.into(), why.into());
    }

    /// Why a column is not there: it could not be read, and for what reason, or there is none of that name, and what there is.
    pub fn lack_of(&self, name: &str) -> String {
        let names = listed(&self.names().collect::<Vec<_>>(), "none");
        match self.left_out.get(name) {
            Some(why) => {
                format!("column {name} of the trials could not be read (those that could: {names}): {why}")
            }
            None => format!("no column {name} in the trials table; it has {names}"),
        }
    }

    /// A column, if there is one of that name.
    pub fn get(&self, name: &str) -> Option<&TrialColumn> {
        self.columns.get(name)
    }

    /// A column of numbers, `[trial]`, if there is one of that name.
    pub fn numbers(&self, name: &str) -> Option<&[f64]> {
        match self.columns.get(name) {
            Some(TrialColumn::Numbers(values)) => Some(values),
            _ => None,
        }
    }

    /// Adds a column, or replaces the one of its name.
    ///
    /// # Errors
    /// [`PrepareError::Field`] naming `file`, if it has another number of trials than the table.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        column: TrialColumn,
        file: &std::path::Path,
    ) -> Result<(), PrepareError> {
        let name = name.into();
        if column.len() != self.rows {
            let problem = format!("has {} values for {} trials", column.len(), self.rows);
            let cure = "copy the file again, or leave the column out";
            return Err(PrepareError::field(file, name, problem, cure));
        }
        self.columns.insert(name, column);
        Ok(())
    }
}

/// What was measured through time: wheel speed, motion energy, licks.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// Samples of a continuous quantity; interpolated to the right edges of the bins.
    Samples {
        /// Time of each sample, s, ascending: `[sample]`.
        times: Vec<f64>,
        /// Value of each sample, NaN where missing: `[sample]`.
        values: Vec<f64>,
    },
    /// Samples at one rate; interpolated as others.
    Regular {
        /// Time of the first sample, s.
        start: f64,
        /// Samples in a second, Hz.
        rate: f64,
        /// Value of each sample, NaN where missing: `[sample]`.
        values: Vec<f64>,
    },
    /// Times of events, s, ascending: `[event]`; counted in each bin.
    Events(Vec<f64>),
}
