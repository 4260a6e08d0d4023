//! A batch of training as it is drawn: its trials, its mask, and its counts where the device does not keep them.

use crate::kept_session::KeptSession;
use crate::lanes::LaneBatch;
use crate::{Purpose, RunConfig, stream};
use neuroglot_data::Session;
use neuroglot_masks::{Holdout, Prompt, Regions, Scheme};
use neuroglot_model::{BatchCounts, KeptTrial, KeptTrials, Model, TrainingBatch};
use rand::RngExt;

/// Room for a batch, kept from step to step.
pub(crate) struct DrawnBatch {
    session: usize,
    prompt: Prompt,
    holdout: Holdout,
    /// Trials of the session, and whether the bins of each are reversed.
    trials: Vec<(usize, bool)>,
    /// The table that the trials are kept in, and their places in it.
    kept: Option<KeptTrials>,
    places: Vec<KeptTrial>,
    /// Their counts, where they are kept nowhere.
    counts: Vec<f32>,
}

impl Default for DrawnBatch {
    fn default() -> Self {
        Self {
            session: 0,
            prompt: Prompt(Scheme::Neuron),
            holdout: Holdout::nothing(0, 0, 0),
            trials: Vec::new(),
            kept: None,
            places: Vec::new(),
            counts: Vec::new(),
        }
    }
}

impl DrawnBatch {
    /// Draws the mask of a batch of a step, and brings its counts to where the model reads them.
    pub(crate) fn draw(
        &mut self,
        config: &RunConfig,
        step: u64,
        LaneBatch { batch, place, .. }: &LaneBatch,
        (session, regions): (&Session, &Regions),
        (model, kept): (&mut Model, Option<&KeptSession>),
    ) {
        let (trials, bins) = (batch.trials.len(), session.bins());
        let mut rng = stream(config.seed, Purpose::Masking, step, *place);
        let entry = config.mask.pool.draw(&mut rng);
        (self.session, self.prompt) = (batch.session, entry.prompt);
        let ratio = config.mask.ratio_of(entry);
        entry.scheme.redraw(&mut self.holdout, trials, bins, regions, ratio, &mut rng);
        let reversal = config.train.time_reversal;
        let mut is_reversed = || reversal > 0.0 && rng.random_bool(reversal);
        self.trials.clear();
        self.trials.extend(batch.trials.iter().map(|trial| (*trial, is_reversed())));
        self.kept = kept.and_then(|kept| kept.place(model, session, &self.trials, &mut self.places));
        if self.kept.is_none() {
            self.write_counts(session);
        }
    }

    fn write_counts(&mut self, session: &Session) {
        let units = session.units().len();
        let of_trial = session.bins() * units;
        self.counts.resize(self.trials.len() * of_trial, 0.0);
        for ((trial, is_reversed), out) in self.trials.iter().zip(self.counts.chunks_mut(of_trial)) {
            session.write_dense(*trial, out);
            if *is_reversed {
                reverse_bins(out, units);
            }
        }
    }

    /// The batch as a model takes it.
    pub(crate) fn for_model(&self, dropout: (u64, u64)) -> TrainingBatch<'_> {
        let counts = match self.kept {
            Some(kept) => BatchCounts::Kept(kept, &self.places),
            None => BatchCounts::Given(&self.counts),
        };
        let Self { session, prompt, ref holdout, .. } = *self;
        TrainingBatch { session, prompt, counts, holdout, dropout: Some(dropout) }
    }

    /// Hidden entries that the loss counts.
    pub(crate) fn targets(&self) -> u64 {
        self.holdout.scored_entries() as u64
    }
}

/// Reverses the order of bins, `[bin, unit]`.
fn reverse_bins(counts: &mut [f32], units: usize) {
    counts.reverse();
    counts.chunks_mut(units).for_each(<[f32]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversing_bins_keeps_units_in_place() {
        let mut counts = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        reverse_bins(&mut counts, 2);
        assert_eq!(counts, [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
    }
}
