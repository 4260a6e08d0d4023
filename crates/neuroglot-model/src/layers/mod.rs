//! What networks are made of: each layer has its settings, its parameters, its memory for a batch and both passes.
//!
//! A layer is placed once, when a network is built. For each batch shape it plans its memory, `…Memory`, which its passes
//! take. Gradients that a layer says it writes are overwritten, those that it adds to must hold something.

mod attention;
mod embedding;
mod encoder;
mod linear;
mod mlp;
mod norm;
mod patch_layout;
mod spike_embedding;
mod transformer;
mod unit_decoder;

pub(crate) use attention::{AttentionMemory, BatchRule, SelfAttention, Sequence, Share};
pub(crate) use embedding::{Embedding, NormedEmbedding};
pub(crate) use encoder::{Encoder, EncoderMemory};
pub(crate) use linear::Linear;
pub(crate) use mlp::{Mlp, MlpMemory};
pub use norm::NormKind;
pub(crate) use norm::{Norm, NormMemory};
pub(crate) use patch_layout::PADDING;
pub use patch_layout::{PatchLayout, PatchTail};
pub(crate) use spike_embedding::{FirstLayer, SpikeEmbedding, SpikeMemory};
pub(crate) use transformer::{Transformer, TransformerMemory, TransformerSettings};
pub(crate) use unit_decoder::{DecoderMemory, UnitDecoder};
