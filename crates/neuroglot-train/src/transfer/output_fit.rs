//! Output stitchers fitted to counts: penalised Poisson regression on activations.
//!
//! With activations a_t of row t (a bin of a trial under a mask), counts y_t, and m_t = 1 where the row's entry of the
//! unit was hidden (else 0), output weights d and bias c of each unit minimise
//!
//! Σ_t m_t (exp(l_t) − y_t l_t) − c/2 + λ/2 |d − d₀|², l_t = c + d · (a_t − ā),
//!
//! where d₀ are the weights that the region suggests: with few trials the fit stays near them. Half a spike at the mean
//! activation ā keeps the log-rates of silent units finite. λ, one for all units, is the one that predicts held-out trials
//! best.

use neuroglot_fit::{
    Covariates, Features, FitError, Gram, HiddenColumns, Mat, PoissonRegressions, PoissonWeights,
    PrincipalAxes,
};
use rayon::prelude::*;
use std::ops::Range;

/// λ over the number of activations, from the strongest; infinite keeps d₀. Activations behind a LayerNorm have a variance
/// near 1, so that weights of variance 1 / activations, for which λ is their number, make log-rates of variance 1.
const PENALTIES: [f64; 7] = [f64::INFINITY, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0];
/// A fit is good enough where the objective is expected to fall by no more, nats/spike.
const TOLERANCE: f64 = 1e-6;
/// Share of the activations' variance that the axes hold along which weights are fitted. Along the others, where next to
/// nothing happens, they stay as suggested.
const VARIANCE: f64 = 0.999;
const HALF_A_SPIKE: f64 = 0.5;
/// Units fitted at a time.
const UNITS: usize = 32;

/// Activations under masks, with what was hidden.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// `[row, activation]`.
    pub activations: Vec<f32>,
    /// `[row, unit]`.
    pub counts: Vec<f32>,
    /// Whether the entry was hidden and counts, `[row, unit]`.
    pub target: Vec<bool>,
}

/// Weights `[unit, activation]` and biases `[unit]` of an output stitcher.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outputs {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Fits outputs to rows, from what the regions suggest; the penalty is chosen on `held_out`, which are fitted too in the
/// end. Units that were never hidden keep what they started with.
///
/// # Errors
/// [`FitError`]: an activation is no number.
pub(super) fn fit(start: &Outputs, width: usize, rows: &Rows, held_out: &Rows) -> Result<Outputs, FitError> {
    let units = start.bias.len();
    let axes = axes_of(rows, width)?;
    let gram = axes.gram();
    let (fitted, scored) = (Places::of(rows, &axes)?, Places::of(held_out, &axes)?);
    let blocks: Vec<usize> = (0..units).step_by(UNITS).collect();
    let block = |first: &usize| *first..units.min(first + UNITS);
    let losses_of = |first: &usize| -> Vec<f64> {
        let of_rows = Block::of(start, rows, &fitted, block(first));
        let of_held_out = Block::of(start, held_out, &scored, block(first));
        let mut weights = None;
        let loss = |penalty: &f64| {
            let found = of_rows.fit(&gram, &fitted, *penalty, weights.take());
            let loss = of_held_out.loss(&scored, &found);
            weights = Some(found);
            loss
        };
        PENALTIES.iter().map(loss).collect()
    };
    let losses: Vec<Vec<f64>> = blocks.par_iter().map(losses_of).collect();
    // Sums are made in order, so that they do not depend on the number of threads.
    let total = |index: usize| losses.iter().map(|losses| losses[index]).sum::<f64>();
    let best = (0..PENALTIES.len()).min_by(|a, b| total(*a).total_cmp(&total(*b))).unwrap_or(0);
    let all = Rows {
        activations: [rows.activations.as_slice(), &held_out.activations].concat(),
        counts: [rows.counts.as_slice(), &held_out.counts].concat(),
        target: [rows.target.as_slice(), &held_out.target].concat(),
    };
    let axes = axes_of(&all, width)?;
    let gram = axes.gram();
    let places = Places::of(&all, &axes)?;
    let outputs_of = |first: &usize| {
        let of_all = Block::of(start, &all, &places, block(first));
        of_all.outputs(start, &axes, &of_all.fit(&gram, &places, PENALTIES[best], None))
    };
    let fits: Vec<Outputs> = blocks.par_iter().map(outputs_of).collect();
    Ok(Outputs {
        weight: fits.iter().flat_map(|fit| fit.weight.iter().copied()).collect(),
        bias: fits.iter().flat_map(|fit| fit.bias.iter().copied()).collect(),
    })
}

/// Rows as seen along the principal axes of activations that hold most of their variance.
struct Places {
    /// a − ā, `[row, activation]`.
    centred: Covariates,
    /// `[row, axis]`.
    coordinates: Covariates,
}

impl Places {
    fn of(rows: &Rows, axes: &PrincipalAxes) -> Result<Self, FitError> {
        let centred = axes.centred(Features::new(&rows.activations, axes.mean().len())?);
        Ok(Self { coordinates: axes.coordinates(&centred), centred })
    }
}

