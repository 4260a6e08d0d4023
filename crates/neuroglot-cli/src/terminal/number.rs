//! Numbers as people read them.

/// A length of time with the two largest units that matter: `8.3 s`, `4 min 2 s`, `3 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{:.1} s", seconds.max(0.0)),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// Three decimals with a true minus sign, `n/a` where there is no number.
pub fn decimal(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => {
            let text = format!("{value:.3}");
            // Nothing is left of a small negative number but its sign.
            if text == "-0.000" { "0.000".to_owned() } else { text.replace('-', "−") }
        }
        _ => "n/a".to_owned(),
    }
}

/// As [`decimal`], with a plus where it is positive.
pub fn signed(value: f64) -> String {
    let text = decimal(Some(value));
    if value > 0.0 && text != "0.000" { format!("+{text}") } else { text }
}

/// `1 session`, `2 sessions`.
pub fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_units() {
        let texts = [0.04, 59.4, 59.6, 242.0, 11_400.0, 200_000.0].map(duration);
        assert_eq!(texts, ["0.0 s", "59.4 s", "1 min 0 s", "4 min 2 s", "3 h 10 min", "2 d 7 h"]);
    }

    #[test]
    fn decimals_say_when_there_is_no_number() {
        assert_eq!(
            [Some(-0.12345), Some(f64::NAN), None, Some(2.0)].map(decimal),
            ["−0.123", "n/a", "n/a", "2.000"]
        );
        assert_eq!(
            [0.5, -0.5, 0.0, 1e-9, -1e-9].map(signed),
            ["+0.500", "−0.500", "0.000", "0.000", "0.000"]
        );
    }
}
