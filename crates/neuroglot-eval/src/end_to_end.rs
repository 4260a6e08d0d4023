//! Decoding through the whole network: a linear head on top of the activations that log-rates are read from, and the network
//! under it, trained together to predict one behaviour.
//!
//! ```text
//! ŷ_o(k) = b_o + Σ_h w_oh · 1/T Σ_t z_h(k, t)        numbers and categories of trials
//! ŷ(k, t) = a_t + b + Σ_h w_h · z_h(k, t)            a trace, whose average is a
//! ```
//!
//! of trial k, bin t of T and output o, where `z` are the [activations](Model::activations). The loss is half the mean square of
//! standardised errors, or the mean negative log-likelihood of categories. The network starts with the run's weights and the head
//! at 0. In training the network drops as in its own, and some units are hidden from it; what is predicted is predicted with nothing
//! hidden. The number of epochs is that whose later half predicts the validation trials best, by its mean output. Where there are
//! several networks, each has a head, and their outputs are averaged.

use crate::EvalError;
use neuroglot_data::{Behaviour, Session};
use neuroglot_engine::Device;
use neuroglot_ensemble::{Ensemble, EnsembleError};
use neuroglot_fit::{Best, LinearHead};
use neuroglot_masks::{Holdout, Prompt, Regions, Scheme};
use neuroglot_model::{Model, ModelWeights, TrainingBatch, Update};
use neuroglot_tasks::{Decoded, DecodingTarget, TargetScale, regions_of};
use neuroglot_train::{Purpose, stream};
use rand::Rng;
use rand::seq::SliceRandom;

/// Learning rate of the network.
const RATE: f64 = 1e-4;

/// Learning rate of the head.
const HEAD_RATE: f64 = 1e-3;

/// Numbers of epochs to choose from.
const EPOCHS: [usize; 3] = [8, 16, 32];

/// Probability of hiding a unit from a trial of training.
const HIDDEN: f64 = 0.3;

/// Trials of a step, about.
const BATCH: usize = 16;

/// Trials that are predicted at once.
const PREDICTED: usize = 64;

/// The networks of an ensemble, and room to train a copy of one.
pub(crate) struct EndToEnd {
    networks: Vec<ModelWeights>,
    model: Model,
    prompt: Prompt,
    seed: u64,
}

impl EndToEnd {
    /// Copies are trained on a device of their own.
    pub(crate) fn new(ensemble: &mut Ensemble, device: Box<dyn Device>) -> Result<Self, EvalError> {
        let networks = ensemble.weights()?;
        let model = networks[0].trainable_on(device).map_err(EnsembleError::from)?;
        let config = ensemble.config();
        let (prompt, seed) = (config.mask.pool.prompt_for(Scheme::Neuron), config.seed);
        Ok(Self { networks, model, prompt, seed })
    }

    /// Decodes a behaviour of a session, by the session's index; `progress(done, total)` counts epochs. The regularisation of what
    /// was decoded is the number of epochs.
    ///
    /// # Errors
    /// [`EvalError::EndToEnd`] without validation trials to choose by, and those of the device.
    pub(crate) fn decode(
        &mut self,
        (index, session): (usize, &Session),
        target: &DecodingTarget<'_>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Decoded, EvalError> {
        target.require_validation().map_err(|problem| EvalError::EndToEnd {
            eid: session.eid().to_owned(),
            behaviour: target.name().to_owned(),
            problem,
        })?;
        let (validation, outputs) = (target.validation(), target.outputs());
        let trials = [validation, target.test()].concat();
        let scale = TargetScale::of(target, target.training());
        let truth = scale.apply(&target.values(validation));
        let most = EPOCHS[EPOCHS.len() - 1];
        let networks = self.networks.len();
        // Means over networks, by epoch.
        let mut predicted = vec![vec![0.0; trials.len() * outputs]; most];
        for network in 0..networks {
            let mut course = self.begin(network, (index, session), (target, &scale))?;
            for (epoch, mean) in predicted.iter_mut().enumerate() {
                course.run_epoch()?;
                // The first epochs are in no later half.
                if epoch >= EPOCHS[0] / 2 {
                    let outputs = course.outputs(&trials)?;
                    mean.iter_mut().zip(outputs).for_each(|(mean, value)| *mean += value / networks as f64);
                }
                progress(network * most + epoch + 1, networks * most);
            }
        }
        let mut best = Best::none();
        for epochs in EPOCHS {
            let later = &predicted[epochs / 2..epochs];
            let mean =
                |place: usize| later.iter().map(|of_epoch| of_epoch[place]).sum::<f64>() / later.len() as f64;
            let mut mean: Vec<f64> = (0..trials.len() * outputs).map(mean).collect();
            let of_test = mean.split_off(truth.len());
            let mut slopes = vec![0.0; truth.len()];
            let loss = scale.loss().value(&mean, &truth, outputs, &mut slopes);
            best.offer(-loss, || (of_test, epochs));
        }
        let (of_test, epochs) = best.take();
        Ok(Decoded { predictions: scale.undo(&of_test), regularisation: epochs as f64, notes: Vec::new() })
    }

