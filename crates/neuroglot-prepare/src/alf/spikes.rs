//! The units of one probe, and their spikes.

use neuroglot_files::FromIo;
use std::path::Path;

use neuroglot_regions::ccf_from_bregma;

use super::datasets::{Collection, Dataset};
use crate::files::npy::{NpyArray, read_npy};
use crate::files::table::read_table;
use crate::time_order::put_in_order;
use crate::{Location, PrepareError, RecordedUnit, SpikeStream, TrialColumn};

/// Time of each spike; what has it is a spike sorting.
pub(super) const TIMES: Dataset = Dataset::array("spikes", &["times"]);
const CLUSTERS: Dataset = Dataset::array("spikes", &["clusters"]);
const CHANNELS: Dataset = Dataset::array("clusters", &["channels"]);
const DEPTHS: Dataset = Dataset::array("clusters", &["depths"]);
const UUIDS: Dataset = Dataset::list("clusters", &["uuids"]);
const METRICS: Dataset = Dataset::table("clusters", &["metrics"]);
const LOCATION_IDS: Dataset = Dataset::array("channels", &["brainLocationIds_ccf_2017"]);
const COORDINATES: Dataset = Dataset::array("channels", &["mlapdv"]);

/// What [`Probe::read`] reads.
pub(super) const DATASETS: [Dataset; 8] =
    [TIMES, CLUSTERS, CHANNELS, DEPTHS, UUIDS, METRICS, LOCATION_IDS, COORDINATES];

/// Units and spikes of one probe; spikes count units from 0.
pub(super) struct Probe {
    pub units: Vec<RecordedUnit>,
    pub times: Vec<f64>,
    pub clusters: Vec<u32>,
    pub notes: Vec<String>,
}

impl Probe {
    /// Reads `spikes.*`, `clusters.*` and `channels.*` of a spike sorting. `recording` is an identifier of the session, for
    /// units without one.
    ///
    /// # Errors
    /// A data set that is missing or contradicts the others.
    pub(super) fn read(sorting: &Collection, probe: &str, recording: &str) -> Result<Probe, PrepareError> {
        let times_file = sorting.required(TIMES)?;
        let clusters_file = sorting.required(CLUSTERS)?;
        let channels_file = sorting.required(CHANNELS)?;
        let (times, clusters) = rayon::join(
            || read_npy::<f64>(times_file).map(|array| array.values),
            || read_npy::<u32>(clusters_file).map(|array| array.values),
        );
        let (mut times, mut clusters) = (times?, clusters?);
        let cure = "take both of one revision (--revision), or download them again";
        let wrong = |problem: String| PrepareError::field(clusters_file, "spikes.clusters", problem, cure);
        if times.len() != clusters.len() {
            return Err(wrong(format!("has {} values for {} spikes.times", clusters.len(), times.len())));
        }
        let channels = read_npy::<i64>(channels_file)?.values;
        if let Some(&cluster) = clusters.iter().find(|&&cluster| cluster as usize >= channels.len()) {
            return Err(wrong(format!("names cluster {cluster}, clusters.channels has {}", channels.len())));
        }
        let mut notes = Vec::new();
        let missing = put_in_order(&mut times, &mut clusters).left_out;
        if missing > 0 {
            notes.push(format!("{}: spikes without a time, left out: {missing}", times_file.display()));
        }

        let locations = locations(sorting, &channels, &mut notes)?;
        let depths = |file| of_units(read_npy::<f64>(file)?.values, channels.len(), file, "clusters.depths");
        let depths = sorting.get(DEPTHS).map(depths).transpose()?;
        let uuids = match sorting.get(UUIDS) {
            Some(file) => Some(of_units(read_uuids(file)?, channels.len(), file, "clusters.uuids")?),
            None => {
                notes.push(format!("{probe} has no clusters.uuids.csv: units are named by their numbers"));
                None
            }
        };
        let labels = quality(sorting, channels.len(), &mut notes)?;
        let units = (0..channels.len()).map(|unit| RecordedUnit {
            uuid: match &uuids {
                Some(uuids) => uuids[unit].clone(),
                None => format!("{recording}-{probe}-{unit}"),
            },
            location: locations[unit].clone(),
            probe: probe.to_owned(),
            depth: depths.as_ref().map(|depths| depths[unit]).filter(|depth| depth.is_finite()),
            channel: Some(channels[unit]),
            good: labels[unit],
        });
        Ok(Probe { units: units.collect(), times, clusters, notes })
    }

    /// The spikes, as a stream of units that begin at place `first_unit` of a recording.
    pub(super) fn into_stream(self, first_unit: u32) -> (Vec<RecordedUnit>, SpikeStream) {
        let mut clusters = self.clusters;
        if first_unit > 0 {
            clusters.iter_mut().for_each(|cluster| *cluster += first_unit);
        }
        (self.units, SpikeStream::Interleaved { times: self.times, units: clusters })
    }
}

