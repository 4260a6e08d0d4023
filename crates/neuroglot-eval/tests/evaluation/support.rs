//! Small sessions and small models.

use neuroglot_data::{
    Behaviour, Session, SessionParts, SimulatorConfig, SpikeCountsBuilder, Split, TrueRates,
};
use neuroglot_engine::CpuDevice;
use neuroglot_ensemble::Ensemble;
use neuroglot_eval::{EvalError, evaluate};
use neuroglot_masks::MaskPool;
use neuroglot_model::{
    Architecture, CountStatistics, InputKind, Model, ModelConfig, Ndt1Settings, Ndt2Settings, SessionShape,
};
use neuroglot_tasks::results::{Evaluation, SessionEvaluation, TaskResult};
use neuroglot_tasks::{EvaluationOptions, Task, TaskSelection};
use neuroglot_train::{CheckpointConfig, CheckpointSession, MaskConfig, session_shape};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Simulated sessions of three regions; bins are long, so that units have enough spikes.
pub fn simulated(sessions: usize, units: usize, trials: usize, bins: usize) -> Vec<Session> {
    let config = SimulatorConfig {
        sessions,
        units,
        trials,
        bins,
        bin_seconds: 0.1,
        regions: ["VISa", "CA1", "PO"].map(String::from).into(),
        seed: 3,
    };
    config.simulate().unwrap()
}

/// Two sessions of 14 units in three regions, 30 trials (6 of them test trials) of 20 bins. Units 0 and 9 lie in no
/// region, and unit 5 is silent.
pub fn two_sessions() -> Vec<Session> {
    let change = |session: &Session| {
        let session = with_counts(session, |_, _, unit, count| if unit == 5 { 0 } else { count });
        with_parts(&session, |parts| {
            parts.units[0].region = "root".into();
            parts.units[9].region = "void".into();
        })
    };
    simulated(2, 14, 30, 20).iter().map(change).collect()
}

/// The session with changed parts.
pub fn with_parts(session: &Session, change: impl FnOnce(&mut SessionParts)) -> Session {
    let all = |rates: fn(&Session, usize) -> Option<&[f32]>| {
        let rates: Option<Vec<&[f32]>> = (0..session.trials()).map(|trial| rates(session, trial)).collect();
        rates.map(|rates| rates.concat())
    };
    let true_rates = all(Session::true_rates).map(|rates| TrueRates {
        rates,
        given_latents: all(Session::rates_given_latents),
        given_past: all(Session::rates_given_past),
    });
    let mut parts = SessionParts {
        eid: session.eid().into(),
        subject: session.subject().into(),
        lab: session.lab().into(),
        bin_seconds: session.bin_seconds(),
        units: session.units().to_vec(),
        splits: session.splits().to_vec(),
        counts: session.counts().clone(),
        behaviours: session.behaviours().clone(),
        true_rates,
    };
    change(&mut parts);
    Session::new(parts).unwrap()
}

/// The session with other counts: `count(trial, bin, unit, count so far)`.
pub fn with_counts(session: &Session, count: impl Fn(usize, usize, usize, u32) -> u32) -> Session {
    let (bins, units) = (session.bins(), session.units().len());
    let mut builder = SpikeCountsBuilder::new(bins, units);
    for trial in 0..session.trials() {
        let counts = dense(session, trial).into_iter().enumerate();
        let counts = counts.map(|(entry, old)| count(trial, entry / units, entry % units, old as u32));
        builder.push_dense(&counts.collect::<Vec<u32>>());
    }
    with_parts(session, |parts| parts.counts = builder.finish())
}

/// The session with a behaviour added or replaced.
pub fn with_behaviour(session: &Session, name: &str, behaviour: Behaviour) -> Session {
    with_parts(session, |parts| {
        parts.behaviours.insert(name.to_owned(), behaviour);
    })
}

/// Counts of one trial, `[bin, unit]`.
pub fn dense(session: &Session, trial: usize) -> Vec<f32> {
    let mut counts = vec![0.0; session.bins() * session.units().len()];
    session.write_dense(trial, &mut counts);
    counts
}

/// A model of these sessions with random weights whose rates start at the mean counts of the units.
///
/// The weights of the output are larger than initial ones, so that what is hidden makes a difference.
pub fn model(sessions: &[Session], threads: usize) -> Model {
    model_of(&ndt1_sizes(), sessions, threads)
}

fn ndt1_sizes() -> ModelConfig {
    ModelConfig {
        hidden: 16,
        layers: 2,
        heads: 2,
        ndt1_stitch: Ndt1Settings { channels: 8 },
        ..ModelConfig::default()
    }
}

/// The same of patches of 5 units, which no session of the tests fills.
pub fn ndt2(sessions: &[Session], threads: usize, region_patches: bool) -> Model {
    model_of(&ndt2_sizes(region_patches), sessions, threads)
}

/// Either of them, but it reads standardised counts.
pub fn standardised(sessions: &[Session], threads: usize, architecture: Architecture) -> Model {
    let sizes = if architecture.has_patches() { ndt2_sizes(true) } else { ndt1_sizes() };
    model_of(&ModelConfig { input: InputKind::Standardised, ..sizes }, sessions, threads)
}

