//! The folder of an evaluation over several commands: new scores are put beside the earlier ones, or take their place.

use crate::CommandError;
use crate::terminal::console::Console;
use neuroglot::data::Session;
use neuroglot::eval::{read_evaluation, write_evaluation};
use neuroglot::tasks::results::Evaluation;
use neuroglot::tasks::{Conflict, EvaluationOptions, Planned, PlannedSession, Source, check_earlier, merge};
use std::path::Path;

/// What becomes of scores that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// Those that are not made again stay, if they are of the same weights and settings.
    Kept,
    /// All are replaced.
    Replaced,
}

impl Earlier {
    /// As the option `--fresh` says.
    pub fn unless(fresh: bool) -> Self {
        if fresh { Earlier::Replaced } else { Earlier::Kept }
    }
}

/// Looks, before the work, whether the folder can take the scores that will be made, and says what will be replaced.
///
/// # Errors
/// Scores that would be lost, because they are of other weights, settings or files and are not made again.
pub fn check(
    out: &Path,
    earlier: Earlier,
    source: &Source,
    sessions: &[Session],
    options: &EvaluationOptions,
    console: &Console,
) -> Result<(), CommandError> {
    let Some(found) = read(out, earlier) else { return Ok(()) };
    let planned = |session: &Session| PlannedSession::of(session, &options.selection);
    let sessions: Vec<PlannedSession> = sessions.iter().map(planned).collect();
    let Err(Conflict { why, lost }) = check_earlier(&found, &Planned { source, sessions: &sessions }) else {
        return Ok(());
    };
    let out = out.display();
    if lost.is_empty() {
        console.note(format!("the evaluation in {out} is replaced: {why}"));
        return Ok(());
    }
    Err(CommandError::Failed(format!(
        "{out}: scores there would be lost ({}), and they cannot stand beside new ones: {why}; --fresh replaces them, \
         another --out keeps both",
        lost.join("; ")
    )))
}

/// Writes an evaluation, with the earlier scores that go together with it; says where.
///
/// # Errors
/// A folder that cannot be written.
pub fn keep(
    evaluation: &Evaluation,
    out: &Path,
    earlier: Earlier,
    console: &Console,
) -> Result<(), CommandError> {
    let scores = |evaluation: &Evaluation| {
        let of_session =
            evaluation.sessions.iter().map(|session| session.tasks.len() + session.decoding.len());
        of_session.sum::<usize>()
    };
    let whole = match read(out, earlier) {
        Some(found) => merge(found, evaluation.clone()),
        None => evaluation.clone(),
    };
    write_evaluation(&whole, out)?;
    let beside = if scores(&whole) > scores(evaluation) { ", beside the scores that were there" } else { "" };
    console.note(format!("kept in {}{beside}", out.display()));
    Ok(())
}

/// The evaluation that is there; none where it is to be replaced, or is damaged and has nothing to keep.
fn read(out: &Path, earlier: Earlier) -> Option<Evaluation> {
    (earlier == Earlier::Kept).then(|| read_evaluation(out).ok()).flatten()
}
