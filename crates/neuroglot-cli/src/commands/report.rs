//! `neuroglot report`

use crate::CommandError;
use crate::reports::runs::report_of_runs;
use crate::runs::named_run;
use crate::terminal::console::Console;
use clap::Args;
use neuroglot::files::OutputLock;
use neuroglot::report::PageFormat;
use std::path::PathBuf;

/// Make one HTML page with tables and figures of runs
///
/// The page needs neither scripts nor a network. Runs that were evaluated are shown with their scores, others with their
/// training curves only.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  neuroglot report mtm temporal --out report.html --title 'Masking compared'"
)]
pub struct Arguments {
    /// Folders of runs, checkpoints or baselines; the first is the one that others are plotted against
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The page to write; FILE.svg writes its figures alone
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Heading of the page [default: the names of the runs]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
}

/// Writes the page and prints its path.
///
/// # Errors
/// A path that is no run, or a page that cannot be written.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    PageFormat::of(&arguments.out)?;
    let _lock = OutputLock::beside(&arguments.out)?;
    let runs = named_run::open(&arguments.runs)?;
    report_of_runs(&runs, arguments.title.as_deref(), &arguments.out)?.write(&arguments.out)?;
    console.result(arguments.out.display())
}
