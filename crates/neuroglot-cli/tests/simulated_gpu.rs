//! Commands on a GPU, with libraries that stand in for NVIDIA's: the engine's tests have them.
#![cfg(target_os = "linux")]

mod common;

use common::simulated::{run, simulated_libraries};
use common::{FIRST, SMALL, Workplace, assert_same_run, blocks, page};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn commands_compute_on_a_gpu() {
    let workplace = Workplace::with_sessions();
    let names = ["libcuda.so", "libnvrtc.so", "libcublasLt.so"];
    let Some(libraries) = simulated_libraries(&workplace, &names) else { return };
    let succeed = |arguments: &str| {
        let output = run(&workplace, &libraries, arguments);
        assert_eq!(output.code, Some(0), "{arguments}\n{output}");
        output.stdout
    };

    // Every operation and every scheme's training step, the second and later ones recorded passes.
    let doctor = succeed("doctor --device cuda --precision f32");
    assert!(doctor.contains("cuda:0     simulated GPU, 1024 MiB, compute capability 9.0\n"), "{doctor}");
    assert!(
        doctor.contains("checked    cuda:0, simulated GPU, f32 products, against cpu, 1 thread"),
        "{doctor}"
    );

    // The first GPU is what is computed on unless something else is asked for.
    let train = |out: &str, more: &str| {
        succeed(&format!("--quiet train {FIRST} --out {out} --epochs 2 {SMALL} {more}"));
        std::fs::read_to_string(workplace.path(out).join("run.json")).unwrap()
    };
    assert!(train("run", "").contains("cuda:0, simulated GPU, tf32 products"));
    assert!(train("bf16", "--device cuda:0 --precision bf16").contains("bf16 products"));
    assert!(train("cpu", "--device cpu").contains("cpu, "));
    train("again", "");
    assert_same_run(&workplace.path("run"), &workplace.path("again"));
    // A run can go on where it was not begun, and be evaluated anywhere.
    succeed("--quiet train --resume --out run --device cpu");
    succeed("--quiet evaluate run --tasks co-smoothing");
    succeed("--quiet evaluate cpu --tasks co-smoothing --device cuda");

    let [command] = blocks(&page("docs/gpu.md"), "sh").try_into().expect("one command on the page");
    let command = command.strip_prefix("neuroglot ").unwrap();
    let bench = succeed(&format!("{command} --size tiny --batch 1 --repetitions 1 --json"));
    let bench: serde_json::Value = serde_json::from_str(&bench).unwrap();
    assert_eq!((&bench["device"], &bench["precision"]), (&"cuda:0".into(), &"tf32".into()));
    // Of one trial, whose counts would be 30,000 bytes; the page says so.
    let sent = bench["bytes_sent_per_step"].as_f64().unwrap();
    assert!(0.0 < sent && sent < 1000.0, "{sent} bytes");
    let operations = bench["profile"]["operations"].as_array().unwrap();
    let multiply_adds = |name: &str| {
        let operation = operations.iter().find(|operation| operation["name"] == name).unwrap();
        operation["multiply_adds"].as_u64().unwrap()
    };
    // Of 100 bins, 300 units become 16 numbers; 102 tokens of width 16 see each other.
    assert_eq!(multiply_adds("counts_linear"), 100 * 300 * 16);
    assert_eq!(multiply_adds("attention"), 2 * 102 * 102 * 16);
    // Behind the stitcher, around the attention, in the feedforward layer; the rest is that of the units that are scored.
    let at_output = multiply_adds("linear") - 100 * 16 * 16 - 102 * (4 * 16 * 16 + 2 * 16 * 32);
    assert!(at_output.is_multiple_of(100 * 16) && (1..=300).contains(&(at_output / 1600)), "{at_output}");
    let sum = |key: &str| operations.iter().map(|operation| operation[key].as_f64().unwrap()).sum::<f64>();
    assert!(sum("ms") > 0.0 && (sum("ms") - bench["profile"]["ms"].as_f64().unwrap()).abs() < 1e-9);
}

