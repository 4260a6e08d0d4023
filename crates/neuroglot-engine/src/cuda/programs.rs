//! The kernels' sources, compiled at run time for the device at hand.

/// Programs that are compiled apart: a model has one head width, and the attention takes most of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Everything but the attention.
    General,
    /// The attention of heads up to so many floats wide, in f32.
    Attention(HeadWidth),
    /// The same by tensor cores, with factors rounded to TF32; heads up to 64 wide, for registers hold whole rows.
    Tf32Attention(HeadWidth),
    /// The same with factors rounded to bf16.
    Bf16Attention(HeadWidth),
}

/// Head widths that the attention is compiled for; a narrower head is filled up with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadWidth {
    /// Up to 32.
    W32,
    /// Up to 64.
    W64,
    /// Up to 128.
    W128,
}

impl HeadWidth {
    /// The largest of them.
    pub const LARGEST: usize = 128;

    /// The smallest that holds heads of `width` floats; `None` beyond the largest.
    pub fn of(width: usize) -> Option<Self> {
        [Self::W32, Self::W64, Self::W128].into_iter().find(|w| width <= w.floats())
    }

    /// Floats of a head.
    pub fn floats(self) -> usize {
        match self {
            Self::W32 => 32,
            Self::W64 => 64,
            Self::W128 => 128,
        }
    }
}

macro_rules! source {
    ($name:literal) => {
        ($name, include_str!(concat!("ops/", $name)))
    };
}

const SHARED: [(&str, &str); 2] = [("prelude.cu", include_str!("prelude.cu")), source!("dropout_bits.cu")];

const GENERAL: [(&str, &str); 16] = [
    source!("add.cu"),
    source!("dropout.cu"),
    source!("activations.cu"),
    source!("column_sums.cu"),
    source!("layer_norm.cu"),
    source!("scale_norm.cu"),
    source!("rope.cu"),
    source!("token_rows.cu"),
    source!("patch_positions.cu"),
    source!("select_rows.cu"),
    source!("masked_trials.cu"),
    source!("shown_counts.cu"),
    source!("poisson_loss.cu"),
    source!("adamw.cu"),
    source!("bfloat16.cu"),
    source!("thin_product.cu"),
];

const ATTENTION: [(&str, &str); 5] = [
    source!("attention_head.cu"),
    source!("attention_tiles.cu"),
    source!("attention_loads.cu"),
    source!("attention.cu"),
    source!("attention_backward.cu"),
];

/// The attention by tensor cores: these three, then how factors lie, then what is made of them.
const TENSOR_ATTENTION: [[(&str, &str); 3]; 2] = [
    [source!("attention_head.cu"), source!("tensor_core.cu"), source!("attention_warps.cu")],
    [source!("attention_loads.cu"), source!("attention_tensor.cu"), source!("attention_tensor_backward.cu")],
];

const TF32_FACTORS: (&str, &str) = source!("attention_factors_tf32.cu");
const BF16_FACTORS: (&str, &str) = source!("attention_factors_bf16.cu");

fn tensor_attention(factors: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    let [front, behind] = TENSOR_ATTENTION;
    front.into_iter().chain([factors]).chain(behind).collect()
}

impl Program {
    /// Tokens that an attention kernel has in shared memory at once: as many as fit for all devices since compute
    /// capability 8.0 (99 KiB a block).
    pub fn tile(self) -> usize {
        match self {
            Self::Attention(HeadWidth::W128) => 32,
            _ => 64,
        }
    }

    /// The whole program in CUDA C++. Messages of a compiler name the files and lines of this crate.
    pub fn text(self) -> String {
        let (parts, width) = match self {
            Self::General => (GENERAL.to_vec(), None),
            Self::Attention(width) => (ATTENTION.to_vec(), Some(width)),
            Self::Tf32Attention(width) => (tensor_attention(TF32_FACTORS), Some(width)),
            Self::Bf16Attention(width) => (tensor_attention(BF16_FACTORS), Some(width)),
        };
        let defines = width.map_or_else(String::new, |width| {
            format!("#define WIDTH {}\n#define TILE {}\n", width.floats(), self.tile())
        });
        let parts = SHARED.iter().chain(&parts).map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n"));
        defines + &parts.collect::<String>()
    }
}
