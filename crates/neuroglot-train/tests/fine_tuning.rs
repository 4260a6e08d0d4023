//! Runs that start from a trained model: what they take over, what they leave alone, what they refuse.

use neuroglot_data::{Session, SimulatorConfig};
use neuroglot_engine::CpuDevice;
use neuroglot_masks::{Holdout, Prompt, Scheme};
use neuroglot_model::CountStatistics;
use neuroglot_train::{Checkpoint, Observer, RunConfig, RunFolder, Start, Step, Summary, TrainError, train};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Three sessions of 16 units: the base knows the first two.
fn sessions() -> Vec<Session> {
    let config = SimulatorConfig {
        sessions: 3,
        units: 16,
        trials: 60,
        bins: 12,
        seed: 5,
        ..SimulatorConfig::default()
    };
    config.simulate().unwrap()
}

const TRAINING: [&str; 6] = [
    "train.batch=8",
    "train.epochs=3",
    "train.learning_rate=1e-3",
    "train.validate_every=1",
    "train.checkpoint_seconds=0",
    "data.min_rate=0",
];
const MODEL: [&str; 4] =
    ["model.hidden=16", "model.layers=2", "model.heads=2", "model.ndt1-stitch.channels=12"];

fn config(settings: &[&str]) -> RunConfig {
    let settings: Vec<String> = TRAINING.iter().chain(settings).map(|s| s.to_string()).collect();
    RunConfig::load(None, &settings).unwrap()
}

fn run(config: &RunConfig, sessions: &[Session], out: &Path, start: Start) -> Result<Summary, TrainError> {
    train(config, sessions, &[], out, start, Box::new(CpuDevice::new(2).unwrap()), &mut ())
}

/// A root folder with a run `base` of the first two sessions.
fn with_base() -> (tempfile::TempDir, Vec<Session>) {
    with_base_of("counts")
}

/// The same of a kind of input.
fn with_base_of(input: &str) -> (tempfile::TempDir, Vec<Session>) {
    let (root, sessions) = (tempfile::tempdir().unwrap(), sessions());
    let input = format!("model.input={input}");
    run(&config(&[&MODEL[..], &[&input]].concat()), &sessions[..2], &root.path().join("base"), Start::Fresh)
        .unwrap();
    (root, sessions)
}

/// Settings that start from the run `base`.
fn from_base(root: &Path, settings: &[&str]) -> RunConfig {
    let from = format!("init.from={}", root.join("base").display());
    config(&[&[from.as_str()], settings].concat())
}

/// The parameters of a checkpoint by name.
fn parameters(run: &Path, checkpoint: &str) -> BTreeMap<String, Vec<f32>> {
    let folder = RunFolder::open(run).unwrap().checkpoint(checkpoint).unwrap();
    let device = Box::new(CpuDevice::new(1).unwrap());
    let model = Checkpoint::open(&folder).unwrap().load(&folder, false, device).unwrap();
    let infos = model.parameters().iter().enumerate();
    infos.map(|(index, info)| (info.name.clone(), model.read_parameter(index))).collect()
}

fn is_of_a_session(name: &str) -> bool {
    name.contains("stitch") || name.contains("embed_session")
}

fn log_rates(run: &Path, session: &Session) -> Vec<f32> {
    let folder = RunFolder::open(run).unwrap().checkpoint("best").unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let mut model = checkpoint.load(&folder, false, Box::new(CpuDevice::new(1).unwrap())).unwrap();
    let index = checkpoint.config.sessions.iter().position(|known| known.eid == session.eid()).unwrap();
    let counts = session.dense(&[0, 1, 2]);
    let mut log_rates = vec![0.0; counts.len()];
    let nothing = Holdout::nothing(1, session.bins(), session.units().len());
    model.log_rates(index, Prompt(Scheme::Neuron), &counts, &nothing, &mut log_rates).unwrap();
    log_rates
}