fn axes_of(rows: &Rows, width: usize) -> Result<PrincipalAxes, FitError> {
    PrincipalAxes::of(Features::new(&rows.activations, width)?, VARIANCE)
}

/// What some rows tell of some units.
struct Block {
    units: Range<usize>,
    /// d₀, `[activation, unit]`.
    suggested: Mat<f64>,
    /// d₀ · (a − ā), `[row, unit]`.
    offsets: Vec<f64>,
    /// NaN where the unit was not hidden, `[row, unit]`.
    counts: Vec<f64>,
    nothing_hidden: HiddenColumns,
}

impl Block {
    fn of(start: &Outputs, rows: &Rows, places: &Places, units: Range<usize>) -> Self {
        let (all, width) = (start.bias.len(), places.centred.columns);
        let suggested = Mat::from_fn(width, units.len(), |activation, unit| {
            f64::from(start.weight[(units.start + unit) * width + activation])
        });
        let entries = rows.counts.chunks(all).zip(rows.target.chunks(all));
        let entries = entries.flat_map(|(counts, target)| {
            units.clone().map(|unit| if target[unit] { f64::from(counts[unit]) } else { f64::NAN })
        });
        Self {
            offsets: places.centred.times(suggested.as_ref()),
            suggested,
            counts: entries.collect(),
            nothing_hidden: HiddenColumns::none(units.len()),
            units,
        }
    }

