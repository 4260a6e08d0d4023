use neuroglot_data::DataError;
use neuroglot_eval::EvalError;
use neuroglot_files::FilesError;
use neuroglot_tasks::TaskError;
use neuroglot_train::TrainError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a study cannot be planned, run or read.
#[derive(Debug, Error)]
pub enum StudyError {
    /// The study file asks for what cannot be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The study file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The share of one process of several is not clear.
    #[error("{0}")]
    Shard(String),
    /// Something in the study's folder is in the way.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// The study's folder cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A session is wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting or a run is wrong.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An evaluation is wrong.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A task is not known.
    #[error(transparent)]
    Task(#[from] TaskError),
}