#[test]
fn no_epoch_on_known_sessions_predicts_as_the_base() {
    let (root, sessions) = with_base();
    let base = root.path().join("base");
    // In another order, with a new session between them.
    let given = [&sessions[1], &sessions[2], &sessions[0]].map(Session::clone);
    let tuned = root.path().join("tuned");
    let summary = run(&from_base(root.path(), &["train.epochs=0"]), &given, &tuned, Start::Fresh).unwrap();
    assert_eq!((summary.epochs, summary.steps), (0, 0));
    for session in &sessions[..2] {
        assert_eq!(log_rates(&base, session), log_rates(&tuned, session), "{}", session.eid());
    }
    assert_eq!(RunFolder::open(&tuned).unwrap().config().unwrap().model.hidden, 16, "the base's model");
    // The line before the first step has the base's scores, but for the masks, which are drawn by session.
    let metrics = RunFolder::open(&tuned).unwrap().metrics().unwrap();
    assert_eq!((metrics.len(), metrics[0].epoch, metrics[0].step), (1, 0, 0));
    assert!(metrics[0].loss.is_nan() && metrics[0].validation.len() == 3);
    assert!(run(&from_base(root.path(), &["train.epochs=0"]), &given, &tuned, Start::Resume).is_ok());

    let known = Checkpoint::open(&tuned.join("best")).unwrap().config.base.unwrap();
    assert_eq!(known.kept, [sessions[1].eid(), sessions[0].eid()]);
    let seen: Vec<&str> = known.model.sessions.iter().map(|session| session.eid.as_str()).collect();
    assert_eq!(seen, [sessions[0].eid(), sessions[1].eid()]);
    assert_eq!(known.model.sessions[0].units[3].uuid, sessions[0].units()[3].uuid);
}

#[test]
fn a_pool_with_a_prompt_of_its_own_adds_a_row_that_is_trained() {
    const OWN: &str = "mask.pool=[{ scheme = 'temporal', prompt = 'temporal' }]";
    const ROWS: &str = "encoder.embedder.embed_prompt.weight";
    let (root, sessions) = with_base();
    let base = &parameters(&root.path().join("base"), "best")[ROWS];
    let tuned = root.path().join("tuned");
    let settings = from_base(root.path(), &[OWN, "init.from_checkpoint=best"]);
    run(&settings, &sessions[..1], &tuned, Start::Fresh).unwrap();
    let model = RunFolder::open(&tuned).unwrap().config().unwrap().model;
    assert_eq!(model.prompts, [&Prompt::PUBLISHED[..], &[Prompt(Scheme::Temporal)]].concat());
    let rows = &parameters(&tuned, "last")[ROWS];
    assert_eq!((base.len(), rows.len()), (4 * 16, 5 * 16));
    // What no batch is announced by only decays; the new row started at random and has learned.
    let untrained = root.path().join("untrained");
    let settings = from_base(root.path(), &[OWN, "train.epochs=0"]);
    run(&settings, &sessions[..1], &untrained, Start::Fresh).unwrap();
    let started = &parameters(&untrained, "last")[ROWS];
    assert_eq!(started[..4 * 16], base[..]);
    let moved = |row: usize| -> f32 {
        let of_row = row * 16..(row + 1) * 16;
        rows[of_row.clone()].iter().zip(&started[of_row]).map(|(now, then)| (now - then).abs()).sum()
    };
    assert!((0..4).all(|row| moved(row) < 0.1 * moved(4)), "{:?}", [0, 1, 2, 3, 4].map(moved));
    // It goes on as it was, and fine-tuned again it keeps the row, with whatever pool.
    assert!(run(&from_base(root.path(), &[OWN]), &sessions[..1], &tuned, Start::Resume).is_ok());
    let again = config(&[&format!("init.from={}", tuned.display()), "train.epochs=0"]);
    run(&again, &sessions[..1], &root.path().join("again"), Start::Fresh).unwrap();
    assert_eq!(&parameters(&root.path().join("again"), "last")[ROWS], &parameters(&tuned, "best")[ROWS]);
}

