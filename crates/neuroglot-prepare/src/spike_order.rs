//! Spikes in order of time.

use std::path::Path;

/// Leaves out spikes whose time is missing, and sorts those that are not in order.
pub(crate) fn put_in_order(
    times: &mut Vec<f64>,
    clusters: &mut Vec<u32>,
    file: &Path,
    notes: &mut Vec<String>,
) {
    // Comparisons with NaN are false, so one pass finds both what is missing and what is out of order.
    let ordered = times.windows(2).all(|pair| pair[0] <= pair[1]);
    if ordered
        && times.first().is_none_or(|first| first.is_finite())
        && times.last().is_none_or(|t| t.is_finite())
    {
        return;
    }
    let mut spikes: Vec<(f64, u32)> =
        times.iter().copied().zip(clusters.iter().copied()).filter(|(time, _)| time.is_finite()).collect();
    if spikes.len() < times.len() {
        let missing = times.len() - spikes.len();
        notes.push(format!("{}: spikes without a time, left out: {missing}", file.display()));
    }
    spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
    (*times, *clusters) = spikes.into_iter().unzip();
}
