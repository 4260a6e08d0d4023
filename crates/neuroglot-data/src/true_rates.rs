//! What is known of the rates of simulated units.

/// Rates of a simulated session, each `[trial, bin, unit]` flattened, spikes/bin.
///
/// Besides the rates that spikes were drawn from there are two that are expected by one who knows less: the best that
/// anything can predict that sees no more (docs/simulated.md says why).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrueRates {
    /// The rates that spikes were drawn from.
    pub rates: Vec<f32>,
    /// What is expected given the latents of all regions in the whole trial, and not the excitability of the unit's own:
    /// no other unit tells more. `None` in sessions of older versions.
    pub given_latents: Option<Vec<f32>>,
    /// What is expected given everything before [`first_forward_bin`]; before that bin, the rates themselves. `None` in
    /// sessions of older versions.
    pub given_past: Option<Vec<f32>>,
}

impl TrueRates {
    /// All rates that there are, with what they are called in messages.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &Vec<f32>)> {
        let others =
            [("rates given latents", &self.given_latents), ("rates given the past", &self.given_past)];
        let others = others.into_iter().filter_map(|(name, rates)| Some((name, rates.as_ref()?)));
        std::iter::once(("true rates", &self.rates)).chain(others)
    }

    /// The same of all rates.
    pub(crate) fn map(&self, change: impl Fn(&[f32]) -> Vec<f32>) -> TrueRates {
        TrueRates {
            rates: change(&self.rates),
            given_latents: self.given_latents.as_deref().map(&change),
            given_past: self.given_past.as_deref().map(&change),
        }
    }
}

/// The first of the `bins` bins of a trial that forward prediction predicts from those before: the last tenth of them, at
/// least one.
pub fn first_forward_bin(bins: usize) -> usize {
    bins - (bins / 10).max(1).min(bins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_prediction_is_of_the_last_tenth() {
        assert_eq!([100, 50, 9, 1, 0].map(first_forward_bin), [90, 45, 8, 0, 0]);
    }
}
