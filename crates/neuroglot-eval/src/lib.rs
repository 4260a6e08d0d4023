//! Evaluation of trained models: tasks on held-out trials and behaviour decoders.

pub mod decoders;
pub mod results;
