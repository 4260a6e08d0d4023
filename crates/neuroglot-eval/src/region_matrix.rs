//! How well each region is predicted from each other region alone, from all others and from itself.

use crate::EvalError;
use neuroglot_ensemble::Predictor;
use neuroglot_masks::Holdout;
use neuroglot_metrics::{bits_per_spike, bootstrap_mean};
use neuroglot_tasks::results::{RegionMatrix, UnitScores};
use neuroglot_tasks::{EvaluationOptions, Task, TestTrials};

/// Predicts from one region at a time, all others hidden.
///
/// `intra` and `inter` are the unit scores of those tasks, for the diagonal and for "all other regions".
/// `progress(done, total)` counts source regions.
pub(crate) fn region_matrix(
    predictor: &mut Predictor<'_>,
    test: &TestTrials<'_>,
    (intra, inter): (&[UnitScores], &[UnitScores]),
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<RegionMatrix, EvalError> {
    let (trials, regions) = (test.trials(), test.regions());
    let (count, units) = (regions.names().len(), trials.units);
    let all: Vec<usize> = (0..units).collect();
    let mean_in = |region: usize, scores: &[Option<f64>]| {
        let of_region: Vec<f64> = regions.units_of(region).iter().filter_map(|unit| scores[*unit]).collect();
        bootstrap_mean(&of_region, options.resamples, options.seed)
    };
    let bits = |scores: &[UnitScores]| scores.iter().map(|unit| unit.bps).collect::<Vec<_>>();
    let (intra, inter) = (bits(intra), bits(inter));
    let mut from_one = Vec::new();
    for source in 0..count {
        let mut others = Holdout::nothing(1, trials.bins, units);
        others.hide_units(|unit| regions.of_unit(unit) != Some(source));
        let predicted = predictor.under(&others, Task::InterRegion.scheme(), trials, &all)?;
        let scores = bits_per_spike(&predicted, &trials.counts, units).per_unit;
        let row = (0..count).map(|target| mean_in(target, if target == source { &intra } else { &scores }));
        from_one.push(row.collect());
        progress(source + 1, count);
    }
    Ok(RegionMatrix {
        regions: regions.names().to_vec(),
        units: (0..count).map(|region| regions.units_of(region).len()).collect(),
        from_one,
        from_others: (0..count).map(|target| mean_in(target, &inter)).collect(),
    })
}
