//! Attention, on the cores of the GPU or on its tensor cores.

use crate::cuda::argument::Arguments;
use crate::cuda::device::{CudaDevice, FLOAT};
use crate::cuda::driver::{Driver, THREADS};
use crate::cuda::product::Precision;
use crate::cuda::programs::{HeadWidth, Program};
use crate::ops::{Attention, AttentionBackward, AttentionShape};

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

/// Arguments followed by the sizes, the scale and the rule of an attention.
fn with_shape(arguments: Arguments, shape: &AttentionShape) -> Arguments {
    let scale = 1.0 / (shape.head_width as f32).sqrt();
    arguments.sizes([shape.tokens, shape.heads, shape.head_width]).and(scale).and(shape.rule)
}

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_attention(&mut self, op: &Attention) {
        let shape = &op.shape;
        let kernels = Kernels::of(shape, self.precision());
        let dropout = self.dropout_argument(shape.dropout);
        let arguments = with_shape(self.slots([op.qkv, op.y, op.log_sums]), shape).and(dropout);
        self.launch_of(kernels.program, "attention", kernels.blocks, kernels.shared_bytes[0], &arguments);
    }

    pub(in crate::cuda) fn run_attention_backward(&mut self, op: &AttentionBackward) {
        let shape = &op.shape;
        let kernels = Kernels::of(shape, self.precision());
        let dropout = self.dropout_argument(shape.dropout);
        let deltas = self.scratch_room(shape.batch * shape.heads * shape.tokens * FLOAT);
        let slots = self.slots([op.qkv, op.log_sums, op.y_gradient, op.qkv_gradient]);
        let arguments = with_shape(slots.and(deltas), shape).and(dropout);
        // The queries' kernel makes the deltas that the keys' one reads.
        for kernel in ["attention_query_gradients", "attention_key_gradients"] {
            self.launch_of(kernels.program, kernel, kernels.blocks, kernels.shared_bytes[1], &arguments);
        }
    }
}
