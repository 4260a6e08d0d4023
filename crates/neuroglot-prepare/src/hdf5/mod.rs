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
mod node;
mod references;
mod source;
mod table;
mod traces;
mod units;

pub(crate) use dataset::{Dataset, Kind};
pub(crate) use file::File;
pub(crate) use group::{Group, Members};
pub(crate) use meaning::Purpose;
pub(crate) use references::named_places;
pub(crate) use source::Format;
pub use source::Hdf5Source;
pub(crate) use table::{Column, Table};
pub(crate) use traces::{OTHER_SERIES, TraceSet, Wanted, regular_times};
pub use traces::{TraceChoice, TraceSelection};
pub use units::UnitColumns;
pub(crate) use units::{UnitTable, finish_units, location, locations, numbers, texts};