    /// A network with a head, before their first step.
    fn begin<'a>(
        &'a mut self,
        network: usize,
        (index, session): (usize, &'a Session),
        (target, scale): (&'a DecodingTarget<'a>, &'a TargetScale),
    ) -> Result<Course<'a>, EnsembleError> {
        self.networks[network].restart(&mut self.model)?;
        // A sample is a bin of a trace, and a trial otherwise.
        let is_trace = matches!(session.behaviours().get(target.name()), Some(Behaviour::PerBin(_)));
        let (bins, outputs) = if is_trace { (1, 1) } else { (session.bins(), target.outputs()) };
        Ok(Course {
            head: LinearHead::start(self.model.config().hidden, outputs),
            bins_of_sample: bins,
            scale,
            regions: regions_of(session),
            key: (self.seed, network as u64),
            prompt: self.prompt,
            model: &mut self.model,
            index,
            session,
            target,
            epoch: 0,
        })
    }
}

/// A network and a head on their way.
struct Course<'a> {
    model: &'a mut Model,
    head: LinearHead,
    session: &'a Session,
    index: usize,
    regions: Regions,
    target: &'a DecodingTarget<'a>,
    scale: &'a TargetScale,
    bins_of_sample: usize,
    prompt: Prompt,
    /// Seed, and number of the network: what is drawn follows from them and the epoch.
    key: (u64, u64),
    epoch: u64,
}

impl Course<'_> {
    /// Sees every training trial once.
    fn run_epoch(&mut self) -> Result<(), EnsembleError> {
        let mut random = stream(self.key.0, Purpose::Decoding, self.key.1, self.epoch);
        self.epoch += 1;
        let dropout = random.next_u64();
        let mut trials = self.target.training().to_vec();
        trials.shuffle(&mut random);
        let size = trials.len().div_ceil((trials.len() / BATCH).max(1));
        let (bins, hidden) = (self.bins_of_sample, self.model.config().hidden);
        for (step, trials) in (0..).zip(trials.chunks(size)) {
            let truth = self.scale.apply(&self.target.values(trials));
            let (counts, all_bins) = (self.session.dense(trials), self.session.bins());
            let holdout = Scheme::Neuron.draw(trials.len(), all_bins, &self.regions, HIDDEN, &mut random);
            let batch = TrainingBatch {
                session: self.index,
                prompt: self.prompt,
                counts: (&counts).into(),
                holdout: &holdout,
                dropout: Some((dropout, step)),
            };
            let (head, loss) = (&mut self.head, self.scale.loss());
            self.model.gradients_of_activations(&batch, |activations| {
                let slopes = head.step(&samples(activations, hidden, bins), &truth, loss, HEAD_RATE);
                let of_bin = |slope: &f64| (slope / bins as f64) as f32;
                let of_sample = |slopes: &[f64]| slopes.iter().map(of_bin).collect::<Vec<f32>>().repeat(bins);
                slopes.chunks(hidden).flat_map(of_sample).collect()
            })?;
            let update = Update { rate: RATE, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 };
            self.model.update(self.index, &update);
        }
        Ok(())
    }

    /// Outputs of the head for some trials with nothing hidden, `[trial, output]`.
    fn outputs(&mut self, trials: &[usize]) -> Result<Vec<f64>, EnsembleError> {
        let (bins, hidden) = (self.session.bins(), self.model.config().hidden);
        let nothing = Holdout::nothing(1, bins, self.session.units().len());
        let mut outputs = Vec::new();
        for trials in trials.chunks(PREDICTED) {
            let mut activations = vec![0.0; trials.len() * bins * hidden];
            let counts = self.session.dense(trials);
            self.model.activations(self.index, self.prompt, &counts, &nothing, &mut activations)?;
            outputs.extend(self.head.predict(&samples(&activations, hidden, self.bins_of_sample)));
        }
        Ok(outputs)
    }
}

