//! Evaluations on disk: `evaluation.json` (everything), `summary.json` (the scores), `units.parquet` (per unit).

use crate::tables::{TableColumns, to_parquet};
use crate::{EvalError, summary_json};
use arrow_array::RecordBatch;
use neuroglot_files::{RESULTS, replace_file, replace_folder};
use neuroglot_tasks::results::{Evaluation, UnitScores};
use std::path::{Path, PathBuf};

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
    let score = |of: fn(&UnitScores) -> Option<f64>| rows.iter().map(move |(_, _, _, scores, _)| of(scores));
    TableColumns::default()
        .texts("eid", rows.iter().map(|(session, ..)| &session.eid))
        .texts("task", rows.iter().map(|(_, task, ..)| &task.task))
        .counts("unit", rows.iter().map(|(.., label)| label.index))
        .counts("unit_after_filters", rows.iter().map(|(_, _, index, ..)| Some(*index)))
        .texts("uuid", rows.iter().map(|(.., label)| &label.uuid))
        .texts("region", rows.iter().map(|(.., label)| &label.region))
        .numbers("spikes", score(|scores| Some(scores.spikes)))
        .numbers("bps", score(|scores| scores.bps))
        .numbers("d2", score(|scores| scores.d2))
        .numbers("r2", score(|scores| scores.r2))
        .numbers("psth_r2", score(|scores| scores.psth_r2))
        .numbers("ceiling_bps", score(|scores| scores.ceiling_bps))
        .numbers("state_ceiling_bps", score(|scores| scores.state_ceiling_bps))
        .finish()
}
