//! Sessions from recordings as they are published.
//!
//! A source (an IBL ALF folder, an NWB file, …) is read into a [`Recording`], which is continuous in time; that is then cut
//! into trials and binned to a [`neuroglot_data::Session`].

mod error;
mod recording;

pub use error::PrepareError;
pub use recording::{Location, RecordedUnit, Recording, SpikeStream, Trace, TrialColumn, TrialTable};
