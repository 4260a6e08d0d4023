//! Baselines as cells of a study.
#![cfg(unix)]

mod common;

use common::{SYSTEM_WORDS, TINY_STUDY, Workplace, assert_same_cells};
use neuroglot::baselines::Baseline;
use neuroglot::eval::read_evaluation;
use neuroglot::tasks::results::SessionEvaluation;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const STUDY: &str = "--quiet study tiny.toml --data data --out out";
const TASKS: &str = "--tasks co-smoothing,forward,intra-region,inter-region,wheel-speed";
const HELD_OUT: [&str; 2] = ["simulated-1-02", "simulated-1-03"];

fn workplace(study: &str) -> Workplace {
    let workplace = Workplace::new();
    workplace.succeed("simulate data --sessions 4 --units 12 --trials 40 --bins 20 --seed 1");
    fs::write(workplace.path("tiny.toml"), study).unwrap();
    workplace
}

/// What the evaluation of a method's cell says of a session.
fn evaluation(out: &Path, method: &str, eid: &str) -> SessionEvaluation {
    let is_together = method == "baseline/reduced-rank";
    let name = if is_together { "4-sessions" } else { eid };
    let sessions = read_evaluation(&out.join(format!("cells/{method}_{name}/evaluation"))).unwrap().sessions;
    assert_eq!(sessions.len(), if is_together { 4 } else { 1 });
    sessions.into_iter().find(|session| session.eid == eid).unwrap()
}

