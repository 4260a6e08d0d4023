//! What an evaluation found, as it is stored in `evaluation.json` and read by reports.

use crate::Source;
pub use neuroglot_metrics::Interval;
use serde::{Deserialize, Serialize};

/// Everything one evaluation of one run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of neuroglot that made it.
    pub version: String,
    /// Name of the run's mask pool, such as `mtm` or `temporal`.
    pub mask: String,
    /// Which checkpoint was evaluated: `best` or `last`.
    pub checkpoint: String,
    /// Weights and settings behind the scores; nothing in evaluations written before they were kept.
    #[serde(default, skip_serializing_if = "Source::is_empty")]
    pub source: Source,
    /// One entry per session, in the order evaluated.
    pub sessions: Vec<SessionEvaluation>,
}

/// Results on the test trials of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SessionEvaluation {
    /// Session id.
    pub eid: String,
    /// Animal.
    pub subject: String,
    /// Number of test trials scored.
    pub trials: usize,
    /// Bins per trial.
    pub bins: usize,
    /// Bin size (s).
    pub bin_seconds: f64,
    /// Tells whether the session was the same when it was scored again: see [`fingerprint`](crate::fingerprint). Empty in
    /// evaluations written before it was kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// The units the model knows, in its order.
    pub units: Vec<UnitLabel>,
    /// Masking tasks: `co-smoothing`, `forward`, `intra-region`, `inter-region`.
    pub tasks: Vec<TaskResult>,
    /// Behaviour decoding: `choice`, `wheel-speed`, `whisker-motion-energy`, ….
    pub decoding: Vec<DecodingResult>,
    /// What was asked for and not done, with the reason (a behaviour that is missing, say).
    pub skipped: Vec<Skipped>,
    /// Units shown in detail: the best and the median unit of each task.
    pub examples: Vec<Example>,
    /// Units shown one by one in co-smoothing: those of which predictions tell the most. Empty in evaluations written before they
    /// were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Example>,
    /// Trials shown with all units: each unit in co-smoothing. Empty in evaluations written before they were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub populations: Vec<PopulationTrial>,
    /// Of a model scored in co-smoothing: its bits/spike minus those of the session's PSTH over the same units, with the
    /// interval of the paired difference; `None` where it was not fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside_psth: Option<Interval>,
    /// Region × region prediction, where it was computed.
    pub region_matrix: Option<RegionMatrix>,
    /// How the model's activations go through the trials of each condition, where bins are its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trajectories: Option<LatentTrajectories>,
    /// What the coupling of a model says about pairs of units, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupling: Option<CoupledUnits>,
}

impl SessionEvaluation {
    /// Names of the tasks and behaviours that have a score.
    pub fn scored(&self) -> Vec<String> {
        let tasks = self.tasks.iter().map(|result| result.task.clone());
        tasks.chain(self.decoding.iter().map(|result| result.behaviour.clone())).collect()
    }

    /// What was left out, as far as it is to be told, and what keeps classes of decoded behaviours from being learned or scored: a
    /// line each.
    pub fn remarks(&self, is_told: impl Fn(&Skipped) -> bool) -> Vec<String> {
        let skipped = self.skipped.iter().filter(|skipped| is_told(skipped));
        let left_out = skipped.map(|Skipped { what, why }| format!("{what} is left out: {why}"));
        let of_decoding = |result: &DecodingResult| {
            let behaviour = result.behaviour.clone();
            result.notes.clone().into_iter().map(move |note| format!("{behaviour}: {note}"))
        };
        left_out.chain(self.decoding.iter().flat_map(of_decoding)).collect()
    }
}

/// Who a unit is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitLabel {
    /// Unit uuid.
    pub uuid: String,
    /// Beryl acronym of its region.
    pub region: String,
    /// Its index in the session as it was read, before filters; `None` in evaluations made before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

/// Scores of one task over all units; `None` where a score is undefined for every unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean over units of bits per spike, with its interval over units.
    pub bps: Option<Interval>,
    /// Pooled bits per spike: all units' likelihoods over all units' spikes.
    pub bps_pooled: Option<f64>,
    /// Mean over units of Poisson D².
    pub d2: Option<f64>,
    /// Mean over units of single-trial R².
    pub r2: Option<f64>,
    /// Mean over units of PSTH R², where the session has conditions.
    pub psth_r2: Option<f64>,
}

