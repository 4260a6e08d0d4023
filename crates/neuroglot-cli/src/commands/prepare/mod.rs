//! `neuroglot prepare`

mod options;
mod outcome;
mod places;

use crate::CommandError;
use crate::terminal::console::Console;
#[cfg(feature = "network")]
use crate::workflows::downloads::Downloads;
use crate::workflows::preparation_run::{Failure, Place, PreparationRun};
use clap::Args;
use neuroglot::data::number::counted;
use options::{AlfArguments, CutOptions, Hdf5Arguments, ManyOptions, RemoteArguments, UnitOptions};
use outcome::{in_json, in_words};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Make sessions of recordings: cut trials, count spikes, name regions
///
/// A SOURCE is a session folder of the International Brain Laboratory (ALF), an NWB file (.nwb), an HDF5 file of
/// temporaldata or brainsets (.h5), a file that describes plain arrays (.toml), a session that is aligned already, or the
/// s3:// address of such a file. --dandi and --hub name dandisets and data sets of the Hugging Face hub.
///
/// Each recording becomes a folder <eid>_aligned. provenance.json in it says what it was made of, and why each trial and
/// unit that is missing was left out. What is done is not made again. A source that fails does not stop the others; the
/// failures are listed at the end.
///
/// Window, bins and split are those of the MtM paper unless an option says otherwise, and so are the trials of IBL
/// sessions.
#[derive(Debug, Args)]
#[command(
    after_help = "Options may also stand in a file for --config, with a table [prepare] and tables [reading.alf], \
                  [reading.nwb] and [reading.temporaldata]; docs/preparing.md lists its keys. Options of the command line \
                  go before it.\n\n\
                  Example:\n  \
                  neuroglot prepare ONE/lab/Subjects/NG_001/2024-03-01/001 --out sessions\n  \
                  neuroglot prepare recording.nwb --out sessions --align stim_on_time --condition choice=response\n  \
                  neuroglot prepare --dandi 000017 --path 'sub-Cori/*' --out sessions --align visual_stimulus_time\n  \
                  neuroglot prepare --sources sessions.txt --out sessions --window -0.2,0.8 --align firstMovement_times"
)]
pub struct Arguments {
    /// Files, folders or s3:// addresses
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    /// Folder for the sessions
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A file with a further source on each line
    #[arg(long = "sources", value_name = "FILE")]
    list: Option<PathBuf>,
    /// Options from a file
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Identifier of the session, where there is one source [default: that of the source]
    #[arg(long, value_name = "EID")]
    eid: Option<String>,
    /// Replace sessions that were made otherwise
    #[arg(long)]
    overwrite: bool,
    /// Print JSON instead: the provenance of each session, and the failures
    #[arg(long)]
    json: bool,
    /// How trials are cut.
    #[command(flatten)]
    cut: CutOptions,
    /// What units are taken, and how their regions are named.
    #[command(flatten)]
    units: UnitOptions,
    /// What is read of IBL session folders.
    #[command(flatten)]
    alf: AlfArguments,
    /// What is read of HDF5 files.
    #[command(flatten)]
    hdf5: Hdf5Arguments,
    /// What is downloaded.
    #[command(flatten)]
    remote: RemoteArguments,
    /// How many at a time.
    #[command(flatten)]
    many: ManyOptions,
}

/// Prepares this process's share of the sources and says what became of each.
///
/// # Errors
/// Options that cannot be meant; sources that failed, after all others are done.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let preparation = arguments.preparation()?;
    #[cfg(feature = "network")]
    let downloads = Downloads::new(&arguments.downloads());
    let shard = arguments.many.shard()?;
    #[cfg(feature = "network")]
    let sources = arguments.places(&downloads, shard.count() > 1)?;
    #[cfg(not(feature = "network"))]
    let sources = arguments.places()?;
    let mine: Vec<Place> = (sources.into_iter().enumerate())
        .filter(|(index, _)| shard.has_index(index % shard.count()))
        .map(|(_, source)| source)
        .collect();
    let preparation = PreparationRun {
        preparation: &preparation,
        out: &arguments.out,
        limits: arguments.many.limits(),
        #[cfg(feature = "network")]
        downloads: &downloads,
    };
    let (outcomes, failures) = preparation.run(&mine, console);
    if arguments.json {
        let sessions: Vec<Value> = outcomes.iter().map(in_json).collect();
        let failures: Vec<Value> = failures
            .iter()
            .map(|Failure { source, error }| json!({ "source": source, "error": error }))
            .collect();
        console.json(&json!({ "sessions": sessions, "failures": failures }))?;
    } else {
        outcomes.iter().try_for_each(|outcome| console.result(in_words(outcome)))?;
    }
    match failures.len() {
        0 => Ok(()),
        failed => {
            let names: Vec<&str> = failures.iter().map(|failure| failure.source.as_str()).collect();
            Err(CommandError::Failed(format!(
                "{failed} of {} failed, as said above: {}; put right what is wrong and run the same command again",
                counted(mine.len(), "source"),
                names.join(", ")
            )))
        }
    }
}

/// The words of the command that `neuroglot launch` prints.
pub fn launched(list: &Path, out: &Path) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    ["prepare".to_owned(), "--sources".to_owned(), path(list), "--out".to_owned(), path(out)].into()
}
