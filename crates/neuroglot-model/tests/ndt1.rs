//! What users of the model rely on: trials, sessions, bins, seeds and threads do not mix.

use neuroglot_engine::CpuDevice;
use neuroglot_masks::{Holdout, Prompt, Scheme};
use neuroglot_model::{
    BatchCounts, KeptTrial, Model, ModelConfig, ModelError, Ndt1Settings, NormKind, Role, SessionShape,
    StitcherPart, TrainingBatch, Update,
};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const PROMPTS: [Prompt; 4] = Prompt::PUBLISHED;
const BINS: usize = 9;
const UNITS: usize = 7;

fn small() -> ModelConfig {
    ModelConfig {
        hidden: 16,
        layers: 2,
        heads: 4,
        mlp: 24,
        ndt1_stitch: Ndt1Settings { channels: 10 },
        ..Default::default()
    }
}

/// Small models of both kinds of normalisation, with and without rotation.
fn variants() -> Vec<ModelConfig> {
    let mut variants = Vec::new();
    for norm in [NormKind::Layer, NormKind::Scale] {
        for rope in [false, true] {
            variants.push(ModelConfig { norm, rope, ..small() });
        }
    }
    variants
}

fn sessions(shapes: &[(&str, usize)]) -> Vec<SessionShape> {
    shapes.iter().map(|(eid, units)| SessionShape::new(*eid, vec!["CA1"; *units])).collect()
}

/// Two sessions of the same number of units.
fn twins() -> Vec<SessionShape> {
    sessions(&[("first", UNITS), ("second", UNITS)])
}

