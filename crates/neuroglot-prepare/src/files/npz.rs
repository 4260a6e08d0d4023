//! NumPy's `.npz` archives of arrays.

use neuroglot_files::FromIo;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::npy::NpySource;
use super::unread::unread;
use crate::PrepareError;
use neuroglot_data::text::listed;

/// Most that deflate makes of a byte.
const MOST_DEFLATED: u64 = 1032;

/// Memory that every array may take, bytes, however well it was packed; more is for those that
/// [`USUALLY_PACKED`] allows.
const FREE_MEMORY: u64 = 32 << 20;

/// Arrays of recordings take at most this many times the memory that they take packed.
const USUALLY_PACKED: u64 = 256;

/// Names of arrays that a message lists.
const LISTED: usize = 20;

const BUFFER: usize = 1 << 16;

/// Calls `read` with the array `name` of an archive; `field` is what messages call it.
///
/// # Errors
/// [`PrepareError::Io`]; [`PrepareError::Corrupt`], if the archive is damaged or the array is not as long as it claims;
/// [`PrepareError::Missing`], if there is no such array; what `read` returns.
pub(crate) fn with_npz_array<T>(
    file: &Path,
    name: &str,
    field: &str,
    read: impl FnOnce(NpySource<'_>) -> Result<T, PrepareError>,
) -> Result<T, PrepareError> {
    let handle = neuroglot_files::open(file).map_err(PrepareError::io("open", file))?;
    let size = handle.metadata().map_err(PrepareError::io("open", file))?.len();
    with_array_of(BufReader::with_capacity(BUFFER, handle), size, file, name, field, read)
}

/// As [`with_npz_array`], of an archive of `size` bytes.
pub(crate) fn with_array_of<T>(
    archive: impl Read + Seek,
    size: u64,
    file: &Path,
    name: &str,
    field: &str,
    read: impl FnOnce(NpySource<'_>) -> Result<T, PrepareError>,
) -> Result<T, PrepareError> {
    let corrupt = |problem: String| PrepareError::corrupt(file, format!("array {name}: {problem}"));
    let refused = |error: ZipError| match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => unread(
            file,
            format!("a form of ZIP for array {name} ({error})"),
            "write it again: python -c \"import numpy as np; np.savez('OUT.npz', **np.load('IN.npz'))\"",
        ),
        error => match PrepareError::damaged(file)(error.into()) {
            PrepareError::Corrupt { problem, .. } => corrupt(problem),
            error => error,
        },
    };
    let mut archive = ZipArchive::new(archive).map_err(refused)?;
    let own = format!("{name}.npy");
    let Some(place) = archive.index_for_name(&own).or_else(|| archive.index_for_name(name)) else {
        let cure = format!("it has {}", listed(&array_names(&archive), "none"));
        return Err(PrepareError::missing(file, format!("array {name}"), cure));
    };
    let mut member = archive.by_index(place).map_err(refused)?;
    let length = member.size();
    let packed = member.compressed_size().min(size);
    let possible = match member.compression() {
        CompressionMethod::Stored => packed,
        _ => packed.saturating_mul(MOST_DEFLATED),
    };
    if length > possible {
        return Err(corrupt(format!("it claims {length} bytes, packed in {packed}")));
    }
    let memory = FREE_MEMORY.max(packed.saturating_mul(USUALLY_PACKED));
    let result = read(NpySource { reader: &mut member, size: length, memory: Some(memory), file, field });
    let result = result.map_err(|error| match error {
        PrepareError::Corrupt { problem, .. } => corrupt(problem),
        error => error,
    })?;
    // The checksum is compared at the end.
    match member.read(&mut [0]) {
        Ok(0) => Ok(result),
        Ok(_) => Err(corrupt("it is longer than it claims".to_owned())),
        Err(error) => Err(refused(error.into())),
    }
}

fn array_names(archive: &ZipArchive<impl Read + Seek>) -> Vec<String> {
    let names = archive.file_names().filter_map(Result::ok);
    names.take(LISTED).map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_owned()).collect()
}
