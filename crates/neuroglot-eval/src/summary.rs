//! The scores as one small JSON object.

use neuroglot_tasks::results::{Evaluation, Interval, Scores, SessionEvaluation};
use serde_json::{Map, Value, json};

/// `{"<eid>": {"co-smoothing": {"bps", "bps_low", "bps_high", "bps_pooled", "d2", "r2", "psth_r2", "ceiling": {…}},
/// …, "choice": {"accuracy", "accuracy_low", "accuracy_high", "chance", "balanced_accuracy", …, "auc", …},
/// "wheel-speed": {"r2", "r2_low", "r2_high"}}}`.
///
/// Where a behaviour was decoded by several decoders, `decoders` lists them, each with its `features`, its `weight` and its
/// `regularisation`. A score that is undefined is `null`; `ceiling` and `state_ceiling` are there where the true rates are known, `networks` and `coupling`, each alone, where they are averaged.
pub fn summary_json(evaluation: &Evaluation) -> Value {
    let sessions = evaluation.sessions.iter().map(|session| (session.eid.clone(), of_session(session)));
    Value::Object(sessions.collect())
}

fn of_session(session: &SessionEvaluation) -> Value {
    let mut object = Map::new();
    for task in &session.tasks {
        let mut scores = of_scores(&task.scores);
        let [networks, coupling] =
            [task.alone.map(|alone| alone.networks), task.alone.map(|alone| alone.coupling)];
        let ceilings = [("ceiling", task.ceiling), ("state_ceiling", task.state_ceiling)];
        for (name, beside) in ceilings.into_iter().chain([("networks", networks), ("coupling", coupling)]) {
            if let Some(beside) = beside {
                scores.insert(name.to_owned(), Value::Object(of_scores(&beside)));
            }
        }
        object.insert(task.task.clone(), Value::Object(scores));
    }
    for decoded in &session.decoding {
        let mut scores = Map::from_iter([(decoded.metric.clone(), json!(decoded.score))]);
        put_ends(&mut scores, &decoded.metric, decoded.interval);
        // The chance level of R² is 0 by definition.
        if decoded.metric == "accuracy" {
            scores.insert("chance".to_owned(), json!(decoded.chance));
            for (name, value) in [("balanced_accuracy", decoded.balanced_accuracy), ("auc", decoded.auc)] {
                scores.insert(name.to_owned(), json!(value.map(|value| value.mean)));
                put_ends(&mut scores, name, value);
            }
        }
        if !decoded.decoders.is_empty() {
            scores.insert("decoders".to_owned(), json!(decoded.decoders));
        }
        object.insert(decoded.behaviour.clone(), Value::Object(scores));
    }
    Value::Object(object)
}

fn put_ends(scores: &mut Map<String, Value>, name: &str, interval: Option<Interval>) {
    scores.insert(format!("{name}_low"), json!(interval.map(|ends| ends.low)));
    scores.insert(format!("{name}_high"), json!(interval.map(|ends| ends.high)));
}

fn of_scores(scores: &Scores) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<f64>| object.insert(name.to_owned(), json!(value));
    put("bps", scores.bps.map(|bps| bps.mean));
    put("bps_low", scores.bps.map(|bps| bps.low));
    put("bps_high", scores.bps.map(|bps| bps.high));
    put("bps_pooled", scores.bps_pooled);
    put("d2", scores.d2);
    put("r2", scores.r2);
    put("psth_r2", scores.psth_r2);
    object
}
