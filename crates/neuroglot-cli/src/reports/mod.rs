//! What pages and tables say of runs, baselines and studies.

pub mod baseline;
pub mod ceilings;
pub mod command_lines;
pub mod runs;
pub mod study;