    fn regressions<'a>(&'a self, gram: &'a Gram, places: &'a Places) -> PoissonRegressions<'a> {
        PoissonRegressions {
            covariates: &places.coordinates,
            gram,
            counts: &self.counts,
            prior_count: HALF_A_SPIKE,
            offsets: &self.offsets,
            hidden: &self.nothing_hidden,
        }
    }

    /// d − d₀ along the axes, and c; from where the fit with another penalty ended.
    fn fit(
        &self,
        gram: &Gram,
        places: &Places,
        penalty: f64,
        start: Option<PoissonWeights>,
    ) -> PoissonWeights {
        let regressions = self.regressions(gram, places);
        let start = start.unwrap_or_else(|| regressions.without_covariates());
        if penalty.is_infinite() {
            return start;
        }
        // Here the loss is a sum over rows, there a mean.
        let penalty = penalty * places.centred.columns as f64 / places.coordinates.rows as f64;
        regressions.fit(penalty, &start, TOLERANCE)
    }

    /// Σ m (eˡ − y l) of all units.
    fn loss(&self, places: &Places, weights: &PoissonWeights) -> f64 {
        let log_rates = weights.log_rates(&places.coordinates, &self.offsets);
        let hidden = log_rates.iter().zip(&self.counts).filter(|(_, count)| !count.is_nan());
        hidden.map(|(log_rate, count)| log_rate.exp() - count * log_rate).sum()
    }

    /// Weights and biases for activations as they are, not as seen from their mean.
    fn outputs(&self, start: &Outputs, axes: &PrincipalAxes, found: &PoissonWeights) -> Outputs {
        let weights = &self.suggested + axes.weights(&found.weights);
        let mut outputs = Outputs { weight: Vec::new(), bias: Vec::new() };
        for (place, unit) in self.units.clone().enumerate() {
            let weights = weights.col_as_slice(place);
            outputs.weight.extend(weights.iter().map(|weight| *weight as f32));
            let shift: f64 = weights.iter().zip(axes.mean()).map(|(weight, mean)| weight * mean).sum();
            let mut entries = self.counts.iter().skip(place).step_by(self.units.len());
            let bias = (found.intercepts[place] - shift) as f32;
            outputs.bias.push(if entries.all(|count| count.is_nan()) { start.bias[unit] } else { bias });
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const WIDTH: usize = 3;

    /// Rows of correlated activations and counts of two units, the first of which follows them.
    fn rows(count: usize, seed: u64) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = Rows::default();
        for _ in 0..count {
            let [a, b, c] = [0; 3].map(|_| rng.random_range(-1.0..1.0f32));
            let activations = [1.0 + a, a + 0.3 * b, c];
            let rate = (0.2 + 1.1 * f64::from(activations[1]) - 0.8 * f64::from(activations[2])).exp();
            rows.activations.extend(activations);
            for rate in [rate, 0.7] {
                // A Poisson count by its waiting times.
                let (mut time, mut spikes) = (0.0, 0.0);
                loop {
                    time -= f64::ln(1.0 - rng.random_range(0.0..1.0f64));
                    if time > rate {
                        break;
                    }
                    spikes += 1.0;
                }
                rows.counts.push(spikes as f32);
                rows.target.push(rng.random_bool(0.7));
            }
        }
        rows
    }

    /// Slope of the penalised sum of a unit in its bias and weights, by the definition.
    fn slope(rows: &Rows, start: &Outputs, fit: &Outputs, unit: usize, penalty: f64) -> [f64; WIDTH + 1] {
        let mut slope = [0.0; WIDTH + 1];
        for (row, activations) in rows.activations.chunks(WIDTH).enumerate() {
            if !rows.target[2 * row + unit] {
                continue;
            }
            let weights = &fit.weight[unit * WIDTH..][..WIDTH];
            let log_rate: f64 = f64::from(fit.bias[unit])
                + weights.iter().zip(activations).map(|(d, a)| f64::from(d * a)).sum::<f64>();
            let residual = log_rate.exp() - f64::from(rows.counts[2 * row + unit]);
            slope[0] += residual;
            for a in 0..WIDTH {
                slope[1 + a] += residual * f64::from(activations[a]);
            }
        }
        for a in 0..WIDTH {
            let place = unit * WIDTH + a;
            slope[1 + a] += penalty * f64::from(fit.weight[place] - start.weight[place]);
        }
        slope
    }

    #[test]
    fn a_fit_stands_where_the_penalised_sum_is_lowest() {
        let rows = rows(400, 1);
        let start = Outputs { weight: vec![0.1, -0.2, 0.3, 0.0, 0.5, 0.0], bias: vec![0.0; 2] };
        let axes = axes_of(&rows, WIDTH).unwrap();
        let (gram, places) = (axes.gram(), Places::of(&rows, &axes).unwrap());
        for penalty in [1e3, 10.0, 0.1] {
            let block = Block::of(&start, &rows, &places, 0..2);
            let axes_count = places.coordinates.columns;
            let found = block.regressions(&gram, &places).fit(
                penalty / 400.0,
                &PoissonWeights::zero(axes_count, 2),
                1e-12,
            );
            let fit = block.outputs(&start, &axes, &found);
            for unit in 0..2 {
                let slope = slope(&rows, &start, &fit, unit, penalty);
                // Half a spike is added to those counted, which the bias alone takes up.
                assert!((slope[0] - 0.5).abs() < 1e-2, "{penalty} {unit}: {slope:?}");
                for a in 0..WIDTH {
                    let with_the_half = slope[1 + a] - 0.5 * axes.mean()[a];
                    assert!(with_the_half.abs() < 2e-2, "{penalty} {unit}: {slope:?}");
                }
            }
        }
    }

    #[test]
    fn many_rows_find_the_true_map_and_few_keep_the_suggestion() {
        let truth = [0.0, 1.1, -0.8];
        let start = Outputs { weight: [truth.map(|d| d as f32), [0.0; WIDTH]].concat(), bias: vec![0.0; 2] };
        let wrong = Outputs { weight: vec![0.0; 2 * WIDTH], bias: vec![0.0; 2] };
        let found = fit(&wrong, WIDTH, &rows(6000, 2), &rows(2000, 3)).unwrap();
        // The first two activations go together: what can be known is the log-rate that they make.
        let log_rate = |fit: &Outputs, unit: usize, [a, b, c]: [f32; 3]| {
            let weights = &fit.weight[unit * WIDTH..][..WIDTH];
            fit.bias[unit] + weights[0] * (1.0 + a) + weights[1] * (a + 0.3 * b) + weights[2] * c
        };
        for at in [[0.5, 0.5, 0.5], [-0.5, 0.5, -0.5], [0.5, -0.5, 0.0]] {
            let [a, b, c] = at;
            let expected = 0.2 + 1.1 * (a + 0.3 * b) - 0.8 * c;
            assert!((log_rate(&found, 0, at) - expected).abs() < 0.15, "{at:?}: {}", log_rate(&found, 0, at));
            assert!((log_rate(&found, 1, at) - 0.7f32.ln()).abs() < 0.15, "a unit that follows nothing");
        }
        let few = fit(&start, WIDTH, &rows(12, 4), &rows(4, 5)).unwrap();
        let moved = few.weight.iter().zip(&start.weight).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved < 0.3, "{moved}");
    }

    #[test]
    fn units_never_hidden_or_silent_have_finite_outputs() {
        let mut rows = rows(40, 6);
        for row in 0..40 {
            rows.target[2 * row] = false;
            rows.counts[2 * row + 1] = 0.0;
        }
        let start = Outputs { weight: vec![0.25; 2 * WIDTH], bias: vec![-1.5; 2] };
        let fit = fit(&start, WIDTH, &rows, &Rows::default()).unwrap();
        assert!(fit.weight.iter().chain(&fit.bias).all(|value| value.is_finite()), "{fit:?}");
        // Nothing is known of the first.
        assert_eq!((&fit.weight[..WIDTH], fit.bias[0]), (&start.weight[..WIDTH], start.bias[0]));
    }

    #[test]
    fn activations_that_are_no_numbers_are_refused() {
        let mut rows = rows(20, 9);
        rows.activations[4] = f32::NAN;
        let start = Outputs { weight: vec![0.0; 2 * WIDTH], bias: vec![0.0; 2] };
        let error = fit(&start, WIDTH, &rows, &Rows::default()).unwrap_err();
        assert!(error.to_string().starts_with("features: sample 1, feature 1 is NaN"), "{error}");
    }

    #[test]
    fn threads_change_no_bit() {
        let (rows, held_out) = (rows(300, 7), rows(100, 8));
        let start = Outputs { weight: vec![0.0; 2 * WIDTH], bias: vec![0.0; 2] };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&start, WIDTH, &rows, &held_out).unwrap())
        };
        assert_eq!(with(1), with(3));
    }
}
