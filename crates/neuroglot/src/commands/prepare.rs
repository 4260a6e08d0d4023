//! `neuroglot prepare`

use crate::CommandError;
use crate::console::{Console, one_line};
use crate::number::counted;
use crate::preparing::{Failure, Preparing};
use clap::Args;
use neuroglot::prepare::{
    AlfOptions, Condition, Limits, Outcome, Preparation, PrepareOptions, SourceOptions, TrialRule,
};
use neuroglot::regions::{Annotation, Parcellation};
use neuroglot::study::Shard;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Make sessions of recordings: cut into trials, binned, with a region for each unit
///
/// A SOURCE is a session folder of the International Brain Laboratory (ALF), or a session that is aligned already. Each
/// becomes a folder <eid>_aligned, with provenance.json in it: what it was made of, and for every trial and unit that was
/// left out the reason. What is done is not made again; what fails is listed at the end, after all others.
///
/// Trials, window, bins and split are those of the paper where no option says otherwise.
#[derive(Debug, Args)]
#[command(
    after_help = "Options may also stand in a file for --config: a table [prepare] with bin_seconds, window, align, rules, \
                  further_rules, conditions, behaviours, complete_behaviours, max_gap, split, seed, parcellation, \
                  outside_is_region and good_units, and tables [reading.alf] and so on. Options of the command line go \
                  before it.\n\n\
                  Example:\n  \
                  neuroglot prepare ONE/lab/Subjects/NG_001/2024-03-01/001 --out sessions\n  \
                  neuroglot prepare --sources sessions.txt --out sessions --window -0.2,0.8 --align firstMovement_times"
)]
pub struct Arguments {
    /// Files or folders
    #[arg(value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Folder for the sessions
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A file with a source on each line, beside those given
    #[arg(long = "sources", value_name = "FILE")]
    list: Option<PathBuf>,
    /// Options from a file
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// How trials are cut.
    #[command(flatten)]
    cut: CutOptions,
    /// What units are taken, and how their regions are named.
    #[command(flatten)]
    units: UnitOptions,
    /// What is read of IBL session folders.
    #[command(flatten)]
    alf: AlfArguments,
    /// How many at a time.
    #[command(flatten)]
    many: ManyOptions,
    /// Replace sessions that were made otherwise
    #[arg(long)]
    overwrite: bool,
    /// Print JSON instead: a list with the provenance of each session, and the failures
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Trials")]
struct CutOptions {
    /// Width of a bin, s [default: 0.02]
    #[arg(long = "bin", value_name = "SECONDS")]
    bin_seconds: Option<f64>,
    /// First and last moment of a trial, s from the event [default: -0.5,1.5]
    #[arg(long, value_name = "FROM,TO", allow_hyphen_values = true, value_parser = pair)]
    window: Option<[f64; 2]>,
    /// Column of the trials table with the time of the event [default: stimOn_times for IBL sessions]
    #[arg(long, value_name = "COLUMN")]
    align: Option<String>,
    /// What a trial must fulfil, such as 'choice != 0' or 'feedback_times - goCue_times <= 10'; a column's name alone asks
    /// for a value. May be given several times; the usual rules of the source hold too
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<TrialRule>,
    /// Only the rules given, not the usual ones of the source
    #[arg(long)]
    no_usual_rules: bool,
    /// A column of the trials table to keep as a behaviour, under a name. May be given several times
    #[arg(long = "condition", value_name = "NAME=COLUMN")]
    conditions: Vec<Condition>,
    /// Behaviours to keep, separated by commas [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    behaviours: Option<Vec<String>>,
    /// Leave out trials in which a behaviour is missing
    #[arg(long)]
    complete_behaviours: bool,
    /// Longest gap between samples of a trace that is interpolated over, s [default: 1]
    #[arg(long, value_name = "SECONDS")]
    max_gap: Option<f64>,
    /// Per cent of the trials for training, validation and test [default: 70,10,20]
    #[arg(long, value_name = "TRAIN,VAL,TEST", value_parser = triple)]
    split: Option<[f64; 3]>,
    /// Decides which trials go where [default: 42]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Units")]
struct UnitOptions {
    /// Parcellation that regions are named by: beryl, cosmos, swanson or allen [default: beryl]
    #[arg(long = "regions", value_name = "PARCELLATION")]
    parcellation: Option<Parcellation>,
    /// Volume to look coordinates up in: annotation_25.nrrd or annotation_10.nrrd of the Allen Institute
    #[arg(long, value_name = "FILE.nrrd")]
    annotation: Option<PathBuf>,
    /// Units outside of all regions (root, void) count as a region, `outside`
    #[arg(long)]
    outside_is_region: bool,
    /// Only units of good quality
    #[arg(long)]
    good_units: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "IBL session folders")]
struct AlfArguments {
    /// Take no newer revision of data sets than this, such as 2024-05-06 [default: the newest]
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Sorter folder [default: iblsorter, then pykilosort, then others]
    #[arg(long, value_name = "NAME")]
    sorter: Option<String>,
    /// Probes, separated by commas [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    probes: Option<Vec<String>>,
    /// Identifier of the session, of a single source
    #[arg(long, value_name = "EID")]
    eid: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Many sessions")]
struct ManyOptions {
    /// Sources worked on at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Memory that they take together, about; a larger source is worked on alone [default: half of the machine's]
    #[arg(long, value_name = "GB")]
    memory: Option<f64>,
    /// The share of this process, counted from 1
    #[arg(long, value_name = "I/N", conflicts_with = "shards")]
    shard: Option<Shard>,
    /// Number of shares, where the scheduler tells each process its number but not of how many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: Option<u32>,
}

/// Options of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConfigFile {
    prepare: PrepareOptions,
    reading: SourceOptions,
}

/// Prepares this process's share of the sources and says what became of each.
///
/// # Errors
/// Options that cannot be meant; sources that failed, after all others are done.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let preparation = arguments.preparation()?;
    let sources = arguments.sources()?;
    let shard = arguments.many.shard()?;
    let mine: Vec<PathBuf> = (sources.into_iter().enumerate())
        .filter(|(index, _)| shard.is(index % shard.count()))
        .map(|(_, source)| source)
        .collect();
    let preparing =
        Preparing { preparation: &preparation, out: &arguments.out, limits: arguments.many.limits() };
    let (outcomes, failures) = preparing.run(&mine, console);
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

impl Arguments {
    fn preparation(&self) -> Result<Preparation, CommandError> {
        let file = match &self.config {
            None => ConfigFile::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    CommandError::Usage(format!("cannot read {}: {error}", path.display()))
                })?;
                toml::from_str(&text).map_err(|error| {
                    CommandError::Usage(format!("{}: {}", path.display(), one_line(&error)))
                })?
            }
        };
        let ConfigFile { prepare: mut options, mut reading } = file;
        let CutOptions { bin_seconds, window, align, rules, no_usual_rules, conditions, .. } = &self.cut;
        set(&mut options.bin_seconds, bin_seconds);
        set(&mut options.window, window);
        if align.is_some() {
            options.align.clone_from(align);
        }
        if *no_usual_rules {
            options.rules = Some(Vec::new());
        }
        options.further_rules.extend(rules.iter().cloned());
        options.conditions.extend(conditions.iter().cloned());
        if self.cut.behaviours.is_some() {
            options.behaviours.clone_from(&self.cut.behaviours);
        }
        options.complete_behaviours |= self.cut.complete_behaviours;
        set(&mut options.max_gap, &self.cut.max_gap);
        set(&mut options.split, &self.cut.split);
        set(&mut options.seed, &self.cut.seed);
        set(&mut options.parcellation, &self.units.parcellation);
        options.outside_is_region |= self.units.outside_is_region;
        options.good_units |= self.units.good_units;
        options.bins().map_err(CommandError::Usage)?;
        let AlfArguments { revision, sorter, probes, eid } = &self.alf;
        let alf: &mut AlfOptions = &mut reading.alf;
        for (option, given) in [(&mut alf.revision, revision), (&mut alf.sorter, sorter), (&mut alf.eid, eid)]
        {
            if given.is_some() {
                option.clone_from(given);
            }
        }
        if probes.is_some() {
            alf.probes.clone_from(probes);
        }
        let annotation = match &self.units.annotation {
            None => None,
            Some(path) => {
                Some(Annotation::read(path).map_err(|error| CommandError::Failed(one_line(&error)))?)
            }
        };
        Ok(Preparation { reading, options, annotation, overwrite: self.overwrite })
    }

    fn sources(&self) -> Result<Vec<PathBuf>, CommandError> {
        let mut sources = self.sources.clone();
        if let Some(list) = &self.list {
            let text = std::fs::read_to_string(list)
                .map_err(|error| CommandError::Usage(format!("cannot read {}: {error}", list.display())))?;
            // Paths are relative to where the command runs, as those given to it are.
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            sources.extend(lines.map(PathBuf::from));
        }
        if sources.is_empty() {
            return Err(CommandError::Usage(
                "no source: name files or folders, or a list with --sources".to_owned(),
            ));
        }
        if self.alf.eid.is_some() && sources.len() > 1 {
            return Err(CommandError::Usage(
                "--eid names one session, and there are several sources".to_owned(),
            ));
        }
        Ok(sources)
    }
}

