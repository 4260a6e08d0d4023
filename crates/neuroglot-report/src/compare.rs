//! Which sessions the runs have in common: evaluations side by side, joined by session id.

use crate::Report;
use neuroglot_data::text::distinct;
use neuroglot_eval::comparison::{ByRun, by_session, task_of};
use neuroglot_tasks::results::{SessionEvaluation, TaskResult};

/// One session and what each run scored on it.
pub(crate) struct ComparedSession<'a> {
    pub eid: &'a str,
    pub subject: &'a str,
    /// In the order of [`Report::runs`]; `None` where a run was not evaluated on this session.
    pub by_run: ByRun<'a>,
}

impl<'a> ComparedSession<'a> {
    /// The first run's evaluation that exists.
    pub fn first(&self) -> Option<&'a SessionEvaluation> {
        self.by_run.iter().flatten().next().copied()
    }

    /// The result of `task` per run.
    pub fn task(&self, task: &str) -> Vec<Option<&'a TaskResult>> {
        self.by_run.iter().map(|session| session.and_then(|session| task_of(session, task))).collect()
    }

    /// Names of all tasks any run was scored in, in the order they first appear.
    pub fn tasks(&self) -> Vec<&'a str> {
        let results = self.by_run.iter().flatten().flat_map(|session| &session.tasks);
        distinct(results.map(|result| result.task.as_str()))
    }
}

/// All sessions of all runs, in the order they first appear.
pub(crate) fn sessions(report: &Report) -> Vec<ComparedSession<'_>> {
    let sessions = by_session(report.runs.iter().map(|run| run.evaluation.as_ref())).into_iter();
    let compared = sessions.map(|(eid, by_run)| {
        let subject = by_run.iter().flatten().next().map_or("", |session| session.subject.as_str());
        ComparedSession { eid, subject, by_run }
    });
    compared.collect()
}
