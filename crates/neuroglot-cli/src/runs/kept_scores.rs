//! The folder of an evaluation over several commands: new scores are put beside the earlier ones of the same weights and
//! settings, or, where they are to be `fresh`, take the place of all.

use crate::CommandError;
use crate::terminal::console::Console;
use neuroglot::data::Session;
use neuroglot::eval::{read_evaluation, write_evaluation};
use neuroglot::tasks::results::Evaluation;
use neuroglot::tasks::{Conflict, EvaluationOptions, PlannedSession, Source, check_earlier, merge};
use std::path::Path;

/// Looks, before the work, whether the folder can take the scores that will be made, and says what will be replaced.
///
/// # Errors
/// Scores that would be lost, because they are of other weights, settings or files and are not made again.
pub fn check(
    out: &Path,
    fresh: bool,
    source: &Source,
    sessions: &[Session],
    options: &EvaluationOptions,
    console: &Console,
) -> Result<(), CommandError> {
    let Some(found) = read(out, fresh) else { return Ok(()) };
    let planned = |session: &Session| PlannedSession::of(session, &options.selection);
    let sessions: Vec<PlannedSession> = sessions.iter().map(planned).collect();
    let Err(Conflict { why, lost }) = check_earlier(&found, source, &sessions) else { return Ok(()) };
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
pub fn keep(evaluation: &Evaluation, out: &Path, fresh: bool, console: &Console) -> Result<(), CommandError> {
    let scores =
        |evaluation: &Evaluation| evaluation.sessions.iter().flat_map(|session| session.scored()).count();
    let whole = match read(out, fresh) {
        Some(found) => merge(found, evaluation.clone()),
        None => evaluation.clone(),
    };
    write_evaluation(&whole, out)?;
    let beside = if scores(&whole) > scores(evaluation) { ", beside the scores that were there" } else { "" };
    console.note(format!("kept in {}{beside}", out.display()));
    Ok(())
}

/// The evaluation that is there; none where it is to be replaced, or is damaged and has nothing to keep.
fn read(out: &Path, fresh: bool) -> Option<Evaluation> {
    if fresh { None } else { read_evaluation(out).ok() }
}
