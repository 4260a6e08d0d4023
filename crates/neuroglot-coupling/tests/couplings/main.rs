//! Couplings of simulated sessions: their answers, their matrices, and what is kept of them.

mod keeping;
mod known_answers;
mod matrix;
mod simulated;
