//! Reduced-rank regression of several sets of rows, which share part of the weights.
//!
//! [`SharedFilters`]: of set i, target n and row t,
//!
//! ```text
//! y_n(t) = s_n Σ_r W_nr z_r(t),    z_r(t) = Σ_m U_mr Σ_q V_rq x_mq(t)
//! ```
//!
//! Each of R latent variables is a weighted sum of inputs m (`U`, of the set), of which each has several covariates side by
//! side, its counts through several filters say; how these are combined (`V`, of unit norm) all sets share. Targets are
//! weighted sums of the latent variables (`W`, of the set). An input that is hidden from a target is left out of its sum
//! over m. `s` is the standard deviation. `U`, `V` and `W` minimise the mean squared error of `y_n / s_n`, summed over
//! targets and sets, plus `λ/2 (‖U‖² + ‖W‖²)`.
//!
//! [`SharedBasis`]: of set i, sample k and output p,
//!
//! ```text
//! ŷ_p(k) = b_p + Σ_r Σ_t V_rtp Σ_n U_nr x_n(k, t)
//! ```
//!
//! where the weights `U` and the intercept `b` belong to the set, and the basis `V` to all sets. What is minimised is a
//! [`crate::Loss`], summed over sets, plus `λ/2 Σ_i (‖U_i‖² + ‖V‖²)`.

mod moments;
mod shared_basis;
mod shared_filters;

pub use moments::SetMoments;
pub use shared_basis::{SampleSet, SharedBasis};
pub use shared_filters::SharedFilters;
