//! Latent dynamics of coupled regions, shared by all sessions.

use rand::{Rng, RngExt};

use super::random::normal;
use super::task::{Trial, draw_trials};

/// Number of latent variables of a region: two that rotate into each other and one that decays.
pub(super) const LATENTS: usize = 3;

/// Number of inputs: left and right contrast, choice, block, arousal.
const INPUTS: usize = 5;

/// Those of them that the task decides, which come first.
const TASK_INPUTS: usize = INPUTS - 1;

/// Bins that a signal of one region takes to another at most.
const LONGEST_DELAY: usize = 3;

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

pub(super) type Latents = [f64; LATENTS];
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

/// All that the future depends on, besides the task and what is random.
#[derive(Clone)]
pub(super) struct State {
    arousal: f64,
    /// What drives each latent, `[region][latent]`.
    noise: Vec<Latents>,
    /// Latents of the bins so far, before scaling, `[bin][region][latent]`.
    latents: Vec<Vec<Latents>>,
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
        self.run_until(trial, bins, 0, random).0
    }

    /// As [`Dynamics::run`], and the state just before bin `now` of the trial, of which futures can be drawn.
    pub fn run_until(
        &self,
        trial: &Trial,
        bins: usize,
        now: usize,
        random: &mut impl Rng,
    ) -> (Vec<Vec<Latents>>, State) {
        let warm_up = (WARM_UP_SECONDS / self.bin_seconds).ceil() as usize;
        let mut state = State {
            arousal: normal(random),
            noise: vec![[0.0; LATENTS]; self.regions.len()],
            latents: Vec::with_capacity(warm_up + bins),
        };
        let mut before_now = None;
        let timing = Timing::of(trial, bins, self.bin_seconds);
        for bin in 0..warm_up + bins {
            if bin == warm_up + now {
                before_now = Some(state.recent());
            }
            self.step(&mut state, timing.inputs(trial, bin.checked_sub(warm_up)), 1.0, random);
        }
        let before_now = before_now.unwrap_or_else(|| state.recent());
        (state.latents.split_off(warm_up).iter().map(|latents| self.scaled(latents)).collect(), before_now)
    }

    /// Latents `[bin][region][latent]` of one future of a state, from bin `now` of its trial to the last. With `sign` −1
    /// instead of 1 all that is random goes the other way: of two futures with equal random numbers and opposite signs,
    /// the mean is much nearer to what is expected than that of any two.
    pub fn future(
        &self,
        state: &State,
        trial: &Trial,
        bins: std::ops::Range<usize>,
        sign: f64,
        random: &mut impl Rng,
    ) -> Vec<Vec<Latents>> {
        let timing = Timing::of(trial, bins.end, self.bin_seconds);
        let mut state = state.clone();
        let ahead = |bin| {
            self.step(&mut state, timing.inputs(trial, Some(bin)), sign, random);
            state.latents.last().map_or_else(Vec::new, |latents| self.scaled(latents))
        };
        bins.map(ahead).collect()
    }

    /// Adds the latents of the next bin. `sign` multiplies all that is random.
    fn step(&self, state: &mut State, task: [f64; TASK_INPUTS], sign: f64, random: &mut impl Rng) {
        let bin = self.bin_seconds;
        let noise_kept = libm::exp(-bin / NOISE_SECONDS);
        let arousal_kept = libm::exp(-bin / AROUSAL_SECONDS);
        let renewed = |kept: f64| (1.0 - kept * kept).sqrt();
        state.arousal = arousal_kept * state.arousal + renewed(arousal_kept) * sign * normal(random);
        let mut inputs = [state.arousal; INPUTS];
        inputs[..TASK_INPUTS].copy_from_slice(&task);
        let now = state.latents.len();
        let mut next = Vec::with_capacity(self.regions.len());
        for (number, region) in self.regions.iter().enumerate() {
            for value in &mut state.noise[number] {
                *value = noise_kept * *value + renewed(noise_kept) * sign * normal(random);
            }
            let before = |delay: usize, region: usize| {
                now.checked_sub(delay).map_or([0.0; LATENTS], |at| state.latents[at][region])
            };
            let mut drive = state.noise[number].map(|noise| 2.0 * noise);
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
        state.latents.push(next);
    }

    /// Latents of a bin with mean 0 and variance 1.
    fn scaled(&self, latents: &[Latents]) -> Vec<Latents> {
        let scaled = |(values, scale): (&Latents, &[(f64, f64); LATENTS])| {
            std::array::from_fn(|latent| (values[latent] - scale[latent].0) / scale[latent].1)
        };
        latents.iter().zip(&self.scale).map(scaled).collect()
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

/// When the stimulus comes and the animal moves, in bins of the trial.
struct Timing {
    stimulus: usize,
    movement: usize,
}

impl Timing {
    fn of(trial: &Trial, bins: usize, bin_seconds: f64) -> Timing {
        let stimulus = bins / 4;
        Timing { stimulus, movement: stimulus + (trial.reaction_seconds / bin_seconds).round() as usize }
    }

    /// Left and right contrast, choice and block as they drive regions in a bin of the trial, `None` before it.
    fn inputs(&self, trial: &Trial, bin: Option<usize>) -> [f64; TASK_INPUTS] {
        let since = |start: usize| f64::from(bin.is_some_and(|bin| bin >= start));
        let (shown, moving) = (since(self.stimulus), since(self.movement));
        [
            shown * trial.contrast_left.sqrt(),
            shown * trial.contrast_right.sqrt(),
            moving * trial.choice,
            4.0 * (trial.block - 0.5),
        ]
    }
}

impl State {
    /// The same state with no more of the past than the future depends on.
    fn recent(&self) -> State {
        let first = self.latents.len().saturating_sub(LONGEST_DELAY);
        State { arousal: self.arousal, noise: self.noise.clone(), latents: self.latents[first..].to_vec() }
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
                delay_bins: random.random_range(1..=LONGEST_DELAY),
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const BIN: f64 = 0.02;

    #[test]
    fn a_future_goes_on_as_the_trial_does() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let dynamics = Dynamics::draw(3, BIN, &mut random);
        let trial = &draw_trials(1, &mut random)[0];
        let mut once = ChaCha8Rng::seed_from_u64(6);
        let (whole, state) = dynamics.run_until(trial, 40, 30, &mut once);
        assert_eq!(state.latents.len(), LONGEST_DELAY, "no more of the past than is needed");
        // Random numbers as they are behind bin 30: 10 bins draw as many as were drawn for the last 10.
        let mut again = ChaCha8Rng::seed_from_u64(6);
        let per_bin = 1 + 3 * LATENTS;
        let warm_up = (WARM_UP_SECONDS / BIN) as usize;
        (0..1 + (warm_up + 30) * per_bin).for_each(|_| {
            normal(&mut again);
        });
        assert_eq!(dynamics.future(&state, trial, 30..40, 1.0, &mut again), whole[30..]);
    }

    /// One region alone is linear: what is expected of its latents is known.
    #[test]
    fn futures_of_a_lone_region_have_the_mean_that_linear_dynamics_give() {
        let mut random = ChaCha8Rng::seed_from_u64(9);
        let dynamics = Dynamics::draw(1, BIN, &mut random);
        let trial = &draw_trials(1, &mut random)[0];
        let (_, state) = dynamics.run_until(trial, 50, 45, &mut random);

        // Noise and arousal decay, and so does what they drive.
        let region = &dynamics.regions[0];
        let task = Timing::of(trial, 50, BIN).inputs(trial, Some(45));
        let (mut arousal, mut noise, mut latents) = (state.arousal, state.noise[0], state.latents[2][0]);
        let mut expected = Vec::new();
        for _ in 45..50 {
            arousal *= (-BIN / AROUSAL_SECONDS).exp();
            noise = noise.map(|noise| noise * (-BIN / NOISE_SECONDS).exp());
            let mut inputs = [arousal; INPUTS];
            inputs[..TASK_INPUTS].copy_from_slice(&task);
            latents = std::array::from_fn(|latent| {
                let drive = 2.0 * noise[latent] + dot(&region.inputs[latent], &inputs);
                dot(&region.transition[latent], &latents) + region.renewal[latent] * drive
            });
            expected.push(dynamics.scaled(&[latents])[0]);
        }

        let mut sums = vec![([0.0; LATENTS], [0.0; LATENTS]); 5];
        const FUTURES: usize = 4000;
        for _ in 0..FUTURES {
            let future = dynamics.future(&state, trial, 45..50, 1.0, &mut random);
            for ((sum, squares), latents) in sums.iter_mut().zip(future) {
                for latent in 0..LATENTS {
                    sum[latent] += latents[0][latent];
                    squares[latent] += latents[0][latent].powi(2);
                }
            }
        }
        for ((sum, squares), expected) in sums.iter().zip(&expected) {
            for latent in 0..LATENTS {
                let mean = sum[latent] / FUTURES as f64;
                let error = ((squares[latent] / FUTURES as f64 - mean * mean) / FUTURES as f64).sqrt();
                let off = mean - expected[latent];
                assert!(off.abs() < 5.0 * error, "{mean} and not {}", expected[latent]);
            }
        }
        // Linear: a future and its mirror image have exactly that mean.
        let mut twice = ChaCha8Rng::seed_from_u64(1);
        let one = dynamics.future(&state, trial, 45..50, 1.0, &mut twice);
        let other = dynamics.future(&state, trial, 45..50, -1.0, &mut ChaCha8Rng::seed_from_u64(1));
        for ((one, other), expected) in one.iter().zip(&other).zip(&expected) {
            for latent in 0..LATENTS {
                let mean = (one[0][latent] + other[0][latent]) / 2.0;
                assert!((mean - expected[latent]).abs() < 1e-12);
            }
        }
    }
}
