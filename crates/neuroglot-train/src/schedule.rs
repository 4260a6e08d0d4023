//! The one-cycle schedule of learning rate and β₁.

/// One-cycle schedule with cosine annealing (Smith and Topin 2018), as the published runs had it.
///
/// The rate rises from `max_rate / div` to `max_rate` over the first `warm_up` of the steps, then falls to
/// `max_rate / div / final_div`; β₁ falls from 0.95 to 0.85 and rises again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycle {
    /// Highest learning rate.
    pub max_rate: f64,
    /// Number of steps of the whole run.
    pub steps: u64,
    /// Share of the steps spent rising.
    pub warm_up: f64,
    /// Start: `max_rate / div`.
    pub div: f64,
    /// End: start / `final_div`.
    pub final_div: f64,
    /// β₁ at the ends.
    pub beta1_high: f64,
    /// β₁ at the peak of the rate.
    pub beta1_low: f64,
}

impl OneCycle {
    /// The published schedule: 15 % warm-up from max/10, down to max/10/1e4, β₁ 0.95 → 0.85 → 0.95.
    pub fn new(max_rate: f64, steps: u64) -> Self {
        Self { max_rate, steps, warm_up: 0.15, div: 10.0, final_div: 1e4, beta1_high: 0.95, beta1_low: 0.85 }
    }

    /// Learning rate and β₁ of a step, counted from 0. Steps past the end keep the last values.
    pub fn at(&self, step: u64) -> (f64, f64) {
        let step = step.min(self.steps.saturating_sub(1)) as f64;
        let peak = self.warm_up * self.steps as f64 - 1.0;
        let last = self.steps as f64 - 1.0;
        let (start, end) = (self.max_rate / self.div, self.max_rate / self.div / self.final_div);
        if step <= peak {
            let along = step / peak;
            (cosine(start, self.max_rate, along), cosine(self.beta1_high, self.beta1_low, along))
        } else {
            let along = if last > peak { (step - peak) / (last - peak) } else { 1.0 };
            (cosine(self.max_rate, end, along), cosine(self.beta1_low, self.beta1_high, along))
        }
    }
}

/// From `from` (along = 0) to `to` (along = 1) on half a cosine.
fn cosine(from: f64, to: f64, along: f64) -> f64 {
    let along = if along.is_finite() { along } else { 1.0 };
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * along).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_falls_to_the_end() {
        let schedule = OneCycle::new(1e-3, 1000);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.abs().max(1e-6);
        let (rate, beta1) = schedule.at(0);
        assert!(close(rate, 1e-4) && close(beta1, 0.95));
        let (rate, beta1) = schedule.at(149);
        assert!(close(rate, 1e-3) && close(beta1, 0.85));
        let (rate, beta1) = schedule.at(999);
        assert!(close(rate, 1e-8) && close(beta1, 0.95));
        assert_eq!(schedule.at(999), schedule.at(5000));
        // Half way up, the rate is the mean of start and peak.
        let half = OneCycle { warm_up: 0.201, ..schedule };
        assert!(close(half.at(100).0, 5.5e-4));
    }

    #[test]
    fn runs_of_any_length_have_finite_rates() {
        for steps in 0..20 {
            for step in 0..25 {
                let (rate, beta1) = OneCycle::new(1.0, steps).at(step);
                assert!(rate.is_finite() && rate > 0.0 && (0.85..=0.95).contains(&beta1), "{steps} {step}");
            }
        }
    }
}
