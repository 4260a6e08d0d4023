//! A run that is killed, at whatever moment, goes on as if it had not been.
#![cfg(unix)]

mod common;

use common::{SMALL, Workplace, assert_same_run};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const EPOCHS: usize = 60;

/// Lines of `metrics.jsonl`, one per epoch.
fn epochs(run: &Path) -> usize {
    std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

#[test]
fn a_killed_run_ends_with_the_bytes_of_an_unbroken_one() {
    let workplace = Workplace::with_sessions();
    let sessions = "data/simulated-1-00_aligned data/simulated-1-01_aligned";
    let settings = format!("--epochs {EPOCHS} --set train.checkpoint_seconds=0 {SMALL}");
    workplace.succeed(&format!("--quiet train {sessions} --out whole {settings}"));

    let run = workplace.path("broken");
    let mut kills = 0;
    // Wait for an epoch, then for a moment: a step, a validation, a file being written, a folder being renamed.
    let moments = [(0, 0), (1, 0), (4, 3), (9, 1), (15, 7), (21, 2), (28, 11), (35, 5), (42, 4)];
    for (epoch, milliseconds) in moments {
        let begun = run.join("config.toml").exists();
        let arguments = if begun && run.join("run.json").exists() {
            "--quiet train --resume --out broken".to_owned()
        } else if begun {
            format!("--quiet train {sessions} --resume --out broken")
        } else {
            format!("--quiet train {sessions} --out broken {settings}")
        };
        let mut command = workplace.command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(120);
        while epochs(&run) < epoch && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience, "epoch {epoch} does not come");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        // A status without a code: a signal ended it.
        kills += usize::from(child.wait().unwrap().code().is_none());
    }
    assert!(kills >= 5, "only {kills} kills came before the end: train longer");
    if run.join("config.toml").exists() {
        workplace.succeed(&format!("--quiet train {sessions} --resume --out broken"));
    }
    assert_same_run(&workplace.path("whole"), &run);
    assert_eq!(epochs(&run), EPOCHS);
}

#[test]
fn the_time_of_all_resumptions_counts() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("--quiet train data/simulated-1-00_aligned --out run --epochs 8 {SMALL}"));
    let first = workplace.succeed_json("train --resume --out run --json")["seconds"].as_f64().unwrap();
    let second = workplace.succeed_json("train --resume --out run --json")["seconds"].as_f64().unwrap();
    assert!(second > first, "{second} s after {first} s");
}
