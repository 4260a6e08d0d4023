//! Evaluations on disk.

use crate::predictions::{read_table, text};
use crate::support::*;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use neuroglot_eval::{read_evaluation, summary_json, write_evaluation};
use neuroglot_masks::MaskPool;
use neuroglot_tasks::Task;
use neuroglot_tasks::results::*;
use serde_json::{Value, json};
use std::path::Path;

/// All tasks on a simulated session and on a recording, whose true rates are not known.
fn evaluation() -> Evaluation {
    let mut sessions = two_sessions();
    sessions[1] = with_parts(&sessions[1], |parts| {
        parts.true_rates = None;
        for name in ["block", "choice", "reward"] {
            parts.behaviours.remove(name);
        }
    });
    let mut model = model(&sessions, 1);
    let options = options(&Task::ALL, &["choice", "wheel-speed"]);
    evaluated(&mut model, &sessions, MaskPool::multi_task(), &options).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_is_read_back_and_replaced_whole() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("evaluation");
    let evaluation = evaluation();
    write_evaluation(&evaluation, &folder).unwrap();
    assert_eq!(names(&folder), ["evaluation.json", "summary.json", "units.parquet"]);
    assert_eq!(read_evaluation(&folder).unwrap(), evaluation);
    let summary: Value =
        serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary, summary_json(&evaluation));

    let mut smaller = evaluation;
    smaller.sessions.pop();
    std::fs::write(folder.join("of-an-earlier-version"), "").unwrap();
    write_evaluation(&smaller, &folder).unwrap();
    assert_eq!(read_evaluation(&folder).unwrap(), smaller);
    assert_eq!(names(&folder), ["evaluation.json", "summary.json", "units.parquet"]);
    assert_eq!(names(root.path()), ["evaluation"], "nothing is left beside it");
}

#[test]
fn units_are_a_row_per_session_task_and_unit() {
    let root = tempfile::tempdir().unwrap();
    let evaluation = evaluation();
    write_evaluation(&evaluation, &root.path().join("evaluation")).unwrap();
    let table = read_table(&root.path().join("evaluation/units.parquet"));
    let columns: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let scores = ["bps", "d2", "r2", "psth_r2", "ceiling_bps", "state_ceiling_bps"];
    assert_eq!(
        columns,
        [["eid", "task", "unit", "unit_after_filters", "uuid", "region", "spikes"].to_vec(), scores.to_vec()]
            .concat()
    );
    assert_eq!(table.num_rows(), 2 * 4 * 14);
    let number = |name: &str, row: usize| {
        let column = table.column_by_name(name).unwrap().as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let mut row = 0;
    for session in &evaluation.sessions {
        for result in &session.tasks {
            for (unit, (label, expected)) in session.units.iter().zip(&result.per_unit).enumerate() {
                assert_eq!(text(&table, "eid", row), session.eid);
                assert_eq!(text(&table, "task", row), result.task);
                assert_eq!(text(&table, "uuid", row), label.uuid);
                assert_eq!(text(&table, "region", row), label.region);
                let index =
                    |name: &str| table.column_by_name(name).unwrap().as_primitive::<UInt32Type>().value(row);
                assert_eq!(Some(index("unit") as usize), label.index);
                assert_eq!(index("unit_after_filters"), unit as u32);
                assert_eq!(number("spikes", row), Some(expected.spikes));
                let UnitScores { bps, d2, r2, psth_r2, ceiling_bps, state_ceiling_bps, .. } = *expected;
                let expected = [bps, d2, r2, psth_r2, ceiling_bps, state_ceiling_bps];
                assert_eq!(scores.map(|name| number(name, row)), expected);
                row += 1;
            }
        }
    }
    // The silent unit has no score, and recordings no ceiling.
    assert_eq!(number("bps", 5), None);
    assert!(number("bps", 6).is_some() && number("ceiling_bps", 6).is_some());
    assert_eq!(number("ceiling_bps", 4 * 14 + 6), None);
    assert!(number("state_ceiling_bps", 6).is_some() && number("state_ceiling_bps", 4 * 14 + 6).is_none());
}

#[test]
fn where_it_cannot_be_written_the_earlier_one_stays() {
    let root = tempfile::tempdir().unwrap();
    let evaluation = evaluation();
    std::fs::write(root.path().join("file"), "").unwrap();
    let error = write_evaluation(&evaluation, &root.path().join("file/evaluation")).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("file"), "{error}");

    let folder = root.path().join("evaluation");
    write_evaluation(&evaluation, &folder).unwrap();
    // No folder can be made beside one with so long a name; one without permission would not stop an administrator.
    let long = root.path().join("e".repeat(250));
    std::fs::rename(&folder, &long).unwrap();
    let folder = long;
    let mut other = evaluation.clone();
    other.sessions.pop();
    assert!(write_evaluation(&other, &folder).is_err());
    assert_eq!(read_evaluation(&folder).unwrap(), evaluation);
}

