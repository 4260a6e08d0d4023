//! Reading that ends, whatever lies at a path.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Most bytes of a file that a person writes: settings, a study, a description, a list.
pub const SETTINGS: u64 = 16 << 20;

/// Most bytes of a file of results or descriptions that a command wrote.
pub const RESULTS: u64 = 4 << 30;

/// Why a file is not read although the system would give its bytes. It is the inner error of an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Something else lies there.
    #[error("it is a {0}, not a file")]
    NotAFile(&'static str),
    /// There is more than such a file can have.
    #[error("it is longer than {most} bytes, the most that such a file has")]
    TooLong {
        /// Most bytes.
        most: u64,
    },
    /// There is more than fits into memory.
    #[error("its {bytes} bytes do not fit into memory")]
    TooLargeForMemory {
        /// Length of the file, bytes.
        bytes: u64,
    },
    /// A text was expected.
    #[error("it is no text in UTF-8")]
    NotText,
}

impl From<Unreadable> for io::Error {
    fn from(problem: Unreadable) -> io::Error {
        let kind = match problem {
            Unreadable::NotAFile(_) => ErrorKind::InvalidInput,
            Unreadable::TooLong { .. } => ErrorKind::FileTooLarge,
            Unreadable::TooLargeForMemory { .. } => ErrorKind::OutOfMemory,
            Unreadable::NotText => ErrorKind::InvalidData,
        };
        io::Error::new(kind, problem)
    }
}

/// Opens a plain file, or a link to one, for reading.
///
/// # Errors
/// What the system says, and [`Unreadable::NotAFile`]. A pipe is not waited for.
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    // Looked at before it is opened: opening a pipe waits for its other end.
    check_kind(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    check_kind(&file.metadata()?)?;
    Ok(file)
}

/// The SHA-256 of a file, of any length, in hexadecimal digits.
///
/// # Errors
/// Those of [`open`], and what the system says.
pub fn sha256(path: impl AsRef<Path>) -> io::Result<String> {
    sha256_of(open(path)?)
}

/// The SHA-256 of all that can be read, in hexadecimal digits.
///
/// # Errors
/// What the system says.
pub fn sha256_of(mut bytes: impl Read) -> io::Result<String> {
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match bytes.read(&mut block) {
            Ok(0) => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(count) => hash.update(&block[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The bytes of a plain file of at most `most` bytes.
///
/// # Errors
/// What the system says, and [`Unreadable`].
pub fn read(path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    if length > most {
        return Err(Unreadable::TooLong { most }.into());
    }
    let mut bytes = Vec::new();
    // One more byte is what shows the end.
    let room = usize::try_from(length).ok().and_then(|length| length.checked_add(1));
    if room.is_none_or(|room| bytes.try_reserve_exact(room).is_err()) {
        return Err(Unreadable::TooLargeForMemory { bytes: length }.into());
    }
    fill(file, most, &mut bytes)?;
    Ok(bytes)
}

/// The text of a plain file of at most `most` bytes, in UTF-8.
///
/// # Errors
/// As [`read`].
pub fn read_text(path: impl AsRef<Path>, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| Unreadable::NotText.into())
}

/// As [`read_text`], of whatever the path leads to: for files that are named on the command line, where
/// `<(find … -name '*.nwb')` and `/dev/stdin` are of use.
///
/// # Errors
/// What the system says, and [`Unreadable`] as soon as more than `most` bytes came.
pub fn read_stream(path: impl AsRef<Path>, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    fill(File::open(path)?, most, &mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Unreadable::NotText.into())
}

fn fill(file: File, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    file.take(most.saturating_add(1)).read_to_end(bytes)?;
    if bytes.len() as u64 > most { Err(Unreadable::TooLong { most }.into()) } else { Ok(()) }
}

fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    match kind(metadata) {
        None => Ok(()),
        Some(kind) => Err(Unreadable::NotAFile(kind).into()),
    }
}

/// What something is, if it is no plain file.
fn kind(metadata: &fs::Metadata) -> Option<&'static str> {
    if metadata.is_file() {
        return None;
    }
    if metadata.is_dir() {
        return Some("folder");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let of = metadata.file_type();
        if of.is_fifo() {
            return Some("pipe");
        }
        if of.is_socket() {
            return Some("socket");
        }
    }
    Some("device")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(error: &io::Error) -> Option<&Unreadable> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    #[test]
    fn files_are_read_up_to_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs::write(&path, "seed = 1").unwrap();
        assert_eq!(read(&path, 8).unwrap(), b"seed = 1");
        assert_eq!(read_text(&path, 100).unwrap(), "seed = 1");
        assert_eq!(read_stream(&path, 8).unwrap(), "seed = 1");
        for error in [read(&path, 7).unwrap_err(), read_stream(&path, 7).unwrap_err()] {
            assert_eq!(problem(&error), Some(&Unreadable::TooLong { most: 7 }));
        }
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(problem(&read_text(&path, 8).unwrap_err()), Some(&Unreadable::NotText));
        assert_eq!(read(folder.path().join("no"), 8).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(problem(&read(folder.path(), 8).unwrap_err()), Some(&Unreadable::NotAFile("folder")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_never_ends_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("model.safetensors");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(problem(&open(&link).unwrap_err()), Some(&Unreadable::NotAFile("device")));
        assert_eq!(problem(&read(&link, u64::MAX).unwrap_err()), Some(&Unreadable::NotAFile("device")));
        assert_eq!(problem(&read_stream(&link, 99).unwrap_err()), Some(&Unreadable::TooLong { most: 99 }));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(problem(&open(&pipe).unwrap_err()), Some(&Unreadable::NotAFile("pipe")));
        // Room for a file without content is refused, not filled with zeros.
        let sparse = folder.path().join("sparse");
        File::create(&sparse).unwrap().set_len(1 << 42).unwrap();
        assert_eq!(
            problem(&read(&sparse, 1 << 40).unwrap_err()),
            Some(&Unreadable::TooLong { most: 1 << 40 })
        );
    }
}
