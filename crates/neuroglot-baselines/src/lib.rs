//! Baselines for models of spiking activity.

mod baseline;
mod choice;
mod counts;
mod decoders;
mod error;
mod evaluate;
mod history;
#[cfg(test)]
mod leakage;
mod psth;
mod regression;
mod time_filter;

pub use baseline::Baseline;
pub use choice::Choice;
pub use error::BaselineError;
pub use evaluate::{evaluate_baseline, evaluate_with_choices};