fn build(config: &ModelConfig, bins: usize, sessions: &[SessionShape], threads: usize, seed: u64) -> Model {
    let device = Box::new(CpuDevice::new(threads).unwrap());
    config.init(bins, sessions, true, device, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
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

/// Indices of the parameters of one session's stitchers.
fn stitchers(model: &Model, eid: &str) -> Vec<usize> {
    let names = model.parameters().iter().map(|info| info.name.as_str());
    let own = |name: &str| name.contains("stitch") && name.split('.').any(|part| part == eid);
    names.enumerate().filter(|(_, name)| own(name)).map(|(index, _)| index).collect()
}

fn all_parameters(model: &Model) -> Vec<Vec<f32>> {
    (0..model.parameters().len()).map(|index| model.read_parameter(index)).collect()
}

fn all_gradients(model: &Model) -> Vec<Vec<f32>> {
    (0..model.parameters().len()).map(|index| model.read_gradient(index)).collect()
}

#[test]
fn a_trial_is_predicted_alike_in_any_batch() {
    let trials = 5;
    for config in variants() {
        let mut model = build(&config, BINS, &twins(), 2, 1);
        let inputs = counts(trials * BINS * UNITS, 2);
        for prompt in PROMPTS {
            let together = log_rates(&mut model, 0, prompt, &inputs);
            for (trial, (inputs, together)) in
                inputs.chunks(BINS * UNITS).zip(together.chunks(BINS * UNITS)).enumerate()
            {
                let alone = log_rates(&mut model, 0, prompt, inputs);
                let worst = alone.iter().zip(together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 1e-5, "{prompt:?}, trial {trial}: {worst}");
            }
        }
    }
}

/// How much the log-rates of the bins before `bin` change when the counts of `bin` do, at most.
fn change_before(model: &mut Model, prompt: Prompt, bin: usize) -> f32 {
    let inputs = counts(model.bins() * UNITS, 3);
    let mut changed = inputs.clone();
    changed[bin * UNITS..(bin + 1) * UNITS].iter_mut().for_each(|count| *count = 5.0 - *count);
    let (before, after) = (log_rates(model, 0, prompt, &inputs), log_rates(model, 0, prompt, &changed));
    assert_ne!(before[bin * UNITS..], after[bin * UNITS..], "bin {bin} does not see itself");
    let earlier = before[..bin * UNITS].iter().zip(&after);
    earlier.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

// Of one block: from the second on, the future reaches a bin through the session and the prompt token, which see all
// bins and are seen by all, as published. Parity of deeper models is checked against the golden runs.
#[test]
fn under_the_causal_prompt_a_block_shows_no_bin_its_future() {
    for config in variants() {
        let mut model = build(&ModelConfig { layers: 1, ..config }, BINS, &twins(), 1, 4);
        for bin in 1..BINS {
            assert_eq!(change_before(&mut model, Prompt(Scheme::Causal), bin), 0.0, "bin {bin}");
            for prompt in [Prompt(Scheme::Neuron), Prompt(Scheme::InterRegion), Prompt(Scheme::IntraRegion)] {
                assert!(change_before(&mut model, prompt, bin) > 1e-4, "{prompt:?}, bin {bin}");
            }
        }
    }
}

#[test]
fn stitchers_belong_to_one_session_even_where_unit_counts_are_equal() {
    let mut model = build(&small(), BINS, &twins(), 1, 5);
    let inputs = counts(2 * BINS * UNITS, 6);
    for (changed, other, eid) in [(0, 1, "first"), (1, 0, "second")] {
        let before = [0, 1].map(|session| log_rates(&mut model, session, Prompt(Scheme::Neuron), &inputs));
        let own = stitchers(&model, eid);
        assert_eq!(own.len(), 4, "weight and bias on both sides");
        for index in own {
            let halved: Vec<f32> = model.read_parameter(index).iter().map(|value| value * 0.5).collect();
            model.write_parameter(index, &halved).unwrap();
        }
        let after = [0, 1].map(|session| log_rates(&mut model, session, Prompt(Scheme::Neuron), &inputs));
        assert_ne!(before[changed], after[changed]);
        assert_eq!(before[other], after[other]);
    }
}

#[test]
fn twin_sessions_start_from_different_stitchers() {
    let model = build(&small(), BINS, &twins(), 1, 7);
    for (first, second) in stitchers(&model, "first").into_iter().zip(stitchers(&model, "second")) {
        assert_eq!(model.parameters()[first].shape, model.parameters()[second].shape);
        assert_ne!(model.read_parameter(first), model.read_parameter(second));
    }
}

#[test]
fn a_seed_chooses_the_parameters() {
    for config in variants() {
        let models = [8, 8, 9].map(|seed| build(&config, BINS, &twins(), 1, seed));
        let [one, same, other] = models.each_ref().map(all_parameters);
        assert_eq!(one, same);
        for (index, info) in models[0].parameters().iter().enumerate() {
            let is_norm = ["ln1", "ln2", "out_norm"].iter().any(|norm| info.name.contains(norm));
            // Gains and biases of a normalisation are not drawn.
            assert_eq!(one[index] == other[index], is_norm, "{}", info.name);
        }
    }
}

/// Trials of session 0 with every third entry hidden.
struct Trials {
    counts: Vec<f32>,
    holdout: Holdout,
}

impl Trials {
    fn draw(trials: usize, bins: usize, units: usize, seed: u64) -> Self {
        let mut holdout = Holdout::nothing(trials, bins, units);
        holdout.hide(|trial, bin, unit| ((trial * bins + bin) * units + unit).is_multiple_of(3));
        holdout.score_hidden();
        Self { counts: counts(trials * bins * units, seed), holdout }
    }

    fn batch(&self, session: usize, dropout: Option<(u64, u64)>) -> TrainingBatch<'_> {
        TrainingBatch {
            session,
            prompt: Prompt(Scheme::Neuron),
            counts: (&self.counts).into(),
            holdout: &self.holdout,
            dropout,
        }
    }
}

const UPDATE: Update = Update { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 };

#[test]
fn seed_and_step_choose_the_dropout() {
    let mut model = build(&small(), BINS, &twins(), 2, 10);
    let trials = Trials::draw(3, BINS, UNITS, 11);
    let mut run = |dropout| {
        model.loss_and_gradients(&trials.batch(0, dropout)).unwrap();
        (model.loss(), all_gradients(&model))
    };
    let first = run(Some((1, 5)));
    let others = [run(Some((1, 6))), run(Some((2, 5))), run(None)];
    // Again after other draws: nothing is carried from call to call.
    assert_eq!(run(Some((1, 5))), first);
    for (index, (loss, gradients)) in others.iter().enumerate() {
        assert_ne!(*loss, first.0, "{index}");
        assert_ne!(*gradients, first.1, "{index}");
    }
}

#[test]
fn predictions_drop_nothing() {
    let inputs = counts(2 * BINS * UNITS, 12);
    let [with, without] = [(0.4, 0.2), (0.0, 0.0)].map(|(dropout, embed_dropout)| {
        let mut model = build(&ModelConfig { dropout, embed_dropout, ..small() }, BINS, &twins(), 1, 13);
        log_rates(&mut model, 0, Prompt(Scheme::Neuron), &inputs)
    });
    assert_eq!(with, without);
}

#[test]
fn training_does_not_depend_on_the_number_of_threads() {
    // Large enough that products and element-wise operations are shared among threads.
    let config =
        ModelConfig { ndt1_stitch: Ndt1Settings { channels: 64 }, hidden: 64, heads: 4, mlp: 128, ..small() };
    let (bins, units) = (50, 70);
    let shapes = sessions(&[("first", units), ("second", units)]);
    let batches = [14, 15].map(|seed| Trials::draw(8, bins, units, seed));
    let mut models = [1, 3].map(|threads| build(&config, bins, &shapes, threads, 16));
    let start = all_parameters(&models[0]);
    for (step, trials) in batches.iter().enumerate() {
        for model in &mut models {
            model.loss_and_gradients(&trials.batch(0, Some((17, step as u64)))).unwrap();
        }
        let [one, three] = &models;
        assert_eq!(one.loss(), three.loss(), "step {step}");
        for (index, info) in one.parameters().iter().enumerate() {
            assert_eq!(one.read_gradient(index), three.read_gradient(index), "step {step}, {}", info.name);
        }
        for model in &mut models {
            model.update(0, &UPDATE);
        }
    }
    let [one, three] = &models;
    for (index, info) in one.parameters().iter().enumerate() {
        assert_eq!(one.read_parameter(index), three.read_parameter(index), "{}", info.name);
        assert_eq!(one.read_moments(index), three.read_moments(index), "{}", info.name);
        let is_other = stitchers(one, "second").contains(&index);
        assert_eq!(one.read_parameter(index) == start[index], is_other, "{}", info.name);
    }
    assert_eq!(one.optimiser_steps(), [2, 2, 0]);
}

#[test]
fn batches_of_several_sessions_run_as_one_have_the_summed_gradients_of_each_by_itself() {
    let shapes = sessions(&[("first", UNITS), ("second", UNITS + 3), ("third", 4)]);
    let mut models = [0, 1].map(|_| build(&small(), BINS, &shapes, 2, 41));
    let [one, together] = &mut models;
    one.make_room_for_sums().unwrap();
    together.make_room_for_sums().unwrap();
    let prompts = [PROMPTS[1], PROMPTS[0], PROMPTS[1]];
    for (trials, order) in [([3, 2, 4], [2, 0, 1]), ([1, 5, 2], [0, 1, 2])] {
        let drawn = [0, 1, 2]
            .map(|session| Trials::draw(trials[session], BINS, shapes[session].units(), 42 + session as u64));
        let batch = |session: usize| TrainingBatch {
            prompt: prompts[session],
            ..drawn[session].batch(session, None)
        };
        let batches = order.map(batch);
        let (mut losses, mut expected) = (Vec::new(), vec![Vec::new(); one.parameters().len()]);
        for batch in &batches {
            one.loss_and_gradients(batch).unwrap();
            losses.push(one.loss());
            for (index, info) in one.parameters().iter().enumerate() {
                if info.role.session().is_some_and(|session| session != batch.session) {
                    continue;
                }
                let gradient = one.read_gradient(index);
                let sum: &mut Vec<f32> = &mut expected[index];
                sum.resize(gradient.len(), 0.0);
                sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
            }
        }
        together.add_up_gradients_of(&batches, true).unwrap();
        assert_eq!(together.take_losses(), losses, "each has its own loss");
        for (index, info) in together.parameters().iter().enumerate() {
            let found = together.read_gradient(index);
            let scale = expected[index].iter().fold(1e-3f32, |most, value| most.max(value.abs()));
            let pairs = found.iter().zip(&expected[index]);
            let worst = pairs.map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{}: {worst}", info.name);
        }
        together.update_by_sums(&UPDATE);
        for batch in &batches {
            one.add_up_gradients_of(&[*batch], false).unwrap();
        }
        one.update_by_sums(&UPDATE);
        assert_eq!(one.optimiser_steps(), together.optimiser_steps());
        // The next round starts alike: rounding is not what is compared.
        for index in 0..one.parameters().len() {
            let values = one.read_parameter(index);
            together.write_parameter(index, &values).unwrap();
        }
    }
}

#[test]
fn sessions_that_are_run_as_one_drop_bits_of_their_own() {
    let twins = twins();
    let mut model = build(&ModelConfig { embed_dropout: 0.5, dropout: 0.0, ..small() }, BINS, &twins, 1, 51);
    // The twins are told apart by nothing but the bits that they drop, once their stitchers and tokens are the same.
    let names: Vec<String> = model.parameters().iter().map(|info| info.name.clone()).collect();
    for index in stitchers(&model, &twins[0].eid) {
        let twin = names[index].replace(&twins[0].eid, &twins[1].eid);
        let values = model.read_parameter(index);
        model.write_parameter(names.iter().position(|name| *name == twin).unwrap(), &values).unwrap();
    }
    let tokens = names.iter().position(|name| name.contains("embed_session")).unwrap();
    let row = model.read_parameter(tokens)[..model.config().hidden].to_vec();
    model.write_parameter(tokens, &row.repeat(2)).unwrap();
    let trials = Trials::draw(2, BINS, UNITS, 52);
    for (dropout, alike) in [(None, true), (Some((1, 2)), false)] {
        let batches = [0, 1].map(|session| trials.batch(session, dropout));
        model.loss_and_gradients_of(&batches).unwrap();
        let losses = model.take_losses();
        assert_eq!(losses[0] == losses[1], alike, "{losses:?}");
    }
}

#[test]
fn kept_trials_are_the_same_batch_as_their_counts_and_reversed_ones_as_reversed_counts() {
    const KEPT: usize = 5;
    let all = counts(KEPT * BINS * UNITS, 31);
    let of_trial = |trial: usize| &all[trial * BINS * UNITS..][..BINS * UNITS];
    let chosen = [(3, false), (0, true), (4, false)];
    let given: Vec<f32> = chosen
        .iter()
        .flat_map(|(trial, is_reversed)| {
            let bins: Vec<&[f32]> = of_trial(*trial).chunks(UNITS).collect();
            let order: Vec<&[f32]> = if *is_reversed { bins.into_iter().rev().collect() } else { bins };
            order.concat()
        })
        .collect();
    let mut holdout = Holdout::nothing(chosen.len(), BINS, UNITS);
    holdout.hide_unit_in(0, 1);
    holdout.hide_bin_in(2, 0);
    holdout.score_hidden();
    let mut models = [0, 1].map(|_| build(&small(), BINS, &twins(), 1, 32));
    let write = |trial: usize, out: &mut [f32]| out.copy_from_slice(of_trial(trial));
    let trials: Vec<usize> = (0..KEPT).collect();
    assert_eq!(
        models[1].keep_trials(0, &trials, KEPT, 10, write).unwrap(),
        None,
        "more than the bytes allowed"
    );
    let kept = models[1].keep_trials(0, &trials, KEPT, usize::MAX, write).unwrap().unwrap();
    let places = chosen.map(|(trial, is_reversed)| KeptTrial { place: trial as u32, is_reversed });
    for step in 0..3 {
        let (prompt, dropout) = (Prompt(Scheme::Neuron), Some((1, step)));
        let both = [BatchCounts::Given(&given), BatchCounts::Kept(kept, &places)];
        let results = models.iter_mut().zip(both).map(|(model, counts)| {
            let mut log_rates = vec![0.0; given.len()];
            model.log_rates(0, prompt, counts, &holdout, &mut log_rates).unwrap();
            let batch = TrainingBatch { session: 0, prompt, counts, holdout: &holdout, dropout };
            model.loss_and_gradients(&batch).unwrap();
            let found = (log_rates, model.loss(), all_gradients(model));
            model.update(0, &UPDATE);
            found
        });
        let results: Vec<_> = results.collect();
        assert_eq!(results[0], results[1], "step {step}");
    }
    // A table of as many places as a batch takes one batch after the other.
    models[1].forget_trials(kept);
    let window = models[1].keep_trials(0, &trials, chosen.len(), usize::MAX, write).unwrap().unwrap();
    models[1].rewrite_trials(window, chosen.len(), |place, out| write(chosen[place].0, out));
    let in_order = [0, 1, 2].map(|place| KeptTrial { place, is_reversed: chosen[place as usize].1 });
    let both = [BatchCounts::Given(&given), BatchCounts::Kept(window, &in_order)];
    let found = models.iter_mut().zip(both).map(|(model, counts)| {
        let mut log_rates = vec![0.0; given.len()];
        model.log_rates(0, Prompt(Scheme::Neuron), counts, &holdout, &mut log_rates).unwrap();
        log_rates
    });
    let found: Vec<_> = found.collect();
    assert_eq!(found[0], found[1]);
    // What is forgotten leaves room; the model goes on as before.
    models[1].forget_trials(window);
    let [given, forgotten] = &mut models;
    let batch = Trials::draw(2, BINS, UNITS, 33);
    for model in [given, forgotten] {
        model.loss_and_gradients(&batch.batch(0, None)).unwrap();
    }
    assert_eq!(models[0].loss(), models[1].loss());
}

#[test]
fn batches_that_are_added_up_make_the_step_of_all_their_trials_together() {
    let all = Trials::draw(6, BINS, UNITS, 21);
    let entries = 2 * BINS * UNITS;
    let parts: Vec<Trials> = (0..3)
        .map(|part| {
            let range = part * entries..(part + 1) * entries;
            let mut holdout = Holdout::nothing(2, BINS, UNITS);
            let hidden = &all.holdout.hidden()[range.clone()];
            holdout.hide(|trial, bin, unit| hidden[(trial * BINS + bin) * UNITS + unit]).score_hidden();
            Trials { counts: all.counts[range].to_vec(), holdout }
        })
        .collect();
    // Where ε is not small beside gradients, rounding of a gradient is no more than rounding of the step.
    let update = Update { epsilon: 1.0, ..UPDATE };
    let mut models = [0, 1].map(|_| build(&small(), BINS, &twins(), 2, 22));
    let [together, apart] = &mut models;
    apart.make_room_for_sums().unwrap();
    for _ in 0..3 {
        together.loss_and_gradients(&all.batch(0, None)).unwrap();
        together.update(0, &update);
        for part in &parts {
            apart.add_up_gradients_of(&[part.batch(0, None)], false).unwrap();
        }
        apart.update_by_sums(&update);
    }
    assert_eq!(apart.optimiser_steps(), together.optimiser_steps());
    for (index, info) in together.parameters().iter().enumerate() {
        let pairs = together.read_parameter(index).into_iter().zip(apart.read_parameter(index));
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{}: {worst}", info.name);
    }
}

#[test]
fn one_step_over_batches_of_several_sessions_moves_the_stitchers_of_each() {
    let batches = [23, 24].map(|seed| Trials::draw(2, BINS, UNITS, seed));
    let mut model = build(&small(), BINS, &sessions(&[("a", UNITS), ("b", UNITS), ("c", UNITS)]), 2, 25);
    model.make_room_for_sums().unwrap();
    let start = all_parameters(&model);
    for (session, batch) in batches.iter().enumerate() {
        model.add_up_gradients_of(&[batch.batch(session, None)], session == 1).unwrap();
    }
    model.update_by_sums(&UPDATE);
    assert_eq!(model.optimiser_steps(), [1, 1, 1, 0]);
    for (index, info) in model.parameters().iter().enumerate() {
        let moved = model.read_parameter(index) != start[index];
        assert_eq!(moved, !stitchers(&model, "c").contains(&index), "{}", info.name);
    }
    // Nothing of this step is left in the next one.
    model.add_up_gradients_of(&[batches[0].batch(2, None)], true).unwrap();
    model.update_by_sums(&UPDATE);
    assert_eq!(model.optimiser_steps(), [2, 1, 1, 1]);
}

fn error(config: ModelConfig, sessions: &[SessionShape]) -> ModelError {
    let device = Box::new(CpuDevice::new(1).unwrap());
    match config.init(BINS, sessions, false, device, &mut ChaCha8Rng::seed_from_u64(0)) {
        Ok(_) => panic!("built from {:?}", config),
        Err(error) => error,
    }
}

#[test]
fn settings_that_make_no_model_are_named() {
    let huge = 1 << 40;
    let cases = [
        ("heads", "5", "model.hidden", ModelConfig { heads: 5, ..small() }),
        ("heads", "0", "between 1", ModelConfig { heads: 0, ..small() }),
        ("layers", "0", "between 1", ModelConfig { layers: 0, ..small() }),
        ("hidden", "0", "between 1", ModelConfig { hidden: 0, ..small() }),
        (
            "ndt1-stitch.channels",
            "0",
            "between 1",
            ModelConfig { ndt1_stitch: Ndt1Settings { channels: 0 }, ..small() },
        ),
        ("hidden", "1099511627776", "65536", ModelConfig { hidden: huge, ..small() }),
        ("mlp", "1099511627776", "1048576", ModelConfig { mlp: huge, ..small() }),
        ("dropout", "1", "below 1", ModelConfig { dropout: 1.0, ..small() }),
        ("dropout", "NaN", "below 1", ModelConfig { dropout: f64::NAN, ..small() }),
        ("embed_dropout", "-0.1", "at least 0", ModelConfig { embed_dropout: -0.1, ..small() }),
        ("rope", "true", "even", ModelConfig { hidden: 12, heads: 4, rope: true, ..small() }),
    ];
    for (field, value, cure, config) in cases {
        let message = error(config, &twins()).to_string();
        assert!(message.starts_with(&format!("model.{field} = {value}: ")), "{message}");
        assert!(message.contains(cure), "{message}");
    }
}

#[test]
fn sessions_that_make_no_model_are_named() {
    assert!(matches!(error(small(), &[]), ModelError::NoSession));
    let cases = [
        ("twice", sessions(&[("dfd8e7df", 3), ("6713a4a7", 4), ("dfd8e7df", 5)])),
        ("no unit", sessions(&[("6713a4a7", 4), ("dfd8e7df", 0)])),
    ];
    for (problem, sessions) in cases {
        let message = error(small(), &sessions).to_string();
        assert!(message.starts_with("session dfd8e7df: ") && message.contains(problem), "{message}");
    }
}

#[test]
fn log_rates_of_some_units_are_those_among_all() {
    let mut model = build(&small(), 6, &twins(), 1, 5);
    let inputs = counts(2 * 6 * UNITS, 1);
    let all = log_rates(&mut model, 1, Prompt(Scheme::Neuron), &inputs);
    for units in [vec![UNITS - 1], vec![0, 2], (0..UNITS).collect()] {
        let mut some = vec![f32::NAN; 2 * 6 * units.len()];
        let nothing = nothing(&model, 1);
        model.log_rates_of(1, Prompt(Scheme::Neuron), &units, &inputs, &nothing, &mut some).unwrap();
        let expected: Vec<f32> =
            all.chunks(UNITS).flat_map(|row| units.iter().map(|unit| row[*unit])).collect();
        for (some, all) in some.iter().zip(&expected) {
            assert!((some - all).abs() < 1e-5, "{some}, not {all}");
        }
    }
}

#[test]
fn new_weights_of_a_session_are_used_at_once() {
    let mut model = build(&small(), 6, &twins(), 1, 5);
    let inputs = counts(6 * UNITS, 1);
    let before = log_rates(&mut model, 0, Prompt(Scheme::Neuron), &inputs);
    let encoder = stitchers(&model, "first")[0];
    let zeros = vec![0.0; model.parameters()[encoder].values()];
    model.write_parameter(encoder, &zeros).unwrap();
    assert_ne!(before, log_rates(&mut model, 0, Prompt(Scheme::Neuron), &inputs));
}

#[test]
fn log_rates_are_a_linear_map_of_the_activations() {
    for config in variants() {
        let mut model = build(&config, BINS, &twins(), 2, 1);
        let inputs = counts(2 * BINS * UNITS, 2);
        let expected = log_rates(&mut model, 1, Prompt(Scheme::Causal), &inputs);
        let mut activations = vec![f32::NAN; 2 * BINS * 16];
        let nothing = nothing(&model, 1);
        model.activations(1, Prompt(Scheme::Causal), &inputs, &nothing, &mut activations).unwrap();
        let output = |part: &str| {
            let name = format!("stitch_decoder.stitch_decoder_dict.second.{part}");
            let index = model.parameters().iter().position(|info| info.name == name).unwrap();
            model.read_parameter(index)
        };
        let (weight, bias) = (output("weight"), output("bias"));
        for (entry, expected) in expected.iter().enumerate() {
            let (row, unit) = (entry / UNITS, entry % UNITS);
            let products = activations[row * 16..][..16].iter().zip(&weight[unit * 16..][..16]);
            let found = bias[unit] + products.map(|(a, d)| a * d).sum::<f32>();
            assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
        }
    }
}

#[test]
fn a_frozen_trunk_counts_no_step_of_its_own_and_moves_nothing_shared() {
    let mut model = build(&small(), BINS, &twins(), 2, 1);
    model.freeze_trunk();
    let values =
        |model: &Model| (0..model.parameters().len()).map(|i| model.read_parameter(i)).collect::<Vec<_>>();
    let moments =
        |model: &Model| (0..model.parameters().len()).map(|i| model.read_moments(i)).collect::<Vec<_>>();
    let before = values(&model);
    let inputs = counts(2 * BINS * UNITS, 2);
    let mut holdout = Holdout::nothing(2, BINS, UNITS);
    holdout.hide_units(|unit| unit > 0).score_hidden();
    for step in 0..3 {
        let batch = TrainingBatch {
            session: 1,
            prompt: Prompt(Scheme::Neuron),
            counts: (&inputs).into(),
            holdout: &holdout,
            dropout: Some((1, step)),
        };
        model.loss_and_gradients(&batch).unwrap();
        model.update(1, &Update { rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.1 });
    }
    // What is counted for the trunk's group are steps of the session tokens.
    assert_eq!(model.optimiser_steps(), [3, 0, 3]);
    let (after, moments) = (values(&model), moments(&model));
    for (index, info) in model.parameters().iter().enumerate() {
        let moved = before[index] != after[index];
        let is_of_the_session = info.name.contains("second") || info.name.contains("embed_session");
        assert_eq!(moved, is_of_the_session, "{}", info.name);
        assert_eq!(
            moments[index].iter().flatten().any(|value| *value != 0.0),
            is_of_the_session,
            "{}",
            info.name
        );
    }
}

#[test]
fn gradients_of_activations_are_those_of_what_is_read_from_them() {
    // Log-rates are a linear map of the activations: the loss is carried through it by hand.
    for config in variants() {
        let [mut whole, mut by_hand] = [(); 2].map(|()| build(&config, BINS, &twins(), 1, 20));
        let trials = Trials::draw(3, BINS, UNITS, 21);
        let batch = trials.batch(1, Some((22, 4)));
        whole.loss_and_gradients(&batch).unwrap();
        let parameter = |part| {
            let role = Role::Stitcher { session: 1, part };
            let index = whole.parameters().iter().position(|info| info.role == role).unwrap();
            (index, whole.read_parameter(index))
        };
        let (weight_index, weight) = parameter(StitcherPart::OutputWeight);
        let (bias_index, bias) = parameter(StitcherPart::OutputBias);
        let scored = trials.holdout.scored();
        by_hand
            .gradients_of_activations(&batch, |activations| {
                let mut slopes = vec![0.0; activations.len()];
                for (row, (x, slopes)) in activations.chunks(16).zip(slopes.chunks_mut(16)).enumerate() {
                    for unit in (0..UNITS).filter(|unit| scored[row * UNITS + unit]) {
                        let weight = &weight[unit * 16..][..16];
                        let log_rate = bias[unit] + x.iter().zip(weight).map(|(x, w)| x * w).sum::<f32>();
                        let slope = log_rate.exp() - trials.counts[row * UNITS + unit];
                        slopes.iter_mut().zip(weight).for_each(|(sum, weight)| *sum += slope * weight);
                    }
                }
                slopes
            })
            .unwrap();
        let [whole, by_hand] = [&whole, &by_hand].map(all_gradients);
        let largest =
            |values: &[f32]| values.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let largest_of_all = whole.iter().map(|values| largest(values)).fold(0.0, f32::max);
        for (index, (expected, found)) in whole.iter().zip(&by_hand).enumerate() {
            if [weight_index, bias_index].contains(&index) {
                assert_eq!(largest(found), 0.0, "log-rates have no say");
                continue;
            }
            let differences: Vec<f32> = expected.iter().zip(found).map(|(a, b)| a - b).collect();
            let tolerance = 1e-4 * largest(expected) + 1e-6 * largest_of_all;
            assert!(largest(&differences) <= tolerance, "{index}: {}", largest(&differences));
        }
    }
}

#[test]
fn a_trainable_copy_that_begins_anew_learns_what_it_learned_before() {
    let weights = build(&small(), BINS, &twins(), 1, 23).weights();
    let mut copy = weights.trainable_on(Box::new(CpuDevice::new(1).unwrap())).unwrap();
    let trials = Trials::draw(3, BINS, UNITS, 24);
    let mut learned = || {
        for step in 0..3 {
            copy.loss_and_gradients(&trials.batch(0, Some((25, step)))).unwrap();
            copy.update(0, &UPDATE);
        }
        let learned = all_parameters(&copy);
        weights.restart(&mut copy).unwrap();
        learned
    };
    assert_eq!(learned(), learned());
}
