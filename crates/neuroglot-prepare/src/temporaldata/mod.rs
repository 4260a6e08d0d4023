//! HDF5 files of temporaldata, as torch_brain and brainsets write them: spikes, units, intervals, time series.

mod domain;
mod series;
mod units;

use std::path::PathBuf;

use crate::hdf5::{File, Format, Hdf5Source, Table, TraceSelection, UnitColumns};
use crate::{Asked, PrepareError, Recording, Species, UsualTrials};

/// What is read of a temporaldata file, and how; the default takes what brainsets have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemporaldataOptions {
    /// Identifier of the session; that of the file (`session.id`) if it is not given.
    pub eid: Option<String>,
    /// Which fields of `units` say what.
    pub units: UnitColumns,
    /// The `Interval` whose rows are the trials: `trials`.
    pub intervals: String,
    /// Which fields of time series become traces.
    pub traces: TraceSelection,
    /// Folders that links may lead into, beside the file's own.
    pub link_folders: Vec<PathBuf>,
}

impl Default for TemporaldataOptions {
    fn default() -> TemporaldataOptions {
        TemporaldataOptions {
            eid: None,
            units: UnitColumns::default(),
            intervals: "trials".to_owned(),
            traces: TraceSelection::All,
            link_folders: Vec::new(),
        }
    }
}

/// An open temporaldata file. Reading it fails if it has no spikes, no units, no trials, or not what the options name; and if a
/// data set contradicts another.
pub type TemporaldataSource = Hdf5Source<TemporaldataOptions>;

impl Format for TemporaldataOptions {
    const KIND: &'static str = "temporaldata";

    fn link_folders(&self) -> &[PathBuf] {
        &self.link_folders
    }

    fn eid(&self, file: &File) -> Result<String, PrepareError> {
        if let Some(eid) = &self.eid {
            return Ok(eid.clone());
        }
        let stem = file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(described(file, "session")?.or(stem).unwrap_or_default())
    }

    fn read(&self, file: &File, asked: Asked<'_>) -> Result<Recording, PrepareError> {
        let usual = UsualTrials { align: "start".to_owned(), ..UsualTrials::default() };
        let mut recording = Recording { usual, ..Recording::default() };
        if file.root()?.text_attribute("object")?.as_deref() != Some("Data") {
            return Err(file.missing(
                "attribute object that says Data",
                "it is HDF5 but not of temporaldata; if it is NWB, read it as that",
            ));
        }
        recording.eid = self.eid(file)?;
        recording.subject = file.noted_subject(described(file, "subject"), "subject.id")?;
        recording.species = file
            .noted(property(file, "subject", "species"))?
            .map_or(Species::Unknown, |text| Species::named(&text));
        recording.lab = file.noted(described(file, "brainset"))?.unwrap_or_default();
        read_trials(file, self, &mut recording)?;
        units::read(file, self, &mut recording)?;
        recording.observed.recording = file.noted(domain::of_recording(file, &recording.spikes))?;
        (recording.traces, recording.observed.traces) = series::read(file, self, asked)?;
        Ok(recording)
    }
}

/// The `id` of a description: `session`, `subject`, `brainset`.
fn described(file: &File, name: &str) -> Result<Option<String>, PrepareError> {
    match file.group(name)? {
        Some(_) => property(file, name, "id"),
        // Old files have it at the top.
        None => file.root()?.text_attribute(&format!("{name}_id")),
    }
}

/// A text of a description.
fn property(file: &File, description: &str, name: &str) -> Result<Option<String>, PrepareError> {
    let Some(group) = file.group(description)? else { return Ok(None) };
    match group.text_attribute(name)? {
        Some(text) => Ok(Some(text)),
        None => match group.dataset(name)? {
            Some(dataset) if dataset.rows() == 1 => file.text(dataset.path()),
            _ => Ok(None),
        },
    }
}

fn read_trials(
    file: &File,
    options: &TemporaldataOptions,
    recording: &mut Recording,
) -> Result<(), PrepareError> {
    let mut intervals = Vec::new();
    let mut splits = Vec::new();
    let root = file.root()?;
    for name in root.members()?.groups {
        let Some(group) = root.group(&name)? else { continue };
        if group.text_attribute("object")?.as_deref() == Some("Interval") {
            if ["train_domain", "valid_domain", "test_domain"].contains(&name.as_str()) {
                splits.push(name);
            } else if name != "domain" {
                intervals.push(name);
            }
        }
    }
    if !splits.is_empty() {
        file.note(format!("the file's own splits are not used: {}", splits.join(", ")));
    }
    let Some(group) = file.group(&options.intervals)? else {
        let cure = if intervals.is_empty() {
            "it has no intervals at all, so there are no trials to cut it into".to_owned()
        } else {
            format!("choose other intervals, it has: {}", intervals.join(", "))
        };
        return Err(file.missing(&options.intervals, cure));
    };
    let needed = ["start", "end"];
    let table = Table::open(group, &["start"])?;
    recording.trials = table.trials(&needed)?;
    for edge in needed {
        if recording.trials.numbers(edge).is_none() {
            let what = format!("numbers {edge} in {}", options.intervals);
            return Err(file.missing(what, "choose other intervals with --intervals"));
        }
    }
    Ok(())
}
