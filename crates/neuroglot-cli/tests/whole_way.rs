//! From simulated recordings to the report, each step judged by what it says and leaves behind.

mod common;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use common::{FIRST, SMALL, Workplace};
use neuroglot::data::Session;
use neuroglot::eval::read_evaluation;
use neuroglot::train::RunFolder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::fs::{self, File};

const EIDS: [&str; 2] = ["simulated-1-00", "simulated-1-01"];
const TASKS: [&str; 4] = ["co-smoothing", "forward", "intra-region", "inter-region"];

/// Numbers differ between processors in their last digits, which may also move columns and change a verdict.
const WITHOUT_NUMBERS: [(&str, &str); 3] = [(r"[−+]?\d+\.\d+", "[NUMBER]"), (r" {2,}", "  "), (r" [▲▼]", "")];

#[test]
fn the_whole_way() {
    let workplace = Workplace::new();
    let paths = workplace.succeed("simulate data --sessions 2 --units 12 --trials 40 --bins 20 --seed 1");
    assert_eq!(paths, format!("data/{}_aligned\ndata/{}_aligned\n", EIDS[0], EIDS[1]));

    inspect(&workplace);
    train(&workplace);
    evaluate(&workplace);
    compare(&workplace);
    report(&workplace);
}

fn inspect(workplace: &Workplace) {
    let sessions = "data/simulated-1-00_aligned data/simulated-1-01_aligned";
    insta::assert_snapshot!("inspect", workplace.run(&format!("inspect {sessions}")).to_string());
    let summaries = workplace.succeed_json(&format!("inspect {sessions} --json"));
    for (summary, eid) in summaries.as_array().unwrap().iter().zip(EIDS) {
        assert_eq!(summary["eid"], eid);
        assert_eq!((&summary["units"], &summary["bins"]), (&Value::from(12), &Value::from(20)));
        // 70/10/20 of 40 trials.
        let splits = ["train", "validation", "test"].map(|split| summary["trials"][split].as_u64().unwrap());
        assert_eq!(splits, [28, 4, 8]);
    }
}

fn train(workplace: &Workplace) {
    let sessions = "data/simulated-1-00_aligned data/simulated-1-01_aligned";
    let options = format!("--epochs 6 --seed 7 --min-rate 0.5 --set train.validate_every=2 {SMALL}");
    let summary = workplace.succeed_json(&format!("train {sessions} --out mtm --json --threads 1 {options}"));
    // 28 training trials make 3 batches of about 8 in each of 2 sessions.
    assert_eq!((&summary["epochs"], &summary["steps"]), (&Value::from(6), &Value::from(6 * 2 * 3)));
    assert_eq!((&summary["run"], &summary["stopped_early"]), (&Value::from("mtm"), &Value::from(false)));
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);

    let run = RunFolder::open(&workplace.path("mtm")).unwrap();
    let config = run.config().unwrap();
    assert_eq!((config.seed, config.data.min_rate, config.train.epochs), (7, 0.5, 6));
    let records = run.metrics().unwrap();
    assert_eq!(records.iter().map(|record| record.epoch).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(records.iter().all(|record| record.loss.is_finite() && record.learning_rate > 0.0));
    let validated = records.iter().filter(|record| !record.validation.is_empty());
    assert_eq!(validated.map(|record| record.epoch).collect::<Vec<_>>(), [2, 4, 6]);
    let best = records.iter().filter_map(|record| record.score).fold(f64::MIN, f64::max);
    assert_eq!(summary["best"]["score"].as_f64().unwrap(), best);
    let places = run.info().unwrap().sessions;
    assert!(places.iter().all(|place| place.is_absolute() && place.is_dir()), "found from anywhere");

    let temporal = workplace.run(&format!("train {sessions} --out temporal --mask temporal {options}"));
    insta::with_settings!({ filters => WITHOUT_NUMBERS }, {
        insta::assert_snapshot!("train", temporal.to_string());
    });
    // Quiet is quiet, and a finished run stays as it is.
    let before = common::files(&workplace.path("mtm"));
    let again = workplace.run("train --resume --out mtm --quiet");
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    assert!(common::files(&workplace.path("mtm")) == before);
}

