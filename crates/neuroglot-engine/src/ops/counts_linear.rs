//! y = softsign(x·W + b) for spike counts, of which most are 0.

use crate::Slot;

/// y = softsign(x·W + b), softsign(z) = z / (1 + |z|), for counts x that are mostly 0.
///
/// W is `[units, outputs]`, one row per unit, as [`super::Compose`] makes it: a device may add up the rows of the
/// units that spiked and leave out all others.
#[derive(Debug, Clone, Copy)]
pub struct CountsLinear {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x.
    pub units: usize,
    /// Width of y.
    pub outputs: usize,
    /// Counts, `[rows, units]`, read.
    pub x: Slot,
    /// `[units, outputs]`, read.
    pub weight: Slot,
    /// `[outputs]`, read.
    pub bias: Slot,
    /// `[rows, outputs]`, written.
    pub y: Slot,
}

/// dW = xᵀ·dz, db = Σ over rows of dz, with dz the gradient before the softsign (the layer behind it gives that, see
/// [`super::Before::Softsign`]). Counts need no gradient.
#[derive(Debug, Clone, Copy)]
pub struct CountsLinearBackward {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x.
    pub units: usize,
    /// Width of y.
    pub outputs: usize,
    /// Counts, `[rows, units]`, read.
    pub x: Slot,
    /// dz, `[rows, outputs]`, read.
    pub z_gradient: Slot,
    /// `[units, outputs]`, written.
    pub weight_gradient: Slot,
    /// `[outputs]`, written.
    pub bias_gradient: Slot,
}
