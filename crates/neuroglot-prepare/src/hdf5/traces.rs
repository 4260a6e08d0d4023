//! Traces: which of a file's series are taken, and under which names.

use std::collections::BTreeMap;
use std::str::FromStr;

use neuroglot_data::number::counted;
use neuroglot_data::text::listed;

use super::table::MOST_COLUMNS;
use super::{Dataset, File, Kind};
use crate::time_order::{Disorder, put_in_order};
use crate::{Asked, Intervals, PrepareError, Trace};

/// What can be done about a series that cannot be read: without a choice it is passed over.
pub(crate) const OTHER_SERIES: &str = "choose another series with --trace";

/// One trace that is wanted of a file.
///
/// As text `NAME=PATH` or `NAME=PATH:COLUMN`: `running_speed=/processing/behavior/running_speed`, `hand_x=position:0`. The path
/// is the whole one, or only its last part where that is enough.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceChoice {
    /// Name that the session has it under.
    pub name: String,
    /// Where it is in the file: `/processing/behavior/running_speed` or `running_speed`.
    pub path: String,
    /// Which of its columns, from 0, where it has several; without it each becomes a trace, `name_0`, `name_1`, ….
    pub column: Option<usize>,
}

impl FromStr for TraceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<TraceChoice, String> {
        let (name, rest) = text
            .split_once('=')
            .filter(|(name, path)| !name.is_empty() && !path.is_empty())
            .ok_or_else(|| {
            format!("{text} is not NAME=PATH, such as running_speed=/processing/behavior/running_speed")
        })?;
        let (path, column) = match rest.rsplit_once(':') {
            Some((path, column)) => {
                let column =
                    column.parse().map_err(|_| format!("{column} is not the number of a column, from 0"))?;
                (path, Some(column))
            }
            None => (rest, None),
        };
        Ok(TraceChoice { name: name.to_owned(), path: path.to_owned(), column })
    }
}

/// Which traces are taken of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceSelection {
    /// Every series of numbers or events of at most 16 columns, but for recorded voltages and images, under its own name.
    #[default]
    All,
    /// These.
    Chosen(Vec<TraceChoice>),
}

/// The traces of a recording as they are collected.
pub(crate) struct TraceSet<'o> {
    file: &'o File,
    selection: &'o TraceSelection,
    asked: Asked<'o>,
    found: Vec<String>,
    taken: Vec<usize>,
    traces: BTreeMap<String, (String, Trace)>,
    /// When the series of a path were recorded, as far as it is said.
    observed: BTreeMap<String, Intervals>,
    /// What was passed over, and why.
    passed_over: Vec<String>,
}

/// A trace that is to be read.
pub(crate) struct Wanted {
    /// Name in the session.
    pub(crate) name: String,
    /// The column, if one is wanted.
    pub(crate) column: Option<usize>,
    /// Whether the user named it, so that it must be there and readable.
    pub(crate) chosen: bool,
}

