//! What a run predicts with: networks that were trained alike from different seeds, and a coupling of the units of each
//! session, asked as one model.
//!
//! Networks and couplings err in different ways, so their average errs less than either. Of a unit in a bin, with J networks, a
//! share w of the coupling ([`CouplingSettings::weight`](neuroglot_coupling::CouplingSettings::weight)) and the largest count L
//! of the unit in the training trials,
//!
//! ```text
//! η = min((1 − w) · ln(1/J Σ_j exp η_j) + w · η_coupling, ln L)
//! ```
//!
//! Coupling and network see the same: what a [`Holdout`](neuroglot_masks::Holdout) hides is hidden from both. The penalty of the
//! coupling is chosen on validation trials by the score of the average, never by its own, so it is solved when the networks are
//! trained. Training the two together makes them alike and the average worse (docs/recipes.md has what was measured).
//!
//! | file | what it holds |
//! |---|---|
//! | `training.rs` | [`train_ensemble`]: one network after the other, then the couplings |
//! | `couplings.rs` | solving the couplings beside trained networks |
//! | `ensemble.rs` | [`Ensemble`]: networks and couplings, read from a checkpoint |
//! | `predictor.rs` | [`Predictor`]: an ensemble asked about one session |
//! | `network_predictor.rs` | one network asked, in batches across everything that is hidden in turn |

mod couplings;
mod ensemble;
mod error;
mod network_predictor;
mod predictor;
mod training;

pub use ensemble::Ensemble;
pub use error::EnsembleError;
pub use predictor::{Predictor, TaskLogRates};
pub use training::{EnsembleObserver, train_ensemble};
