//! Which sessions the runs have in common: evaluations side by side, joined by session id.

use crate::Report;
use neuroglot_tasks::results::{SessionEvaluation, TaskResult};

/// One session and what each run scored on it.
pub(crate) struct ComparedSession<'a> {
    pub eid: &'a str,
    pub subject: &'a str,
    /// In the order of [`Report::runs`]; `None` where a run was not evaluated on this session.
    pub by_run: Vec<Option<&'a SessionEvaluation>>,
}

impl<'a> ComparedSession<'a> {
    /// The first run's evaluation that exists.
    pub fn first(&self) -> Option<&'a SessionEvaluation> {
        self.by_run.iter().flatten().next().copied()
    }

    /// The result of `task` per run.
    pub fn task(&self, task: &str) -> Vec<Option<&'a TaskResult>> {
        self.by_run.iter().map(|session| session.and_then(|session| find_task(session, task))).collect()
    }

    /// Names of all tasks any run was scored in, in the order they first appear.
    pub fn tasks(&self) -> Vec<&'a str> {
        unique(
            self.by_run
                .iter()
                .flatten()
                .flat_map(|session| session.tasks.iter().map(|task| task.task.as_str())),
        )
    }
}

fn find_task<'a>(session: &'a SessionEvaluation, task: &str) -> Option<&'a TaskResult> {
    session.tasks.iter().find(|result| result.task == task)
}

/// All sessions of all runs, in the order they first appear.
pub(crate) fn sessions(report: &Report) -> Vec<ComparedSession<'_>> {
    let evaluated =
        |run: usize| report.runs[run].evaluation.iter().flat_map(|evaluation| &evaluation.sessions);
    let eids =
        unique((0..report.runs.len()).flat_map(|run| evaluated(run).map(|session| session.eid.as_str())));
    eids.into_iter()
        .map(|eid| {
            let by_run: Vec<_> =
                (0..report.runs.len()).map(|run| evaluated(run).find(|session| session.eid == eid)).collect();
            let subject = by_run.iter().flatten().next().map_or("", |session| session.subject.as_str());
            ComparedSession { eid, subject, by_run }
        })
        .collect()
}

/// `items` without repeats, in the order they first appear.
pub(crate) fn unique<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for item in items {
        if seen.insert(item) {
            kept.push(item);
        }
    }
    kept
}
