//! Training, preparing and evaluating are killed at random moments and started again, until they end as if they had never
//! been killed.
//!
//! `NEUROGLOT_KILLS` says how many kills there are in all, `NEUROGLOT_KILLS_SEED` which moments.
#![cfg(unix)]

mod common;

use common::{SMALL, Workplace, files};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const SESSIONS: &str = "data/simulated-1-00_aligned data/simulated-1-01_aligned";

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a whole number"))
}

/// Moments that are spread over what a command does (SplitMix64).
struct Moments(u64);

impl Moments {
    /// From 0 to less than `longest`.
    fn next(&mut self, longest: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        longest.mul_f64((bits >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// Something that can be killed and started again.
struct Work<'a> {
    workplace: &'a Workplace,
    title: &'a str,
    /// What is made.
    out: &'a str,
    /// The command that goes on, or begins.
    command: &'a dyn Fn() -> String,
}

impl Work<'_> {
    /// Kills it so many times, in as many rounds as that takes; each round ends like the one that was never killed.
    fn kill(&self, kills: u64, moments: &mut Moments) {
        let started = Instant::now();
        self.workplace.succeed(&(self.command)());
        let (whole, longest) = (self.content(), started.elapsed());
        let (mut killed, mut rounds) = (0, 0);
        while killed < kills {
            self.remove();
            rounds += 1;
            loop {
                let arguments = (self.command)();
                let mut command = self.workplace.command(&arguments);
                let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
                if killed < kills {
                    std::thread::sleep(moments.next(longest));
                    let _ = child.kill();
                }
                let output = child.wait_with_output().unwrap();
                if output.status.success() {
                    break;
                }
                // A status without a code: a signal ended it.
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), None, "{arguments} after {killed} kills: {said}");
                killed += 1;
            }
            let found = self.content();
            let names = |files: &[(PathBuf, Vec<u8>)]| {
                files.iter().map(|(path, _)| path.display().to_string()).collect::<Vec<_>>()
            };
            assert_eq!(names(&found), names(&whole), "{} after {killed} kills", self.title);
            assert!(found == whole, "{} after {killed} kills: other bytes", self.title);
        }
        println!("{:12} {killed} kills in {rounds} rounds, each as one that was never killed", self.title);
    }

    fn path(&self) -> PathBuf {
        self.workplace.path(self.out)
    }

    fn content(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.path())
    }

    fn remove(&self) {
        let _ = std::fs::remove_dir_all(self.path());
    }
}

fn is_there(path: &Path) -> bool {
    path.join("config.toml").exists()
}

#[test]
fn killed_at_random_moments_and_unbroken_in_the_end() {
    let (kills, seed) = (number("NEUROGLOT_KILLS", 24), number("NEUROGLOT_KILLS_SEED", 1));
    let mut moments = Moments(seed);
    let workplace = Workplace::with_recordings();
    workplace.succeed("simulate data --sessions 2 --units 12 --trials 40 --bins 20 --seed 1");

    // Run folders have paths of their own sessions in them, so all are made under one name.
    let train = || {
        if is_there(&workplace.path("run")) {
            "--quiet train --resume --out run".to_owned()
        } else {
            format!("--quiet train {SESSIONS} --out run --epochs 12 --set train.checkpoint_seconds=0 {SMALL}")
        }
    };
    let training = Work { workplace: &workplace, title: "training", out: "run", command: &train };
    training.kill(kills.div_ceil(3), &mut moments);

    let prepare = || {
        "--quiet prepare ONE/lab/Subjects/NG_001/2024-03-01/001 recording.nwb session.h5 --out sessions --jobs 2".to_owned()
    };
    let preparing = Work { workplace: &workplace, title: "preparing", out: "sessions", command: &prepare };
    preparing.kill(kills.div_ceil(3), &mut moments);

    let evaluate = || "--quiet evaluate run --tasks co-smoothing,forward,wheel-speed".to_owned();
    let evaluating =
        Work { workplace: &workplace, title: "evaluating", out: "run/evaluation", command: &evaluate };
    evaluating.kill(kills.div_ceil(3), &mut moments);
    let rest: Vec<_> = files(&workplace.path("run")).into_iter().map(|(path, _)| path).collect();
    assert!(rest.iter().all(|path| !path.to_string_lossy().contains("/.")), "nothing is left: {rest:?}");
}
