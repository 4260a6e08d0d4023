//! Errors of the libraries as exceptions of Python, with the same words.

use neuroglot::baselines::BaselineError;
use neuroglot::coupling::CouplingError;
use neuroglot::data::DataError;
use neuroglot::engine::EngineError;
use neuroglot::ensemble::EnsembleError;
use neuroglot::eval::EvalError;
use neuroglot::fetch::FetchError;
use neuroglot::files::{FilesError, IoError};
use neuroglot::model::ModelError;
use neuroglot::prepare::PrepareError;
use neuroglot::tasks::TaskError;
use neuroglot::train::TrainError;
use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;

/// Why a call fails.
#[derive(Debug)]
pub struct Failure {
    class: Class,
    words: String,
}

/// The exceptions of `neuroglot.errors`.
#[derive(Debug, Clone, Copy)]
enum Class {
    /// All that is none of the others.
    Neuroglot,
    /// A setting or an argument that cannot be.
    Setting,
    /// A session that does not fit, or of which nothing is left.
    Session,
    /// A file or folder that is not there.
    NotFound,
    /// A file or folder that is there already.
    Exists,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Neuroglot => "NeuroglotError",
            Class::Setting => "SettingError",
            Class::Session => "SessionError",
            Class::NotFound => "NotFoundError",
            Class::Exists => "ExistsError",
        }
    }
}

impl Failure {
    /// A setting or an argument that cannot be.
    pub fn setting(words: impl Into<String>) -> Self {
        Self { class: Class::Setting, words: words.into() }
    }
}

/// Settings that Python gives as JSON.
pub fn parsed<T: DeserializeOwned>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| Failure::setting(error.to_string()))
}

impl From<Failure> for PyErr {
    fn from(Failure { class, words }: Failure) -> PyErr {
        // One line, as the command prints it.
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        Python::attach(|py| {
            let class = py.import("neuroglot.errors").and_then(|errors| errors.getattr(class.name()));
            match class.and_then(|class| Ok(class.cast_into::<pyo3::types::PyType>()?)) {
                Ok(class) => PyErr::from_type(class, words),
                Err(error) => error,
            }
        })
    }
}

/// Of each error: its class.
trait Classified: std::fmt::Display {
    fn class(&self) -> Class;

    fn words(&self) -> String {
        self.to_string()
    }
}

impl<E: Classified> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { class: error.class(), words: error.words() }
    }
}

impl Classified for IoError {
    fn class(&self) -> Class {
        match self.source.kind() {
            ErrorKind::NotFound => Class::NotFound,
            _ => Class::Neuroglot,
        }
    }
}

impl Classified for FetchError {
    fn class(&self) -> Class {
        match self {
            FetchError::Io(error) => error.class(),
            FetchError::Name { .. } | FetchError::Pattern { .. } => Class::Setting,
            FetchError::NotFound { .. } | FetchError::Nothing { .. } | FetchError::NotCached { .. } => {
                Class::NotFound
            }
            _ => Class::Neuroglot,
        }
    }
}

impl Classified for FilesError {
    fn class(&self) -> Class {
        match self {
            FilesError::Io(error) => error.class(),
            FilesError::Appeared { .. } => Class::Exists,
            _ => Class::Neuroglot,
        }
    }
}

impl Classified for DataError {
    fn class(&self) -> Class {
        match self {
            DataError::Files(error) => error.class(),
            DataError::Io(error) => error.class(),
            DataError::NoSession { .. } | DataError::Incomplete { .. } => Class::NotFound,
            DataError::Exists { .. } | DataError::NotASession { .. } => Class::Exists,
            DataError::Setting { .. } => Class::Setting,
            DataError::Invalid { .. } | DataError::NoSpikes { .. } | DataError::NoTrials { .. } => {
                Class::Session
            }
            _ => Class::Neuroglot,
        }
    }
}

impl Classified for PrepareError {
    fn class(&self) -> Class {
        match self {
            PrepareError::Io(error) => error.class(),
            PrepareError::Option { place, .. } if !place.as_os_str().is_empty() && !place.exists() => {
                Class::NotFound
            }
            PrepareError::Option { .. } => Class::Setting,
            PrepareError::Missing { .. } | PrepareError::NothingLeft { .. } => Class::Session,
            PrepareError::Exists { .. } | PrepareError::SameIdentifier(_) => Class::Exists,
            PrepareError::Data(error) => error.class(),
            _ => Class::Neuroglot,
        }
    }

