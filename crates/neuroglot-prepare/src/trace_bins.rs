//! Traces in the bins of trials.

use crate::{Intervals, Trace};

/// Leaves out the samples of a trace at times when it was not recorded: what fills a gap is no value. Returns how many.
pub(crate) fn leave_out_fill(trace: &mut Trace, observed: &Intervals) -> usize {
    match trace {
        Trace::Samples { times, values } => {
            let found = times.len();
            let kept: Vec<bool> = times.iter().map(|&time| observed.contains(time)).collect();
            let mut of_time = kept.iter();
            times.retain(|_| of_time.next() == Some(&true));
            let mut of_value = kept.iter();
            values.retain(|_| of_value.next() == Some(&true));
            found - times.len()
        }
        Trace::Regular { start, rate, values } => {
            let mut filled = 0;
            for (sample, value) in values.iter_mut().enumerate() {
                if !observed.contains(*start + sample as f64 / *rate) {
                    *value = f64::NAN;
                    filled += 1;
                }
            }
            filled
        }
        // Bins of which nothing is known are missing.
        Trace::Events(_) => 0,
    }
}

/// Values of a trace in the bins of trials, `[trial, bin]` flattened; NaN where missing.
///
/// Samples are linearly interpolated to the right edges of the bins (SPEC of the published sessions), over gaps of at most
/// `max_gap` s; events are counted in bins that are closed on the left, where all of the bin was `observed`.
pub(crate) fn bin_trace(
    trace: &Trace,
    observed: Option<&Intervals>,
    starts: &[f64],
    bins: usize,
    bin_seconds: f64,
    max_gap: f64,
) -> Vec<f64> {
    let mut out = Vec::with_capacity(starts.len() * bins);
    for &start in starts {
        match trace {
            Trace::Samples { times, values } => {
                // The bins of a trial lie close together among millions of samples.
                let end = start + (bins + 1) as f64 * bin_seconds;
                let first = times.partition_point(|&time| time < start).saturating_sub(1);
                let last = first + times[first..].partition_point(|&time| time <= end);
                let last = (last + 1).min(times.len());
                let (times, values) = (&times[first..last], &values[first..last]);
                let edges = (1..=bins).map(|bin| start + bin as f64 * bin_seconds);
                out.extend(edges.map(|edge| interpolate(times, values, edge, max_gap)));
            }
            Trace::Regular { start: first, rate, values } => {
                let edges = (1..=bins).map(|bin| start + bin as f64 * bin_seconds);
                let is_dense = 1.0 / rate <= max_gap;
                out.extend(edges.map(|edge| {
                    if is_dense { interpolate_regular(*first, *rate, values, edge) } else { f64::NAN }
                }));
            }
            Trace::Events(times) => {
                let first = times.partition_point(|&time| time < start);
                let place = out.len();
                out.resize(place + bins, 0.0);
                for &time in &times[first..] {
                    let bin = ((time - start) / bin_seconds) as usize;
                    if bin >= bins {
                        break;
                    }
                    out[place + bin] += 1.0;
                }
                if let Some(observed) = observed {
                    for (bin, count) in out[place..].iter_mut().enumerate() {
                        let left = start + bin as f64 * bin_seconds;
                        if !observed.covers(left, left + bin_seconds) {
                            *count = f64::NAN;
                        }
                    }
                }
            }
        }
    }
    out
}

/// Value at a time between samples; NaN before the first, after the last, beside a missing sample and in a gap.
fn interpolate(times: &[f64], values: &[f64], at: f64, max_gap: f64) -> f64 {
    let next = times.partition_point(|&time| time < at);
    let Some(&after) = times.get(next) else { return f64::NAN };
    if after == at {
        return values[next];
    }
    if next == 0 {
        return f64::NAN;
    }
    let before = times[next - 1];
    if after - before > max_gap {
        return f64::NAN;
    }
    let (left, right) = (values[next - 1], values[next]);
    left + (right - left) * ((at - before) / (after - before))
}

