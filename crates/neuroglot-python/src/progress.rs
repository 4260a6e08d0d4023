//! How far the work is, told to a callback of Python.

use crate::detached::stop;
use neuroglot::ensemble::EnsembleObserver;
use neuroglot::tasks::{EvaluationProgress, Task};
use neuroglot::train::{EpochRecord, Observer, Step};
use pyo3::prelude::*;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// Signals are looked at, and progress is told, no more often than this.
const BETWEEN: Duration = Duration::from_millis(100);

/// What the work has to say to Python.
pub enum Message {
    /// A text and the share of the work (0 to 1) that is done.
    Progress(String, f64),
    /// Something to be warned of.
    Warning(String),
}

impl Message {
    /// Tells it, by `callback(text, share)` if there is one, and looks for Ctrl-C. To be called on the thread that Python called.
    pub fn tell(self, py: Python<'_>, callback: Option<&Py<PyAny>>) -> PyResult<()> {
        py.check_signals()?;
        match (self, callback) {
            (Message::Progress(text, share), Some(callback)) => callback.call1(py, (text, share)).map(drop),
            (Message::Progress(..), None) => Ok(()),
            (Message::Warning(text), _) => warn(py, &text),
        }
    }
}

/// Says how far the work is, and stops it where Python asks for that.
pub struct Progress {
    is_shown: bool,
    last: Option<Instant>,
    messages: Sender<Message>,
    answers: Receiver<PyResult<()>>,
}

impl Progress {
    /// Nothing is told yet. To each message there comes an answer.
    pub fn new(is_shown: bool, messages: Sender<Message>, answers: Receiver<PyResult<()>>) -> Self {
        Self { is_shown, last: None, messages, answers }
    }

    /// Tells that a share of the work (0 to 1) is done.
    pub fn tell(&mut self, text: impl FnOnce() -> String, share: f64) {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            return;
        }
        let text = if self.is_shown { text() } else { String::new() };
        self.ask(Message::Progress(text, share));
        self.last = Some(Instant::now());
    }

    fn ask(&mut self, message: Message) {
        // Whoever waits for the work listens as long as there is any.
        let answer = self.messages.send(message).ok().and_then(|()| self.answers.recv().ok());
        if let Some(Err(error)) = answer {
            stop(error);
        }
    }

    /// Tells of an evaluation.
    pub fn evaluation(&mut self, at: &EvaluationProgress<'_>) {
        self.tell(|| format!("{}  {}", at.eid, at.task), at.share);
    }
}

/// Warns by Python's `warnings`.
///
/// # Errors
/// Where warnings are exceptions.
pub fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    let category = py.import("neuroglot.errors")?.getattr("NeuroglotWarning")?;
    py.import("warnings")?.call_method1("warn", (text, category)).map(drop)
}

/// Tells how training goes.
pub struct TrainingProgress<'p> {
    progress: &'p mut Progress,
    /// Network under way, and of how many; none is counted where there is one.
    network: Option<(usize, usize)>,
    bits_per_spike: Option<f64>,
}

impl<'p> TrainingProgress<'p> {
    /// Nothing is told yet.
    pub fn new(progress: &'p mut Progress) -> Self {
        Self { progress, network: None, bits_per_spike: None }
    }
}

impl Observer for TrainingProgress<'_> {
    fn step(&mut self, step: &Step) {
        let Step { done, total, epoch, epochs, loss } = *step;
        let Self { network, bits_per_spike, .. } = *self;
        let text = || {
            let network = network.map_or(String::new(), |(number, of)| format!("network {number}/{of}  "));
            let score =
                bits_per_spike.map_or(String::new(), |score| format!("  validation {score:.3} bits/spike"));
            format!("{network}epoch {epoch}/{epochs}  loss {loss:.3}{score}")
        };
        self.progress.tell(text, done as f64 / total.max(1) as f64);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.bits_per_spike = record.mean_bits_per_spike().or(self.bits_per_spike);
    }

    fn warn(&mut self, text: &str) {
        self.progress.ask(Message::Warning(text.to_owned()));
    }
}

impl EnsembleObserver for TrainingProgress<'_> {
    fn network(&mut self, number: usize, of: usize) {
        self.network = Some((number, of));
        self.bits_per_spike = None;
    }

    fn coupling(&mut self, eid: &str, task: Task, done: usize, total: usize) {
        let share = done as f64 / total.max(1) as f64;
        self.progress.tell(|| format!("coupling of {eid}  {}", task.name()), share);
    }
}
