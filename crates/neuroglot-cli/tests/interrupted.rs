//! What happens to outputs that are cut off, removed or in use: nothing is lost without a word.
#![cfg(unix)]

mod common;

use common::{FIRST, Output, SMALL, Workplace, assert_same_run, copy};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A training run that goes on until it is killed.
fn endless(workplace: &Workplace, out: &str) -> Child {
    let arguments = format!("--quiet train {FIRST} --out {out} --epochs 100000 {SMALL}");
    let mut command = workplace.command(&arguments);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| workplace.path(out).join("metrics.jsonl").exists());
    child
}

fn wait_for(what: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(120);
    while !what() {
        assert!(Instant::now() < patience, "it does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn assert_held_by(output: &Output, place: &str, holder: &Child) {
    assert_eq!(output.code, Some(1), "{output}");
    let who = format!("error: {place} is being written by process {} on ", holder.id());
    assert!(output.stderr.starts_with(&who), "{output}");
    assert!(output.stderr.contains(" UTC (`neuroglot --quiet train "), "{output}");
    assert!(output.stderr.contains(&format!("remove {place}/.lock and start again")), "{output}");
}

#[test]
fn a_live_run_is_left_alone_by_whoever_comes_second() {
    let workplace = Workplace::with_sessions();
    let mut first = endless(&workplace, "run");
    let second = [
        format!("train {FIRST} --out run --epochs 3 {SMALL}"),
        "train --resume --out run".to_owned(),
        format!("finetune --resume {FIRST} --out run"),
    ];
    for command in second {
        assert_held_by(&workplace.run(&format!("--quiet {command}")), "run", &first);
    }
    let epochs = || fs::read_to_string(workplace.path("run/metrics.jsonl")).unwrap().lines().count();
    let before = epochs();
    wait_for(|| epochs() > before + 3);
    assert!(first.try_wait().unwrap().is_none());
    // What only reads goes on beside it.
    wait_for(|| workplace.path("run/best/config.json").exists());
    workplace.succeed("--quiet evaluate run --tasks forward");
    first.kill().unwrap();
    first.wait().unwrap();
    // A plain second command is told what to do, and going on needs no other cure.
    let refused = workplace.run(&format!("--quiet train {FIRST} --out run --epochs 3 {SMALL}"));
    assert!(refused.stderr.contains("there is a run here already; add --resume"), "{refused}");
    workplace.succeed(&format!("--quiet train {FIRST} --out other --epochs 3 {SMALL}"));
}

#[test]
fn a_run_folder_that_is_removed_while_it_is_written_is_an_error() {
    let workplace = Workplace::with_sessions();
    for name in ["removed", "moved"] {
        let first = endless(&workplace, name);
        if name == "removed" {
            while fs::remove_dir_all(workplace.path(name)).is_err() {}
        } else {
            fs::rename(workplace.path(name), workplace.path("elsewhere")).unwrap();
        }
        let output = first.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.starts_with(&format!("error: {name} was removed or moved while")), "{said}");
        assert!(!workplace.path(name).exists(), "it is not made again: {:?}", entries(&workplace.path(".")));
    }
}

#[test]
fn a_beginning_that_was_cut_off_goes_on_or_is_begun_anew() {
    let workplace = Workplace::with_sessions();
    let train = format!("--quiet train {FIRST} --out run --epochs 3 {SMALL}");
    workplace.succeed(&train);
    let whole = workplace.path("whole");
    fs::rename(workplace.path("run"), &whole).unwrap();
    // In the order in which they come: run.json, config.toml.
    let run = workplace.path("run");
    fs::create_dir(&run).unwrap();
    copy(&whole.join("run.json"), &run.join("run.json"));
    workplace.succeed(&train);
    assert_same_run(&whole, &run);

    fs::remove_dir_all(&run).unwrap();
    for name in ["run.json", "config.toml"] {
        copy(&whole.join(name), &run.join(name));
    }
    let info = fs::read_to_string(run.join("run.json")).unwrap();
    fs::write(run.join("run.json"), info.replace("\"finished\": true", "\"finished\": false")).unwrap();
    let refused = workplace.run(&train);
    assert!(refused.stderr.contains("add --resume to go on with it"), "{refused}");
    workplace.succeed("--quiet train --resume --out run");
    assert_same_run(&whole, &run);

    // As versions before this one left it: the sessions are not known.
    fs::remove_dir_all(&run).unwrap();
    copy(&whole.join("config.toml"), &run.join("config.toml"));
    let refused = workplace.run("--quiet train --resume --out run");
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.stderr.contains("name its sessions"), "{refused}");
    workplace.succeed(&format!("--quiet train {FIRST} --resume --out run"));
    assert_same_run(&whole, &run);
}

