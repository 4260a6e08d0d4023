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
use thiserror::Error;

/// A command failed; the message is one line that names the cure.
#[derive(Debug, Error)]
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
    /// An output cannot be written, or another process writes it.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The data are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device is wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Training or a run folder is wrong.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An ensemble cannot be trained or asked.
    #[error(transparent)]
    Ensemble(#[from] EnsembleError),
    /// Evaluation or prediction is wrong.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A task is not known.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A study is wrong.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// A baseline cannot be fitted.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// A list or a file cannot be downloaded.
    #[cfg(feature = "network")]
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A recording, or what is looked up in, cannot be read.
    #[error(transparent)]
    Prepare(Box<PrepareError>),
    /// The report cannot be stored.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Boxed, as it is larger than all the others and every command returns it.
impl From<PrepareError> for CommandError {
    fn from(error: PrepareError) -> CommandError {
        CommandError::Prepare(Box::new(error))
    }
}

impl CommandError {
    /// 2 where the command line asks for something that cannot be (as clap's own errors do), 75 where the same command
    /// is to be run again (EX_TEMPFAIL of `sysexits.h`), 1 for all else.
    pub fn exit_code(&self) -> u8 {
        if let CommandError::Unfinished(_) = self {
            return 75;
        }
        #[cfg(feature = "network")]
        if let CommandError::Fetch(FetchError::Name { .. } | FetchError::Pattern { .. }) = self {
            return 2;
        }
        let is_usage = matches!(
            self,
            CommandError::Usage(_)
                | CommandError::Data(DataError::Setting { .. })
                | CommandError::Train(
                    TrainError::Setting { .. } | TrainError::Model(ModelError::Config { .. })
                )
                | CommandError::Eval(EvalError::Hide { .. } | EvalError::Prompt(_))
                | CommandError::Task(TaskError::Unknown(_))
                | CommandError::Study(StudyError::File { .. } | StudyError::Shard(_))
        );
        if is_usage { 2 } else { 1 }
    }
}
