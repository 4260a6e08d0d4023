//! What users of NDT2 rely on: trials, sessions, bins, seeds and threads do not mix, and what fills a patch is never
//! predicted.

use neuroglot_engine::CpuDevice;
use neuroglot_masks::{Holdout, Prompt, Scheme};
use neuroglot_model::{
    Architecture, Model, ModelConfig, Ndt1Settings, Ndt2Settings, NormKind, PatchTail, SessionShape,
    TrainingBatch, Update,
};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const PROMPTS: [Prompt; 4] = Prompt::PUBLISHED;
const BINS: usize = 6;

fn small() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Ndt2,
        patch: 4,
        hidden: 16,
        layers: 2,
        heads: 4,
        mlp: 24,
        ..Default::default()
    }
}

/// A small model whose patches hold units of one region.
fn by_region() -> ModelConfig {
    ModelConfig { ndt2: Ndt2Settings { region_patches: true, ..Default::default() }, ..small() }
}

/// Settings of padded patches.
fn padded() -> Ndt2Settings {
    Ndt2Settings { patch_tail: PatchTail::Padding, ..Default::default() }
}

/// Small models with every option.
fn variants() -> Vec<ModelConfig> {
    vec![
        small(),
        ModelConfig { ndt2: padded(), norm: NormKind::Scale, ..small() },
        by_region(),
        ModelConfig { rope: true, ..small() },
    ]
}

/// Three sessions: of 11 units in 3 patches with a tail, of 4 units that fill one, of 3 that do not.
///
/// By region the first has two patches of CA1 (the second with a tail), one of DG and one of PO.
fn sessions() -> Vec<SessionShape> {
    vec![
        SessionShape::new("first", ["CA1", "PO", "CA1", "DG", "CA1", "CA1", "CA1", "DG", "PO", "CA1", "CA1"]),
        SessionShape::new("second", ["CA1", "CA1", "CA1", "CA1"]),
        SessionShape::new("third", ["VISa", "DG", "root"]),
    ]
}

