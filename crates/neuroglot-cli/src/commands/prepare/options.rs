//! The options of `neuroglot prepare`, those of the command line and those of a file.

use super::Arguments;
use crate::CommandError;
use crate::machine::share::share;
use crate::terminal::console::one_line;
use clap::Args;
use neuroglot::data::SplitKind;
use neuroglot::prepare::{
    Condition, FileRecord, Limits, Preparation, PrepareOptions, SourceOptions, Species, TimeUnit,
    TraceChoice, TraceSelection, TrialRule, UnitColumns,
};
use neuroglot::regions::{Annotation, Parcellation};
use neuroglot::study::Shard;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Trials")]
pub(super) struct CutOptions {
    /// Width of a bin, s [default: 0.02]
    #[arg(long = "bin", value_name = "SECONDS")]
    bin_seconds: Option<f64>,
    /// First and last moment of a trial, s from the event [default: -0.5,1.5]
    #[arg(long, value_name = "FROM,TO", allow_hyphen_values = true, value_parser = pair)]
    window: Option<[f64; 2]>,
    /// Column of the trials table with the time of the event [default: stimOn_times of IBL
    /// sessions, else the start of the trial]
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
    /// How trials are split, and percentages for training, validation and test: 70,10,20, contiguous,
    /// or stratified:60,20,20. random draws them, contiguous takes them in order of time, stratified draws them from
    /// each class of --split-by [default: random:70,10,20]
    #[arg(long, value_name = "[KIND:]TRAIN,VAL,TEST")]
    split: Option<SplitArgument>,
    /// Least time between trials of two splits, s [default: trials may overlap, but for those of a contiguous split]
    #[arg(long, value_name = "SECONDS")]
    split_gap: Option<f64>,
    /// Behaviour whose values are the classes of a stratified split [default: choice]
    #[arg(long, value_name = "NAME")]
    split_by: Option<String>,
    /// Decides which trial is for what [default: 42]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keep trials that are copies of others: their windows begin at the same time, or they have the same spikes
    #[arg(long)]
    allow_identical_trials: bool,
    /// What times of spikes count: s, ms, us or samples@RATE, such as samples@30000 [default: s, unless the source says
    /// otherwise]
    #[arg(long, value_name = "UNIT")]
    spike_time_unit: Option<TimeUnit>,
    /// What the times that trials are aligned to count: s, ms, us or samples@RATE [default: s]
    #[arg(long, value_name = "UNIT")]
    trial_time_unit: Option<TimeUnit>,
}

/// What `--split` says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SplitArgument {
    kind: Option<SplitKind>,
    shares: Option<[f64; 3]>,
}

impl std::str::FromStr for SplitArgument {
    type Err = String;

