//! Evaluating a run and keeping what was found, for every command that evaluates.

use crate::CommandError;
use crate::compute::Compute;
use crate::console::Console;
use crate::endings;
use crate::loaded_run::LoadedRun;
use crate::overlap::{self, Warn};
use crate::progress::EvaluationBar;
use crate::runs::evaluation_folder;
use crate::sessions;
use neuroglot::data::Session;
use neuroglot::eval::results::{Evaluation, SessionEvaluation};
use neuroglot::eval::{EvaluationOptions, TaskSelection, evaluate, write_evaluation};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to evaluate, and where to keep it.
pub struct Evaluating<'a> {
    /// The run folder.
    pub run: &'a Path,
    /// `best` or `last`.
    pub checkpoint: &'a str,
    /// Session folders; empty takes those of the run.
    pub sessions: &'a [PathBuf],
    /// Names of tasks and behaviours; `None` takes the usual ones.
    pub tasks: Option<&'a [String]>,
    /// Where results are kept; `None` takes the run's `evaluation` folder.
    pub out: Option<&'a Path>,
    /// Where to compute.
    pub compute: &'a Compute,
}

impl Evaluating<'_> {
    /// Evaluates, and writes the folder of results.
    ///
    /// # Errors
    /// A run, checkpoint or session that cannot be used, an unknown task, a folder that cannot be written.
    pub fn run(&self, console: &Console) -> Result<Evaluation, CommandError> {
        let out = self.out.map_or_else(|| evaluation_folder(self.run), Path::to_owned);
        check_replaceable(&out)?;
        let device = self.compute.open(console)?.device;
        let mut run = LoadedRun::open(self.run, self.checkpoint, device)?;
        let paths =
            if self.sessions.is_empty() { run.folder.info()?.sessions } else { self.sessions.to_vec() };
        let sessions = sessions::read(&paths, &run.config.data.filter(), console)?;
        let options = evaluation_options(self.tasks, &sessions)?;
        overlap::warn(&run.checkpoint, &sessions, &paths, Warn::OfBase, console)?;
        let mut bar = EvaluationBar::new(console);
        let mut progress = |at: neuroglot::eval::EvaluationProgress<'_>| bar.show(&at);
        let evaluation =
            evaluate(&mut run.model, &run.checkpoint, self.checkpoint, &sessions, &options, &mut progress)?;
        drop(bar);
        for session in &evaluation.sessions {
            for skipped in &session.skipped {
                console.warning(format!("{}: {} is left out: {}", session.eid, skipped.what, skipped.why));
            }
            for (behaviour, note) in decoding_notes(session) {
                console.warning(format!("{}: {behaviour}: {note}", session.eid));
            }
        }
        write_evaluation(&evaluation, &out)?;
        console.note(format!("kept in {}", out.display()));
        Ok(evaluation)
    }
}

/// What keeps classes of decoded behaviours from being learned or scored, with the behaviour.
pub fn decoding_notes(session: &SessionEvaluation) -> impl Iterator<Item = (&str, &str)> {
    let decoded = session.decoding.iter();
    decoded.flat_map(|decoded| decoded.notes.iter().map(|note| (decoded.behaviour.as_str(), note.as_str())))
}

/// The usual options, with these tasks and behaviours if any are named.
///
/// # Errors
/// A name that is neither a task nor a behaviour of these sessions.
pub fn evaluation_options(
    tasks: Option<&[String]>,
    sessions: &[Session],
) -> Result<EvaluationOptions, CommandError> {
    let mut options = EvaluationOptions::default();
    if let Some(tasks) = tasks {
        let known: BTreeSet<String> =
            sessions.iter().flat_map(|session| session.behaviours().keys().cloned()).collect();
        let known: Vec<String> = known.into_iter().collect();
        options.selection = TaskSelection::parse(tasks.iter().map(String::as_str), &known)?;
    }
    Ok(options)
}

/// An evaluation replaces its folder whole: it must not be one with other things in it. Looked at before the work, as
/// is whether the folder can be made.
///
/// # Errors
/// What stands in the way.
pub fn check_replaceable(out: &Path) -> Result<(), CommandError> {
    const OURS: [&str; 3] = ["evaluation.json", "summary.json", "units.parquet"];
    let fail = |problem: String| Err(CommandError::Failed(format!("{}: {problem}", out.display())));
    endings::check_folder(out)?;
    if out.file_name().is_none() {
        return fail("this is not the name of a folder; choose another --out".to_owned());
    }
    if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty())
        && let Err(error) = std::fs::create_dir_all(parent)
    {
        return fail(format!("the folder above cannot be made ({error}); choose another --out"));
    }
    if out.is_file() {
        return fail("there is a file of this name; choose another --out".to_owned());
    }
    let Ok(entries) = std::fs::read_dir(out) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) {
            return fail(format!(
                "the folder holds `{name}`, which is no part of an evaluation; choose another --out"
            ));
        }
    }
    Ok(())
}
