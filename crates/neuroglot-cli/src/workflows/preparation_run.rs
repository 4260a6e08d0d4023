//! Sessions made of many sources, with a bar that shows how far it is.

use crate::terminal::console::{Console, one_line};
use crate::terminal::progress::Bar;
use crate::terminal::stop_notice::say_when_stopped;
use neuroglot::data::text::printable;
use neuroglot::prepare::{Limits, Outcome, Preparation, PrepareError};
use std::path::{Path, PathBuf};

/// A source, where it is.
pub enum Place {
    Here(PathBuf),
    #[cfg(feature = "network")]
    There(crate::workflows::downloads::Remote),
    /// An archive that could not be asked what it holds, and why.
    #[cfg(feature = "network")]
    Unlisted {
        name: String,
        problem: String,
    },
}

impl Place {
    /// What it is called in messages and provenance.
    pub fn name(&self) -> String {
        match self {
            Place::Here(path) => path.display().to_string(),
            #[cfg(feature = "network")]
            Place::There(remote) => remote.name(),
            #[cfg(feature = "network")]
            Place::Unlisted { name, .. } => name.clone(),
        }
    }
}

/// What is made of which sources.
pub struct PreparationRun<'a> {
    pub preparation: &'a Preparation,
    pub out: &'a Path,
    pub limits: Limits,
    /// Brings what is elsewhere.
    #[cfg(feature = "network")]
    pub downloads: &'a crate::workflows::downloads::Downloads,
}

/// A source that could not be prepared.
pub struct Failure {
    pub source: String,
    pub error: String,
}

impl PreparationRun<'_> {
    /// Prepares all, several at a time, and goes on after one fails. Both results are in the order of the sources.
    pub fn run(&self, sources: &[Place], console: &Console) -> (Vec<Outcome>, Vec<Failure>) {
        let _notice = say_when_stopped(format!(
            "finished sessions are kept in {}; the same command goes on with the others",
            self.out.display()
        ));
        let names: Vec<String> = sources.iter().map(Place::name).collect();
        let template = "{bar:24} {pos}/{len}  {eta} left  {msg}";
        let bar = Bar::on_a_terminal(template, names.len() as u64, console);
        let locate = |place: usize| match &sources[place] {
            Place::Here(path) => Ok(path.clone()),
            #[cfg(feature = "network")]
            Place::There(remote) => {
                let path = self.downloads.download(remote, console);
                path.map_err(|error| PrepareError::Download(one_line(&error)))
            }
            #[cfg(feature = "network")]
            Place::Unlisted { problem, .. } => Err(PrepareError::Download(problem.clone())),
        };
        let done = |place: usize, result: &Result<Outcome, PrepareError>| {
            if let Some(Bar(bar)) = &bar {
                bar.inc(1);
                bar.set_message(printable(&names[place]).into_owned());
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
                Some(Bar(bar)) => bar.suspend(say),
                None => say(),
            }
        };
        let results = self.preparation.prepare_many(&names, self.out, self.limits, &locate, &done);
        drop(bar);
        let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
        for (source, result) in names.into_iter().zip(results) {
            match result {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => failures.push(Failure { source, error: one_line(&error) }),
            }
        }
        (outcomes, failures)
    }
}
