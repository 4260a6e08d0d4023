//! How a run went, for every command that makes one.

use crate::terminal::number::{decimal, duration};
use neuroglot::data::number::counted;
use neuroglot::train::{EpochRecord, LateRise, RunConfig, SelectBy, Summary, late_rise};
use serde_json::{Value, json};
use std::path::Path;

/// What scripts read.
pub fn as_json(out: &Path, records: &[EpochRecord], summary: &Summary) -> Value {
    let Summary { epochs, steps, best, seconds, stopped_early, .. } = summary;
    json!({
        "run": out,
        "epochs": epochs,
        "steps": steps,
        "best": best.map(|(epoch, score)| json!({ "epoch": epoch, "score": score })),
        "seconds": seconds,
        "stopped_early": stopped_early,
        "too_short": late_rise(records).is_some(),
    })
}

/// What people read. `start` is the score before the first step, of a run that has one.
pub fn in_words(
    out: &Path,
    config: &RunConfig,
    records: &[EpochRecord],
    start: Option<f64>,
    summary: &Summary,
) -> String {
    let Summary { epochs, steps, best, seconds, stopped_early, validation_trials } = *summary;
    let score = match config.train.select {
        SelectBy::BitsPerSpike | SelectBy::Last => "validation bits/spike",
        SelectBy::R2 => "validation R²",
    };
    let best = match best {
        Some((epoch, value)) => format!("epoch {epoch}, {} {score}", decimal(Some(value))),
        None if epochs == 0 => "as it began: no epoch was asked for".to_owned(),
        None => match (validation_trials, config.train.select) {
            (_, SelectBy::Last) => "the last epoch, as train.select = \"last\" asks".to_owned(),
            (0, _) => "the last epoch: there are no validation trials".to_owned(),
            (trials, SelectBy::BitsPerSpike) => {
                let have = if trials == 1 { "has" } else { "have" };
                format!(
                    "the last epoch: the {} {have} no spike to score",
                    counted(trials, "validation trial")
                )
            }
            (trials, SelectBy::R2) => {
                format!("the last epoch: no unit varies in the {}", counted(trials, "validation trial"))
            }
        },
    };
    let start = start.map_or(String::new(), |start| format!("start   {} {score}\n", decimal(Some(start))));
    let early = if stopped_early { ", stopped early" } else { "" };
    let (out, time) = (out.display(), duration(seconds));
    let short = late_rise(records)
        .map_or(String::new(), |rise| format!("\nnote    trained too shortly: {}", rise_in_words(&rise)));
    format!(
        "run     {out}\n{start}epochs  {epochs} ({steps} steps{early})\nbest    {best}\ntime    {time}{short}"
    )
}

/// How validation rose at the end of a run, and what to do.
pub fn rise_in_words(rise: &LateRise) -> String {
    let LateRise { epoch, score, last_epoch, last_score } = *rise;
    let [score, last_score] = [score, last_score].map(|score| decimal(Some(score)));
    format!(
        "validation still rose at the end, from {score} at epoch {epoch} to {last_score} at epoch {last_epoch}; train for \
         more epochs"
    )
}
