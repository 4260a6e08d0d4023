//! One region from another: the whole matrix of a session, by itself.

use crate::EvalError;
use crate::evaluate::session_index;
use crate::region_matrix::region_matrix;
use crate::tables::TableColumns;
use crate::work::{matrix_work, task_work};
use neuroglot_data::Session;
use neuroglot_ensemble::Ensemble;
use neuroglot_tasks::results::{Interval, RegionMatrix, UnitScores};
use neuroglot_tasks::{EvaluationOptions, EvaluationProgress, Task, TestTrials, WorkMeter};
use serde_json::{Value, json};

/// How well a model predicts the regions of one session from each other, on the test trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// Session id.
    pub eid: String,
    /// Animal.
    pub subject: String,
    /// Number of test trials scored.
    pub trials: usize,
    /// Bits/spike.
    pub matrix: RegionMatrix,
}

/// Predicts each region of a session, which has passed the run's filters, from each other region alone, from all others
/// and, unit by unit, from itself. Of `options`, the bootstrap's resamples and seed count.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know, one without test trials, or with fewer than two regions.
pub fn translate(
    ensemble: &mut Ensemble,
    session: &Session,
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<Translation, EvalError> {
    let index = session_index(ensemble.config(), session)?;
    let test = TestTrials::of(session)?;
    let eid = session.eid();
    if let Some(why) = Task::InterRegion.why_not(test.regions()) {
        return Err(EvalError::Regions { eid: eid.to_owned(), why });
    }
    let mut predictor = ensemble.about(index);
    let work = |task| task_work(task, &test);
    let regions = test.regions().names().len();
    let mut meter = WorkMeter::new(work(Task::IntraRegion) + work(Task::InterRegion) + matrix_work(regions));
    let mut scores_of = |task: Task| -> Result<Vec<UnitScores>, EvalError> {
        meter.begin(work(task));
        let mut report = |done, total| progress(meter.at(eid, task.name(), done, total));
        let log_rates = predictor.of_task(task, test.trials(), test.regions(), &mut report)?;
        Ok(test.score(task, &log_rates.average, options).0.per_unit)
    };
    let (intra, inter) = (scores_of(Task::IntraRegion)?, scores_of(Task::InterRegion)?);
    meter.begin(matrix_work(regions));
    let mut report = |done, total| progress(meter.at(eid, "region from region", done, total));
    let matrix = region_matrix(&mut predictor, &test, (&intra, &inter), options, &mut report)?;
    let (eid, subject) = (eid.to_owned(), session.subject().to_owned());
    Ok(Translation { eid, subject, trials: test.trials().len(), matrix })
}

/// `{"eid", "subject", "trials", "regions": [{"region", "units"}, …], "scores": [{"target", "from", "source", "bps",
/// "low", "high"}, …]}`: a score for each target from each other region (`from` is `region`), from the other units of
/// its own (`itself`) and from all others together (`others`; `source` is `null`). A score that is undefined is `null`.
pub fn translation_json(translation: &Translation) -> Value {
    let Translation { eid, subject, trials, matrix } = translation;
    let regions = matrix.regions.iter().zip(&matrix.units);
    let regions: Vec<Value> =
        regions.map(|(region, units)| json!({ "region": region, "units": units })).collect();
    let mut scores = Vec::new();
    for (place, target) in matrix.regions.iter().enumerate() {
        let mut put = |from: &str, source: Option<&String>, score: Option<Interval>| {
            scores.push(json!({
                "target": target,
                "from": from,
                "source": source,
                "bps": score.map(|score| score.mean),
                "low": score.map(|score| score.low),
                "high": score.map(|score| score.high),
            }));
        };
        for (source, row) in matrix.regions.iter().zip(&matrix.from_one) {
            put(if source == target { "itself" } else { "region" }, Some(source), row[place]);
        }
        put("others", None, matrix.from_others[place]);
    }
    json!({ "eid": eid, "subject": subject, "trials": trials, "regions": regions, "scores": scores })
}

/// The scores of [`translation_json`] as a table, with the number of the target's units; a score that is undefined is
/// missing, and so is the source where all other regions are it.
pub fn translation_table(translation: &Translation) -> TableColumns {
    let scores = translation_json(translation)["scores"].clone();
    let rows: Vec<&Value> = scores.as_array().into_iter().flatten().collect();
    let text = |name: &'static str| rows.iter().map(move |row| row[name].as_str().unwrap_or("").to_owned());
    let number = |name: &'static str| rows.iter().map(move |row| row[name].as_f64());
    let RegionMatrix { regions, units, .. } = &translation.matrix;
    let units_of = |row: &&Value| {
        let place = regions.iter().position(|region| row["target"] == **region);
        place.map(|place| units[place])
    };
    TableColumns::default()
        .texts("eid", rows.iter().map(|_| translation.eid.as_str()))
        .texts("target", text("target"))
        .counts("units", rows.iter().map(units_of))
        .texts("from", text("from"))
        .texts("source", text("source"))
        .numbers("bps", number("bps"))
        .numbers("low", number("low"))
        .numbers("high", number("high"))
}
