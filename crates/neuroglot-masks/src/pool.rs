//! From which schemes one is drawn for each batch of training.

use crate::{Prompt, Scheme};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A scheme of a pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolEntry {
    /// What is hidden.
    pub scheme: Scheme,
    /// Probability of hiding a unit, bin, patch or entry; `None` takes the run's.
    pub ratio: Option<f64>,
    /// How often it is drawn, beside the weights of the others.
    pub weight: f64,
    /// The prompt that announces it.
    pub prompt: Prompt,
}

impl From<Scheme> for PoolEntry {
    fn from(scheme: Scheme) -> Self {
        Self { scheme, ratio: None, weight: 1.0, prompt: scheme.prompt() }
    }
}

impl PoolEntry {
    /// The scheme, and what is not as by default: `causal@0.45*2:neuron` has ratio 0.45, weight 2 and the prompt `neuron`.
    fn name(&self) -> String {
        let mut name = self.scheme.name().to_owned();
        if let Some(ratio) = self.ratio {
            name += &format!("@{ratio}");
        }
        if self.weight != 1.0 {
            name += &format!("*{}", self.weight);
        }
        if self.prompt != self.scheme.prompt() {
            name += &format!(":{}", self.prompt);
        }
        name
    }
}

/// Schemes of which one is drawn for each batch. In files it is `mtm` (multi-task masking), the name of a scheme, or a list of
/// names and of tables `{ scheme, ratio, weight, prompt }`, of which all but the scheme may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct MaskPool {
    entries: Vec<PoolEntry>,
}

impl MaskPool {
    /// Name of the pool of all schemes of multi-task masking.
    pub const MULTI_TASK: &str = "mtm";

    /// All schemes of multi-task masking alike.
    pub fn multi_task() -> Self {
        Self { entries: Scheme::multi_task().into_iter().map(PoolEntry::from).collect() }
    }

    /// Some schemes, at least one, each once.
    ///
    /// # Errors
    /// What is wrong with the list, and what would be right.
    pub fn new(entries: Vec<PoolEntry>) -> Result<Self, String> {
        if entries.is_empty() {
            return Err("the pool is empty: name at least one scheme".to_owned());
        }
        for (place, PoolEntry { scheme, ratio, weight, .. }) in entries.iter().enumerate() {
            if entries[..place].iter().any(|other| other.scheme == *scheme) {
                return Err(format!("{scheme} is in the pool twice: keep one, and give it a weight"));
            }
            if let Some(ratio) = ratio.filter(|ratio| !(0.0..=1.0).contains(ratio)) {
                return Err(format!("ratio = {ratio} of {scheme} must lie between 0 and 1"));
            }
            if !(*weight > 0.0 && weight.is_finite()) {
                return Err(format!("weight = {weight} of {scheme} must be a number above 0"));
            }
        }
        Ok(Self { entries })
    }

    /// The schemes, in order.
    pub fn entries(&self) -> &[PoolEntry] {
        &self.entries
    }

    /// Whether it is the pool of multi-task masking.
    pub fn is_multi_task(&self) -> bool {
        *self == Self::multi_task()
    }

    /// The only scheme of a pool of one.
    pub fn only(&self) -> Option<Scheme> {
        if let [only] = &self.entries[..] { Some(only.scheme) } else { None }
    }

    /// The schemes of multi-task masking that are missing, where the others are all there is and as by default.
    pub fn left_out(&self) -> Option<Vec<Scheme>> {
        let (there, missing): (Vec<Scheme>, Vec<Scheme>) = Scheme::multi_task()
            .into_iter()
            .partition(|scheme| self.entries.iter().any(|entry| entry.scheme == *scheme));
        let rest: Vec<PoolEntry> = there.into_iter().map(PoolEntry::from).collect();
        (rest == self.entries && rest.len() > 1).then_some(missing)
    }

    /// The prompts of its schemes, each once.
    pub fn prompts(&self) -> Vec<Prompt> {
        let mut prompts = Vec::new();
        Prompt::add_rows(&mut prompts, self.entries.iter().map(|entry| entry.prompt));
        prompts
    }

    /// The prompt that asks a model trained with this pool for what a scheme hides: the one under which it was trained to
    /// predict that; else the scheme's usual one, if the model has learned it at all; else the first of the pool under which bins
    /// see each other alike, or the first of all.
    pub fn prompt_for(&self, scheme: Scheme) -> Prompt {
        let of_scheme = self.entries.iter().find(|entry| entry.scheme == scheme);
        let usual = scheme.prompt();
        let of_prompt = || self.entries.iter().find(|entry| entry.prompt == usual);
        let alike = || self.entries.iter().find(|entry| entry.prompt.is_causal() == usual.is_causal());
        of_scheme.or_else(of_prompt).or_else(alike).unwrap_or(&self.entries[0]).prompt
    }

