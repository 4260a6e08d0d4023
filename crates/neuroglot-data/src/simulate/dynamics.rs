//! Latent dynamics of coupled regions, shared by all sessions.

use rand::{Rng, RngExt};

use super::random::normal;
use super::task::{Trial, draw_trials};

/// Number of latent variables of a region: two that rotate into each other and one that decays.
pub(super) const LATENTS: usize = 3;

/// Number of inputs: left and right contrast, choice, block, arousal.
const INPUTS: usize = 5;

/// How strongly each input drives a region. Arousal is always there, the others only from time to time.
const INPUT_GAINS: [f64; INPUTS] = [2.0, 2.0, 1.5, 1.0, 1.0];

/// How strongly a region is driven by those before it in the list, and by those after it.
const COUPLING_GAINS: [f64; 2] = [1.6, 0.8];

/// Time constant of the noise that drives the latents, s: what makes them smooth.
const NOISE_SECONDS: f64 = 0.06;

/// Time constant of arousal, s.
const AROUSAL_SECONDS: f64 = 1.0;

/// Simulated before each trial, s, so that its first bin is like all others.
const WARM_UP_SECONDS: f64 = 2.0;

/// Trials from which the scale of the latents is measured.
const CALIBRATION_TRIALS: usize = 100;

/// Length of such a trial, s.
const CALIBRATION_SECONDS: f64 = 1.0;

type Latents = [f64; LATENTS];
type Matrix = [Latents; LATENTS];

/// How the latents of one region move.
struct Region {
    /// Latents of the next bin from those of this bin: decay and rotation.
    transition: Matrix,
    /// What part of each latent is renewed in a bin; inputs and noise come in by it.
    renewal: Latents,
    inputs: [[f64; INPUTS]; LATENTS],
    /// Signals of the other regions.
    couplings: Vec<Coupling>,
}

/// The signal that one region sends to another.
struct Coupling {
    from: usize,
    delay_bins: usize,
    weights: Matrix,
}

/// Dynamics of all regions.
pub(super) struct Dynamics {
    bin_seconds: f64,
    regions: Vec<Region>,
    /// Mean and standard deviation of each latent, `[region][latent]`.
    scale: Vec<[(f64, f64); LATENTS]>,
    /// Weights of wheel speed and whisker motion energy over all latents, `[region][latent]`.
    pub wheel: Vec<Latents>,
    pub whisker: Vec<Latents>,
}

impl Dynamics {
    /// Draws dynamics and coupling of a number of regions.
    pub fn draw(regions: usize, bin_seconds: f64, random: &mut impl Rng) -> Dynamics {
        let mut dynamics = Dynamics {
            bin_seconds,
            regions: (0..regions).map(|region| Region::draw(region, regions, bin_seconds, random)).collect(),
            scale: vec![[(0.0, 1.0); LATENTS]; regions],
            wheel: readout(regions, random),
            whisker: readout(regions, random),
        };
        dynamics.calibrate(random);
        dynamics
    }