/// As [`interpolate`], between samples at one rate.
fn interpolate_regular(first: f64, rate: f64, values: &[f64], at: f64) -> f64 {
    let place = (at - first) * rate;
    if place.is_nan() || place < 0.0 || place > values.len() as f64 - 1.0 {
        return f64::NAN;
    }
    let (before, fraction) = (place as usize, place.fract());
    if fraction == 0.0 {
        values[before]
    } else {
        values[before] + (values[before + 1] - values[before]) * fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_interpolated_to_right_edges() {
        let trace = Trace::Samples { times: vec![0.0, 1.0, 2.0], values: vec![0.0, 10.0, 30.0] };
        assert_eq!(
            bin_trace(&trace, None, &[0.0, 0.5], 4, 0.5, 1.0)[..6],
            [5.0, 10.0, 20.0, 30.0, 10.0, 20.0]
        );
    }

    #[test]
    fn samples_at_one_rate_are_as_any_others() {
        let values = vec![0.0, 10.0, 30.0, f64::NAN, 5.0];
        let regular = Trace::Regular { start: 0.5, rate: 2.0, values: values.clone() };
        let any = Trace::Samples { times: (0..5).map(|i| 0.5 + f64::from(i) / 2.0).collect(), values };
        for bin_seconds in [0.5, 0.125, 0.3] {
            let [left, right] =
                [&regular, &any].map(|trace| bin_trace(trace, None, &[0.0, 0.25], 10, bin_seconds, 1.0));
            for (left, right) in left.iter().zip(right) {
                assert!((left - right).abs() < 1e-9 || (left.is_nan() && right.is_nan()), "{left} {right}");
            }
        }
        assert!(
            bin_trace(&regular, None, &[0.5], 1, 0.25, 0.4)[0].is_nan(),
            "samples lie further apart than that"
        );
    }

    #[test]
    fn nothing_is_made_up() {
        let values = vec![1.0, f64::NAN, 3.0, 3.0];
        let trace = Trace::Samples { times: vec![1.0, 2.0, 3.0, 5.0], values };
        let binned = bin_trace(&trace, None, &[0.0], 6, 1.0, 1.0);
        let missing: Vec<usize> = (0..6).filter(|&bin| binned[bin].is_nan()).collect();
        // The right edge of bin 1 is the missing sample; of bin 3 it lies in the gap from 3 to 5 s.
        assert_eq!(missing, [1, 3, 5]);
        assert_eq!((binned[0], binned[2], binned[4]), (1.0, 3.0, 3.0));
        assert!(
            bin_trace(&Trace::Samples { times: vec![], values: vec![] }, None, &[0.0], 1, 1.0, 1.0)[0]
                .is_nan()
        );
    }

    #[test]
    fn what_fills_a_gap_is_missing() {
        let observed = Intervals::new([[0.0, 1.0], [4.0, 6.0]]);
        let times: Vec<f64> = (0..13).map(|sample| f64::from(sample) * 0.5).collect();
        let filled = |time: &f64| if observed.contains(*time) { 10.0 + time } else { 0.0 };
        let values: Vec<f64> = times.iter().map(filled).collect();
        let mut traces = [
            Trace::Samples { times, values: values.clone() },
            Trace::Regular { start: 0.0, rate: 2.0, values },
        ];
        for trace in &mut traces {
            assert_eq!(leave_out_fill(trace, &observed), 5);
            let binned = bin_trace(trace, Some(&observed), &[0.0], 6, 1.0, 1.0);
            assert_eq!((binned[0], binned[3], binned[4], binned[5]), (11.0, 14.0, 15.0, 16.0));
            assert!(binned[1..3].iter().all(|value| value.is_nan()), "{binned:?}");
        }
    }

    #[test]
    fn events_are_not_counted_where_none_could_be_seen() {
        let trace = Trace::Events(vec![0.5, 2.5]);
        let observed = Intervals::new([[0.0, 1.5], [2.0, 4.0]]);
        let binned = bin_trace(&trace, Some(&observed), &[0.0], 5, 1.0, 1.0);
        assert_eq!((binned[0], binned[2], binned[3]), (1.0, 1.0, 0.0));
        assert!(binned[1].is_nan() && binned[4].is_nan(), "{binned:?}");
    }

    #[test]
    fn events_are_counted() {
        let trace = Trace::Events(vec![0.1, 0.5, 0.9, 0.95, 1.0]);
        assert_eq!(bin_trace(&trace, None, &[0.0, 0.5], 2, 0.5, 1.0), [1.0, 3.0, 3.0, 1.0]);
    }
}
