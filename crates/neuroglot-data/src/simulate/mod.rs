//! Simulated sessions, whose true rates are known.
//!
//! Several animals do one task. Each region has a few latent variables that decay and rotate, are driven by noise, by
//! the task and by the animal's arousal, and receive signals of the other regions some bins later. Dynamics and
//! coupling are the same in all sessions; units and trials differ. The log-rate of a unit is linear in the latents of
//! its region (up to a soft bound), so the other units of the region, other regions and the past all tell about it;
//! a slow excitability of the unit's own is added, of which only its own past tells. What a model reaches can be
//! compared with what the true rates reach, and with what one would reach who knows the latents of all regions, or the
//! whole past: see [`TrueRates`](crate::TrueRates).

mod dynamics;
mod random;
mod recording;
mod task;

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{DataError, Session};
use dynamics::Dynamics;

/// More counts than fit in memory, per session.
const MAX_COUNTS: usize = 1 << 32;

/// What to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Number of sessions, each of another animal.
    pub sessions: usize,
    /// Number of units of a session.
    pub units: usize,
    /// Number of trials of a session.
    pub trials: usize,
    /// Number of bins of a trial; the stimulus comes after a quarter of them.
    pub bins: usize,
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// Acronyms of the regions, from the top of the probe down.
    pub regions: Vec<String>,
    /// Decides everything random: equal settings give equal sessions.
    pub seed: u64,
}

impl Default for SimulatorConfig {
    /// 3 sessions of 60 units in 4 regions, 240 trials of 50 bins of 20 ms.
    fn default() -> SimulatorConfig {
        SimulatorConfig {
            sessions: 3,
            units: 60,
            trials: 240,
            bins: 50,
            bin_seconds: 0.02,
            regions: ["VISa", "CA1", "LP", "PO"].map(String::from).into(),
            seed: 42,
        }
    }
}

impl SimulatorConfig {
    /// Simulates the sessions, with eids `simulated-<seed>-<number>`.
    ///
    /// Behaviours: `choice` (−1, +1; +1 is correct when the left contrast is higher), `reward` (0, 1), `block`
    /// (probability of a left stimulus: 0.2, 0.5, 0.8), `contrast-left`, `contrast-right` (0 to 1), and per bin
    /// `wheel-speed` and `whisker-motion-energy` (arbitrary units, not negative), which follow the latents.
    ///
    /// # Errors
    /// [`DataError::Setting`] names the setting that is 0, not finite, empty or too large.
    pub fn simulate(&self) -> Result<Vec<Session>, DataError> {
        self.check()?;
        let dynamics = Dynamics::draw(self.regions.len(), self.bin_seconds, &mut self.random(0));
        (0..self.sessions)
            .into_par_iter()
            .map(|number| {
                let [random, futures] = [number as u64 + 1, u64::MAX - number as u64].map(|n| self.random(n));
                recording::record(self, &dynamics, number, random, futures)
            })
            .collect()
    }

    /// Stream 0 draws what sessions share; each session has a stream of its own, counted from 1, and one for what is
    /// expected of its futures, counted down from the last.
    fn random(&self, stream: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(stream);
        random
    }

    fn check(&self) -> Result<(), DataError> {
        let error = |setting, problem: String| Err(DataError::Setting { setting, problem });
        for (setting, value) in
            [("sessions", self.sessions), ("units", self.units), ("trials", self.trials), ("bins", self.bins)]
        {
            if value == 0 {
                return error(setting, "is 0, it must be 1 or more".to_owned());
            }
        }
        if !(self.bin_seconds > 0.0 && self.bin_seconds <= 1.0) {
            return error(
                "bin_seconds",
                format!("is {}, it must be above 0 and at most 1 s", self.bin_seconds),
            );
        }
        let distinct: BTreeSet<&String> = self.regions.iter().filter(|region| !region.is_empty()).collect();
        if distinct.is_empty() || distinct.len() != self.regions.len() {
            return error("regions", "must be one acronym or more, each once and none empty".to_owned());
        }
        let counts = self.trials.checked_mul(self.bins).and_then(|counts| counts.checked_mul(self.units));
        if counts.is_none_or(|counts| counts > MAX_COUNTS) {
            return error("trials", format!("× bins × units exceed {MAX_COUNTS}: simulate smaller sessions"));
        }
        Ok(())
    }
}
