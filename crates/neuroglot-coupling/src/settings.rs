//! Settings of a coupling.

use crate::CouplingError;
use neuroglot_tasks::PredictedFrom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a model's predictions are averaged with those of a coupling, and how the coupling is fitted: the table `[coupling]` of a
/// run's settings.
///
/// Widths, decays and penalties are those that were chosen most often by the wider grid of the baseline `poisson-glm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CouplingSettings {
    /// Share of the coupling in the averaged log-rate; 0 fits none.
    pub weight: f64,
    /// Standard deviations of the Gaussians that counts are smoothed with, s, for tasks that see whole trials; 0 leaves counts
    /// as they are. Each makes a covariate of every input.
    pub widths: Vec<f64>,
    /// Time constants of the exponentials over the past, s, for forward prediction.
    pub decays: Vec<f64>,
    /// L2 penalties on the weights of standardised covariates, in nats per bin, in the order in which they are tried.
    pub penalties: Vec<f64>,
    /// Only so many units are inputs, the most active of those that a task shows, so that the number of weights grows with the
    /// units and not with their square; 0 takes all. In forward prediction, a unit that is no input is predicted without
    /// its own past.
    pub most_inputs: usize,
}

impl Default for CouplingSettings {
    fn default() -> Self {
        Self {
            weight: 0.0,
            widths: vec![0.02, 0.12],
            decays: vec![0.05, 0.4],
            penalties: vec![2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03],
            most_inputs: 0,
        }
    }
}

/// The most filters that a unit is passed through.
const MOST_FILTERS: usize = 8;

/// Whether filters can have these standard deviations or time constants, s. An hour is longer than any trial.
pub(crate) fn are_times(times: &[f64], from: PredictedFrom) -> bool {
    let is_time = |time: &f64| match from {
        PredictedFrom::OtherUnits => (0.0..=3600.0).contains(time),
        PredictedFrom::ThePast => *time > 0.0 && *time <= 3600.0,
    };
    (1..=MOST_FILTERS).contains(&times.len()) && times.iter().all(is_time)
}

impl CouplingSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// [`CouplingError::Setting`] names the key and what it must be.
    pub fn check(&self) -> Result<(), CouplingError> {
        let fail = |key, problem| Err(CouplingError::Setting { key, problem });
        if !(0.0..=1.0).contains(&self.weight) {
            return fail("coupling.weight", format!("{} must lie between 0 and 1", self.weight));
        }
        for (key, times, from, must) in [
            ("coupling.widths", &self.widths, PredictedFrom::OtherUnits, "from 0"),
            ("coupling.decays", &self.decays, PredictedFrom::ThePast, "above 0"),
        ] {
            if !are_times(times, from) {
                return fail(key, format!("{times:?} must be 1 to {MOST_FILTERS} times {must} to 3600 (s)"));
            }
        }
        let are_falling = self.penalties.is_sorted_by(|one, next| one > next);
        let are_penalties = self.penalties.iter().all(|penalty| *penalty > 0.0 && penalty.is_finite());
        if self.penalties.is_empty() || !are_falling || !are_penalties {
            return fail(
                "coupling.penalties",
                format!(
                    "{:?} must be at least one number above 0, each below the one before",
                    self.penalties
                ),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_the_default_and_what_is_unknown_is_refused() {
        let read = |text| toml::from_str::<CouplingSettings>(text);
        assert_eq!(read("").unwrap(), CouplingSettings::default());
        CouplingSettings::default().check().unwrap();
        let changed = read("weight = 0.5\nwidths = [0.06]").unwrap();
        assert_eq!(
            changed,
            CouplingSettings { weight: 0.5, widths: vec![0.06], ..CouplingSettings::default() }
        );
        assert!(read("width = [0.06]").unwrap_err().to_string().contains("unknown field `width`"));
    }

    #[test]
    fn values_out_of_range_are_refused_by_their_key() {
        let error =
            |text: &str| toml::from_str::<CouplingSettings>(text).unwrap().check().unwrap_err().to_string();
        assert_eq!(error("weight = 1.5"), "setting coupling.weight: 1.5 must lie between 0 and 1");
        assert!(error("weight = nan").starts_with("setting coupling.weight: NaN must"));
        assert!(error("widths = []").starts_with("setting coupling.widths: [] must be 1 to 8 times"));
        assert!(error("widths = [-0.02]").contains("from 0 to 3600 (s)"));
        assert!(error("decays = [0.1, 0.0]").contains("above 0 to 3600 (s)"));
        assert!(error("decays = [inf]").starts_with("setting coupling.decays"));
        for wrong in ["[]", "[1.0, 1.0]", "[0.5, 1.0]", "[1.0, 0.0]", "[inf]", "[nan]"] {
            assert!(error(&format!("penalties = {wrong}")).starts_with("setting coupling.penalties"));
        }
    }
}
