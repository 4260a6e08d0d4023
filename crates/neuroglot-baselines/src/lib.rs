//! Baselines for models of spiking activity.

mod baseline;
mod beside_psth;
mod choice;
mod decoders;
mod error;
mod evaluate;
mod history;
#[cfg(test)]
mod leakage;
mod reduced_rank;
mod regression;
mod ridge;
mod splits;

pub use baseline::Baseline;
pub use beside_psth::add_beside_psth;
pub use choice::Choice;
pub use error::BaselineError;
pub use evaluate::{evaluate_baseline, evaluate_with_choices};
