//! Every setting of a run, with the published values as defaults.

use crate::{TrainError, earlier_settings};
use neuroglot_coupling::CouplingSettings;
use neuroglot_data::Filter;
use neuroglot_masks::{MaskPool, PoolEntry, Prompt, Scheme};
use neuroglot_model::ModelConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All settings of a run; the TOML file has the same tables and keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Seed of every random stream.
    pub seed: u64,
    /// Sizes and options of the model.
    #[serde(deserialize_with = "earlier_settings::model")]
    pub model: ModelConfig,
    /// Optimisation.
    pub train: TrainConfig,
    /// Masking.
    pub mask: MaskConfig,
    /// Which units and trials are used.
    pub data: DataConfig,
    /// How parameters start.
    pub init: InitConfig,
    /// Couplings of units beside the networks.
    pub coupling: CouplingSettings,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 42,
            model: ModelConfig::default(),
            train: TrainConfig::default(),
            mask: MaskConfig::default(),
            data: DataConfig::default(),
            init: InitConfig::default(),
            coupling: CouplingSettings::default(),
        }
    }
}

/// Optimisation (MtM paper, appendix on training).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training trials.
    pub epochs: u64,
    /// Trials per batch; a batch holds trials of one session.
    pub batch: usize,
    /// Batches, each of one session under one mask, whose gradients are added up before each step.
    pub accumulate: usize,
    /// Groups that the sessions are dealt to; a step takes `train.accumulate` batches of each and adds up their gradients.
    /// Several GPUs compute as many lanes side by side, and `--devices` sets it to their number.
    pub lanes: usize,
    /// Whether the batches of different sessions that a step takes of a lane pass the trunk together, which fills a GPU; of
    /// `ndt1-stitch` alone.
    pub join_sessions: bool,
    /// Highest learning rate of the one-cycle schedule.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises.
    pub warm_up: f64,
    /// AdamW weight decay.
    pub weight_decay: f64,
    /// AdamW β₂.
    pub beta2: f64,
    /// AdamW ε.
    pub epsilon: f64,
    /// Probability of reversing a trial in time, as augmentation.
    pub time_reversal: f64,
    /// Epochs between validations; 0 makes about fifty over the run.
    pub validate_every: u64,
    /// What chooses the best checkpoint.
    pub select: SelectBy,
    /// Stop after this many validations without a better score; 0 never stops early.
    pub patience: u64,
    /// Seconds between saves of the last checkpoint; 0 saves after every epoch.
    pub checkpoint_seconds: u64,
    /// How often the trials of each session are seen in an epoch.
    pub sampling: Sampling,
    /// What stays as it starts.
    pub freeze: Freeze,
    /// Networks that are trained alike, from seeds that follow each other, and whose rates are averaged.
    pub members: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 1000,
            batch: 16,
            accumulate: 1,
            join_sessions: false,
            lanes: 1,
            learning_rate: 1e-4,
            warm_up: 0.15,
            weight_decay: 0.01,
            beta2: 0.999,
            epsilon: 1e-8,
            time_reversal: 0.0,
            validate_every: 0,
            select: SelectBy::BitsPerSpike,
            patience: 0,
            checkpoint_seconds: 30,
            sampling: Sampling::Proportional,
            freeze: Freeze::Nothing,
            members: 1,
        }
    }
}

/// How often the trials of each session are seen in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Each trial once: sessions weigh as they have trials.
    Proportional,
    /// Each session in as many batches as the one with the most: the trials of others are shuffled and seen again.
    Balanced,
}

/// What training leaves as it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Everything is trained.
    Nothing,
    /// All that sessions share; only stitchers and session tokens are trained.
    Trunk,
}

/// What chooses the best checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SelectBy {
    /// The highest validation score: pooled bits/spike of the hidden entries, averaged over schemes and sessions.
    BitsPerSpike,
    /// The highest R² of the hidden entries over the 50 most active units, averaged likewise (the published choice).
    R2,
    /// No score: it is the last model. Validation is recorded all the same.
    Last,
}

