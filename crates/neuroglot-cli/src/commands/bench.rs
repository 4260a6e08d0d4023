//! `neuroglot bench`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::machine::memory;
use crate::terminal::console::Console;
use crate::terminal::text_table::TextTable;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use neuroglot::data::number::counted;
use neuroglot::engine::OpenDevice;
use neuroglot::model::{Architecture, InputKind};
use neuroglot::train::{Benchmark, Times};
use serde_json::{Value, json};

/// Time the training step, the forward pass and one trial on this machine
///
/// Counts are made up: trials of 100 bins and 300 units, 0.1 spikes per entry, 30 % of the units hidden. NDT2 reads them
/// in patches of 128 units, three a bin. On a GPU, times
/// include copying a batch there and waiting for the results; memory is that of the process, not of the GPU.
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
    /// Standardise the counts that the network reads
    #[arg(long)]
    standardised: bool,
    /// Train without dropout
    #[arg(long)]
    no_dropout: bool,
    /// Timed repetitions of the step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: Option<u16>,
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
}

/// Times the model.
///
/// # Errors
/// A device that cannot be opened, too little memory.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let mut benchmark = match arguments.size {
        Size::Paper => Benchmark::paper(arguments.model),
        Size::Small => Benchmark::small(arguments.model),
    };
    if let Some(repetitions) = arguments.repetitions {
        benchmark.repetitions = repetitions.into();
    }
    benchmark.batch = arguments.batch.into();
    if arguments.no_dropout {
        benchmark.model.dropout = 0.0;
        benchmark.model.embed_dropout = 0.0;
    }
    if arguments.standardised {
        benchmark.model.input = InputKind::Standardised;
    }
    let compute = arguments.device.with_threads(threads);
    let OpenDevice { device, choice, precision, .. } = compute.open(console)?;
    let name = choice.to_string();
    let predicting = compute.open(console)?.device;
    let description = device.description();
    let threads = rayon::current_num_threads();
    let times = benchmark.run(device, predicting)?;
    let peak = memory::peak().map(|bytes| bytes as f64 / 1e6);
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
            "forward_ms": range(&times.forward),
            "one_trial_ms": one_trial,
            "peak_mb": peak.map_or(Value::Null, |peak| json!(peak)),
            "dropout": !arguments.no_dropout,
            "standardised": arguments.standardised,
            "batch": arguments.batch,
            "precision": precision.to_string(),
        }));
    }
    let heads = ["ms", "median", "min", "max", "p99"].map(str::to_owned).to_vec();
    let mut table = TextTable::new(heads, 1);
    let rows =
        [("training step", times.step), ("forward pass", times.forward), ("one trial", times.one_trial)];
    for (name, t) in rows {
        let numbers = [t.median, t.min, t.max, t.p99].map(|ms| format!("{ms:.2}"));
        table.push([vec![name.to_owned()], numbers.to_vec()].concat());
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
    console.result(table)
}