#[test]
fn a_gpu_without_its_libraries_is_left_alone_and_the_reason_said_once() {
    let workplace = Workplace::with_sessions();
    let Some(libraries) = simulated_libraries(&workplace, &["libcuda.so"]) else { return };
    let arguments = format!("train {FIRST} --out run --epochs 1 {SMALL}");
    let fallen_back = run(&workplace, &libraries, &arguments);
    assert_eq!(fallen_back.code, Some(0), "{fallen_back}");
    let notes = fallen_back.stderr.lines().filter(|line| line.starts_with("computing on the CPU: "));
    assert_eq!(notes.count(), 1, "{fallen_back}");
    let asked_for = run(&workplace, &libraries, "bench --device cuda");
    assert_eq!(asked_for.code, Some(1), "{asked_for}");
    assert_eq!(asked_for.stderr.lines().count(), 1, "{asked_for}");
    let doctor = run(&workplace, &libraries, "doctor");
    assert_eq!(doctor.code, Some(0), "{doctor}");
    assert!(doctor.stdout.contains("; cannot be used: "), "{doctor}");
}

/// A program that prints a line and ends with a status.
fn script(workplace: &Workplace, name: &str, line: &str, status: u8) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = workplace.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\necho \"{line}\"\nexit {status}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn the_script_that_measures_a_gpu_reports_what_was_done_whatever_else_fails() {
    let workplace = Workplace::new();
    let names = ["libcuda.so", "libnvrtc.so", "libcublasLt.so"];
    let Some(libraries) = simulated_libraries(&workplace, &names) else { return };
    script(&workplace, "bin/nvidia-smi", "a GPU that is simulated", 0);
    let tests = script(&workplace, "kernel_tests", "all kernels are right", 0);
    let python = script(&workplace, "python", "no module named torch: $*", 3);
    let path = format!("{}:{}", workplace.path("bin").display(), std::env::var("PATH").unwrap());
    let measure = |limit: &str, arguments: &str| {
        let mut command = Command::new("sh");
        command.arg(common::repository().join("scripts/measure_gpu.sh")).args(arguments.split(' '));
        command.current_dir(workplace.path("")).env("NEUROGLOT", env!("CARGO_BIN_EXE_neuroglot"));
        command.env("LD_LIBRARY_PATH", &libraries).env("SIMULATED_CUDA_FOLDER", &libraries);
        command.env("PATH", &path).env("PYTHON", &python).env("TESTS", &tests).env("LIMIT", limit);
        for (name, value) in [
            ("PRECISIONS", "f32"),
            ("SIZES", "tiny"),
            ("BATCHES", "1"),
            ("REPETITIONS", "1"),
            ("MANY", "--sessions 2 --accumulate 2"),
            ("SIMULATE", "--units 12 --trials 40 --bins 20"),
            ("TRAIN", &format!("--epochs 2 {SMALL}")),
        ] {
            command.env(name, value);
        }
        let output = workplace.output(&mut command);
        let report = std::fs::read_to_string(workplace.path("report.txt")).unwrap();
        let root = workplace.path("").canonicalize().unwrap();
        assert_eq!(output.stdout, report.replace(root.to_str().unwrap().trim_end_matches('/'), "[ROOT]"));
        (output, report)
    };

    let (output, report) = measure("2300", "peer.py report.txt");
    assert_eq!(output.code, Some(1), "{output}");
    let headings: Vec<&str> = report.lines().filter_map(|line| line.strip_prefix("== ")).collect();
    let (verdict, parts) = headings.split_last().unwrap();
    let expected = [
        "machine",
        "correctness, f32",
        "tests, kernel_tests",
        "speed beside PyTorch",
        "profile, tiny, batch 1, f32",
        "many sessions and evaluation, tiny",
        "session",
        "training",
    ];
    assert_eq!(parts[..expected.len()], expected, "{output}");
    assert!(verdict.ends_with(" s, failed: speed beside PyTorch"), "{output}");
    for said in [
        "a GPU that is simulated",
        "checked    cuda:0, simulated GPU, f32 products, against cpu",
        "all kernels are right",
        "--sizes tiny --batches 1 --precisions tf32,bf16 --modes tf32-eager --rounds 2",
        "failed with status 3",
        "attention_backward",
        "in a row: ",
        // 28 training trials are three batches of about 8; two epochs.
        "6 steps of 8 trials in ",
    ] {
        assert!(report.contains(said), "{said} is not in\n{output}");
    }

    let (output, report) = measure("0", "- report.txt");
    assert_eq!(output.code, Some(1), "{output}");
    assert_eq!(
        report.matches("left out: the time is up").count(),
        report.matches("\n== ").count() - 1,
        "{report}"
    );
    assert!(
        report.contains("== speed, tiny, batch 1\n") && report.contains("no checkpoint was written"),
        "{report}"
    );
}
