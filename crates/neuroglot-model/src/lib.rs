//! Tokens, blocks and log-rates of multi-task-masking models.
//!
//! A model reads spike counts `[trial, bin, unit]` of one session, as they are or standardised, with some entries hidden
//! (read as 0), and predicts a log-rate, ln(spikes/bin), for every entry. `neuroglot-masks` says what is hidden and what the loss counts;
//! [`ModelConfig`] builds a [`Model`]: NDT1-stitch has a token per bin and a stitcher per session, NDT2 a token per patch
//! of units and bin.
//!
//! Zhang et al., "Towards a universal translator for neural dynamics at single-cell, single-spike resolution",
//! NeurIPS 2024 (arXiv 2407.14668).

mod config;
mod context;
mod count_statistics;
mod error;
mod initialisation;
mod layers;
mod model;
mod network;
mod networks;
mod parameter_info;
mod parameters;
mod session_shape;
mod unit_rows;

pub use config::{InputKind, ModelConfig};
pub use count_statistics::CountStatistics;
pub use error::{AttentionCost, ModelError};
pub use layers::{NormKind, PatchLayout, PatchTail};
pub use model::{
    BatchCounts, CachedTokens, CachedTokensPart, KeptTrial, KeptTrials, Model, ModelWeights, TrainingBatch,
};
pub use networks::{Architecture, Ndt1Settings, Ndt2Settings};
/// One optimiser step.
pub use neuroglot_engine::ops::Update;
pub use parameter_info::{ParameterInfo, Role, StitcherPart};
pub use session_shape::SessionShape;
