use neuroglot_data::DataError;
use neuroglot_ensemble::EnsembleError;
use neuroglot_files::FilesError;
use neuroglot_tasks::TaskError;
use neuroglot_train::TrainError;
use std::path::PathBuf;
use thiserror::Error;

/// Why an evaluation or a prediction cannot be made.
#[derive(Debug, Error)]
pub enum EvalError {
    /// A session is not one of the model's.
    #[error(
        "session {eid} is not one that the model knows, which are {known}: take one of those, or give it stitchers with \
         `neuroglot finetune`"
    )]
    UnknownSession {
        /// Session id.
        eid: String,
        /// Those that the model knows.
        known: String,
    },
    /// A session has no regions to predict from each other.
    #[error(
        "session {eid}: {why}, and regions are predicted from each other: choose a session with two or more"
    )]
    Regions {
        /// Session id.
        eid: String,
        /// What it has instead.
        why: &'static str,
    },
    /// A behaviour cannot be decoded end to end.
    #[error(
        "session {eid}: {behaviour} cannot be decoded end to end: {problem}, and validation trials say how long to train; split \
         trials anew, or leave out end-to-end"
    )]
    EndToEnd {
        /// Session id.
        eid: String,
        /// The behaviour's name.
        behaviour: String,
        /// What it lacks.
        problem: String,
    },
    /// A task cannot be done.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// What is to be hidden cannot be found.
    #[error("--hide {what}: {problem}")]
    Hide {
        /// `units`, `regions` or `bins`.
        what: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A model cannot be told what is hidden.
    #[error("--prompt {0}")]
    Prompt(String),
    /// A file of results cannot be understood.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The name of a table's file does not say how to write it.
    #[error("{}: a table is written as its file's name ends, and this one does not end in .csv, .parquet or .npz", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// Results cannot be written, or another process writes them.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The data are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The ensemble is wrong.
    #[error(transparent)]
    Ensemble(#[from] EnsembleError),
    /// The run is wrong.
    #[error(transparent)]
    Train(#[from] TrainError),
}
