//! An open file.

use neuroglot_files::FromIo;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hdf5_reader::error::Error;
use hdf5_reader::{DEFAULT_MAX_CHUNK_BYTES, FileStorage, Hdf5File, OpenOptions};

use super::links::{Folder, NotFollowed};
use super::{Dataset, Group, filters, references};
use crate::files::unread::{not_hdf5, unread};
use crate::{Links, PrepareError};

/// First bytes of a file, which say what it is if it is no HDF5.
const HEAD: u64 = 64;

/// Most bytes that one byte of a compressed file can become: deflate stays under 1:1032.
const MOST_COMPRESSED: u64 = 1100;

/// Most files that the links of one file are followed into.
const MOST_FILES: usize = 64;

/// The storage layout of data sets that are made of pieces of others, in the format's numbering.
const VIRTUAL: u8 = 3;

/// An open HDF5 file.
pub struct File {
    inner: Hdf5File,
    path: PathBuf,
    length: u64,
    /// The path without symbolic links; nothing of bytes.
    real: Option<PathBuf>,
    /// Which of the files that links led to it is; that which was given is 0.
    number: usize,
    /// The file that a link led to next.
    next: OnceLock<Box<File>>,
    /// Folders that links may lead into: its own, and those that the user named.
    folders: Vec<Folder>,
    /// Files that links name and that are not there.
    absent: Mutex<BTreeSet<PathBuf>>,
    /// Paths of its objects by address.
    objects: OnceLock<BTreeMap<u64, String>>,
    /// What whoever reads it wants said, of the file that was given.
    notes: Mutex<Vec<String>>,
}

impl File {
    /// Opens a file. Its data are read when they are asked for. Links into other files are followed to those in its folder and
    /// in `folders`.
    pub(crate) fn open(path: &Path, folders: &[PathBuf]) -> Result<File, PrepareError> {
        let mut file = File::at(path)?;
        file.real = path.canonicalize().ok();
        let own = path.parent().into_iter();
        file.folders = own.chain(folders.iter().map(PathBuf::as_path)).filter_map(Folder::of).collect();
        Ok(file)
    }