#[test]
fn a_missing_or_damaged_file_is_named() {
    let root = tempfile::tempdir().unwrap();
    let refused = || {
        let message = read_evaluation(root.path()).unwrap_err().to_string();
        assert!(message.contains(root.path().join("evaluation.json").to_str().unwrap()), "{message}");
        message
    };
    assert!(refused().contains("neuroglot evaluate"));
    for damaged in ["", "{\"version\": \"0.1.0\"", "{\"version\": \"0.1.0\"}", "[1, 2]", "\u{0}\u{1}"] {
        std::fs::write(root.path().join("evaluation.json"), damaged).unwrap();
        assert!(refused().contains("evaluate the run again"));
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_summary_has_the_documented_keys() {
    let evaluation = evaluation();
    let summary = summary_json(&evaluation);
    assert_eq!(keys(&summary), ["simulated-3-00", "simulated-3-01"]);
    let [simulated, recorded] = [&summary["simulated-3-00"], &summary["simulated-3-01"]];
    let tasks = ["co-smoothing", "forward", "intra-region", "inter-region"];
    let scores = ["bps", "bps_low", "bps_high", "bps_pooled", "d2", "r2", "psth_r2"];
    assert_eq!(keys(simulated), [tasks.to_vec(), vec!["choice", "wheel-speed"]].concat());
    assert_eq!(keys(recorded), [tasks.to_vec(), vec!["wheel-speed"]].concat());
    for name in tasks {
        assert_eq!(keys(&simulated[name]), [scores.to_vec(), vec!["ceiling", "state_ceiling"]].concat());
        assert_eq!(keys(&simulated[name]["ceiling"]), scores);
        assert_eq!(keys(&simulated[name]["state_ceiling"]), scores);
        assert_eq!(keys(&recorded[name]), scores);
        assert_eq!(recorded[name]["psth_r2"], Value::Null, "without conditions");
    }
    let of_choice = ["accuracy", "accuracy_low", "accuracy_high", "chance"];
    let balanced = ["balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high"];
    let area = ["auc", "auc_low", "auc_high"];
    assert_eq!(keys(&simulated["choice"]), [&of_choice[..], &balanced, &area, &["decoders"]].concat());
    assert_eq!(keys(&simulated["wheel-speed"]), ["r2", "r2_low", "r2_high", "decoders"]);
    assert_eq!(keys(&simulated["choice"]["decoders"][0]), ["features", "weight", "regularisation"]);

    let session = &evaluation.sessions[0];
    let Scores { bps, bps_pooled, d2, r2, psth_r2 } = task(session, Task::Forward).scores;
    let bps = bps.unwrap();
    let mut found = simulated["forward"].clone();
    for name in ["ceiling", "state_ceiling"] {
        found.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        found,
        json!({ "bps": bps.mean, "bps_low": bps.low, "bps_high": bps.high, "bps_pooled": bps_pooled, "d2": d2,
                "r2": r2, "psth_r2": psth_r2 })
    );
    let [choice, wheel] = &session.decoding[..] else { panic!("two behaviours") };
    let found = &simulated["choice"];
    assert_eq!((&found["accuracy"], &found["chance"]), (&json!(choice.score), &json!(choice.chance)));
    assert_eq!(found["auc_high"], json!(choice.auc.map(|area| area.high)));
    let interval = wheel.interval.unwrap();
    assert_eq!(
        simulated["wheel-speed"],
        json!({ "r2": wheel.score, "r2_low": interval.low, "r2_high": interval.high, "decoders": wheel.decoders })
    );
}
