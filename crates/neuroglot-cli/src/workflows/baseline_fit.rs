//! The fit of a baseline: fits, scores and keeps the results, for every command that fits baselines.

use crate::CommandError;
use crate::runs::baseline_folder::{BaselineFolder, BaselineInfo};
use crate::runs::kept_scores;
use crate::terminal::console::Console;
use crate::terminal::progress::EvaluationBar;
use neuroglot::baselines::{Baseline, evaluate_with_choices};
use neuroglot::data::Session;
use neuroglot::eval::evaluation_folder;
use neuroglot::eval::{evaluation_source, read_evaluation};
use neuroglot::tasks::results::Evaluation;
use neuroglot::tasks::{EvaluationOptions, Source, Task};
use neuroglot::train::DataConfig;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A baseline, what it is fitted to, and where it is kept.
pub struct BaselineFit<'a> {
    /// In front of progress lines.
    pub title: &'a str,
    /// Which one.
    pub baseline: Baseline,
    /// Filtered as `data` says.
    pub sessions: &'a [Session],
    /// Their folders, absolute.
    pub paths: &'a [PathBuf],
    /// Which units and trials were taken.
    pub data: &'a DataConfig,
    /// Names of tasks and behaviours; `None` takes the usual ones.
    pub tasks: Option<&'a [String]>,
    /// Decides what is random.
    pub seed: u64,
    /// The baseline's folder.
    pub out: &'a Path,
    /// Whether scores that are there already are all replaced.
    pub fresh: bool,
}

impl BaselineFit<'_> {
    /// Fits to all sessions, scores, and writes the baseline's folder.
    ///
    /// # Errors
    /// An unknown task, sessions without the trials it takes, a folder that cannot be written.
    pub fn run(&self, console: &Console) -> Result<Evaluation, CommandError> {
        let started = Instant::now();
        let options =
            EvaluationOptions { seed: self.seed, ..EvaluationOptions::of_tasks(self.tasks, self.sessions)? };
        let (source, place) = (self.source(&options), evaluation_folder(self.out));
        kept_scores::check(&place, self.fresh, &source, self.sessions, &options, console)?;
        let mut bar = EvaluationBar::new(self.title, console);
        let (found, choices) =
            evaluate_with_choices(self.baseline, self.sessions, &options, &mut |at| bar.show(&at))?;
        drop(bar);
        let evaluation = Evaluation { source, ..found };
        self.warn_of_what_is_skipped(&evaluation, console);
        let info = BaselineInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            baseline: self.baseline.name().to_owned(),
            sessions: self.paths.to_vec(),
            data: self.data.clone(),
            tasks: self.tasks.map(<[String]>::to_vec),
            seed: options.seed,
            seconds: started.elapsed().as_secs_f64(),
            choices,
        };
        let info = match self.earlier_info(&evaluation) {
            Some(earlier) => info.beside(earlier),
            None => info,
        };
        kept_scores::keep(&evaluation, &place, self.fresh, console)?;
        BaselineFolder::write(self.out, &info)?;
        Ok(evaluation)
    }

    /// What the scores are made from.
    fn source(&self, options: &EvaluationOptions) -> Source {
        let source = evaluation_source(self.data, options).with("baseline", self.baseline);
        if !self.baseline.is_of_sessions_together() {
            return source;
        }
        // Of one that is fitted to all sessions at once, each score depends on all of them.
        let eids: Vec<&str> = self.sessions.iter().map(Session::eid).collect();
        source.with("sessions fitted together", eids.join(", "))
    }

    /// What the folder says of scores that stay beside the new ones.
    fn earlier_info(&self, evaluation: &Evaluation) -> Option<BaselineInfo> {
        if self.fresh {
            return None;
        }
        let found = read_evaluation(&evaluation_folder(self.out)).ok()?;
        let info = BaselineFolder::open(self.out)?.info().ok()?;
        (found.source == evaluation.source).then_some(info)
    }

    /// Warns of what a session lacks; what the baseline is not made for is no reason to worry.
    fn warn_of_what_is_skipped(&self, evaluation: &Evaluation, console: &Console) {
        let own = not_made_for(self.baseline);
        for session in &evaluation.sessions {
            for remark in session.remarks(|skipped| !own.contains(&skipped.why.as_str())) {
                console.warning(format!("{}, {}: {remark}", self.baseline, session.eid));
            }
        }
    }
}

/// The reasons why a baseline skips what it is not made for.
pub fn not_made_for(baseline: Baseline) -> Vec<&'static str> {
    let tasks = Task::ALL.into_iter().filter_map(|task| baseline.why_not_task(task));
    tasks.chain(baseline.why_not_behaviour()).collect()
}
