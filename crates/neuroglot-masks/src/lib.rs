//! What is hidden from a model, and what is scored.
//!
//! A [`Holdout`] marks entries `[trial, bin, unit]` as hidden and as scored; nothing is hidden in any other way. Training
//! draws holdouts with a [`Scheme`] (one file each, in `schemes/`), announced to the model by a [`Prompt`] and put
//! together in a [`MaskPool`]; evaluation lists them (`neuroglot-tasks`).
//!
//! Zhang et al., "Towards a universal translator for neural dynamics at single-cell, single-spike resolution",
//! NeurIPS 2024 (arXiv 2407.14668).

mod bit_rows;
mod holdout;
mod pool;
mod prompt;
mod regions;
mod schemes;

pub use holdout::{Holdout, Marks};
pub use pool::{MaskPool, PoolEntry};
pub use prompt::Prompt;
pub use regions::Regions;
pub use schemes::Scheme;
