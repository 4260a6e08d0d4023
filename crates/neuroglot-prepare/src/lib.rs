//! Sessions from recordings as they are published.
//!
//! A source (an IBL ALF folder, an NWB file, …) is read into a [`Recording`], which is continuous in time; [`assemble`] cuts
//! it into trials and bins it to a [`neuroglot_data::Session`].

mod activity;
mod alf;
mod arrays;
mod asked;
mod assemble;
mod binned;
mod binning;
mod error;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod hdf5;
mod intervals;
mod many;
mod nwb;
mod observed;
mod options;
mod prepare;
mod provenance;
mod quality;
mod recording;
mod regions;
mod rule;
mod sharing;
mod source;
mod species;
mod spike_order;
mod temporaldata;
mod time_unit;
mod trace_bins;

pub use alf::{AlfOptions, AlfSource};
pub use arrays::ArraysSource;
pub use asked::Asked;
pub use assemble::{BehaviourNotes, Dropped, Prepared, Selection, assemble};
pub use binned::BinnedRecording;
pub use error::PrepareError;
pub use hdf5::{TraceChoice, TraceSelection, UnitColumns};
pub use intervals::Intervals;
pub use many::Limits;
pub use nwb::{NwbOptions, NwbSource, read_nwb, read_nwb_bytes};
pub use options::{Condition, PrepareOptions};
pub use prepare::{Outcome, Preparation};
pub use provenance::{FileRecord, PROVENANCE_FILE, Provenance, SourceRecord};
pub use recording::{
    Links, Location, Observed, RecordedUnit, Recording, SpikeStream, Trace, TrialColumn, TrialTable,
    UsualTrials,
};
pub use rule::TrialRule;
pub use source::{Content, Source, SourceOptions, open_source};
pub use species::Species;
pub use temporaldata::{TemporaldataOptions, TemporaldataSource, read_temporaldata, read_temporaldata_bytes};
pub use time_unit::TimeUnit;