/// One masking task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// `co-smoothing`, `forward`, `intra-region` or `inter-region`.
    pub task: String,
    /// The model's scores.
    pub scores: Scores,
    /// The same scores of the true rates, where they are known (simulated sessions).
    pub ceiling: Option<Scores>,
    /// The same scores of the best predictor that knows the true state behind what the task shows: for a unit or region
    /// hidden, the latents of all regions; for the future, the whole past. Known of simulated sessions.
    #[serde(default)]
    pub state_ceiling: Option<Scores>,
    /// The parts of an average scored alone, where the model is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<AloneScores>,
    /// Predicted rates beside the counts that came, from the lowest rate to the highest; empty in evaluations written before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<CalibrationPoint>,
    /// Per unit, in the order of [`SessionEvaluation::units`].
    pub per_unit: Vec<UnitScores>,
}

/// Scores of what a model averages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AloneScores {
    /// Of its networks without the coupling of units.
    pub networks: Scores,
    /// Of the coupling without the networks.
    pub coupling: Scores,
}

/// Scores of one unit in one task; `None` where undefined (no spike, no variance).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitScores {
    /// Spikes in the scored entries.
    pub spikes: f64,
    /// Bits per spike.
    pub bps: Option<f64>,
    /// Poisson D².
    pub d2: Option<f64>,
    /// Single-trial R².
    pub r2: Option<f64>,
    /// PSTH R².
    pub psth_r2: Option<f64>,
    /// Bits per spike of the true rate, where known.
    pub ceiling_bps: Option<f64>,
    /// Bits per spike of the best predictor that knows the true state behind what the task shows, where known.
    #[serde(default)]
    pub state_ceiling_bps: Option<f64>,
}

/// One decoded behaviour.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DecodingResult {
    /// `choice`, `wheel-speed`, `whisker-motion-energy`, ….
    pub behaviour: String,
    /// `accuracy` (categories) or `r2` (numbers).
    pub metric: String,
    /// The score on test trials.
    pub score: f64,
    /// The score of always answering with the class that most training trials are of, or 0 for R².
    pub chance: f64,
    /// The penalty that was chosen (C of logistic regression, α of ridge regression); of several decoders, that of the first.
    pub regularisation: f64,
    /// The decoders whose outputs were averaged; empty where there was one alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoders: Vec<DecoderUsed>,
    /// The score with its interval over test trials; like all below `None` or empty in evaluations made before it was
    /// recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Of categories, the mean over classes of the share of their test trials that is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<Interval>,
    /// Of categories, the area under the ROC curve; of more than two, the mean over classes, each against the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<Interval>,
    /// Of categories, how often each occurs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassResult>,
    /// Of a trace, a few test trials as they were and as they were decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<DecodedTrace>,
    /// What of its values it was taken for categories or numbers by, unless that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
    /// What keeps a class from being learned or scored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One of the decoders whose outputs were averaged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecoderUsed {
    /// What it reads, such as `log-rates` or `counts`.
    pub features: String,
    /// Its share of the average.
    pub weight: f64,
    /// The penalty that was chosen (C of logistic regression, α of ridge regression, λ of one with temporal filters); of a network that
    /// was trained end to end, the number of epochs.
    pub regularisation: f64,
}

/// One class of a decoded behaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassResult {
    /// Its text or number.
    pub label: String,
    /// Trials that the decoder was fitted to, those of validation among them.
    pub training: usize,
    /// Test trials.
    pub test: usize,
    /// Test trials that were decided rightly.
    pub right: usize,
    /// Its test trials by the class that was decided for, in the order of the classes; empty in evaluations made before it was
    /// recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<usize>,
}

/// A trace of one test trial, in the behaviour's own unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecodedTrace {
    /// The trial's index in the session as it was read, before filters.
    pub trial: usize,
    /// As it was, `[bin]`.
    pub value: Vec<f32>,
    /// As it was decoded, `[bin]`.
    pub decoded: Vec<f32>,
}

/// Something not evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Task or behaviour.
    pub what: String,
    /// The reason in one line.
    pub why: String,
}

/// One unit's observed and predicted activity in one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Task.
    pub task: String,
    /// `best` or `median`, by bits per spike; empty where it is one of [`SessionEvaluation::details`].
    pub rank: String,
    /// Index into [`SessionEvaluation::units`].
    pub unit: usize,
    /// Its bits per spike.
    pub bps: f64,
    /// First bin shown (0 but for forward prediction).
    pub first_bin: usize,
    /// Spike counts `[trial][bin]`.
    pub observed: Vec<Vec<f32>>,
    /// Predicted rates (spikes/bin) `[trial][bin]`.
    pub predicted: Vec<Vec<f32>>,
    /// Averages per condition; one entry `all trials` where the session has no conditions.
    pub psth: Vec<ConditionPsth>,
}

