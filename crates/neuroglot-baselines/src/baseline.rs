//! The baselines by name.

use crate::BaselineError;
use neuroglot_tasks::{PredictedFrom, Task};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A method to compare a model with, fitted on the same training trials and scored on the same test trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// Each unit's mean rate.
    UnitMean,
    /// Each unit's average over the training trials of a condition.
    Psth,
    /// Each unit's own past.
    History,
    /// Ridge regression on the other units.
    Ridge,
    /// Poisson regression with a logarithmic link on the other units.
    PoissonGlm,
    /// Regression through a few latent variables, whose temporal filters all sessions share.
    ReducedRank,
    /// Behaviour from counts as the evaluation decodes it from rates: ridge and logistic regression.
    Linear,
    /// Behaviour from counts by a network with one hidden layer.
    Mlp,
}

impl Baseline {
    /// All baselines, the simplest first.
    pub const ALL: [Baseline; 8] = [
        Baseline::UnitMean,
        Baseline::Psth,
        Baseline::History,
        Baseline::Ridge,
        Baseline::PoissonGlm,
        Baseline::ReducedRank,
        Baseline::Linear,
        Baseline::Mlp,
    ];

    /// Name in options, files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Baseline::UnitMean => "unit-mean",
            Baseline::Psth => "psth",
            Baseline::History => "history",
            Baseline::Ridge => "ridge",
            Baseline::PoissonGlm => "poisson-glm",
            Baseline::ReducedRank => "reduced-rank",
            Baseline::Linear => "linear",
            Baseline::Mlp => "mlp",
        }
    }

    /// What it does, in a line.
    pub fn description(self) -> &'static str {
        match self {
            Baseline::UnitMean => "each unit's mean rate over the training trials",
            Baseline::Psth => "each unit's smoothed average over the training trials of a condition",
            Baseline::History => "each unit's own smoothed past",
            Baseline::Ridge => "ridge regression on the smoothed counts of the other units",
            Baseline::PoissonGlm => "Poisson regression on the smoothed counts of the other units",
            Baseline::ReducedRank => {
                "regression through a few latent variables whose temporal filters all sessions share"
            }
            Baseline::Linear => "ridge and logistic regression on counts, as the evaluation decodes rates",
            Baseline::Mlp => "a network with one hidden layer on counts",
        }
    }

    /// Whether sessions share parameters, so that what it says of one depends on the others it is fitted with.
    pub fn is_of_sessions_together(self) -> bool {
        self == Baseline::ReducedRank
    }

    /// Why it has no prediction for a masking task, if it has none.
    pub fn why_not_task(self, task: Task) -> Option<&'static str> {
        match (self, task) {
            (Baseline::Linear | Baseline::Mlp, _) => {
                Some("the baseline decodes behaviour and predicts no unit")
            }
            (Baseline::History, task) if task.predicted_from() == PredictedFrom::OtherUnits => {
                Some("the baseline predicts a unit from its own past, which is hidden in this task")
            }
            _ => None,
        }
    }

    /// Why it decodes no behaviour, if it does not.
    pub fn why_not_behaviour(self) -> Option<&'static str> {
        match self {
            Baseline::ReducedRank | Baseline::Linear | Baseline::Mlp => None,
            _ => Some("the baseline predicts units and decodes no behaviour"),
        }
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Baseline {
    type Err = BaselineError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|baseline| baseline.name() == name);
        found.ok_or_else(|| BaselineError::Name { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for baseline in Baseline::ALL {
            assert_eq!(baseline.to_string().parse::<Baseline>().unwrap(), baseline);
            let json = serde_json::to_string(&baseline).unwrap();
            assert_eq!(json, format!("\"{baseline}\""));
            assert_eq!(serde_json::from_str::<Baseline>(&json).unwrap(), baseline);
        }
        let error = "glm".parse::<Baseline>().unwrap_err().to_string();
        assert!(
            error.contains("`glm`") && error.contains("unit-mean, psth") && error.ends_with("mlp"),
            "{error}"
        );
    }
}
