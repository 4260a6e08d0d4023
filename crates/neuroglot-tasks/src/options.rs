//! What to evaluate, and how intervals are made.

use crate::{TaskError, TaskSelection};
use neuroglot_data::Session;
use std::collections::BTreeSet;

/// What to evaluate, and how intervals are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Tasks and behaviours.
    pub selection: TaskSelection,
    /// Bootstrap resamples of the interval over units.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self { selection: TaskSelection::default(), resamples: 1000, seed: 42 }
    }
}

impl EvaluationOptions {
    /// The usual ones, with these tasks and behaviours of sessions if any are named.
    ///
    /// # Errors
    /// [`TaskError::Unknown`]: a name that is neither a task nor a behaviour of these sessions.
    pub fn of_tasks(tasks: Option<&[String]>, sessions: &[Session]) -> Result<Self, TaskError> {
        let mut options = Self::default();
        if let Some(tasks) = tasks {
            let known: BTreeSet<String> =
                sessions.iter().flat_map(|session| session.behaviours().keys().cloned()).collect();
            let known: Vec<String> = known.into_iter().collect();
            options.selection = TaskSelection::parse(tasks.iter().map(String::as_str), &known)?;
        }
        Ok(options)
    }
}