/// Trial averages of one unit in one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionPsth {
    /// Condition, such as `choice −1, reward 1`.
    pub label: String,
    /// Trials averaged.
    pub trials: usize,
    /// Mean count per bin.
    pub observed: Vec<f64>,
    /// Standard error of that mean; empty where there is one trial, and in evaluations written before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_error: Vec<f64>,
    /// Mean predicted rate per bin (spikes/bin).
    pub predicted: Vec<f64>,
}

/// Entries of which alike rates were predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationPoint {
    /// Bins of trials of units.
    pub entries: usize,
    /// Mean predicted rate (spikes/bin).
    pub predicted: f64,
    /// Mean count (spikes/bin).
    pub observed: f64,
}

/// All units in one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PopulationTrial {
    /// Its index in the session.
    pub trial: usize,
    /// Its condition, such as `choice −1, reward 1`.
    pub condition: String,
    /// Indices into [`SessionEvaluation::units`].
    pub units: Vec<usize>,
    /// Spike counts `[unit][bin]`.
    pub observed: Vec<Vec<f32>>,
    /// Predicted rates (spikes/bin) `[unit][bin]`.
    pub predicted: Vec<Vec<f32>>,
}

/// Averages of a model's activations over the trials of conditions, along the axes in which they differ most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatentTrajectories {
    /// Share of the variance of all averages that each axis holds, the largest first.
    pub explained: Vec<f64>,
    /// The conditions.
    pub conditions: Vec<ConditionTrajectory>,
}

/// The average of the trials of one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionTrajectory {
    /// Condition, such as `choice −1, reward 1`.
    pub label: String,
    /// Trials averaged.
    pub trials: usize,
    /// Where it is along the axes, `[bin][axis]`.
    pub points: Vec<Vec<f64>>,
}

/// How well each region's units are predicted from each other region alone, from all others and from their own region:
/// bits/spike, mean over the target's units with the interval over units; `None` where undefined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionMatrix {
    /// Region acronyms, the order of rows and columns.
    pub regions: Vec<String>,
    /// Units of each region.
    pub units: Vec<usize>,
    /// `[source][target]`; the diagonal is the intra-region score.
    pub from_one: Vec<Vec<Option<Interval>>>,
    /// Per target: predicted from all other regions (the inter-region task).
    pub from_others: Vec<Option<Interval>>,
}

impl RegionMatrix {
    /// Of each target, predicted from the other units of its own region (the intra-region task).
    pub fn from_itself(&self) -> Vec<Option<Interval>> {
        let diagonal = |region: usize| self.from_one.get(region)?.get(region).copied().flatten();
        (0..self.regions.len()).map(diagonal).collect()
    }
}

/// What the coupling of a session for co-smoothing says about pairs of units; they are indices into
/// [`SessionEvaluation::units`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoupledUnits {
    /// The strongest pairs, the first ahead.
    pub strongest: Vec<CoupledPair>,
    /// Pairs that look like one neuron that was sorted twice.
    pub suspected_duplicates: Vec<SuspectedDuplicate>,
}

/// How one unit predicts another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoupledPair {
    /// The unit whose activity predicts.
    pub input: usize,
    /// The unit that is predicted.
    pub target: usize,
    /// Change of the target's log-rate when all filtered counts of the input are higher by one spike/bin.
    pub per_count: f32,
    /// Change of the target's log-rate when all filtered counts of the input are higher by their standard deviation over
    /// training trials.
    pub per_deviation: f32,
}

/// Two units that look like one neuron that was sorted twice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SuspectedDuplicate {
    /// The units, the one with the lower number first.
    pub units: [usize; 2],
    /// The weaker of the couplings in both directions, [`CoupledPair::per_deviation`].
    pub coupling: f32,
    /// The strongest coupling of a usual target: the median over units.
    pub usual_coupling: f32,
    /// Correlation of their counts in the same bin, as departures from the average over trials.
    pub bin_correlation: f64,
    /// Correlation of their numbers of spikes in a trial; 1 for two copies of the same spikes, even if the copies are shifted in time.
    pub trial_correlation: f64,
}
