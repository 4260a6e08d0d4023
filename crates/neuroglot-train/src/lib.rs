//! Training with multi-task masking: schedule, batches, validation, checkpoints.

mod schedule;

pub use schedule::OneCycle;
