//! Running the binary in a folder of its own, and what a snapshot of it may hold.

// Each test file uses its part of this.
#![allow(dead_code)]

pub mod simulated;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Settings of a model that trains in a moment, on sessions of [`Workplace::with_sessions`].
pub const SMALL: &str = "--set model.hidden=16 --set model.heads=2 --set model.ndt1-stitch.channels=12 --set model.layers=1 \
                         --set train.batch=8 --set train.learning_rate=1e-3";

/// A temporary folder in which commands run, so that paths in messages are relative.
pub struct Workplace {
    root: TempDir,
}

/// What a command printed, with `[ROOT]` for the workplace, and how it ended.
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Workplace {
    pub fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// With two simulated sessions of 12 units, 40 trials (28 train, 4 validation, 8 test) and 20 bins in `data`.
    pub fn with_sessions() -> Self {
        let workplace = Self::new();
        workplace.succeed("simulate data --sessions 2 --units 12 --trials 40 --bins 20 --seed 1");
        workplace
    }

    /// With recordings of the tests under the names that pages use: an IBL session, an NWB file, one of temporaldata.
    pub fn with_recordings() -> Self {
        let workplace = Self::new();
        for (fixture, name) in
            [("alf", "ONE"), ("plain.nwb", "recording.nwb"), ("contiguous.h5", "session.h5")]
        {
            workplace.bring(fixture, name);
        }
        workplace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A command with an environment that does not depend on the machine.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_neuroglot"));
        self.settle(&mut command);
        command.args(arguments.split_whitespace());
        command
    }

    /// A shell script in which `$NEUROGLOT` is the binary.
    pub fn script(&self, script: &str) -> Output {
        let mut command = Command::new("sh");
        self.settle(&mut command);
        self.output(command.env("NEUROGLOT", env!("CARGO_BIN_EXE_neuroglot")).args(["-c", script]))
    }

    fn settle(&self, command: &mut Command) {
        command.current_dir(self.root.path()).stdin(Stdio::null()).env("COLUMNS", "100");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RAYON_NUM_THREADS", "LINES"] {
            command.env_remove(name);
        }
        // Nor on a scheduler, or on what archives the machine's owner uses.
        let is_set = |name: &String| {
            [
                "SLURM_",
                "JOB_COMPLETION_",
                "HF_",
                "DANDI_",
                "AWS_",
                "RANK",
                "WORLD_SIZE",
                "LOCAL_RANK",
                "MASTER_",
            ]
            .iter()
            .any(|start| name.starts_with(start))
        };
        for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(is_set) {
            command.env_remove(name);
        }
        // Unless a test says otherwise, results are those of the CPU.
        command.env("CUDA_VISIBLE_DEVICES", "");
    }

    /// Copies a recording of the tests of `neuroglot-prepare`, a file or a folder, under a name of the test's choice.
    pub fn bring(&self, fixture: &str, name: &str) {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../neuroglot-prepare/tests/fixtures");
        copy(&Path::new(fixtures).join(fixture), &self.path(name));
    }

    pub fn run(&self, arguments: &str) -> Output {
        self.output(&mut self.command(arguments))
    }

    /// Runs a command that must succeed, and returns what it printed as its result.
    pub fn succeed(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments}\n{output}");
        output.stdout
    }

    pub fn succeed_json(&self, arguments: &str) -> serde_json::Value {
        serde_json::from_str(&self.succeed(arguments)).unwrap()
    }

    pub fn output(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap();
        let root = self.root.path().canonicalize().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(root.to_str().unwrap(), "[ROOT]")
                .replace(self.root.path().to_str().unwrap(), "[ROOT]")
        };
        Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Copies a file, or a folder and all in it.
pub fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
}

/// What is left out of snapshots because systems differ in it.
pub const SYSTEM_WORDS: [(&str, &str); 2] =
    [(r"\(os error \d+\)", "(os error [N])"), (r#" at path "[^"]*""#, "")];

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("killed".to_owned(), |code| code.to_string());
        write!(formatter, "exit code: {code}\n--- stdout ---\n{}--- stderr ---\n{}", self.stdout, self.stderr)
    }
}

/// The first session of [`Workplace::with_sessions`].
pub const FIRST: &str = "data/simulated-1-00_aligned";

/// Every file below a run or baseline but those that hold times, `run.json` and `baseline.json`, with its bytes.
pub fn files(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("run.json") && !path.ends_with("baseline.json") {
                found.push((path.strip_prefix(run).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Asserts that two runs have the same files with the same bytes.
pub fn assert_same_run(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for ((path, a), (_, b)) in a.iter().zip(&b) {
        assert!(a == b, "{} differs", path.display());
    }
}

/// The study of `studies/tiny.toml`.
pub const TINY_STUDY: &str = include_str!("../../../../studies/tiny.toml");

/// Asserts that every cell of a study folder has the files of the same cell of another, to the byte, and that tables say
/// the same.
pub fn assert_same_cells(a: &Path, b: &Path) {
    assert_same_run(&a.join("cells"), &b.join("cells"));
    assert_same_run(&a.join("tables"), &b.join("tables"));
}

/// The contents of fenced blocks of one language, in order.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after_fences = text.split(fence.as_str()).skip(1);
    after_fences.filter_map(|rest| rest.split("\n```").next().map(str::to_owned)).collect()
}

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository.
pub fn page(name: &str) -> String {
    let path = repository().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every line that starts with `neuroglot`, run with the binary under test.
pub fn run_all(workplace: &Workplace, commands: &[String]) {
    for line in commands.iter().flat_map(|block| block.lines()) {
        let arguments =
            line.strip_prefix("neuroglot ").unwrap_or_else(|| panic!("not a command of ours: {line}"));
        let output = workplace.script(&format!("\"$NEUROGLOT\" {arguments}"));
        assert_eq!(output.code, Some(0), "{line}\n{output}");
    }
}
