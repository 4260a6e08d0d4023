//! NWB 2 files (Neurodata Without Borders): units, trials, time series.

mod electrodes;
mod observed;
mod series;
mod units;

use std::path::{Path, PathBuf};

use crate::hdf5::{File, Table, TraceSelection, UnitColumns};
use crate::{Asked, Content, PrepareError, Recording, Source, Species, UsualTrials};

/// What is read of an NWB file, and how; the default takes what the standard and most laboratories have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NwbOptions {
    /// Identifier of the session; that of the file (`/identifier`) if it is not given.
    pub eid: Option<String>,
    /// Which columns of `/units` say what.
    pub units: UnitColumns,
    /// Column of `/general/extracellular_ephys/electrodes` with the region; `location` if it is not given.
    pub electrode_region: Option<String>,
    /// Table of `/intervals` whose rows are the trials: `trials`.
    pub intervals: String,
    /// Whether coordinates of the electrodes say where units are, not names of regions: `x`, `y` and `z` in µm in the Allen
    /// Common Coordinate Framework.
    pub coordinates: bool,
    /// Which series become traces.
    pub traces: TraceSelection,
    /// Folders that links may lead into, beside the file's own.
    pub link_folders: Vec<PathBuf>,
}

impl Default for NwbOptions {
    fn default() -> NwbOptions {
        NwbOptions {
            eid: None,
            units: UnitColumns::default(),
            electrode_region: None,
            intervals: "trials".to_owned(),
            coordinates: false,
            traces: TraceSelection::All,
            link_folders: Vec::new(),
        }
    }
}

/// An open NWB 2 file.
pub struct NwbSource {
    file: File,
    options: NwbOptions,
}

impl NwbSource {
    /// Opens a file.
    ///
    /// # Errors
    /// [`PrepareError::Io`], and [`PrepareError::Corrupt`] if it is not HDF5 or ends too early.
    pub fn open(path: &Path, options: &NwbOptions) -> Result<NwbSource, PrepareError> {
        Ok(NwbSource { file: File::open(path, &options.link_folders)?, options: options.clone() })
    }
}

impl Source for NwbSource {
    fn kind(&self) -> &'static str {
        "nwb"
    }

    fn eid(&self) -> Option<String> {
        eid(&self.file, &self.options).ok()
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.path().to_owned()]
    }

    fn read(&self, asked: Asked<'_>) -> Result<Content, PrepareError> {
        Ok(read(&self.file, &self.options, asked)?.into())
    }
}

/// Reads an NWB 2 file.
///
/// # Errors
/// [`PrepareError::Io`], [`PrepareError::Corrupt`] if it is not HDF5 or ends too early, [`PrepareError::Missing`] if it has no units,
/// no trials, or not what the options name (it says what there is), [`PrepareError::Field`] if a data set contradicts another,
/// [`PrepareError::Link`] if what is needed lies in a file that is not beside it.
pub fn read_nwb(path: impl AsRef<Path>, options: &NwbOptions) -> Result<Recording, PrepareError> {
    read(&File::open(path.as_ref(), &options.link_folders)?, options, Asked::ALL)
}

/// Reads the bytes of an NWB 2 file; `path` is the name that errors give, and where the recording says it is from.
///
/// # Errors
/// As [`read_nwb`].
pub fn read_nwb_bytes(
    path: impl AsRef<Path>,
    bytes: Vec<u8>,
    options: &NwbOptions,
) -> Result<Recording, PrepareError> {
    read(&File::from_bytes(path.as_ref(), bytes)?, options, Asked::ALL)
}

fn eid(file: &File, options: &NwbOptions) -> Result<String, PrepareError> {
    if let Some(eid) = &options.eid {
        return Ok(eid.clone());
    }
    if let Some(identifier) = file.text("/identifier")? {
        return Ok(identifier);
    }
    let session = file.text("/general/session_id")?;
    session.ok_or_else(|| {
        file.missing("/identifier", "every NWB file has one; give the session a name yourself, with --eid")
    })
}

fn read(file: &File, options: &NwbOptions, asked: Asked<'_>) -> Result<Recording, PrepareError> {
    let usual = UsualTrials { align: "start_time".to_owned(), ..UsualTrials::default() };
    let mut recording = Recording { usual, ..Recording::default() };
    let root = file.root()?;
    if root.text_attribute("nwb_version")?.is_none() && file.group("/general")?.is_none() {
        return Err(file.missing(
            "attribute nwb_version and no group /general",
            "it is HDF5 but not NWB 2; convert it first, or read it as temporaldata if it is that",
        ));
    }
    recording.eid = eid(file, options)?;
    let subject = "/general/subject/subject_id";
    recording.subject = file.noted_subject(file.text(subject), subject)?;
    recording.species = file
        .noted(file.text("/general/subject/species"))?
        .map_or(Species::Unknown, |text| Species::named(&text));
    recording.lab = match file.noted(file.text("/general/lab"))? {
        Some(lab) => lab,
        None => file.noted(file.text("/general/institution"))?.unwrap_or_default(),
    };
    read_trials(file, options, &mut recording)?;
    units::read(file, options, &mut recording)?;
    recording.traces = series::read(file, options, asked)?;
    recording.notes = file.take_notes();
    recording.links = file.links();
    Ok(recording)
}

fn read_trials(file: &File, options: &NwbOptions, recording: &mut Recording) -> Result<(), PrepareError> {
    let path = format!("/intervals/{}", options.intervals);
    let Some(group) = file.group(&path)? else {
        let there = match file.group("/intervals")? {
            Some(intervals) => intervals.members()?.groups.join(", "),
            None => String::new(),
        };
        let cure = if there.is_empty() {
            "it has no table of intervals at all, so there are no trials to cut it into".to_owned()
        } else {
            format!("choose another table of intervals, it has: {there}")
        };
        return Err(file.missing(path, cure));
    };
    let needed = ["start_time"];
    let table = Table::open(group, &needed)?;
    recording.trials = table.trials(&needed)?;
    if recording.trials.numbers("start_time").is_none() {
        let cure = "choose another table of intervals with --intervals";
        return Err(file.field(&format!("{path}/start_time"), "is no column of numbers", cure));
    }
    Ok(())
}