#[test]
fn the_trunk_is_taken_over_and_sessions_get_what_is_theirs() {
    let (root, sessions) = with_base();
    let base = parameters(&root.path().join("base"), "best");
    let start = |name: &str, sessions: &[Session], settings: &[&str]| {
        let out = root.path().join(name);
        let settings = [settings, &["train.epochs=0"]].concat();
        run(&from_base(root.path(), &settings), sessions, &out, Start::Fresh).unwrap();
        parameters(&out, "last")
    };
    let both = [sessions[2].clone(), sessions[0].clone()];
    let kept = start("kept", &both, &[]);
    let renewed = start("renewed", &both, &["init.keep_stitchers=false"]);
    for (name, values) in base.iter().filter(|(name, _)| !is_of_a_session(name)) {
        assert!(kept[name] == *values && renewed[name] == *values, "{name}");
    }
    let (known, new) = (sessions[0].eid(), sessions[2].eid());
    let mut own = 0;
    for (name, values) in base.iter().filter(|(name, _)| name.contains(&format!("dict.{known}."))) {
        assert_eq!(kept[name], *values, "{name}");
        assert_ne!(renewed[name], *values, "{name}");
        own += 1;
    }
    assert_eq!(own, 4, "input and output, weight and bias");
    // Session tokens: a new one, then the base's first.
    let rows =
        |parameters: &BTreeMap<String, Vec<f32>>| parameters["encoder.embedder.embed_session.weight"].clone();
    assert_eq!(rows(&kept)[16..], rows(&base)[..16]);
    assert!(!rows(&base).chunks(16).any(|row| row == &rows(&kept)[..16]));
    // New outputs start at the rates of the session.
    let bias = &kept[&format!("stitch_decoder.stitch_decoder_dict.{new}.bias")];
    let trials = sessions[2].trials_in(neuroglot_data::Split::Train);
    let hz = sessions[2].unit_rates_hz(&trials);
    for (bias, hz) in bias.iter().zip(hz) {
        let counted = hz * sessions[2].bin_seconds() * (trials.len() * 12) as f64;
        assert!((f64::from(bias.exp()) * (trials.len() * 12) as f64 - counted - 0.5).abs() < 1e-2);
    }

    // A session whose units are not the same is a new one.
    let fewer = sessions[0].select_units(&(0..15).collect::<Vec<usize>>()).unwrap();
    start("fewer", &[fewer], &[]);
    let config = Checkpoint::open(&root.path().join("fewer/last")).unwrap().config;
    assert!(config.base.unwrap().kept.is_empty());
}

/// Mean and deviation of the counts of each unit of a session that a checkpoint keeps.
fn statistics(run: &Path, session: &Session) -> CountStatistics {
    let folder = RunFolder::open(run).unwrap().checkpoint("last").unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let model = checkpoint.load(&folder, false, Box::new(CpuDevice::new(1).unwrap())).unwrap();
    let index = checkpoint.config.sessions.iter().position(|known| known.eid == session.eid()).unwrap();
    model.count_statistics(index).unwrap().unwrap().clone()
}

#[test]
fn known_sessions_keep_what_standardises_them_and_new_ones_get_their_own() {
    for architecture in ["ndt1-stitch", "ndt2"] {
        let (root, sessions) = (tempfile::tempdir().unwrap(), sessions());
        let architecture = format!("model.architecture={architecture}");
        let model = [&MODEL[..3], &["model.input=standardised", &architecture]].concat();
        let path = |name: &str| root.path().join(name);
        // Of few trials, so that all of them have other means.
        run(
            &config(&[&model[..], &["data.trials=10"]].concat()),
            &sessions[..2],
            &path("base"),
            Start::Fresh,
        )
        .unwrap();
        run(&config(&[&model[..], &["train.epochs=0"]].concat()), &sessions, &path("all"), Start::Fresh)
            .unwrap();
        let given = [&sessions[1], &sessions[2]].map(Session::clone);
        let start = |name: &str, setting: &str| {
            let settings = from_base(root.path(), &["train.epochs=0", setting]);
            run(&settings, &given, &path(name), Start::Fresh).unwrap();
        };
        start("kept", "init.keep_stitchers=true");
        start("renewed", "init.keep_stitchers=false");
        let [base, all] = ["base", "all"].map(|run| statistics(&path(run), &sessions[1]));
        assert_ne!(base, all);
        assert_eq!(statistics(&path("kept"), &sessions[1]), base);
        assert_eq!(log_rates(&path("kept"), &sessions[1]), log_rates(&path("base"), &sessions[1]));
        assert_eq!(statistics(&path("renewed"), &sessions[1]), all);
        for name in ["kept", "renewed"] {
            assert_eq!(statistics(&path(name), &sessions[2]), statistics(&path("all"), &sessions[2]));
        }
        // What was kept is kept after a resumption too.
        let settings = from_base(root.path(), &["train.epochs=0", "init.keep_stitchers=true"]);
        run(&settings, &given, &path("kept"), Start::Resume).unwrap();
        assert_eq!(statistics(&path("kept"), &sessions[1]), base);
    }
}

