//! Record batches of one file, whichever format it has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;

use super::{parquet_file, stream_file};
use crate::DataError;

/// Takes the batches of a file, one after the other.
pub(super) type Visit<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<(), DataError>;

/// Gives the rows of a file to `visit`, with the wanted columns that the file has, and at most `limit` rows.
pub(super) fn visit_batches(
    file: &Path,
    wanted: &dyn Fn(&str) -> bool,
    limit: Option<usize>,
    visit: Visit,
) -> Result<(), DataError> {
    match file.extension() {
        Some(extension) if extension == "arrow" => stream_file::visit_batches(file, wanted, limit, visit),
        _ => parquet_file::visit_batches(file, wanted, limit, visit),
    }
}

/// Gives the columns that `wanted` names of any Parquet file to `visit`, batch by batch.
///
/// # Errors
/// [`DataError::Io`] and [`DataError::Corrupt`], and what `visit` returns.
pub fn visit_parquet(
    file: impl AsRef<Path>,
    wanted: &dyn Fn(&str) -> bool,
    visit: &mut dyn FnMut(RecordBatch) -> Result<(), DataError>,
) -> Result<(), DataError> {
    parquet_file::visit_batches(file.as_ref(), wanted, None, visit)
}

/// Runs one step of a decoder on a file that may be corrupt.
///
/// The decoders' checks are thorough but not complete: some corrupt files make them panic. Such a panic is the same
/// finding as an error, and it must not end a run over many sessions.
pub(super) fn decode<T, E: std::fmt::Display>(
    file: &Path,
    step: impl FnOnce() -> Result<T, E>,
) -> Result<T, DataError> {
    let corrupt = |problem| DataError::Corrupt { file: file.to_owned(), problem };
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(corrupt(error.to_string())),
        Err(_) => Err(corrupt("the decoder gave up".into())),
    }
}
