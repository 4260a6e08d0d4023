//! From a quantity to pixels.

/// A linear scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Ends of the quantity.
    pub domain: (f64, f64),
    /// The pixels those ends map to.
    pub range: (f64, f64),
}

impl Scale {
    /// The pixel of `value`; not finite if `value` is not.
    pub fn at(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        self.range.0 + (value - low) / (high - low) * (self.range.1 - self.range.0)
    }

    /// The pixel of the value inside the domain nearest to `value`.
    pub fn clamped(&self, value: f64) -> f64 {
        self.at(value.clamp(self.domain.0, self.domain.1))
    }

    /// Whether `value` lies in the domain.
    pub fn holds(&self, value: f64) -> bool {
        value >= self.domain.0 && value <= self.domain.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_map_to_ends_and_middle() {
        let scale = Scale { domain: (-1.0, 3.0), range: (100.0, 0.0) };
        assert_eq!((scale.at(-1.0), scale.at(1.0), scale.at(3.0)), (100.0, 50.0, 0.0));
        assert_eq!(scale.clamped(9.0), 0.0);
        assert!(scale.at(f64::NAN).is_nan());
        assert!(scale.holds(3.0) && !scale.holds(3.1) && !scale.holds(f64::NAN));
    }
}
