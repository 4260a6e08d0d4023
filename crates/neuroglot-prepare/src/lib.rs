//! Sessions from recordings as they are published.
//!
//! [`open_source`] tells what a path leads to; the [`Source`] is read into a [`Recording`], which is continuous in time and knows
//! nothing of the format it came from. All that decides what a [`neuroglot_data::Session`] holds is then done once, in
//! [`assemble`]. Networking is elsewhere: this crate is given files.
//!
//! | file | what it does |
//! |---|---|
//! | `source.rs` | what a kind of source is, and which one a path leads to |
//! | `alf/`, `nwb/`, `temporaldata/`, `arrays/` | the sources: a format's names and conventions become a recording |
//! | `hdf5/` | what NWB and temporaldata share: checked data sets, tables, what codes and references stand for (`meaning.rs`), links to other files (`links.rs`), choices of units and traces; below it `hdf5-reader`, in pure Rust |
//! | `files/` | `.npy`, `.npz` and Parquet tables, read in pieces so that no header decides how much memory is taken |
//! | `recording.rs` | units, spikes, the trials table, traces |
//! | `rule.rs`, `options.rs`, `asked.rs` | what a trial must fulfil, all that decides how it is cut, which behaviours are read |
//! | `assemble.rs` | chooses trials and units, names regions (`regions.rs`), gives each that is left out a reason |
//! | `activity.rs`, `binned.rs` | the two forms that activity comes in: spikes through time, counts in bins |
//! | `observed.rs`, `intervals.rs` | leaves out trials and units of which nothing was recorded, so that none counts as silent |
//! | `time_unit.rs` | whether times of spikes and trials can be in the same unit |
//! | `species.rs` | whether names of regions are those of the mouse |
//! | `sharing.rs` | draws the split, and says what training and test have in common |
//! | `binning.rs`, `trace_bins.rs` | counts spikes, interpolates traces |
//! | `provenance.rs` | `provenance.json`, and whether making a session again would give the same |
//! | `prepare.rs`, `many.rs` | one source, and many of them within a bound on memory |

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
mod temporaldata;
mod time_order;
mod time_unit;
mod trace_bins;

pub use alf::{AlfOptions, AlfSource};
pub use arrays::ArraysSource;
pub use asked::Asked;
pub use assemble::{BehaviourNotes, Dropped, Prepared, Selection, assemble};
pub use binned::BinnedRecording;
pub use error::PrepareError;
pub use hdf5::{Hdf5Source, TraceChoice, TraceSelection, UnitColumns};
pub use intervals::Intervals;
pub use many::Limits;
pub use nwb::{NwbOptions, NwbSource};
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
pub use temporaldata::{TemporaldataOptions, TemporaldataSource};
pub use time_unit::TimeUnit;
