//! `neuroglot inspect`

use crate::CommandError;
use crate::console::Console;
use clap::Args;
use neuroglot::data::{Session, SessionSummary};
use std::path::PathBuf;

/// Show what sessions hold, and what to look at before training
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  neuroglot inspect data/*_aligned")]
pub struct Arguments {
    /// Session folders
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<PathBuf>,
    /// Print a JSON array instead, an object per session
    #[arg(long)]
    json: bool,
}

/// Reads sessions and prints their figures.
///
/// # Errors
/// A session that cannot be read.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let read = |folder| Session::read(folder).map(|session| SessionSummary::of(&session));
    let summaries = arguments.sessions.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if arguments.json {
        return console.json(&summaries);
    }
    let blocks: Vec<String> = summaries.iter().map(SessionSummary::to_string).collect();
    console.result(blocks.join("\n"))
}