    /// Draws a scheme by its weight.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> &PoolEntry {
        let (first, rest) = (&self.entries[0], &self.entries[1..]);
        if rest.iter().all(|entry| entry.weight == first.weight) {
            // As all pools were drawn from when none had weights.
            return self.entries.choose(rng).unwrap_or(first);
        }
        let mut left = rng.random::<f64>() * self.entries.iter().map(|entry| entry.weight).sum::<f64>();
        let drawn = self.entries.iter().find(|entry| {
            left -= entry.weight;
            left < 0.0
        });
        drawn.unwrap_or(first)
    }

    /// `mtm`, or the names of its schemes, such as `temporal` or `neuron+causal*2`.
    pub fn name(&self) -> String {
        if self.is_multi_task() {
            return Self::MULTI_TASK.to_owned();
        }
        self.entries.iter().map(PoolEntry::name).collect::<Vec<_>>().join("+")
    }
}

impl From<Scheme> for MaskPool {
    fn from(scheme: Scheme) -> Self {
        Self { entries: vec![scheme.into()] }
    }
}

impl std::str::FromStr for MaskPool {
    type Err = String;

    /// Reads `mtm`, or names of schemes with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == Self::MULTI_TASK {
            return Ok(Self::multi_task());
        }
        let names = || Scheme::ALL.map(Scheme::name).join(", ");
        let scheme = |name: &str| {
            let known = name.trim().parse::<Scheme>().map(PoolEntry::from);
            known.map_err(|_| {
                format!("there is no mask `{name}`: choose mtm (all four schemes) or some of {}", names())
            })
        };
        Self::new(text.split(',').map(scheme).collect::<Result<_, _>>()?)
    }
}

/// A pool as files have it.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a pool is mtm, the name of a scheme, or a list of names and of tables { scheme, ratio, weight, prompt }"
)]
enum Written {
    Name(String),
    List(Vec<WrittenEntry>),
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a pool lists names of schemes, and tables { scheme, ratio, weight, prompt } of which only the scheme is needed"
)]
enum WrittenEntry {
    Name(String),
    Table(WrittenTable),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    scheme: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
}

impl From<MaskPool> for Written {
    fn from(pool: MaskPool) -> Self {
        let is_plain = |entry: &PoolEntry| *entry == PoolEntry::from(entry.scheme);
        if pool.is_multi_task() || (pool.only().is_some() && pool.entries.iter().all(is_plain)) {
            return Written::Name(pool.name());
        }
        let written = |entry: &PoolEntry| {
            if is_plain(entry) {
                WrittenEntry::Name(entry.scheme.into())
            } else {
                WrittenEntry::Table(WrittenTable {
                    scheme: entry.scheme.into(),
                    ratio: entry.ratio,
                    weight: (entry.weight != 1.0).then_some(entry.weight),
                    prompt: (entry.prompt != entry.scheme.prompt()).then(|| entry.prompt.name().to_owned()),
                })
            }
        };
        Written::List(pool.entries.iter().map(written).collect())
    }
}

