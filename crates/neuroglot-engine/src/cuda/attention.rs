//! Attention, and the rotation of its queries and keys.

use super::device::{CudaDevice, FLOAT, per_element};
use super::driver::{Driver, THREADS};
use super::product::Precision;
use super::programs::{HeadWidth, Program};
use crate::ops::{Attention, AttentionBackward, AttentionShape, Rope};

/// How an attention is computed.
struct Kernels {
    program: Program,
    /// Head of a sequence by rows of a block.
    blocks: [u32; 2],
    /// Of the forward and the backward kernels.
    shared_bytes: [usize; 2],
}

impl Kernels {
    /// # Panics
    /// Where heads are wider than any kernel takes.
    fn of(shape: &AttentionShape, precision: Precision) -> Self {
        let Some(width) = HeadWidth::of(shape.head_width) else {
            panic!(
                "attention heads of {} floats are too wide for this device, which takes up to {}: use more heads, or \
                 compute on the CPU",
                shape.head_width,
                HeadWidth::LARGEST
            );
        };
        // Strides as in the kernels' tiles.
        let stride = width.floats() + 4;
        let is_tensor = precision != Precision::F32 && width != HeadWidth::W128;
        let (program, rows, shared_floats) = if is_tensor {
            let program = Program::TensorAttention(width);
            // Two tiles; rows of their own are in registers.
            (program, TENSOR_ROWS, [2 * program.tile() * stride; 2])
        } else {
            let program = Program::Attention(width);
            let tile = program.tile();
            // Queries, keys and values, in the backward pass also dy; and weights.
            (program, tile, [3, 4].map(|tiles| tiles * tile * stride + tile * (tile + 4)))
        };
        let blocks = [(shape.batch * shape.heads) as u32, shape.tokens.div_ceil(rows) as u32];
        Self { program, blocks, shared_bytes: shared_floats.map(|floats| floats * FLOAT) }
    }
}

/// Rows of a block of the kernels with tensor cores: 16 per warp.
const TENSOR_ROWS: usize = THREADS as usize / 32 * 16;

fn scale(shape: &AttentionShape) -> f32 {
    1.0 / (shape.head_width as f32).sqrt()
}

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_attention(&mut self, op: &Attention) {
        let shape = &op.shape;
        let kernels = Kernels::of(shape, self.precision());
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
        self.launch_of(kernels.program, "attention", kernels.blocks, kernels.shared_bytes[0], &arguments);
    }

    pub(super) fn run_attention_backward(&mut self, op: &AttentionBackward) {
        let shape = &op.shape;
        let kernels = Kernels::of(shape, self.precision());
        let dropout = self.dropout_argument(shape.dropout);
        let deltas = self.scratch_room(shape.batch * shape.heads * shape.tokens * FLOAT);
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
        // The queries' kernel makes the deltas that the keys' one reads.
        for kernel in ["attention_query_gradients", "attention_key_gradients"] {
            self.launch_of(kernels.program, kernel, kernels.blocks, kernels.shared_bytes[1], &arguments);
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
