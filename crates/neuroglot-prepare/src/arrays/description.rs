//! The TOML file that says what is what.

use neuroglot_data::text::{located, nearest_name};
use neuroglot_files::FromIo;
use std::io::Read;
use std::path::Path;

use toml::{Table, Value};

use super::value::ArrayValue;
use crate::{PrepareError, Species, TimeUnit};

/// Longest file that is read, bytes; longer lists belong in arrays.
const MAX_BYTES: u64 = 1 << 20;

const TOP: [&str; 10] =
    ["eid", "subject", "species", "lab", "align", "counts", "spikes", "units", "trials", "traces"];
const COUNTS: [&str; 4] = ["file", "bin_seconds", "starts", "observed"];
const SPIKES: [&str; 4] = ["times", "clusters", "unit", "observed"];
const UNITS: [&str; 8] = ["ids", "regions", "coordinates", "uuids", "depths", "channels", "good", "observed"];
const TRACE: [&str; 4] = ["times", "values", "events", "observed"];

/// What the TOML file says.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub eid: String,
    pub subject: String,
    pub species: Species,
    pub lab: String,
    pub activity: Activity,
    pub units: UnitLists,
    /// Columns of the trials table.
    pub trials: Vec<ArrayValue>,
    /// Traces by name.
    pub traces: Vec<(String, TraceArrays)>,
    /// When traces were recorded, by name, as far as it is said.
    pub observed_traces: Vec<(String, ArrayValue)>,
}

/// What the units did.
#[derive(Debug, Clone)]
pub(super) enum Activity {
    /// Counts `[trial, bin, unit]` in bins of so many seconds; when the trials began; which units were observed in which
    /// trials.
    Counts { counts: ArrayValue, bin_seconds: f64, starts: Option<ArrayValue>, observed: Option<ArrayValue> },
    /// Times and clusters of spikes; what times count; when they were recorded; trials are aligned to a column.
    Spikes {
        times: ArrayValue,
        clusters: ArrayValue,
        unit: Option<TimeUnit>,
        observed: Option<ArrayValue>,
        align: String,
    },
}

/// Lists of the units.
#[derive(Debug, Clone, Default)]
pub(super) struct UnitLists {
    pub ids: Option<ArrayValue>,
    pub regions: Option<ArrayValue>,
    pub coordinates: Option<ArrayValue>,
    pub uuids: Option<ArrayValue>,
    pub depths: Option<ArrayValue>,
    pub channels: Option<ArrayValue>,
    pub good: Option<ArrayValue>,
    pub observed: Option<ArrayValue>,
}

/// Arrays of a trace.
#[derive(Debug, Clone)]
pub(super) enum TraceArrays {
    Samples { times: ArrayValue, values: ArrayValue },
    Events(ArrayValue),
}

impl Description {
    /// Reads the file.
    ///
    /// # Errors
    /// [`PrepareError::Io`]; [`PrepareError::Field`] and [`PrepareError::Missing`] name the key.
    pub(super) fn read(file: &Path) -> Result<Description, PrepareError> {
        let handle = neuroglot_files::open(file).map_err(PrepareError::io("open", file))?;
        let mut text = Vec::new();
        handle.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(PrepareError::io("read", file))?;
        let cure = "correct it, docs/arrays.md shows how it is written";
        let broken = |problem: String| PrepareError::field(file, "the text", problem, cure);
        if text.len() as u64 > MAX_BYTES {
            return Err(broken(format!("is longer than {MAX_BYTES} bytes")));
        }
        let text = String::from_utf8(text).map_err(|_| broken("is not in UTF-8".to_owned()))?;
        let no_toml = |error: toml::de::Error| {
            broken(format!("is no TOML ({})", located(&text, error.message(), error.span())))
        };
        let table: Table = text.parse().map_err(no_toml)?;
        Description::of(&table, file)
    }