impl TryFrom<Written> for MaskPool {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let entry = |entry: WrittenEntry| -> Result<PoolEntry, String> {
            match entry {
                WrittenEntry::Name(name) => name.parse::<Scheme>().map(PoolEntry::from),
                WrittenEntry::Table(WrittenTable { scheme, ratio, weight, prompt }) => {
                    let scheme: Scheme = scheme.parse()?;
                    let prompt = match prompt {
                        Some(name) => Prompt(name.parse().map_err(|error| {
                            format!("prompt of {scheme}: a prompt goes by the name of a scheme, and {error}")
                        })?),
                        None => scheme.prompt(),
                    };
                    Ok(PoolEntry { scheme, ratio, weight: weight.unwrap_or(1.0), prompt })
                }
            }
        };
        match written {
            Written::Name(name) => name.parse(),
            Written::List(list) => Self::new(list.into_iter().map(entry).collect::<Result<_, _>>()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;
    use serde_json::json;

    fn read(json: serde_json::Value) -> Result<MaskPool, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn pools_are_written_as_shortly_as_they_can_be_read() {
        for written in [
            json!("mtm"),
            json!("temporal"),
            json!(["neuron", "causal"]),
            json!([{ "scheme": "temporal", "prompt": "temporal" }]),
            json!(["neuron", { "scheme": "causal", "ratio": 0.45, "weight": 2.0, "prompt": "neuron" }]),
        ] {
            let pool = read(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&pool).unwrap(), written);
        }
        let all = Scheme::multi_task().into_iter().map(|scheme| json!({ "scheme": scheme, "weight": 1 }));
        let all = all.collect::<Vec<_>>().into();
        assert_eq!(read(all).unwrap(), MaskPool::multi_task());
        assert_eq!("neuron, causal".parse::<MaskPool>(), read(json!(["neuron", "causal"])));
        let named = json!(["neuron", { "scheme": "causal", "ratio": 0.45, "weight": 2, "prompt": "neuron" }]);
        assert_eq!(read(named).unwrap().name(), "neuron+causal@0.45*2:neuron");
    }

    #[test]
    fn what_is_no_pool_is_named() {
        for (written, words) in [
            (json!("blink"), "there is no mask `blink`: choose mtm"),
            (json!([]), "the pool is empty"),
            (json!(["neuron", "blink"]), "no masking scheme `blink`"),
            (json!(["neuron", "neuron"]), "neuron is in the pool twice"),
            (json!([{ "scheme": "neuron", "ratio": 1.5 }]), "ratio = 1.5 of neuron must lie between 0 and 1"),
            (json!([{ "scheme": "neuron", "weight": 0 }]), "weight = 0 of neuron must be a number above 0"),
            (json!([{ "scheme": "neuron", "prompt": "mine" }]), "no masking scheme `mine`"),
            (json!([{ "scheme": "neuron", "wieght": 1 }]), "{ scheme, ratio, weight, prompt }"),
            (json!(3), "a pool is mtm, the name of a scheme, or a list"),
        ] {
            let error = read(written).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn schemes_are_drawn_by_their_weights() {
        let pool = read(
            json!(["neuron", { "scheme": "causal", "weight": 3 }, { "scheme": "random", "weight": 0.5 }]),
        );
        let (pool, mut rng) = (pool.unwrap(), ChaCha8Rng::seed_from_u64(1));
        let drawn: Vec<Scheme> = (0..9000).map(|_| pool.draw(&mut rng).scheme).collect();
        for (scheme, expected) in
            [(Scheme::Neuron, 2000.0), (Scheme::Causal, 6000.0), (Scheme::Random, 1000.0)]
        {
            let count = drawn.iter().filter(|drawn| **drawn == scheme).count() as f64;
            let sigma = f64::sqrt(expected * (1.0 - expected / 9000.0));
            assert!((count - expected).abs() < 5.0 * sigma, "{scheme}: {count} instead of {expected}");
        }
    }

    #[test]
    fn a_model_is_asked_with_a_prompt_that_it_has_learned() {
        let asked = |pool: &str, scheme: Scheme| pool.parse::<MaskPool>().unwrap().prompt_for(scheme).name();
        assert_eq!(asked("mtm", Scheme::InterRegion), "inter-region");
        assert_eq!(asked("temporal", Scheme::InterRegion), "neuron");
        assert_eq!(asked("causal", Scheme::Neuron), "causal");
        // What was left out is asked for as the first of the others that attends alike.
        assert_eq!(asked("causal,intra-region,inter-region", Scheme::Neuron), "intra-region");
        assert_eq!(asked("neuron,intra-region,inter-region", Scheme::Causal), "neuron");
        assert_eq!(asked("neuron,intra-region,inter-region", Scheme::IntraRegion), "intra-region");
        assert_eq!(asked("causal,temporal", Scheme::Neuron), "neuron");
        let own = read(json!(["neuron", { "scheme": "temporal", "prompt": "temporal" }])).unwrap();
        assert_eq!(own.prompt_for(Scheme::Temporal).name(), "temporal");
        assert_eq!(own.prompts().len(), 2);
    }

    #[test]
    fn what_multi_task_masking_lacks_is_told_of_its_parts_alone() {
        let left_out = |pool: &str| pool.parse::<MaskPool>().unwrap().left_out();
        let mut others = Scheme::multi_task();
        others.retain(|scheme| *scheme != Scheme::Causal);
        let others: Vec<&str> = others.into_iter().map(Scheme::name).collect();
        assert_eq!(left_out(&others.join(",")), Some(vec![Scheme::Causal]));
        assert_eq!(left_out("mtm"), Some(Vec::new()));
        assert_eq!(left_out("neuron"), None);
        assert_eq!(left_out("neuron,temporal"), None);
    }
}
