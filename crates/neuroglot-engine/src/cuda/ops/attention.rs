//! Attention, on the cores of the GPU or on its tensor cores.

use crate::cuda::argument::{Arguments, RuleArgument};
use crate::cuda::device::{CudaDevice, FLOAT};
use crate::cuda::driver::{Driver, Launch, THREADS};
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
        // Elements from a row of a tile to the next, as in the kernels, and tiles: rows of their own are in registers there.
        let tensor = |program: Program, element: usize, gap: usize| {
            (program, TENSOR_ROWS, [2 * program.tile() * (width.floats() + gap) * element; 2])
        };
        let (program, rows, shared_bytes) = match precision {
            Precision::Tf32 if width != HeadWidth::W128 => tensor(Program::Tf32Attention(width), 4, 4),
            Precision::Bf16 if width != HeadWidth::W128 => tensor(Program::Bf16Attention(width), 2, 8),
            _ => {
                let program = Program::Attention(width);
                let tile = program.tile();
                // Queries, keys and values, in the backward pass also dy; and weights.
                let floats = |tiles: usize| tiles * tile * (width.floats() + 4) + tile * (tile + 4);
                (program, tile, [3, 4].map(|tiles| floats(tiles) * FLOAT))
            }
        };
        let blocks = [(shape.batch * shape.heads) as u32, shape.tokens.div_ceil(rows) as u32];
        Self { program, blocks, shared_bytes }
    }

    /// One of the kernels, of the forward pass (0) or the backward pass (1).
    fn launch(&self, kernel: &'static str, pass: usize, arguments: Arguments) -> Launch {
        let Self { program, blocks, shared_bytes } = *self;
        Launch { program, kernel, blocks, shared_bytes: shared_bytes[pass], arguments: arguments.0 }
    }
}

/// Rows of a block of the kernels with tensor cores: 16 per warp.
const TENSOR_ROWS: usize = THREADS as usize / 32 * 16;

impl<D: Driver> CudaDevice<D> {
    /// Arguments followed by the sizes, the scale, the rule and the dropouts of an attention.
    fn with_shape(&mut self, arguments: Arguments, shape: &AttentionShape) -> Arguments {
        let [dropout, of_y] = [shape.dropout, shape.y_dropout].map(|dropout| self.dropout_argument(dropout));
        let scale = 1.0 / (shape.head_width as f32).sqrt();
        let arguments = arguments.sizes([shape.tokens, shape.heads, shape.head_width]).and(scale);
        arguments.and(RuleArgument::new(shape.rule)).and(dropout).and(of_y).length(shape.first_element_of_y())
    }

    pub(in crate::cuda) fn run_attention(&mut self, op: &Attention) {
        let kernels = Kernels::of(&op.shape, self.precision());
        let y = self.numbers(op.y, op.shape.hidden());
        let arguments = self.slots([op.qkv]).and(y).and(self.at(op.log_sums));
        let arguments = self.with_shape(arguments, &op.shape);
        self.run(&kernels.launch("attention", 0, arguments));
    }

    pub(in crate::cuda) fn run_attention_backward(&mut self, op: &AttentionBackward) {
        let Attention { shape, qkv, y, log_sums } = op.forward;
        let kernels = Kernels::of(&shape, self.precision());
        let (y, dqkv) = (self.numbers(y, shape.hidden()), self.numbers(op.qkv_gradient, 3 * shape.hidden()));
        let arguments = self.slots([qkv]).and(y).and(self.at(log_sums));
        let arguments = arguments.and(self.at(op.y_gradient)).and(dqkv);
        let arguments = self.with_shape(arguments, &shape);
        self.run(&kernels.launch("attention_gradients", 1, arguments));
    }
}
