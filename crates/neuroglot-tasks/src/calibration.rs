//! Predicted rates beside the counts that came.

use crate::results::CalibrationPoint;

/// Points of a task at most.
const POINTS: usize = 12;

/// Scored entries in groups from the lowest predicted rate to the highest, in each of which equally many spikes are expected.
///
/// `log_rates` and `counts` are of the same entries, ln(spikes/bin) and spikes.
pub(crate) fn calibration(log_rates: &[f32], counts: &[f32]) -> Vec<CalibrationPoint> {
    let mut entries: Vec<(f64, f64)> = log_rates
        .iter()
        .zip(counts)
        .map(|(rate, count)| (f64::from(*rate).exp(), f64::from(*count)))
        .collect();
    entries.sort_by(|one, other| one.0.total_cmp(&other.0));
    let expected: f64 = entries.iter().map(|(rate, _)| rate).sum();
    let (mut points, mut first, mut seen) = (Vec::new(), 0, 0.0);
    for (place, (rate, _)) in entries.iter().enumerate() {
        seen += rate;
        let is_last = place + 1 == entries.len();
        if is_last || seen >= expected * (points.len() + 1) as f64 / POINTS as f64 {
            let group = &entries[first..=place];
            let mean = |of: fn(&(f64, f64)) -> f64| group.iter().map(of).sum::<f64>() / group.len() as f64;
            points.push(CalibrationPoint {
                entries: group.len(),
                predicted: mean(|entry| entry.0),
                observed: mean(|entry| entry.1),
            });
            first = place + 1;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_equally_many_expected_spikes() {
        // Rates 1/4 and 4: as many spikes are expected of 160 entries of the former as of 10 of the latter.
        let mut log_rates = vec![0.25f32.ln(); 160];
        log_rates.extend([4f32.ln(); 10]);
        let counts: Vec<f32> = (0..170).map(|entry| if entry < 160 { 0.5 } else { 3.0 }).collect();
        let points = calibration(&log_rates, &counts);
        assert_eq!(points.iter().map(|point| point.entries).sum::<usize>(), 170);
        assert!(points.len() <= POINTS);
        let (first, last) = (points[0], points[points.len() - 1]);
        assert!((first.predicted - 0.25).abs() < 1e-6 && first.observed == 0.5, "{first:?}");
        assert!((last.predicted - 4.0).abs() < 1e-6 && last.observed == 3.0, "{last:?}");
        assert!(points[..6].iter().all(|point| (26..=28).contains(&point.entries)), "{points:?}");
    }

    #[test]
    fn nothing_scored_is_no_point() {
        assert!(calibration(&[], &[]).is_empty());
    }
}
