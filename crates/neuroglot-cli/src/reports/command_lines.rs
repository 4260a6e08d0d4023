//! The commands that make runs again, as far as their folders tell. What cannot be made again is said in a comment of the
//! shell.

use crate::CommandError;
use crate::terminal::shell::word;
use neuroglot::data::text::distinct;
use neuroglot::tasks::Task;
use neuroglot::tasks::results::{Evaluation, SessionEvaluation};
use neuroglot::train::{Checkpoint, EpochRecord, ImportSource, RunConfig, RunFolder, RunInfo, SessionTable};
use std::path::{Path, PathBuf};

/// The commands that make a run again, those of the runs that it started from first. `listed` holds the runs whose commands
/// are in the page already, which are not repeated.
///
/// # Errors
/// A file of the run that cannot be read or understood.
pub fn commands_of_run(folder: &RunFolder, listed: &mut Vec<PathBuf>) -> Result<Vec<String>, CommandError> {
    let mut commands = Vec::new();
    add_commands(folder, listed, &mut commands)?;
    Ok(commands)
}

fn add_commands(
    folder: &RunFolder,
    listed: &mut Vec<PathBuf>,
    commands: &mut Vec<String>,
) -> Result<(), CommandError> {
    let place = std::fs::canonicalize(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
    if listed.contains(&place) {
        return Ok(());
    }
    listed.push(place);
    let (config, info) = (folder.config()?, folder.info()?);
    let run = comment_word(folder.path());
    if let Some(source) = &info.imported {
        commands.push(import_command(source, folder.path()));
    } else if was_imported(&config, &info, &folder.metrics()?) {
        commands.push(format!(
            "# {run} was imported from a published checkpoint, of which it does not say where it is: see `neuroglot \
             import-checkpoint --help`"
        ));
    } else if config.is_fine_tuning() {
        let base = Path::new(&config.init.from);
        let Ok(settings) = RunConfig::starting_from(base) else {
            commands.push(format!(
                "# {run} cannot be made again from here: the run that it started from, {}, is not there any more",
                comment_word(base)
            ));
            return Ok(());
        };
        if let Some(base) = run_of(base) {
            add_commands(&base, listed, commands)?;
        }
        let what = format!("finetune {}", word(base));
        commands.push(training_command(&what, &config.settings_beside(&settings), &info, folder.path()));
    } else {
        let settings = config.settings_beside(&RunConfig::default());
        commands.push(training_command("train", &settings, &info, folder.path()));
    }
    if !info.finished {
        commands.push(format!("# {run} is not finished: this makes all of it"));
    }
    Ok(())
}

/// The run of a checkpoint, or the run itself.
fn run_of(base: &Path) -> Option<RunFolder> {
    RunFolder::open(base).ok().or_else(|| RunFolder::open(base.parent()?).ok())
}

/// Whether a run was imported, also by a version that did not keep from where: nothing is known of its training.
pub fn was_imported(config: &RunConfig, info: &RunInfo, records: &[EpochRecord]) -> bool {
    let nothing_done = config.train.epochs == 0 && !config.is_fine_tuning() && records.is_empty();
    info.imported.is_some() || nothing_done
}

fn import_command(source: &ImportSource, run: &Path) -> String {
    let ImportSource { file, table, folder, heads } = source;
    let [file, table_word] = [file, table].map(word);
    // Relative paths of the table lead to sessions from one folder alone, where the command must be run.
    let is_relative = |table: SessionTable| table.sessions.iter().any(|session| session.path.is_relative());
    let is_relative = SessionTable::read(table).map_or(true, is_relative);
    let out = if is_relative {
        std::path::absolute(run).unwrap_or_else(|_| run.to_owned())
    } else {
        run.to_owned()
    };
    let command = format!(
        "neuroglot import-checkpoint {file} --sessions {table_word} --heads {heads} --out {}",
        word(out)
    );
    if is_relative { format!("(cd {} && {command})", word(folder)) } else { command }
}

fn training_command(what: &str, settings: &[String], info: &RunInfo, run: &Path) -> String {
    let sessions: Vec<String> = info.sessions.iter().map(word).collect();
    let settings: String = settings.iter().map(|setting| format!(" --set {}", word(setting))).collect();
    format!("neuroglot {what} {} --out {}{settings}", sessions.join(" "), word(run))
}

/// The command that makes a run's evaluation again.
///
/// # Errors
/// A file of the run that cannot be read or understood.
pub fn evaluation_command(folder: &RunFolder, evaluation: &Evaluation) -> Result<String, CommandError> {
    let mut command = format!("neuroglot evaluate {}", word(folder.path()));
    for session in sessions_evaluated(folder, evaluation)? {
        command.push_str(&format!(" {}", word(session)));
    }
    if evaluation.checkpoint != RunFolder::BEST {
        command.push_str(&format!(" --checkpoint {}", word(&evaluation.checkpoint)));
    }
    if let Some(tasks) = tasks_asked_for(&evaluation.sessions) {
        command.push_str(&format!(" --tasks {}", word(tasks.join(","))));
    }
    Ok(command)
}

/// The folders of the sessions evaluated, where those are not all that the run has.
fn sessions_evaluated(folder: &RunFolder, evaluation: &Evaluation) -> Result<Vec<PathBuf>, CommandError> {
    let paths = folder.info()?.sessions;
    let known = Checkpoint::open(&folder.checkpoint(&evaluation.checkpoint)?)?.config.sessions;
    let was_evaluated = |eid: &str| evaluation.sessions.iter().any(|session| session.eid == eid);
    let of_known = known.iter().zip(paths);
    let (evaluated, others): (Vec<_>, Vec<_>) = of_known.partition(|(known, _)| was_evaluated(&known.eid));
    if others.is_empty() {
        return Ok(Vec::new());
    }
    Ok(evaluated.into_iter().map(|(_, path)| path).collect())
}

/// Tasks and behaviours that were evaluated, where those are not the usual ones.
fn tasks_asked_for(sessions: &[SessionEvaluation]) -> Option<Vec<String>> {
    let is_there = |name: &str| {
        sessions.iter().any(|session| {
            session.scored().iter().any(|scored| scored == name)
                || session.skipped.iter().any(|skipped| skipped.what == name)
        })
    };
    let decoded = sessions.iter().flat_map(|session| &session.decoding);
    let behaviours = distinct(decoded.map(|result| result.behaviour.clone()));
    let tasks: Vec<String> =
        Task::ALL.map(Task::name).into_iter().filter(|name| is_there(name)).map(str::to_owned).collect();
    // Usual are all tasks and every behaviour that a session has.
    let is_usual = tasks.len() == Task::ALL.len() && !behaviours.is_empty();
    (!is_usual).then(|| tasks.into_iter().chain(behaviours).collect())
}

/// A path in a comment, which ends with its line.
fn comment_word(path: &Path) -> String {
    word(path).replace(['\n', '\r'], "?")
}