/// Masking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskConfig {
    /// `mtm` (all four schemes), the name of one scheme, or a list of names and of tables `{ scheme, ratio, weight, prompt }`.
    /// Earlier files call it `scheme`.
    #[serde(alias = "scheme")]
    #[schemars(with = "serde_json::Value")]
    pub pool: MaskPool,
    /// Probability of hiding a unit, bin or entry, in schemes that have none of their own.
    pub ratio: f64,
    /// Probability of hiding a bin in the `causal` scheme.
    pub causal_ratio: f64,
}

impl Default for MaskConfig {
    fn default() -> Self {
        let causal_ratio = Scheme::Causal.default_ratio();
        Self { pool: MaskPool::multi_task(), ratio: Scheme::SHARED_RATIO, causal_ratio }
    }
}

impl MaskConfig {
    /// Probability of hiding under a scheme of the pool: its own, or the one that is set for all.
    pub fn ratio_of(&self, entry: &PoolEntry) -> f64 {
        entry.ratio.unwrap_or_else(|| match entry.scheme {
            Scheme::Causal => self.causal_ratio,
            other => other.own_ratio().unwrap_or(self.ratio),
        })
    }
}

/// Which units and trials are used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Lowest mean rate of a unit over training trials (Hz).
    pub min_rate: f64,
    /// Only units that passed quality control.
    pub good_only: bool,
    /// Only units of these regions (Beryl acronyms); empty keeps all.
    pub regions: Vec<String>,
    /// Leave out regions with fewer units.
    pub min_units_per_region: usize,
    /// Leave out trials without a choice.
    pub drop_no_go: bool,
    /// How many trials of each session to train on, for calibration curves; 0 takes all, as does a session that has fewer.
    /// They are the first of a seeded permutation, so a larger number includes the trials of a smaller one. Filters,
    /// validation trials and test trials do not depend on it.
    pub trials: usize,
}

impl DataConfig {
    /// The filter that these settings describe.
    pub fn filter(&self) -> Filter {
        Filter {
            drop_no_go: self.drop_no_go,
            good_only: self.good_only,
            regions: (!self.regions.is_empty()).then(|| self.regions.clone()),
            min_rate: self.min_rate,
            min_units_per_region: self.min_units_per_region,
        }
    }
}

/// How parameters start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InitConfig {
    /// Where predicted rates start.
    pub output_bias: OutputBias,
    /// Run or checkpoint folder of a model whose trunk (all that sessions share) this run starts with; empty starts at
    /// random. The settings of `model` are then those of that model.
    pub from: String,
    /// Which checkpoint of the run in `from`.
    pub from_checkpoint: FromCheckpoint,
    /// Whether sessions that the model in `from` knows, by eid and with the same units, keep their stitchers and session
    /// tokens.
    pub keep_stitchers: bool,
    /// How stitchers and session tokens of sessions start that the model in `from` does not know.
    pub stitcher: StitcherStart,
    /// Whether only the first network starts with the model in `from`, and the further ones of `train.members` at random:
    /// networks of both kinds err in different ways, and their average errs less.
    pub fresh_members: bool,
}

impl Default for InitConfig {
    fn default() -> Self {
        Self {
            output_bias: OutputBias::Rate,
            from: String::new(),
            from_checkpoint: FromCheckpoint::Best,
            keep_stitchers: true,
            stitcher: StitcherStart::Random,
            fresh_members: false,
        }
    }
}

/// A checkpoint of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FromCheckpoint {
    /// The best, which `train.select` chooses.
    Best,
    /// The last.
    Last,
}

impl FromCheckpoint {
    /// Name of its folder in a run.
    pub fn name(self) -> &'static str {
        match self {
            FromCheckpoint::Best => crate::RunFolder::BEST,
            FromCheckpoint::Last => crate::RunFolder::LAST,
        }
    }
}

/// How the stitchers of a session start that a trained model does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StitcherStart {
    /// At random, as in a run from scratch.
    Random,
    /// From the stitchers of units of the same region and a similar rate.
    Regions,
    /// Inputs from regions; outputs fitted to the training trials on what the trained trunk makes of them.
    Regression,
}

/// Where predicted rates start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputBias {
    /// At each unit's mean over training trials; of NDT2, whose sessions share the output, at the mean of all units
    /// that stand at the same place of a patch.
    Rate,
    /// Around 1 spike per bin, as the reference starts.
    Zero,
}

