//! Fine-tuning, learning curves and imported checkpoints, each judged by what it says and leaves behind.

mod common;

use common::{FIRST, SMALL, SYSTEM_WORDS, Workplace, assert_same_run};
use serde_json::Value;
use std::fs;
use std::path::Path;

const SECOND: &str = "data/simulated-1-01_aligned";
/// Numbers differ between processors in their last digits.
const WITHOUT_NUMBERS: [(&str, &str); 2] = [(r"[−+]?\d+\.\d+", "[NUMBER]"), (r" {2,}", "  ")];

/// With a run `mtm` of the first session.
fn trained() -> Workplace {
    let workplace = Workplace::with_sessions();
    let options = format!("--epochs 4 --min-rate 0.1 --set train.validate_every=2 {SMALL}");
    workplace.succeed(&format!("train {FIRST} --out mtm --quiet {options}"));
    workplace
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_run_is_fine_tuned_on_a_new_session_and_used_like_any_other() {
    let workplace = trained();
    let command =
        format!("finetune mtm {SECOND} --out tuned --epochs 2 --freeze trunk --stitcher regression");
    let output = workplace.run(&command);
    insta::with_settings!({ filters => WITHOUT_NUMBERS }, {
        insta::assert_snapshot!("finetune", output.to_string());
    });
    // Settings are those of the base, but for what was asked for.
    let config = fs::read_to_string(workplace.path("tuned/config.toml")).unwrap();
    for line in
        ["hidden = 16", "min_rate = 0.1", "freeze = \"trunk\"", "stitcher = \"regression\"", "epochs = 2"]
    {
        assert!(config.contains(line), "{line} in\n{config}");
    }
    let known = json(&workplace.path("tuned/last/config.json"));
    assert_eq!(known["base"]["model"]["sessions"][0]["eid"], "simulated-1-00");
    let scores = workplace.succeed_json("evaluate tuned --tasks forward --json");
    assert!(scores["simulated-1-01"]["forward"]["bps"].is_f64());
    workplace.succeed(&format!("predict tuned {SECOND} --prompt neuron --out p.parquet"));
    workplace.succeed("report tuned --out tuned.html");
    assert!(!fs::read_to_string(workplace.path("tuned.html")).unwrap().contains("NaN"));

    // From a checkpoint folder, with everything kept, no step changes nothing.
    let same = workplace.succeed_json(&format!("finetune mtm/best {FIRST} --out same --epochs 0 --json"));
    assert_eq!((&same["steps"], &same["kept_stitchers"][0]), (&0.into(), &"simulated-1-00".into()));
    let tasks = "--tasks co-smoothing,inter-region --json";
    let scores = |run: &str| workplace.succeed_json(&format!("evaluate {run} {tasks} --out {run}-scores"));
    assert_eq!(scores("mtm"), scores("same"));
    let new =
        workplace.succeed_json(&format!("finetune mtm {FIRST} --out new --epochs 0 --json --new-stitchers"));
    assert_eq!(new["kept_stitchers"].as_array().unwrap().len(), 0);
    assert!(new["start"]["score"].is_f64());
}

#[test]
fn a_fine_tuning_goes_on_where_it_was_stopped() {
    let workplace = trained();
    let options = "--epochs 4 --trials 16 --set train.sampling=balanced --set train.checkpoint_seconds=0";
    workplace.succeed(&format!("finetune mtm {FIRST} {SECOND} --out whole {options} --quiet"));
    // As a kill before the first checkpoint leaves it.
    workplace.succeed(&format!("finetune mtm {FIRST} {SECOND} --out broken {options} --quiet"));
    for folder in ["best", "last"] {
        fs::remove_dir_all(workplace.path("broken").join(folder)).unwrap();
    }
    let info = workplace.path("broken/run.json");
    let unfinished = fs::read_to_string(&info).unwrap().replace("\"finished\": true", "\"finished\": false");
    fs::write(&info, unfinished).unwrap();
    workplace.succeed("finetune --resume --out broken --quiet");
    assert_same_run(&workplace.path("whole"), &workplace.path("broken"));
    // 16 trials of each of two sessions in batches of 8.
    let metrics = fs::read_to_string(workplace.path("whole/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!((&last["epoch"], &last["step"]), (&4.into(), &16.into()));
    assert_eq!(metrics.lines().count(), 5, "one line before the first step");
}

#[test]
fn a_learning_curve_has_a_point_per_number_of_trials_and_is_not_made_twice() {
    let workplace = trained();
    let command = format!("learning-curve mtm {SECOND} --trials 8,16 --steps 4 --scratch --out curve");
    let output = workplace.run(&format!("{command} --quiet"));
    insta::with_settings!({ filters => WITHOUT_NUMBERS }, {
        insta::assert_snapshot!("learning_curve", output.to_string());
    });
    let found = json(&workplace.path("curve/learning-curve.json"));
    let points = found["points"].as_array().unwrap();
    let of = |point: &Value| (point["start"].as_str().unwrap().to_owned(), point["trials"].as_u64().unwrap());
    let starts = ["fine-tuned", "from-scratch"];
    let expected: Vec<(String, u64)> =
        [8, 16].iter().flat_map(|n| starts.map(|start| (start.to_owned(), *n))).collect();
    assert_eq!(points.iter().map(of).collect::<Vec<_>>(), expected);
    for point in points {
        // Batches of 8: as many steps with one batch an epoch as with two.
        assert_eq!(point["steps"], 4);
        let summary =
            json(&workplace.path(&format!("{}/evaluation/summary.json", point["run"].as_str().unwrap())));
        for task in ["co-smoothing", "forward", "intra-region", "inter-region"] {
            assert_eq!(point["scores"][task]["bps"], summary["simulated-1-01"][task]["bps"], "{task}");
        }
    }
    let page = fs::read_to_string(workplace.path("curve/learning-curve.html")).unwrap();
    assert!(page.contains("from scratch") && page.contains("--trials 8,16 --steps 4 --scratch --out curve"));

    // Other numbers of trials stand beside those that are there, and other steps do not.
    let beside = workplace.succeed_json(&format!(
        "learning-curve mtm {SECOND} --trials 12 --steps 4 --out curve --json --quiet"
    ));
    let found: Vec<(String, u64)> = beside["points"].as_array().unwrap().iter().map(of).collect();
    let expected = [
        ("fine-tuned", 8),
        ("from-scratch", 8),
        ("fine-tuned", 12),
        ("fine-tuned", 16),
        ("from-scratch", 16),
    ];
    assert_eq!(found, expected.map(|(start, trials)| (start.to_owned(), trials)));
    let page = fs::read_to_string(workplace.path("curve/learning-curve.html")).unwrap();
    assert!(page.contains("--trials 8,12,16 --steps 4 --scratch --out curve"));
    let other = workplace.run(&format!("learning-curve mtm {SECOND} --trials 12 --steps 9 --out curve"));
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("points of steps 4, not 9"), "{other}");
    fs::remove_dir_all(workplace.path("curve/fine-tuned-12")).unwrap();
    fs::remove_file(workplace.path("curve/learning-curve.json")).unwrap();

    // Again, with another point: those that are there stay as they are.
    let evaluated = workplace.path("curve/fine-tuned-8/evaluation/evaluation.json");
    let before = fs::metadata(&evaluated).unwrap().modified().unwrap();
    fs::remove_dir_all(workplace.path("curve/fine-tuned-16")).unwrap();
    let again = workplace.succeed_json(&format!("{} --json --quiet", command.replace("8,16", "8,16,24")));
    assert_eq!(again["points"].as_array().unwrap().len(), 6);
    assert_eq!(again["points"].as_array().unwrap()[..4], points[..]);
    assert_eq!(fs::metadata(&evaluated).unwrap().modified().unwrap(), before);
}

#[test]
fn a_checkpoint_of_pytorch_becomes_a_run_that_is_evaluated_predicts_and_is_fine_tuned() {
    let workplace = Workplace::new();
    for (seed, units) in [(4, 4), (5, 5)] {
        workplace.succeed(&format!(
            "simulate data --sessions 1 --units {units} --trials 40 --bins 6 --seed {seed}"
        ));
    }
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../neuroglot-train/tests/checkpoints");
    for name in ["plain.pt", "whole_model.pt"] {
        fs::copy(Path::new(fixtures).join(name), workplace.path(name)).unwrap();
    }
    let table = "heads = 2\n\
                 [[sessions]]\npath = 'data/simulated-4-00_aligned'\nstitcher = '4'\nrow = 1\n\
                 [[sessions]]\npath = 'data/simulated-5-00_aligned'\nstitcher = '5'\nrow = 0\n";
    fs::write(workplace.path("table.toml"), table).unwrap();
    let output = workplace.run("import-checkpoint plain.pt --sessions table.toml --out published");
    insta::assert_snapshot!("import_checkpoint", output.to_string());
    workplace.succeed("evaluate published --tasks co-smoothing,forward");
    workplace.succeed("predict published data/simulated-4-00_aligned --prompt neuron --out p.parquet");
    let tuned = workplace.succeed_json(
        "finetune published data/simulated-4-00_aligned --out tuned --epochs 1 --set train.batch=8 --json",
    );
    assert_eq!(tuned["kept_stitchers"][0], "simulated-4-00");
    workplace.succeed("report published --out published.html");
    // There is nothing to resume: the weights that were imported stay.
    let best = workplace.path("published/best/model.safetensors");
    let imported = fs::read(&best).unwrap();
    insta::assert_snapshot!(
        "resume_of_an_import",
        workplace.run("--quiet train --resume --out published").to_string()
    );
    assert!(fs::read(&best).unwrap() == imported);

    let errors = [
        ("import_whole_model", "import-checkpoint whole_model.pt --sessions table.toml --out other"),
        ("import_other_heads", "import-checkpoint plain.pt --sessions table.toml --heads 3 --out other"),
        ("import_over_a_run", "import-checkpoint plain.pt --sessions table.toml --out published"),
        ("import_no_table", "import-checkpoint plain.pt --sessions nowhere.toml --out other"),
    ];
    for (name, command) in errors {
        insta::with_settings!({ filters => SYSTEM_WORDS }, {
            insta::assert_snapshot!(name, workplace.run(&format!("--quiet {command}")).to_string());
        });
    }
    assert!(!workplace.path("other").exists());
}

#[test]
fn what_cannot_be_fine_tuned_is_one_line_that_names_the_cure() {
    let workplace = trained();
    workplace.succeed("simulate short --sessions 1 --units 12 --trials 40 --bins 10 --seed 2");
    let errors = [
        ("finetune_from_nothing", format!("finetune nowhere {SECOND} --out tuned")),
        ("finetune_without_a_session", "finetune mtm --out tuned".to_owned()),
        ("finetune_another_size", format!("finetune mtm {SECOND} --out tuned --set model.hidden=32")),
        ("finetune_other_bins", "finetune mtm short/simulated-2-00_aligned --out tuned".to_owned()),
        ("finetune_unknown_stitcher", format!("finetune mtm {SECOND} --out tuned --stitcher region")),
        ("freeze_without_a_base", format!("train {SECOND} --out tuned --set train.freeze=trunk")),
        ("curve_of_too_many_trials", format!("learning-curve mtm {SECOND} --trials 8,100 --out curve")),
    ];
    for (name, command) in errors {
        insta::with_settings!({ filters => SYSTEM_WORDS }, {
            insta::assert_snapshot!(name, workplace.run(&format!("--quiet {command}")).to_string());
        });
    }
    assert!(!workplace.path("tuned").exists() && !workplace.path("curve").exists());
}
