//! What commands say of long work, of short training and of what they were asked for, in words and in lines that fit.

mod common;

use common::{FIRST, SMALL, Workplace};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SECOND: &str = "data/simulated-1-01_aligned";

fn trained(epochs: u64) -> Workplace {
    let workplace = Workplace::with_sessions();
    let options = format!("--epochs {epochs} --set train.validate_every=1 {SMALL}");
    workplace.succeed(&format!("train {FIRST} --out run --quiet {options}"));
    workplace
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_what_is_kept_and_how_training_goes_on() {
    let workplace = Workplace::with_sessions();
    let options = format!("--epochs 100000 --set train.checkpoint_seconds=0 {SMALL}");
    let mut command = workplace.command(&format!("train {FIRST} --out run --quiet {options}"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !workplace.path("run/last/progress.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no checkpoint");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The word is said after the checkpoint is written.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(workplace.script(&format!("kill -INT {}", child.id())).code, Some(0));
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let expected = "stopped: run keeps all up to step ";
    assert!(stderr.contains(expected), "{stderr}");
    assert!(stderr.contains("`neuroglot train --resume --out run` goes on from there"), "{stderr}");
    // What it says is so: the step that it names is in the checkpoint, or one saved in the last moment.
    let named = stderr.split(expected).nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    let progress: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(workplace.path("run/last/progress.json")).unwrap()).unwrap();
    assert!(progress["step"].as_u64().unwrap() >= named && named > 0, "{progress}");
}

#[test]
fn a_training_that_was_too_short_is_told_at_its_end_by_evaluate_and_by_the_report() {
    let workplace = trained(2);
    // Two validations, of which the second is better, or the test says nothing.
    let records = neuroglot::train::RunFolder::open(&workplace.path("run")).unwrap().metrics().unwrap();
    let scores: Vec<f64> = records.iter().filter_map(|record| record.score).collect();
    assert!(scores.len() == 2 && scores[1] > scores[0], "{scores:?}");
    let again = workplace.succeed("train --resume --out run");
    assert!(again.contains("trained too shortly: validation still rose at the end"), "{again}");
    let json = workplace.succeed_json("train --resume --out run --json");
    assert_eq!(json["too_short"], true);

    let output = workplace.run("evaluate run --tasks co-smoothing,forward");
    assert!(output.stderr.contains("trained too shortly: validation still rose"), "{output}");
    // The same difference as between the two folders.
    workplace.succeed(&format!("baseline psth {FIRST} --out b --tasks co-smoothing"));
    let compared = workplace.succeed_json("compare b/psth run --json");
    let rows = compared["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["task"] == "co-smoothing" && row["score"] == "bps").unwrap();
    let difference = &row["differences"][1];
    assert_eq!(difference["verdict"], "worse", "two epochs teach less than an average");
    let difference = difference["mean"].as_f64().unwrap();
    let said = format!("simulated-1-00 (−{:.3})", difference.abs());
    assert!(output.stderr.contains("below the PSTH in co-smoothing"), "{output}");
    assert!(output.stderr.contains(&said), "{said}: {output}");
    workplace.succeed("report run --out r.html");
    let page = fs::read_to_string(workplace.path("r.html")).unwrap();
    assert!(
        page.contains("validation still rose") && page.contains("below the PSTH") && page.contains(&said)
    );
}

#[test]
fn a_run_in_which_no_score_chooses_is_not_called_too_short() {
    let workplace = Workplace::with_sessions();
    let options = format!("--epochs 2 --set train.validate_every=1 --set train.select=last {SMALL}");
    let said = workplace.succeed(&format!("train {FIRST} --out run --quiet {options}"));
    assert!(said.contains("best    the last epoch, as train.select = \"last\" asks"), "{said}");
    assert!(!said.contains("trained too shortly"), "{said}");
    let json = workplace.succeed_json("train --resume --out run --json");
    assert_eq!((&json["too_short"], &json["best"]), (&false.into(), &serde_json::Value::Null));
    let output = workplace.run("evaluate run --tasks co-smoothing");
    assert!(!output.stderr.contains("validation still rose"), "{output}");
    workplace.succeed("report run --out r.html");
    let page = fs::read_to_string(workplace.path("r.html")).unwrap();
    assert!(page.contains("the last: train.select") && !page.contains("validation still rose"));
}

#[test]
fn a_finished_run_is_not_lengthened_and_says_what_to_do() {
    let workplace = trained(2);
    let refused = workplace.run("train --resume --out run --epochs 5");
    assert_eq!(refused.code, Some(1));
    let cure = "neuroglot finetune run SESSION... --out OTHER --epochs N --set init.from_checkpoint=last";
    assert!(refused.stderr.contains(cure), "{refused}");
    // The cure works, from the last model.
    let command = cure.replace("SESSION...", FIRST).replace("OTHER", "longer").replace(" N ", " 1 ");
    workplace.succeed(command.strip_prefix("neuroglot ").unwrap());
    let kept = fs::read_to_string(workplace.path("longer/best/config.json")).unwrap();
    assert!(kept.contains("\"epoch\""));
    let said = workplace.run("train --resume --out run");
    assert!(said.stderr.contains("finished already"), "{said}");
}

#[test]
fn a_session_that_the_model_does_not_know_is_the_first_thing_said() {
    let workplace = trained(1);
    workplace
        .succeed(&format!("train {FIRST} --out high --epochs 1 --quiet --set data.regions=PO,CA1 {SMALL}"));
    for command in [
        format!("predict run {SECOND} --hide regions NOWHERE --out p.parquet"),
        format!("predict run {SECOND} --hide units 0 --hide bins 99 --out nowhere/p.parquet"),
        format!("evaluate high {SECOND}"),
        format!("translate high {SECOND} --out r.html"),
    ] {
        let refused = workplace.run(&command);
        assert_eq!(refused.code, Some(1), "{command}");
        let expected = "session simulated-1-01 is not one that the model knows, which are simulated-1-00";
        assert!(refused.stderr.contains(expected), "{refused}");
    }
}

#[test]
fn what_is_hidden_implies_the_prompt_which_is_said() {
    let workplace = trained(1);
    for (hide, prompt) in [
        ("units 0 1", "neuron (units are hidden)"),
        ("regions CA1", "inter-region (regions are hidden)"),
        ("bins 18-19", "causal (bins are hidden)"),
    ] {
        let output = workplace.run(&format!("predict run {FIRST} --hide {hide} --out implied.parquet"));
        assert_eq!(output.code, Some(0), "{output}");
        assert!(output.stderr.contains(&format!("prompt: {prompt}")), "{output}");
        let named = prompt.split(' ').next().unwrap();
        workplace.succeed(&format!("predict run {FIRST} --hide {hide} --prompt {named} --out named.parquet"));
        let read = |name: &str| fs::read(workplace.path(name)).unwrap();
        assert!(read("implied.parquet") == read("named.parquet"), "{hide}");
    }
    let refused =
        workplace.run(&format!("predict run {FIRST} --hide units 0 --hide bins 18-19 --out p.parquet"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--prompt is needed: things of several kinds are hidden"), "{refused}");
    // A model of one scheme has learned one prompt.
    workplace.succeed(&format!("train {FIRST} --out temporal --mask temporal --epochs 1 --quiet {SMALL}"));
    let output = workplace.run(&format!("predict temporal {FIRST} --hide bins 18-19 --out p.parquet"));
    assert!(output.stderr.contains("temporal (the only one that the model has learned)"), "{output}");
}

#[test]
fn regions_are_named_without_brackets_in_every_command_that_takes_settings() {
    let workplace = Workplace::with_sessions();
    let small = SMALL;
    workplace
        .succeed(&format!("train {FIRST} --out run --epochs 1 --quiet --set data.regions=PO,CA1 {small}"));
    let config = neuroglot::train::RunFolder::open(&workplace.path("run")).unwrap().config().unwrap();
    assert_eq!(config.data.regions, ["PO", "CA1"]);
    workplace.succeed(&format!("baseline psth {FIRST} --out b --tasks forward --set data.regions=CA1"));
    workplace.succeed(&format!("finetune run {FIRST} --out tuned --epochs 0 --set data.regions=CA1"));
    let tuned = neuroglot::train::RunFolder::open(&workplace.path("tuned")).unwrap().config().unwrap();
    assert_eq!(tuned.data.regions, ["CA1"]);
}

#[test]
fn a_matrix_is_as_wide_as_the_terminal_at_most() {
    let workplace = trained(1);
    let table = |columns: &str| {
        let mut command = workplace.command(&format!("translate run {FIRST} --out r.html --quiet"));
        workplace.output(command.env("COLUMNS", columns)).stdout
    };
    let (narrow, wide) = (table("60"), table("1000"));
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    assert_eq!(wide.matches("target").count(), 1);
    let blocks = narrow.matches("target").count();
    assert!(blocks > 1, "{narrow}");
    // All numbers of the one are in the other.
    let numbers = |text: &str| -> Vec<String> {
        let cells = text.lines().skip(1).flat_map(|line| line.split("  ")).map(str::trim);
        let mut cells: Vec<String> = cells.filter(|cell| cell.contains('[')).map(str::to_owned).collect();
        cells.sort();
        cells
    };
    assert_eq!(numbers(&narrow), numbers(&wide));
}
