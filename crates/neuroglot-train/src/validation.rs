//! Scores on validation trials under fixed masks, the same in every epoch.

use crate::kept_session::KeptSession;
use crate::run_folder::SchemeScores;
use crate::{Purpose, RunConfig, TrainError, stream};
use neuroglot_data::{Session, Split};
use neuroglot_masks::Regions;
use neuroglot_metrics::{bits_per_spike_where, mean_defined, single_trial_r2_where};
use neuroglot_model::{BatchCounts, Model};

/// Trials run at once.
const TRIALS: usize = 64;
/// Units of the published R².
const MOST_ACTIVE: usize = 50;

/// Scores of one session under the fixed masks of its run, one per scheme; empty without validation trials.
pub(crate) fn validate(
    model: &mut Model,
    config: &RunConfig,
    (index, session): (usize, &Session),
    regions: &Regions,
    kept: Option<&KeptSession>,
) -> Result<Vec<(String, SchemeScores)>, TrainError> {
    let trials = session.trials_in(Split::Validation);
    if trials.is_empty() {
        return Ok(Vec::new());
    }
    let (bins, units) = (session.bins(), session.units().len());
    let (mut scores, mut places) = (Vec::new(), Vec::new());
    for entry in config.mask.pool.entries() {
        let scheme = entry.scheme;
        let mut rng = stream(config.seed, Purpose::Validation, index as u64, scheme.stream_key());
        let mut hidden = HiddenEntries { units, ..HiddenEntries::default() };
        // Masks are drawn in batches as large as those of training: a region is drawn for each.
        for trials in trials.chunks(config.train.batch.min(TRIALS)) {
            let holdout = scheme.draw(trials.len(), bins, regions, config.mask.ratio_of(entry), &mut rng);
            let counts = session.dense(trials);
            let mut log_rates = vec![0.0; counts.len()];
            let in_order: Vec<(usize, bool)> = trials.iter().map(|trial| (*trial, false)).collect();
            let on_device = kept.and_then(|kept| kept.place(model, session, &in_order, &mut places));
            let of_batch = on_device.map_or((&counts).into(), |kept| BatchCounts::Kept(kept, &places));
            model.log_rates(index, entry.prompt, of_batch, &holdout, &mut log_rates)?;
            hidden.log_rates.extend(log_rates);
            hidden.counts.extend(counts);
            hidden.scored.extend(holdout.scored());
        }
        scores.push((scheme.name().to_owned(), hidden.scores()));
    }
    Ok(scores)
}

/// Predictions and counts of all validation trials, and which of them are scored, `[trial · bin, unit]`.
#[derive(Default)]
struct HiddenEntries {
    log_rates: Vec<f32>,
    counts: Vec<f32>,
    scored: Vec<bool>,
    units: usize,
}

impl HiddenEntries {
    fn scores(&self) -> SchemeScores {
        let Self { log_rates, counts, scored, units } = self;
        let bits = bits_per_spike_where(log_rates, counts, scored, *units);
        let rates: Vec<f64> = log_rates.iter().map(|log_rate| f64::from(*log_rate).exp()).collect();
        let r2 = single_trial_r2_where(&rates, counts, scored, *units);
        let mut active: Vec<(usize, f64)> = self.mean_counts().into_iter().enumerate().collect();
        active.retain(|(_, mean)| *mean > 0.0);
        active.sort_by(|a, b| b.1.total_cmp(&a.1));
        let of_active: Vec<Option<f64>> =
            active.iter().take(MOST_ACTIVE).map(|(unit, _)| r2[*unit]).collect();
        SchemeScores { bps: bits.mean(), bps_pooled: bits.pooled, r2: mean_defined(&of_active) }
    }

    /// Mean count of each unit over its scored entries; no number without one.
    fn mean_counts(&self) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.units];
        for (place, count) in self.counts.iter().enumerate().filter(|(place, _)| self.scored[*place]) {
            let (spikes, entries) = &mut sums[place % self.units];
            *spikes += f64::from(*count);
            *entries += 1.0;
        }
        sums.into_iter().map(|(spikes, entries)| spikes / entries).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_definitions_over_what_is_hidden() {
        // Of unit 0 four entries are hidden: counts 0 1 2 1 under log-rates −1, 0, 0.5, 0.2; of unit 1 none is.
        let (counts, log_rates) = ([0.0, 1.0, 2.0, 1.0f32], [-1.0, 0.0, 0.5, 0.2f32]);
        let mut hidden = HiddenEntries { units: 2, ..HiddenEntries::default() };
        for (count, log_rate) in counts.iter().zip(log_rates).chain([(&9.0, 3.0)]) {
            let is_hidden = *count < 9.0;
            hidden.counts.extend([*count, 4.0]);
            hidden.log_rates.extend([log_rate, 1.0]);
            hidden.scored.extend([is_hidden, false]);
        }
        let scores = hidden.scores();
        let [counts, log_rates] = [counts, log_rates].map(|values| values.map(f64::from));
        let likelihood = |rate: f64, y: f64| y * rate.ln() - rate;
        let model: f64 = counts.iter().zip(log_rates).map(|(y, l)| likelihood(l.exp(), *y)).sum();
        let null: f64 = counts.iter().map(|y| likelihood(1.0, *y)).sum();
        let expected = (model - null) / 4.0 / 2f64.ln();
        assert!((scores.bps.unwrap() - expected).abs() < 1e-12);
        assert!((scores.bps_pooled.unwrap() - expected).abs() < 1e-12);
        let residual: f64 = counts.iter().zip(log_rates).map(|(y, l)| (y - l.exp()).powi(2)).sum();
        assert!((scores.r2.unwrap() - (1.0 - residual / 2.0)).abs() < 1e-12);
    }

    #[test]
    fn r2_is_of_the_most_active_units_alone() {
        // Unit u of 60 fires u and u + 2 times; the ten least active are predicted at random.
        let units = 60;
        let mut hidden = HiddenEntries { units, ..HiddenEntries::default() };
        for more in [0, 2] {
            hidden.counts.extend((0..units).map(|unit| (unit + more) as f32));
            let rate = |unit: usize| if unit < 10 { 1e3 } else { (unit + more) as f32 };
            hidden.log_rates.extend((0..units).map(|unit| rate(unit).ln()));
            hidden.scored.extend(vec![true; units]);
        }
        assert!((hidden.scores().r2.unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn units_without_spikes_or_entries_are_left_out() {
        let hidden = HiddenEntries {
            log_rates: vec![0.0; 4],
            counts: vec![0.0, 3.0, 0.0, 1.0],
            scored: vec![true, false, true, false],
            units: 2,
        };
        let scores = hidden.scores();
        assert_eq!((scores.bps, scores.bps_pooled, scores.r2), (None, None, None));
    }
}
