//! NWB 2 files (Neurodata Without Borders): units, trials, time series.

mod electrodes;
mod observed;
mod series;
mod units;

use std::path::PathBuf;

use crate::hdf5::{File, Format, Hdf5Source, Table, TraceSelection, UnitColumns};
use crate::{Asked, PrepareError, Recording, Species, UsualTrials};

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

/// An open NWB 2 file. Reading it fails if it has no units, no trials, or not what the options name; if a data set contradicts
/// another; and if what is needed lies in a file that is not beside it.
pub type NwbSource = Hdf5Source<NwbOptions>;

impl Format for NwbOptions {
    const KIND: &'static str = "nwb";

    fn link_folders(&self) -> &[PathBuf] {
        &self.link_folders
    }

    fn eid(&self, file: &File) -> Result<String, PrepareError> {
        if let Some(eid) = &self.eid {
            return Ok(eid.clone());
        }
        if let Some(identifier) = file.text("/identifier")? {
            return Ok(identifier);
        }
        let session = file.text("/general/session_id")?;
        session.ok_or_else(|| {
            file.missing(
                "/identifier",
                "every NWB file has one; give the session a name yourself, with --eid",
            )
        })
    }

    fn read(&self, file: &File, asked: Asked<'_>) -> Result<Recording, PrepareError> {
        let usual = UsualTrials { align: "start_time".to_owned(), ..UsualTrials::default() };
        let mut recording = Recording { usual, ..Recording::default() };
        let root = file.root()?;
        if root.text_attribute("nwb_version")?.is_none() && file.group("/general")?.is_none() {
            return Err(file.missing(
                "attribute nwb_version and no group /general",
                "it is HDF5 but not NWB 2; convert it first, or read it as temporaldata if it is that",
            ));
        }
        recording.eid = self.eid(file)?;
        let subject = "/general/subject/subject_id";
        recording.subject = file.noted_subject(file.text(subject), subject)?;
        recording.species = file
            .noted(file.text("/general/subject/species"))?
            .map_or(Species::Unknown, |text| Species::named(&text));
        recording.lab = match file.noted(file.text("/general/lab"))? {
            Some(lab) => lab,
            None => file.noted(file.text("/general/institution"))?.unwrap_or_default(),
        };
        read_trials(file, self, &mut recording)?;
        units::read(file, self, &mut recording)?;
        recording.traces = series::read(file, self, asked)?;
        Ok(recording)
    }
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
