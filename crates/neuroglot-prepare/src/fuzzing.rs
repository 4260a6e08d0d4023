//! Readers as fuzzers and tests of hostile files call them.

use std::io::Cursor;
use std::path::Path;

use crate::PrepareError;
use crate::files::npy::NpySource;
use crate::files::npz::with_array_of;
use crate::files::table::read_table;

/// Reads bytes as an `.npy` file, by every way in which one is read.
///
/// # Errors
/// [`PrepareError`] of numbers or of texts.
pub fn npy(bytes: &[u8]) -> Result<(), PrepareError> {
    read_all(|read| {
        let (size, file, field) = (bytes.len() as u64, Path::new("array.npy"), "the array");
        read(NpySource { reader: &mut &*bytes, size, memory: None, file, field })
    })
}

/// Reads the array `name` of bytes as an `.npz` archive, by every way in which one is read.
///
/// # Errors
/// As [`npy`].
pub fn npz(bytes: &[u8], name: &str) -> Result<(), PrepareError> {
    read_all(|read| {
        with_array_of(Cursor::new(bytes), bytes.len() as u64, Path::new("arrays.npz"), name, name, read)
    })
}

/// Reads all columns of a Parquet file as a flat table.
///
/// # Errors
/// [`PrepareError`] of the file.
pub fn table(file: &Path) -> Result<(), PrepareError> {
    read_table(file, &|_| true).map(drop)
}

type Read<'a> = &'a mut dyn FnMut(NpySource<'_>) -> Result<(), PrepareError>;

fn read_all(mut with: impl FnMut(Read) -> Result<(), PrepareError>) -> Result<(), PrepareError> {
    fn done<T>(result: Result<T, PrepareError>) -> Result<(), PrepareError> {
        result.map(drop)
    }
    // That numbers are not of the type asked for is no fault of the file.
    fn number(result: Result<(), PrepareError>) -> Result<(), PrepareError> {
        match result {
            Err(PrepareError::Field { .. }) => Ok(()),
            result => result,
        }
    }
    let mut is_text = false;
    number(with(&mut |source| {
        let array = source.open()?;
        is_text = array.is_text();
        array.visit::<u32>(|_| Ok(()))
    }))?;
    if is_text {
        return with(&mut |source| done(source.open()?.texts()));
    }
    number(with(&mut |source| done(source.open()?.numbers::<i64>())))?;
    with(&mut |source| done(source.open()?.numbers::<f64>()))
}
