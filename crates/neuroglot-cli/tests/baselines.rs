//! Baselines and the translation of regions from the command line.

mod common;

use common::{FIRST, SMALL, SYSTEM_WORDS, Workplace};
use neuroglot::eval::read_evaluation;
use serde_json::Value;
use std::fs;

/// What is left out of snapshots because rounding and speed differ between systems.
const WITHOUT_NUMBERS: [(&str, &str); 3] =
    [(r"[−+]?\d+\.\d+", "[NUMBER]"), (r" {2,}", "  "), (r"(?m)^evaluating .*\n", "")];

const BOTH: &str = "data/simulated-1-00_aligned data/simulated-1-01_aligned";

/// A snapshot of exit code, standard output and standard error, without what depends on rounding.
macro_rules! snapshot {
    ($output:expr, $name:literal, $filters:expr) => {
        insta::with_settings!({ filters => $filters }, {
            insta::assert_snapshot!($name, $output.to_string());
        });
    };
}

#[test]
fn baselines_are_kept_and_compared_beside_a_run() {
    let workplace = Workplace::with_sessions();
    let tasks = "--tasks co-smoothing,forward,wheel-speed";
    let output = workplace.run(&format!("baseline psth ridge linear {BOTH} --out b --min-rate 0.5 {tasks}"));
    snapshot!(output, "baseline", WITHOUT_NUMBERS);
    for name in ["psth", "ridge", "linear"] {
        for file in ["evaluation.json", "summary.json", "units.parquet"] {
            assert!(workplace.path("b").join(name).join("evaluation").join(file).is_file(), "{name} {file}");
        }
    }
    let info: Value =
        serde_json::from_str(&fs::read_to_string(workplace.path("b/ridge/baseline.json")).unwrap()).unwrap();
    assert_eq!(info["data"]["min_rate"], 0.5);
    assert_eq!(info["choices"].as_array().unwrap().len(), 4, "two tasks of two sessions");

    // The same units and trials as a run: the pairs are all of them.
    workplace.succeed(&format!("train {BOTH} --out run --epochs 2 --min-rate 0.5 {SMALL}"));
    workplace.succeed(&format!("evaluate run {tasks}"));
    let run = read_evaluation(&workplace.path("run/evaluation")).unwrap();
    let comparison = workplace.succeed_json("compare b/psth run b/linear --json");
    assert_eq!(comparison["runs"], serde_json::json!(["psth", "run", "linear"]));
    let rows = comparison["rows"].as_array().unwrap();
    for session in &run.sessions {
        let of = |task: &str, score: &str| {
            let found =
                |row: &&Value| row["session"] == session.eid && row["task"] == task && row["score"] == score;
            rows.iter().find(found).unwrap_or_else(|| panic!("{task} {score}"))
        };
        let scored = session.tasks[0].per_unit.iter().filter(|unit| unit.bps.is_some()).count();
        assert_eq!(of("co-smoothing", "bps")["differences"][1]["units"], scored);
        assert!(of("co-smoothing", "bps")["values"][2].is_null(), "linear predicts no unit");
        assert!(
            of("wheel-speed", "r2")["values"][0].is_null() && of("wheel-speed", "r2")["values"][2].is_f64()
        );
    }
    workplace.succeed("report run b/ridge b/linear --out r.html");
    let page = fs::read_to_string(workplace.path("r.html")).unwrap();
    for text in [
        "baseline: ridge regression",
        "chosen for co-smoothing",
        "neuroglot baseline ridge",
        "predicts no unit",
    ] {
        assert!(page.contains(text), "{text}");
    }

    // A run's settings choose its units and trials, and evaluations are replaced.
    let again = workplace
        .succeed_json(&format!("baseline ridge {BOTH} --out b --config run/config.toml {tasks} --json"));
    let kept = fs::read_to_string(workplace.path("b/ridge/evaluation/summary.json")).unwrap();
    assert_eq!(again["ridge"], serde_json::from_str::<Value>(&kept).unwrap());
    let rates = workplace
        .succeed(&format!("baseline ridge {BOTH} --out c --min-rate 0.5 {tasks} --threads 1 --json"));
    assert_eq!(serde_json::from_str::<Value>(&rates).unwrap(), again, "on any number of threads");
}

#[test]
fn every_baseline_has_a_name() {
    let workplace = Workplace::with_sessions();
    let scores =
        workplace.succeed_json(&format!("baseline all {FIRST} --out b --tasks forward,wheel-speed --json"));
    let names: Vec<&String> = scores.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["unit-mean", "psth", "history", "ridge", "poisson-glm", "reduced-rank", "linear", "mlp"]
    );
}