fn ndt2_sizes(region_patches: bool) -> ModelConfig {
    let architecture = Architecture::Ndt2;
    let sizes = ModelConfig { hidden: 16, layers: 2, heads: 2, patch: 5, ..ModelConfig::default() };
    let ndt2 = Ndt2Settings { region_patches, ..Ndt2Settings::default() };
    ModelConfig { architecture, ndt2, ..sizes }
}

fn model_of(config: &ModelConfig, sessions: &[Session], threads: usize) -> Model {
    let shapes: Vec<SessionShape> = sessions.iter().map(session_shape).collect();
    let device = Box::new(CpuDevice::new(threads).unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut model = config.init(sessions[0].bins(), &shapes, false, device, &mut rng).unwrap();
    scale_output_weights(&mut model, 2.0);
    let mut biases = Vec::new();
    for (index, session) in sessions.iter().enumerate() {
        let rates = session.unit_rates_hz(&session.trials_in(Split::Train));
        let log_rates = rates.iter().map(|hz| (hz * session.bin_seconds()).max(1e-3).ln() as f32);
        biases.push((index, log_rates.collect::<Vec<f32>>()));
        let mean: Vec<f32> = rates.iter().map(|hz| (hz * session.bin_seconds()) as f32).collect();
        let deviation = mean.iter().map(|mean| 0.1 + mean.sqrt()).collect();
        model.set_count_statistics(index, CountStatistics { mean, deviation }).unwrap();
    }
    model.set_output_bias(&biases);
    model
}

/// A model that predicts one constant rate (spikes/bin) per unit, whatever it sees.
pub fn constant_model(session: &Session, rates: &[f32]) -> Model {
    let mut model = model(std::slice::from_ref(session), 1);
    scale_output_weights(&mut model, 0.0);
    model.set_output_bias(&[(0, rates.iter().map(|rate| rate.ln()).collect())]);
    model
}

fn scale_output_weights(model: &mut Model, scale: f32) {
    for index in 0..model.parameters().len() {
        let name = &model.parameters()[index].name;
        if name.contains("decoder.") && name.ends_with("weight") {
            let weights: Vec<f32> = model.read_parameter(index).iter().map(|weight| weight * scale).collect();
            model.write_parameter(index, &weights).unwrap();
        }
    }
}

/// What a checkpoint of a model says.
pub fn checkpoint(model: &Model, sessions: &[Session], pool: MaskPool) -> CheckpointConfig {
    CheckpointConfig {
        format: "neuroglot-checkpoint-1".into(),
        version: "0.1.0".into(),
        model: model.config().clone(),
        mask: MaskConfig { pool, ..MaskConfig::default() },
        seed: 8,
        epoch: 0,
        step: 0,
        score: None,
        bins: model.bins(),
        bin_seconds: sessions[0].bin_seconds(),
        sessions: sessions.iter().map(CheckpointSession::of).collect(),
        settings: None,
        base: None,
        ensemble: None,
    }
}

pub fn options(tasks: &[Task], behaviours: &[&str]) -> EvaluationOptions {
    let behaviours = behaviours.iter().map(|name| name.to_string()).collect();
    EvaluationOptions {
        selection: TaskSelection { tasks: tasks.to_vec(), behaviours, every_behaviour: false },
        resamples: 100,
        seed: 1,
    }
}

/// Evaluates a model on the sessions that it was built for.
pub fn evaluated(
    model: &mut Model,
    sessions: &[Session],
    pool: MaskPool,
    options: &EvaluationOptions,
) -> Result<Evaluation, EvalError> {
    let mut ensemble = ensemble(model, checkpoint(model, sessions, pool));
    evaluate(&mut ensemble, "best", sessions, options, &mut |_| ())
}

/// An ensemble of a copy of one network, on as many threads.
pub fn ensemble(model: &Model, config: CheckpointConfig) -> Ensemble {
    let threads = model.replicas().map_or(1, |replicas| replicas.count);
    let device = Box::new(CpuDevice::new(threads).unwrap());
    Ensemble::of_one(model.weights().model_on(device).unwrap(), config)
}

/// Evaluates a model with multi-task prompts on its only session.
pub fn evaluated_alone(
    model: &mut Model,
    session: &Session,
    tasks: &[Task],
    behaviours: &[&str],
) -> SessionEvaluation {
    let sessions = std::slice::from_ref(session);
    let found = evaluated(model, sessions, MaskPool::multi_task(), &options(tasks, behaviours)).unwrap();
    found.sessions.into_iter().next().unwrap()
}

pub fn task(session: &SessionEvaluation, task: Task) -> &TaskResult {
    session.tasks.iter().find(|result| result.task == task.name()).unwrap()
}

#[track_caller]
pub fn assert_close(found: Option<f64>, expected: Option<f64>, what: &str) {
    match (found, expected) {
        (None, None) => (),
        (Some(found), Some(expected)) => {
            let tolerance = 1e-6 * expected.abs().max(1.0);
            assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
        }
        _ => panic!("{what}: {found:?} instead of {expected:?}"),
    }
}
