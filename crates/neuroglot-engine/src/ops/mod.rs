//! The operations: one file each, with the formula, the arguments, both passes on the CPU and the gradient's test.
//!
//! Shapes are written `[rows, width]`, row-major. A gradient slot named `…_gradient` is overwritten unless its doc
//! says that it is added to. `slots` are those that the CPU lends to a pass, in the order in which it takes their floats.

mod adamw;
mod around_linear;
mod attention;
mod compose;
mod counts_linear;
mod layer_norm;
mod linear;
mod masked_trials;
mod patch_positions;
mod poisson_loss;
mod rope;
mod scale_norm;
mod select_rows;
mod shown_counts;
mod token_rows;

#[cfg(feature = "cuda")]
pub(crate) use adamw::AdamWFactors;
pub use adamw::{AdamW, AdamWPart, Update};
pub use around_linear::{Before, Then};
pub use attention::{Attention, AttentionBackward, AttentionShape};
pub use compose::{Compose, ComposeBackward};
pub(crate) use counts_linear::Count;
pub use counts_linear::{CountsLinear, CountsLinearBackward};
pub use layer_norm::{LayerNorm, LayerNormBackward};
pub(crate) use linear::LinearRoom;
pub use linear::{Linear, LinearBackward};
pub use masked_trials::{CountFormat, MarkLayout, MaskedTrials};
pub use patch_positions::PatchPositions;
pub use poisson_loss::PoissonLoss;
pub use rope::{Rope, rope_table};
pub use scale_norm::{ScaleNorm, ScaleNormBackward};
pub use select_rows::SelectRows;
pub use shown_counts::ShownCounts;
pub use token_rows::{DropPrefix, TokenRows};

#[cfg(test)]
pub(crate) mod gradient_check;