#[test]
fn what_cannot_be_a_baseline() {
    let workplace = Workplace::with_sessions();
    let errors = |arguments: &str| workplace.run(&format!("--quiet baseline {arguments}"));
    snapshot!(errors(&format!("glm {FIRST} --out b")), "baseline_unknown", SYSTEM_WORDS);
    snapshot!(errors(&format!("psth glm {FIRST} --out b")), "baseline_unknown_second", SYSTEM_WORDS);
    snapshot!(errors(&format!("{FIRST} --out b")), "baseline_unnamed", SYSTEM_WORDS);
    snapshot!(errors("psth --out b"), "baseline_without_session", SYSTEM_WORDS);
    snapshot!(errors("psth nowhere/x_aligned --out b"), "baseline_no_such_session", SYSTEM_WORDS);
    snapshot!(
        errors(&format!("psth {FIRST} --out b --set model.hidden=3")),
        "baseline_setting",
        SYSTEM_WORDS
    );
    snapshot!(errors(&format!("psth {FIRST} --out b --tasks licking")), "baseline_task", SYSTEM_WORDS);
    fs::write(workplace.path("file"), "mine").unwrap();
    snapshot!(errors(&format!("psth {FIRST} --out file")), "baseline_unwritable", SYSTEM_WORDS);
    fs::create_dir_all(workplace.path("b/psth/evaluation")).unwrap();
    fs::write(workplace.path("b/psth/evaluation/notes.txt"), "mine").unwrap();
    snapshot!(errors(&format!("psth {FIRST} --out b")), "baseline_over_other_files", SYSTEM_WORDS);
    // A folder whose file is damaged.
    fs::create_dir(workplace.path("damaged")).unwrap();
    fs::write(workplace.path("damaged/baseline.json"), "{").unwrap();
    let damaged = workplace.run("--quiet report damaged --out r.html");
    snapshot!(damaged, "baseline_damaged", SYSTEM_WORDS);
}

#[test]
fn regions_are_translated_into_a_page_and_scores() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("train {FIRST} --out run --epochs 2 {SMALL}"));
    // In one line however wide, as numbers may differ in width.
    let mut command = workplace.command(&format!("translate run {FIRST} --out regions.html --quiet"));
    let output = workplace.output(command.env("COLUMNS", "1000"));
    snapshot!(output, "translate", WITHOUT_NUMBERS);
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(workplace.path("regions.json")).unwrap()).unwrap();
    let printed = workplace.succeed_json(&format!("translate run {FIRST} --out again.html --json"));
    assert_eq!(printed, kept);
    let regions = kept["regions"].as_array().unwrap().len();
    let scores = kept["scores"].as_array().unwrap();
    assert_eq!(scores.len(), regions * (regions + 1));
    // Both ends are those of the tasks themselves.
    workplace.succeed("evaluate run --tasks intra-region,inter-region");
    let evaluation = read_evaluation(&workplace.path("run/evaluation")).unwrap();
    let session = &evaluation.sessions[0];
    for score in scores.iter().filter(|score| score["from"] != "region") {
        let task = if score["from"] == "itself" { "intra-region" } else { "inter-region" };
        let result = session.tasks.iter().find(|result| result.task == task).unwrap();
        let units = session.units.iter().zip(&result.per_unit);
        let of_region: Vec<f64> = units
            .filter(|(unit, _)| unit.region == score["target"].as_str().unwrap())
            .filter_map(|(_, unit)| unit.bps)
            .collect();
        let mean = of_region.iter().sum::<f64>() / of_region.len() as f64;
        let [found, low, high] = ["bps", "low", "high"].map(|key| score[key].as_f64().unwrap());
        assert!((found - mean).abs() < 1e-12 && low <= found && found <= high, "{score}");
    }
    let page = fs::read_to_string(workplace.path("regions.html")).unwrap();
    for text in ["<svg", "neuroglot translate run", "all other regions", "CA1 alone"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<script"));
}

#[test]
fn what_cannot_be_translated() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("--quiet train {FIRST} --out run --epochs 1 {SMALL}"));
    workplace
        .succeed(&format!("--quiet train {FIRST} --out one --epochs 1 --set data.regions=[\"CA1\"] {SMALL}"));
    let errors = |arguments: &str| workplace.run(&format!("--quiet translate {arguments}"));
    snapshot!(errors(&format!("nowhere {FIRST} --out r.html")), "translate_no_run", SYSTEM_WORDS);
    snapshot!(
        errors("run data/simulated-1-01_aligned --out r.html"),
        "translate_session_of_another_run",
        SYSTEM_WORDS
    );
    snapshot!(errors(&format!("one {FIRST} --out r.html")), "translate_one_region", SYSTEM_WORDS);
    snapshot!(errors(&format!("run {FIRST} --out r.json")), "translate_over_its_scores", SYSTEM_WORDS);
    fs::write(workplace.path("file"), "mine").unwrap();
    snapshot!(errors(&format!("run {FIRST} --out file/r.html")), "translate_unwritable", SYSTEM_WORDS);
}