    /// Simulates a trial: latents `[bin][region][latent]`, each with mean 0 and variance 1 over trials and bins.
    pub fn run(&self, trial: &Trial, bins: usize, random: &mut impl Rng) -> Vec<Vec<Latents>> {
        let bin = self.bin_seconds;
        let warm_up = (WARM_UP_SECONDS / bin).ceil() as usize;
        let stimulus = bins / 4;
        let movement = stimulus + (trial.reaction_seconds / bin).round() as usize;
        let noise_kept = libm::exp(-bin / NOISE_SECONDS);
        let arousal_kept = libm::exp(-bin / AROUSAL_SECONDS);
        let renewed = |kept: f64| (1.0 - kept * kept).sqrt();

        let mut arousal = normal(random);
        let mut noise = vec![[0.0; LATENTS]; self.regions.len()];
        let mut latents: Vec<Vec<Latents>> = Vec::with_capacity(warm_up + bins);
        let rest = vec![[0.0; LATENTS]; self.regions.len()];
        for now in 0..warm_up + bins {
            arousal = arousal_kept * arousal + renewed(arousal_kept) * normal(random);
            let shown = f64::from(now >= warm_up + stimulus);
            let moving = f64::from(now >= warm_up + movement);
            let inputs = [
                shown * trial.contrast_left.sqrt(),
                shown * trial.contrast_right.sqrt(),
                moving * trial.choice,
                4.0 * (trial.block - 0.5),
                arousal,
            ];
            let mut next = Vec::with_capacity(self.regions.len());
            for (number, region) in self.regions.iter().enumerate() {
                for value in &mut noise[number] {
                    *value = noise_kept * *value + renewed(noise_kept) * normal(random);
                }
                let before = |delay: usize, region: usize| {
                    now.checked_sub(delay).map_or(&rest, |at| &latents[at])[region]
                };
                let mut drive = noise[number].map(|noise| 2.0 * noise);
                for (drive, weights) in drive.iter_mut().zip(&region.inputs) {
                    *drive += dot(weights, &inputs);
                }
                for coupling in &region.couplings {
                    // What a region sends is bounded, so that no coupling lets the latents run away.
                    let signal = before(coupling.delay_bins, coupling.from).map(libm::tanh);
                    for (drive, weights) in drive.iter_mut().zip(&coupling.weights) {
                        *drive += dot(weights, &signal);
                    }
                }
                let latest = before(1, number);
                next.push(std::array::from_fn(|latent| {
                    dot(&region.transition[latent], &latest) + region.renewal[latent] * drive[latent]
                }));
            }
            latents.push(next);
        }
        let mut latents = latents.split_off(warm_up);
        for (values, scale) in latents.iter_mut().flat_map(|regions| regions.iter_mut().zip(&self.scale)) {
            for (value, (mean, deviation)) in values.iter_mut().zip(scale) {
                *value = (*value - mean) / deviation;
            }
        }
        latents
    }

    /// Measures mean and standard deviation of the latents; until then they are 0 and 1.
    fn calibrate(&mut self, random: &mut impl Rng) {
        let bins = (CALIBRATION_SECONDS / self.bin_seconds).ceil() as usize;
        let trials = draw_trials(CALIBRATION_TRIALS, random);
        let bins: Vec<_> = trials.iter().flat_map(|trial| self.run(trial, bins, random)).collect();
        let count = bins.len() as f64;
        self.scale = (0..self.regions.len())
            .map(|region| {
                std::array::from_fn(|latent| {
                    let values = || bins.iter().map(|regions| regions[region][latent]);
                    let mean = values().sum::<f64>() / count;
                    let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
                    (mean, variance.sqrt())
                })
            })
            .collect();
    }
}

impl Region {
    fn draw(number: usize, regions: usize, bin_seconds: f64, random: &mut impl Rng) -> Region {
        let mut about = |value: f64| value * random.random_range(0.85..1.15);
        let turns_per_second = about(0.5);
        let decays = [about(0.4), about(0.5)];
        let [rotating, decaying] = decays.map(|seconds| libm::exp(-bin_seconds / seconds));
        let angle = std::f64::consts::TAU * turns_per_second * bin_seconds;
        let (cosine, sine) = (rotating * libm::cos(angle), rotating * libm::sin(angle));
        let mut couplings = Vec::new();
        for from in (0..regions).filter(|&from| from != number) {
            let [forward, backward] = COUPLING_GAINS;
            let gain = if from < number { forward } else { backward };
            let gain = gain / ((regions - 1) as f64 * LATENTS as f64).sqrt();
            couplings.push(Coupling {
                from,
                delay_bins: random.random_range(1..=3),
                weights: std::array::from_fn(|_| std::array::from_fn(|_| gain * normal(random))),
            });
        }
        Region {
            transition: [[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, decaying]],
            renewal: [1.0 - rotating, 1.0 - rotating, 1.0 - decaying],
            inputs: std::array::from_fn(|_| INPUT_GAINS.map(|gain| gain * normal(random))),
            couplings,
        }
    }
}

/// Weights over all latents, the sum of their squares 1.
fn readout(regions: usize, random: &mut impl Rng) -> Vec<Latents> {
    let mut weights: Vec<Latents> = (0..regions).map(|_| std::array::from_fn(|_| normal(random))).collect();
    let length = weights.as_flattened().iter().map(|weight| weight * weight).sum::<f64>().sqrt();
    weights.as_flattened_mut().iter_mut().for_each(|weight| *weight /= length);
    weights
}

/// Sum of the products of two lists of numbers.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
