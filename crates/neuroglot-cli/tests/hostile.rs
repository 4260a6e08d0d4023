//! What never ends, what would take too long, and what has nothing to score: an answer at once, and in words.

mod common;

use common::{SMALL, Workplace};
use neuroglot::data::{Session, SessionParts, SpikeCountsBuilder, Split};
use std::collections::BTreeMap;

#[cfg(target_os = "linux")]
#[test]
fn a_device_in_place_of_a_file_is_told_as_such() {
    use std::{fs, os::unix::fs::symlink};
    let place = Workplace::with_sessions();
    let session = fs::read_dir(place.path("data")).unwrap().next().unwrap().unwrap().path();
    let session = format!("data/{}", session.file_name().unwrap().to_str().unwrap());
    place.succeed(&format!("train {session} --out run {SMALL} --set train.epochs=1"));
    let resume = format!("train {session} --out run --resume {SMALL} --set train.epochs=1");
    for (file, command) in [
        ("run/config.toml", "evaluate run"),
        ("run/run.json", "evaluate run"),
        ("run/metrics.jsonl", "report run --out report.html"),
        ("run/best/config.json", "evaluate run"),
        ("run/best/model.safetensors", "evaluate run"),
        ("run/last/progress.json", &resume),
        ("run/last/optimiser.safetensors", &resume),
        ("study.toml", "study study.toml --out study"),
        ("settings.toml", &format!("train {session} --out other --config settings.toml")),
        ("recording.toml", "prepare recording.toml --out prepared"),
        ("options.toml", "prepare recording.nwb --config options.toml --out prepared"),
        ("list", "prepare --sources list --out prepared"),
    ] {
        let path = place.path(file);
        let kept = path.exists().then(|| fs::read(&path).unwrap());
        let _ = fs::remove_file(&path);
        symlink("/dev/zero", &path).unwrap();
        // Two GB of address space: what reads on and on fails otherwise, and slowly.
        let output = place.script(&format!("ulimit -v 2000000; timeout 60 \"$NEUROGLOT\" {command}"));
        let words =
            ["it is a device, not a file", "is longer than", "no run here", "there is no checkpoint `best`"];
        assert!(words.iter().any(|words| output.stderr.contains(words)), "{file}: {}", output.stderr);
        assert!(matches!(output.code, Some(1 | 2)), "{file}: {:?}", output.code);
        fs::remove_file(&path).unwrap();
        if let Some(kept) = kept {
            fs::write(&path, kept).unwrap();
        }
    }
}

#[test]
fn a_share_of_more_than_can_be_is_wrong_usage() {
    let place = Workplace::new();
    for command in ["prepare x.nwb --out y", "study x.toml --out y"] {
        let output = place.run(&format!("{command} --shard 1/18446744073709551615"));
        assert!(output.stderr.contains("at most 100000"), "{}", output.stderr);
    }
    let count = "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=18446744073709551615";
    let output = place.script(&format!("{count} \"$NEUROGLOT\" prepare x.nwb --out y"));
    assert!(output.stderr.contains("at most 100000"), "{}", output.stderr);
}

#[test]
fn attention_over_very_many_bins_is_not_begun() {
    let place = Workplace::new();
    place.succeed("simulate data --sessions 1 --units 2 --trials 10 --bins 70000 --seed 1");
    let begun = std::time::Instant::now();
    let output = place.run(&format!("train data/simulated-1-00_aligned --out run {SMALL}"));
    assert!(output.stderr.contains("trials of 70000 bins are 70002 tokens"), "{}", output.stderr);
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("operations") && output.stderr.contains("GB"), "{}", output.stderr);
    assert!(begun.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn validation_trials_without_spikes_are_not_told_as_absent() {
    let place = Workplace::with_sessions();
    let session = Session::read(place.path("data/simulated-1-00_aligned")).unwrap();
    let mut counts = SpikeCountsBuilder::new(session.bins(), session.units().len());
    let mut dense = vec![0.0; session.bins() * session.units().len()];
    for (trial, split) in session.splits().iter().enumerate() {
        session.write_dense(trial, &mut dense);
        let is_silent = *split == Split::Validation;
        let values: Vec<u32> = dense.iter().map(|count| if is_silent { 0 } else { *count as u32 }).collect();
        counts.push_dense(&values);
    }
    let parts = SessionParts {
        eid: "silent".into(),
        counts: counts.finish(),
        behaviours: BTreeMap::new(),
        true_rates: None,
        ..session.into_parts()
    };
    Session::new(parts).unwrap().write(place.path("silent"), false).unwrap();
    let output = place.succeed(&format!("train silent --out run {SMALL} --set train.epochs=2"));
    assert!(output.contains("the 4 validation trials have no spike to score"), "{output}");
    place.succeed("report run --out report.html");
    let page = std::fs::read_to_string(place.path("report.html")).unwrap();
    assert!(page.contains("nothing in the validation trials can be scored"));
}
