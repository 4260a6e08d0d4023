//! Evaluations of small models with random weights, against brute force and calculations by hand.

mod behaviour_decoding;
mod brute_force;
mod conditions;
mod evaluation_files;
mod examples;
mod masking_tasks;
mod predictions;
mod refusals;
mod region_matrix;
mod support;
