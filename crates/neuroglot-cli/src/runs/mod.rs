//! Folders of runs and baselines: opening them, what is kept in them, and what they say of themselves.

pub mod baseline_folder;
pub mod beside_psth;
pub mod kept_scores;
pub mod loaded_run;
pub mod named_run;
pub mod output_format;
pub mod overlap;
pub mod place;
pub mod run_summary;
pub mod sessions;