    fn of(table: &Table, file: &Path) -> Result<Description, PrepareError> {
        let keys = Keys { file, table, place: String::new() };
        keys.check(&TOP)?;
        let (counts, spikes) = (keys.table("counts", &COUNTS)?, keys.table("spikes", &SPIKES)?);
        let activity = match (counts, spikes) {
            (Some(counts), None) => {
                if table.contains_key("align") {
                    let problem = "is for spikes: counts are aligned already";
                    return Err(keys.wrong("align", problem, "leave it out"));
                }
                Activity::Counts {
                    counts: counts.array("file")?,
                    bin_seconds: counts.seconds("bin_seconds")?,
                    starts: counts.optional_array("starts")?,
                    observed: counts.optional_array("observed")?,
                }
            }
            (None, Some(spikes)) => Activity::Spikes {
                times: spikes.array("times")?,
                clusters: spikes.array("clusters")?,
                unit: spikes.unit_of_time("unit")?,
                observed: spikes.optional_array("observed")?,
                align: keys.text("align")?.ok_or_else(|| {
                    let cure = "name the column of [trials] with the times that trials are aligned to, such as \
                                align = \"stim_on\", above the first [table]";
                    keys.missing("align", cure)
                })?,
            },
            (Some(_), Some(_)) => {
                return Err(keys.wrong("[counts]", "stands beside [spikes]", "leave one of them out"));
            }
            (None, None) => {
                let cure = "give counts [trial, bin, unit] as [counts], or times and clusters as [spikes]";
                return Err(keys.missing("[counts] or [spikes]", cure));
            }
        };
        let mut units = UnitLists::default();
        if let Some(lists) = keys.table("units", &UNITS)? {
            units = UnitLists {
                ids: lists.optional_array("ids")?,
                regions: lists.optional_array("regions")?,
                coordinates: lists.optional_array("coordinates")?,
                uuids: lists.optional_array("uuids")?,
                depths: lists.optional_array("depths")?,
                channels: lists.optional_array("channels")?,
                good: lists.optional_array("good")?,
                observed: lists.optional_array("observed")?,
            };
        }
        let mut trials = Vec::new();
        if let Some(columns) = keys.any_table("trials")? {
            for name in columns.table.keys() {
                trials.push(columns.array(name)?);
            }
        }
        let (mut traces, mut observed_traces) = (Vec::new(), Vec::new());
        if let Some(named) = keys.any_table("traces")? {
            for name in named.table.keys() {
                let Some(arrays) = named.table(name, &TRACE)? else { continue };
                traces.push((name.clone(), arrays.trace()?));
                observed_traces
                    .extend(arrays.optional_array("observed")?.map(|observed| (name.clone(), observed)));
            }
        }
        if let (Activity::Counts { .. }, Some(_)) = (&activity, &units.observed) {
            let problem = "is for spikes: counts have trials already";
            return Err(keys.wrong("units.observed", problem, "give counts.observed, [trial, unit]"));
        }
        if let (Activity::Counts { .. }, Some((name, _))) = (&activity, traces.first()) {
            let problem = "is for spikes: counts have bins already";
            let cure = "give an array [trial, bin] in [trials]";
            return Err(keys.wrong(&format!("traces.{name}"), problem, cure));
        }
        let eid = keys.text("eid")?;
        Ok(Description {
            eid: eid.filter(|eid| !eid.trim().is_empty()).ok_or_else(|| {
                keys.missing("eid", "give the session a name of its own, such as eid = \"mouse-3-day-2\"")
            })?,
            subject: keys.text("subject")?.unwrap_or_default(),
            species: Species::named(&keys.text("species")?.unwrap_or_default()),
            lab: keys.text("lab")?.unwrap_or_default(),
            activity,
            units,
            trials,
            traces,
            observed_traces,
        })
    }

    /// All lists and arrays.
    pub(super) fn values(&self) -> Vec<&ArrayValue> {
        let mut values: Vec<&ArrayValue> = match &self.activity {
            Activity::Counts { counts, starts, observed, .. } => {
                std::iter::once(counts).chain(starts).chain(observed).collect()
            }
            Activity::Spikes { times, clusters, observed, .. } => {
                [times, clusters].into_iter().chain(observed).collect()
            }
        };
        let UnitLists { ids, regions, coordinates, uuids, depths, channels, good, observed } = &self.units;
        values.extend(
            [ids, regions, coordinates, uuids, depths, channels, good, observed].into_iter().flatten(),
        );
        values.extend(&self.trials);
        values.extend(self.observed_traces.iter().map(|(_, observed)| observed));
        for (_, trace) in &self.traces {
            match trace {
                TraceArrays::Samples { times, values: samples } => values.extend([times, samples]),
                TraceArrays::Events(events) => values.push(events),
            }
        }
        values
    }
}