fn build(config: &ModelConfig, threads: usize, seed: u64) -> Model {
    let device = Box::new(CpuDevice::new(threads).unwrap());
    config.init(BINS, &sessions(), true, device, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

fn units(model: &Model, session: usize) -> usize {
    model.sessions()[session].units()
}

fn counts(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(0..4) as f32).collect()
}

/// With nothing hidden.
fn nothing(model: &Model, session: usize) -> Holdout {
    Holdout::nothing(1, model.bins(), model.sessions()[session].units())
}

fn log_rates(model: &mut Model, session: usize, prompt: Prompt, counts: &[f32]) -> Vec<f32> {
    let holdout = nothing(model, session);
    log_rates_under(model, session, prompt, counts, &holdout)
}

fn log_rates_under(
    model: &mut Model,
    session: usize,
    prompt: Prompt,
    counts: &[f32],
    holdout: &Holdout,
) -> Vec<f32> {
    let mut log_rates = vec![f32::NAN; counts.len()];
    model.log_rates(session, prompt, counts, holdout, &mut log_rates).unwrap();
    assert!(log_rates.iter().all(|l| l.is_finite()));
    log_rates
}

fn all_parameters(model: &Model) -> Vec<Vec<f32>> {
    (0..model.parameters().len()).map(|index| model.read_parameter(index)).collect()
}

/// Index of a parameter by its name.
fn parameter(model: &Model, name: &str) -> usize {
    let found = model.parameters().iter().position(|info| info.name == name);
    found.unwrap_or_else(|| panic!("there is no parameter {name}"))
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_trial_is_predicted_alike_in_any_batch() {
    for config in variants() {
        let mut model = build(&config, 2, 1);
        for session in 0..3 {
            let stride = BINS * units(&model, session);
            let inputs = counts(5 * stride, 2);
            for prompt in PROMPTS {
                let together = log_rates(&mut model, session, prompt, &inputs);
                for (inputs, together) in inputs.chunks(stride).zip(together.chunks(stride)) {
                    let alone = log_rates(&mut model, session, prompt, inputs);
                    assert!(largest_difference(&alone, together) <= 1e-5, "{config:?} {prompt:?}");
                }
            }
        }
    }
}

// Of one block: from the second on, the future reaches a bin through the session and the prompt token, which see all
// bins and are seen by all, as published. Parity of deeper models is checked against the golden runs.
#[test]
fn under_the_causal_prompt_a_block_shows_no_bin_its_future() {
    for config in variants() {
        let mut model = build(&ModelConfig { layers: 1, ..config }, 1, 4);
        let width = units(&model, 0);
        let inputs = counts(BINS * width, 3);
        for bin in 1..BINS {
            // One unit of each patch: all of a bin's tokens must be behind the earlier bins' backs.
            for unit in [0, 5, 10] {
                let mut changed = inputs.clone();
                changed[bin * width + unit] += 3.0;
                for prompt in PROMPTS {
                    let before = log_rates(&mut model, 0, prompt, &inputs);
                    let after = log_rates(&mut model, 0, prompt, &changed);
                    let earlier = largest_difference(&before[..bin * width], &after[..bin * width]);
                    assert_eq!(
                        earlier == 0.0,
                        prompt == Prompt(Scheme::Causal),
                        "{prompt:?}, bin {bin}: {earlier}"
                    );
                    // Every patch of its own bin sees the change, the ones in front of it too.
                    let own = bin * width..(bin + 1) * width;
                    for unit in 0..width {
                        assert_ne!(
                            before[own.clone()][unit],
                            after[own.clone()][unit],
                            "{prompt:?}, unit {unit}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sessions_share_all_but_a_row_of_the_session_embedding() {
    let mut model = build(&small(), 1, 5);
    let inputs = [0, 1, 2].map(|session| counts(2 * BINS * units(&model, session), 6));
    let predict = |model: &mut Model| {
        [0, 1, 2].map(|session| log_rates(model, session, Prompt(Scheme::Neuron), &inputs[session]))
    };
    let before = predict(&mut model);
    let rows = parameter(&model, "encoder.embedder.embed_session.weight");
    let mut values = model.read_parameter(rows);
    values[16..32].iter_mut().for_each(|value| *value += 1.0);
    model.write_parameter(rows, &values).unwrap();
    let after = predict(&mut model);
    assert_eq!([before[0] == after[0], before[1] == after[1], before[2] == after[2]], [true, false, true]);
    let names = model.parameters().iter().map(|info| info.name.as_str());
    assert!(names.clone().all(|name| !name.contains("stitch")), "{:?}", names.collect::<Vec<_>>());
}

#[test]
fn patches_of_a_region_share_its_embedding_in_every_session() {
    let config = by_region();
    let mut model = build(&config, 1, 6);
    let inputs = [0, 1, 2].map(|session| counts(BINS * units(&model, session), 7));
    let with_zeros_for = |model: &mut Model, acronym: &str| {
        let index = parameter(model, &format!("encoder.embedder.embed_region.0.{acronym}"));
        let before = model.read_parameter(index);
        model.write_parameter(index, &[1.0, -1.0].repeat(8)).unwrap();
        let found =
            [0, 1, 2].map(|session| log_rates(model, session, Prompt(Scheme::Neuron), &inputs[session]));
        model.write_parameter(index, &before).unwrap();
        found
    };
    let before =
        [0, 1, 2].map(|session| log_rates(&mut model, session, Prompt(Scheme::Neuron), &inputs[session]));
    for (acronym, of_session) in [
        ("CA1", [true, true, false]),
        ("DG", [true, false, true]),
        ("PO", [true, false, false]),
        ("VISa", [false, false, true]),
        ("root", [false, false, true]),
    ] {
        let after = with_zeros_for(&mut model, acronym);
        let changed = [0, 1, 2].map(|session| before[session] != after[session]);
        assert_eq!(changed, of_session, "{acronym}");
    }
}

/// Trials of a session with every third entry hidden.
struct Trials {
    session: usize,
    counts: Vec<f32>,
    holdout: Holdout,
}

impl Trials {
    fn draw(session: usize, trials: usize, seed: u64) -> Self {
        let units = sessions()[session].units();
        let mut holdout = Holdout::nothing(trials, BINS, units);
        holdout.hide(|trial, bin, unit| ((trial * BINS + bin) * units + unit).is_multiple_of(3));
        holdout.score_hidden();
        Self { session, counts: counts(trials * BINS * units, seed), holdout }
    }

    fn batch(&self, dropout: Option<(u64, u64)>) -> TrainingBatch<'_> {
        TrainingBatch {
            session: self.session,
            prompt: Prompt(Scheme::Neuron),
            counts: (&self.counts).into(),
            holdout: &self.holdout,
            dropout,
        }
    }
}

const UPDATE: Update = Update { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 };

#[test]
fn the_loss_counts_every_target_once_and_nothing_that_fills_a_patch() {
    for config in variants() {
        let mut model = build(&config, 1, 8);
        for session in 0..3 {
            let trials = Trials::draw(session, 2, 9);
            let Trials { counts, holdout, .. } = &trials;
            let log_rates = log_rates_under(&mut model, session, Prompt(Scheme::Neuron), counts, holdout);
            model.loss_and_gradients(&trials.batch(None)).unwrap();
            let scored = log_rates.iter().zip(counts).zip(holdout.scored()).filter(|(_, scored)| **scored);
            let terms = scored.map(|((l, y), _)| f64::from(*l).exp() - f64::from(y * l));
            let expected: f64 = terms.sum();
            let loss = f64::from(model.loss());
            assert!(
                (loss / expected - 1.0).abs() < 1e-5,
                "{config:?} session {session}: {loss}, not {expected}"
            );
        }
    }
}

#[test]
fn what_no_session_in_the_batch_uses_has_no_gradient() {
    let mut model = build(&by_region(), 1, 10);
    model.loss_and_gradients(&Trials::draw(0, 2, 11).batch(None)).unwrap();
    let is_used = |model: &Model, name: &str| {
        let gradient = model.read_gradient(parameter(model, name));
        gradient.chunks(16).map(|row| row.iter().any(|g| *g != 0.0)).collect::<Vec<bool>>()
    };
    // Session 0 has four patches. Session 1 has one; what session 0 left behind must not count.
    assert_eq!(is_used(&model, "encoder.embedder.embed_space_pos.0.weight"), [true; 4]);
    assert_eq!(is_used(&model, "encoder.embedder.embed_session.weight"), [true, false, false]);
    model.loss_and_gradients(&Trials::draw(1, 2, 11).batch(None)).unwrap();
    assert_eq!(is_used(&model, "encoder.embedder.embed_space_pos.0.weight"), [true, false, false, false]);
    assert_eq!(is_used(&model, "encoder.embedder.embed_session.weight"), [false, true, false]);
    for (acronym, used) in [("CA1", true), ("DG", false), ("PO", false), ("VISa", false), ("root", false)] {
        let name = format!("encoder.embedder.embed_region.0.{acronym}");
        assert_eq!(is_used(&model, &name), [used], "{acronym}");
    }
}

#[test]
fn gradients_are_those_of_the_loss() {
    // Central differences in every parameter; the golden run has no regions, no padding and no rotation.
    for config in variants() {
        let mut model =
            build(&ModelConfig { hidden: 8, heads: 2, mlp: 8, layers: 1, ..config.clone() }, 1, 12);
        let trials = Trials::draw(0, 2, 13);
        model.loss_and_gradients(&trials.batch(None)).unwrap();
        let gradients: Vec<Vec<f32>> =
            (0..model.parameters().len()).map(|index| model.read_gradient(index)).collect();
        let mut loss_with = |index: usize, values: &[f32]| {
            model.write_parameter(index, values).unwrap();
            model.loss_and_gradients(&trials.batch(None)).unwrap();
            f64::from(model.loss())
        };
        let starts: Vec<Vec<f32>> = {
            let fresh =
                build(&ModelConfig { hidden: 8, heads: 2, mlp: 8, layers: 1, ..config.clone() }, 1, 12);
            all_parameters(&fresh)
        };
        for (index, (start, gradient)) in starts.iter().zip(&gradients).enumerate() {
            // Along the gradient itself, where the difference is largest.
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            if norm < 1e-3 {
                continue;
            }
            let step = 1e-2;
            let moved = |sign: f64| -> Vec<f32> {
                let along = start.iter().zip(gradient);
                along.map(|(v, g)| (f64::from(*v) + sign * step * f64::from(*g) / norm) as f32).collect()
            };
            let slope = (loss_with(index, &moved(1.0)) - loss_with(index, &moved(-1.0))) / (2.0 * step);
            // Losses are rounded to f32.
            let rounding = loss_with(index, start).abs() * f64::from(f32::EPSILON) / step;
            let error = (slope - norm).abs();
            assert!(error < 2e-2 * norm + rounding, "{config:?} parameter {index}: {slope}, not {norm}");
        }
    }
}

#[test]
fn training_does_not_depend_on_the_number_of_threads() {
    let config = ModelConfig { hidden: 64, mlp: 128, ..by_region() };
    let mut models = [1, 3].map(|threads| build(&config, threads, 16));
    let start = all_parameters(&models[0]);
    for (step, session) in [0, 1, 0, 2].into_iter().enumerate() {
        let trials = Trials::draw(session, 8, 14 + step as u64);
        for model in &mut models {
            model.loss_and_gradients(&trials.batch(Some((17, step as u64)))).unwrap();
            model.update(session, &UPDATE);
        }
    }
    let [one, three] = &models;
    for (index, info) in one.parameters().iter().enumerate() {
        assert_eq!(one.read_parameter(index), three.read_parameter(index), "{}", info.name);
        assert_eq!(one.read_moments(index), three.read_moments(index), "{}", info.name);
        assert_ne!(one.read_parameter(index), start[index], "{}", info.name);
    }
    assert_eq!(one.optimiser_steps(), [4]);
}

#[test]
fn a_seed_chooses_the_parameters_and_the_dropout() {
    let models = [8, 8, 9].map(|seed| build(&by_region(), 1, seed));
    let [one, same, other] = models.each_ref().map(all_parameters);
    assert_eq!(one, same);
    for (index, info) in models[0].parameters().iter().enumerate() {
        let is_norm =
            ["ln1", "ln2", "out_norm", "_pos.1.", "region.1."].iter().any(|n| info.name.contains(n));
        assert_eq!(one[index] == other[index], is_norm, "{}", info.name);
    }
    let [mut model, ..] = models;
    let trials = Trials::draw(0, 3, 11);
    let losses = [Some((1, 5)), Some((1, 6)), Some((2, 5)), None, Some((1, 5))].map(|dropout| {
        model.loss_and_gradients(&trials.batch(dropout)).unwrap();
        model.loss()
    });
    assert_eq!(losses[0], losses[4]);
    assert!(losses[1..4].iter().all(|loss| *loss != losses[0]), "{losses:?}");
}

#[test]
fn log_rates_of_some_units_are_those_among_all() {
    for config in variants() {
        let mut model = build(&config, 1, 5);
        let width = units(&model, 0);
        let inputs = counts(2 * BINS * width, 1);
        let all = log_rates(&mut model, 0, Prompt(Scheme::Neuron), &inputs);
        for units in [vec![width - 1], vec![0, 2], (0..width).collect()] {
            let mut some = vec![f32::NAN; 2 * BINS * units.len()];
            let nothing = nothing(&model, 0);
            model.log_rates_of(0, Prompt(Scheme::Neuron), &units, &inputs, &nothing, &mut some).unwrap();
            let rows = all.chunks(width);
            let expected: Vec<f32> = rows.flat_map(|row| units.iter().map(|unit| row[*unit])).collect();
            assert_eq!(some, expected);
        }
    }
}

#[test]
fn new_weights_are_used_at_once() {
    let mut model = build(&by_region(), 1, 5);
    let inputs = counts(BINS * units(&model, 0), 1);
    let names =
        ["embed_spikes.weight", "embed_space_pos.0.weight", "embed_time_pos.1.bias", "embed_region.0.PO"];
    for name in names {
        let before = log_rates(&mut model, 0, Prompt(Scheme::Neuron), &inputs);
        let index = parameter(&model, &format!("encoder.embedder.{name}"));
        let changed: Vec<f32> =
            model.read_parameter(index).iter().enumerate().map(|(i, v)| v + (i % 3) as f32).collect();
        model.write_parameter(index, &changed).unwrap();
        assert_ne!(before, log_rates(&mut model, 0, Prompt(Scheme::Neuron), &inputs), "{name}");
    }
}

#[test]
fn a_copy_predicts_as_the_model_it_was_taken_from() {
    for config in variants() {
        let mut model = build(&config, 2, 20);
        let mut copy = model.weights().model_on(Box::new(CpuDevice::new(1).unwrap())).unwrap();
        for session in 0..3 {
            let inputs = counts(2 * BINS * units(&model, session), 21);
            let [found, expected] = [&mut copy, &mut model]
                .map(|model| log_rates(model, session, Prompt(Scheme::Causal), &inputs));
            assert!(largest_difference(&found, &expected) < 1e-5, "{config:?}");
        }
    }
}

#[test]
fn rates_start_at_the_mean_of_the_units_at_each_place_of_a_patch() {
    let mut model = build(&small(), 1, 22);
    let weight = parameter(&model, "decoder.0.weight");
    model.write_parameter(weight, &[0.0; 4 * 16]).unwrap();
    // Unit u of the first session fires u + 1 spikes a bin, those of the third 12, 13 and 14; the second is left out.
    let log = |from: u32, to: u32| (from..=to).map(|rate| (rate as f32).ln()).collect::<Vec<f32>>();
    model.set_output_bias(&[(0, log(1, 11)), (2, log(12, 14))]);
    let expected = [1 + 5 + 9 + 12, 2 + 6 + 10 + 13, 3 + 7 + 11 + 14, 4 + 8];
    let expected: Vec<f32> =
        expected.iter().zip([4, 4, 4, 2]).map(|(sum, units)| (*sum as f32 / units as f32).ln()).collect();
    let found = log_rates(&mut model, 1, Prompt(Scheme::Neuron), &[0.0; BINS * 4]);
    for row in found.chunks(4) {
        assert!(largest_difference(row, &expected) < 1e-5, "{row:?}, not {expected:?}");
    }
}

#[test]
fn the_number_of_parameters_is_known_without_building() {
    let stitched = ModelConfig { architecture: Architecture::Ndt1Stitch, ..small() };
    for config in variants().into_iter().chain([stitched]) {
        let model = build(&config, 1, 0);
        let values: usize = model.parameters().iter().map(|info| info.values()).sum();
        assert_eq!(config.parameter_count(BINS, &sessions()).unwrap(), values as u128, "{config:?}");
    }
}

#[test]
fn settings_that_make_no_model_are_named() {
    let stitched = ModelConfig::default();
    let cases = [
        ("patch", "0", "between 1 and 4096", ModelConfig { patch: 0, ..small() }),
        ("patch", "4097", "between 1 and 4096", ModelConfig { patch: 4097, ..small() }),
        // What belongs to another architecture would have no effect.
        (
            "ndt2.region_patches",
            "true",
            "has no such setting",
            ModelConfig { ndt2: by_region().ndt2, ..stitched.clone() },
        ),
        ("ndt2.patch_tail", "padding", "has no such setting", ModelConfig { ndt2: padded(), ..stitched }),
        (
            "ndt1-stitch.channels",
            "12",
            "has no such setting",
            ModelConfig { ndt1_stitch: Ndt1Settings { channels: 12 }, ..small() },
        ),
    ];
    for (field, value, cure, config) in cases {
        let message = config.check().unwrap_err().to_string();
        assert!(message.starts_with(&format!("model.{field} = {value}: ")), "{message}");
        assert!(message.contains(cure), "{message}");
    }
}

#[test]
#[should_panic(expected = "more than one token")]
fn tokens_of_bins_by_themselves_are_refused() {
    let mut model = build(&small(), 1, 0);
    assert!(!model.caches_tokens());
    let _ = model.tokens_of_bins(0, &[0], &[0.0; 11], &[false; 11]);
}

/// Decoders that read the activations as they are: of the unit at place p of a patch, element `first + p`.
fn read_plainly(model: &mut Model, first: usize) {
    let (places, hidden) = (4, 16);
    let weight =
        (0..places * hidden).map(|entry| f32::from(u8::from(entry % hidden == first + entry / hidden)));
    let (index, bias) = (parameter(model, "decoder.0.weight"), parameter(model, "decoder.0.bias"));
    model.write_parameter(index, &weight.collect::<Vec<_>>()).unwrap();
    model.write_parameter(bias, &[0.0; 4]).unwrap();
}

#[test]
fn activations_of_a_bin_are_the_mean_over_its_patches() {
    for config in [small(), ModelConfig { rope: true, norm: NormKind::Scale, ..small() }] {
        let mut model = build(&config, 1, 3);
        let inputs = counts(2 * BINS * 11, 4);
        let holdout = nothing(&model, 0);
        let mut activations = vec![f32::NAN; 2 * BINS * 16];
        model.activations(0, Prompt(Scheme::Causal), &inputs, &holdout, &mut activations).unwrap();
        // The first session has 3 patches of 4 units, of which the last lacks its last unit.
        for first in (0..15).step_by(3) {
            read_plainly(&mut model, first);
            let of_units = log_rates(&mut model, 0, Prompt(Scheme::Causal), &inputs);
            for (of_units, found) in of_units.chunks(11).zip(activations.chunks(16)) {
                for place in 0..3 {
                    let expected = (of_units[place] + of_units[4 + place] + of_units[8 + place]) / 3.0;
                    assert!((found[first + place] - expected).abs() < 1e-6, "{found:?}");
                }
            }
        }
    }
}

#[test]
fn gradients_of_activations_are_those_of_a_sum_over_them() {
    // Central differences; where a bin is several tokens, its activations are their mean.
    for config in variants() {
        let mut model =
            build(&ModelConfig { hidden: 8, heads: 2, mlp: 8, layers: 1, ..config.clone() }, 1, 12);
        let trials = Trials::draw(0, 2, 13);
        let batch = trials.batch(None);
        let slopes: Vec<f32> = (0..2 * BINS * 8).map(|place| (place as f32 * 1.7).sin()).collect();
        model.gradients_of_activations(&batch, |_| slopes.clone()).unwrap();
        let all = 0..model.parameters().len();
        let gradients: Vec<Vec<f32>> = all.map(|index| model.read_gradient(index)).collect();
        let mut sum_with = |index: usize, values: &[f32]| {
            model.write_parameter(index, values).unwrap();
            let mut activations = vec![0.0; slopes.len()];
            model.activations(0, batch.prompt, batch.counts, batch.holdout, &mut activations).unwrap();
            activations.iter().zip(&slopes).map(|(x, slope)| f64::from(*x) * f64::from(*slope)).sum::<f64>()
        };
        let starts = all_parameters(&build(
            &ModelConfig { hidden: 8, heads: 2, mlp: 8, layers: 1, ..config.clone() },
            1,
            12,
        ));
        for (index, (start, gradient)) in starts.iter().zip(&gradients).enumerate() {
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            if norm < 1e-2 {
                continue;
            }
            let step = 1e-2;
            let moved = |sign: f64| -> Vec<f32> {
                let along = start.iter().zip(gradient);
                along.map(|(v, g)| (f64::from(*v) + sign * step * f64::from(*g) / norm) as f32).collect()
            };
            let slope = (sum_with(index, &moved(1.0)) - sum_with(index, &moved(-1.0))) / (2.0 * step);
            sum_with(index, start);
            let error = (slope - norm).abs();
            assert!(error < 2e-2 * norm + 1e-3, "{config:?} parameter {index}: {slope}, not {norm}");
        }
    }
}
