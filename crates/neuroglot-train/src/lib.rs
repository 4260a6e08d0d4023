//! Training with multi-task masking: schedule, batches, validation, checkpoints.
