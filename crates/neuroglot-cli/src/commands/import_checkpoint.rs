//! `neuroglot import-checkpoint`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::runs::sessions;
use crate::terminal::console::Console;
use clap::Args;
use neuroglot::data::number::counted;
use neuroglot::train::{SessionTable, import_checkpoint};
use serde_json::json;
use std::path::PathBuf;

/// Make a run of a published checkpoint
///
/// The checkpoint is a state dict of an NDT1-stitch with the published parameter names: safetensors, or a .pt file of
/// PyTorch, of which nothing but tensors is read (scripts/strip_checkpoint.py makes one of a pickled model). Sizes come
/// from the shapes; the table says what they do not, above all which stitcher belongs to which session. The run's
/// checkpoint best/ can be evaluated, used for predictions and fine-tuned.
#[derive(Debug, Args)]
#[command(after_help = "A table, here TOML:\n  \
                        heads = 8          # 8 where it is left out\n  \
                        rope = false\n  \
                        [[sessions]]\n  \
                        path = \"data/a_aligned\"\n  \
                        stitcher = \"273\"   # key in the checkpoint: the reference has the number of units\n  \
                        row = 0            # of the session embedding\n\n\
                        Example:\n  neuroglot import-checkpoint published.pt --sessions table.toml --out published")]
pub struct Arguments {
    /// A state dict: .safetensors or .pt
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The table of sessions, TOML or JSON
    #[arg(long, value_name = "TABLE")]
    sessions: PathBuf,
    /// The run folder to make
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Attention heads [default: as the table says, else 8]
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Print a JSON object about the run
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Imports and says what was left out.
///
/// # Errors
/// A file or table that cannot be understood, sessions that do not fit, a folder that cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let mut table = SessionTable::read(&arguments.sessions)?;
    table.heads = arguments.heads.unwrap_or(table.heads);
    let paths: Vec<PathBuf> = table.sessions.iter().map(|session| session.path.clone()).collect();
    let sessions = sessions::read(&paths, &table.data.filter(), console)?;
    let device = arguments.device.with_threads(threads).open(console)?.device;
    let places = sessions::absolute(&paths)?;
    let imported = import_checkpoint(&arguments.file, &table, &sessions, &places, &arguments.out, device)?;
    if arguments.json {
        return console.json(&json!({
            "run": arguments.out,
            "sessions": sessions.iter().map(|session| session.eid()).collect::<Vec<_>>(),
            "parameters": imported.parameters,
            "left_out": imported.left_out,
        }));
    }
    if !imported.left_out.is_empty() {
        console.note(format!("not needed of the checkpoint: {}", imported.left_out.join(", ")));
    }
    let sessions = counted(sessions.len(), "session");
    console.result(format!(
        "run  {}\n     {sessions}, {} parameters",
        arguments.out.display(),
        imported.parameters
    ))
}
