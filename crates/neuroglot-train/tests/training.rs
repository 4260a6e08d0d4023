//! Runs from the first step to the last file: learning, repeating, being killed, being refused.

use neuroglot_data::{Session, SessionParts, SimulatorConfig, Split, TrialFingerprint};
use neuroglot_engine::CpuDevice;
use neuroglot_model::Model;
use neuroglot_train::{
    Checkpoint, Observer, RunConfig, RunFolder, Start, Step, Summary, TrainError, late_rise, train,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

fn sessions() -> Vec<Session> {
    simulated(60)
}

fn simulated(trials: usize) -> Vec<Session> {
    let config =
        SimulatorConfig { sessions: 2, units: 16, trials, bins: 12, seed: 5, ..SimulatorConfig::default() };
    config.simulate().unwrap()
}

/// The same trials in other splits.
fn with_splits(session: &Session, splits: Vec<Split>) -> Session {
    Session::new(SessionParts { splits, ..session.clone().into_parts() }).unwrap()
}

fn config(settings: &[&str]) -> RunConfig {
    let small = [
        "model.hidden=16",
        "model.layers=2",
        "model.heads=2",
        "model.ndt1-stitch.channels=12",
        "train.batch=8",
        "train.epochs=4",
        "train.learning_rate=1e-3",
        "train.validate_every=1",
        "train.checkpoint_seconds=0",
        "train.time_reversal=0.5",
    ];
    let is_ndt2 = settings.contains(&"model.architecture=ndt2");
    let has_it = |setting: &&&str| !(is_ndt2 && setting.starts_with("model.ndt1-stitch."));
    let settings = small.iter().chain(settings).filter(has_it).map(|s| s.to_string());
    RunConfig::load(None, &settings.collect::<Vec<String>>()).unwrap()
}

fn run(config: &RunConfig, out: &Path, start: Start, threads: usize) -> Result<Summary, TrainError> {
    run_watched(config, out, start, threads, &mut ())
}

fn run_watched(
    config: &RunConfig,
    out: &Path,
    start: Start,
    threads: usize,
    observer: &mut dyn Observer,
) -> Result<Summary, TrainError> {
    let device = Box::new(CpuDevice::new(threads).unwrap());
    train(config, &sessions(), &[PathBuf::from("a"), PathBuf::from("b")], out, start, device, observer)
}

/// Every file of a run but `run.json`, which holds times.
fn files(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [run.to_owned(), run.join("best"), run.join("last")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_file() && !path.ends_with("run.json") {
                found.insert(path.strip_prefix(run).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn two_runs_of_one_seed_are_equal_byte_for_byte_on_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    let (a, b, c) = (root.path().join("a"), root.path().join("b"), root.path().join("c"));
    run(&config(&[]), &a, Start::Fresh, 1).unwrap();
    run(&config(&[]), &b, Start::Fresh, 2).unwrap();
    run(&config(&["seed=43"]), &c, Start::Fresh, 1).unwrap();
    let names: Vec<String> = files(&a).keys().map(|path| path.display().to_string()).collect();
    let expected = [
        "best/config.json",
        "best/model.safetensors",
        "config.toml",
        "last/config.json",
        "last/model.safetensors",
        "last/optimiser.safetensors",
        "last/progress.json",
        "metrics.jsonl",
    ];
    assert_eq!(names, expected);
    assert_eq!(files(&a), files(&b));
    let weights = PathBuf::from("last/model.safetensors");
    assert_ne!(files(&a)[&weights], files(&c)[&weights]);
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

/// Compares runs that are killed at some of their steps with an unbroken one.
fn assert_resumable(settings: &[&str], killed_at: impl Fn(u64) -> Vec<u64>) {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    let steps = run(&config(settings), &whole, Start::Fresh, 2).unwrap().steps;
    for at in killed_at(steps) {
        let broken = root.path().join(format!("broken-{at}"));
        let attempt = |start| {
            catch_unwind(AssertUnwindSafe(|| {
                run_watched(&config(settings), &broken, start, 2, &mut Assassin { at })
            }))
        };
        assert!(attempt(Start::Fresh).is_err());
        // Killed again at once, and then left to finish.
        let _ = attempt(Start::Resume);
        run(&config(settings), &broken, Start::Resume, 2).unwrap();
        assert_eq!(files(&broken), files(&whole), "killed at step {at}");
    }
}

#[test]
fn a_run_killed_at_any_step_ends_with_the_same_files_as_an_unbroken_one() {
    assert_resumable(&[], |steps| vec![1, steps / 4, steps / 4 + 1, steps / 2 + 1, steps - 1, steps]);
}

#[test]
fn a_run_of_added_batches_takes_a_step_for_several_and_goes_on_to_the_bit_on_any_number_of_threads() {
    // Two sessions of 42 training trials make ten batches an epoch, and these four steps.
    let settings = ["train.accumulate=3"];
    let root = tempfile::tempdir().unwrap();
    let [one, three] = [1, 3].map(|threads| {
        let out = root.path().join(threads.to_string());
        assert_eq!(run(&config(&settings), &out, Start::Fresh, threads).unwrap().steps, 4 * 4);
        files(&out)
    });
    assert_eq!(one, three);
    assert_resumable(&settings, |steps| vec![1, steps / 2 + 1, steps - 1]);
}

#[test]
fn a_run_of_lanes_takes_a_batch_of_each_a_step_and_goes_on_to_the_bit() {
    // Five batches an epoch of each session.
    let settings = ["train.lanes=2"];
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    assert_eq!(run(&config(&settings), &out, Start::Fresh, 1).unwrap().steps, 4 * 5);
    assert_resumable(&settings, |steps| vec![1, steps / 2 + 1, steps - 1]);
    let error = run(&config(&["train.lanes=3"]), &root.path().join("none"), Start::Fresh, 1).unwrap_err();
    assert!(error.to_string().starts_with("setting train.lanes: 3 lanes, and 2 sessions"), "{error}");
    assert!(!root.path().join("none").exists());
}

#[test]
fn sessions_that_pass_the_trunk_together_train_the_same_model_and_go_on_to_the_bit() {
    // Without dropout nothing but the order of sums tells the two apart; where ε is not small beside gradients, the rounding of
    // one is no more than that of the step.
    let settings =
        ["train.lanes=2", "train.epochs=1", "train.epsilon=0.1", "model.dropout=0", "model.embed_dropout=0"];
    let root = tempfile::tempdir().unwrap();
    let weights = [false, true].map(|join| {
        let settings = [&settings[..], &[if join { "train.join_sessions=true" } else { "seed=42" }]].concat();
        let out = root.path().join(join.to_string());
        assert_eq!(run(&config(&settings), &out, Start::Fresh, 2).unwrap().steps, 5);
        let file = std::fs::read(out.join("last/model.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        let mut names = tensors.names();
        names.sort_unstable();
        let values = names.into_iter().flat_map(|name| {
            let bytes = tensors.tensor(name).unwrap().data().chunks_exact(4);
            bytes.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect::<Vec<f32>>()
        });
        values.collect::<Vec<f32>>()
    });
    let apart = weights[0].iter().zip(&weights[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-5, "{apart}");
    assert_resumable(&["train.lanes=2", "train.join_sessions=true"], |steps| vec![1, steps / 2 + 1]);
    let patches = [&NDT2[..], &["train.join_sessions=true"]].concat();
    let patches: Vec<String> = patches.into_iter().map(str::to_owned).collect();
    let error = RunConfig::load(None, &patches).unwrap_err();
    assert!(
        error.to_string().starts_with("setting train.join_sessions: trials of ndt2 have as many"),
        "{error}"
    );
}

/// Patches of 6 units: 16 units of a session take three, of which the last has a tail.
const NDT2: [&str; 2] = ["model.architecture=ndt2", "model.patch=6"];

#[test]
fn a_run_of_ndt2_goes_on_to_the_bit_too() {
    for more in [&["mask.scheme=random-token"], &["model.ndt2.region_patches=true"]] {
        assert_resumable(&[&NDT2[..], more].concat(), |steps| vec![steps / 4 + 1, steps - 1]);
    }
}

#[test]
fn runs_of_ndt2_are_equal_on_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    let [one, three] = [1, 3].map(|threads| {
        let out = root.path().join(threads.to_string());
        run(&config(&NDT2), &out, Start::Fresh, threads).unwrap();
        files(&out)
    });
    assert_eq!(one, three);
}

const STANDARDISED: &str = "model.input=standardised";

#[test]
fn runs_of_standardised_counts_go_on_to_the_bit_on_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    for (name, settings) in [("ndt1", vec![STANDARDISED]), ("ndt2", [&NDT2[..], &[STANDARDISED]].concat())] {
        assert_resumable(&settings, |steps| vec![steps / 4 + 1, steps - 1]);
        let [one, three] = [1, 3].map(|threads| {
            let out = root.path().join(format!("{name}-{threads}"));
            run(&config(&settings), &out, Start::Fresh, threads).unwrap();
            files(&out)
        });
        assert_eq!(one, three);
    }
}

/// A checkpoint's model.
fn load(folder: &Path) -> Result<Model, TrainError> {
    Checkpoint::open(folder)?.load(folder, false, Box::new(CpuDevice::new(1).unwrap()))
}

#[test]
fn a_checkpoint_keeps_the_mean_and_deviation_of_each_unit_over_its_training_trials() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    run(&config(&[STANDARDISED, "train.epochs=1"]), &out, Start::Fresh, 1).unwrap();
    for name in ["best", "last"] {
        let model = load(&out.join(name)).unwrap();
        for (index, session) in sessions().iter().enumerate() {
            let found = model.count_statistics(index).unwrap().unwrap();
            let counts = session.dense(&session.trials_in(Split::Train));
            for unit in 0..16 {
                let own: Vec<f64> = counts.iter().skip(unit).step_by(16).map(|y| f64::from(*y)).collect();
                let mean = own.iter().sum::<f64>() / own.len() as f64;
                let variance = own.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / own.len() as f64;
                assert!((f64::from(found.mean[unit]) - mean).abs() < 1e-6);
                assert!((f64::from(found.deviation[unit]) - variance.sqrt()).abs() < 1e-6);
            }
        }
    }
    let parameters = RunFolder::open(&out).unwrap().info().unwrap().parameters;
    run(&config(&["train.epochs=1"]), &root.path().join("counts"), Start::Fresh, 1).unwrap();
    let of_counts = RunFolder::open(&root.path().join("counts")).unwrap().info().unwrap().parameters;
    assert_eq!(parameters, of_counts, "means and deviations are no parameters");
    assert_eq!(load(&root.path().join("counts/last")).unwrap().count_statistics(0).unwrap(), None);
}

#[test]
fn a_standardised_model_whose_means_are_missing_or_wrong_is_refused_by_file_and_name() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    run(&config(&[STANDARDISED, "train.epochs=1"]), &out, Start::Fresh, 1).unwrap();
    let path = out.join("best/model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let refused = |change: fn(&str, &mut Vec<u8>) -> bool| {
        let tensors = SafeTensors::deserialize(&whole).unwrap();
        let kept = tensors.iter().filter_map(|(name, view)| {
            let mut data = view.data().to_vec();
            change(name, &mut data).then(|| (name.to_owned(), view.shape().to_vec(), data))
        });
        let kept: Vec<(String, Vec<usize>, Vec<u8>)> = kept.collect();
        let views = kept.iter().map(|(name, shape, data)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let Err(error) = load(&out.join("best")) else { panic!("it is read") };
        error.to_string()
    };
    for error in [
        refused(|name, _| !name.starts_with("count_statistics.")),
        refused(|name, _| !name.ends_with(".deviation")),
    ] {
        for words in
            ["best/model.safetensors: count_statistics.", " is missing", "model.input", "config.json"]
        {
            assert!(error.contains(words), "{error}");
        }
    }
    let error = refused(|name, data| {
        if name.ends_with(".deviation") {
            data[..4].fill(0);
        }
        true
    });
    assert!(error.contains("best/model.safetensors: session ") && error.contains("0 or less"), "{error}");
}

/// Trains for 40 epochs and checks that every scheme's score beats that of an untrained model by `margin` bits/spike.
fn assert_learns(settings: &[&str], schemes: &[&str], margin: f64) {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let common = [
        "train.epochs=40",
        "train.learning_rate=3e-3",
        "train.validate_every=20",
        "model.hidden=32",
        "model.ndt1-stitch.channels=32",
        "model.dropout=0.1",
    ];
    let settings = [&common, settings].concat();
    let device = Box::new(CpuDevice::new(2).unwrap());
    train(&config(&settings), &simulated(300), &[], &out, Start::Fresh, device, &mut ()).unwrap();
    let metrics = RunFolder::open(&out).unwrap().metrics().unwrap();
    let validated: Vec<u64> = metrics.iter().filter(|r| r.score.is_some()).map(|r| r.epoch).collect();
    assert_eq!(validated, [20, 40]);
    // What an untrained model scores: one step at no learning rate to speak of.
    let untrained = root.path().join("untrained");
    let settings = [&settings[3..], &["train.epochs=1", "train.learning_rate=1e-12"]].concat();
    let device = Box::new(CpuDevice::new(2).unwrap());
    train(&config(&settings), &simulated(300), &[], &untrained, Start::Fresh, device, &mut ()).unwrap();
    let before = RunFolder::open(&untrained).unwrap().metrics().unwrap();
    for (eid, after) in &metrics[39].validation {
        let names: Vec<&str> = after.keys().map(String::as_str).collect();
        assert_eq!(names, schemes);
        for (scheme, scores) in after {
            let before = before[0].validation[eid][scheme].bps_pooled.unwrap();
            let after = scores.bps_pooled.unwrap();
            assert!(after > before + margin, "{eid} {scheme}: {before} and then {after}");
        }
    }
}

const MULTI_TASK: [&str; 4] = ["causal", "inter-region", "intra-region", "neuron"];

#[test]
fn training_improves_the_scores_of_trials_it_never_saw_under_every_scheme() {
    assert_learns(&[], &MULTI_TASK, 0.1);
    assert_learns(&[STANDARDISED], &MULTI_TASK, 0.1);
}

#[test]
fn training_improves_the_scores_of_ndt2_too() {
    assert_learns(&NDT2, &MULTI_TASK, 0.1);
    assert_learns(&[&NDT2[..], &["mask.scheme=random-token"]].concat(), &["random-token"], 0.1);
}

#[test]
fn rates_start_at_each_units_mean_unless_asked_otherwise() {
    let root = tempfile::tempdir().unwrap();
    let first_loss = |architecture: &str, start: &str| {
        let out = root.path().join(format!("{architecture}-{start}"));
        let architecture = format!("model.architecture={architecture}");
        let start = format!("init.output_bias={start}");
        let settings = ["train.epochs=1", "train.learning_rate=1e-9", &architecture, &start];
        run(&config(&settings), &out, Start::Fresh, 1).unwrap();
        RunFolder::open(&out).unwrap().metrics().unwrap()[0].loss
    };
    for architecture in ["ndt1-stitch", "ndt2"] {
        let (rate, zero) = (first_loss(architecture, "rate"), first_loss(architecture, "zero"));
        assert!(rate < zero - 0.3, "{architecture}: {rate} and {zero}");
    }
}

#[test]
fn early_stopping_stops_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    // A learning rate this small makes no second improvement that a score would show for long.
    let settings = ["train.epochs=200", "train.learning_rate=1e-12", "train.patience=2"];
    let summary = run(&config(&settings), &out, Start::Fresh, 1).unwrap();
    assert!(summary.stopped_early && summary.epochs < 200, "{summary:?}");
    assert_eq!(RunFolder::open(&out).unwrap().metrics().unwrap().len() as u64, summary.epochs);
}

#[test]
fn the_last_model_is_the_best_where_no_score_is_asked_to_choose() {
    const LAST: &str = "train.select=last";
    let root = tempfile::tempdir().unwrap();
    let (out, scored) = (root.path().join("last"), root.path().join("scored"));
    // Steps this long lose what was learned: a score chooses an earlier model.
    let settings = ["train.learning_rate=0.3", "train.epochs=6"];
    let summary = run(&config(&[LAST, settings[0], settings[1]]), &out, Start::Fresh, 1).unwrap();
    let (best, _) = run(&config(&settings), &scored, Start::Fresh, 1).unwrap().best.unwrap();
    assert!(best < 6 && summary.best.is_none(), "{best}, {summary:?}");
    let read = |file: &str| std::fs::read(out.join(file)).unwrap();
    assert!(read("best/model.safetensors") == read("last/model.safetensors"));
    assert_eq!(Checkpoint::open(&out.join("best")).unwrap().config.score, None);
    let [last, scored] = [&out, &scored].map(|run| RunFolder::open(run).unwrap().metrics().unwrap());
    for (last, scored) in last.iter().zip(&scored) {
        assert_eq!(last.validation, scored.validation, "recorded all the same");
        assert_eq!((last.score, scored.score.is_some()), (None, true));
    }
    assert_eq!(late_rise(&last), None);
    assert_resumable(&[LAST], |steps| vec![steps / 4 + 1, steps]);
    let settings = [LAST, "train.patience=3"].map(str::to_owned);
    let error = RunConfig::load(None, &settings).unwrap_err().to_string();
    assert!(error.starts_with("setting train.patience: with train.select=last"), "{error}");
}

#[test]
fn a_run_is_not_overwritten_and_is_resumed_only_as_it_was_started() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let error = |result: Result<Summary, TrainError>| result.unwrap_err().to_string();
    assert!(error(run(&config(&[]), &out, Start::Resume, 1)).contains("no run here"));
    run(&config(&["train.epochs=1"]), &out, Start::Fresh, 1).unwrap();
    assert!(error(run(&config(&["train.epochs=1"]), &out, Start::Fresh, 1)).contains("add --resume"));
    let changed = error(run(&config(&["train.epochs=2"]), &out, Start::Resume, 1));
    assert!(
        changed.contains("cannot become one of 2") && changed.contains("neuroglot finetune"),
        "{changed}"
    );
    let one = sessions()[..1].to_vec();
    let config = config(&["train.epochs=1"]);
    let resumed = |sessions: &[Session]| {
        let device = Box::new(CpuDevice::new(1).unwrap());
        train(&config, sessions, &[PathBuf::from("a")], &out, Start::Resume, device, &mut ())
    };
    assert!(error(resumed(&one)).contains("started with 2 sessions, and 1 are given"));
    // The same trials, but a test trial and a training trial have changed places.
    let mut moved = sessions();
    let mut splits = moved[1].splits().to_vec();
    let test = moved[1].trials_in(Split::Test)[0];
    let training = moved[1].trials_in(Split::Train)[0];
    splits.swap(test, training);
    moved[1] = with_splits(&moved[1], splits);
    let refused = error(resumed(&moved));
    assert!(refused.contains(moved[1].eid()) && refused.contains("splits"), "{refused}");
    resumed(&sessions()).unwrap();
}

#[test]
fn a_checkpoint_says_which_trials_it_has_seen() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    run(&config(&["train.epochs=1", "data.trials=10"]), &out, Start::Fresh, 1).unwrap();
    for name in ["best", "last"] {
        let checkpoint = Checkpoint::open(&out.join(name)).unwrap();
        for (known, session) in checkpoint.config.sessions.iter().zip(sessions()) {
            let trials = known.trials.as_ref().unwrap();
            let units: Vec<usize> = (0..16).collect();
            let of = |split| {
                let trials = session.trials_in(split);
                TrialFingerprint::of_trials(&session, &trials, &units).into_iter().collect::<BTreeSet<_>>()
            };
            assert_eq!(trials.validation.iter().copied().collect::<BTreeSet<_>>(), of(Split::Validation));
            let training: BTreeSet<_> = trials.training.iter().copied().collect();
            assert!(training.len() == 10 && training.is_subset(&of(Split::Train)), "ten of 42");
            let unseen: BTreeSet<_> = trials.unseen.iter().copied().collect();
            assert!(unseen.len() == 44 && unseen.is_superset(&of(Split::Test)), "12 test, 32 not used");
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_an_error_that_names_the_file() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    run(&config(&["train.epochs=2"]), &out, Start::Fresh, 1).unwrap();
    for name in ["model.safetensors", "optimiser.safetensors", "progress.json", "config.json"] {
        let path = out.join("last").join(name);
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 5, whole.len() / 2, whole.len() - 2] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let error = run(&config(&["train.epochs=2"]), &out, Start::Resume, 1).unwrap_err().to_string();
            assert!(error.contains(name), "{name} cut to {len}: {error}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    run(&config(&["train.epochs=2"]), &out, Start::Resume, 1).unwrap();
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let config = config(&["train.learning_rate=1e30", "train.epochs=50"]);
    let error = run(&config, &out, Start::Fresh, 1).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("lower train.learning_rate"));
}
