//! The operations: one file each, with the formula, the arguments, both passes on the CPU and the gradient's test.
//!
//! Shapes are written `[rows, width]`, row-major. A gradient slot named `…_gradient` is overwritten unless its doc
//! says that it is added to.

mod adamw;
mod attention;
mod dropout;
mod gelu;
mod layer_norm;
mod linear;
mod poisson_loss;
mod residual;
mod rope;
mod scale_norm;
mod softsign;
mod token_rows;

pub use adamw::AdamW;
pub use attention::{Attention, AttentionBackward, AttentionShape};
pub use dropout::DropoutInPlace;
pub use gelu::{Gelu, GeluBackward};
pub use layer_norm::{LayerNorm, LayerNormBackward};
pub use linear::{Linear, LinearBackward};
pub use poisson_loss::PoissonLoss;
pub use residual::{Residual, ResidualBackward};
pub use rope::{Rope, rope_table};
pub use scale_norm::{ScaleNorm, ScaleNormBackward};
pub use softsign::{Softsign, SoftsignBackward};
pub use token_rows::{DropPrefix, TokenRows, TokenRowsBackward};

#[cfg(test)]
pub(crate) mod gradient_check;
