//! What a path leads to.

use std::path::{Path, PathBuf};

use neuroglot_data::{DataError, Session};
use serde::{Deserialize, Serialize};

use crate::files::unread::zarr;
use crate::{
    AlfOptions, AlfSource, ArraysSource, BinnedRecording, NwbOptions, PrepareError, Recording,
    TemporaldataOptions, nwb_eid, read_nwb, read_temporaldata, temporaldata_eid,
};

/// Options of all readers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOptions {
    /// Session folders of the IBL.
    pub alf: AlfOptions,
    /// NWB files.
    pub nwb: NwbOptions,
    /// temporaldata files.
    pub temporaldata: TemporaldataOptions,
    /// Identifier of the session of arrays, or of one that is aligned already; their own if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eid: Option<String>,
}

/// A source whose files are found and not yet read.
#[derive(Debug, Clone)]
pub enum Source {
    /// A session folder of the IBL.
    Alf(AlfSource),
    /// Plain arrays.
    Arrays(ArraysSource),
    /// An NWB 2 file.
    Nwb(PathBuf, NwbOptions),
    /// A temporaldata file.
    Temporaldata(PathBuf, TemporaldataOptions),
    /// A session that is aligned already, such as one from the Hugging Face hub.
    Aligned(PathBuf, Option<String>),
}

/// What a source holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// A recording, to be cut into trials.
    Recording(Box<Recording>),
    /// Counts of trials, without regions and a split.
    Binned(Box<BinnedRecording>),
    /// A session that needs no more than to be checked and copied.
    Session(Box<Session>),
}

impl Source {
    /// Tells by names what a path leads to, and finds the files of it.
    ///
    /// # Errors
    /// [`PrepareError::Option`] if it is no source of any kind, [`PrepareError::Missing`] if it lacks what its kind has.
    pub fn open(path: &Path, options: &SourceOptions) -> Result<Source, PrepareError> {
        if !path.exists() {
            return Err(PrepareError::Option {
                place: path.to_owned(),
                problem: "there is no such file or folder, check the path".to_owned(),
            });
        }
        if path.is_dir() {
            if let Some(error) = zarr(path) {
                return Err(error);
            }
            return match neuroglot_data::SessionHeader::read(path) {
                Ok(_) => Ok(Source::Aligned(path.to_owned(), options.eid.clone())),
                Err(DataError::NoSession { .. }) => Ok(Source::Alf(AlfSource::open(path, &options.alf)?)),
                Err(error) => Err(error.into()),
            };
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "nwb" => Ok(Source::Nwb(path.to_owned(), options.nwb.clone())),
            "h5" | "hdf5" => Ok(Source::Temporaldata(path.to_owned(), options.temporaldata.clone())),
            "toml" => Ok(Source::Arrays(ArraysSource::open(path)?.named(options.eid.as_deref()))),
            _ => Err(PrepareError::Option {
                place: path.to_owned(),
                problem: "no kind of recording has such a name: sources are IBL session folders, aligned sessions, .nwb \
                          files, .h5 files of temporaldata, and .toml files that describe arrays"
                    .to_owned(),
            }),
        }
    }

    /// What kind of source it is, for messages and provenance.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::Alf(_) => "ibl-alf",
            Source::Arrays(_) => "arrays",
            Source::Nwb(..) => "nwb",
            Source::Temporaldata(..) => "temporaldata",
            Source::Aligned(..) => "aligned",
        }
    }

    /// Identifier of the session, where it is known before anything is read.
    pub fn eid(&self) -> Option<String> {
        match self {
            Source::Alf(source) => Some(source.eid().to_owned()),
            Source::Arrays(source) => Some(source.eid().to_owned()),
            Source::Nwb(file, options) => nwb_eid(file, options).ok(),
            Source::Temporaldata(file, options) => temporaldata_eid(file, options).ok(),
            Source::Aligned(_, Some(eid)) => Some(eid.clone()),
            Source::Aligned(folder, None) => {
                neuroglot_data::SessionHeader::read(folder).ok().map(|header| header.eid)
            }
        }
    }

    /// The files that are read.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn files(&self) -> Result<Vec<PathBuf>, PrepareError> {
        match self {
            Source::Alf(source) => Ok(source.files()),
            Source::Arrays(source) => Ok(source.files()),
            Source::Nwb(file, _) | Source::Temporaldata(file, _) => Ok(vec![file.clone()]),
            Source::Aligned(folder, _) => files_below(folder),
        }
    }

    /// Reads it. Of the traces, only those that `wanted` names.
    ///
    /// # Errors
    /// What is wrong with a file, with its name and the cure.
    pub fn read(&self, wanted: &(dyn Fn(&str) -> bool + Sync)) -> Result<Content, PrepareError> {
        Ok(match self {
            Source::Alf(source) => Content::Recording(Box::new(source.read(wanted)?)),
            Source::Arrays(source) => source.read(wanted)?,
            Source::Nwb(file, options) => Content::Recording(Box::new(read_nwb(file, options)?)),
            Source::Temporaldata(file, options) => {
                Content::Recording(Box::new(read_temporaldata(file, options)?))
            }
            Source::Aligned(folder, eid) => {
                let session = Session::read(folder)?;
                Content::Session(Box::new(match eid {
                    Some(eid) => session.with_eid(eid)?,
                    None => session,
                }))
            }
        })
    }
}

/// All files in a folder and the folders in it, sorted.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, PrepareError> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().map_err(PrepareError::io("list", &folder))? {
            let entry = entry.map_err(PrepareError::io("list", &folder))?;
            // Links to folders are not followed, so that none leads in a circle.
            match entry.file_type().map_err(PrepareError::io("read", entry.path()))? {
                kind if kind.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}
