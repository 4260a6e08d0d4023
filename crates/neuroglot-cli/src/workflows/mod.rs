//! What several commands do: the libraries called in order, with progress on the terminal and results on disk.

pub mod baseline_fit;
pub mod demonstration;
#[cfg(feature = "network")]
pub mod downloads;
pub mod fine_tune_settings;
pub mod learning_curve;
pub mod model_evaluation;
pub mod preparation_run;
pub mod study_cells;
pub mod training_command;
pub mod training_run;
