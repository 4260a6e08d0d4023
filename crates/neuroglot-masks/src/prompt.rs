//! The learned tokens that tell a model what is hidden.

use crate::Scheme;
use serde::{Deserialize, Serialize};

/// The learned token that announces a scheme, by whose name it goes. A model has a row of its prompt embedding for each of
/// its prompts, and knows the rows by name; a scheme without a prompt of its own is announced by another's
/// ([`Scheme::prompt`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prompt(pub Scheme);

impl Prompt {
    /// The prompts of published models, in the order of their rows. Every model has them, whatever it is trained with.
    pub const PUBLISHED: [Prompt; 4] = [
        Prompt(Scheme::Neuron),
        Prompt(Scheme::Causal),
        Prompt(Scheme::InterRegion),
        Prompt(Scheme::IntraRegion),
    ];

    /// Adds a row for each prompt that has none yet.
    pub fn add_rows(rows: &mut Vec<Prompt>, prompts: impl IntoIterator<Item = Prompt>) {
        for prompt in prompts {
            if !rows.contains(&prompt) {
                rows.push(prompt);
            }
        }
    }

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether, in each block, bins see only themselves and earlier bins, besides session and prompt.
    ///
    /// Session and prompt see all bins, so from the second block on a little of the later bins reaches the earlier
    /// ones through them. That is how the published model works; bins hidden in the input leak nothing.
    pub fn is_causal(self) -> bool {
        self.0.is_causal()
    }
}

impl std::fmt::Display for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
