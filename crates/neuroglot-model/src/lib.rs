//! Masks, tokens, blocks and log-rates of multi-task-masking models.
