//! Numbers as people read them on a terminal; the general ones are in `neuroglot::data::number`.

use neuroglot::data::number;
use neuroglot::metrics::Interval;

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

/// A score with three decimals, `n/a` where there is none.
pub fn decimal(value: Option<f64>) -> String {
    number::decimal(value.unwrap_or(f64::NAN), 3)
}

/// The ends of an interval, `[0.120, 0.250]`; nothing where there is none.
pub fn ends(interval: Option<Interval>) -> String {
    interval.map_or(String::new(), |Interval { low, high, .. }| {
        format!("[{}, {}]", decimal(Some(low)), decimal(Some(high)))
    })
}

/// As [`decimal`], with a plus where it is positive.
pub fn signed(value: f64) -> String {
    number::signed(value, 3)
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
    }
}
