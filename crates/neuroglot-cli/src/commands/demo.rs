//! `neuroglot demo`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::terminal::console::Console;
use crate::workflows::demonstration;
use clap::Args;
use std::path::PathBuf;

/// See it work: simulate sessions, train, evaluate and report
///
/// Trains one model with multi-task masking and one with temporal masking, the baseline, both by the recipe neuroglot and
/// for equally many steps, on the same simulated sessions. Their scores stand beside two ceilings: that of the true rates,
/// which no model that sees spikes alone can reach, and the best that could be predicted from what a task shows by one who
/// knew the true state behind it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  neuroglot demo --out demo")]
pub struct Arguments {
    /// Folder for sessions, runs and the report
    #[arg(long, value_name = "DIR", default_value = "neuroglot-demo")]
    out: PathBuf,
    /// Decides everything random
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Runs the demonstration.
///
/// # Errors
/// A folder that is not empty or cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let compute = arguments.device.with_threads(threads);
    demonstration::run(&arguments.out, arguments.seed, &compute, console)
}
