//! The evaluation of a run: scores it and keeps the results, for every command that evaluates.

use crate::CommandError;
use crate::machine::compute::Compute;
use crate::runs::beside_psth;
use crate::runs::kept_scores;
use crate::runs::loaded_run::{LoadedRun, open_model};
use crate::runs::output_format;
use crate::runs::overlap::{self, Warn};
use crate::runs::run_summary::rise_in_words;
use crate::runs::sessions;
use crate::terminal::console::Console;
use crate::terminal::progress::EvaluationBar;
use crate::terminal::stop_notice::say_when_stopped;
use neuroglot::baselines::add_beside_psth;
use neuroglot::eval::evaluation_folder;
use neuroglot::eval::{evaluate, evaluation_source};
use neuroglot::files::OutputLock;
use neuroglot::tasks::EvaluationOptions;
use neuroglot::tasks::results::Evaluation;
use neuroglot::train::{RunFolder, late_rise};
use std::path::{Path, PathBuf};

/// What to evaluate, and where to keep it.
pub struct ModelEvaluation<'a> {
    /// A run folder, or that of a checkpoint.
    pub run: &'a Path,
    /// `best` or `last`; `None` takes the best one of a run.
    pub checkpoint: Option<&'a str>,
    /// Session folders; empty takes those of the run.
    pub sessions: &'a [PathBuf],
    /// Names of tasks and behaviours; `None` takes the usual ones.
    pub tasks: Option<&'a [String]>,
    /// Where results are kept; `None` takes the `evaluation` folder of the run, or of the checkpoint.
    pub out: Option<&'a Path>,
    /// Whether scores that are there already are all replaced.
    pub fresh: bool,
    /// Whether to say what points to a training that was too short.
    pub advises: bool,
    /// Where to compute.
    pub compute: &'a Compute,
}

impl ModelEvaluation<'_> {
    /// Evaluates, and writes the folder of results.
    ///
    /// # Errors
    /// A run, checkpoint or session that cannot be used, an unknown task, a folder that cannot be written.
    pub fn run(&self, console: &Console) -> Result<Evaluation, CommandError> {
        let folder = open_model(self.run, self.checkpoint)?;
        let out = self.out.map_or_else(|| evaluation_folder(folder.home()), Path::to_owned);
        check_replaceable(&out)?;
        // Held from before earlier scores are looked at: what another process adds to them must not be lost.
        let _lock = OutputLock::beside(&out)?;
        let paths = if self.sessions.is_empty() { folder.session_folders()? } else { self.sessions.to_vec() };
        let sessions = sessions::read_known(&paths, &folder, console)?;
        let options = EvaluationOptions::of_tasks(self.tasks, &sessions)?;
        let mut run = LoadedRun::open(folder, self.compute.open(console)?.device, console)?;
        let source = evaluation_source(&run.config.data, &options).with("weights", &run.weights);
        kept_scores::check(&out, self.fresh, &source, &sessions, &options, console)?;
        overlap::warn(run.ensemble.config(), &sessions, &paths, Warn::OfBase, console)?;
        let _notice = say_when_stopped(format!(
            "nothing of this evaluation is kept, and what was in {} is as it was",
            out.display()
        ));
        let mut bar = EvaluationBar::new("", console);
        let mut progress = |at: neuroglot::tasks::EvaluationProgress<'_>| bar.show(&at);
        let name = run.folder.checkpoint_name();
        let found = evaluate(&mut run.ensemble, &name, &sessions, &options, &mut progress)?;
        drop(bar);
        let mut evaluation = Evaluation { source, ..found };
        add_beside_psth(&mut evaluation, &sessions, &options);
        if self.advises {
            advise(run.folder.run(), &evaluation, console);
        }
        warn_of_duplicates(&evaluation, console);
        warn_of_decoding(&evaluation, console);
        kept_scores::keep(&evaluation, &out, self.fresh, console)?;
        Ok(evaluation)
    }
}

/// Says what was left out, and what keeps classes of decoded behaviours from being learned or scored.
pub fn warn_of_decoding(evaluation: &Evaluation, console: &Console) {
    for session in &evaluation.sessions {
        for remark in session.remarks(|_| true) {
            console.warning(format!("{}: {remark}", session.eid));
        }
    }
}

/// Says which units look like one neuron that was sorted twice.
fn warn_of_duplicates(evaluation: &Evaluation, console: &Console) {
    for session in &evaluation.sessions {
        let pairs = session.coupling.iter().flat_map(|coupled| &coupled.suspected_duplicates);
        let name = |unit: usize| {
            let label = &session.units[unit];
            format!("{} ({})", label.index.unwrap_or(unit), label.region)
        };
        let pairs: Vec<String> = pairs.map(|pair| pair.units.map(name).join(" and ")).collect();
        if !pairs.is_empty() {
            console.warning(format!(
                "{}: units that may be one neuron, sorted twice, which makes scores look better than they are: {} \
                 (numbered from 0)",
                session.eid,
                pairs.join(", ")
            ));
        }
    }
}

/// Says what points to a training that was too short. One that is not finished is not judged, nor one whose course cannot
/// be read: the scores stand without it.
fn advise(run: Option<&RunFolder>, evaluation: &Evaluation, console: &Console) {
    let finished = run.filter(|run| run.info().is_ok_and(|info| info.finished));
    let rise = finished.and_then(|run| late_rise(&run.metrics().ok()?));
    if let Some(rise) = rise {
        console.warning(format!("trained too shortly: {}", rise_in_words(&rise)));
    }
    let below = beside_psth::below(evaluation);
    if !below.is_empty() {
        console.warning(format!(
            "below the PSTH in co-smoothing, as when trained too shortly or on too little: {} (bits/spike less)",
            below.join(", ")
        ));
    }
}

/// An evaluation replaces its folder whole: it must not be one with other things in it. Looked at before the work, as
/// is whether the folder can be made.
///
/// # Errors
/// What stands in the way.
pub fn check_replaceable(out: &Path) -> Result<(), CommandError> {
    const OURS: [&str; 3] = ["evaluation.json", "summary.json", "units.parquet"];
    let fail = |problem: String| Err(CommandError::Failed(format!("{}: {problem}", out.display())));
    output_format::check_folder(out)?;
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
