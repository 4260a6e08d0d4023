//! Sizes and options of the model.

use crate::layers::TransformerSettings;
use crate::networks::own_settings;
use crate::{
    Architecture, AttentionCost, ModelError, Ndt1Settings, Ndt2Settings, NormKind, PatchLayout, SessionShape,
};
use neuroglot_masks::{Prompt, Regions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most floating-point operations of attention in the forward pass of one trial: about two minutes of two cores.
const MOST_OPERATIONS: f64 = 1e13;

/// Most tokens of a trial, however small the model.
const MOST_TOKENS: f64 = 65_536.0;

/// Sizes and options of a model: what all architectures have, and a table for each. Defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Kind of model.
    pub architecture: Architecture,
    /// How it reads counts.
    pub input: InputKind,
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
    /// Units of a patch: of NDT2's tokens, and of what the `random-token` mask hides.
    pub patch: usize,
    /// Prompts, by the schemes they announce, in the order of their rows.
    #[schemars(with = "Vec<String>")]
    pub prompts: Vec<Prompt>,
    /// What NDT1-stitch has besides.
    #[serde(rename = "ndt1-stitch")]
    pub ndt1_stitch: Ndt1Settings,
    /// What NDT2 has besides.
    pub ndt2: Ndt2Settings,
}

/// How a network reads the counts that it is shown. What is hidden it reads as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// As they are: a unit that is hidden looks like one that is silent. The published choice.
    #[default]
    Counts,
    /// (count − mean) / deviation, by the [`CountStatistics`](crate::CountStatistics) of each unit.
    Standardised,
}

impl InputKind {
    /// Every kind of input.
    pub const ALL: [InputKind; 2] = [InputKind::Counts, InputKind::Standardised];

    /// Whether an entry without a spike is read alike whether it is hidden or shown.
    pub fn hides_silence(self) -> bool {
        self == InputKind::Counts
    }
}

/// A prompt of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PromptRow {
    /// Its row of the prompt embedding.
    pub row: usize,
    /// Whether bins see only themselves and earlier bins.
    pub is_causal: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::default(),
            input: InputKind::default(),
            hidden: 512,
            layers: 5,
            heads: 8,
            mlp: 0,
            dropout: 0.4,
            embed_dropout: 0.2,
            rope: false,
            norm: NormKind::Layer,
            patch: 128,
            prompts: Prompt::PUBLISHED.to_vec(),
            ndt1_stitch: Ndt1Settings::default(),
            ndt2: Ndt2Settings::default(),
        }
    }
}

impl ModelConfig {
    /// Width of the MLP in use.
    pub fn mlp_width(&self) -> usize {
        if self.mlp == 0 { 2 * self.hidden } else { self.mlp }
    }

    /// Sizes and options of the blocks.
    pub(crate) fn blocks(&self) -> TransformerSettings {
        TransformerSettings {
            hidden: self.hidden,
            layers: self.layers,
            heads: self.heads,
            mlp: self.mlp_width(),
            dropout: self.dropout as f32,
            norm: self.norm,
            rope: self.rope,
        }
    }

    /// The row of a prompt, and how bins attend under it.
    ///
    /// # Errors
    /// [`ModelError::Prompt`] names the prompts that there are.
    pub(crate) fn prompt_row(&self, prompt: Prompt) -> Result<PromptRow, ModelError> {
        let row = self.prompts.iter().position(|known| *known == prompt);
        let names = || self.prompts.iter().map(|known| known.name()).collect::<Vec<_>>().join(", ");
        let row = row.ok_or_else(|| ModelError::Prompt { prompt: prompt.name(), known: names() })?;
        Ok(PromptRow { row, is_causal: prompt.is_causal() })
    }

    /// How the units of a session stand in patches, from the region acronym of each.
    pub fn patch_layout(&self, acronyms: &[impl AsRef<str>]) -> PatchLayout {
        PatchLayout::new(acronyms, self.patch, self.ndt2.region_patches, self.ndt2.patch_tail)
    }

    /// Regions of the units of a session, in the patches of this model, from the region acronym of each.
    pub fn regions(&self, acronyms: &[impl AsRef<str>]) -> Regions {
        let patches = self.patch_layout(acronyms);
        Regions::new(acronyms.iter().map(AsRef::as_ref)).with_patches(patches.patch_of_unit())
    }