/// Activations `[bin, hidden]`, averaged over the bins of each sample.
fn samples(activations: &[f32], hidden: usize, bins: usize) -> Vec<f64> {
    let mean = |of_sample: &[f32]| {
        let mut mean = vec![0.0; hidden];
        for bin in of_sample.chunks(hidden) {
            mean.iter_mut().zip(bin).for_each(|(mean, value)| *mean += f64::from(*value) / bins as f64);
        }
        mean
    };
    activations.chunks(bins * hidden).flat_map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::{SessionParts, SimulatorConfig, Split};
    use neuroglot_engine::CpuDevice;
    use neuroglot_metrics::r2;
    use neuroglot_model::{ModelConfig, Ndt1Settings};
    use neuroglot_train::session_shape;

    /// 240 trials of 5 bins of 8 units.
    fn simulated() -> Session {
        let config = SimulatorConfig {
            units: 8,
            trials: 240,
            bins: 5,
            bin_seconds: 0.1,
            ..SimulatorConfig::default()
        };
        config.simulate().unwrap().remove(0)
    }

    /// Random networks of the session.
    fn networks(session: &Session, count: u64, threads: usize) -> EndToEnd {
        let ndt1_stitch = Ndt1Settings { channels: 8 };
        let sizes = ModelConfig { hidden: 16, layers: 2, heads: 2, ndt1_stitch, ..ModelConfig::default() };
        let device = || Box::new(CpuDevice::new(threads).unwrap());
        let network = |number| {
            let mut random = stream(8, Purpose::Initialisation, number, 0);
            let shapes = [session_shape(session)];
            sizes.init(session.bins(), &shapes, false, device(), &mut random).unwrap().weights()
        };
        let networks: Vec<ModelWeights> = (0..count).map(network).collect();
        let model = networks[0].trainable_on(device()).unwrap();
        EndToEnd { networks, model, prompt: Prompt(Scheme::Neuron), seed: 5 }
    }

    /// The session with a trace that is a linear function of the first network's activations, its mean of each trial, and a choice by
    /// the sign of that.
    fn with_functions_of_latents(session: &Session) -> Session {
        let EndToEnd { mut model, prompt, .. } = networks(session, 1, 1);
        let trials: Vec<usize> = (0..session.trials()).collect();
        let mut latents = vec![0.0; trials.len() * session.bins() * 16];
        let nothing = Holdout::nothing(1, session.bins(), session.units().len());
        model.activations(0, prompt, &session.dense(&trials), &nothing, &mut latents).unwrap();
        let value = |latents: &[f32]| 3.0 + f64::from(2.0 * latents[0] - latents[3] + latents[11]);
        let trace: Vec<f64> = latents.chunks(16).map(value).collect();
        let means: Vec<f64> = trace.chunks(5).map(|bins| bins.iter().sum::<f64>() / 5.0).collect();
        let middle = means.iter().sum::<f64>() / means.len() as f64;
        let choices = means.iter().map(|mean| if *mean > middle { 1.0 } else { -1.0 }).collect();
        let behaviours = [
            ("trace".to_owned(), Behaviour::PerBin(trace)),
            ("mean".to_owned(), Behaviour::PerTrial(means)),
            ("choice".to_owned(), Behaviour::PerTrial(choices)),
        ];
        let parts =
            SessionParts { behaviours: behaviours.into(), true_rates: None, ..session.clone().into_parts() };
        Session::new(parts).unwrap()
    }

    fn decoded(end_to_end: &mut EndToEnd, session: &Session, name: &str) -> Decoded {
        let target = DecodingTarget::of(session, name).unwrap();
        end_to_end.decode((0, session), &target, &mut |_, _| ()).unwrap()
    }

    #[test]
    fn functions_of_latents_are_decoded_and_the_trunk_learns_along() {
        let session = with_functions_of_latents(&simulated());
        for (count, name) in [(1, "trace"), (1, "mean"), (1, "choice"), (2, "choice")] {
            let mut end_to_end = networks(&session, count, 1);
            let found = decoded(&mut end_to_end, &session, name);
            let target = DecodingTarget::of(&session, name).unwrap();
            let truth = target.values(target.test());
            let score = if name == "choice" {
                let rights =
                    truth.iter().zip(&found.predictions).filter(|(truth, odds)| **truth * **odds > 0.0);
                rights.count() as f64 / truth.len() as f64
            } else {
                r2(&truth, &found.predictions).unwrap()
            };
            // The mean has an R² of 0, and chance is right in half of the trials.
            println!("{count} {name} {score} {}", found.regularisation);
            assert!(score > 0.7, "{count} {name}: {score}");
            assert!(EPOCHS.contains(&(found.regularisation as usize)));
            let EndToEnd { networks, mut model, .. } = end_to_end;
            let trained: Vec<Vec<f32>> =
                (0..model.parameters().len()).map(|index| model.read_parameter(index)).collect();
            networks[count as usize - 1].restart(&mut model).unwrap();
            for (index, trained) in trained.iter().enumerate() {
                let name = &model.parameters()[index].name;
                let is_decoder = name.starts_with("stitch_decoder");
                // Weights of the decoder decay, and that is all.
                let factor = if is_decoder { trained[0] / model.read_parameter(index)[0] } else { 1.0 };
                let start: Vec<f32> =
                    model.read_parameter(index).iter().map(|value| value * factor).collect();
                let change = start.iter().zip(trained).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert_eq!(change > 1e-5, !is_decoder, "{name}: {change}");
            }
        }
    }

    #[test]
    fn test_trials_choose_nothing_and_threads_change_no_bit() {
        let before = with_functions_of_latents(&simulated());
        let mut parts = SessionParts { true_rates: None, ..before.clone().into_parts() };
        let mut trace = before.behaviours()["trace"].values().to_vec();
        for trial in before.trials_in(Split::Test) {
            trace[trial * 5..][..5].iter_mut().for_each(|value| *value = 100.0 - *value * *value);
        }
        parts.behaviours.insert("trace".to_owned(), Behaviour::PerBin(trace));
        let after = Session::new(parts).unwrap();
        let mut one = networks(&before, 1, 1);
        let found = decoded(&mut one, &before, "trace");
        // Once more, after something else.
        decoded(&mut one, &before, "choice");
        assert_eq!(found, decoded(&mut one, &after, "trace"));
        assert_eq!(found, decoded(&mut networks(&before, 1, 2), &after, "trace"));
    }

    #[test]
    fn without_validation_trials_nothing_says_how_long_to_train() {
        let all = with_functions_of_latents(&simulated());
        let trials = [Split::Train, Split::Test].map(|split| all.trials_in(split)).concat();
        let session = all.select_trials(&trials).unwrap();
        let target = DecodingTarget::of(&session, "choice").unwrap();
        let error = networks(&session, 1, 1).decode((0, &session), &target, &mut |_, _| ()).unwrap_err();
        let expected = format!(
            "session {}: choice cannot be decoded end to end: no validation trial has a value, and validation trials say how long \
             to train; split trials anew, or leave out end-to-end",
            session.eid()
        );
        assert_eq!(error.to_string(), expected);
    }
}
