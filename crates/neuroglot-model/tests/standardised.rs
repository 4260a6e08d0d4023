//! Standardised inputs: (count − mean) / deviation of what is shown, 0 where an entry is hidden, whatever its count.

use neuroglot_engine::CpuDevice;
use neuroglot_masks::{Holdout, Prompt, Scheme};
use neuroglot_model::{
    Architecture, CachedTokensPart, CountStatistics, InputKind, Model, ModelConfig, ModelError, Ndt1Settings,
    Ndt2Settings, PatchTail, SessionShape, TrainingBatch,
};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const BINS: usize = 6;
const UNITS: usize = 7;
const TRIALS: usize = 3;
const PROMPT: Prompt = Prompt(Scheme::Neuron);

/// An NDT1, and NDT2s whose last patch repeats inputs and is padded.
fn variants() -> [ModelConfig; 3] {
    let sizes = ModelConfig {
        input: InputKind::Standardised,
        hidden: 8,
        layers: 1,
        heads: 2,
        mlp: 12,
        patch: 4,
        ..ModelConfig::default()
    };
    let ndt2 = |patch_tail| ModelConfig {
        architecture: Architecture::Ndt2,
        ndt2: Ndt2Settings { patch_tail, ..Ndt2Settings::default() },
        ..sizes.clone()
    };
    let ndt1 = ModelConfig { ndt1_stitch: Ndt1Settings { channels: 5 }, ..sizes.clone() };
    [ndt1, ndt2(PatchTail::Repeat), ndt2(PatchTail::Padding)]
}

fn statistics() -> CountStatistics {
    let of_units = |value: fn(f32) -> f32| (0..UNITS).map(|unit| value(unit as f32)).collect();
    CountStatistics { mean: of_units(|unit| 0.2 + 0.3 * unit), deviation: of_units(|unit| 0.5 + 0.1 * unit) }
}

fn build(config: &ModelConfig) -> Model {
    let device = Box::new(CpuDevice::new(1).unwrap());
    let session = [SessionShape::new("a", ["CA1"; UNITS])];
    config.init(BINS, &session, true, device, &mut ChaCha8Rng::seed_from_u64(4)).unwrap()
}

fn standardised(config: &ModelConfig) -> Model {
    let mut model = build(config);
    model.set_count_statistics(0, statistics()).unwrap();
    model
}

fn counts() -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    (0..TRIALS * BINS * UNITS).map(|_| rng.random_range(0..4) as f32).collect()
}

/// Other entries of each trial.
fn holdout() -> Holdout {
    let mut holdout = Holdout::nothing(TRIALS, BINS, UNITS);
    holdout.hide(|trial, bin, unit| (5 * trial + 3 * bin + unit) % 4 == 0).score_hidden();
    holdout
}

/// What a network must read, by the definition.
fn by_hand(counts: &[f32], hidden: impl Fn(usize) -> bool) -> Vec<f32> {
    let CountStatistics { mean, deviation } = statistics();
    let entries = counts.iter().enumerate();
    let read = entries.map(|(entry, count)| {
        let unit = entry % UNITS;
        if hidden(entry) { 0.0 } else { (count - mean[unit]) / deviation[unit] }
    });
    read.collect()
}

fn log_rates(model: &mut Model, counts: &[f32], holdout: &Holdout) -> Vec<f32> {
    let mut log_rates = vec![f32::NAN; counts.len()];
    model.log_rates(0, PROMPT, counts, holdout, &mut log_rates).unwrap();
    assert!(log_rates.iter().all(|log_rate| log_rate.is_finite()));
    log_rates
}

#[test]
fn log_rates_are_those_of_a_model_of_counts_that_reads_what_was_standardised_by_hand() {
    let nothing = Holdout::nothing(1, BINS, UNITS);
    for config in variants() {
        // Equal seeds give equal parameters.
        let (mut model, mut of_counts) =
            (standardised(&config), build(&ModelConfig { input: InputKind::Counts, ..config.clone() }));
        let of_batch = holdout();
        let mut of_one_trial = Holdout::nothing(1, BINS, UNITS);
        of_one_trial.hide_units(|unit| unit == 2).hide_bins(|bin| bin == 4);
        for holdout in [&of_batch, &of_one_trial, &nothing] {
            let hidden = |entry: usize| holdout.hidden()[entry % holdout.hidden().len()];
            let expected = log_rates(&mut of_counts, &by_hand(&counts(), hidden), &nothing);
            // What is hidden may be anything.
            let shown = counts().into_iter().enumerate();
            let shown: Vec<f32> =
                shown.map(|(entry, count)| if hidden(entry) { f32::NAN } else { count }).collect();
            assert_eq!(log_rates(&mut model, &shown, holdout), expected, "{config:?}");
        }
        let silent_shown = log_rates(&mut model, &[0.0; BINS * UNITS], &nothing);
        let mut everything = nothing.clone();
        everything.hide(|_, _, _| true);
        assert_ne!(silent_shown, log_rates(&mut model, &[0.0; BINS * UNITS], &everything), "{config:?}");
    }
}

