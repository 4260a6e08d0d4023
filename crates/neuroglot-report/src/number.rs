//! Numbers as they are read: true minus signs, and "n/a" for what is undefined.

/// `value` with `decimals` decimals; "n/a" if it is not finite.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "n/a".to_string();
    }
    let magnitude = value.abs();
    let digits =
        if magnitude >= 1e6 { format!("{magnitude:.2e}") } else { format!("{magnitude:.decimals$}") };
    let is_zero = digits.chars().all(|digit| digit == '0' || digit == '.');
    if value < 0.0 && !is_zero { format!("−{digits}") } else { digits }
}

/// A difference with its sign, such as "+0.08".
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = decimal(value, decimals);
    if value > 0.0 && value.is_finite() { format!("+{text}") } else { text }
}

/// The middle of the finite values (the mean of the middle two if their number is even); `None` if there is none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_minus_signs_and_undefined_values() {
        assert_eq!(decimal(-0.4567, 2), "−0.46");
        assert_eq!(decimal(-0.0001, 2), "0.00");
        assert_eq!(decimal(-2.5e7, 2), "−2.50e7");
        assert_eq!(decimal(f64::NAN, 2), "n/a");
        assert_eq!(decimal(f64::NEG_INFINITY, 2), "n/a");
        assert_eq!(signed(0.081, 2), "+0.08");
        assert_eq!(signed(-0.081, 2), "−0.08");
    }

    #[test]
    fn median_ignores_what_is_not_finite() {
        assert_eq!(median(&[3.0, f64::NAN, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[f64::INFINITY]), None);
    }
}
