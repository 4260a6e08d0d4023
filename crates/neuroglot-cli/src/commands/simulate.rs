//! `neuroglot simulate`

use crate::CommandError;
use crate::terminal::console::Console;
use clap::Args;
use neuroglot::data::SimulatorConfig;
use neuroglot::files::OutputLock;
use std::path::PathBuf;

/// Make sessions whose true rates are known
///
/// Several animals do one task; their regions share dynamics, so that what is hidden can be told from the rest, and the
/// true rates say how well at best. Equal options give equal sessions.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  neuroglot simulate data --sessions 3 --units 60 --seed 1")]
pub struct Arguments {
    /// Folder for the sessions, each in <eid>_aligned; their paths are printed
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Sessions, each of another animal
    #[arg(long, value_name = "N", default_value_t = SimulatorConfig::default().sessions)]
    sessions: usize,
    /// Units of a session
    #[arg(long, value_name = "N", default_value_t = SimulatorConfig::default().units)]
    units: usize,
    /// Trials of a session
    #[arg(long, value_name = "N", default_value_t = SimulatorConfig::default().trials)]
    trials: usize,
    /// Bins of a trial, of 20 ms
    #[arg(long, value_name = "N", default_value_t = SimulatorConfig::default().bins)]
    bins: usize,
    /// Decides everything random
    #[arg(long, value_name = "N", default_value_t = SimulatorConfig::default().seed)]
    seed: u64,
    /// Replace sessions that are there already
    #[arg(long)]
    overwrite: bool,
}

/// Simulates, writes and prints the paths.
///
/// # Errors
/// A setting that cannot be used, or a folder that cannot be written.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let config = SimulatorConfig {
        sessions: arguments.sessions,
        units: arguments.units,
        trials: arguments.trials,
        bins: arguments.bins,
        seed: arguments.seed,
        ..SimulatorConfig::default()
    };
    let sessions = config.simulate()?;
    let _lock = OutputLock::inside(&arguments.out)?;
    for session in sessions {
        let folder = arguments.out.join(format!("{}_aligned", session.eid()));
        session.write(&folder, arguments.overwrite)?;
        console.result(folder.display())?;
    }
    Ok(())
}
