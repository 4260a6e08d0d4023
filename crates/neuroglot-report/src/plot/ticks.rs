//! Tick values people would choose: multiples of 1, 2 or 5 times a power of ten.

use neuroglot_data::number::decimal;

/// Ticks of one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    /// Distance between ticks.
    pub step: f64,
    /// Ticks from low to high, all inside the axis.
    pub values: Vec<f64>,
}

impl Ticks {
    /// Ticks inside `low..=high`, in number as near to `wanted` as the steps 1, 2 and 5 times a power of ten allow (the
    /// wider step of two equally near). None if the ends are not finite or not in order.
    pub fn between(low: f64, high: f64, wanted: usize) -> Ticks {
        let span = high - low;
        if !(low.is_finite() && high.is_finite() && span.is_finite() && span > 0.0) {
            return Ticks::none();
        }
        let power = (span / wanted.max(1) as f64).log10().floor() as i32;
        let mut best: Option<(usize, Ticks)> = None;
        for exponent in [power + 1, power, power - 1] {
            for digit in [5, 2, 1] {
                let ticks = Ticks::multiples(low, high, digit, exponent);
                let distance = ticks.values.len().abs_diff(wanted);
                if best.as_ref().is_none_or(|(nearest, _)| distance < *nearest) {
                    best = Some((distance, ticks));
                }
            }
        }
        best.map_or(Ticks::none(), |(_, ticks)| ticks)
    }

    /// An axis without ticks.
    pub fn none() -> Ticks {
        Ticks { step: 1.0, values: Vec::new() }
    }

    /// [`Ticks::between`] whole numbers only, for trials and epochs.
    pub fn whole(low: f64, high: f64, wanted: usize) -> Ticks {
        let ticks = Ticks::between(low, high, wanted);
        if ticks.step >= 1.0 { ticks } else { Ticks::multiples(low, high, 1, 0) }
    }

    /// The multiples of `digit`·10^`exponent` inside `low..=high`.
    fn multiples(low: f64, high: f64, digit: i32, exponent: i32) -> Ticks {
        let (digit, power) = (f64::from(digit), 10f64.powi(exponent.abs()));
        // Dividing by a whole power of ten gives 0.3, where multiplying by 0.1 gives 0.30000000000000004.
        let value = |multiple: f64| {
            if exponent < 0 { multiple * digit / power } else { multiple * digit * power }
        };
        let step = value(1.0);
        let slack = (high - low) * 1e-9;
        let (first, last) = (((low - slack) / step).ceil(), ((high + slack) / step).floor());
        // The bound guards against an axis so far from zero that its ticks cannot be told apart.
        if !step.is_finite() || step <= 0.0 || last - first > 1000.0 || low + step == low {
            return Ticks { step, values: Vec::new() };
        }
        let count = (last - first + 1.0).max(0.0) as usize;
        Ticks { step, values: (0..count).map(|index| value(first + index as f64) + 0.0).collect() }
    }

    /// Label of one tick, with as many decimals as the step has.
    pub fn label(&self, value: f64) -> String {
        if self.step < 1e-4 || value.abs() >= 1e6 {
            if value == 0.0 {
                return "0".to_string();
            }
            return format!("{value:e}").replace('-', "−");
        }
        let decimals = (-(self.step * (1.0 + 1e-9)).log10().floor()).max(0.0) as usize;
        decimal(value, decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<String> {
        ticks.values.iter().map(|value| ticks.label(*value)).collect()
    }

    #[test]
    fn unit_interval_is_cut_in_fifths() {
        let ticks = Ticks::between(0.0, 1.0, 5);
        assert_eq!(ticks.values, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(labels(&ticks), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn ticks_lie_inside_an_uneven_range_and_include_zero() {
        let ticks = Ticks::between(-0.37, 2.9, 5);
        assert_eq!(labels(&ticks), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        let ticks = Ticks::between(-0.37, 0.52, 5);
        assert_eq!(labels(&ticks), ["−0.2", "0.0", "0.2", "0.4"]);
    }

    #[test]
    fn thousands_and_thousandths() {
        assert_eq!(labels(&Ticks::between(0.0, 1000.0, 5)), ["0", "200", "400", "600", "800", "1000"]);
        assert_eq!(labels(&Ticks::between(0.0, 0.02, 5)), ["0.000", "0.005", "0.010", "0.015", "0.020"]);
        assert_eq!(labels(&Ticks::between(0.0, 2e7, 3)), ["0", "1e7", "2e7"]);
        assert_eq!(labels(&Ticks::between(0.0, 2e-5, 3)), ["0", "1e−5", "2e−5"]);
    }

    #[test]
    fn whole_ticks_never_fall_between_trials() {
        assert_eq!(Ticks::whole(1.0, 3.0, 5).values, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn degenerate_ranges_have_no_ticks() {
        for (low, high) in
            [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-f64::MAX, f64::MAX)]
        {
            assert!(Ticks::between(low, high, 5).values.is_empty(), "{low} {high}");
        }
        assert!(Ticks::between(1e300, 1e300 + 1e285, 5).values.len() < 50);
    }
}
