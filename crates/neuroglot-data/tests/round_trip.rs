//! What is written comes back, here and in Python.

use std::collections::BTreeMap;
use std::process::Command;

use neuroglot_data::{
    Behaviour, DataError, Session, SessionParts, SimulatorConfig, SpikeCountsBuilder, Split, Unit,
};

fn simulated() -> Session {
    let config =
        SimulatorConfig { sessions: 1, trials: 90, units: 20, bins: 12, ..SimulatorConfig::default() };
    config.simulate().unwrap().remove(0)
}

/// Files group trials by split; the session in that order.
fn grouped(session: &Session) -> Session {
    session.select_trials(&Split::ALL.map(|split| session.trials_in(split)).concat()).unwrap()
}

#[test]
fn a_simulated_session_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/simulated_aligned");
    let session = simulated();
    session.write(&path, false).unwrap();
    assert_eq!(Session::read(&path).unwrap(), grouped(&session));
    // Nothing temporary stays.
    let names: Vec<_> =
        path.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["simulated_aligned"]);
}

#[test]
fn large_counts_missing_values_and_an_empty_split_come_back() {
    let mut counts = SpikeCountsBuilder::new(2, 2);
    counts.push_dense(&[70_000, 0, 0, 300]);
    counts.push_dense(&[0, 1, 0, 0]);
    let unit = |uuid: &str, depth, channel, good| Unit {
        uuid: uuid.into(),
        region: "CA1".into(),
        depth,
        channel,
        good,
    };
    let session = Session::new(SessionParts {
        eid: "example".into(),
        subject: "Mäuschen".into(),
        lab: "lab".into(),
        bin_seconds: 0.02,
        units: vec![unit("a", Some(1.5), None, None), unit("b", None, Some(-1), Some(false))],
        splits: vec![Split::Train, Split::Test],
        counts: counts.finish(),
        behaviours: BTreeMap::from([
            ("choice".into(), Behaviour::PerTrial(vec![f64::NAN, 1.0])),
            ("pupil-diameter".into(), Behaviour::PerBin(vec![f64::NAN, 2.5, f64::INFINITY, -0.0])),
        ]),
        true_rates: None,
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example");
    session.write(&path, false).unwrap();
    assert_eq!(Session::read(&path).unwrap(), session);
}

#[test]
fn the_times_of_trials_are_kept() {
    let session = simulated();
    let starts: Vec<f64> = (0..session.trials()).map(|trial| 3.25 * trial as f64 - 0.5).collect();
    let session = session.with_window_starts(starts).unwrap();
    let folder = tempfile::tempdir().unwrap();
    session.write(folder.path().join("session"), false).unwrap();
    let read = Session::read(folder.path().join("session")).unwrap();
    assert_eq!(read, grouped(&session));
    assert!(read.window_starts().is_some() && !read.behaviours().contains_key("trial_window"));
}

#[test]
fn a_folder_is_replaced_only_when_asked_and_only_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let session = simulated();
    session.write(&path, false).unwrap();
    assert!(matches!(session.write(&path, false), Err(DataError::Exists { .. })));
    let part = session.select_units(&[0, 5]).unwrap();
    part.write(&path, true).unwrap();
    assert_eq!(Session::read(&path).unwrap(), grouped(&part));

    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "years of work").unwrap();
    assert!(matches!(session.write(&other, true), Err(DataError::NotASession { .. })));
    assert!(other.join("thesis.tex").exists());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(session.write(file.join("session"), false).is_err());
}

#[test]
fn a_behaviour_cannot_take_the_name_of_another_column() {
    let mut counts = SpikeCountsBuilder::new(1, 1);
    counts.push_dense(&[1]);
    let session = Session::new(SessionParts {
        eid: "example".into(),
        subject: String::new(),
        lab: String::new(),
        bin_seconds: 0.02,
        units: vec![Unit { uuid: "a".into(), region: "CA1".into(), depth: None, channel: None, good: None }],
        splits: vec![Split::Train],
        counts: counts.finish(),
        behaviours: BTreeMap::from([("binsize".into(), Behaviour::PerTrial(vec![1.0]))]),
        true_rates: None,
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = session.write(folder.path().join("session"), false).unwrap_err();
    assert!(error.to_string().contains("behaviour binsize"), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "a failed write leaves nothing behind");
}

/// Loads a folder as users of the hub do and prints what they would see.
const PYTHON: &str = r#"
import sys
try:
    import datasets
except ImportError as error:
    print(f"no package: {error}")
    sys.exit(77)
datasets.disable_progress_bars()
splits = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])
train, row = splits["train"], splits["test"][0]
print([len(splits[name]) for name in sorted(splits) if name.startswith(("train", "val", "test"))])
print(sum(sum(counts) for name in splits for counts in splits[name]["spikes_sparse_data"]))
print(row["spikes_sparse_shape"], len(row["simulated_rates"]), row["choice"], row["cluster_regions"][0])
print([type(train.features[name].feature).__name__ + ":" + train.features[name].feature.dtype
       for name in ("spikes_sparse_data", "choice", "simulated_rates", "cluster_regions")])
print(",".join(train.column_names))
"#;

#[test]
fn python_datasets_loads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("simulated_aligned");
    let session = simulated();
    session.write(&path, false).unwrap();
    let python = std::env::var("NEUROGLOT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let cache = folder.path().join("cache");
    let run =
        Command::new(&python).arg("-c").arg(PYTHON).args([&path, &cache]).env("HF_HUB_OFFLINE", "1").output();
    let run = match run {
        Ok(run) => run,
        Err(error) => return eprintln!("skipped: {python} cannot be run ({error}); set NEUROGLOT_PYTHON"),
    };
    let printed = String::from_utf8_lossy(&run.stdout);
    if run.status.code() == Some(77) {
        return eprintln!("skipped: {python} has {printed}");
    }
    assert!(run.status.success(), "{printed}{}", String::from_utf8_lossy(&run.stderr));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "[18, 63, 9]");
    assert_eq!(lines[1], session.counts().total().to_string());
    let choice = session.behaviour_per_trial("choice").unwrap()[session.trials_in(Split::Test)[0]];
    assert_eq!(lines[2], format!("[12, 20] 240 [{choice:.1}] VISa"));
    assert_eq!(lines[3], "['Value:int64', 'Value:float64', 'Value:float32', 'Value:string']");
    assert_eq!(
        lines[4],
        "spikes_sparse_data,spikes_sparse_indices,spikes_sparse_indptr,spikes_sparse_shape,block,choice,contrast-left,\
         contrast-right,reward,wheel-speed,whisker-motion-energy,binsize,interval_len,eid,probe_name,subject,lab,\
         sampling_freq,cluster_regions,cluster_channels,cluster_depths,good_clusters,cluster_uuids,simulated_rates,\
         simulated_rates_given_latents,simulated_rates_given_past"
    );
}
