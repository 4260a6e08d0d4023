//! `neuroglot bench`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::machine::memory;
use crate::terminal::console::Console;
use crate::terminal::text_table::TextTable;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use neuroglot::data::number::counted;
use neuroglot::engine::{Device, OpenDevice, Profile};
use neuroglot::ensemble::Ensemble;
use neuroglot::model::{Architecture, InputKind};
use neuroglot::tasks::{Task, TestTrials};
use neuroglot::train::{Benchmark, BenchmarkTimes, Times};
use serde_json::{Value, json};
use std::time::Instant;

/// Time training steps, the forward pass and one trial on this machine
///
/// Counts are made up: trials of 100 bins and 300 units, 0.1 spikes per entry, 30 % of the units hidden. NDT2 reads them
/// in patches of 128 units, three a bin. On a GPU, times include what is copied there and waiting for the results; memory
/// is that of the process, not of the GPU. A training step is timed twice: by itself, until its loss is known, and in a row
/// of steps as a run makes them.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  neuroglot bench --size small --json")]
pub struct Arguments {
    /// Kind of model
    #[arg(long, value_parser = architectures(), default_value_t)]
    model: Architecture,
    /// Sizes of the model
    #[arg(long, value_enum, default_value_t = Size::Paper)]
    size: Size,
    /// Trials of a batch
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Sessions that training steps visit in turn, each with layers of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    sessions: u16,
    /// Batches whose gradients are added up for a training step, as `train.accumulate` does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    accumulate: u16,
    /// Let batches of different sessions in one step pass the trunk together, as `train.join_sessions` does
    #[arg(long)]
    join_sessions: bool,
    /// Standardise the counts that the network reads
    #[arg(long)]
    standardised: bool,
    /// Train without dropout
    #[arg(long)]
    no_dropout: bool,
    /// Timed repetitions of the step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: Option<u16>,
    /// Time co-smoothing of a batch of test trials too: each unit predicted from all others
    #[arg(long)]
    evaluation: bool,
    /// Time each operation and kernel of a training step on a GPU too, beside the least time that it needs
    #[arg(long)]
    profile: bool,
    /// Print a JSON object instead
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Every architecture by its name, with what it is.
fn architectures() -> impl TypedValueParser<Value = Architecture> {
    let named =
        |architecture: Architecture| PossibleValue::new(architecture.name()).help(architecture.summary());
    PossibleValuesParser::new(Architecture::ALL.map(named)).try_map(|name| {
        let mut all = Architecture::ALL.into_iter();
        all.find(|architecture| architecture.name() == name).ok_or("no architecture")
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Size {
    /// Hidden 512, 5 layers, 8 heads, 668 channels
    Paper,
    /// Hidden 128, 4 layers, 4 heads, 256 channels
    Small,
    /// Hidden 16, 1 layer, 2 heads, 8 channels: for trying out, good for nothing else
    Tiny,
}

/// Times the model.
///
/// # Errors
/// A device that cannot be opened or does not do what is asked, too little memory.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let benchmark = arguments.benchmark();
    let compute = arguments.device.with_threads(threads);
    let OpenDevice { device, choice, precision, .. } = compute.open(console)?;
    let name = choice.to_string();
    let predicting = compute.open(console)?.device;
    let description = device.description();
    let threads = rayon::current_num_threads();
    let times = benchmark.run(device, predicting)?;
    let evaluation = if arguments.evaluation {
        Some(time_evaluation(&benchmark, compute.open(console)?.device)?)
    } else {
        None
    };
    let peak = memory::peak().map(|bytes| bytes as f64 / 1e6);
    let trials_a_step = benchmark.batch * benchmark.accumulate;
    let trials_per_second = 1e3 * trials_a_step as f64 / times.step_in_a_row;
    if arguments.json {
        let range = |t: &Times| json!({"median": t.median, "min": t.min, "max": t.max});
        let mut one_trial = range(&times.one_trial);
        one_trial["p99"] = json!(times.one_trial.p99);
        return console.json(&json!({
            "model": benchmark.model.architecture.name(),
            "size": arguments.size.to_possible_value().map(|size| size.get_name().to_owned()),
            "device": name,
            "threads": threads,
            "step_ms": range(&times.step),
            "step_in_a_row_ms": times.step_in_a_row,
            "trials_per_second": trials_per_second,
            "bytes_sent_per_step": times.bytes_sent,
            "forward_ms": range(&times.forward),
            "one_trial_ms": one_trial,
            "peak_mb": peak.map_or(Value::Null, |peak| json!(peak)),
            "dropout": !arguments.no_dropout,
            "standardised": arguments.standardised,
            "batch": arguments.batch,
            "sessions": arguments.sessions,
            "accumulate": arguments.accumulate,
            "join_sessions": arguments.join_sessions,
            "precision": precision.to_string(),
            "evaluation": evaluation.map(|evaluation| evaluation.json()),
            "profile": times.profile.as_ref().map(profile_json),
        }));
    }
    console.note(format_args!(
        "{} on {description}, {} a batch; peak memory {}",
        benchmark.model.architecture.label(),
        counted(benchmark.batch, "trial"),
        match peak {
            Some(megabytes) => format!("{megabytes:.0} MB"),
            None => "unknown on this system".to_owned(),
        }
    ));
    let mut text = times_table(&times).to_string();
    text.push_str(&format!(
        "\nin a row: {:.2} ms a step of {}, {trials_per_second:.0} trials/s, {:.1} kB sent to the device a step\n",
        times.step_in_a_row,
        counted(trials_a_step, "trial"),
        times.bytes_sent / 1e3
    ));
    if let Some(evaluation) = &evaluation {
        text.push_str(&evaluation.in_words());
    }
    if let Some(profile) = &times.profile {
        text.push_str(&format!(
            "\n{}\n{}",
            profile_table(profile),
            profile_in_words(profile, times.step.median)
        ));
    }
    console.result(text)
}

impl Arguments {
    fn benchmark(&self) -> Benchmark {
        let mut benchmark = match self.size {
            Size::Paper => Benchmark::paper(self.model),
            Size::Small => Benchmark::small(self.model),
            Size::Tiny => Benchmark::tiny(self.model),
        };
        if let Some(repetitions) = self.repetitions {
            benchmark.repetitions = repetitions.into();
        }
        benchmark.batch = self.batch.into();
        benchmark.sessions = self.sessions.into();
        benchmark.accumulate = self.accumulate.into();
        benchmark.join_sessions = self.join_sessions;
        benchmark.profile = self.profile;
        if self.no_dropout {
            benchmark.model.dropout = 0.0;
            benchmark.model.embed_dropout = 0.0;
        }
        if self.standardised {
            benchmark.model.input = InputKind::Standardised;
        }
        benchmark
    }
}

fn times_table(times: &BenchmarkTimes) -> TextTable {
    let mut table = TextTable::new(["ms", "median", "min", "max", "p99"], 1);
    let rows =
        [("training step", times.step), ("forward pass", times.forward), ("one trial", times.one_trial)];
    for (name, t) in rows {
        let numbers = [t.median, t.min, t.max, t.p99].map(|ms| format!("{ms:.2}"));
        table.push([name.to_owned()].into_iter().chain(numbers));
    }
    table
}

/// How long co-smoothing took.
struct EvaluationTime {
    seconds: f64,
    trials: usize,
    units: usize,
}

/// Predicts each unit of each trial from all others, twice: what is prepared once is not timed.
fn time_evaluation(benchmark: &Benchmark, device: Box<dyn Device>) -> Result<EvaluationTime, CommandError> {
    let (model, known, session) = benchmark.untrained(device)?;
    let mut ensemble = Ensemble::of_one(model, known);
    let test = TestTrials::of(&session)?;
    let mut seconds = 0.0;
    for _ in 0..2 {
        let start = Instant::now();
        ensemble.about(0).of_task(Task::CoSmoothing, test.trials(), test.regions(), &mut |_, _| {})?;
        seconds = start.elapsed().as_secs_f64();
    }
    Ok(EvaluationTime { seconds, trials: test.trials().len(), units: session.units().len() })
}

impl EvaluationTime {
    fn rates(&self) -> [f64; 2] {
        let trials = self.trials as f64 / self.seconds;
        [trials, trials * self.units as f64]
    }

    fn json(&self) -> Value {
        let [trials, sequences] = self.rates();
        json!({"seconds": self.seconds, "trials_per_second": trials, "sequences_per_second": sequences})
    }

    fn in_words(&self) -> String {
        let [trials, sequences] = self.rates();
        format!(
            "co-smoothing: {:.2} s for {} of {}, {trials:.1} trials/s, {sequences:.0} sequences/s (a trial with one \
             unit hidden)\n",
            self.seconds,
            counted(self.trials, "trial"),
            counted(self.units, "unit"),
        )
    }
}

/// Operations, the slowest first, and what each of them ran.
fn profile_table(profile: &Profile) -> TextTable {
    let heads = ["operation", "kernel", "calls", "ms", "share", "floor, ms", "× floor"];
    let mut table = TextTable::new(heads, 2);
    let total = profile.milliseconds();
    let mut push = |name: &str, kernel: &str, calls: usize, milliseconds: f64, floor: Option<f64>| {
        let share = format!("{:.1} %", 100.0 * milliseconds / total);
        let times = floor.filter(|floor| *floor > 0.0).map(|floor| format!("{:.1}", milliseconds / floor));
        let numbers = [calls.to_string(), format!("{milliseconds:.3}"), share];
        let floor = floor.map(|floor| format!("{floor:.4}"));
        // A kernel that does a part of its operation has no floor of its own.
        let unknown = if name.is_empty() { "" } else { "n/a" };
        let beside = [floor, times].map(|cell| cell.unwrap_or_else(|| unknown.to_owned()));
        table.push([name.to_owned(), kernel.to_owned()].into_iter().chain(numbers).chain(beside));
    };
    for operation in slowest_first(&profile.operations, |operation| operation.milliseconds) {
        let kernels = slowest_first(&operation.kernels, |kernel| kernel.milliseconds);
        let only = if let [only] = kernels[..] { &*only.name } else { "" };
        push(operation.name, only, operation.calls, operation.milliseconds, operation.floor);
        for kernel in kernels.iter().filter(|_| only.is_empty()) {
            push("", &kernel.name, kernel.calls, kernel.milliseconds, kernel.floor);
        }
    }
    table
}

fn slowest_first<T>(all: &[T], milliseconds: impl Fn(&T) -> f64) -> Vec<&T> {
    let mut sorted: Vec<&T> = all.iter().collect();
    sorted.sort_by(|a, b| milliseconds(b).total_cmp(&milliseconds(a)));
    sorted
}

/// The sum of all operations beside the time of a step that nobody looks into.
fn profile_in_words(profile: &Profile, step: f64) -> String {
    let known: f64 = profile.operations.iter().filter_map(|operation| operation.floor).sum();
    let floor = match profile.floor() {
        Some(floor) => format!("{floor:.3} ms"),
        None => format!("unknown, at least {known:.3} ms: this GPU's peak rates are not in the table"),
    };
    let sum = profile.milliseconds();
    format!("all operations: {sum:.3} ms; a step without a profile: {step:.3} ms; floor: {floor}\n")
}

fn profile_json(profile: &Profile) -> Value {
    let kernels = |operation: &neuroglot::engine::ProfiledOperation| -> Vec<Value> {
        let kernel = |kernel: &neuroglot::engine::ProfiledKernel| json!({"name": kernel.name, "calls": kernel.calls, "ms": kernel.milliseconds, "floor_ms": kernel.floor});
        operation.kernels.iter().map(kernel).collect()
    };
    let operations: Vec<Value> = profile
        .operations
        .iter()
        .map(|operation| {
            json!({
                "name": operation.name,
                "calls": operation.calls,
                "ms": operation.milliseconds,
                "bytes": operation.cost.bytes,
                "multiply_adds": operation.cost.multiply_adds,
                "floor_ms": operation.floor,
                "kernels": kernels(operation),
            })
        })
        .collect();
    json!({"ms": profile.milliseconds(), "floor_ms": profile.floor(), "operations": operations})
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot::engine::{Cost, ProfiledKernel, ProfiledOperation};

    #[test]
    fn a_profile_has_the_slowest_first_and_kernels_below_their_operation() {
        let kernel = |name: &str, calls, milliseconds, floor| ProfiledKernel {
            name: name.to_owned(),
            calls,
            milliseconds,
            floor,
        };
        let operation = |name, calls, milliseconds, floor, kernels| ProfiledOperation {
            name,
            calls,
            milliseconds,
            cost: Cost::default(),
            floor,
            kernels,
        };
        let linear = vec![kernel("gelu", 1, 0.25, None), kernel("product 2 × 3 × 4", 2, 0.5, Some(0.125))];
        let mut profile = Profile {
            operations: vec![
                operation("fill", 3, 0.25, Some(0.0625), vec![kernel("fill", 3, 0.25, None)]),
                operation("linear", 2, 0.75, Some(0.25), linear),
            ],
        };
        let expected = "\
operation  kernel             calls     ms   share  floor, ms  × floor
linear                            2  0.750  75.0 %     0.2500      3.0
           product 2 × 3 × 4      2  0.500  50.0 %     0.1250      4.0
           gelu                   1  0.250  25.0 %
fill       fill                   3  0.250  25.0 %     0.0625      4.0
";
        assert_eq!(profile_table(&profile).to_string(), expected);
        let words = profile_in_words(&profile, 1.5);
        assert_eq!(words, "all operations: 1.000 ms; a step without a profile: 1.500 ms; floor: 0.312 ms\n");
        profile.operations[1].floor = None;
        assert!(profile_table(&profile).to_string().contains("75.0 %        n/a      n/a"));
        assert!(profile_in_words(&profile, 1.5).contains("floor: unknown, at least 0.062 ms"));
    }
}