    /// `KIND`, `TRAIN,VAL,TEST`, or both with a colon between them.
    fn from_str(text: &str) -> Result<SplitArgument, String> {
        let (kind, shares) = match text.split_once(':') {
            Some((kind, shares)) => (Some(kind), Some(shares)),
            None if text.contains(|c: char| c.is_ascii_digit()) => (None, Some(text)),
            None => (Some(text), None),
        };
        Ok(SplitArgument {
            kind: kind.map(|kind| kind.trim().parse()).transpose()?,
            shares: shares.map(triple).transpose()?,
        })
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Units")]
pub(super) struct UnitOptions {
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
    /// Only units that were observed in at least so many per cent of the trials, and only trials in which all of these were
    /// [default: what keeps most units times trials]
    #[arg(long, value_name = "PERCENT")]
    least_observed: Option<f64>,
    /// Names of regions that a source has as numbers which are no Allen ids, such as 0=CA1,1=VISp,2=unknown
    #[arg(long, value_name = "CODE=NAME,…", value_delimiter = ',', value_parser = region_code)]
    region_codes: Vec<(i64, String)>,
    /// Species of the animal: regions are named by the Allen atlas for a mouse, others keep their own names [default: that
    /// of the source]
    #[arg(long, value_name = "NAME", value_parser = |text: &str| Ok::<_, String>(Species::named(text)))]
    species: Option<Species>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "IBL session folders")]
pub(super) struct AlfArguments {
    /// Take no newer revision of data sets than this, such as 2024-05-06 [default: the newest]
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Sorter folder [default: iblsorter, then pykilosort, then others]
    #[arg(long, value_name = "NAME")]
    sorter: Option<String>,
    /// Probes, separated by commas [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    probes: Option<Vec<String>>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "NWB and temporaldata files")]
pub(super) struct Hdf5Arguments {
    /// Table of intervals whose rows are the trials [default: trials]
    #[arg(long, value_name = "NAME")]
    intervals: Option<String>,
    /// A series to keep as a behaviour, under a name, such as running_speed=/processing/behavior/running_speed; `:0` behind
    /// it takes one column. May be given several times [default: all series]
    #[arg(long = "trace", value_name = "NAME=PATH")]
    traces: Vec<TraceChoice>,
    /// Column of the units with identifiers
    #[arg(long, value_name = "COLUMN")]
    unit_uuid: Option<String>,
    /// Column of the units with regions
    #[arg(long, value_name = "COLUMN")]
    unit_region: Option<String>,
    /// Column of the units with their quality
    #[arg(long, value_name = "COLUMN")]
    unit_quality: Option<String>,
    /// Values of that column that are good, separated by commas [default: good, or a truth value]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    good_values: Vec<String>,
    /// Column of the units with probes
    #[arg(long, value_name = "COLUMN")]
    unit_probe: Option<String>,
    /// Column of the units with depths, µm
    #[arg(long, value_name = "COLUMN")]
    unit_depth: Option<String>,
    /// Column of the units with channels
    #[arg(long, value_name = "COLUMN")]
    unit_channel: Option<String>,
    /// Column of the electrodes with regions, of NWB files [default: location]
    #[arg(long, value_name = "COLUMN")]
    electrode_region: Option<String>,
    /// Regions by the electrodes' coordinates in --annotation, not by names, of NWB files
    #[arg(long, requires = "annotation")]
    coordinates: bool,
    /// A folder that links of a file may lead into, beside its own. May be given several times
    #[arg(long = "link-folder", value_name = "DIR")]
    link_folders: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Downloads")]
pub(super) struct RemoteArguments {
    /// A dandiset of the DANDI archive, such as 000017 or 000017/0.220126.1855
    #[arg(long, value_name = "ID[/VERSION]")]
    pub(super) dandi: Option<String>,
    /// A data set of the Hugging Face hub, with a revision if need be; may be given several times
    #[arg(long, value_name = "OWNER/NAME[@REVISION]")]
    pub(super) hub: Vec<String>,
    /// Which files of a dandiset or bucket, or sessions of a data set [default: all; *.nwb of a dandiset]
    #[arg(long, value_name = "GLOB")]
    pub(super) path: Option<String>,
    /// Where downloads of DANDI and S3 are kept [default: OUT/downloads]
    #[arg(long, value_name = "DIR")]
    pub(super) downloads: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Many sessions")]
pub(super) struct ManyOptions {
    /// Sources worked on at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Memory that they take together, about; a source that needs more is worked on alone [default: half of what this process may use]
    #[arg(long, value_name = "GB")]
    memory: Option<f64>,
    /// Which share of the sources this process makes, counted from 1
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

impl Arguments {
    /// What is made of each source: options of the command line go before those of the file.
    pub(super) fn preparation(&self) -> Result<Preparation, CommandError> {
        let file = match &self.config {
            None => ConfigFile::default(),
            Some(path) => {
                let text =
                    neuroglot::files::read_stream(path, neuroglot::files::SETTINGS).map_err(|error| {
                        CommandError::Usage(format!("cannot read {}: {error}", path.display()))
                    })?;
                toml::from_str(&text).map_err(|error| {
                    CommandError::Usage(format!("{}: {}", path.display(), one_line(&error)))
                })?
            }
        };
        let ConfigFile { prepare: mut options, mut reading } = file;
        let cut = &self.cut;
        set(&mut options.bin_seconds, &cut.bin_seconds);
        set(&mut options.window, &cut.window);
        set_some(&mut options.align, &cut.align);
        if cut.no_usual_rules {
            options.rules = Some(Vec::new());
        }
        options.further_rules.extend(cut.rules.iter().cloned());
        options.conditions.extend(cut.conditions.iter().cloned());
        set_some(&mut options.behaviours, &cut.behaviours);
        options.complete_behaviours |= cut.complete_behaviours;
        set(&mut options.max_gap, &cut.max_gap);
        if let Some(SplitArgument { kind, shares }) = &cut.split {
            set(&mut options.split_kind, kind);
            set(&mut options.split, shares);
        }
        set_some(&mut options.spike_time_unit, &cut.spike_time_unit);
        set_some(&mut options.trial_time_unit, &cut.trial_time_unit);
        set_some(&mut options.split_gap, &cut.split_gap);
        set_some(&mut options.split_by, &cut.split_by);
        options.identical_trials |= cut.allow_identical_trials;
        set(&mut options.seed, &cut.seed);
        let units = &self.units;
        set_some(&mut options.species, &units.species);
        set(&mut options.parcellation, &units.parcellation);
        options.outside_is_region |= units.outside_is_region;
        options.good_units |= units.good_units;
        set_some(&mut options.least_observed, &units.least_observed);
        options.region_codes.extend(units.region_codes.iter().cloned());
        options.bins().map_err(CommandError::Usage)?;
        set_some(&mut reading.alf.revision, &self.alf.revision);
        set_some(&mut reading.alf.sorter, &self.alf.sorter);
        set_some(&mut reading.alf.probes, &self.alf.probes);
        let SourceOptions { eid, alf, nwb, temporaldata, .. } = &mut reading;
        for eid in [eid, &mut alf.eid, &mut nwb.eid, &mut temporaldata.eid] {
            set_some(eid, &self.eid);
        }
        self.hdf5.set(&mut reading);
        let annotation = match &self.units.annotation {
            None => None,
            Some(path) => {
                let annotation = Annotation::read(path);
                let annotation = annotation.map_err(|error| CommandError::Failed(one_line(&error)))?;
                Some((annotation, FileRecord::of(path)?))
            }
        };
        Ok(Preparation { reading, options, annotation, overwrite: self.overwrite })
    }
}

impl Hdf5Arguments {
    fn set(&self, reading: &mut SourceOptions) {
        let given = [
            &self.unit_uuid,
            &self.unit_region,
            &self.unit_quality,
            &self.unit_depth,
            &self.unit_probe,
            &self.unit_channel,
        ];
        for columns in [&mut reading.nwb.units, &mut reading.temporaldata.units] {
            let UnitColumns { uuid, region, quality, good_values, depth, probe, channel } = columns;
            if !self.good_values.is_empty() {
                good_values.clone_from(&self.good_values);
            }
            for (column, given) in [uuid, region, quality, depth, probe, channel].into_iter().zip(given) {
                set_some(column, given);
            }
        }
        if !self.traces.is_empty() {
            reading.nwb.traces = TraceSelection::Chosen(self.traces.clone());
            reading.temporaldata.traces = TraceSelection::Chosen(self.traces.clone());
        }
        set(&mut reading.nwb.intervals, &self.intervals);
        set(&mut reading.temporaldata.intervals, &self.intervals);
        set_some(&mut reading.nwb.electrode_region, &self.electrode_region);
        reading.nwb.coordinates |= self.coordinates;
        reading.nwb.link_folders.extend(self.link_folders.iter().cloned());
        reading.temporaldata.link_folders.extend(self.link_folders.iter().cloned());
    }
}

impl ManyOptions {
    pub(super) fn shard(&self) -> Result<Shard, CommandError> {
        Ok(share(self.shard, self.shards, true)?.unwrap_or(Shard::WHOLE))
    }

