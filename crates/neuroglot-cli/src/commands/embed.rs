//! `neuroglot embed`

use crate::CommandError;
use crate::commands::predict::schemes;
use crate::machine::compute::DeviceOptions;
use crate::runs::loaded_run::{CheckpointOption, LoadedRun, open_model};
use crate::runs::place::{Place, folders_of_sessions};
use crate::runs::{output_format, sessions};
use crate::terminal::console::Console;
use clap::{Args, ValueEnum};
use neuroglot::eval::{Hide, latent_table, session_embedding_table, unit_embedding_table};
use neuroglot::files::OutputLock;
use neuroglot::masks::Scheme;
use std::path::PathBuf;

/// Write latents of sessions, or embeddings of units and sessions
///
/// Latents are the activations of the network behind its last normalisation, with nothing hidden; its log-rates are a linear map
/// of them. Of NDT2, whose bins are several patches of units, they are the mean over the patches. The table has a row per trial and
/// bin: eid, trial, trial_id, split, bin, time (s) and latents. The embedding of a unit is the weights by which its log-rate is
/// read from the latents (NDT2 has none), that of a session its session token. Of several networks it is the first; a coupling
/// has neither.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot embed mtm data/a_aligned --out latents.npz\n  \
                        neuroglot embed mtm --what units --out units.parquet")]
pub struct Arguments {
    /// A run folder, one of its checkpoints, or hub:OWNER/NAME
    #[arg(value_name = "RUN")]
    run: Place,
    /// Session folders, of latents [default: those the run was trained on]
    #[arg(value_name = "SESSION")]
    sessions: Vec<Place>,
    /// What to write
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = What::Latents)]
    what: What,
    /// The scheme that the model is told, for latents [default: neuron]
    #[arg(long, value_parser = schemes(), value_name = "SCHEME")]
    prompt: Option<Scheme>,
    /// The table to write: .parquet, .csv (a column per latent) or .npz (NumPy arrays [row, latent])
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// What `--what` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Of every trial and bin of the sessions
    Latents,
    /// Embeddings of all units that the model knows
    Units,
    /// Embeddings of all sessions that the model knows
    Sessions,
}

/// Writes the table.
///
/// # Errors
/// A run, checkpoint or session that cannot be used, a model that has no such thing, a file that cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    output_format::check_table(&arguments.out)?;
    let takes_sessions = arguments.what == What::Latents;
    if !takes_sessions && (!arguments.sessions.is_empty() || arguments.prompt.is_some()) {
        return Err(CommandError::Usage(
            "embeddings are of all units and sessions that the model knows, whatever it is told: leave out sessions and \
             --prompt, or take --what latents"
                .to_owned(),
        ));
    }
    let _lock = OutputLock::beside(&arguments.out)?;
    let folder = open_model(&arguments.run.of_run(console)?, arguments.checkpoint.name())?;
    let sessions = if takes_sessions {
        let given = folders_of_sessions(&arguments.sessions, console)?;
        let paths = if given.is_empty() { folder.session_folders()? } else { given };
        sessions::read_known(&paths, &folder, console)?
    } else {
        Vec::new()
    };
    let device = arguments.device.with_threads(threads).open(console)?.device;
    let mut run = LoadedRun::open(folder, device, console)?;
    let table = match arguments.what {
        What::Latents => {
            let pool = &run.ensemble.config().mask.pool;
            let scheme = Hide::default().scheme(pool, arguments.prompt)?.scheme;
            latent_table(&mut run.ensemble, &sessions, scheme)?
        }
        What::Units => unit_embedding_table(&mut run.ensemble)?,
        What::Sessions => session_embedding_table(&mut run.ensemble)?,
    };
    table.write(&arguments.out)?;
    console.result(arguments.out.display())
}
