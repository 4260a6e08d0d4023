//! Sessions from recordings as they are published.
//!
//! A source (an IBL ALF folder, an NWB file, …) is read into a [`Recording`], which is continuous in time; that is then cut
//! into trials and binned to a [`neuroglot_data::Session`].

mod error;
mod hdf5;
mod nwb;
mod recording;
mod temporaldata;

pub use error::PrepareError;
pub use hdf5::{TraceChoice, TraceSelection, UnitColumns};
pub use nwb::{NwbOptions, nwb_eid, read_nwb, read_nwb_bytes};
pub use recording::{Location, RecordedUnit, Recording, SpikeStream, Trace, TrialColumn, TrialTable};
pub use temporaldata::{TemporaldataOptions, read_temporaldata, read_temporaldata_bytes, temporaldata_eid};
