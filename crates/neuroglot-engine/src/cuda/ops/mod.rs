//! The operations on the device: of each, the file that launches it and beside it the kernels that it launches.

mod adamw;
mod add;
mod attention;
mod column_sums;
mod compose;
mod counts_linear;
mod dropout;
mod layer_norm;
mod linear;
mod masked_trials;
mod patch_positions;
mod poisson_loss;
mod products;
mod rope;
mod scale_norm;
mod select_rows;
mod shown_counts;
mod token_rows;
