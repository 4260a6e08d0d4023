//! What an evaluation found.

use crate::detached::detached;
use crate::failure::Failure;
use neuroglot::eval::{read_evaluation, summary_json, write_evaluation};
use neuroglot::tasks::results::SessionEvaluation;
use neuroglot::tasks::{Conflict, PlannedSession, check_earlier, merge};
use pyo3::prelude::*;
use std::path::PathBuf;

/// What an evaluation found.
#[pyclass(frozen, module = "neuroglot._neuroglot")]
pub struct Evaluation {
    evaluation: neuroglot::tasks::results::Evaluation,
}

impl Evaluation {
    /// Of what was found.
    pub fn new(evaluation: neuroglot::tasks::results::Evaluation) -> Self {
        Self { evaluation }
    }
}

/// What was scored of a session, as it would be planned.
fn planned(session: &SessionEvaluation) -> PlannedSession {
    PlannedSession {
        eid: session.eid.clone(),
        fingerprint: session.fingerprint.clone(),
        names: session.scored(),
    }
}

#[pymethods]
impl Evaluation {
    /// Reads the evaluation of a folder.
    #[staticmethod]
    fn read(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        detached(py, || Ok(Self { evaluation: read_evaluation(&folder)? }))
    }

    /// Everything, as `evaluation.json` holds it.
    fn json(&self) -> PyResult<String> {
        serde_json::to_string(&self.evaluation).map_err(|error| Failure::setting(error.to_string()).into())
    }

    /// The scores, as `summary.json` holds them.
    fn summary(&self) -> String {
        summary_json(&self.evaluation).to_string()
    }

    /// Writes `evaluation.json`, `summary.json` and `units.parquet` to a folder, beside earlier scores of the same weights and
    /// settings. Others are replaced where `fresh` is set.
    fn write(&self, py: Python<'_>, folder: PathBuf, fresh: bool) -> PyResult<()> {
        detached(py, || {
            let earlier = if fresh { None } else { read_evaluation(&folder).ok() };
            let Some(earlier) = earlier else { return Ok(write_evaluation(&self.evaluation, &folder)?) };
            let sessions: Vec<PlannedSession> = self.evaluation.sessions.iter().map(planned).collect();
            if let Err(Conflict { why, lost }) = check_earlier(&earlier, &self.evaluation.source, &sessions)
                && !lost.is_empty()
            {
                return Err(Failure::setting(format!(
                    "{}: scores there would be lost ({}), and they cannot stand beside new ones: {why}; fresh=True replaces \
                     them, another folder keeps both",
                    folder.display(),
                    lost.join("; ")
                )));
            }
            Ok(write_evaluation(&merge(earlier, self.evaluation.clone()), &folder)?)
        })
    }
}
