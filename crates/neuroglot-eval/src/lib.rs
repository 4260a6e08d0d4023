//! Evaluation of trained models: tasks on held-out trials and behaviour decoders.
//!
//! [`evaluate`] scores a model on the test trials of its sessions: co-smoothing, forward prediction, intra- and
//! inter-region prediction in bits per spike, and decoding of behaviour; [`decode`] does the latter alone, and tells what was
//! decoded of every trial, if asked for with the network trained for it. [`predict`] writes the log-rates of one
//! session with chosen units, regions or bins hidden, [`translate`] predicts regions from each other. [`audit`] says what
//! of all that the model has seen in training. What the tasks are and how they are scored is in `neuroglot-tasks`.

pub mod audit;
pub mod comparison;
mod coupled_units;
mod decode;
mod decoding;
mod embed;
mod end_to_end;
mod error;
mod evaluate;
mod files;
mod model_card;
mod predict;
mod region_matrix;
mod summary;
mod tables;
mod trace_decoder;
mod trajectories;
mod translate;
mod work;
mod zarr;

pub use decode::{Decoding, decode, decoding_table};
pub use decoding::DecodedTrials;
pub use embed::{latent_table, latents, session_embedding_table, unit_embedding_table};
pub use error::EvalError;
pub use evaluate::{as_model_sees, check_known, evaluate, evaluation_source};
pub use files::{evaluation_folder, read_evaluation, write_evaluation};
pub use model_card::{SharedModel, shared_model};
pub use predict::{Hide, ToldScheme, is_zarr, predict, predicted_log_rates};
pub use summary::summary_json;
pub use tables::{TableColumns, TableFormat};
pub use translate::{Translation, translate, translation_json, translation_table};
