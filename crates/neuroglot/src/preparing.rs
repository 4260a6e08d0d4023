//! Preparing sources, with a bar that shows how far it is.

use crate::console::{Console, one_line};
use indicatif::{ProgressBar, ProgressStyle};
use neuroglot::prepare::{Job, Limits, Outcome, Preparation};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// What is made of which sources.
pub struct Preparing<'a> {
    pub preparation: &'a Preparation,
    pub out: &'a Path,
    pub limits: Limits,
}

/// A source that could not be prepared.
pub struct Failure {
    pub source: String,
    pub error: String,
}

impl Preparing<'_> {
    /// Prepares all, several at a time, and goes on after one fails. Both results are in the order of the sources.
    pub fn run(&self, sources: &[PathBuf], console: &Console) -> (Vec<Outcome>, Vec<Failure>) {
        let jobs: Vec<Job> =
            sources.iter().map(|path| Job { path: path.clone(), name: path.display().to_string() }).collect();
        let bar = (!console.is_quiet() && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {eta} left  {msg}");
            ProgressBar::new(jobs.len() as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let results = self.preparation.prepare_many(&jobs, self.out, self.limits, &|place, result| {
            if let Some(bar) = &bar {
                bar.inc(1);
                bar.set_message(jobs[place].name.clone());
            }
            let say = || match result {
                Ok(outcome) => outcome
                    .provenance
                    .notes
                    .iter()
                    .for_each(|note| console.note(format!("{}: {note}", outcome.provenance.eid))),
                Err(error) => console.warning(one_line(error)),
            };
            match &bar {
                Some(bar) => bar.suspend(say),
                None => say(),
            }
        });
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
        for (job, result) in jobs.into_iter().zip(results) {
            match result {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => failures.push(Failure { source: job.name, error: one_line(&error) }),
            }
        }
        (outcomes, failures)
    }
}
