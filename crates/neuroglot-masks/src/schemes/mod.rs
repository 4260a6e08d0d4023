//! Masking schemes: one file each, and the registry that names them.

use crate::{Holdout, Prompt, Regions};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// All that makes a masking scheme.
struct Definition {
    /// The name used in options and files.
    name: &'static str,
    /// What it hides, in a line.
    description: &'static str,
    /// Whether multi-task masking (`mtm`) draws from it.
    in_multi_task: bool,
    /// The prompt that announces it, unless a pool names another: its own or another scheme's.
    prompt: Prompt,
    /// Whether bins see only themselves and earlier bins under the prompt of this name.
    is_causal: bool,
    /// Its own probability of hiding, where it does not take the one that most schemes share (`mask.ratio`).
    ratio: Option<f64>,
    /// Draws what is hidden and scored into a holdout of nothing, with that probability. Bits are drawn per trial, a
    /// region once for the batch.
    draw: fn(&mut Holdout, &Regions, f64, &mut ChaCha8Rng),
}

/// Registers schemes. `NAME: file, KEY;` stands for `schemes/file.rs`, whose `SCHEME` defines `Scheme::NAME`. The key tells the
/// random streams of schemes apart and is part of every result: it is never changed, and a new scheme takes one that no
/// other has had.
macro_rules! registry {
    ($($scheme:ident: $file:ident, $key:literal;)*) => {
        $(mod $file;)*

        /// What is hidden from the model in a batch (MtM paper, section 3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Scheme {
            $(#[doc = concat!("See `schemes/", stringify!($file), ".rs`.")] $scheme = $key,)*
        }

        impl Scheme {
            /// Every scheme, in the order of the help texts.
            pub const ALL: [Scheme; [$($key),*].len()] = [$(Scheme::$scheme),*];

            fn definition(self) -> &'static Definition {
                match self {
                    $(Scheme::$scheme => &$file::SCHEME,)*
                }
            }
        }
    };
}

registry! {
    Neuron: neuron, 0;
    Causal: causal, 1;
    IntraRegion: intra_region, 2;
    InterRegion: inter_region, 3;
    Temporal: temporal, 4;
    Random: random, 5;
    RandomToken: random_token, 6;
}

impl Scheme {
    /// The probability of hiding that most schemes share: the paper's.
    pub const SHARED_RATIO: f64 = 0.3;

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// What it hides, in a line.
    pub fn description(self) -> &'static str {
        self.definition().description
    }

    /// The schemes of multi-task masking.
    pub fn multi_task() -> Vec<Scheme> {
        Self::ALL.into_iter().filter(|scheme| scheme.definition().in_multi_task).collect()
    }

    /// The prompt that announces it, unless a pool names another.
    pub fn prompt(self) -> Prompt {
        self.definition().prompt
    }

    /// Its own probability of hiding, where it does not take the one that most schemes share.
    pub fn own_ratio(self) -> Option<f64> {
        self.definition().ratio
    }

    /// Probability of hiding a unit, bin, patch or entry where nothing else is said.
    pub fn default_ratio(self) -> f64 {
        self.own_ratio().unwrap_or(Self::SHARED_RATIO)
    }

    /// What tells its random streams from those of other schemes.
    pub fn stream_key(self) -> u64 {
        self as u64
    }

    /// Whether the prompt of this name is causal.
    pub(crate) fn is_causal(self) -> bool {
        self.definition().is_causal
    }

    /// Draws a holdout for a batch. Bits are drawn per trial, the region once for the batch.
    ///
    /// A region scheme in a session without any region draws as `neuron`: there is no region to hide. A draw may score
    /// nothing, where by chance nothing is hidden.
    ///
    /// # Panics
    /// Where the ratio does not lie between 0 and 1.
    pub fn draw(
        self,
        trials: usize,
        bins: usize,
        regions: &Regions,
        ratio: f64,
        rng: &mut ChaCha8Rng,
    ) -> Holdout {
        let mut holdout = Holdout::nothing(0, 0, 0);
        self.redraw(&mut holdout, trials, bins, regions, ratio, rng);
        holdout
    }

    /// Draws as [`Scheme::draw`] does, in the room of a holdout.
    ///
    /// # Panics
    /// As [`Scheme::draw`].
    pub fn redraw(
        self,
        holdout: &mut Holdout,
        trials: usize,
        bins: usize,
        regions: &Regions,
        ratio: f64,
        rng: &mut ChaCha8Rng,
    ) {
        holdout.clear(trials, bins, regions.units());
        (self.definition().draw)(holdout, regions, ratio, rng);
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Scheme> for String {
    fn from(scheme: Scheme) -> String {
        scheme.name().to_owned()
    }
}

impl TryFrom<String> for Scheme {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_an_unknown_one_lists_them() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.name().parse::<Scheme>(), Ok(scheme));
            assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.name());
        }
        assert!("co-smooth".parse::<Scheme>().unwrap_err().contains("neuron, causal, intra-region"));
    }

    #[test]
    fn published_schemes_keep_their_streams_and_prompts() {
        let keys = Scheme::ALL.map(|scheme| (scheme.name(), scheme.stream_key()));
        let published =
            ["neuron", "causal", "intra-region", "inter-region", "temporal", "random", "random-token"];
        assert_eq!(keys[..7], [0, 1, 2, 3, 4, 5, 6].map(|key| (published[key], key as u64)));
        let rows = Prompt::PUBLISHED.map(Prompt::name);
        assert_eq!(rows, ["neuron", "causal", "inter-region", "intra-region"]);
        for scheme in &Scheme::ALL[..7] {
            let has_its_own = Prompt::PUBLISHED.contains(&Prompt(*scheme));
            assert_eq!(scheme.prompt(), if has_its_own { Prompt(*scheme) } else { Prompt(Scheme::Neuron) });
        }
    }
}
