//! Why a command failed, and the exit code that says so.

use neuroglot::baselines::BaselineError;
use neuroglot::data::DataError;
use neuroglot::engine::EngineError;
use neuroglot::ensemble::EnsembleError;
use neuroglot::eval::EvalError;
#[cfg(feature = "network")]
use neuroglot::fetch::FetchError;
use neuroglot::files::FilesError;
use neuroglot::model::ModelError;
use neuroglot::prepare::PrepareError;
use neuroglot::report::ReportError;
use neuroglot::study::StudyError;
use neuroglot::tasks::TaskError;
use neuroglot::train::TrainError;
use std::error::Error;

/// A command failed; the message is one line that names the cure.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// What was typed cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// What was asked for cannot be done.
    #[error("{0}")]
    Failed(String),
    /// Work is left for other processes or for later: the same command is to be run again.
    #[error("{0}")]
    Unfinished(String),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(std::io::Error),
    /// What one of the libraries says, whose messages name the cure too.
    #[error(transparent)]
    Library(Box<dyn Error + Send + Sync>),
}

macro_rules! from_errors_of_libraries {
    ($($error:ty),*) => {
        $(impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                CommandError::Library(Box::new(error))
            }
        })*
    };
}

from_errors_of_libraries!(
    FilesError,
    DataError,
    EngineError,
    TrainError,
    EnsembleError,
    EvalError,
    TaskError
);
from_errors_of_libraries!(StudyError, BaselineError, PrepareError, ReportError);
#[cfg(feature = "network")]
from_errors_of_libraries!(FetchError);

impl CommandError {
    /// 2 where the command line asks for something that cannot be (as clap's own errors do), 75 where the same command
    /// is to be run again (EX_TEMPFAIL of `sysexits.h`), 1 for all else.
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Unfinished(_) => 75,
            CommandError::Usage(_) => 2,
            CommandError::Library(error) if is_usage(&**error) => 2,
            _ => 1,
        }
    }
}

/// Whether what a library says is that the command line asks for something that cannot be.
fn is_usage(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    #[cfg(feature = "network")]
    if let Some(FetchError::Name { .. } | FetchError::Pattern { .. }) = error.downcast_ref() {
        return true;
    }
    let of_training = matches!(
        error.downcast_ref(),
        Some(TrainError::Setting { .. } | TrainError::Model(ModelError::Config { .. }))
    );
    of_training
        || matches!(error.downcast_ref(), Some(DataError::Setting { .. }))
        || matches!(error.downcast_ref(), Some(EvalError::Hide { .. } | EvalError::Prompt(_)))
        || matches!(error.downcast_ref(), Some(TaskError::Unknown(_)))
        || matches!(error.downcast_ref(), Some(StudyError::File { .. } | StudyError::Shard(_)))
}
