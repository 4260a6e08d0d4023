//! Attention, and the rotation of its queries and keys.

use super::device::{CudaDevice, FLOAT, per_element};
use super::driver::Driver;
use super::programs::{HeadWidth, Program};
use crate::ops::{Attention, AttentionBackward, AttentionShape, Rope};

/// Tiles in shared memory, in floats: `rows` of queries, keys, values or dy, and one of weights.
fn shared_bytes(width: HeadWidth, rows: usize) -> usize {
    // Strides as in `attention_tiles.cu`.
    let tile = width.tile();
    (rows * tile * (width.floats() + 4) + tile * (tile + 4)) * FLOAT
}

/// The kernels' width for these heads.
///
/// # Panics
/// Where heads are wider than any.
fn width_of(shape: &AttentionShape) -> HeadWidth {
    let Some(width) = HeadWidth::of(shape.head_width) else {
        panic!(
            "attention heads of {} floats are too wide for this device, which takes up to {}: use more heads, or \
             compute on the CPU",
            shape.head_width,
            HeadWidth::LARGEST
        );
    };
    width
}

/// Grid: head of a sequence by tile.
fn blocks(shape: &AttentionShape, width: HeadWidth) -> [u32; 2] {
    [(shape.batch * shape.heads) as u32, shape.tokens.div_ceil(width.tile()) as u32]
}

fn scale(shape: &AttentionShape) -> f32 {
    1.0 / (shape.head_width as f32).sqrt()
}

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_attention(&mut self, op: &Attention) {
        let shape = &op.shape;
        let width = width_of(shape);
        let dropout = self.dropout_argument(shape.dropout);
        let arguments = [
            self.at(op.qkv).into(),
            self.at(op.y).into(),
            self.at(op.log_sums).into(),
            (shape.tokens as u32).into(),
            (shape.heads as u32).into(),
            (shape.head_width as u32).into(),
            scale(shape).into(),
            shape.rule.into(),
            dropout.into(),
        ];
        let shared = shared_bytes(width, 3);
        self.launch_of(Program::Attention(width), "attention", blocks(shape, width), shared, &arguments);
    }

    pub(super) fn run_attention_backward(&mut self, op: &AttentionBackward) {
        let shape = &op.shape;
        let width = width_of(shape);
        let dropout = self.dropout_argument(shape.dropout);
        let deltas = self.room_between(shape.batch * shape.heads * shape.tokens * FLOAT);
        let arguments = [
            self.at(op.qkv).into(),
            self.at(op.log_sums).into(),
            self.at(op.y_gradient).into(),
            self.at(op.qkv_gradient).into(),
            deltas.into(),
            (shape.tokens as u32).into(),
            (shape.heads as u32).into(),
            (shape.head_width as u32).into(),
            scale(shape).into(),
            shape.rule.into(),
            dropout.into(),
        ];
        let shared = shared_bytes(width, 4);
        // The queries' kernel makes the deltas that the keys' one reads.
        for kernel in ["attention_query_gradients", "attention_key_gradients"] {
            self.launch_of(Program::Attention(width), kernel, blocks(shape, width), shared, &arguments);
        }
    }

    pub(super) fn run_rope(&mut self, op: &Rope) {
        let rows = op.batch * op.tokens;
        let pairs_per_row = 2 * op.heads * (op.head_width / 2);
        let arguments = [
            self.at(op.table).into(),
            self.at(op.qkv).into(),
            (rows as u32).into(),
            (op.tokens as u32).into(),
            (op.heads as u32).into(),
            (op.head_width as u32).into(),
            (if op.inverse { -1.0f32 } else { 1.0 }).into(),
        ];
        self.launch("rope", per_element(rows * pairs_per_row), &arguments);
    }
}