    /// A recording that is in memory has no place to name.
    fn words(&self) -> String {
        let words = self.to_string();
        words.strip_prefix(": ").map_or(words.clone(), str::to_owned)
    }
}

impl Classified for EngineError {
    fn class(&self) -> Class {
        Class::Neuroglot
    }
}

impl Classified for ModelError {
    fn class(&self) -> Class {
        match self {
            ModelError::Config { .. } | ModelError::TooManyBins(_) => Class::Setting,
            ModelError::Session { .. } | ModelError::CountStatistics { .. } | ModelError::NoSession => {
                Class::Session
            }
            _ => Class::Neuroglot,
        }
    }
}

impl Classified for CouplingError {
    fn class(&self) -> Class {
        match self {
            CouplingError::Setting { .. } => Class::Setting,
            CouplingError::Bins { .. }
            | CouplingError::NoTrainingTrials { .. }
            | CouplingError::Fit { .. } => Class::Session,
            CouplingError::Kept { .. } => Class::Neuroglot,
        }
    }
}

impl Classified for TrainError {
    fn class(&self) -> Class {
        match self {
            TrainError::Setting { .. } | TrainError::ConfigFile { .. } => Class::Setting,
            TrainError::Io(error) => error.class(),
            TrainError::RunFolder { path, .. } if !path.exists() => Class::NotFound,
            TrainError::Session { .. } => Class::Session,
            TrainError::Files(error) => error.class(),
            TrainError::Coupling(error) => error.class(),
            TrainError::Data(error) => error.class(),
            TrainError::Model(error) => error.class(),
            TrainError::Checkpoint { .. }
            | TrainError::RunFolder { .. }
            | TrainError::Diverged { .. }
            | TrainError::Ranks(_) => Class::Neuroglot,
        }
    }
}

impl Classified for EnsembleError {
    fn class(&self) -> Class {
        match self {
            EnsembleError::NoUnitEmbeddings => Class::Setting,
            EnsembleError::Diverged { .. } => Class::Neuroglot,
            EnsembleError::Coupling(error) => error.class(),
            EnsembleError::Files(error) => error.class(),
            EnsembleError::Model(error) => error.class(),
            EnsembleError::Train(error) => error.class(),
        }
    }
}

impl Classified for TaskError {
    fn class(&self) -> Class {
        match self {
            TaskError::Unknown(_) => Class::Setting,
            TaskError::NoTestTrials { .. } => Class::Session,
        }
    }
}

impl Classified for EvalError {
    fn class(&self) -> Class {
        match self {
            EvalError::UnknownSession { .. } | EvalError::Regions { .. } | EvalError::EndToEnd { .. } => {
                Class::Session
            }
            EvalError::Hide { .. } | EvalError::Prompt(_) | EvalError::Ending { .. } => Class::Setting,
            EvalError::File { path, .. } if !path.exists() => Class::NotFound,
            EvalError::File { .. } => Class::Neuroglot,
            EvalError::Task(error) => error.class(),
            EvalError::Files(error) => error.class(),
            EvalError::Data(error) => error.class(),
            EvalError::Ensemble(error) => error.class(),
            EvalError::Train(error) => error.class(),
        }
    }

    /// Options of the command are arguments of a call.
    fn words(&self) -> String {
        match self {
            EvalError::Hide { what, problem } => format!("hide_{what}: {problem}"),
            EvalError::Prompt(problem) => format!("prompt {problem}"),
            other => other.to_string(),
        }
    }
}

impl Classified for BaselineError {
    fn class(&self) -> Class {
        match self {
            BaselineError::Name { .. } => Class::Setting,
            BaselineError::NoTrials { .. } | BaselineError::Fit { .. } => Class::Session,
            BaselineError::Coupling(error) => error.class(),
            BaselineError::Data(error) => error.class(),
            BaselineError::Task(error) => error.class(),
        }
    }
}