#[test]
fn a_frozen_trunk_stays_to_the_bit_and_sessions_learn() {
    let (root, sessions) = with_base();
    let out = root.path().join("frozen");
    let settings = ["train.freeze=trunk", "train.time_reversal=0.5", "train.learning_rate=1e-2"];
    run(&from_base(root.path(), &settings), &sessions[1..], &out, Start::Fresh).unwrap();
    let (base, last) = (parameters(&root.path().join("base"), "best"), parameters(&out, "last"));
    let start = root.path().join("start");
    run(&from_base(root.path(), &["train.epochs=0"]), &sessions[1..], &start, Start::Fresh).unwrap();
    let start = parameters(&start, "last");
    for (name, values) in &last {
        if is_of_a_session(name) {
            assert_ne!(*values, start[name], "{name}");
        } else {
            let same = values.iter().zip(&base[name]).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{name} has changed");
        }
    }
    let metrics = RunFolder::open(&out).unwrap().metrics().unwrap();
    let scores: Vec<f64> = metrics.iter().map(|record| record.score.unwrap()).collect();
    assert!(scores[3] > scores[0] + 0.01, "{scores:?}");
}

#[test]
fn weights_of_sessions_learn_alike_whether_gradients_of_the_trunk_are_computed_or_not() {
    // One step: with the trunk frozen, what is not frozen gets the same gradient.
    let (root, sessions) = with_base();
    let step = |name: &str, freeze: &str| {
        let out = root.path().join(name);
        let settings = ["train.epochs=1", "train.batch=1000", "train.warm_up=1", freeze];
        run(&from_base(root.path(), &settings), &sessions[2..], &out, Start::Fresh).unwrap();
        assert_eq!(RunFolder::open(&out).unwrap().metrics().unwrap()[1].step, 1);
        parameters(&out, "last")
    };
    let (frozen, free) = (step("frozen", "train.freeze=trunk"), step("free", "train.freeze=nothing"));
    for (name, values) in &frozen {
        assert_eq!(*values == free[name], is_of_a_session(name), "{name}");
    }
}

/// Dies in the middle of a step.
struct Assassin {
    at: u64,
}

impl Observer for Assassin {
    fn step(&mut self, step: &Step) {
        assert!(step.done != self.at, "killed");
    }
}

fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["", "best", "last"] {
        for entry in std::fs::read_dir(run.join(folder)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() && entry.file_name() != "run.json" {
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                found.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_killed_fine_tuning_goes_on_to_the_bit_even_without_its_base() {
    for input in ["counts", "standardised"] {
        assert_resumable(input);
    }
}

fn assert_resumable(input: &str) {
    let (root, sessions) = with_base_of(input);
    let settings = [
        "train.freeze=trunk",
        "train.sampling=balanced",
        "init.stitcher=regression",
        "data.trials=16",
        "model.hidden=16",
        "model.layers=2",
        "model.heads=2",
        "model.ndt1-stitch.channels=12",
    ];
    let config = from_base(root.path(), &settings);
    let whole = root.path().join("whole");
    let steps = run(&config, &sessions, &whole, Start::Fresh).unwrap().steps;
    // 16 trials of each of three sessions in batches of 8.
    assert_eq!(steps, 3 * 3 * 2);
    for (at, base_stays) in [(1, true), (7, false), (steps, false)] {
        let broken = root.path().join(format!("broken-{at}"));
        let attempt = |start| {
            let device = Box::new(CpuDevice::new(1).unwrap());
            let observer = &mut Assassin { at };
            let run = || train(&config, &sessions, &[], &broken, start, device, observer);
            catch_unwind(AssertUnwindSafe(run))
        };
        assert!(attempt(Start::Fresh).is_err());
        let (base, away) = (root.path().join("base"), root.path().join("away"));
        if !base_stays {
            std::fs::rename(&base, &away).unwrap();
        }
        run(&config, &sessions, &broken, Start::Resume).unwrap();
        if !base_stays {
            std::fs::rename(&away, &base).unwrap();
        }
        assert!(files(&broken) == files(&whole), "killed at step {at}");
    }
}

#[test]
fn what_a_run_cannot_start_from_is_refused_before_anything_is_written() {
    let (root, sessions) = with_base();
    let refused = |config: &RunConfig, sessions: &[Session]| {
        let out = root.path().join("refused");
        let error = run(config, sessions, &out, Start::Fresh).unwrap_err();
        assert!(!out.exists(), "{error}");
        error.to_string()
    };
    let nowhere = refused(&config(&["init.from=nowhere"]), &sessions);
    assert!(nowhere.starts_with("nowhere: no run here"), "{nowhere}");
    let wider = refused(&from_base(root.path(), &["model.hidden=32"]), &sessions);
    assert!(
        wider.starts_with("setting model.hidden: it is 32, not 16 as in the model of init.from"),
        "{wider}"
    );
    let simulator =
        SimulatorConfig { units: 16, trials: 60, bins: 10, seed: 6, ..SimulatorConfig::default() };
    let shorter = refused(&from_base(root.path(), &[]), &simulator.simulate().unwrap());
    assert!(shorter.contains("10 bins of 0.02 s a trial, and the model in"), "{shorter}");
    for setting in ["train.freeze=trunk", "init.stitcher=regions"] {
        let settings = [setting.to_owned()];
        let error = RunConfig::load(None, &settings).unwrap_err().to_string();
        assert!(error.contains("set init.from to its folder"), "{error}");
    }

    let weights = root.path().join("base/best/model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let out = root.path().join("damaged");
    let error = run(&from_base(root.path(), &[]), &sessions, &out, Start::Fresh).unwrap_err().to_string();
    assert!(error.contains("base/best/model.safetensors: not a whole safetensors file"), "{error}");
}

#[test]
fn the_last_checkpoint_and_a_checkpoint_folder_can_be_started_from() {
    let (root, sessions) = with_base();
    let start = |name: &str, config: &RunConfig| {
        let out = root.path().join(name);
        run(config, &sessions[2..], &out, Start::Fresh).unwrap();
        parameters(&out, "last")
    };
    let from_last = from_base(root.path(), &["train.epochs=0", "init.from_checkpoint=last"]);
    let folder = format!("init.from={}", root.path().join("base/last").display());
    let from_folder = config(&["train.epochs=0", &folder]);
    let (a, b) = (start("run", &from_last), start("folder", &from_folder));
    assert_eq!(a, b);
    let last = parameters(&root.path().join("base"), "last");
    assert_eq!(a["encoder.embedder.embed_prompt.weight"], last["encoder.embedder.embed_prompt.weight"]);
}

#[test]
fn as_many_trials_as_there_are_make_the_same_run() {
    let (root, sessions) = (tempfile::tempdir().unwrap(), sessions());
    let weights = |name: &str, trials: &str| {
        let out = root.path().join(name);
        run(&config(&[&MODEL[..], &[trials]].concat()), &sessions[..1], &out, Start::Fresh).unwrap();
        std::fs::read(out.join("last/model.safetensors")).unwrap()
    };
    assert!(weights("all", "data.trials=0") == weights("many", "data.trials=1000"));
    assert!(weights("some", "data.trials=20") != weights("all-again", "data.trials=0"));
}

/// Both layouts of patches: plain, and by region.
#[test]
fn an_ndt2_is_fine_tuned_on_sessions_of_more_patches() {
    for by_region in ["model.ndt2.region_patches=false", "model.ndt2.region_patches=true"] {
        let (root, sessions) = (tempfile::tempdir().unwrap(), sessions());
        let base = root.path().join("base");
        let settings = ["model.architecture=ndt2", "model.patch=4", by_region];
        // Ten units stand in three patches, sixteen in four.
        let few = sessions[0].select_units(&(0..10).collect::<Vec<usize>>()).unwrap();
        let config = config(&[&MODEL[..3], &settings].concat());
        run(&config, std::slice::from_ref(&few), &base, Start::Fresh).unwrap();

        let same = root.path().join("same");
        run(&from_base(root.path(), &["train.epochs=0"]), std::slice::from_ref(&few), &same, Start::Fresh)
            .unwrap();
        assert_eq!(log_rates(&base, &few), log_rates(&same, &few), "{by_region}");

        let more = root.path().join("more");
        run(&from_base(root.path(), &["train.freeze=trunk"]), &sessions[1..], &more, Start::Fresh).unwrap();
        let (known, found) = (parameters(&base, "best"), parameters(&more, "last"));
        for (name, values) in &known {
            if name.contains("embed_space_pos.0") {
                let shared = values.len().min(found[name].len());
                assert_eq!(found[name][..shared], values[..shared], "{name}");
                assert!(by_region.ends_with("true") || found[name].len() > values.len());
            } else if let Some(found) = found.get(name).filter(|_| !name.contains("embed_session")) {
                assert_eq!(found, values, "{name}");
            }
        }
        let out = root.path().join("refused");
        let settings = from_base(root.path(), &["init.stitcher=regions"]);
        let error = run(&settings, &sessions, &out, Start::Fresh).unwrap_err().to_string();
        assert!(error.contains("init.stitcher: the model of init.from has no stitchers"), "{error}");
    }
}