    /// Checks that attention over trials of `bins` bins ends in a time that one can wait for, before anything is allocated.
    ///
    /// # Errors
    /// [`ModelError::TooManyBins`] says how many operations and how much memory one trial would take.
    pub fn check_bins(&self, bins: usize, sessions: &[SessionShape]) -> Result<(), ModelError> {
        let patches = if self.architecture.has_patches() {
            let patches = sessions.iter().map(|session| self.patch_layout(&session.regions).patches());
            patches.max().unwrap_or(1).max(1)
        } else {
            1
        };
        // A bin's tokens, and those of the session and the prompt.
        let tokens = (bins as u128).saturating_mul(patches as u128).saturating_add(2);
        // Scores and weighted values: a multiplication and an addition for each pair and each place of a head, twice.
        let per_pair = 4.0 * self.hidden as f64 * self.layers as f64;
        let most_tokens = (MOST_OPERATIONS / per_pair).sqrt().min(MOST_TOKENS);
        if tokens as f64 <= most_tokens {
            return Ok(());
        }
        // What a block keeps of a token: its input, queries, keys, values, both normalised inputs, the output of attention, and the MLP
        // before and behind its activation.
        let kept = (7 * self.hidden + 2 * self.mlp_width()) as f64 * self.layers as f64;
        Err(ModelError::TooManyBins(Box::new(AttentionCost {
            bins,
            tokens,
            operations: per_pair * (tokens as f64).powi(2),
            gigabytes: kept * tokens as f64 * 4e-9,
            most: MOST_OPERATIONS,
            most_bins: ((most_tokens - 2.0) / patches as f64).max(0.0) as usize,
        })))
    }

    /// Checks that the settings make a model.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the field and what it must be.
    pub fn check(&self) -> Result<(), ModelError> {
        let fail = |field, value: &dyn std::fmt::Display, cure| {
            Err(ModelError::Config { field, value: value.to_string(), cure })
        };
        for (field, value) in [("hidden", self.hidden), ("heads", self.heads)] {
            if !(1..=65_536).contains(&value) {
                return fail(field, &value, "it must lie between 1 and 65536");
            }
        }
        if !(1..=1024).contains(&self.layers) {
            return fail("layers", &self.layers, "it must lie between 1 and 1024");
        }
        if !(1..=4096).contains(&self.patch) {
            return fail("patch", &self.patch, "it must lie between 1 and 4096");
        }
        for (row, prompt) in self.prompts.iter().enumerate() {
            if self.prompts[..row].contains(prompt) {
                return fail("prompts", prompt, "it has two rows, keep one");
            }
        }
        if self.prompts.is_empty() {
            return fail("prompts", &"[]", "a model has at least one prompt");
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
        for (architecture, settings) in Architecture::ALL.into_iter().zip(own_settings(self)) {
            if architecture == self.architecture {
                settings.check()?;
            } else if let Some((field, value)) = settings.changed() {
                let cure = "model.architecture is another, which has no such setting: leave this out";
                return fail(field, &value, cure);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_over_very_many_bins_is_refused_with_numbers() {
        let session = [SessionShape::new("a", std::iter::repeat_n("CA1", 300))];
        let paper = ModelConfig::default();
        paper.check_bins(100, &session).unwrap();
        paper.check_bins(20_000, &session).unwrap();
        let message = paper.check_bins(200_000, &session).unwrap_err().to_string();
        // 4 · 512 · 5 · 200,002² = 4.096e14; (7 · 512 + 2 · 1024) · 5 · 200,002 · 4 bytes = 22.5 GB.
        for words in
            ["200000 bins are 200002 tokens", "4.1e14 operations", "about 22.5 GB", "31248 bins at most"]
        {
            assert!(message.contains(words), "{words}: {message}");
        }
        paper.check_bins(31_248, &session).unwrap();
        paper.check_bins(31_249, &session).unwrap_err();
        // However small the model, and with a token for each of three patches.
        let small = ModelConfig { hidden: 8, layers: 1, heads: 1, ..ModelConfig::default() };
        small.check_bins(65_534, &session).unwrap();
        small.check_bins(200_000, &session).unwrap_err();
        let patches = ModelConfig { architecture: Architecture::Ndt2, ..ModelConfig::default() };
        patches.check_bins(10_416, &session).unwrap();
        assert!(patches.check_bins(10_417, &session).unwrap_err().to_string().contains("10416 bins at most"));
        patches.check_bins(usize::MAX, &session).unwrap_err();
    }

    #[test]
    fn no_memory_is_taken_for_a_model_of_too_many_bins() {
        use rand_chacha::rand_core::SeedableRng;
        let session = [SessionShape::new("a", ["CA1"])];
        let device = Box::new(neuroglot_engine::CpuDevice::new(1).unwrap());
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let model = ModelConfig::default().init(1 << 40, &session, true, device, &mut rng);
        assert!(matches!(model, Err(ModelError::TooManyBins(_))));
    }
}
