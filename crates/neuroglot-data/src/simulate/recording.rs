//! A simulated probe: units that follow the latents of their regions.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::SimulatorConfig;
use super::dynamics::{Dynamics, LATENTS, Latents, State, dot};
use super::random::{normal, poisson};
use super::task::{Trial, draw_trials};
use crate::{
    Behaviour, DataError, Session, SessionParts, SpikeCountsBuilder, TrueRates, Unit, first_forward_bin,
    split_trials,
};

/// Rate that half of the units stay below, Hz, and the standard deviation of the logarithm of rates.
const MEDIAN_HZ: f64 = 7.0;
const RATE_SPREAD: f64 = 0.55;

/// No unit's mean rate is outside, Hz.
const RATES_HZ: [f64; 2] = [1.0, 40.0];

/// Standard deviation of a unit's log-rate. A rate with a log-normal distribution carries half its square, in nats per
/// spike: 0.35 to 0.87 bits per spike for latents without bound.
const DEPTHS_OF_MODULATION: [f64; 2] = [0.7, 1.0];

/// Excitability of a unit's own: standard deviation of its share of the log-rate, and its time constant, s. No other
/// unit tells about it, only the unit's own past, as with the slow drifts of recorded units.
const EXCITABILITY: f64 = 0.6;
const EXCITABILITY_SECONDS: f64 = 0.6;

/// Pairs of futures of which what is expected of a future is the mean. With these, the mean is off by about 1 %, and bits
/// per spike by less than 0.001.
const PAIRS_OF_FUTURES: usize = 32;

/// The log-rate follows the latents up to about so many standard deviations.
const BOUND: f64 = 3.0;

/// How a unit follows the latents of its region.
struct Tuning {
    region: usize,
    /// Logarithm of the mean rate, spikes/bin.
    log_mean: f64,
    depth_of_modulation: f64,
    /// Direction in the space of the latents, of length 1.
    direction: [f64; LATENTS],
}

/// Simulates one session. What is expected is measured with random numbers of its own, `futures`.
pub(super) fn record(
    config: &SimulatorConfig,
    dynamics: &Dynamics,
    number: usize,
    mut random: ChaCha8Rng,
    mut futures: ChaCha8Rng,
) -> Result<Session, DataError> {
    let (random, futures) = (&mut random, &mut futures);
    let eid = format!("simulated-{}-{number:02}", config.seed);
    let tunings = draw_tunings(config, random);
    let units: Vec<Unit> = tunings
        .iter()
        .enumerate()
        .map(|(unit, tuning)| Unit {
            uuid: format!("{eid}-{unit:04}"),
            region: config.regions[tuning.region].clone(),
            depth: Some(3820.0 * (unit as f64 + 0.5) / config.units as f64),
            channel: Some((384 * unit / config.units) as i64),
            good: Some(true),
        })
        .collect();

    let trials = draw_trials(config.trials, random);
    let size = config.trials * config.bins * config.units;
    let [mut rates, mut given_latents, mut given_past] = [(); 3].map(|()| Vec::with_capacity(size));
    let first_forward = first_forward_bin(config.bins);
    let (mut wheel, mut whisker) = (Vec::new(), Vec::new());
    let kept = libm::exp(-config.bin_seconds / EXCITABILITY_SECONDS);
    let renewed = (1.0 - kept * kept).sqrt();
    for trial in &trials {
        let mut excitability: Vec<f64> = tunings.iter().map(|_| normal(random)).collect();
        let (latents, before_forward) = dynamics.run_until(trial, config.bins, first_forward, random);
        // The excitability of each unit in the last bin that forward prediction sees; of none, if it sees none.
        let mut last_seen = None;
        for (bin, latents) in latents.into_iter().enumerate() {
            for (tuning, excitability) in tunings.iter().zip(&excitability) {
                let log_rate = tuning.log_rate_given_latents(&latents[tuning.region]);
                rates.push(libm::exp(log_rate + own_share(*excitability, 1.0)) as f32);
                given_latents.push(libm::exp(log_rate) as f32);
            }
            if bin + 1 == first_forward {
                last_seen = Some(excitability.clone());
            }
            for excitability in &mut excitability {
                *excitability = kept * *excitability + renewed * normal(random);
            }
            let follow = |weights: &Vec<[f64; LATENTS]>, noise: f64| {
                dot(weights.as_flattened(), latents.as_flattened()) + 0.3 * noise
            };
            // Both are not negative: a soft rectifier, and an exponential.
            wheel.push(libm::log1p(libm::exp(1.0 + 1.5 * follow(&dynamics.wheel, normal(random)))));
            whisker.push(libm::exp(0.5 * follow(&dynamics.whisker, normal(random))));
        }
        given_past.extend_from_slice(&rates[given_past.len()..][..first_forward * config.units]);
        let expected =
            forecast(&tunings, dynamics, &before_forward, trial, first_forward..config.bins, futures);
        for (ahead, expected) in expected.chunks_exact(config.units).enumerate() {
            // How much is still known of each excitability so many bins later.
            let known = libm::pow(kept, (ahead + 1) as f64);
            given_past.extend(expected.iter().enumerate().map(|(unit, expected)| {
                let share = last_seen.as_ref().map_or(0.0, |last| own_share(known * last[unit], known));
                (expected * libm::exp(share)) as f32
            }));
        }
    }
    let counts = draw_counts(config, &rates, random);
    let per_trial = |value: fn(&Trial) -> f64| Behaviour::PerTrial(trials.iter().map(value).collect());
    Session::new(SessionParts {
        subject: format!("simulated-mouse-{number:02}"),
        lab: "simulated".to_owned(),
        bin_seconds: config.bin_seconds,
        units,
        splits: split_trials(config.trials, random.random()),
        counts: counts.finish(),
        behaviours: BTreeMap::from([
            ("choice".to_owned(), per_trial(|trial| trial.choice)),
            ("reward".to_owned(), per_trial(|trial| trial.reward)),
            ("block".to_owned(), per_trial(|trial| trial.block)),
            ("contrast-left".to_owned(), per_trial(|trial| trial.contrast_left)),
            ("contrast-right".to_owned(), per_trial(|trial| trial.contrast_right)),
            ("wheel-speed".to_owned(), Behaviour::PerBin(wheel)),
            ("whisker-motion-energy".to_owned(), Behaviour::PerBin(whisker)),
        ]),
        true_rates: Some(TrueRates {
            rates,
            given_latents: Some(given_latents),
            given_past: Some(given_past),
        }),
        eid,
    })
}