    pub(super) fn limits(&self) -> Limits {
        let memory = match self.memory {
            Some(gigabytes) => (gigabytes.max(0.0) * 1e9) as u64,
            None => crate::machine::memory::usable() / 2,
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

fn set_some<T: Clone>(option: &mut Option<T>, given: &Option<T>) {
    if given.is_some() {
        option.clone_from(given);
    }
}

fn region_code(text: &str) -> Result<(i64, String), String> {
    let (code, name) = text.split_once('=').unwrap_or((text, ""));
    match (code.trim().parse(), name.trim()) {
        (Ok(code), name) if !name.is_empty() => Ok((code, name.to_owned())),
        _ => Err(format!("{text} is not CODE=NAME, such as 0=CA1")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_a_kind_or_shares_or_both() {
        let shares = Some([60.0, 20.0, 20.0]);
        let argument = |kind, shares| Ok(SplitArgument { kind, shares });
        assert_eq!("60,20,20".parse(), argument(None, shares));
        assert_eq!("contiguous".parse(), argument(Some(SplitKind::Contiguous), None));
        assert_eq!("stratified:60,20,20".parse(), argument(Some(SplitKind::Stratified), shares));
        for text in ["", "blocks", "blocks:60,20,20", "random:", "60,40"] {
            assert!(text.parse::<SplitArgument>().is_err(), "{text}");
        }
    }
}
