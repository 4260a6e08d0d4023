//! Scores on validation trials under fixed masks, the same in every epoch.

use crate::run_folder::SchemeScores;
use crate::{Purpose, RunConfig, TrainError, stream};
use neuroglot_data::{Session, Split};
use neuroglot_masks::Regions;
use neuroglot_model::Model;

/// Trials run at once.
const TRIALS: usize = 64;
/// Units of the published R².
const MOST_ACTIVE: usize = 50;

/// Sums over the hidden entries of one unit.
#[derive(Debug, Clone, Copy, Default)]
struct UnitSums {
    entries: f64,
    spikes: f64,
    squares: f64,
    rates: f64,
    products: f64,
    residuals: f64,
}

impl UnitSums {
    fn add(&mut self, log_rate: f64, count: f64) {
        let rate = log_rate.exp();
        self.entries += 1.0;
        self.spikes += count;
        self.squares += count * count;
        self.rates += rate;
        self.products += log_rate * count;
        self.residuals += (count - rate) * (count - rate);
    }

    /// ln-likelihood ratio against the unit's mean (nats): (Σ y ln ȳ − Σ ȳ) subtracted from (Σ y·l − Σ eˡ).
    fn gain(&self) -> f64 {
        let mean = self.spikes / self.entries;
        (self.products - self.rates) - (self.spikes * mean.ln() - self.spikes)
    }

    fn r2(&self) -> Option<f64> {
        let variance = self.squares - self.spikes * self.spikes / self.entries;
        (self.entries > 0.0 && variance > 0.0).then(|| 1.0 - self.residuals / variance)
    }
}

/// Scores of one session under the fixed masks of its run, one per scheme; empty without validation trials.
pub(crate) fn validate(
    model: &mut Model,
    config: &RunConfig,
    index: usize,
    session: &Session,
    regions: &Regions,
) -> Result<Vec<(String, SchemeScores)>, TrainError> {
    let trials = session.trials_in(Split::Validation);
    if trials.is_empty() {
        return Ok(Vec::new());
    }
    let (bins, units) = (session.bins(), session.units().len());
    let mut scores = Vec::new();
    for entry in config.mask.pool.entries() {
        let scheme = entry.scheme;
        let mut rng = stream(config.seed, Purpose::Validation, index as u64, scheme.stream_key());
        let mut sums = vec![UnitSums::default(); units];
        // Masks are drawn in batches as large as those of training: a region is drawn for each.
        for trials in trials.chunks(config.train.batch.min(TRIALS)) {
            let holdout = scheme.draw(trials.len(), bins, regions, config.mask.ratio_of(entry), &mut rng);
            let counts = session.dense(trials);
            let (mut inputs, mut log_rates) = (vec![0.0; counts.len()], vec![0.0; counts.len()]);
            holdout.apply(&counts, &mut inputs);
            model.log_rates(index, entry.prompt, trials.len(), &inputs, &mut log_rates)?;
            let entries = log_rates.iter().zip(&counts).zip(holdout.scored());
            for (entry, ((log_rate, count), target)) in entries.enumerate() {
                if *target {
                    sums[entry % units].add(f64::from(*log_rate), f64::from(*count));
                }
            }
        }
        scores.push((scheme.name().to_owned(), scores_of(&sums)));
    }
    Ok(scores)
}

fn scores_of(sums: &[UnitSums]) -> SchemeScores {
    let bits = |gain: f64, spikes: f64| gain / spikes / std::f64::consts::LN_2;
    let firing: Vec<&UnitSums> = sums.iter().filter(|unit| unit.spikes > 0.0).collect();
    let per_unit: Vec<f64> = firing.iter().map(|unit| bits(unit.gain(), unit.spikes)).collect();
    let spikes: f64 = firing.iter().map(|unit| unit.spikes).sum();
    let gain: f64 = firing.iter().map(|unit| unit.gain()).sum();
    let mut active = firing.clone();
    active.sort_by(|a, b| (b.spikes / b.entries).total_cmp(&(a.spikes / a.entries)));
    let r2: Vec<f64> = active.iter().take(MOST_ACTIVE).filter_map(|unit| unit.r2()).collect();
    let mean =
        |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    SchemeScores {
        bps: mean(&per_unit),
        bps_pooled: (spikes > 0.0).then(|| bits(gain, spikes)),
        r2: mean(&r2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_give_the_scores_of_the_definitions() {
        // One unit, counts 0 1 2 1 under log-rates −1, 0, 0.5, 0.2.
        let (counts, log_rates) = ([0.0, 1.0, 2.0, 1.0], [-1.0, 0.0, 0.5, 0.2f64]);
        let mut sums = [UnitSums::default(); 2];
        for (y, l) in counts.iter().zip(log_rates) {
            sums[0].add(l, *y);
        }
        let scores = scores_of(&sums);
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
    fn units_without_spikes_or_entries_are_left_out() {
        let scores = scores_of(&[UnitSums::default()]);
        assert_eq!((scores.bps, scores.bps_pooled, scores.r2), (None, None, None));
    }
}
