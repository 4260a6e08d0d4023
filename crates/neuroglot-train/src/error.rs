use crate::ranks::RanksError;
use neuroglot_coupling::CouplingError;
use neuroglot_data::DataError;
use neuroglot_files::FilesError;
use neuroglot_model::ModelError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a run cannot start, go on or be read.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A setting is wrong.
    #[error("setting {key}: {problem}")]
    Setting {
        /// Key, such as `train.batch`.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A configuration file cannot be understood.
    #[error("{}: {problem}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// A checkpoint is damaged or of another kind.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A run folder is not what the command expects.
    #[error("{}: {problem}", path.display())]
    RunFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Sessions do not fit together or not to the run.
    #[error("session {eid}: {problem}")]
    Session {
        /// Session id.
        eid: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The loss is no longer a number.
    #[error(
        "the loss is {loss} at step {step}: lower train.learning_rate (now {learning_rate}) and start again, or go \
         back to the best checkpoint"
    )]
    Diverged {
        /// Step, counted from 0.
        step: u64,
        /// The loss.
        loss: f64,
        /// The highest learning rate of the run.
        learning_rate: f64,
    },
    /// The run folder cannot be written, or another process writes it.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A setting of the couplings is wrong.
    #[error(transparent)]
    Coupling(#[from] CouplingError),
    /// Other ranks are not found, were started otherwise, or are gone.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// The data are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
}