impl RunConfig {
    /// What each setting is, as a JSON Schema; descriptions are the comments of these structs.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(RunConfig).to_value()
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`TrainError::Setting`] or [`TrainError::Model`], naming the key and what it must be.
    pub fn check(&self) -> Result<(), TrainError> {
        self.model.check()?;
        let fail = |key: &str, problem: String| Err(TrainError::Setting { key: key.to_owned(), problem });
        let t = &self.train;
        let whole_numbers = [
            ("train.epochs", t.epochs, 0..=10_000_000),
            ("train.batch", t.batch as u64, 1..=100_000),
            ("train.accumulate", t.accumulate as u64, 1..=4096),
            ("train.lanes", t.lanes as u64, 1..=4096),
            ("train.members", t.members as u64, 1..=64),
        ];
        for (key, value, range) in whole_numbers {
            if !range.contains(&value) {
                return fail(key, format!("{value} must lie between {} and {}", range.start(), range.end()));
            }
        }
        if t.join_sessions && self.model.architecture.has_patches() {
            let problem = format!(
                "trials of {} have as many tokens as their session has patches, so sessions do not pass its trunk together: leave it \
                 at false, or train model.architecture = ndt1-stitch",
                self.model.architecture
            );
            return fail("train.join_sessions", problem);
        }
        if t.members > 1 && self.data.trials > 0 {
            let problem =
                "each network would be trained on other trials: leave data.trials at 0, or train one network";
            return fail("train.members", problem.to_owned());
        }
        if self.init.fresh_members && (t.members < 2 || self.init.from.is_empty()) {
            let problem = "it is of further networks beside a fine-tuned one: set init.from, and train.members to 2 or more";
            return fail("init.fresh_members", problem.to_owned());
        }
        self.coupling.check()?;
        let positive = [("train.learning_rate", t.learning_rate), ("train.epsilon", t.epsilon)];
        for (key, value) in positive {
            if !(value > 0.0 && value.is_finite()) {
                return fail(key, format!("{value} must be a number above 0"));
            }
        }
        if !(t.weight_decay >= 0.0 && t.weight_decay.is_finite()) {
            return fail("train.weight_decay", format!("{} must be 0 or more", t.weight_decay));
        }
        let shares = [
            ("train.warm_up", t.warm_up),
            ("train.time_reversal", t.time_reversal),
            ("mask.ratio", self.mask.ratio),
            ("mask.causal_ratio", self.mask.causal_ratio),
        ];
        for (key, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return fail(key, format!("{value} must lie between 0 and 1"));
            }
        }
        if t.select == SelectBy::Last && t.patience > 0 {
            let problem = "with train.select=last no score says when to stop: leave this out".to_owned();
            return fail("train.patience", problem);
        }
        if !(0.0..1.0).contains(&t.beta2) {
            return fail("train.beta2", format!("{} must be at least 0 and below 1", t.beta2));
        }
        if !(self.data.min_rate >= 0.0 && self.data.min_rate.is_finite()) {
            return fail("data.min_rate", format!("{} must be 0 or more (Hz)", self.data.min_rate));
        }
        if self.init.from.is_empty() {
            let without_a_model =
                "only a run that starts from another can do this: set init.from to its folder";
            if t.freeze != Freeze::Nothing {
                return fail("train.freeze", without_a_model.to_owned());
            }
            if self.init.stitcher != StitcherStart::Random {
                return fail("init.stitcher", without_a_model.to_owned());
            }
        }
        Ok(())
    }

    /// Gives the model a row for each prompt of the pool that it has none for.
    pub(crate) fn add_prompts(&mut self) {
        Prompt::add_rows(&mut self.model.prompts, self.mask.pool.prompts());
    }

    /// Whether there is more to a run than one network.
    pub fn is_ensemble(&self) -> bool {
        self.train.members > 1 || self.coupling.weight > 0.0
    }

    /// Whether the run starts from a trained model.
    pub fn is_fine_tuning(&self) -> bool {
        !self.init.from.is_empty()
    }

    /// Epochs between validations.
    pub fn validate_every(&self) -> u64 {
        match self.train.validate_every {
            0 => (self.train.epochs / 50).max(1),
            every => every,
        }
    }
}
