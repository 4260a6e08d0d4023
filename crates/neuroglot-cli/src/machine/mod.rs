//! What this machine computes on, and which share of the work is its own.

pub mod compute;
pub mod hardware;
pub mod memory;
pub mod share;
