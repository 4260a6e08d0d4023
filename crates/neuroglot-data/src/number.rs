//! Numbers as people read them: true minus signs, "n/a" for what is undefined, and nouns with their plural.

/// `value` with `decimals` decimals; "n/a" if it is not finite.
pub fn decimal(value: f64, decimals: usize) -> String {
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
pub fn signed(value: f64, decimals: usize) -> String {
    let text = decimal(value, decimals);
    let is_zero = text.parse() == Ok(0.0);
    if value > 0.0 && value.is_finite() && !is_zero { format!("+{text}") } else { text }
}

/// A number of things, such as `1 session` and `2 sessions`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
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
        assert_eq!([0.001, -0.001, 0.0].map(|value| signed(value, 2)), ["0.00"; 3]);
    }

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "unit")), ["0 units", "1 unit", "2 units"]);
    }
}
