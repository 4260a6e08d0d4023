//! What this machine computes on, and which share of the work is its own.

pub mod children;
pub mod compute;
pub mod devices;
pub mod hardware;
pub mod memory;
pub mod share;