/// Reads the keys of a table of a file, and names both in errors.
struct Keys<'a> {
    file: &'a Path,
    table: &'a Table,
    /// What stands before its keys in errors, such as `counts.`; nothing at the top of the file.
    place: String,
}

impl<'a> Keys<'a> {
    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.place)
    }

    fn wrong(&self, key: &str, problem: impl Into<String>, cure: &'static str) -> PrepareError {
        PrepareError::field(self.file, self.name(key), problem, cure)
    }

    fn missing(&self, key: &str, cure: &str) -> PrepareError {
        PrepareError::missing(self.file, self.name(key), cure)
    }

    /// Refuses keys that there are not, and names the nearest.
    fn check(&self, known: &[&str]) -> Result<(), PrepareError> {
        let Some(key) = self.table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        if !self.place.is_empty() && TOP.contains(&key.as_str()) {
            let cure = "write it above the first [table]";
            return Err(self.wrong(key, "belongs to the top of the file", cure));
        }
        let problem = format!("is no key, the nearest is {}", self.name(nearest_name(key, known)));
        Err(self.wrong(key, problem, "correct it, docs/arrays.md lists all keys"))
    }

    fn any_table(&self, key: &str) -> Result<Option<Keys<'a>>, PrepareError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => {
                Ok(Some(Keys { file: self.file, table, place: format!("{}.", self.name(key)) }))
            }
            Some(other) => {
                let problem = format!("is of type {}, not a table", other.type_str());
                Err(self.wrong(key, problem, "write its name in brackets above its keys, as [counts]"))
            }
        }
    }

    fn table(&self, key: &str, known: &[&str]) -> Result<Option<Keys<'a>>, PrepareError> {
        let table = self.any_table(key)?;
        table.as_ref().map_or(Ok(()), |table| table.check(known))?;
        Ok(table)
    }

    fn text(&self, key: &str) -> Result<Option<String>, PrepareError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => {
                Err(self.wrong(key, format!("is of type {}, not text", other.type_str()), "put it in quotes"))
            }
        }
    }

    fn unit_of_time(&self, key: &str) -> Result<Option<TimeUnit>, PrepareError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let cure = "write \"s\", \"ms\" or \"samples@30000\", with the rate in Hz";
            self.wrong(key, format!("is {text:?}, no unit of time"), cure)
        })
    }

    fn seconds(&self, key: &str) -> Result<f64, PrepareError> {
        let cure = "give the width of a bin in seconds, such as 0.02";
        let seconds = match self.table.get(key) {
            None => return Err(self.missing(key, cure)),
            Some(Value::Float(seconds)) => *seconds,
            Some(Value::Integer(seconds)) => *seconds as f64,
            Some(_) => f64::NAN,
        };
        if seconds.is_finite() && seconds > 0.0 {
            Ok(seconds)
        } else {
            Err(self.wrong(key, "is no positive number", cure))
        }
    }

    fn array(&self, key: &str) -> Result<ArrayValue, PrepareError> {
        match self.table.get(key) {
            Some(value) => ArrayValue::parse(value, self.name(key), self.file),
            None => {
                Err(self.missing(key, "name an array, \"file.npy\" or \"file.npz:array\", or write a list"))
            }
        }
    }

    fn optional_array(&self, key: &str) -> Result<Option<ArrayValue>, PrepareError> {
        if self.table.contains_key(key) { self.array(key).map(Some) } else { Ok(None) }
    }

    fn trace(&self) -> Result<TraceArrays, PrepareError> {
        match self.table.contains_key("events") {
            true if self.table.contains_key("times") || self.table.contains_key("values") => {
                Err(self.wrong("events", "stands beside samples", "give events, or times and values"))
            }
            true => self.array("events").map(TraceArrays::Events),
            false => Ok(TraceArrays::Samples { times: self.array("times")?, values: self.array("values")? }),
        }
    }
}
