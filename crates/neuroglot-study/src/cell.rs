//! One piece of a study's work: a run, or a baseline on one session.

use crate::StudySession;
use neuroglot_baselines::Baseline;
use neuroglot_masks::MaskPool;
use neuroglot_model::Architecture;
use neuroglot_train::RunConfig;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of work a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A model trained from scratch on one held-out session.
    Scratch,
    /// A model trained on several sessions that are not held out.
    Pretrain,
    /// A pretrained model trained on, on one held-out session.
    Finetune,
    /// A baseline on one held-out session, or on all sessions together.
    Baseline,
}

impl Stage {
    /// Name in folders and files.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Scratch => "scratch",
            Stage::Pretrain => "pretrain",
            Stage::Finetune => "finetune",
            Stage::Baseline => "baseline",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What is scored: all cells of one method differ in session and seed alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A trained model.
    Trained(TrainedMethod),
    /// A baseline.
    Baseline(Baseline),
}

/// How a model is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainedMethod {
    /// Architecture.
    pub model: Architecture,
    /// What is hidden in training.
    pub mask: MaskPool,
    /// Name of the recipe that settings start from; `None` for the plain defaults.
    pub recipe: Option<String>,
    /// What it was pretrained on; `None` for a model from scratch.
    pub pretraining: Option<Pretrained>,
    /// Training trials of the session that is scored; 0 for all.
    pub trials: u64,
}

impl TrainedMethod {
    /// Sessions in pretraining; 0 from scratch.
    pub fn pretraining_sessions(&self) -> usize {
        self.pretraining.as_ref().map_or(0, |pretrained| pretrained.sessions)
    }
}

/// What a model was pretrained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pretrained {
    /// Name of the pretraining.
    pub name: String,
    /// Number of its sessions.
    pub sessions: usize,
}

/// A cell that another one needs, and all that makes it what it is: the other is another one if this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Needed {
    /// Its id.
    pub id: String,
    /// Its settings.
    pub settings: RunConfig,
    /// Ids of its sessions.
    pub sessions: Vec<String>,
}

/// One piece of work, whose results lie in a folder of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its folder below the study's `cells`, such as `scratch/ndt1-stitch_mtm_s42_cori_2016-12-14`.
    pub id: String,
    /// Kind of work.
    pub stage: Stage,
    /// What is made. A pretraining has the method of its fine-tunings, with all trials.
    pub method: Method,
    /// Seed of a run; `None` for a baseline.
    pub seed: Option<u64>,
    /// Sessions of the run.
    pub sessions: Vec<StudySession>,
    /// Ids of those that count as scored: the held-out ones. A pretraining has none.
    pub scored: Vec<String>,
    /// The cell whose model is trained on.
    pub needs: Option<Needed>,
    /// Settings of the run; those of a baseline are the defaults but for `data`.
    pub settings: RunConfig,
}

impl Cell {
    /// Whether it has scores of its own.
    pub fn is_scored(&self) -> bool {
        !self.scored.is_empty()
    }

    /// How much work it is beside other cells, about: passes of a small model over a session.
    pub(crate) fn weight(&self) -> u64 {
        let passes = match self.method {
            Method::Baseline(Baseline::UnitMean | Baseline::Psth | Baseline::History | Baseline::Linear) => 1,
            Method::Baseline(Baseline::Ridge | Baseline::Mlp) => 30,
            Method::Baseline(Baseline::PoissonGlm | Baseline::ReducedRank) => 100,
            Method::Trained(_) => {
                self.settings.train.epochs.saturating_mul(self.settings.train.members as u64)
            }
        };
        passes.saturating_mul(self.sessions.len() as u64)
    }
}
