//! A source in an HDF5 file, whatever format its names and conventions are.

use std::path::{Path, PathBuf};

use super::File;
use crate::{Asked, Content, PrepareError, Recording, Source};

/// What is read of the files of a format, and how.
pub trait Format: Clone + Send {
    /// What kind of source it is, for messages and provenance.
    const KIND: &'static str;

    /// Folders that links may lead into, beside the file's own.
    fn link_folders(&self) -> &[PathBuf];

    /// Identifier of the session.
    ///
    /// # Errors
    /// [`PrepareError`] if it cannot be read, or is neither chosen nor in the file.
    fn eid(&self, file: &File) -> Result<String, PrepareError>;

    /// Reads all but the notes and links of the file.
    ///
    /// # Errors
    /// What is wrong with the file, and the cure.
    fn read(&self, file: &File, asked: Asked<'_>) -> Result<Recording, PrepareError>;
}

/// An open HDF5 file of one format.
pub struct Hdf5Source<F> {
    file: File,
    format: F,
}

impl<F: Format> Hdf5Source<F> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`PrepareError::Io`], and [`PrepareError::Corrupt`] if it is not HDF5 or ends too early.
    pub fn open(path: &Path, options: &F) -> Result<Self, PrepareError> {
        Ok(Hdf5Source { file: File::open(path, options.link_folders())?, format: options.clone() })
    }

    /// Opens the bytes of a file; `path` is the name that errors give, and where the recording says it is from.
    ///
    /// # Errors
    /// As [`Hdf5Source::open`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>, options: &F) -> Result<Self, PrepareError> {
        Ok(Hdf5Source { file: File::from_bytes(path, bytes)?, format: options.clone() })
    }

    /// The recording, but for behaviours that nobody asks for.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn recording(&self, asked: Asked<'_>) -> Result<Recording, PrepareError> {
        let mut recording = self.format.read(&self.file, asked)?;
        recording.notes = self.file.take_notes();
        recording.links = self.file.links();
        Ok(recording)
    }
}

impl<F: Format> Source for Hdf5Source<F> {
    fn kind(&self) -> &'static str {
        F::KIND
    }

    fn eid(&self) -> Option<String> {
        self.format.eid(&self.file).ok()
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.path().to_owned()]
    }

    fn read(&self, asked: Asked<'_>) -> Result<Content, PrepareError> {
        Ok(self.recording(asked)?.into())
    }
}