impl<'o> TraceSet<'o> {
    /// None of `file` yet.
    pub(crate) fn new(file: &'o File, selection: &'o TraceSelection, asked: Asked<'o>) -> TraceSet<'o> {
        let taken = match selection {
            TraceSelection::All => Vec::new(),
            TraceSelection::Chosen(choices) => vec![0; choices.len()],
        };
        TraceSet {
            file,
            selection,
            asked,
            found: Vec::new(),
            taken,
            traces: BTreeMap::new(),
            observed: BTreeMap::new(),
            passed_over: Vec::new(),
        }
    }

    /// Says that what is at `path` could not be looked at: it is an error if it was chosen by that path, else it is noted.
    pub(crate) fn pass_over(&mut self, path: &str, error: PrepareError) -> Result<(), PrepareError> {
        let is_chosen = match self.selection {
            TraceSelection::All => false,
            TraceSelection::Chosen(choices) => choices.iter().any(|choice| names(path, &choice.path)),
        };
        if is_chosen || matches!(error, PrepareError::Io(_)) {
            return Err(error);
        }
        self.passed_over.push(format!("{path} ({error})"));
        self.file.note(format!("{path} passed over: {error}"));
        Ok(())
    }

    /// Says that there is a series at `path`, whose own name is `name`, and reads what is wanted of it. Where that fails it is
    /// an error if it was chosen, else it is passed over.
    pub(crate) fn add(
        &mut self,
        path: &str,
        name: &str,
        mut read: impl FnMut(&Wanted, &mut Self) -> Result<(), PrepareError>,
    ) -> Result<(), PrepareError> {
        for wanted in self.wanted(path, name) {
            match read(&wanted, self) {
                Err(error) if !wanted.chosen => self.pass_over(path, error)?,
                result => result?,
            }
        }
        Ok(())
    }

    /// Whether a data set of samples with so many values each can be taken apart into traces. Where not it is an error if it
    /// was chosen, else it is passed over. `file` is that which names it.
    pub(crate) fn fits(
        &self,
        file: &File,
        data: &Dataset<'_>,
        columns: u64,
        wanted: &Wanted,
        path: &str,
    ) -> Result<bool, PrepareError> {
        let why = if data.kind() != Kind::Number {
            "it has no numbers"
        } else if columns == 0 || (columns > MOST_COLUMNS && wanted.column.is_none()) {
            "it has too many columns"
        } else {
            return Ok(true);
        };
        if wanted.chosen {
            let problem = format!("cannot be a trace, {why}");
            return Err(file.field(data.path(), problem, "choose another series, or one column of it"));
        }
        self.file.note(format!("{path} passed over: {why}"));
        Ok(false)
    }

    /// Says that there is a series at `path`, whose own name is `name`; gives what is wanted of it. What nobody asks for is not
    /// read.
    fn wanted(&mut self, path: &str, name: &str) -> Vec<Wanted> {
        self.found.push(path.to_owned());
        match self.selection {
            TraceSelection::All if !self.asked.has_of_series(name) => Vec::new(),
            TraceSelection::All => vec![Wanted { name: name.to_owned(), column: None, chosen: false }],
            TraceSelection::Chosen(choices) => {
                let mut wanted = Vec::new();
                for (choice, taken) in choices.iter().zip(&mut self.taken) {
                    if names(path, &choice.path) {
                        *taken += 1;
                        if self.asked.has_of_series(&choice.name) {
                            let (name, column) = (choice.name.clone(), choice.column);
                            wanted.push(Wanted { name, column, chosen: true });
                        }
                    }
                }
                wanted
            }
        }
    }

    /// Says when the series at a path was recorded.
    pub(crate) fn observe(&mut self, path: &str, observed: Intervals) {
        self.observed.insert(path.to_owned(), observed);
    }

    /// When traces were recorded, by their names, as far as it is said.
    pub(crate) fn observed(&self) -> BTreeMap<String, Intervals> {
        let said = self.traces.iter().filter_map(|(name, (path, _))| Some((name, self.observed.get(path)?)));
        said.map(|(name, observed)| (name.clone(), observed.clone())).collect()
    }

    /// Adds a trace; if its name is taken by that of another path, `path` with dots is its name.
    pub(crate) fn insert(&mut self, name: String, path: &str, trace: Trace) {
        let name = match self.traces.get(&name) {
            Some((other, _)) if other != path => path.trim_start_matches('/').replace('/', "."),
            _ => name,
        };
        self.traces.insert(name, (path.to_owned(), trace));
    }

    /// Samples in order of time, without those of no time.
    pub(crate) fn in_order(
        &self,
        mut times: Vec<f64>,
        mut values: Vec<f64>,
        path: &str,
    ) -> (Vec<f64>, Vec<f64>) {
        let Disorder { left_out, sorted } = put_in_order(&mut times, &mut values);
        if left_out > 0 {
            self.file.note(format!("{} of {path} without a time left out", counted(left_out, "sample")));
        }
        if sorted {
            self.file.note(format!("the samples of {path} were not in order of time and were sorted"));
        }
        (times, values)
    }

    /// Adds samples of `columns` values each, as one trace or as many. `file` is that which holds them.
    pub(crate) fn insert_samples(
        &mut self,
        file: &File,
        wanted: &Wanted,
        path: &str,
        times: &[f64],
        values: &[f64],
        columns: usize,
    ) -> Result<(), PrepareError> {
        if let Some(column) = wanted.column
            && column >= columns
        {
            let problem = format!("has no column {column}, there are {columns}, counted from 0");
            return Err(file.field(path, problem, "choose another column"));
        }
        for column in 0..columns {
            if wanted.column.is_some_and(|wanted| wanted != column) {
                continue;
            }
            let one = values.iter().skip(column).step_by(columns).copied().collect();
            let (times, values) = self.in_order(times.to_vec(), one, path);
            let name = match wanted.column {
                None if columns > 1 => format!("{}_{column}", wanted.name),
                _ => wanted.name.clone(),
            };
            self.insert(name, path, Trace::Samples { times, values });
        }
        Ok(())
    }

    /// All that were added.
    ///
    /// # Errors
    /// [`PrepareError::Missing`] if one that was chosen is not in the file, or [`PrepareError::Field`] if its name is that of
    /// several.
    pub(crate) fn finish(self) -> Result<BTreeMap<String, Trace>, PrepareError> {
        if let TraceSelection::Chosen(choices) = self.selection {
            for (choice, taken) in choices.iter().zip(&self.taken) {
                if *taken == 0 {
                    let mut cure = format!("it has: {}", listed(&self.found, "nothing"));
                    if !self.passed_over.is_empty() {
                        cure = format!("{cure}; passed over were: {}", self.passed_over.join("; "));
                    }
                    return Err(self.file.missing(format!("series {}", choice.path), cure));
                }
                if *taken > 1 {
                    let matches: Vec<&String> =
                        self.found.iter().filter(|path| names(path, &choice.path)).collect();
                    let problem = format!("is the name of several series ({})", listed(&matches, "nothing"));
                    return Err(self.file.field(&choice.path, problem, "give the whole path"));
                }
            }
        }
        Ok(self.traces.into_iter().map(|(name, (_, trace))| (name, trace)).collect())
    }
}

/// Whether `choice` names the series at `path`: the whole path, or its end.
fn names(path: &str, choice: &str) -> bool {
    let path = path.trim_start_matches('/');
    let choice = choice.trim_start_matches('/');
    path == choice || path.strip_suffix(choice).is_some_and(|before| before.ends_with(['/', '.']))
}

/// Times of regular samples, from `start` (s) on at a rate (Hz). `object` says so in `file`.
pub(crate) fn regular_times(
    file: &File,
    object: &str,
    start: f64,
    rate: f64,
    samples: usize,
) -> Result<Vec<f64>, PrepareError> {
    if !(rate > 0.0 && rate.is_finite() && start.is_finite()) {
        let problem = format!("has the start {start} s and the rate {rate} Hz");
        return Err(file.field(object, problem, OTHER_SERIES));
    }
    Ok((0..samples).map(|sample| start + sample as f64 / rate).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_as_text() {
        let choice: TraceChoice = "speed=/processing/behavior/running_speed".parse().unwrap();
        let expected = TraceChoice {
            name: "speed".into(),
            path: "/processing/behavior/running_speed".into(),
            column: None,
        };
        assert_eq!(choice, expected);
        let choice: TraceChoice = "x=position:0".parse().unwrap();
        assert_eq!((choice.path.as_str(), choice.column), ("position", Some(0)));
        assert!("position".parse::<TraceChoice>().unwrap_err().contains("NAME=PATH"));
        assert!("x=position:left".parse::<TraceChoice>().unwrap_err().contains("left is not the number"));
    }

    #[test]
    fn a_path_is_named_by_its_end() {
        assert!(names("/processing/behavior/running_speed", "running_speed"));
        assert!(names("/processing/behavior/running_speed", "behavior/running_speed"));
        assert!(names("/cursor.vel", "vel"));
        assert!(!names("/processing/behavior/running_speed", "speed"));
    }
}
