//! Evaluations on disk: `evaluation.json` (everything), `summary.json` (the scores), `units.parquet` (per unit).

use crate::tables::to_parquet;
use crate::{EvalError, summary_json};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array};
use neuroglot_files::{RESULTS, replace_file, replace_folder};
use neuroglot_tasks::results::Evaluation;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EVALUATION: &str = "evaluation.json";

/// Writes an evaluation into a folder of its own, which is replaced whole.
///
/// # Errors
/// [`EvalError::Files`] where it cannot be written; an earlier evaluation stays.
pub fn write_evaluation(evaluation: &Evaluation, folder: &Path) -> Result<(), EvalError> {
    let everything = serde_json::to_vec(evaluation).expect("an evaluation is JSON");
    let mut summary = serde_json::to_vec_pretty(&summary_json(evaluation)).expect("scores are JSON");
    summary.push(b'\n');
    let units = to_parquet(&unit_table(evaluation));
    replace_folder(folder, |folder| {
        replace_file(&folder.join(EVALUATION), &everything)?;
        replace_file(&folder.join("summary.json"), &summary)?;
        Ok(replace_file(&folder.join("units.parquet"), &units)?)
    })
}

/// Where the evaluation of a run is kept.
pub fn evaluation_folder(run: &Path) -> PathBuf {
    run.join("evaluation")
}

/// Reads the evaluation of a folder.
///
/// # Errors
/// [`EvalError::File`] where there is none, or it is damaged.
pub fn read_evaluation(folder: &Path) -> Result<Evaluation, EvalError> {
    let path = folder.join(EVALUATION);
    let wrong = |problem: String| EvalError::File { path: path.clone(), problem };
    let text = neuroglot_files::read(&path, RESULTS)
        .map_err(|error| wrong(format!("{error}; evaluate the run first, with `neuroglot evaluate`")))?;
    serde_json::from_slice(&text).map_err(|error| wrong(format!("{error}; evaluate the run again")))
}

/// One row per session, task and unit. `unit` is the unit's index in the session, before filters; null where the
/// evaluation was made before it was recorded.
fn unit_table(evaluation: &Evaluation) -> RecordBatch {
    let mut rows = Vec::new();
    for session in &evaluation.sessions {
        for task in &session.tasks {
            let units = task.per_unit.iter().enumerate().zip(&session.units);
            rows.extend(units.map(|((index, scores), label)| (session, task, index, scores, label)));
        }
    }
    let text = |f: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows.len()).map(f)))
    };
    let number = |f: &dyn Fn(usize) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter((0..rows.len()).map(f)))
    };
    let index = |f: &dyn Fn(usize) -> Option<usize>| -> ArrayRef {
        Arc::new(UInt32Array::from_iter((0..rows.len()).map(|row| f(row).map(|index| index as u32))))
    };
    let columns: [(&str, ArrayRef); 13] = [
        ("eid", text(&|row| rows[row].0.eid.clone())),
        ("task", text(&|row| rows[row].1.task.clone())),
        ("unit", index(&|row| rows[row].4.index)),
        ("unit_after_filters", index(&|row| Some(rows[row].2))),
        ("uuid", text(&|row| rows[row].4.uuid.clone())),
        ("region", text(&|row| rows[row].4.region.clone())),
        ("spikes", number(&|row| Some(rows[row].3.spikes))),
        ("bps", number(&|row| rows[row].3.bps)),
        ("d2", number(&|row| rows[row].3.d2)),
        ("r2", number(&|row| rows[row].3.r2)),
        ("psth_r2", number(&|row| rows[row].3.psth_r2)),
        ("ceiling_bps", number(&|row| rows[row].3.ceiling_bps)),
        ("state_ceiling_bps", number(&|row| rows[row].3.state_ceiling_bps)),
    ];
    let columns = columns.map(|(name, array)| {
        let nullable = name.contains('2') || name.contains("bps") || name == "unit";
        (name, array, nullable)
    });
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}
