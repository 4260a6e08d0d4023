//! Masking schemes and the prompts that tell the model about them.

use serde::{Deserialize, Serialize};

/// What is hidden from the model in a batch (MtM paper, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Each unit with some probability, all bins.
    Neuron,
    /// Each bin with some probability, all units, under causal attention: predict the next time step.
    Causal,
    /// One region: all other regions hidden, and each of its units with some probability; the loss counts those.
    IntraRegion,
    /// All units of one region.
    InterRegion,
    /// Each bin with some probability, all units (the baseline, NDT).
    Temporal,
    /// Each entry with some probability.
    Random,
    /// Each patch of units in each bin with some probability (the baseline, NDT2).
    RandomToken,
}

/// The four schemes of multi-task masking have a learned prompt each, in the order of published checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prompt {
    /// Predict units from other units; also the prompt of baselines that have none.
    Neuron,
    /// Predict the future from the past.
    Causal,
    /// Predict a region from the other regions.
    InterRegion,
    /// Predict a unit from the other units of its region.
    IntraRegion,
}

impl Scheme {
    /// Every scheme, in the order of the help texts.
    pub const ALL: [Scheme; 7] = [
        Scheme::Neuron,
        Scheme::Causal,
        Scheme::IntraRegion,
        Scheme::InterRegion,
        Scheme::Temporal,
        Scheme::Random,
        Scheme::RandomToken,
    ];

    /// The pool of multi-task masking: one of these is drawn uniformly per batch.
    pub const MULTI_TASK: [Scheme; 4] =
        [Scheme::Neuron, Scheme::Causal, Scheme::IntraRegion, Scheme::InterRegion];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Neuron => "neuron",
            Scheme::Causal => "causal",
            Scheme::IntraRegion => "intra-region",
            Scheme::InterRegion => "inter-region",
            Scheme::Temporal => "temporal",
            Scheme::Random => "random",
            Scheme::RandomToken => "random-token",
        }
    }

    /// The prompt that announces this scheme.
    pub fn prompt(self) -> Prompt {
        match self {
            Scheme::Neuron | Scheme::Temporal | Scheme::Random | Scheme::RandomToken => Prompt::Neuron,
            Scheme::Causal => Prompt::Causal,
            Scheme::IntraRegion => Prompt::IntraRegion,
            Scheme::InterRegion => Prompt::InterRegion,
        }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Scheme {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no masking scheme `{name}`: choose one of {names}")
        })
    }
}

impl Prompt {
    /// Number of prompts: rows of the prompt embedding.
    pub const COUNT: usize = 4;

    /// Row of the prompt embedding.
    pub fn row(self) -> usize {
        match self {
            Prompt::Neuron => 0,
            Prompt::Causal => 1,
            Prompt::InterRegion => 2,
            Prompt::IntraRegion => 3,
        }
    }

    /// Whether, in each block, bins see only themselves and earlier bins, besides session and prompt.
    ///
    /// Session and prompt see all bins, so from the second block on a little of the later bins reaches the earlier
    /// ones through them. That is how the published model works; bins hidden in the input leak nothing.
    pub fn is_causal(self) -> bool {
        self == Prompt::Causal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_an_unknown_one_lists_them() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.name().parse::<Scheme>(), Ok(scheme));
        }
        assert!("co-smooth".parse::<Scheme>().unwrap_err().contains("neuron, causal, intra-region"));
    }
}
