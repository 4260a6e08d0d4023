//! Simulated sessions and what their couplings predict.

use neuroglot_coupling::{CouplingSettings, TaskCoupling};
use neuroglot_data::{Session, SessionParts, SpikeCountsBuilder, Split, Unit};
use neuroglot_masks::Holdout;
use neuroglot_tasks::Task;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};
use std::collections::BTreeMap;

pub const BINS: usize = 10;

/// A session of counts `[trial][bin · unit]`, of which every fifth trial is for validation, with units of these regions.
pub fn session(trials: &[Vec<u32>], regions: &[&str]) -> Session {
    let units = regions.len();
    let mut builder = SpikeCountsBuilder::new(trials[0].len() / units, units);
    trials.iter().for_each(|counts| builder.push_dense(counts));
    let unit = |(number, region): (usize, &&str)| Unit {
        uuid: format!("unit-{number}"),
        region: (*region).to_owned(),
        depth: None,
        channel: None,
        good: None,
    };
    let split = |trial| if trial % 5 == 4 { Split::Validation } else { Split::Train };
    let parts = SessionParts {
        eid: "made".into(),
        subject: "mouse".into(),
        lab: "lab".into(),
        bin_seconds: 0.02,
        units: regions.iter().enumerate().map(unit).collect(),
        splits: (0..trials.len()).map(split).collect(),
        counts: builder.finish(),
        behaviours: BTreeMap::new(),
        true_rates: None,
    };
    Session::new(parts).unwrap()
}

pub fn poisson(rate: f64, random: &mut ChaCha8Rng) -> u32 {
    Poisson::new(rate).unwrap().sample(random) as u32
}

/// Units 0 to 3 fire on their own, 1 spike a bin; unit 4 is driven by the counts of the same bin, with weights 0.4, −0.3, 0.2 and
/// 0; the rate of unit 5 is that of unit 4 in the next bin.
pub fn driven(trials: usize) -> Session {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let trial = |_| {
        let mut counts = Vec::new();
        let mut before = 1.0f64;
        for _ in 0..BINS {
            let row: Vec<u32> = (0..4).map(|_| poisson(1.0, &mut random)).collect();
            let departures = row.iter().map(|count| f64::from(*count) - 1.0);
            let log_rate: f64 =
                departures.zip([0.4, -0.3, 0.2, 0.0]).map(|(departure, weight)| weight * departure).sum();
            let driven = poisson(log_rate.exp(), &mut random);
            let late = poisson((0.5 * (before - 1.0)).exp(), &mut random);
            before = f64::from(driven);
            counts.extend(row.into_iter().chain([driven, late]));
        }
        counts
    };
    let trials: Vec<Vec<u32>> = (0..trials).map(trial).collect();
    session(&trials, &["CA1", "CA1", "CA1", "PO", "CA1", "root"])
}

pub fn fit_with(session: &Session, task: Task, settings: &CouplingSettings) -> Option<TaskCoupling> {
    let [training, validation] = [Split::Train, Split::Validation].map(|split| session.trials_in(split));
    TaskCoupling::fit(session, &training, &validation, task, settings, None, &mut |_, _| ()).unwrap()
}

/// Log-rates `[trial, bin, unit]` of all trials, with the same hidden of each.
pub fn log_rates(coupling: &TaskCoupling, counts: &[f32], hide: impl Fn(usize, usize) -> bool) -> Vec<f32> {
    let mut holdout = Holdout::nothing(1, coupling.bins(), coupling.units());
    holdout.hide(|_, bin, unit| hide(bin, unit));
    let mut log_rates = vec![0.0; counts.len()];
    coupling.log_rates(counts, &holdout, &mut log_rates);
    log_rates
}
