//! The TOML file that says what is what.

use neuroglot_data::text::nearest_name;
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
        let table: Table =
            text.parse().map_err(|error| broken(format!("is no TOML ({})", located(&text, &error))))?;
        Description::of(&table, file)
    }

    fn of(table: &Table, file: &Path) -> Result<Description, PrepareError> {
        let keys = Keys { file };
        keys.check(table, "", &TOP)?;
        let counts = keys.table(table, "counts", &COUNTS)?;
        let spikes = keys.table(table, "spikes", &SPIKES)?;
        let activity = match (counts, spikes) {
            (Some(counts), None) => {
                if table.contains_key("align") {
                    let problem = "is for spikes: counts are aligned already";
                    return Err(keys.wrong("align", problem, "leave it out"));
                }
                Activity::Counts {
                    counts: keys.array(counts, "counts.", "file")?,
                    bin_seconds: keys.seconds(counts, "counts.", "bin_seconds")?,
                    starts: keys.optional_array(counts, "counts.", "starts")?,
                    observed: keys.optional_array(counts, "counts.", "observed")?,
                }
            }
            (None, Some(spikes)) => Activity::Spikes {
                times: keys.array(spikes, "spikes.", "times")?,
                clusters: keys.array(spikes, "spikes.", "clusters")?,
                unit: keys.unit_of_time(spikes, "spikes.", "unit")?,
                observed: keys.optional_array(spikes, "spikes.", "observed")?,
                align: keys.text(table, "align")?.ok_or_else(|| {
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
        if let Some(table) = keys.table(table, "units", &UNITS)? {
            let list = |key: &str| keys.optional_array(table, "units.", key);
            units = UnitLists {
                ids: list("ids")?,
                regions: list("regions")?,
                coordinates: list("coordinates")?,
                uuids: list("uuids")?,
                depths: list("depths")?,
                channels: list("channels")?,
                good: list("good")?,
                observed: list("observed")?,
            };
        }
        let mut trials = Vec::new();
        if let Some(table) = keys.any_table(table, "trials")? {
            for name in table.keys() {
                trials.push(keys.array(table, "trials.", name)?);
            }
        }
        let (mut traces, mut observed_traces) = (Vec::new(), Vec::new());
        if let Some(table) = keys.any_table(table, "traces")? {
            for (name, arrays) in table {
                traces.push((name.clone(), keys.trace(table, name)?));
                let arrays = arrays.as_table();
                let place = format!("traces.{name}.");
                let observed =
                    arrays.map_or(Ok(None), |arrays| keys.optional_array(arrays, &place, "observed"))?;
                observed_traces.extend(observed.map(|observed| (name.clone(), observed)));
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
        let eid = keys.text(table, "eid")?;
        Ok(Description {
            eid: eid.filter(|eid| !eid.trim().is_empty()).ok_or_else(|| {
                keys.missing("eid", "give the session a name of its own, such as eid = \"mouse-3-day-2\"")
            })?,
            subject: keys.text(table, "subject")?.unwrap_or_default(),
            species: Species::named(&keys.text(table, "species")?.unwrap_or_default()),
            lab: keys.text(table, "lab")?.unwrap_or_default(),
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

/// Reads keys of a file and names it in errors.
struct Keys<'a> {
    file: &'a Path,
}

impl Keys<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>, cure: &'static str) -> PrepareError {
        PrepareError::field(self.file, key, problem, cure)
    }

    fn missing(&self, key: &str, cure: &str) -> PrepareError {
        PrepareError::missing(self.file, key, cure)
    }

    /// Refuses keys that there are not, and names the nearest.
    fn check(&self, table: &Table, place: &str, known: &[&str]) -> Result<(), PrepareError> {
        let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        let name = format!("{place}{key}");
        if !place.is_empty() && TOP.contains(&key.as_str()) {
            let cure = "write it above the first [table]";
            return Err(self.wrong(&name, "belongs to the top of the file", cure));
        }
        let nearest = nearest_name(key, known);
        let problem = format!("is no key, the nearest is {place}{nearest}");
        Err(self.wrong(&name, problem, "correct it, docs/arrays.md lists all keys"))
    }

    fn any_table<'t>(&self, table: &'t Table, key: &str) -> Result<Option<&'t Table>, PrepareError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(other) => {
                let problem = format!("is of type {}, not a table", other.type_str());
                Err(self.wrong(key, problem, "write its name in brackets above its keys, as [counts]"))
            }
        }
    }

    fn table<'t>(
        &self,
        table: &'t Table,
        key: &str,
        known: &[&str],
    ) -> Result<Option<&'t Table>, PrepareError> {
        let table = self.any_table(table, key)?;
        table.map_or(Ok(()), |table| self.check(table, &format!("{key}."), known))?;
        Ok(table)
    }

    fn text(&self, table: &Table, key: &str) -> Result<Option<String>, PrepareError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => {
                Err(self.wrong(key, format!("is of type {}, not text", other.type_str()), "put it in quotes"))
            }
        }
    }

    fn unit_of_time(&self, table: &Table, place: &str, key: &str) -> Result<Option<TimeUnit>, PrepareError> {
        let Some(text) = self.text(table, key)? else { return Ok(None) };
        let unit = text.parse().map(Some);
        unit.map_err(|_| {
            self.wrong(
                &format!("{place}{key}"),
                format!("is {text:?}, no unit of time"),
                "write \"s\", \"ms\" or \"samples@30000\", with the rate in Hz",
            )
        })
    }

    fn seconds(&self, table: &Table, place: &str, key: &str) -> Result<f64, PrepareError> {
        let key_name = format!("{place}{key}");
        let cure = "give the width of a bin in seconds, such as 0.02";
        let seconds = match table.get(key) {
            None => return Err(self.missing(&key_name, cure)),
            Some(Value::Float(seconds)) => *seconds,
            Some(Value::Integer(seconds)) => *seconds as f64,
            Some(_) => f64::NAN,
        };
        if seconds.is_finite() && seconds > 0.0 {
            Ok(seconds)
        } else {
            Err(self.wrong(&key_name, "is no positive number", cure))
        }
    }

    fn array(&self, table: &Table, place: &str, key: &str) -> Result<ArrayValue, PrepareError> {
        let name = format!("{place}{key}");
        match table.get(key) {
            Some(value) => ArrayValue::parse(value, name, self.file),
            None => {
                Err(self.missing(&name, "name an array, \"file.npy\" or \"file.npz:array\", or write a list"))
            }
        }
    }

    fn optional_array(
        &self,
        table: &Table,
        place: &str,
        key: &str,
    ) -> Result<Option<ArrayValue>, PrepareError> {
        if table.contains_key(key) { self.array(table, place, key).map(Some) } else { Ok(None) }
    }

    fn trace(&self, traces: &Table, name: &str) -> Result<TraceArrays, PrepareError> {
        let place = format!("traces.{name}.");
        let Some(table) = self.any_table(traces, name)? else {
            return Err(self.missing(name, "name its arrays"));
        };
        self.check(table, &place, &TRACE)?;
        match table.contains_key("events") {
            true if table.contains_key("times") || table.contains_key("values") => {
                let cure = "give events, or times and values";
                Err(self.wrong(&format!("{place}events"), "stands beside samples", cure))
            }
            true => self.array(table, &place, "events").map(TraceArrays::Events),
            false => Ok(TraceArrays::Samples {
                times: self.array(table, &place, "times")?,
                values: self.array(table, &place, "values")?,
            }),
        }
    }
}

/// A TOML error in one line that begins with its place.
fn located(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}
