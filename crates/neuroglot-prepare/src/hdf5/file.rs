//! An open file.

use std::path::{Path, PathBuf};

use hdf5_reader::error::Error;
use hdf5_reader::{DEFAULT_MAX_CHUNK_BYTES, Hdf5File, OpenOptions};

use super::{Dataset, Group};
use crate::PrepareError;

/// Most bytes that one byte of a compressed file can become: deflate stays under 1:1032.
const MOST_COMPRESSED: u64 = 1100;

/// An open HDF5 file.
pub(crate) struct File {
    inner: Hdf5File,
    path: PathBuf,
    length: u64,
}

impl File {
    /// Opens a file. Its data are read when they are asked for.
    pub(crate) fn open(path: &Path) -> Result<File, PrepareError> {
        let length = std::fs::metadata(path).map_err(PrepareError::io("open", path))?.len();
        File::made(path, length, |options| Hdf5File::open_with_options(path, options))
    }

    /// Opens the bytes of a file; `path` is the name that errors give.
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<File, PrepareError> {
        File::made(path, bytes.len() as u64, |options| Hdf5File::from_vec_with_options(bytes, options))
    }

    fn made(
        path: &Path,
        length: u64,
        open: impl FnOnce(OpenOptions) -> hdf5_reader::error::Result<Hdf5File>,
    ) -> Result<File, PrepareError> {
        let most = usize::try_from(length.saturating_mul(MOST_COMPRESSED)).unwrap_or(usize::MAX);
        // Every data set is read once, so a cache of chunks would only hold memory. External files and links stay
        // unresolved: a recording must not make this program read other files.
        let options = OpenOptions::default()
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(most.min(DEFAULT_MAX_CHUNK_BYTES))
            .with_max_read_bytes(most)
            .with_max_object_header_bytes((1 << 22).min(most));
        let inner = open(options).map_err(|error| match error {
            Error::Io(source) => PrepareError::Io { action: "open", path: path.to_owned(), source },
            Error::InvalidMagic => {
                PrepareError::Corrupt { file: path.to_owned(), problem: "it is not an HDF5 file".to_owned() }
            }
            error => PrepareError::Corrupt { file: path.to_owned(), problem: error.to_string() },
        })?;
        let superblock = inner.superblock();
        let end = superblock.base_address.saturating_add(superblock.eof_address);
        if end > length {
            let problem = format!("it has {length} of {end} bytes");
            return Err(PrepareError::Corrupt { file: path.to_owned(), problem });
        }
        Ok(File { inner, path: path.to_owned(), length })
    }

    /// The file, as errors name it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Most bytes that a data set can have, once decompressed.
    pub(crate) fn most_bytes(&self, compressed: bool) -> u64 {
        if compressed { self.length.saturating_mul(MOST_COMPRESSED) } else { self.length }
    }

    pub(super) fn inner(&self) -> &Hdf5File {
        &self.inner
    }

    /// The group that holds all others.
    pub(crate) fn root(&self) -> Result<Group<'_>, PrepareError> {
        let inner = self.inner.root_group().map_err(|error| self.error("/", error))?;
        Ok(Group::new(self, inner, String::new()))
    }

    /// A group by its path, if there is one.
    pub(crate) fn group(&self, path: &str) -> Result<Option<Group<'_>>, PrepareError> {
        let mut group = self.root()?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match group.group(name)? {
                Some(child) => group = child,
                None => return Ok(None),
            }
        }
        Ok(Some(group))
    }

    /// A data set by its path, if there is one.
    pub(crate) fn dataset(&self, path: &str) -> Result<Option<Dataset<'_>>, PrepareError> {
        let (group, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.group(group)? {
            Some(group) => group.dataset(name),
            None => Ok(None),
        }
    }

    /// The text of a data set of one text, trimmed, if it is there and not empty.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, PrepareError> {
        let Some(dataset) = self.dataset(path)? else { return Ok(None) };
        let text = dataset.texts()?.into_iter().next().unwrap_or_default();
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// What the decoder says, with the file and the object that it says it of.
    pub(super) fn error(&self, object: &str, error: Error) -> PrepareError {
        let mut inner = &error;
        while let Error::Context { source, .. } = inner {
            inner = source;
        }
        match inner {
            Error::UnsupportedFilter(_)
            | Error::UnsupportedEncoding(_)
            | Error::UnsupportedDatatypeClass(_) => self.field(
                object,
                format!("cannot be read ({error})"),
                "rewrite the file with h5repack -f GZIP=4",
            ),
            Error::TypeMismatch { .. } => {
                self.field(object, format!("has another type of values ({error})"), "choose another one")
            }
            _ => PrepareError::Corrupt { file: self.path.clone(), problem: format!("{object}: {error}") },
        }
    }

    /// Something is wrong with an object of this file.
    pub(crate) fn field(&self, object: &str, problem: impl Into<String>, cure: &'static str) -> PrepareError {
        PrepareError::Field {
            file: self.path.clone(),
            field: object.to_owned(),
            problem: problem.into(),
            cure,
        }
    }

    /// Something is not in this file.
    pub(crate) fn missing(&self, what: impl Into<String>, cure: impl Into<String>) -> PrepareError {
        PrepareError::Missing { place: self.path.clone(), what: what.into(), cure: cure.into() }
    }
}

/// Whether an error says that nothing of that name is there.
pub(super) fn is_absence(error: &Error) -> bool {
    match error {
        Error::GroupNotFound(_) | Error::DatasetNotFound(_) | Error::AttributeNotFound(_) => true,
        Error::Context { source, .. } => is_absence(source),
        _ => false,
    }
}
