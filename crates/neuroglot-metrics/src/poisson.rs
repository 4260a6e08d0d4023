//! The Poisson negative log-likelihood of a spike count.

/// The rate, in spikes/bin, that stands in for a rate of exactly 0, whose likelihood of a spike would be 0.
pub(crate) const SMALLEST_RATE: f64 = 1e-9;

/// Negative log-likelihood, in nats, of `count` spikes in a bin whose predicted rate is `rate` spikes/bin:
/// `r − y ln r + ln Γ(y + 1)`. A rate of exactly 0 counts as 1e-9; a negative rate gives NaN.
pub fn poisson_nll(rate: f64, count: f64) -> f64 {
    rate_term(rate, count) + libm::lgamma(count + 1.0)
}

/// The part of [`poisson_nll`] that depends on the rate, `r − y ln r`: all that is left in a difference of two
/// likelihoods of the same count.
pub(crate) fn rate_term(rate: f64, count: f64) -> f64 {
    let rate = if rate == 0.0 { SMALLEST_RATE } else { rate };
    // Most bins are empty, and a logarithm takes longer than all else.
    if count == 0.0 && rate > 0.0 { rate } else { rate - count * rate.ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-12 * right.abs().max(1.0)
    }

    #[test]
    fn known_values() {
        // P(0 | 2) = e^-2; P(1 | 1) = e^-1; P(3 | 2) = 8 e^-2 / 6.
        assert!(close(poisson_nll(2.0, 0.0), 2.0));
        assert!(close(poisson_nll(1.0, 1.0), 1.0));
        assert!(close(poisson_nll(2.0, 3.0), -(8.0_f64 / 6.0).ln() + 2.0));
    }

    #[test]
    fn a_rate_of_zero_counts_as_one_in_a_billion() {
        assert!(close(poisson_nll(0.0, 0.0), 1e-9));
        assert!(close(poisson_nll(0.0, 2.0), 1e-9 + 2.0 * 1e9_f64.ln() + 2.0_f64.ln()));
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one(rate in 0.01..20.0_f64) {
            let total: f64 = (0..120).map(|count| (-poisson_nll(rate, f64::from(count))).exp()).sum();
            prop_assert!((total - 1.0).abs() < 1e-10);
        }

        #[test]
        fn the_count_itself_is_its_most_likely_rate(count in 1..50u8, rate in 0.01..60.0_f64) {
            let count = f64::from(count);
            prop_assert!(poisson_nll(count, count) <= poisson_nll(rate, count) + 1e-12);
        }
    }
}