/// The mean over futures of a state of the rates given latents, `[bin, unit]`, over some bins of its trial.
fn forecast(
    tunings: &[Tuning],
    dynamics: &Dynamics,
    state: &State,
    trial: &Trial,
    bins: Range<usize>,
    random: &mut ChaCha8Rng,
) -> Vec<f64> {
    let mut sums = vec![0.0; bins.len() * tunings.len()];
    for _ in 0..PAIRS_OF_FUTURES {
        let mut mirrored = random.clone();
        let one = dynamics.future(state, trial, bins.clone(), 1.0, random);
        let other = dynamics.future(state, trial, bins.clone(), -1.0, &mut mirrored);
        for future in [one, other] {
            for (sums, latents) in sums.chunks_exact_mut(tunings.len()).zip(future) {
                for (sum, tuning) in sums.iter_mut().zip(tunings) {
                    *sum += libm::exp(tuning.log_rate_given_latents(&latents[tuning.region]));
                }
            }
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= (2 * PAIRS_OF_FUTURES) as f64);
    sums
}

/// Draws the units from the top of the probe down; each session's probe goes a little deeper or less deep.
fn draw_tunings(config: &SimulatorConfig, random: &mut impl Rng) -> Vec<Tuning> {
    let regions = config.regions.len();
    // Inner borders between regions, in units; they shift by less than half a region, so they stay in order.
    let borders: Vec<usize> = (1..regions)
        .map(|border| {
            let place = border as f64 + random.random_range(-0.2..0.2);
            (config.units as f64 * place / regions as f64).round() as usize
        })
        .collect();
    (0..config.units)
        .map(|unit| {
            let rate = MEDIAN_HZ * libm::exp(RATE_SPREAD * normal(random));
            let direction: [f64; LATENTS] = std::array::from_fn(|_| normal(random));
            let length = dot(&direction, &direction).sqrt();
            Tuning {
                region: borders.iter().filter(|&&border| border <= unit).count(),
                log_mean: libm::log(rate.clamp(RATES_HZ[0], RATES_HZ[1]) * config.bin_seconds),
                depth_of_modulation: random.random_range(DEPTHS_OF_MODULATION[0]..DEPTHS_OF_MODULATION[1]),
                direction: direction.map(|part| part / length),
            }
        })
        .collect()
}

impl Tuning {
    /// Logarithm of the spikes in a bin that are expected with these latents of the region, over all excitabilities of the
    /// unit.
    ///
    /// That is the best prediction for one who knows all latents: the factor of the unit's own has mean 1 and depends on
    /// nothing that happens outside the unit.
    fn log_rate_given_latents(&self, latents: &Latents) -> f64 {
        let followed = BOUND * libm::tanh(dot(&self.direction, latents) / BOUND);
        let depth = self.depth_of_modulation;
        // The square keeps the mean rate where it is.
        self.log_mean + depth * followed - depth * depth / 2.0
    }
}

/// Logarithm of the factor of a unit's own that is expected where its excitability (in standard deviations) is known to be
/// normal with this mean and a variance of 1 − `known`²: with `known` 1 it is exactly that; with `known` and mean 0 nothing
/// is known, and the factor is 1.
fn own_share(mean: f64, known: f64) -> f64 {
    // The square keeps the mean rate where it is.
    EXCITABILITY * mean - (EXCITABILITY * known) * (EXCITABILITY * known) / 2.0
}

/// Draws the counts of all trials.
fn draw_counts(config: &SimulatorConfig, true_rates: &[f32], random: &mut impl Rng) -> SpikeCountsBuilder {
    let mut counts: Vec<u32> = true_rates.iter().map(|&rate| poisson(rate.into(), random)).collect();
    // A session has a spike. Only sessions of a few bins can end up without one: it falls where it is most likely.
    if counts.iter().all(|&count| count == 0)
        && let Some((likely, _)) = true_rates.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))
    {
        counts[likely] = 1;
    }
    let mut builder = SpikeCountsBuilder::new(config.bins, config.units);
    for trial in counts.chunks_exact(config.bins * config.units) {
        builder.push_dense(trial);
    }
    builder
}