/// A column of a session: bits/spike of its units, or how well the behaviour is decoded.
fn column(session: &SessionEvaluation, name: &str) -> Vec<Option<f64>> {
    let task = session.tasks.iter().find(|result| result.task == name);
    let behaviour = session.decoding.iter().find(|result| result.behaviour == name);
    match (task, behaviour) {
        (Some(task), _) => task.per_unit.iter().map(|unit| unit.bps).collect(),
        (None, Some(behaviour)) => vec![Some(behaviour.score)],
        (None, None) => Vec::new(),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_table_says_how_the_units_of_two_cells_differ() {
    let workplace = workplace(TINY_STUDY);
    let done = workplace.succeed_json(&format!("{STUDY} --json"));
    assert_eq!((&done["made"], &done["cells"]), (&19.into(), &19.into()));
    let out = workplace.path("out");
    let study: Value = serde_json::from_str(&fs::read_to_string(out.join("study.json")).unwrap()).unwrap();
    let tables = study["tables"].as_array().unwrap();
    let table = tables.iter().find(|table| table["id"] == "baselines").unwrap();
    let rows = table["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, [&["MtM, from scratch"], Baseline::ALL.map(Baseline::name).as_slice()].concat());

    let columns = ["co-smoothing", "forward", "intra-region", "inter-region", "wheel-speed"];
    let mut empty = Vec::new();
    for (row, name) in rows.iter().zip(&names).skip(1) {
        for (column_name, cell) in columns.into_iter().zip(row["cells"].as_array().unwrap()) {
            let (mut scores, mut differences) = (Vec::new(), Vec::new());
            for eid in HELD_OUT {
                let baseline = evaluation(&out, &format!("baseline/{name}"), eid);
                let model = evaluation(&out, "scratch/ndt1-stitch_mtm_s42", eid);
                // The same units, in the same order.
                assert_eq!(baseline.units, model.units);
                let (baseline, model) = (column(&baseline, column_name), column(&model, column_name));
                scores.push(baseline.iter().flatten().copied().collect::<Vec<f64>>());
                let pairs = baseline.iter().zip(&model).filter_map(|(a, b)| Some((*a)? - (*b)?));
                differences.push(pairs.collect::<Vec<f64>>());
            }
            if cell.is_null() {
                assert!(scores.concat().is_empty(), "{name} {column_name}");
                empty.push((*name, column_name));
                continue;
            }
            let over_sessions = |of: &[Vec<f64>]| mean(&of.iter().map(|of| mean(of)).collect::<Vec<_>>());
            let score = cell["score"]["mean"].as_f64().unwrap();
            assert!((score - over_sessions(&scores)).abs() < 1e-12, "{name} {column_name}");
            assert_eq!(cell["score"]["sessions"], 2, "only held-out sessions count");
            let difference = &cell["difference"]["estimate"];
            let found = difference["mean"].as_f64().unwrap();
            assert!((found - over_sessions(&differences)).abs() < 1e-12, "{name} {column_name}");
            if column_name != "wheel-speed" {
                assert_eq!(difference["units"], differences.concat().len());
            }
        }
    }
    let none_of_units = ["co-smoothing", "forward", "intra-region", "inter-region"];
    let mut expected = vec![("unit-mean", "wheel-speed"), ("psth", "wheel-speed")];
    expected.extend(
        ["co-smoothing", "intra-region", "inter-region", "wheel-speed"].map(|task| ("history", task)),
    );
    expected.extend([("ridge", "wheel-speed"), ("poisson-glm", "wheel-speed")]);
    expected.extend(["linear", "mlp"].into_iter().flat_map(|name| none_of_units.map(|task| (name, task))));
    assert_eq!(empty, expected);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Against the baselines") && page.contains("poisson-glm"));

    // A cell is what the command makes of the same sessions.
    let one = "unit-mean poisson-glm mlp data/simulated-1-03_aligned";
    workplace.succeed(&format!("--quiet baseline {one} --out b {TASKS}"));
    let all = format!("\"$NEUROGLOT\" --quiet baseline reduced-rank data/*_aligned --out b {TASKS}");
    assert_eq!(workplace.script(&all).code, Some(0));
    for name in ["unit-mean", "poisson-glm", "mlp", "reduced-rank"] {
        let of_command = read_evaluation(&workplace.path(&format!("b/{name}/evaluation"))).unwrap();
        let expected = of_command.sessions.iter().find(|session| session.eid == "simulated-1-03").unwrap();
        let found = evaluation(&out, &format!("baseline/{name}"), "simulated-1-03");
        assert!(found == *expected, "{name} differs");
    }
    // And can be set beside others as such.
    let cells = "out/cells/baseline/psth_simulated-1-02 out/cells/scratch/ndt1-stitch_mtm_s42_simulated-1-02";
    let comparison = workplace.succeed_json(&format!("compare {cells} --json"));
    assert_eq!(comparison["runs"][0], "psth_simulated-1-02");
}

/// The tiny study without models.
fn baselines_alone() -> String {
    TINY_STUDY.replace("[held_out]", "exclude = [{ stage = 'scratch' }]\n[held_out]")
}

#[test]
fn shares_and_kills_change_nothing() {
    let whole = workplace(&baselines_alone());
    let listed = whole.succeed(&format!("{STUDY} --dry-run --shards 2"));
    insta::assert_snapshot!("dry_run", listed);
    let second_share = listed.matches("2/2").count() as u64;
    assert!(!whole.path("out").exists());
    assert_eq!(whole.succeed_json(&format!("{STUDY} --json"))["made"], 15);
    let before = common::files(&whole.path("out/cells"));
    assert_eq!(whole.succeed_json(&format!("{STUDY} --json"))["made"], 0);
    assert!(common::files(&whole.path("out/cells")) == before);
    assert!(whole.path("out/tables/baselines.csv").is_file());

    let broken = workplace(&baselines_alone());
    let mut child = broken.command(&format!("{STUDY} --shard 2/2"));
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let finished = || -> usize {
        let cells = fs::read_dir(broken.path("out/cells/baseline")).into_iter().flatten().flatten();
        cells.filter(|cell| cell.path().join("cell.json").exists()).count()
    };
    let patience = Instant::now() + Duration::from_secs(120);
    while finished() < 3 && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < patience, "no third cell comes");
        std::thread::sleep(Duration::from_millis(1));
    }
    broken.script(&format!("kill -KILL {}", child.id()));
    assert_eq!(child.wait().unwrap().code(), None, "killed before the end");
    let done = finished() as u64;
    let again = broken.succeed_json(&format!("{STUDY} --shard 2/2 --json"));
    assert_eq!(again["made"].as_u64(), Some(second_share - done), "what was finished is not made again");
    broken.succeed(&format!("{STUDY} --shard 1/2"));
    assert_same_cells(&whole.path("out"), &broken.path("out"));
}

#[test]
fn units_are_those_that_the_study_keeps() {
    let study = TINY_STUDY.replace("[model]", "[data]\nmin_rate = 4.0\n[model]");
    let study = study
        .replace("[\"all\"]", "[\"psth\", \"reduced-rank\"]")
        .replace("[\"mtm\", \"temporal\"]", "[\"mtm\"]");
    let workplace = workplace(&study);
    workplace.succeed(STUDY);
    let out = workplace.path("out");
    for eid in HELD_OUT {
        let model = evaluation(&out, "scratch/ndt1-stitch_mtm_s42", eid);
        assert!(!model.units.is_empty() && model.units.len() < 12, "{}", model.units.len());
        for name in ["psth", "reduced-rank"] {
            let baseline = evaluation(&out, &format!("baseline/{name}"), eid);
            assert_eq!((&baseline.units, baseline.trials), (&model.units, model.trials));
        }
    }
    // Another filter makes another baseline, which does not take the place of the first.
    let other = study
        .replace("min_rate = 4.0", "min_rate = 3.0")
        .replace("[held_out]", "exclude = [{ mask = 'mtm' }]\n[held_out]");
    fs::write(workplace.path("tiny.toml"), other).unwrap();
    insta::assert_snapshot!("other_filter", workplace.run(STUDY).to_string());
}

#[test]
fn what_cannot_be_a_baseline_of_a_study() {
    let workplace = workplace(&TINY_STUDY.replace("\"all\"", "\"psth\", \"glm\""));
    let snapshot = |name: &str| {
        insta::with_settings!({ filters => SYSTEM_WORDS }, {
            insta::assert_snapshot!(name, workplace.run(STUDY).to_string());
        });
    };
    snapshot("unknown");
    fs::write(workplace.path("tiny.toml"), TINY_STUDY.replace("[model]", "[data]\ntrials = 10\n[model]"))
        .unwrap();
    snapshot("few_trials");
    assert!(!workplace.path("out").exists());
    // Other files where a cell keeps its scores are left alone.
    fs::write(workplace.path("tiny.toml"), baselines_alone().replace("\"all\"", "\"psth\"")).unwrap();
    let evaluation = workplace.path("out/cells/baseline/psth_simulated-1-02/evaluation");
    fs::create_dir_all(&evaluation).unwrap();
    fs::write(evaluation.join("notes.txt"), "mine").unwrap();
    snapshot("over_other_files");
}
