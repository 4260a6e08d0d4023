//! Record batches of one file, whichever format it has.

use neuroglot_files::FromIo;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use super::handle::Handle;
use super::{parquet_file, stream_file};
use crate::{DataError, catch_decoder_panic};

/// How a Parquet file becomes one that is read.
const REWRITE_PARQUET: &str =
    "write it again: python -c \"import pyarrow.parquet as pq; pq.write_table(pq.read_table('IN'), 'OUT')\"";

/// How an Arrow file becomes one that is read.
const REWRITE_ARROW: &str = "write it again as a plain stream: python -c \"import pyarrow as pa; m = pa.memory_map('IN'); \
     t = (pa.ipc.open_file if m.read(6) == b'ARROW1' else pa.ipc.open_stream)(pa.memory_map('IN')).read_all(); \
     w = pa.ipc.new_stream('OUT', t.schema); w.write_table(t); w.close()\"";

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

/// Why a file cannot be decoded.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// It is corrupt, and so.
    Corrupt(String),
    /// It uses something that is not read.
    Unread(String),
    /// It cannot be read without keys.
    Encrypted,
}

impl From<String> for Refusal {
    fn from(problem: String) -> Refusal {
        Refusal::Corrupt(problem)
    }
}

impl From<&str> for Refusal {
    fn from(problem: &str) -> Refusal {
        Refusal::Corrupt(problem.to_owned())
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Refusal {
        Refusal::Corrupt(error.to_string())
    }
}

impl From<ParquetError> for Refusal {
    fn from(error: ParquetError) -> Refusal {
        match error {
            ParquetError::NYI(what) => Refusal::Unread(what),
            error => Refusal::Corrupt(error.to_string()),
        }
    }
}

impl From<ArrowError> for Refusal {
    fn from(error: ArrowError) -> Refusal {
        match error {
            ArrowError::NotYetImplemented(what) => Refusal::Unread(what),
            error => Refusal::Corrupt(error.to_string()),
        }
    }
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
    pub(super) fn step<T, E: Into<Refusal>>(
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
            Ok(Err(error)) => Err(match error.into() {
                Refusal::Corrupt(problem) => corrupt(problem),
                Refusal::Encrypted => DataError::Unread {
                    file: self.file.to_owned(),
                    feature: "encryption".to_owned(),
                    cure: "write it again without, where its keys are known",
                },
                Refusal::Unread(feature) => DataError::Unread {
                    file: self.file.to_owned(),
                    feature,
                    cure: match self.file.extension() {
                        Some(extension) if extension == "arrow" => REWRITE_ARROW,
                        _ => REWRITE_PARQUET,
                    },
                },
            }),
            Err(_) => Err(corrupt("the decoder gave up".into())),
        }
    }
}
