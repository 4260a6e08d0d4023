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
    /// Attention over so many tokens would take longer, or more memory, than anyone waits for.
    #[error(transparent)]
    TooManyBins(Box<AttentionCost>),
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
    /// The mean and deviation of a session's counts, which a model of standardised inputs needs, are missing or wrong.
    #[error(
        "session {eid}: {problem}; a model of standardised counts (model.input) needs of each unit a mean, and a deviation \
         above 0"
    )]
    CountStatistics {
        /// Session id.
        eid: String,
        /// What is wrong with them.
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
    /// The model has no such prompt.
    #[error("the model has no prompt `{prompt}`, but {known}: it was trained without it")]
    Prompt {
        /// Name of the prompt.
        prompt: &'static str,
        /// Names of those that it has.
        known: String,
    },
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What attention over the tokens of a trial would cost, where that is too much.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "trials of {bins} bins are {tokens} tokens, and attention compares each with each: {operations:.1e} operations and \
     about {gigabytes:.1} GB for one trial of this model, and at most {most:.0e} operations are begun; take shorter \
     windows or wider bins, {most_bins} bins at most"
)]
pub struct AttentionCost {
    /// Bins of a trial.
    pub bins: usize,
    /// Its tokens.
    pub tokens: u128,
    /// Floating-point operations of attention in the forward pass of one trial.
    pub operations: f64,
    /// Memory of the activations of one trial, GB.
    pub gigabytes: f64,
    /// Most operations.
    pub most: f64,
    /// Most bins of a trial.
    pub most_bins: usize,
}
