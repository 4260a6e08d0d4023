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
/// training curves only. --figures writes each figure to files of its own, as SVG and as PDF, whose names tell section,
/// session and figure. PDFs bring their font along.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  neuroglot report mtm temporal --out report.html --title 'Masking compared'
  neuroglot report mtm --figures figures")]
pub struct Arguments {
    /// Folders of runs, checkpoints or baselines; the first is the one that others are plotted against
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The page to write; FILE.svg writes all its figures in one
    #[arg(long, value_name = "FILE.html", required_unless_present = "figures")]
    out: Option<PathBuf>,
    /// Folder for every figure of the page as a file of its own
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// Replace a folder of figures that is there already
    #[arg(long, requires = "figures")]
    overwrite: bool,
    /// Heading of the page [default: the names of the runs]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
}

/// Writes the page and the figures, and prints their paths.
///
/// # Errors
/// A path that is no run, or a page or a folder that cannot be written.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let Arguments { out, figures, .. } = arguments;
    out.as_deref().map(PageFormat::of).transpose()?;
    let _lock = out.as_deref().map(OutputLock::beside).transpose()?;
    let runs = named_run::open(&arguments.runs)?;
    let report = report_of_runs(&runs, arguments.title.as_deref(), out.as_deref(), figures.as_deref())?;
    // First what may be refused.
    if let Some(figures) = figures {
        report.write_figures(figures, arguments.overwrite)?;
        console.result(figures.display())?;
    }
    if let Some(out) = out {
        report.write(out)?;
        console.result(out.display())?;
    }
    Ok(())
}