    fn at(path: &Path) -> Result<File, PrepareError> {
        let mut file = neuroglot_files::open(path).map_err(PrepareError::io("open", path))?;
        let length = file.metadata().map_err(PrepareError::io("open", path))?.len();
        let mut head = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut head).map_err(PrepareError::io("read", path))?;
        File::made(path, length, &head, |options| {
            let storage = FileStorage::from_file(file)?;
            Hdf5File::from_storage_with_options(Arc::new(storage), options)
        })
    }

    /// Opens the bytes of a file; `path` is the name that errors give.
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<File, PrepareError> {
        let head = bytes[..bytes.len().min(HEAD as usize)].to_vec();
        let length = bytes.len() as u64;
        File::made(path, length, &head, |options| Hdf5File::from_vec_with_options(bytes, options))
    }

    fn made(
        path: &Path,
        length: u64,
        head: &[u8],
        open: impl FnOnce(OpenOptions) -> hdf5_reader::error::Result<Hdf5File>,
    ) -> Result<File, PrepareError> {
        let most = usize::try_from(length.saturating_mul(MOST_COMPRESSED)).unwrap_or(usize::MAX);
        // Every data set is read once, so a cache of chunks would only hold memory. The decoder resolves no other files:
        // which of them may be read is decided in `File::linked`.
        let options = OpenOptions::default()
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(most.min(DEFAULT_MAX_CHUNK_BYTES))
            .with_max_read_bytes(most)
            .with_max_object_header_bytes((1 << 22).min(most))
            .with_filter_registry(filters::registry());
        let inner = open(options).map_err(|error| match error {
            Error::Io(source) => PrepareError::io("open", path)(source),
            Error::InvalidMagic => {
                not_hdf5(head, path).unwrap_or_else(|| PrepareError::corrupt(path, "it is not an HDF5 file"))
            }
            error => PrepareError::corrupt(path, error.to_string()),
        })?;
        let end = end_of(&inner).map_err(|error| PrepareError::corrupt(path, error.to_string()))?;
        if end > length {
            return Err(PrepareError::corrupt(path, format!("it has {length} of {end} bytes")));
        }
        Ok(File {
            inner,
            path: path.to_owned(),
            length,
            real: None,
            number: 0,
            next: OnceLock::new(),
            folders: Vec::new(),
            absent: Mutex::default(),
            objects: OnceLock::new(),
            notes: Mutex::default(),
        })
    }

    /// The file that a link in `from` calls `name`; both belong to this file, which was given.
    pub(super) fn linked(&self, from: &File, name: &str) -> Result<&File, NotFollowed> {
        let refused = |problem: String, cure: String| Err((problem, cure));
        let path = from.path.parent().unwrap_or(Path::new("")).join(name);
        let beside = format!("put {} into the folder of {}", path.display(), self.path.display());
        if self.folders.is_empty() {
            return refused(
                "which is not at hand".to_owned(),
                "read it from a folder that has both".to_owned(),
            );
        }
        let outside = || {
            let cure = format!("{beside}, or allow its folder with --link-folder");
            refused("which lies outside the folders that links are followed into".to_owned(), cure)
        };
        if !self.folders.iter().any(|folder| folder.is_said_to_hold(&path)) {
            return outside();
        }
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.absent.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
                return refused("which is not there".to_owned(), beside);
            }
            Err(error) => return refused(format!("which cannot be opened ({error})"), beside),
        };
        let mut last = self;
        loop {
            if last.real.as_ref() == Some(&real) {
                return Ok(last);
            }
            match last.next.get() {
                Some(next) => last = next,
                None => break,
            }
        }
        if !self.folders.iter().any(|folder| folder.holds(&real)) {
            return outside();
        }
        if last.number >= MOST_FILES {
            let problem = format!("after links to {MOST_FILES} other files");
            return refused(problem, "copy what is needed into one file with h5repack".to_owned());
        }
        // A pipe would be waited for without end.
        if !real.is_file() {
            return refused("which is no file".to_owned(), beside);
        }
        let mut file = match File::at(&real) {
            Ok(file) => file,
            Err(error) => return refused(format!("which cannot be read ({error})"), beside),
        };
        (file.path, file.real, file.number) = (path, Some(real), last.number + 1);
        Ok(last.next.get_or_init(|| Box::new(file)))
    }

    /// What links led to: files that were read, and files that are not there.
    pub(crate) fn links(&self) -> Links {
        let followed = std::iter::successors(self.next_file(), |file| file.next_file());
        Links {
            followed: followed.map(|file| file.path.clone()).collect(),
            absent: self.absent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect(),
        }
    }

    fn next_file(&self) -> Option<&File> {
        self.next.get().map(Box::as_ref)
    }

    /// Which of the files that links led to it is.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Path of the object at an address, which references give.
    pub(super) fn path_of(&self, address: u64) -> Option<&str> {
        let objects = self.objects.get_or_init(|| references::objects(&self.inner));
        objects.get(&address).map(String::as_str)
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
        self.root_among(self)
    }

    /// The group that holds all others, of a file that links of `main` led to.
    pub(super) fn root_among<'f>(&'f self, main: &'f File) -> Result<Group<'f>, PrepareError> {
        let inner = self.inner.root_group().map_err(|error| self.error("/", error))?;
        Ok(Group { file: self, main, inner, path: String::new() })
    }

    /// A group by its path, if there is one.
    pub(crate) fn group(&self, path: &str) -> Result<Option<Group<'_>>, PrepareError> {
        self.root()?.group(path)
    }

    /// A data set by its path, if there is one.
    pub(crate) fn dataset(&self, path: &str) -> Result<Option<Dataset<'_>>, PrepareError> {
        self.root()?.dataset(path)
    }

    /// The text of a data set of one text, trimmed, if it is there and not empty.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, PrepareError> {
        let Some(dataset) = self.dataset(path)? else { return Ok(None) };
        let text = dataset.texts()?.into_iter().next().unwrap_or_default();
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// What the decoder found of an object, if it is there.
    pub(super) fn unless_absent<T>(
        &self,
        object: &str,
        found: hdf5_reader::error::Result<T>,
    ) -> Result<Option<T>, PrepareError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(self.error(object, error)),
        }
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
            | Error::UnsupportedDatatypeClass(_) => unread(
                &self.path,
                format!("a feature of HDF5 in {object} ({error})"),
                "make a copy in its plainest form: h5repack -f NONE IN OUT",
            ),
            Error::UnsupportedLayoutClass(VIRTUAL) => unread(
                &self.path,
                format!("a virtual data set, whose values lie in other files, at {object}"),
                format!("make a copy that has the values: h5repack -l {object}:CONTI IN OUT"),
            ),
            // A file that is long enough may well have chunks of this length.
            Error::ResourceLimit(_) if self.most_bytes(true) > DEFAULT_MAX_CHUNK_BYTES as u64 => unread(
                &self.path,
                format!("chunks of more than 256 MiB in {object} ({error})"),
                format!("make a copy with smaller ones: h5repack -l {object}:CHUNK=1000000 IN OUT"),
            ),
            Error::TypeMismatch { .. } => {
                self.field(object, format!("has another type of values ({error})"), "choose another one")
            }
            Error::Io(source) if source.raw_os_error().is_some() => {
                let source = std::io::Error::from_raw_os_error(source.raw_os_error().unwrap_or_default());
                PrepareError::io("read", &self.path)(source)
            }
            _ => PrepareError::corrupt(&self.path, format!("{object}: {error}")),
        }
    }

    /// Notes what should be known of what was read.
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note.into());
    }

    /// All that was noted since this was last asked, in order.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is good to have and can be done without: where it cannot be read, a note says why.
    pub(crate) fn noted<T>(&self, read: Result<Option<T>, PrepareError>) -> Result<Option<T>, PrepareError> {
        match read {
            Err(error) if !matches!(error, PrepareError::Io(_)) => {
                self.note(format!("passed over: {error}"));
                Ok(None)
            }
            read => read,
        }
    }

    /// The animal, as far as it can be read; a note says where `object`, which names it, is not there.
    pub(crate) fn noted_subject(
        &self,
        read: Result<Option<String>, PrepareError>,
        object: &str,
    ) -> Result<String, PrepareError> {
        let subject = self.noted(read)?;
        if subject.is_none() {
            self.note(format!("{object} is not there: the animal is not known"));
        }
        Ok(subject.unwrap_or_default())
    }

    /// Something is wrong with an object of this file.
    pub(crate) fn field(&self, object: &str, problem: impl Into<String>, cure: &'static str) -> PrepareError {
        PrepareError::field(&self.path, object, problem, cure)
    }

    /// Something is not in this file.
    pub(crate) fn missing(&self, what: impl Into<String>, cure: impl Into<String>) -> PrepareError {
        PrepareError::missing(&self.path, what, cure)
    }
}

/// Where a file should end, counted from its first byte.
fn end_of(file: &Hdf5File) -> hdf5_reader::error::Result<u64> {
    let superblock = file.superblock();
    // The end was noted from where the superblock was taken to be, which it is no more if a user block was put before it
    // later. What is behind the user block is all that the storage has.
    let place = match superblock.version {
        0 => 24,
        1 => 28,
        _ => 12,
    };
    let noted = file.storage().read_range(place, usize::from(superblock.offset_size))?;
    let noted = noted.iter().rev().fold(0, |base, &byte| base << 8 | u64::from(byte));
    Ok(superblock.eof_address.saturating_sub(noted).saturating_add(superblock.base_address))
}

/// Whether an error says that nothing of that name is there.
fn is_absence(error: &Error) -> bool {
    match error {
        Error::GroupNotFound(_) | Error::DatasetNotFound(_) | Error::AttributeNotFound(_) => true,
        Error::Context { source, .. } => is_absence(source),
        _ => false,
    }
}
