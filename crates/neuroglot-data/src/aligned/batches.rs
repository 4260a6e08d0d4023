//! Record batches of one file, whichever format it has.

use std::path::Path;

use arrow_array::RecordBatch;

use super::handle::Handle;
use super::{parquet_file, stream_file};
use crate::{DataError, catch_decoder_panic};

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

/// The decoder of a file that may be corrupt.
pub(super) struct Decoder<'a> {
    pub file: &'a Path,
    /// Where the file is read as it is decoded.
    pub handle: Option<&'a Handle>,
}

impl Decoder<'_> {
    /// Runs one step.
    ///
    /// The decoders' checks are thorough but not complete: some corrupt files make them panic. Such a panic is the same
    /// finding as an error, and it must not end a run over many sessions.
    pub(super) fn step<T, E: std::fmt::Display>(
        &self,
        step: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, DataError> {
        let result = catch_decoder_panic(step);
        // What the system refuses is nothing that the file is to blame for, whatever the decoder makes of it.
        if let Some(refusal) = self.handle.and_then(Handle::refusal) {
            return Err(DataError::io("read", self.file)(refusal));
        }
        let corrupt = |problem| DataError::Corrupt { file: self.file.to_owned(), problem };
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(corrupt(error.to_string())),
            Err(_) => Err(corrupt("the decoder gave up".into())),
        }
    }
}
