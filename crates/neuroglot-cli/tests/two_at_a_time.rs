//! Two processes at a time on the output of every command: one of them makes it whole, the other one says who does.
//!
//! `NEUROGLOT_TRIES` says how often each pair is tried.
#![cfg(unix)]

mod common;

use common::{FIRST, SMALL, Workplace, files};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const BOTH: &str = "data/simulated-1-00_aligned data/simulated-1-01_aligned";

/// What the one that comes second may say.
const REFUSALS: [&str; 5] = [
    "is being written by process ",
    "there is a run here already",
    "exists already",
    "was made by another process meanwhile",
    "this folder is not empty",
];

fn tries() -> usize {
    std::env::var("NEUROGLOT_TRIES").map_or(3, |tries| tries.parse().expect("NEUROGLOT_TRIES is a number"))
}

/// Two commands that write one output.
struct Race<'a> {
    workplace: &'a Workplace,
    /// What both write: a folder or a file.
    out: &'a str,
    commands: [&'a str; 2],
    /// Whether both may succeed, one after the other.
    may_both_succeed: bool,
    /// Puts back what is there before both start.
    reset: &'a dyn Fn(),
}

/// All that is in a folder, or a file, with its bytes; and nothing that is temporary.
fn content(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_dir() { files(path) } else { vec![(PathBuf::new(), std::fs::read(path).unwrap_or_default())] }
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

/// Names in a folder that are temporary, or locks.
fn temporary_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with('.')).collect()
}