fn evaluate(workplace: &Workplace) {
    let scores = workplace.succeed_json("evaluate mtm --json");
    for eid in EIDS {
        for task in TASKS {
            let task = &scores[eid][task];
            for score in ["bps", "bps_pooled", "d2", "r2"] {
                assert!(task[score].is_f64(), "{score} of {task}");
                assert!(task["ceiling"][score].is_f64(), "ceiling {score} of {task}");
            }
        }
        // The true rates know more than each unit's mean, and more than six epochs teach.
        let co_smoothing = &scores[eid]["co-smoothing"];
        let (model, ceiling) = (&co_smoothing["bps_pooled"], &co_smoothing["ceiling"]["bps_pooled"]);
        assert!(ceiling.as_f64().unwrap() > 0.0 && ceiling.as_f64() > model.as_f64());
        assert!(scores[eid]["wheel-speed"]["r2"].as_f64().unwrap() <= 1.0);
        assert!(scores[eid]["whisker-motion-energy"]["r2"].as_f64().unwrap() <= 1.0);
    }
    let accuracy = scores[EIDS[0]]["choice"]["accuracy"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&accuracy) && (accuracy * 8.0).fract() == 0.0, "of 8 test trials");
    // Few choices to one side make fewer folds; that no test trial is rewarded wrongly is said, in the snapshot below.
    for score in ["accuracy", "chance", "balanced_accuracy", "auc"] {
        assert!(scores[EIDS[1]]["choice"][score].is_f64(), "{score}");
    }
    let kept = fs::read_to_string(workplace.path("mtm/evaluation/summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), scores);
    assert!(workplace.path("mtm/evaluation/units.parquet").is_file());

    // Again, on another number of threads, for the table.
    let table = workplace.run("evaluate mtm --quiet --threads 2");
    insta::with_settings!({ filters => WITHOUT_NUMBERS }, {
        insta::assert_snapshot!("evaluate", table.to_string());
    });
    let again = fs::read_to_string(workplace.path("mtm/evaluation/summary.json")).unwrap();
    assert_eq!(again, kept, "scores do not depend on threads");

    let some = workplace.succeed_json(&format!(
        "evaluate mtm {FIRST} --tasks forward,choice --checkpoint last --out elsewhere --json"
    ));
    assert_eq!(some.as_object().unwrap().keys().collect::<Vec<_>>(), [EIDS[0]]);
    assert_eq!(some[EIDS[0]].as_object().unwrap().keys().collect::<Vec<_>>(), ["forward", "choice"]);
    assert_eq!(read_evaluation(&workplace.path("elsewhere")).unwrap().checkpoint, "last");
}

fn compare(workplace: &Workplace) {
    workplace.succeed("evaluate temporal --quiet");
    // In one line however wide, as numbers may differ in width.
    let table = workplace.output(workplace.command("compare temporal mtm").env("COLUMNS", "1000"));
    insta::with_settings!({ filters => WITHOUT_NUMBERS }, {
        insta::assert_snapshot!("compare", table.to_string());
    });
    let comparison = workplace.succeed_json("compare temporal mtm --json");
    assert_eq!(comparison["runs"], serde_json::json!(["temporal", "mtm"]));
    let read = |run: &str| -> Value {
        let path = workplace.path(run).join("evaluation/summary.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let summaries = [read("temporal"), read("mtm")];
    let rows = comparison["rows"].as_array().unwrap();
    for (eid, task) in EIDS.iter().flat_map(|eid| TASKS.map(|task| (eid, task))) {
        let find = |score: &str| {
            rows.iter()
                .find(|row| row["session"] == **eid && row["task"] == task && row["score"] == score)
                .unwrap_or_else(|| panic!("{eid} {task} {score}"))
        };
        let row = find("bps");
        let values = summaries.each_ref().map(|summary| summary[eid][task]["bps"].as_f64().unwrap());
        for run in 0..2 {
            assert!((row["values"][run].as_f64().unwrap() - values[run]).abs() < 1e-12);
        }
        let difference = &row["differences"][1];
        assert!(row["differences"][0].is_null());
        assert!((difference["mean"].as_f64().unwrap() - (values[1] - values[0])).abs() < 1e-12);
        let [low, high] = ["low", "high"].map(|end| difference[end].as_f64().unwrap());
        let verdict = if low > 0.0 {
            "better"
        } else if high < 0.0 {
            "worse"
        } else {
            "undecided"
        };
        assert_eq!(difference["verdict"], verdict);
        assert_eq!(find("bps_pooled")["values"][1], summaries[1][eid][task]["bps_pooled"]);
    }
}

fn report(workplace: &Workplace) {
    assert_eq!(workplace.succeed("report mtm temporal --out r.html --title Masks&more"), "r.html\n");
    let page = fs::read_to_string(workplace.path("r.html")).unwrap();
    let expected =
        ["Masks&amp;more", "mtm", "temporal", "validation bits/spike", "training loss", EIDS[0], "<svg"];
    for text in expected {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.trim_end().ends_with("</html>"));
    assert!(!page.contains("<script") && !page.contains("http://localhost"));

    // Its figures alone, twice each, and the command that makes both.
    assert_eq!(workplace.succeed("report mtm --figures figures --out both.html"), "figures\nboth.html\n");
    let page = fs::read_to_string(workplace.path("both.html")).unwrap();
    assert!(page.contains("neuroglot report mtm --out both.html --figures figures"));
    let files: Vec<String> = fs::read_dir(workplace.path("figures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 2 * page.matches("<figure").count());
    let pictures: Vec<&String> = files.iter().filter(|file| file.ends_with(".svg")).collect();
    assert!(pictures.iter().all(|file| files.contains(&file.replace(".svg", ".pdf"))));
    assert!(pictures.iter().any(|file| file.starts_with(&format!("units_{}_mtm", EIDS[0]))), "{files:?}");
    let refused = workplace.run("report mtm --figures figures");
    assert!(refused.code == Some(1) && refused.stderr.contains("exists already"), "{refused}");
    assert_eq!(workplace.succeed("report mtm --figures figures --overwrite"), "figures\n");

    // A run that was not evaluated is shown with its curves.
    workplace.succeed(&format!("train {FIRST} --out fresh --epochs 2 {SMALL}"));
    workplace.succeed("report fresh --out fresh.html");
    let page = fs::read_to_string(workplace.path("fresh.html")).unwrap();
    assert!(page.contains("none yet") && page.contains("training loss"));
}

#[test]
fn predictions_are_a_table_of_what_was_hidden_and_what_was_there() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("train {FIRST} --out run --epochs 2 {SMALL}"));
    let predict = |hide: &str, out: &str| -> RecordBatch {
        let printed = workplace
            .succeed(&format!("predict run {FIRST} --prompt inter-region --out {out} {hide} --quiet"));
        assert_eq!(printed, format!("{out}\n"));
        let file = File::open(workplace.path(out)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20).build();
        reader.unwrap().next().unwrap().unwrap()
    };
    let table = predict("--hide regions CA1 --hide units 0 --hide bins 3 18-19", "hidden.parquet");
    let session = Session::read(workplace.path(FIRST)).unwrap();
    let (trials, bins, units) = (40, 20, 12);
    assert_eq!(table.num_rows(), trials * units);
    let column = |name: &str| table.column_by_name(name).unwrap_or_else(|| panic!("{name}"));
    let (unit, trial) =
        (column("unit").as_primitive::<UInt32Type>(), column("trial").as_primitive::<UInt32Type>());
    let (counts, rates) = (column("counts").as_list::<i32>(), column("rates").as_list::<i32>());
    let mut dense = vec![0.0; bins * units];
    for row in 0..table.num_rows() {
        let (trial, unit) = (trial.value(row) as usize, unit.value(row) as usize);
        assert_eq!((trial, unit), (row / units, row % units));
        let region = &session.units()[unit].region;
        assert_eq!(column("region").as_string::<i32>().value(row), region);
        assert_eq!(column("uuid").as_string::<i32>().value(row), session.units()[unit].uuid);
        assert_eq!(column("split").as_string::<i32>().value(row), session.splits()[trial].to_string());
        assert_eq!(column("hidden").as_boolean().value(row), region == "CA1" || unit == 0);
        session.write_dense(trial, &mut dense);
        let found = counts.value(row);
        let expected: Vec<u32> = (0..bins).map(|bin| dense[bin * units + unit] as u32).collect();
        assert_eq!(found.as_primitive::<UInt32Type>().values(), &expected[..], "the true counts");
        let rates = rates.value(row);
        let rates = rates.as_primitive::<Float32Type>().values();
        assert!(rates.len() == bins && rates.iter().all(|rate| rate.is_finite() && *rate > 0.0));
    }
    // Hiding changes what is predicted.
    let open = predict("", "open.parquet");
    assert_eq!(open.column_by_name("counts").unwrap(), column("counts"));
    assert_ne!(open.column_by_name("rates").unwrap(), column("rates"));
    // `neuron` is also called co-smooth.
    workplace.succeed(&format!("predict run {FIRST} --prompt co-smooth --out co.parquet"));
}

#[test]
fn a_benchmark_has_the_keys_that_scripts_read() {
    let command =
        "bench --size small --batch 3 --repetitions 1 --json --threads 1 --device cpu --precision bf16";
    let found = Workplace::new().succeed_json(command);
    assert_eq!(
        (&found["size"], &found["device"], &found["threads"]),
        (&"small".into(), &"cpu".into(), &1.into())
    );
    assert_eq!(
        (&found["dropout"], &found["standardised"], &found["batch"], &found["precision"]),
        (&true.into(), &false.into(), &3.into(), &"f32".into())
    );
    assert_eq!((found.as_object().unwrap().len(), &found["model"]), (20, &"ndt1-stitch".into()));
    assert_eq!((&found["sessions"], &found["accumulate"]), (&1.into(), &1.into()));
    assert!(found["evaluation"].is_null() && found["profile"].is_null());
    let in_a_row = found["step_in_a_row_ms"].as_f64().unwrap();
    assert!((found["trials_per_second"].as_f64().unwrap() * in_a_row - 3000.0).abs() < 1e-6);
    // The CPU computes where the counts are.
    assert_eq!(found["bytes_sent_per_step"], 0.0);
    let several = "bench --size tiny --batch 2 --sessions 2 --accumulate 2 --join-sessions --evaluation --repetitions 1 --json";
    let several = Workplace::new().succeed_json(several);
    let in_a_row = several["step_in_a_row_ms"].as_f64().unwrap();
    assert!((several["trials_per_second"].as_f64().unwrap() * in_a_row - 4000.0).abs() < 1e-6);
    // Of two trials, 300 units are predicted each.
    let evaluation = |key: &str| several["evaluation"][key].as_f64().unwrap();
    assert!((evaluation("trials_per_second") * evaluation("seconds") - 2.0).abs() < 1e-9);
    assert!((evaluation("sequences_per_second") * evaluation("seconds") - 600.0).abs() < 1e-6);
    let profile = Workplace::new().run("bench --size tiny --profile --device cpu");
    assert_eq!(profile.code, Some(1), "{profile}");
    assert!(profile.stderr.contains("a profile is taken on a GPU"), "{profile}");
    for (time, keys) in [
        ("step_ms", vec!["median", "min", "max"]),
        ("forward_ms", vec!["median", "min", "max"]),
        ("one_trial_ms", vec!["median", "min", "max", "p99"]),
    ] {
        for key in keys {
            assert!(found[time][key].as_f64().is_some_and(|ms| ms > 0.0), "{time} {key}");
        }
    }
    let ndt2 =
        Workplace::new().succeed_json("bench --model ndt2 --size small --batch 1 --repetitions 1 --json");
    assert_eq!(ndt2["model"], "ndt2");
    assert!(ndt2["step_ms"]["median"].as_f64().is_some_and(|ms| ms > 0.0));
    if cfg!(target_os = "linux") {
        assert!(found["peak_mb"].as_f64().is_some_and(|peak| peak > 1.0));
    }
}
