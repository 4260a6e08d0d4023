//! HDF5 as the readers of this crate need it: groups, tables of columns, numbers and texts, with what a file claims checked
//! against its length before memory is asked for.
//!
//! The format itself is decoded by `hdf5-reader`.

mod dataset;
mod decode;
mod file;
mod filters;
mod group;
mod links;
mod meaning;
mod references;
mod table;
mod traces;
mod units;

pub(crate) use dataset::{Dataset, Kind};
pub(crate) use file::File;
pub(crate) use group::{Group, Members};
pub(crate) use meaning::Purpose;
pub(crate) use references::named_places;
pub(crate) use table::{Column, Table};
pub use traces::{TraceChoice, TraceSelection};
pub(crate) use traces::{TraceSet, Wanted, in_order, unfit};
pub use units::UnitColumns;
pub(crate) use units::{UnitTable, location, locations, numbers, texts, unique_uuids};

use crate::PrepareError;

/// What is good to have and can be done without: where it cannot be read, `notes` say why.
pub(crate) fn noted<T>(
    read: Result<Option<T>, PrepareError>,
    notes: &mut Vec<String>,
) -> Result<Option<T>, PrepareError> {
    match read {
        Err(error @ PrepareError::Io(_)) => Err(error),
        Err(error) => {
            notes.push(format!("passed over: {error}"));
            Ok(None)
        }
        read => read,
    }
}

/// What is good to have, as [`noted`], unless it `is_asked_for`.
pub(crate) fn noted_unless<T>(
    is_asked_for: bool,
    read: Result<Option<T>, PrepareError>,
    notes: &mut Vec<String>,
) -> Result<Option<T>, PrepareError> {
    if is_asked_for { read } else { noted(read, notes) }
}