impl Race<'_> {
    fn start_again(&self) {
        remove(&self.workplace.path(self.out));
        (self.reset)();
    }

    fn run(&self) {
        let out = self.workplace.path(self.out);
        let alone = self.commands.map(|command| {
            self.start_again();
            self.workplace.succeed(&format!("--quiet {command}"));
            content(&out)
        });
        let (started, mut refused) = (Instant::now(), 0);
        let tries = tries();
        for place in 0..tries {
            self.start_again();
            let outputs = self.both(place);
            let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
            let both = outputs.each_ref().map(said).join("\n---\n");
            let done = outputs.each_ref().map(|output| output.status.success());
            for (output, done) in outputs.iter().zip(done) {
                let said = said(output);
                assert!(done || output.status.code() == Some(1), "{}: {both}", self.out);
                // `prepare` tells of each source and then of all.
                let is_clear =
                    said.lines().count() <= 2 && REFUSALS.iter().any(|refusal| said.contains(refusal));
                assert!(done || is_clear, "{}: {said}", self.out);
            }
            assert!(done[0] || done[1], "{}: neither succeeds\n{both}", self.out);
            assert!(self.may_both_succeed || !(done[0] && done[1]), "{}: both succeed", self.out);
            refused += usize::from(!(done[0] && done[1]));
            let found = content(&out);
            let is_of = |one: usize| done[one] && found == alone[one];
            assert!(is_of(0) || is_of(1), "{}: the output is that of no command alone\n{both}", self.out);
            let above = out.parent().unwrap();
            assert_eq!(temporary_in(above), Vec::<String>::new(), "{}", self.out);
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{:24} {tries} tries, {refused} with one refused, {seconds:.0} s", self.out);
    }

    /// Starts both, a moment apart that differs from try to try, and waits for them.
    fn both(&self, place: usize) -> [Output; 2] {
        let start = |command: &str| {
            let mut command = self.workplace.command(&format!("--quiet {command}"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let first = start(self.commands[place % 2]);
        std::thread::sleep(Duration::from_millis((place * 7 % 40) as u64));
        let second = start(self.commands[1 - place % 2]);
        let (first, second) = (first.wait_with_output().unwrap(), second.wait_with_output().unwrap());
        if place.is_multiple_of(2) { [first, second] } else { [second, first] }
    }
}

/// Small sessions in `data`, and a run of them.
fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeed("simulate data --sessions 2 --units 8 --trials 30 --bins 8 --seed 1");
    workplace.succeed(&format!("--quiet train {BOTH} --out run --epochs 1 {SMALL}"));
    workplace
}

fn race(workplace: &Workplace, out: &str, commands: [&str; 2], may_both_succeed: bool) {
    Race { workplace, out, commands, may_both_succeed, reset: &|| {} }.run();
}

#[test]
fn sessions() {
    let workplace = Workplace::with_recordings();
    // A folder of its own, so that all that is left there shows.
    let prepare = ["prepare recording.nwb --out sessions", "prepare recording.nwb --out sessions --seed 7"];
    race(&workplace, "sessions", prepare, false);
    let overwrite = prepare.map(|command| format!("{command} --overwrite"));
    race(&workplace, "sessions", overwrite.each_ref().map(String::as_str), true);
    let simulate = ["2", "3"]
        .map(|bins| format!("simulate simulated --sessions 3 --units 6 --trials 20 --bins {bins} --seed 2"));
    race(&workplace, "simulated", simulate.each_ref().map(String::as_str), false);
}

#[test]
fn runs() {
    let workplace = workplace();
    let train = [8, 9].map(|seed| format!("train {BOTH} --out new --epochs 2 --seed {seed} {SMALL}"));
    race(&workplace, "new", train.each_ref().map(String::as_str), false);
    let finetune = [8, 9].map(|seed| format!("finetune run {FIRST} --out tuned --epochs 2 --seed {seed}"));
    race(&workplace, "tuned", finetune.each_ref().map(String::as_str), false);
    let curve =
        [2, 3].map(|steps| format!("learning-curve run {FIRST} --trials 4 --steps {steps} --out curve"));
    let [two, _] = curve.each_ref().map(String::as_str);
    race(&workplace, "curve", [two, two], true);
}

#[test]
fn a_run_that_goes_on() {
    let workplace = Workplace::new();
    workplace.succeed("simulate data --sessions 2 --units 8 --trials 30 --bins 8 --seed 1");
    // Cut off in its first moment: both go on with it, and end as one that was never cut off.
    let train = format!("train {BOTH} --out live --epochs 3 {SMALL}");
    let mut begun = workplace.command(&format!("--quiet {train}")).stderr(Stdio::null()).spawn().unwrap();
    while !workplace.path("live/config.toml").exists() {
        assert!(begun.try_wait().unwrap().is_none());
    }
    begun.kill().unwrap();
    begun.wait().unwrap();
    std::fs::rename(workplace.path("live"), workplace.path("begun")).unwrap();
    let reset = || common::copy(&workplace.path("begun"), &workplace.path("live"));
    let commands = ["train --resume --out live"; 2];
    Race { workplace: &workplace, out: "live", commands, may_both_succeed: true, reset: &reset }.run();
}

#[test]
fn scores() {
    let workplace = workplace();
    let evaluate = "evaluate run --tasks forward,co-smoothing";
    race(&workplace, "run/evaluation", [evaluate; 2], true);
    let evaluate = "evaluate run --tasks forward --out scores";
    race(&workplace, "scores", [evaluate; 2], true);
    let baseline = format!("baseline unit-mean {BOTH} --tasks forward --out baselines");
    race(&workplace, "baselines", [baseline.as_str(); 2], true);
}

#[test]
fn pages_and_tables() {
    let workplace = workplace();
    let translate = ["best", "last"].map(|checkpoint| {
        format!("translate run {FIRST} --checkpoint {checkpoint} --out pages/translation.html")
    });
    race(&workplace, "pages", translate.each_ref().map(String::as_str), true);
    let predict =
        ["neuron", "causal"].map(|prompt| format!("predict run {FIRST} --prompt {prompt} --out p/p.parquet"));
    race(&workplace, "p", predict.each_ref().map(String::as_str), true);
    let report = ["A", "B"].map(|title| format!("report run --title {title} --out reports/report.html"));
    race(&workplace, "reports", report.each_ref().map(String::as_str), true);
}

#[test]
fn imports() {
    let workplace = Workplace::new();
    for (seed, units) in [(4, 4), (5, 5)] {
        workplace.succeed(&format!(
            "simulate data --sessions 1 --units {units} --trials 40 --bins 6 --seed {seed}"
        ));
    }
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../neuroglot-train/tests/checkpoints/plain.pt");
    std::fs::copy(fixture, workplace.path("plain.pt")).unwrap();
    let table = "heads = 2\n\
                 [[sessions]]\npath = 'data/simulated-4-00_aligned'\nstitcher = '4'\nrow = 1\n\
                 [[sessions]]\npath = 'data/simulated-5-00_aligned'\nstitcher = '5'\nrow = 0\n";
    std::fs::write(workplace.path("table.toml"), table).unwrap();
    let import = "import-checkpoint plain.pt --sessions table.toml --out published";
    race(&workplace, "published", [import; 2], false);
}

/// Processes share a study: cells that the other one makes are left to it, which exit code 75 says.
#[test]
fn a_study() {
    let workplace = Workplace::new();
    workplace.succeed("simulate data --sessions 4 --units 12 --trials 40 --bins 20 --seed 1");
    let study = common::TINY_STUDY
        .replace("baselines = [\"all\"]", "baselines = [\"unit-mean\"]")
        .replace("masks = [\"mtm\", \"temporal\"]", "masks = [\"mtm\"]")
        .replace("epochs = 3", "epochs = 1");
    std::fs::write(workplace.path("tiny.toml"), study).unwrap();
    let command = |out: &str| format!("--quiet study tiny.toml --data data --out {out}");
    workplace.succeed(&command("whole"));
    for place in 0..tries() {
        remove(&workplace.path("out"));
        let mut children = [0, place as u64 % 30].map(|wait| {
            std::thread::sleep(Duration::from_millis(wait));
            let mut command = workplace.command(&command("out"));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        });
        let codes = children.each_mut().map(|child| child.wait().unwrap().code());
        assert!(codes.iter().all(|code| [Some(0), Some(75)].contains(code)), "{codes:?}");
        workplace.succeed(&command("out"));
        common::assert_same_cells(&workplace.path("whole"), &workplace.path("out"));
    }
    println!("{:24} {} tries", "study", tries());
}

/// It takes minutes: the second one is refused, and the first one goes on, which is seen enough of then.
#[test]
fn a_demonstration() {
    let workplace = Workplace::new();
    for place in 0..tries() {
        let out = format!("demo-{place}");
        let mut first = workplace.command(&format!("--quiet demo --out {out}"));
        let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !workplace.path(&out).join(".lock").exists() {
            assert!(first.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(1));
        }
        let second = workplace.run(&format!("--quiet demo --out {out}"));
        assert_eq!(second.code, Some(1), "{second}");
        let who = format!("error: {out} is being written by process {} on ", first.id());
        assert!(second.stderr.starts_with(&who), "{second}");
        assert!(second.stderr.contains(&format!("(`neuroglot --quiet demo --out {out}`)")), "{second}");
        assert!(first.try_wait().unwrap().is_none(), "the first one goes on");
        assert!(workplace.path(&out).join(".lock").exists());
        first.kill().unwrap();
        first.wait().unwrap();
        remove(&workplace.path(&out));
    }
    println!("{:24} {} tries", "demo", tries());
}
