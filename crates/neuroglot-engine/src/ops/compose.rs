//! Two linear layers with nothing between them, as one.

use crate::Slot;

/// Wᵀ = Vᵀ·Uᵀ and b = U·c + d: the layer x ↦ U·(V·x + c) + d in one product.
///
/// A session's stitcher V and the embedding U behind it have no nonlinearity between them. Multiplying the weights
/// once costs outputs · middle · inputs, and saves rows · middle · outputs in each pass.
#[derive(Debug, Clone, Copy)]
pub struct Compose {
    /// Width of x: units.
    pub inputs: usize,
    /// Width between the layers: channels.
    pub middle: usize,
    /// Width behind both.
    pub outputs: usize,
    /// V, `[middle, inputs]`, read.
    pub inner_weight: Slot,
    /// c, `[middle]`, read.
    pub inner_bias: Slot,
    /// U, `[outputs, middle]`, read.
    pub outer_weight: Slot,
    /// d, `[outputs]`, read.
    pub outer_bias: Slot,
    /// Wᵀ, `[inputs, outputs]`, written: transposed, as [`super::CountsLinear`] needs it.
    pub weight: Slot,
    /// b, `[outputs]`, written.
    pub bias: Slot,
}

/// dU = dW·Vᵀ + db·cᵀ, dV = Uᵀ·dW, dc = Uᵀ·db, dd = db.
#[derive(Debug, Clone, Copy)]
pub struct ComposeBackward {
    /// Width of x.
    pub inputs: usize,
    /// Width between the layers.
    pub middle: usize,
    /// Width behind both.
    pub outputs: usize,
    /// V, `[middle, inputs]`, read.
    pub inner_weight: Slot,
    /// c, `[middle]`, read.
    pub inner_bias: Slot,
    /// U, `[outputs, middle]`, read.
    pub outer_weight: Slot,
    /// dWᵀ, `[inputs, outputs]`, read.
    pub weight_gradient: Slot,
    /// db, `[outputs]`, read.
    pub bias_gradient: Slot,
    /// dV, `[middle, inputs]`, written.
    pub inner_weight_gradient: Slot,
    /// dc, `[middle]`, written.
    pub inner_bias_gradient: Slot,
    /// dU, `[outputs, middle]`, written.
    pub outer_weight_gradient: Slot,
    /// dd, `[outputs]`, written.
    pub outer_bias_gradient: Slot,
}