impl ManyOptions {
    fn shard(&self) -> Result<Shard, CommandError> {
        if let Some(shard) = self.shard {
            return Ok(shard);
        }
        let variable = |name: &str| std::env::var(name).ok();
        let shard = Shard::from_environment(variable, self.shards.map(|count| count as usize))?;
        match (shard, self.shards) {
            (None, Some(count)) => Err(CommandError::Usage(format!(
                "--shards {count} says of how many, and no scheduler says which: give --shard i/{count}"
            ))),
            (shard, _) => Ok(shard.unwrap_or(Shard::WHOLE)),
        }
    }

    fn limits(&self) -> Limits {
        let memory = match self.memory {
            Some(gigabytes) => (gigabytes.max(0.0) * 1e9) as u64,
            None => crate::machine::memory() / 2,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Limits { jobs: self.jobs.map_or(cores, usize::from), memory }
    }
}

fn set<T: Clone>(option: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        option.clone_from(given);
    }
}

fn numbers<const N: usize>(text: &str, example: &str) -> Result<[f64; N], String> {
    let numbers = text.split(',').map(|part| part.trim().parse::<f64>()).collect::<Result<Vec<_>, _>>();
    numbers
        .ok()
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| format!("write {N} numbers, as in {example}"))
}

fn pair(text: &str) -> Result<[f64; 2], String> {
    numbers(text, "-0.5,1.5")
}

