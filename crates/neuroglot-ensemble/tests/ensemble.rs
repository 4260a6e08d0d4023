//! Ensembles of small networks and couplings, trained, kept and asked.

use neuroglot_data::{Session, SimulatorConfig, Split};
use neuroglot_engine::{CpuDevice, Device};
use neuroglot_ensemble::{Ensemble, EnsembleError, EnsembleObserver, train_ensemble};
use neuroglot_masks::{Holdout, Regions, Scheme};
use neuroglot_tasks::{Task, Trials};
use neuroglot_train::{EpochRecord, ModelFolder, Observer, RunConfig, RunFolder, Start, TrainError};
use std::path::Path;

/// Two sessions of 12 units in three regions.
fn sessions() -> Vec<Session> {
    let simulator = SimulatorConfig {
        sessions: 2,
        units: 12,
        trials: 60,
        bins: 20,
        bin_seconds: 0.1,
        regions: ["VISa", "CA1", "PO"].map(String::from).into(),
        seed: 3,
    };
    simulator.simulate().unwrap()
}

fn config(settings: &[&str]) -> RunConfig {
    let small = ["model.hidden=16", "model.layers=1", "model.heads=2", "model.ndt1-stitch.channels=8"];
    let course = ["train.epochs=2", "train.learning_rate=1e-3", "coupling.penalties=[1.0, 0.25]"];
    let settings = small.iter().chain(&course).chain(settings);
    RunConfig::load(None, &settings.map(|setting| (*setting).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn device() -> Result<Box<dyn Device>, EnsembleError> {
    Ok(Box::new(CpuDevice::new(1).unwrap()))
}

fn trained(settings: &[&str], out: &Path, start: Start) -> Result<(), EnsembleError> {
    train_ensemble(&config(settings), &sessions(), &[], out, start, &mut || device().map(Into::into), &mut ())
        .map(|_| ())
}

fn opened(run: &Path) -> Ensemble {
    let folder = ModelFolder::open(run, RunFolder::BEST).unwrap();
    Ensemble::open(&folder, device().unwrap()).unwrap().0
}

fn test_trials(session: &Session) -> (Trials, Regions) {
    let regions = Regions::new(session.units().iter().map(|unit| unit.region.as_str()));
    (Trials::of(session, session.trials_in(Split::Test)), regions)
}

/// Log-rates of a task in the second session, with those of its parts.
fn of_task(ensemble: &mut Ensemble, task: Task) -> (Vec<f32>, Option<[Vec<f32>; 2]>) {
    let (trials, regions) = test_trials(&sessions()[1]);
    let found = ensemble.about(1).of_task(task, &trials, &regions, &mut |_, _| ()).unwrap();
    (found.average, found.alone)
}

/// Largest difference of numbers where the second are any.
fn farthest(found: &[f32], expected: impl Iterator<Item = f64>) -> f64 {
    let differences =
        found.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
    differences.fold(0.0, f64::max)
}

#[test]
fn rates_of_networks_are_averaged() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    trained(&["train.members=3"], &run, Start::Fresh).unwrap();
    let each: Vec<Vec<f32>> = [run.clone(), run.join("members/2"), run.join("members/3")]
        .iter()
        .enumerate()
        .map(|(index, folder)| {
            // The best checkpoint of the run itself holds all of them, its last one the first network alone.
            let name = if index == 0 { RunFolder::LAST } else { RunFolder::BEST };
            let folder = ModelFolder::open(folder, name).unwrap();
            of_task(&mut Ensemble::open(&folder, device().unwrap()).unwrap().0, Task::CoSmoothing).0
        })
        .collect();
    assert!(each[0] != each[1] && each[1] != each[2]);
    let (found, alone) = of_task(&mut opened(&run), Task::CoSmoothing);
    let mean = |entry: usize| {
        let rates = each.iter().map(|log_rates| f64::from(log_rates[entry]).exp());
        (rates.sum::<f64>() / 3.0).ln()
    };
    assert!(farthest(&found, (0..found.len()).map(mean)) < 1e-6);
    assert!(alone.is_none());
}

#[test]
fn log_rates_of_network_and_coupling_are_averaged() {
    let root = tempfile::tempdir().unwrap();
    let [run, plain] = ["run", "plain"].map(|name| root.path().join(name));
    trained(&["coupling.weight=0.25"], &run, Start::Fresh).unwrap();
    trained(&[], &plain, Start::Fresh).unwrap();
    let most: Vec<f64> = {
        let session = &sessions()[1];
        let counts = session.dense(&session.trials_in(Split::Train));
        let largest = |unit: usize| counts.iter().skip(unit).step_by(12).fold(1.0f32, |a, b| a.max(*b));
        (0..12).map(|unit| f64::from(largest(unit)).ln()).collect()
    };
    let (mut ensemble, mut network) = (opened(&run), opened(&plain));
    for task in Task::ALL {
        let (found, alone) = of_task(&mut ensemble, task);
        let [networks, coupling] = alone.unwrap();
        // The coupling changes nothing about the network.
        assert_eq!(networks, of_task(&mut network, task).0);
        let (trials, regions) = test_trials(&sessions()[1]);
        let scored = task.scored(&regions, trials.bins);
        for (entry, found) in found.iter().enumerate() {
            let (bin, unit) = (entry / 12 % trials.bins, entry % 12);
            if scored.bins.contains(&bin) && scored.units.contains(&unit) {
                let average = 0.75 * f64::from(networks[entry]) + 0.25 * f64::from(coupling[entry]);
                assert!((f64::from(*found) - average.min(most[unit])).abs() < 1e-5);
            }
        }
    }
    // What is asked by hand is what the task asks.
    let (trials, _) = test_trials(&sessions()[1]);
    let mut hidden = Holdout::nothing(1, trials.bins, trials.units);
    hidden.hide_units(|unit| unit == 4);
    let by_hand = ensemble.about(1).under(&hidden, Scheme::Neuron, &trials, &[4]).unwrap();
    let (of_task, _) = of_task(&mut ensemble, Task::CoSmoothing);
    let of_unit = |log_rates: &[f32]| log_rates.iter().skip(4).step_by(12).copied().collect::<Vec<f32>>();
    assert!(farthest(&of_unit(&by_hand), of_unit(&of_task).into_iter().map(f64::from)) < 1e-5);
}

/// Stops a run in the middle of an epoch of its second network, or before its couplings.
struct StopAt(&'static str);

impl Observer for StopAt {
    fn epoch(&mut self, _: &EpochRecord) {
        assert_ne!(self.0, "second epoch", "stopped");
    }
}

impl EnsembleObserver for StopAt {
    fn network(&mut self, _: usize, _: usize) {
        assert_ne!(self.0, "network", "stopped");
        self.0 = if self.0 == "second network" { "second epoch" } else { self.0 };
    }

    fn coupling(&mut self, _: &str, task: Task, _: usize, _: usize) {
        assert!(self.0 != "coupling" || task == Task::CoSmoothing, "stopped");
    }
}

#[test]
fn a_run_that_is_stopped_anywhere_ends_in_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let settings = ["train.members=2", "coupling.weight=0.5"];
    let whole = root.path().join("whole");
    trained(&settings, &whole, Start::Fresh).unwrap();
    let files = ["model.safetensors", "member-2.safetensors", "coupling.safetensors", "config.json"];
    let bytes = |run: &Path| files.map(|name| std::fs::read(run.join("best").join(name)).unwrap());
    for place in ["network", "second network", "coupling"] {
        let run = root.path().join(place);
        let stopped = std::panic::catch_unwind(|| {
            let mut observer = StopAt(place);
            train_ensemble(
                &config(&settings),
                &sessions(),
                &[],
                &run,
                Start::Fresh,
                &mut || device().map(Into::into),
                &mut observer,
            )
        });
        assert!(stopped.is_err(), "{place}");
        assert!(!RunFolder::open(&run).unwrap().is_complete().unwrap());
        trained(&settings, &run, Start::Resume).unwrap();
        assert!(bytes(&run) == bytes(&whole), "{place}");
    }
    // Nothing is left to do.
    trained(&settings, &whole, Start::Resume).unwrap();
}

#[test]
fn a_copy_of_the_checkpoint_is_enough_and_a_part_of_it_is_not() {
    let root = tempfile::tempdir().unwrap();
    let [run, copy] = ["run", "copy"].map(|name| root.path().join(name));
    trained(&["train.members=2", "coupling.weight=0.5"], &run, Start::Fresh).unwrap();
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(run.join("best")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let of_copy = of_task(&mut opened(&copy), Task::Forward);
    assert!(of_copy == of_task(&mut opened(&run), Task::Forward));
    let refused = |name: &str| {
        let folder = ModelFolder::open(&copy, RunFolder::BEST).unwrap();
        let problem = Ensemble::open(&folder, device().unwrap()).err().unwrap().to_string();
        assert!(problem.contains(name), "{problem}");
    };
    for name in ["coupling.safetensors", "member-2.safetensors"] {
        let path = copy.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        refused(name);
        std::fs::write(&path, &bytes[..bytes.len() / 3]).unwrap();
        refused(name);
        std::fs::remove_file(&path).unwrap();
        refused(name);
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
    }
    opened(&copy);
}

#[test]
fn members_of_few_trials_are_refused() {
    let settings = ["train.members=2", "data.trials=10"].map(String::from);
    let error = RunConfig::load(None, &settings).unwrap_err();
    assert!(matches!(error, TrainError::Setting { key, .. } if key == "train.members"));
}

#[test]
fn fresh_members_beside_a_fine_tuned_network_are_those_of_runs_from_scratch() {
    let root = tempfile::tempdir().unwrap();
    let place = |name: &str| root.path().join(name);
    trained(&["seed=5"], &place("base"), Start::Fresh).unwrap();
    let from = format!("init.from={}", place("base").display());
    let tuned = ["seed=7", "train.members=2", &from, "init.fresh_members=true", "coupling.weight=0.5"];
    trained(&tuned, &place("tuned"), Start::Fresh).unwrap();
    trained(&["seed=7"], &place("seventh"), Start::Fresh).unwrap();
    trained(&["seed=8"], &place("eighth"), Start::Fresh).unwrap();
    let weights = |run: &str| std::fs::read(place(run).join("best/model.safetensors")).unwrap();
    assert_eq!(weights("tuned/members/2"), weights("eighth"));
    assert_ne!(weights("tuned"), weights("seventh"), "the first network is fine-tuned");
    opened(&place("tuned"));
    assert!(place("tuned").join("best/member-2.safetensors").is_file());
    for settings in
        [vec!["init.fresh_members=true", "train.members=2"], vec!["init.fresh_members=true", &from]]
    {
        let settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
        let error = RunConfig::load(None, &settings).unwrap_err();
        assert!(matches!(error, TrainError::Setting { key, .. } if key == "init.fresh_members"));
    }
}
