//! HDF5 as the readers of this crate need it: groups, tables of columns, numbers and texts, with what a file claims checked
//! against its length before memory is asked for.
//!
//! The format itself is decoded by `hdf5-reader`.

mod dataset;
mod decode;
mod file;
mod group;
mod table;
mod traces;
mod units;

pub(crate) use dataset::{Dataset, Kind};
pub(crate) use file::File;
pub(crate) use group::Group;
pub(crate) use table::{Column, Table};
pub use traces::{TraceChoice, TraceSelection};
pub(crate) use traces::{TraceSet, Wanted, in_order, unfit};
pub use units::UnitColumns;
pub(crate) use units::{UnitTable, location, locations, numbers, texts, unique_uuids};
