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
    /// A model has several tokens a bin.
    #[error(
        "latents and embeddings of units are those of networks with one token a bin, and this one (model.architecture = \
         ndt2) has several: take a model of model.architecture = ndt1-stitch"
    )]
    NoLatents,
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