#[test]
fn tokens_of_bins_are_those_of_their_trials() {
    let mut model = standardised(&variants()[0]);
    let (counts, holdout) = (counts(), holdout());
    let bins: Vec<usize> = (0..TRIALS * BINS).map(|row| row % BINS).collect();
    let tokens = model.tokens_of_bins(0, &bins, &counts, holdout.hidden()).unwrap();
    let prefix = model.tokens_of_prefix(0, PROMPT).unwrap();
    let parts = (0..TRIALS).flat_map(|trial| {
        let to = trial * (2 + BINS);
        [
            CachedTokensPart { tokens: &prefix, first: 0, count: 2, to },
            CachedTokensPart { tokens: &tokens, first: trial * BINS, count: BINS, to: to + 2 },
        ]
    });
    let (units, mut found) = ((0..UNITS).collect::<Vec<usize>>(), vec![f32::NAN; counts.len()]);
    model.log_rates_of_tokens(0, PROMPT, &units, TRIALS, parts, &mut found).unwrap();
    let expected = log_rates(&mut model, &counts, &holdout);
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn gradients_are_those_of_the_loss() {
    let (counts, holdout) = (counts(), holdout());
    let batch = TrainingBatch {
        session: 0,
        prompt: PROMPT,
        counts: (&counts).into(),
        holdout: &holdout,
        dropout: None,
    };
    for config in variants() {
        let mut model = standardised(&config);
        let predicted = log_rates(&mut model, &counts, &holdout);
        let loss = |model: &mut Model| {
            model.loss_and_gradients(&batch).unwrap();
            f64::from(model.loss())
        };
        let entries = predicted.iter().zip(&counts).zip(holdout.scored()).filter(|(_, scored)| **scored);
        let expected: f64 = entries.map(|((l, y), _)| f64::from(*l).exp() - f64::from(y * l)).sum();
        let found = loss(&mut model);
        assert!((found / expected - 1.0).abs() < 1e-5, "{found}, not {expected}");
        let gradients: Vec<Vec<f32>> =
            (0..model.parameters().len()).map(|index| model.read_gradient(index)).collect();
        for (index, gradient) in gradients.iter().enumerate() {
            // Along the gradient itself, where the difference is largest.
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let (start, step) = (model.read_parameter(index), 1e-2);
            if norm < 1e-3 {
                continue;
            }
            let mut moved = |sign: f64| {
                let along = start.iter().zip(gradient);
                let moved = along.map(|(v, g)| (f64::from(*v) + sign * step * f64::from(*g) / norm) as f32);
                model.write_parameter(index, &moved.collect::<Vec<f32>>()).unwrap();
                loss(&mut model)
            };
            let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            model.write_parameter(index, &start).unwrap();
            let rounding = expected.abs() * f64::from(f32::EPSILON) / step;
            let name = &model.parameters()[index].name;
            assert!((slope - norm).abs() < 2e-2 * norm + rounding, "{name}: {slope}, not {norm}");
        }
    }
}

#[test]
fn a_copy_standardises_as_the_model_it_was_taken_from() {
    for config in variants() {
        let mut model = standardised(&config);
        let mut copy = model.weights().model_on(Box::new(CpuDevice::new(1).unwrap())).unwrap();
        let expected = log_rates(&mut model, &counts(), &holdout());
        let found = log_rates(&mut copy, &counts(), &holdout());
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst}");
    }
}

#[test]
fn statistics_are_kept_under_names_of_their_own_and_are_no_parameters() {
    let session = [SessionShape::new("a", ["CA1"; UNITS])];
    for config in variants() {
        let of_counts = ModelConfig { input: InputKind::Counts, ..config.clone() };
        let infos = |config: &ModelConfig| config.parameters(BINS, &session).unwrap();
        assert_eq!(infos(&config), infos(&of_counts));
        assert!(of_counts.count_statistics(&session).is_empty());
        let kept: Vec<(String, Vec<usize>)> =
            config.count_statistics(&session)[0].iter().map(|i| (i.name.clone(), i.shape.clone())).collect();
        let name = |part: &str| (format!("count_statistics.a.{part}"), vec![UNITS]);
        assert_eq!(kept, [name("mean"), name("deviation")]);
    }
}

#[test]
fn counts_are_not_standardised_by_nothing_or_by_what_is_no_scale() {
    let mut model = build(&variants()[0]);
    let mut out = vec![0.0; TRIALS * BINS * UNITS];
    let error = model.log_rates(0, PROMPT, &counts(), &holdout(), &mut out).unwrap_err();
    assert!(matches!(&error, ModelError::CountStatistics { eid, .. } if eid == "a"), "{error}");
    let (counts, holdout) = (counts(), holdout());
    let batch = TrainingBatch {
        session: 0,
        prompt: PROMPT,
        counts: (&counts).into(),
        holdout: &holdout,
        dropout: None,
    };
    assert!(matches!(model.loss_and_gradients(&batch), Err(ModelError::CountStatistics { .. })));
    let good = statistics();
    let of = |change: fn(&mut CountStatistics)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    for wrong in [
        of(|s| s.mean.truncate(UNITS - 1)),
        of(|s| s.deviation.push(1.0)),
        of(|s| s.mean[3] = f32::NAN),
        of(|s| s.deviation[3] = f32::INFINITY),
        of(|s| s.deviation[3] = 0.0),
        of(|s| s.deviation[3] = -1.0),
    ] {
        assert!(matches!(model.set_count_statistics(0, wrong), Err(ModelError::CountStatistics { .. })));
    }
    model.set_count_statistics(0, good.clone()).unwrap();
    assert_eq!(model.count_statistics(0).unwrap(), Some(&good));
}
