//! Sizes and options of the model.

use crate::{ModelError, NormKind, Prompt, SessionShape};
use serde::{Deserialize, Serialize};

/// How counts become tokens, and tokens log-rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// One token per bin, one stitcher per session.
    #[default]
    Ndt1Stitch,
}

impl Architecture {
    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Ndt1Stitch => "ndt1-stitch",
        }
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Sizes and options of a model. Defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Kind of model.
    pub architecture: Architecture,
    /// Width of the stitchers' output.
    pub channels: usize,
    /// Width of the tokens.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads per block.
    pub heads: usize,
    /// Width of the MLP; 0 means 2 · hidden.
    pub mlp: usize,
    /// Dropout on attention weights, before the attention output and after the MLP.
    pub dropout: f64,
    /// Dropout on the tokens.
    pub embed_dropout: f64,
    /// Rotary position embedding in every block, besides the learned positions.
    pub rope: bool,
    /// Normalisation.
    pub norm: NormKind,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::default(),
            channels: 668,
            hidden: 512,
            layers: 5,
            heads: 8,
            mlp: 0,
            dropout: 0.4,
            embed_dropout: 0.2,
            rope: false,
            norm: NormKind::Layer,
        }
    }
}

impl ModelConfig {
    /// Width of the MLP in use.
    pub fn mlp_width(&self) -> usize {
        if self.mlp == 0 { 2 * self.hidden } else { self.mlp }
    }

    /// Number of parameter values of a model, without building it.
    pub fn parameter_count(&self, bins: usize, sessions: &[SessionShape]) -> u128 {
        let linear = |inputs: usize, outputs: usize| inputs as u128 * outputs as u128 + outputs as u128;
        let (hidden, channels, mlp) = (self.hidden, self.channels, self.mlp_width());
        let norm = match self.norm {
            NormKind::Layer => 2 * hidden as u128,
            NormKind::Scale => 1,
        };
        let block = 4 * linear(hidden, hidden) + linear(hidden, mlp) + linear(mlp, hidden) + 2 * norm;
        let stitchers = |s: &SessionShape| linear(s.units(), channels) + linear(hidden, s.units());
        linear(channels, 2 * channels)
            + linear(2 * channels, hidden)
            + (bins as u128 + Prompt::COUNT as u128 + sessions.len() as u128) * hidden as u128
            + self.layers as u128 * block
            + norm
            + sessions.iter().map(stitchers).sum::<u128>()
    }

    /// Checks that the settings make a model.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the field and what it must be.
    pub fn check(&self) -> Result<(), ModelError> {
        let fail = |field, value: &dyn std::fmt::Display, cure| {
            Err(ModelError::Config { field, value: value.to_string(), cure })
        };
        let sizes = [
            ("channels", self.channels),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
        ];
        for (field, value) in sizes {
            if !(1..=65_536).contains(&value) {
                return fail(field, &value, "it must lie between 1 and 65536");
            }
        }
        if self.mlp > 1 << 20 {
            return fail("mlp", &self.mlp, "it must be at most 1048576 (0 means twice the hidden size)");
        }
        if !self.hidden.is_multiple_of(self.heads) {
            return fail("heads", &self.heads, "it must divide model.hidden");
        }
        if self.rope && !(self.hidden / self.heads).is_multiple_of(2) {
            return fail("rope", &self.rope, "the width of a head, model.hidden / model.heads, must be even");
        }
        for (field, value) in [("dropout", self.dropout), ("embed_dropout", self.embed_dropout)] {
            if !(0.0..1.0).contains(&value) {
                return fail(field, &value, "it must be at least 0 and below 1");
            }
        }
        Ok(())
    }
}
