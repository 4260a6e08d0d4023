use neuroglot_engine::EngineError;
use thiserror::Error;

/// Why a model cannot be built or fed.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A setting of the configuration makes no model.
    #[error("model.{field} = {value}: {cure}")]
    Config {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        cure: &'static str,
    },
    /// There is no session to build stitchers for.
    #[error("a model needs at least one session: give a session folder")]
    NoSession,
    /// A session is given twice, or has no unit.
    #[error("session {eid}: {problem}")]
    Session {
        /// Session id.
        eid: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A parameter's values have the wrong length.
    #[error(
        "parameter {name} holds {expected} values, not {found}: the weights belong to another configuration"
    )]
    ParameterLength {
        /// Published name.
        name: String,
        /// Its length.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
