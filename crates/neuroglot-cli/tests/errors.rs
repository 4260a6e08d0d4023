//! What goes wrong: one clear line that names the cure, and an exit code: 1 where the command failed, 2 where its usage
//! was wrong.

mod common;

use common::{FIRST, SMALL, SYSTEM_WORDS, Workplace};
use std::fs;

/// Each error is a snapshot of exit code, standard output and standard error.
macro_rules! snapshot {
    ($workplace:expr, $name:literal, $arguments:expr) => {
        insta::with_settings!({ filters => SYSTEM_WORDS }, {
            insta::assert_snapshot!($name, $workplace.run(&format!("--quiet {}", $arguments)).to_string());
        });
    };
}

#[test]
fn no_such_session() {
    let workplace = Workplace::new();
    snapshot!(workplace, "inspect_no_such_session", "inspect nowhere");
    snapshot!(workplace, "train_no_such_session", "train nowhere --out run");
    assert!(!workplace.path("run").exists(), "nothing is made for a run that cannot begin");
}

#[test]
fn a_corrupt_session() {
    let workplace = Workplace::with_sessions();
    let file = workplace.path(FIRST).join("data/val-00000-of-00001.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let output = workplace.run(&format!("inspect {FIRST}"));
    assert_eq!(output.code, Some(1));
    let lines: Vec<&str> = output.stderr.lines().collect();
    let [line] = lines[..] else { panic!("one line: {output}") };
    assert!(line.starts_with(&format!("error: {FIRST}/data/val-00000-of-00001.parquet cannot be decoded")));
    assert!(line.ends_with("copy or download it again"), "{line}");
}

#[test]
fn unknown_settings_and_masks() {
    let workplace = Workplace::with_sessions();
    snapshot!(workplace, "unknown_key", format!("train {FIRST} --out run --set train.learning_rat=1e-3"));
    snapshot!(workplace, "wrong_value", format!("train {FIRST} --out run --set train.batch=lots"));
    snapshot!(workplace, "unknown_mask", format!("train {FIRST} --out run --mask temporl"));
    snapshot!(workplace, "no_sessions", "train --out run");
    fs::write(workplace.path("mine.toml"), "[train]\nbach = 3\n").unwrap();
    snapshot!(workplace, "unknown_key_in_file", format!("train {FIRST} --out run --config mine.toml"));
    assert!(!workplace.path("run").exists());
}

#[test]
fn runs_that_are_there_or_not() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("--quiet train {FIRST} --out run --epochs 1 {SMALL}"));
    let before = fs::read(workplace.path("run/run.json")).unwrap();
    snapshot!(workplace, "run_exists", format!("train {FIRST} --out run"));
    snapshot!(workplace, "resume_with_other_settings", "train --resume --out run --mask temporal");
    snapshot!(
        workplace,
        "resume_with_another_session",
        "train data/simulated-1-01_aligned --resume --out run"
    );
    assert_eq!(fs::read(workplace.path("run/run.json")).unwrap(), before, "a refused resume changes nothing");
    snapshot!(workplace, "resume_of_nothing", "train --resume --out other");
    snapshot!(workplace, "not_a_run", "evaluate data");
    snapshot!(workplace, "not_evaluated", "compare run run/../run");
    snapshot!(workplace, "one_run_is_no_comparison", "compare run");
    snapshot!(workplace, "same_run_twice", "compare run run");
    snapshot!(workplace, "session_of_another_run", "evaluate run data/simulated-1-01_aligned");
    snapshot!(workplace, "unknown_task", "evaluate run --tasks co-smoothing,cosmoothing");
}

#[test]
fn what_cannot_be_hidden() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("--quiet train {FIRST} --out run --epochs 1 {SMALL}"));
    let predict = |hide: &str| format!("predict run {FIRST} --prompt neuron --out p.parquet --hide {hide}");
    snapshot!(workplace, "hide_without_a_kind", predict("CA1"));
    snapshot!(workplace, "hide_without_a_name", predict("units"));
    snapshot!(workplace, "hide_unknown_unit", predict("units 3 12"));
    snapshot!(workplace, "hide_unknown_region", predict("regions CA1 VISp"));
    snapshot!(workplace, "hide_bins_past_the_end", predict("bins 15-20"));
    snapshot!(workplace, "unknown_prompt", format!("predict run {FIRST} --prompt temporal --out p.parquet"));
    assert!(!workplace.path("p.parquet").exists());
}

