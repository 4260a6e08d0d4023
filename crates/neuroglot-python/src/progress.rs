//! How far the work is, told to a callback of Python.

use crate::detached::stop;
use neuroglot::ensemble::EnsembleObserver;
use neuroglot::tasks::{EvaluationProgress, Task};
use neuroglot::train::{EpochRecord, Observer, Step};
use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// Signals are looked at, and progress is told, no more often than this.
const BETWEEN: Duration = Duration::from_millis(100);

/// Tells `callback(text, share)`, if there is one, how far the work is, and looks for Ctrl-C.
pub struct Progress {
    callback: Option<Py<PyAny>>,
    last: Option<Instant>,
}

impl Progress {
    /// Nothing is told yet.
    pub fn new(callback: Option<Py<PyAny>>) -> Self {
        Self { callback, last: None }
    }

    /// Tells that a share of the work (0 to 1) is done.
    pub fn tell(&mut self, text: impl FnOnce() -> String, share: f64) {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            return;
        }
        let told = Python::attach(|py| {
            py.check_signals()?;
            match &self.callback {
                None => Ok(()),
                Some(callback) => callback.call1(py, (text(), share)).map(drop),
            }
        });
        told.unwrap_or_else(|error| stop(error));
        self.last = Some(Instant::now());
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
pub struct TrainingProgress {
    progress: Progress,
    /// Network under way, and of how many; none is counted where there is one.
    network: Option<(usize, usize)>,
    bits_per_spike: Option<f64>,
}

impl TrainingProgress {
    /// Nothing is told yet.
    pub fn new(callback: Option<Py<PyAny>>) -> Self {
        Self { progress: Progress::new(callback), network: None, bits_per_spike: None }
    }
}

impl Observer for TrainingProgress {
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
        Python::attach(|py| warn(py, text)).unwrap_or_else(|error| stop(error));
    }
}

impl EnsembleObserver for TrainingProgress {
    fn network(&mut self, number: usize, of: usize) {
        self.network = Some((number, of));
        self.bits_per_spike = None;
    }

    fn coupling(&mut self, eid: &str, task: Task, done: usize, total: usize) {
        let share = done as f64 / total.max(1) as f64;
        self.progress.tell(|| format!("coupling of {eid}  {}", task.name()), share);
    }
}
