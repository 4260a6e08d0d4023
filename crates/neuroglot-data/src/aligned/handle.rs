//! An open file that remembers what the system refused.
//!
//! Decoders pass on an error of the system as their own, or as words alone. A disk that fails must not be told as a file
//! that is corrupt.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// An open file; clones share it, so that no reader of a part needs a file descriptor of its own.
#[derive(Clone)]
pub(super) struct Handle(Arc<Shared>);

struct Shared {
    file: Mutex<File>,
    length: u64,
    refusal: Mutex<Option<io::Error>>,
}

impl Handle {
    pub(super) fn open(path: &Path) -> io::Result<Handle> {
        let file = neuroglot_files::open(path)?;
        let length = file.metadata()?.len();
        Ok(Handle(Arc::new(Shared { file: Mutex::new(file), length, refusal: Mutex::default() })))
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.0.length
    }

    /// A reader of the file from a place on.
    pub(super) fn at(&self, place: u64) -> Place {
        Place { handle: self.clone(), place }
    }

    /// What the system refused since this was last asked.
    pub(super) fn refusal(&self) -> Option<io::Error> {
        lock(&self.0.refusal).take()
    }

    fn read_at(&self, place: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.0.length.saturating_sub(place);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let mut file = lock(&self.0.file);
        let read = file.seek(SeekFrom::Start(place)).and_then(|_| file.read(&mut buffer[..most]));
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            let same = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            *lock(&self.0.refusal) = Some(same);
        }
        read
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in a file.
pub(super) struct Place {
    handle: Handle,
    place: u64,
}

impl Read for Place {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.handle.read_at(self.place, buffer)?;
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Place {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(step) => self.place.checked_add_signed(step),
            SeekFrom::End(step) => self.handle.length().checked_add_signed(step),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

impl Length for Handle {
    fn len(&self) -> u64 {
        self.length()
    }
}

impl ChunkReader for Handle {
    type T = BufReader<Place>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length()) {
            return Err(ParquetError::EOF(format!("{length} bytes from byte {start} on are not there")));
        }
        let mut bytes = vec![0; length];
        self.at(start).read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}