#[test]
fn a_place_below_a_file_cannot_be_written() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("--quiet train {FIRST} --out run --epochs 1 {SMALL}"));
    fs::write(workplace.path("file"), "mine").unwrap();
    snapshot!(workplace, "unwritable_simulate", "simulate file/data --sessions 1 --trials 20");
    snapshot!(workplace, "unwritable_train", format!("train {FIRST} --out file/run"));
    snapshot!(workplace, "unwritable_evaluate", "evaluate run --out file/evaluation");
    snapshot!(
        workplace,
        "unwritable_predict",
        format!("predict run {FIRST} --prompt neuron --out file/p.parquet")
    );
    snapshot!(workplace, "unwritable_report", "report run --out file/report.html");
    assert_eq!(fs::read_to_string(workplace.path("file")).unwrap(), "mine");
}

#[test]
fn what_is_there_is_not_replaced_unasked() {
    let workplace = Workplace::with_sessions();
    let again = "simulate data --sessions 2 --units 12 --trials 40 --bins 20 --seed 1";
    snapshot!(workplace, "simulate_again", again);
    workplace.succeed(&format!("{again} --overwrite"));
    workplace.succeed(&format!("--quiet train {FIRST} --out run --epochs 1 {SMALL}"));
    snapshot!(workplace, "evaluate_over_other_files", "evaluate run --out data");
    assert!(workplace.path(FIRST).is_dir());
    fs::create_dir(workplace.path("mine")).unwrap();
    fs::write(workplace.path("mine/notes.txt"), "mine").unwrap();
    snapshot!(workplace, "train_over_other_files", format!("train {FIRST} --out mine"));
}

#[test]
fn usage_that_cannot_be_meant() {
    let workplace = Workplace::new();
    snapshot!(workplace, "unknown_command", "evalute run");
    snapshot!(workplace, "unknown_option", "inspect data --jsn");
    snapshot!(workplace, "too_many_threads", "inspect data --threads 2000");
    snapshot!(workplace, "unknown_device", "bench --device gpu");
    snapshot!(workplace, "unknown_precision", "bench --precision f16");
    snapshot!(workplace, "simulate_nothing", "simulate out --units 0");
    assert!(!workplace.path("out").exists());
}

/// No machine has this many GPUs, and most have no driver.
#[test]
fn a_gpu_that_is_asked_for_and_not_there_is_an_error() {
    for command in ["bench", "doctor --json"] {
        let output = Workplace::new().run(&format!("{command} --device cuda:999"));
        assert_eq!(output.code, Some(1), "{output}");
        assert!(output.stdout.is_empty(), "{output}");
        let lines: Vec<&str> = output.stderr.lines().collect();
        let [line] = lines[..] else { panic!("one line: {output}") };
        assert!(
            line.starts_with("error: no NVIDIA driver") || line.starts_with("error: there is no GPU 999")
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_cannot_be_written_is_an_error_and_one_that_is_closed_is_not() {
    let workplace = Workplace::with_sessions();
    let full = workplace.script(&format!("$NEUROGLOT inspect {FIRST} >/dev/full"));
    assert_eq!(full.code, Some(1));
    assert!(full.stderr.starts_with("error: cannot write to standard output: No space left"), "{full}");
    // `head` is gone before the second line comes.
    let closed = workplace.script(&format!("($NEUROGLOT inspect {FIRST}; echo $? >&2) | head -c 0"));
    assert_eq!(closed.stderr, "0\n", "{closed}");
}

#[test]
fn colours_are_for_terminals_and_never_with_no_color() {
    let workplace = Workplace::new();
    let bytes = |output: &common::Output| output.stderr.contains('\u{1b}');
    assert!(!bytes(&workplace.run("inspect nowhere")));
    let forced =
        |extra: &str| workplace.script(&format!("CLICOLOR_FORCE=1 {extra} $NEUROGLOT inspect nowhere"));
    assert!(bytes(&forced("")));
    assert!(!bytes(&workplace.script("NO_COLOR=1 $NEUROGLOT inspect nowhere")));
}
