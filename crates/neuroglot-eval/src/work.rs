//! How much work the parts of an evaluation are beside each other, in passes of all test trials through the model.

use neuroglot_data::{Session, Split};
use neuroglot_tasks::{CaseGroup, Task, TestTrials};

/// Passes that a task takes, about: one for each case.
pub(crate) fn task_work(task: Task, test: &TestTrials<'_>) -> f64 {
    task.cases(test.regions(), test.trials().bins).iter().map(CaseGroup::count).sum::<usize>() as f64
}

/// Passes that predicting from each region alone takes.
pub(crate) fn matrix_work(regions: usize) -> f64 {
    regions as f64
}

/// Passes that are as much work as decoding a behaviour, which is little beside hiding each unit.
pub(crate) fn decoding_work(session: &Session) -> f64 {
    let test = session.trials_in(Split::Test).len().max(1);
    session.trials() as f64 / test as f64
}

/// The work of a session's tasks and behaviours, in passes of one trial.
pub(crate) fn session_work(
    session: &Session,
    test: &TestTrials<'_>,
    tasks: &[Task],
    behaviours: usize,
) -> f64 {
    let of_tasks: f64 = tasks.iter().map(|task| task_work(*task, test)).sum();
    let has_matrix = [Task::IntraRegion, Task::InterRegion].iter().all(|task| tasks.contains(task));
    let of_matrix = if has_matrix { matrix_work(test.regions().names().len()) } else { 0.0 };
    let passes = of_tasks + of_matrix + decoding_work(session) * behaviours as f64;
    passes * test.trials().len() as f64
}
