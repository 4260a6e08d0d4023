//! What a path leads to.

use neuroglot_files::FromIo;
use std::fmt;
use std::path::{Path, PathBuf};

use neuroglot_data::{DataError, Session, SessionHeader};
use serde::{Deserialize, Serialize};

use crate::files::unread::zarr;
use crate::{
    AlfOptions, AlfSource, ArraysSource, Asked, BinnedRecording, NwbOptions, NwbSource, PrepareError,
    Recording, TemporaldataOptions, TemporaldataSource,
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

/// A recording somewhere, whose files are found and not yet read. Each kind of source is one.
pub trait Source: Send {
    /// What kind of source it is, for messages and provenance.
    fn kind(&self) -> &'static str;

    /// Identifier of the session, where it is known before all is read.
    fn eid(&self) -> Option<String>;

    /// The files that are read.
    fn files(&self) -> Vec<PathBuf>;

    /// Reads it, but for behaviours that nobody asks for.
    ///
    /// # Errors
    /// What is wrong with a file, with its name and the cure.
    fn read(&self, asked: Asked<'_>) -> Result<Content, PrepareError>;
}

impl fmt::Debug for dyn Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {:?}", self.kind(), self.files())
    }
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

impl From<Recording> for Content {
    fn from(recording: Recording) -> Content {
        Content::Recording(Box::new(recording))
    }
}

impl From<BinnedRecording> for Content {
    fn from(binned: BinnedRecording) -> Content {
        Content::Binned(Box::new(binned))
    }
}

impl From<Session> for Content {
    fn from(session: Session) -> Content {
        Content::Session(Box::new(session))
    }
}

/// Tells by names what a path leads to, and finds the files of it.
///
/// # Errors
/// [`PrepareError::Option`] if it is no source of any kind, [`PrepareError::Missing`] if it lacks what its kind has.
pub fn open_source(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, PrepareError> {
    if !path.exists() {
        return Err(PrepareError::option(path, "there is no such file or folder, check the path"));
    }
    let eid = options.eid.as_deref();
    if path.is_dir() {
        if let Some(error) = zarr(path) {
            return Err(error);
        }
        return match SessionHeader::read(path) {
            Ok(header) => Ok(Box::new(AlignedSource::open(path, eid.unwrap_or(&header.eid))?)),
            Err(DataError::NoSession { .. }) => Ok(Box::new(AlfSource::open(path, &options.alf)?)),
            Err(error) => Err(error.into()),
        };
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "nwb" => Ok(Box::new(NwbSource::open(path, &options.nwb)?)),
        "h5" | "hdf5" => Ok(Box::new(TemporaldataSource::open(path, &options.temporaldata)?)),
        "toml" => Ok(Box::new(ArraysSource::open(path)?.named(eid))),
        _ => Err(PrepareError::option(
            path,
            "no kind of recording has such a name: sources are IBL session folders, aligned sessions, .nwb files, .h5 \
             files of temporaldata, and .toml files that describe arrays",
        )),
    }
}

/// A session that is aligned already, such as one from the Hugging Face hub.
struct AlignedSource {
    folder: PathBuf,
    files: Vec<PathBuf>,
    eid: String,
}

impl AlignedSource {
    fn open(folder: &Path, eid: &str) -> Result<AlignedSource, PrepareError> {
        Ok(AlignedSource { folder: folder.to_owned(), files: files_below(folder)?, eid: eid.to_owned() })
    }
}

impl Source for AlignedSource {
    fn kind(&self) -> &'static str {
        "aligned"
    }

    fn eid(&self) -> Option<String> {
        Some(self.eid.clone())
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    fn read(&self, _asked: Asked<'_>) -> Result<Content, PrepareError> {
        let session = Session::read(&self.folder)?;
        let session = if session.eid() == self.eid { session } else { session.with_eid(&self.eid)? };
        Ok(session.into())
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
