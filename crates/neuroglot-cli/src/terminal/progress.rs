//! How a long command shows that it is alive: a bar on a terminal, a line now and then elsewhere.

use crate::terminal::console::Console;
use crate::terminal::number::{decimal, duration};
use crate::terminal::stop_notice::{StopNotice, say_when_stopped};
use indicatif::{ProgressBar, ProgressStyle};
use neuroglot::data::number::counted;
use neuroglot::data::text::printable;
use neuroglot::ensemble::EnsembleObserver;
use neuroglot::tasks::{EvaluationProgress, Task};
use neuroglot::train::{EpochRecord, Observer, Step};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where there is no terminal, lines come no more often than this.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// The bars of trainings and evaluations.
const TEMPLATE: &str = "{bar:24} {msg}";

/// Length of the bar of an evaluation.
const WHOLE: u64 = 1000;

/// Shows epoch, loss, validation bits/spike and the time left of a training run.
pub struct TrainingProgress {
    console: Console,
    title: String,
    bar: Option<Bar>,
    started: Instant,
    /// Steps done before this process.
    done_before: u64,
    last_step: Option<Step>,
    last_line: Option<Instant>,
    bits_per_spike: Option<f64>,
    kept: Kept,
}

impl TrainingProgress {
    /// Shows nothing yet; `kept` is told of what is saved.
    pub fn new(title: &str, kept: Kept, console: &Console) -> Self {
        Self {
            console: *console,
            title: in_front(title),
            bar: None,
            started: Instant::now(),
            done_before: 0,
            last_step: None,
            last_line: None,
            bits_per_spike: None,
            kept,
        }
    }

    fn message(&self, step: &Step) -> String {
        let Step { epoch, epochs, loss, .. } = *step;
        let validation = self
            .bits_per_spike
            .map_or(String::new(), |score| format!("  validation {} bits/spike", decimal(Some(score))));
        let (title, loss) = (&self.title, decimal(Some(loss)));
        format!("{title}epoch {epoch}/{epochs}  loss {loss}{validation}  {} left", self.time_left(step))
    }

    fn time_left(&self, step: &Step) -> String {
        let done = step.done.saturating_sub(self.done_before).max(1) as f64;
        let left = step.total.saturating_sub(step.done) as f64;
        duration(self.started.elapsed().as_secs_f64() / done * left)
    }
}

impl Observer for TrainingProgress {
    fn warn(&mut self, text: &str) {
        self.console.warning(text);
    }

    fn begin(&mut self, done: u64, total: u64) {
        self.started = Instant::now();
        self.done_before = done;
        if done > 0 {
            self.console.note(format!("going on from step {done} of {total}"));
            self.kept.say(&format!("all up to step {done}"));
        }
        self.bar = Bar::on_a_terminal(TEMPLATE, total, &self.console);
        if let Some(Bar(bar)) = &self.bar {
            bar.set_position(done);
        }
    }

    fn step(&mut self, step: &Step) {
        self.last_step = Some(*step);
        if let Some(Bar(bar)) = &self.bar {
            bar.set_position(step.done);
            bar.set_message(self.message(step));
        }
    }

    fn saved(&mut self, epochs: u64, steps: u64) {
        self.kept.say(&format!("all up to step {steps} ({} done)", counted(epochs as usize, "epoch")));
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.bits_per_spike = record.mean_bits_per_spike().or(self.bits_per_spike);
        let Some(step) = self.last_step else { return };
        if let Some(Bar(bar)) = &self.bar {
            return bar.set_message(self.message(&step));
        }
        if is_due(self.last_line) || step.done == step.total {
            self.console.note(self.message(&step));
            self.last_line = Some(Instant::now());
        }
    }
}

impl EnsembleObserver for TrainingProgress {
    fn network(&mut self, number: usize, of: usize) {
        self.bar = None;
        self.console.note(format!("{}network {number} of {of}", self.title));
    }

    fn coupling(&mut self, eid: &str, task: Task, done: usize, total: usize) {
        let message = format!("{}coupling of {eid}  {}", self.title, task.name());
        let message = printable(&message).into_owned();
        if let Some(Bar(bar)) = &self.bar {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message(message);
        } else if done == 0 {
            self.console.note(message);
        }
    }
}

/// What of a run is kept should it be stopped, and how it goes on.
pub struct Kept {
    notice: StopNotice,
    run: String,
    resume_command: String,
}

impl Kept {
    /// Nothing yet of the run in this folder, which goes on with `resume_command`.
    pub fn nothing(run: &Path, resume_command: &str) -> Self {
        let (run, resume_command) = (run.display().to_string(), resume_command.to_owned());
        let notice =
            say_when_stopped(format!("nothing of {run} was saved yet; {resume_command} begins again"));
        Self { notice, run, resume_command }
    }

    fn say(&self, what: &str) {
        let Self { notice, run, resume_command } = self;
        notice.change(format!("{run} keeps {what}; {resume_command} goes on from there"));
    }
}

/// Shows which task of which session an evaluation is at, and the time left.
pub struct EvaluationBar {
    console: Console,
    title: String,
    started: Instant,
    bar: Option<Bar>,
    shown: String,
    last_line: Option<Instant>,
}

impl EvaluationBar {
    /// Shows nothing yet.
    pub fn new(title: &str, console: &Console) -> Self {
        let (title, bar) = (in_front(title), Bar::on_a_terminal(TEMPLATE, WHOLE, console));
        Self { console: *console, title, started: Instant::now(), bar, shown: String::new(), last_line: None }
    }

    /// Shows how far it is.
    pub fn show(&mut self, at: &EvaluationProgress<'_>) {
        let left = time_left(self.started.elapsed(), at.share)
            .map_or(String::new(), |left| format!("  {left} left"));
        let message = format!("{}{}  {}{left}", self.title, at.eid, at.task);
        let message = printable(&message).into_owned();
        if let Some(Bar(bar)) = &self.bar {
            bar.set_position((at.share * WHOLE as f64) as u64);
            bar.set_message(message);
            return;
        }
        if is_due(self.last_line) && message != self.shown {
            self.console.note(format!("evaluating {message}"));
            (self.shown, self.last_line) = (message, Some(Instant::now()));
        }
    }
}

/// The time that is left when a share of the work took so long; `None` as long as that says little.
fn time_left(elapsed: Duration, share: f64) -> Option<String> {
    let is_telling = elapsed >= Duration::from_secs(2) && share >= 0.01;
    is_telling.then(|| duration(elapsed.as_secs_f64() / share * (1.0 - share)))
}

/// What is worked on, in front of each line; empty where there is only one thing.
fn in_front(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!("{title}  ") }
}

fn is_due(last_line: Option<Instant>) -> bool {
    last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES)
}

/// A bar that goes away when it is dropped: an error must not leave half a bar on the terminal.
pub struct Bar(pub ProgressBar);

impl Bar {
    /// A bar of this length as the `indicatif` template has it, where there is a terminal to show it on.
    pub fn on_a_terminal(template: &str, length: u64, console: &Console) -> Option<Self> {
        (!console.is_quiet() && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template(template);
            Self(ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
        })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_is_done() {
        let left = |seconds, share| time_left(Duration::from_secs(seconds), share);
        assert_eq!(left(30, 0.25).as_deref(), Some("1 min 30 s"));
        assert_eq!(left(600, 0.5).as_deref(), Some("10 min 0 s"));
        assert_eq!(left(600, 1.0).as_deref(), Some("0.0 s"));
        // The first moments say little.
        assert_eq!((left(1, 0.5), left(60, 0.001)), (None, None));
    }
}