fn triple(text: &str) -> Result<[f64; 3], String> {
    numbers(text, "70,10,20")
}

/// One line of a session and, for what was left out, one line a reason.
fn in_words(outcome: &Outcome) -> String {
    let Outcome { folder, provenance, was_there } = outcome;
    let (trials, units) = (&provenance.trials, &provenance.units);
    let mut text = format!(
        "{}  {} of {}, {} of {}, {}{}",
        folder.display(),
        trials.kept,
        counted(trials.found, "trial"),
        units.kept,
        counted(units.found, "unit"),
        counted(provenance.regions.len(), "region"),
        if *was_there { "  (was there)" } else { "" },
    );
    for (selection, what) in [(trials, "trial"), (units, "unit")] {
        for (reason, count) in selection.reasons() {
            text.push_str(&format!("\n  {} left out: {reason}", counted(count, what)));
        }
    }
    for (name, notes) in &provenance.behaviours {
        if notes.trials_with_missing > 0 {
            text.push_str(&format!(
                "\n  {name} has missing values in {}",
                counted(notes.trials_with_missing, "trial")
            ));
        }
    }
    text
}

fn in_json(outcome: &Outcome) -> Value {
    json!({ "folder": outcome.folder, "was_there": outcome.was_there, "provenance": outcome.provenance })
}

/// The words of the command that `neuroglot launch` prints.
pub fn launched(list: &Path, out: &Path) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    ["prepare".to_owned(), "--sources".to_owned(), path(list), "--out".to_owned(), path(out)].into()
}
