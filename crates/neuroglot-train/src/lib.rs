//! Training with multi-task masking: schedule, batches, validation, checkpoints.
//!
//! [`RunConfig`] holds every setting, [`train`] runs it over sessions and writes a run folder: `config.toml` (all that
//! was used), `metrics.jsonl`, and the checkpoints `best/` and `last/`. A run that is killed goes on with the same
//! bits where its last checkpoint stands.

mod batches;
mod benchmark;
mod calibration;
mod checkpoint;
mod checksum;
mod config;
mod config_keys;
mod course;
mod drawn_batch;
mod earlier_settings;
mod error;
mod fine_tuning;
mod import;
mod kept_session;
mod lanes;
mod late_losses;
mod members;
mod model_folder;
mod ranks;
mod recipe;
mod run_folder;
mod schedule;
mod session_shape;
mod step_check;
mod streams;
mod trainer;
mod transfer;
mod trial_record;
mod validation;

pub use benchmark::{Benchmark, BenchmarkTimes, Times};
pub use calibration::training_trials;
pub use checkpoint::{
    BaseModel, Checkpoint, CheckpointConfig, CheckpointSession, CheckpointSettings, CheckpointUnit,
};
pub use config::{
    DataConfig, Freeze, FromCheckpoint, InitConfig, MaskConfig, OutputBias, RunConfig, Sampling, SelectBy,
    StitcherStart, TrainConfig,
};
pub use course::{LateRise, late_rise};
pub use error::TrainError;
pub use import::{Imported, SessionTable, TableSession, import_checkpoint};
pub use members::{EnsembleContents, LoadedModel, NetworkValues, complete_checkpoint};
pub use model_folder::{ModelFolder, named_in_short};
pub use ranks::{Meeting, OnLoss, RankPlace, Ranks, RanksError, StartedAs, join};
pub use recipe::Recipe;
pub use run_folder::{EpochRecord, ImportSource, RunFolder, RunInfo, SchemeScores};
pub use schedule::OneCycle;
pub use session_shape::session_shape;
pub use step_check::{StepDifference, compare_steps};
pub use streams::{Purpose, stream};
pub use trainer::{Observer, Start, Step, Summary, TrainingDevice, follow, train};
pub use trial_record::TrialRecord;
