//! Scores of predicted firing rates: bits per spike, Poisson D2, R2.
