//! Ends of an axis from the values on it.

/// Beyond this a value is treated as missing: sums and differences of such values would overflow.
const LARGEST: f64 = 1e100;

/// Share of an axis left empty at each end.
const MARGIN: f64 = 0.04;

/// The finite values among `values`, sorted.
fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut kept: Vec<f64> = values.into_iter().filter(|value| value.abs() < LARGEST).collect();
    kept.sort_by(f64::total_cmp);
    kept
}

/// Ends that hold all finite values, with a margin; `(0, 1)` if there is none.
pub(crate) fn full(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    robust(values, 0.0, 0.0)
}

/// Ends that hold all finite values but those far out, with a margin; `(0, 1)` if there is none. Far out is what lies,
/// of the `tail` share at each side, further from the other values than `reach` times their range. One unit at −20 bits/spike would otherwise press all others into one line of pixels.
pub(crate) fn robust(values: impl IntoIterator<Item = f64>, tail: f64, reach: f64) -> (f64, f64) {
    let values = sorted(values);
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return (0.0, 1.0);
    };
    let cut = (values.len() as f64 * tail).ceil() as usize;
    let cut = cut.min((values.len() - 1) / 2);
    let (inner_low, inner_high) = (values[cut], values[values.len() - 1 - cut]);
    let reach = reach * (inner_high - inner_low);
    let (low, high) = if cut == 0 || reach == 0.0 {
        (*first, *last)
    } else {
        (first.max(inner_low - reach), last.min(inner_high + reach))
    };
    if low == high {
        let half = if low == 0.0 { 0.5 } else { low.abs() * 0.5 };
        return (low - half, high + half);
    }
    let margin = MARGIN * (high - low);
    (low - margin, high + margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_left_and_missing_values_are_ignored() {
        let (low, high) = full([f64::NAN, 0.0, 1.0, f64::INFINITY, 1e200]);
        assert!((low + 0.04).abs() < 1e-12 && (high - 1.04).abs() < 1e-12);
    }

    #[test]
    fn nothing_and_one_value_still_make_an_axis() {
        assert_eq!(full([]), (0.0, 1.0));
        assert_eq!(full([2.0, 2.0]), (1.0, 3.0));
        assert_eq!(full([0.0]), (-0.5, 0.5));
    }

    #[test]
    fn a_value_far_out_does_not_stretch_the_axis() {
        let values = || (0..=100).map(|index| f64::from(index) / 100.0);
        let (low, high) = robust(values().chain([-20.0]), 0.02, 0.2);
        assert!(low > -0.5 && high > 1.0 && high < 1.1, "{low} {high}");
        assert_eq!(robust(values(), 0.02, 0.2), full(values()));
    }
}