/// The location of each unit's channel.
fn locations(
    sorting: &Collection,
    channels: &[i64],
    notes: &mut Vec<String>,
) -> Result<Vec<Location>, PrepareError> {
    let of_channel = |count: usize, file: &Path, name: &str| -> Result<(), PrepareError> {
        match channels.iter().find(|&&channel| channel < 0 || channel as usize >= count) {
            None => Ok(()),
            Some(channel) => {
                let problem = format!("has {count} channels, a cluster is on channel {channel}");
                let cure = "take clusters and channels of one spike sorting";
                Err(PrepareError::field(file, name, problem, cure))
            }
        }
    };
    if let Some(file) = sorting.get(LOCATION_IDS) {
        let ids = read_npy::<i64>(file)?.values;
        of_channel(ids.len(), file, "channels.brainLocationIds_ccf_2017")?;
        return Ok(channels.iter().map(|&channel| Location::Id(ids[channel as usize])).collect());
    }
    if let Some(file) = sorting.get(COORDINATES) {
        // µm from bregma.
        let NpyArray { shape, values } = read_npy::<f64>(file)?;
        if shape.len() != 2 || shape[1] != 3 {
            let problem = format!("has shape {shape:?}, expected [channels, 3]");
            return Err(PrepareError::field(file, "channels.mlapdv", problem, "download it again"));
        }
        of_channel(shape[0], file, "channels.mlapdv")?;
        let location = |&channel: &i64| {
            let at = &values[channel as usize * 3..][..3];
            Location::Ccf(ccf_from_bregma([at[0] * 1e-6, at[1] * 1e-6, at[2] * 1e-6]))
        };
        return Ok(channels.iter().map(location).collect());
    }
    notes.push(format!("{}: no histology (channels.brainLocationIds_ccf_2017)", sorting.folder().display()));
    Ok(vec![Location::Unknown; channels.len()])
}

/// Whether each unit passes all quality criteria (`label` 1), where the metrics say so.
fn quality(
    sorting: &Collection,
    units: usize,
    notes: &mut Vec<String>,
) -> Result<Vec<Option<bool>>, PrepareError> {
    let mut good = vec![None; units];
    let Some(file) = sorting.get(METRICS) else {
        notes.push(format!("{}: no clusters.metrics.pqt, quality is not known", sorting.folder().display()));
        return Ok(good);
    };
    let mut columns = read_table(file, &|name| matches!(name, "label" | "cluster_id"))?;
    let Some(TrialColumn::Numbers(labels)) = columns.remove("label") else {
        notes.push(format!("{} has no column label, quality is not known", file.display()));
        return Ok(good);
    };
    // A label is the share of the criteria that a unit passed; other numbers are codes of something else.
    if let Some(label) = labels.iter().find(|label| **label < 0.0 || **label > 1.0) {
        notes.push(format!(
            "label of {} has {label}, which is no share of criteria: quality is not known",
            file.display()
        ));
        return Ok(good);
    }
    // Metrics may leave out clusters without spikes; the row says which cluster it is of.
    let ids = match columns.remove("cluster_id") {
        Some(TrialColumn::Numbers(ids)) => ids,
        _ => (0..labels.len()).map(|row| row as f64).collect(),
    };
    for (id, label) in ids.into_iter().zip(labels) {
        if id >= 0.0
            && let Some(good) = good.get_mut(id as usize)
        {
            *good = (!label.is_nan()).then_some(label >= 1.0);
        }
    }
    Ok(good)
}

/// A list with one value per unit.
fn of_units<T>(values: Vec<T>, units: usize, file: &Path, field: &str) -> Result<Vec<T>, PrepareError> {
    if values.len() == units {
        Ok(values)
    } else {
        let problem = format!("has {} values for {units} clusters", values.len());
        Err(PrepareError::field(file, field, problem, "take all data sets of one revision (--revision)"))
    }
}

/// `clusters.uuids.csv`: a header line and a uuid per line.
fn read_uuids(file: &Path) -> Result<Vec<String>, PrepareError> {
    let corrupt = |error: csv::Error| PrepareError::damaged(file)(error.into());
    let handle = neuroglot_files::open(file).map_err(PrepareError::io("open", file))?;
    let mut reader = csv::ReaderBuilder::new().from_reader(handle);
    // pandas may have written its index in front.
    let last = |record: csv::StringRecord| record.iter().next_back().unwrap_or_default().trim().to_owned();
    reader.records().map(|record| record.map(last).map_err(corrupt)).collect()
}