#[test]
fn metrics_that_are_shorter_than_the_checkpoint_says_are_never_filled_up() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("--quiet train {FIRST} --out run --epochs 4 {SMALL}"));
    let path = workplace.path("run/metrics.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let second: usize = whole.lines().take(2).map(|line| line.len() + 1).sum();
    fs::write(&path, &whole[..second + 10]).unwrap();
    let output = workplace.run("--quiet train --resume --out run");
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.starts_with("warning: run/metrics.jsonl: "), "{output}");
    assert!(output.stderr.contains("is lost, and the run goes on without it"), "{output}");
    assert_eq!(fs::read_to_string(&path).unwrap(), whole[..second]);
    workplace.succeed("--quiet report run --out report.html");
}

#[test]
fn a_path_that_is_no_text_is_an_error_and_nothing_is_made() {
    let workplace = Workplace::with_sessions();
    let name = OsStr::from_bytes(b"caf\xe9");
    let session = workplace.path("data").join(name);
    copy(&workplace.path(FIRST), &session);
    for arguments in ["train --out run --epochs 1", "baseline unit-mean --out run", "inspect --json"] {
        let mut command = workplace.command(&format!("--quiet {arguments}"));
        let output = workplace.output(command.arg(Path::new("data").join(name)));
        assert_eq!(output.code, Some(2), "{output}");
        assert!(output.stderr.contains("is not UTF-8") && output.stderr.contains("rename"), "{output}");
        assert!(!workplace.path("run").exists());
    }
    // Here the path comes from where the command runs.
    let mut command = workplace.command("--quiet train . --out run --epochs 1");
    let output = workplace.output(command.current_dir(&session));
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("is not UTF-8") && !session.join("run").exists(), "{output}");
}

#[test]
fn what_killed_processes_left_is_removed_by_the_next_one_that_writes_there() {
    let workplace = Workplace::with_recordings();
    let prepare = "--quiet prepare recording.nwb --out sessions";
    let started = Instant::now();
    workplace.succeed(prepare);
    let longest = started.elapsed();
    fs::remove_dir_all(workplace.path("sessions")).unwrap();
    // Kill until something is left.
    for place in 0.. {
        assert!(place < 1000, "no kill leaves anything");
        let mut child = workplace.command(prepare).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(longest.mul_f64(f64::from(place % 50) / 50.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let sessions = workplace.path("sessions");
        let names = if sessions.exists() { entries(&sessions) } else { Vec::new() };
        if names.iter().any(|name| name.ends_with(".new")) {
            break;
        }
        let _ = fs::remove_dir_all(&sessions);
    }
    // Another session is made there: what the dead left of the first goes.
    workplace.succeed("--quiet prepare session.h5 --out sessions");
    assert_eq!(entries(&workplace.path("sessions")), ["contiguous_aligned"]);
    workplace.succeed(prepare);
    assert_eq!(entries(&workplace.path("sessions")), ["contiguous_aligned", "plain-1_aligned"]);
}

#[test]
fn sessions_of_one_folder_name_do_not_replace_each_other() {
    let workplace = Workplace::with_recordings();
    workplace.succeed("--quiet prepare recording.nwb --eid a/b --out sessions");
    let before = common::files(&workplace.path("sessions"));
    let refused = workplace.run("--quiet prepare session.h5 --eid a:b --out sessions --overwrite");
    assert_eq!(refused.code, Some(1), "{refused}");
    let said = "identifiers that name one folder, \"a:b\" and \"a/b\": sessions/a_b_aligned holds";
    assert!(refused.stderr.contains(said) && refused.stderr.contains("--eid"), "{refused}");
    assert_eq!(common::files(&workplace.path("sessions")), before);
}
