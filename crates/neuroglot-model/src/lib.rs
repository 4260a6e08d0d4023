//! Masks, tokens, blocks and log-rates of multi-task-masking models.
//!
//! A model reads spike counts `[trial, bin, unit]` of one session with some entries hidden (set to 0) and predicts a
//! log-rate, ln(spikes/bin), for every entry. [`Scheme`] and [`Mask`] say what is hidden and what the loss counts;
//! [`Ndt1Config`] builds the time-token model with one stitcher per session.
//!
//! Zhang et al., "Towards a universal translator for neural dynamics at single-cell, single-spike resolution",
//! NeurIPS 2024 (arXiv 2407.14668).

mod error;
mod initialisation;
mod mask;
mod ndt1;
mod ownership;
mod parameters;
mod regions;
mod scheme;
mod trunk;

pub use error::ModelError;
pub use mask::{Mask, MaskRatios};
pub use ndt1::{Ndt1, Ndt1Config, Ndt1Weights, SessionShape, TrainingBatch, Update};
pub use ownership::Owner;
pub use parameters::ParameterInfo;
pub use regions::Regions;
pub use scheme::{Prompt, Scheme};
pub use trunk::NormKind;
