//! Names of the columns, and what each is read for.

pub(super) const DATA: &str = "spikes_sparse_data";
pub(super) const INDICES: &str = "spikes_sparse_indices";
pub(super) const INDPTR: &str = "spikes_sparse_indptr";
pub(super) const SHAPE: &str = "spikes_sparse_shape";
pub(super) const BIN_SIZE: &str = "binsize";
pub(super) const WINDOW: &str = "interval_len";
pub(super) const EID: &str = "eid";
pub(super) const PROBE: &str = "probe_name";
pub(super) const SUBJECT: &str = "subject";
pub(super) const LAB: &str = "lab";
pub(super) const SAMPLING: &str = "sampling_freq";
pub(super) const REGIONS: &str = "cluster_regions";
pub(super) const CHANNELS: &str = "cluster_channels";
pub(super) const DEPTHS: &str = "cluster_depths";
pub(super) const GOOD: &str = "good_clusters";
/// A struct of quality measures that some copies have.
pub(super) const QUALITY: &str = "cluster_qc";
pub(super) const UUIDS: &str = "cluster_uuids";
pub(super) const TRIAL_ID: &str = "trial_id";
pub(super) const TRUE_RATES: &str = "simulated_rates";
pub(super) const TRIAL_WINDOW: &str = "trial_window";

/// Columns that describe the units; their lists repeat in every row.
pub(super) const OF_UNITS: [&str; 5] = [REGIONS, UUIDS, DEPTHS, CHANNELS, GOOD];

/// More units than any session has.
pub(super) const MAX_UNITS: usize = 1 << 17;
pub(super) const RATES_GIVEN_LATENTS: &str = "simulated_rates_given_latents";
pub(super) const RATES_GIVEN_PAST: &str = "simulated_rates_given_past";

/// Columns with a number per bin and unit, of simulated sessions.
pub(super) const ALL_RATES: [&str; 3] = [TRUE_RATES, RATES_GIVEN_LATENTS, RATES_GIVEN_PAST];

/// Width of a bin where a file has no `binsize`, s: that of the published IBL sessions.
pub(super) const DEFAULT_BIN_SECONDS: f64 = 0.02;

/// Whether a column describes the units.
pub(super) fn is_of_units(column: &str) -> bool {
    OF_UNITS.contains(&column)
}

/// Whether a column with numbers or texts can be a behaviour.
pub(super) fn may_be_behaviour(column: &str) -> bool {
    !(column.starts_with("spikes_")
        || column.starts_with("cluster_")
        || ALL_RATES.contains(&column)
        || [GOOD, TRIAL_WINDOW, BIN_SIZE, WINDOW, EID, PROBE, SUBJECT, LAB, SAMPLING, TRIAL_ID]
            .contains(&column))
}

/// Whether a column has a place in the schema, and so is neither a behaviour nor left out.
pub(super) fn is_known(column: &str) -> bool {
    is_of_units(column)
        || ALL_RATES.contains(&column)
        || [DATA, INDICES, INDPTR, SHAPE, BIN_SIZE, WINDOW, EID, PROBE, SUBJECT, LAB, SAMPLING]
            .contains(&column)
        || [TRIAL_ID, TRIAL_WINDOW].contains(&column)
        || column == QUALITY
}
