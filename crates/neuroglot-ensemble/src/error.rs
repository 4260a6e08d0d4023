use neuroglot_coupling::CouplingError;
use neuroglot_files::FilesError;
use neuroglot_model::ModelError;
use neuroglot_train::TrainError;
use thiserror::Error;

/// Why an ensemble cannot be trained, read or asked.
#[derive(Debug, Error)]
pub enum EnsembleError {
    /// A prediction is no rate.
    #[error(
        "session {eid}: the model predicts a log-rate of {log_rate}, so its training has diverged: use another \
         checkpoint, or train again with a lower train.learning_rate"
    )]
    Diverged {
        /// Session id.
        eid: String,
        /// The prediction, ln(spikes/bin).
        log_rate: f32,
    },
    /// Units of a model have no weights of their own.
    #[error(
        "there are no embeddings of units: in this network (model.architecture = ndt2) units that stand at the same place of a \
         patch share their weights; take its latents or embeddings of sessions, or a model of model.architecture = ndt1-stitch"
    )]
    NoUnitEmbeddings,
    /// A coupling cannot be solved.
    #[error(transparent)]
    Coupling(#[from] CouplingError),
    /// Results cannot be written, or another process writes them.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A network is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The run is wrong.
    #[error(transparent)]
    Train(#[from] TrainError),
}
