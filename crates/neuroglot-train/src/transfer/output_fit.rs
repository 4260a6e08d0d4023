//! Output stitchers fitted to counts: penalised Poisson regression on activations.
//!
//! With activations a_t of row t (a bin of a trial under a mask), counts y_t, and m_t = 1 where the row's entry of the
//! unit was hidden (else 0), output weights d and bias c of each unit minimise
//!
//! Σ_t m_t (exp(l_t) − y_t l_t) − c/2 + λ/2 |d − d₀|², l_t = c + d · (a_t − ā),
//!
//! where d₀ are the weights that the region suggests: with few trials the fit stays near them. Half a spike at the mean
//! activation ā keeps the log-rates of silent units finite. Steps are Newton's with
//! the Hessian of a constant rate, whose inverse is diagonal for all units at once in the principal axes of the
//! activations; a step that does not lower the sum is halved. The bias is found exactly in every step. λ, one for all
//! units, is the one that predicts held-out trials best.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};
use rayon::prelude::*;

/// λ over the number of activations, from the strongest; infinite keeps d₀. Activations behind a LayerNorm have a variance
/// near 1, so that weights of variance 1 / activations, for which λ is their number, make log-rates of variance 1.
const PENALTIES: [f64; 8] = [f64::INFINITY, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3];
/// Steps per penalty, each of which starts where the one before ended.
const STEPS: usize = 2;
/// Steps of the last fit.
const LAST_STEPS: usize = 8;
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
/// end.
pub(super) fn fit(start: &Outputs, width: usize, rows: &Rows, held_out: &Rows) -> Outputs {
    let units = start.bias.len();
    let axes = Axes::of(rows, width);
    let (fitted, scored) = (axes.coordinates(rows), axes.coordinates(held_out));
    let blocks: Vec<usize> = (0..units).step_by(UNITS).collect();
    let losses: Vec<Vec<f64>> = blocks
        .par_iter()
        .map(|first| {
            let mut block = Block::new(start, &axes, *first..units.min(first + UNITS));
            let (of_rows, of_held_out) = (block.hidden(rows, units), block.hidden(held_out, units));
            let loss = |penalty: &f64| {
                block.descend(&axes, fitted.as_ref(), &of_rows, penalty * width as f64, STEPS);
                block.loss(scored.as_ref(), &of_held_out)
            };
            PENALTIES.iter().map(loss).collect()
        })
        .collect();
    // Sums are made in order, so that they do not depend on the number of threads.
    let total = |index: usize| losses.iter().map(|losses| losses[index]).sum::<f64>();
    let best = (0..PENALTIES.len()).min_by(|a, b| total(*a).total_cmp(&total(*b))).unwrap_or(0);
    let all = Rows {
        activations: [rows.activations.as_slice(), &held_out.activations].concat(),
        counts: [rows.counts.as_slice(), &held_out.counts].concat(),
        target: [rows.target.as_slice(), &held_out.target].concat(),
    };
    let axes = Axes::of(&all, width);
    let coordinates = axes.coordinates(&all);
    let fits: Vec<Outputs> = blocks
        .par_iter()
        .map(|first| {
            let mut block = Block::new(start, &axes, *first..units.min(first + UNITS));
            let hidden = block.hidden(&all, units);
            block.descend(&axes, coordinates.as_ref(), &hidden, PENALTIES[best] * width as f64, LAST_STEPS);
            block.outputs(&axes)
        })
        .collect();
    Outputs {
        weight: fits.iter().flat_map(|fit| fit.weight.iter().copied()).collect(),
        bias: fits.iter().flat_map(|fit| fit.bias.iter().copied()).collect(),
    }
}

/// The principal axes of activations.
struct Axes {
    /// `[activation]`.
    mean: Vec<f64>,
    /// An axis per column, `[activation, axis]`.
    directions: Mat<f64>,
    /// Mean square along each axis, `[axis]`.
    variance: Vec<f64>,
}

impl Axes {
    fn of(rows: &Rows, width: usize) -> Self {
        let count = (rows.activations.len() / width).max(1) as f64;
        let mut mean = vec![0.0; width];
        for row in rows.activations.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, a)| *mean += f64::from(*a) / count);
        }
        let centred = centred(rows, &mean);
        let mut covariance = Mat::zeros(width, width);
        matmul(
            covariance.as_mut(),
            Accum::Replace,
            centred.transpose(),
            centred.as_ref(),
            1.0 / count,
            Par::Seq,
        );
        // Of a symmetric matrix of numbers there is always one; without (no rows, or no numbers) any axes do.
        let (directions, variance) = match covariance.self_adjoint_eigen(Side::Lower) {
            Ok(eigen) => {
                let variance = eigen.S().column_vector().iter().map(|s| s.max(0.0)).collect();
                (eigen.U().to_owned(), variance)
            }
            Err(_) => (Mat::identity(width, width), vec![1.0; width]),
        };
        Self { mean, directions, variance }
    }

    /// Where rows lie along the axes, `[row, axis]`.
    fn coordinates(&self, rows: &Rows) -> Mat<f64> {
        let centred = centred(rows, &self.mean);
        let mut coordinates = Mat::zeros(centred.nrows(), self.mean.len());
        matmul(
            coordinates.as_mut(),
            Accum::Replace,
            centred.as_ref(),
            self.directions.as_ref(),
            1.0,
            Par::Seq,
        );
        coordinates
    }
}

fn centred(rows: &Rows, mean: &[f64]) -> Mat<f64> {
    let width = mean.len();
    Mat::from_fn(rows.activations.len() / width, width, |row, a| {
        f64::from(rows.activations[row * width + a]) - mean[a]
    })
}

/// The rows in which a unit was hidden.
struct Hidden {
    rows: Vec<usize>,
    /// Its counts in these rows.
    counts: Vec<f64>,
    spikes: f64,
}

impl Hidden {
    fn of(rows: &Rows, units: usize, unit: usize) -> Self {
        let count = rows.counts.len() / units;
        let hidden: Vec<usize> = (0..count).filter(|row| rows.target[row * units + unit]).collect();
        let counts: Vec<f64> = hidden.iter().map(|row| f64::from(rows.counts[row * units + unit])).collect();
        Self { spikes: counts.iter().sum(), rows: hidden, counts }
    }
}

/// Some units under way.
struct Block {
    units: std::ops::Range<usize>,
    /// d₀ along the axes, `[axis, unit]`.
    prior: Mat<f64>,
    /// d along the axes, `[axis, unit]`.
    weights: Mat<f64>,
    /// c, `[unit]`.
    biases: Vec<f64>,
}

impl Block {
    fn new(start: &Outputs, axes: &Axes, units: std::ops::Range<usize>) -> Self {
        let width = axes.mean.len();
        let first = units.start;
        let suggested =
            Mat::from_fn(width, units.len(), |a, unit| f64::from(start.weight[(first + unit) * width + a]));
        let mut prior = Mat::zeros(width, units.len());
        let directions = axes.directions.transpose();
        matmul(prior.as_mut(), Accum::Replace, directions, suggested.as_ref(), 1.0, Par::Seq);
        let biases = units.clone().map(|unit| f64::from(start.bias[unit])).collect();
        Self { units, weights: prior.clone(), prior, biases }
    }

    fn hidden(&self, rows: &Rows, units: usize) -> Vec<Hidden> {
        self.units.clone().map(|unit| Hidden::of(rows, units, unit)).collect()
    }

    /// d · (a − ā) of one unit after the other, `[unit][row]`.
    fn modulation(&self, coordinates: MatRef<'_, f64>) -> Vec<Vec<f64>> {
        let mut modulation = Mat::zeros(coordinates.nrows(), self.units.len());
        matmul(modulation.as_mut(), Accum::Replace, coordinates, self.weights.as_ref(), 1.0, Par::Seq);
        modulation.col_iter().map(|column| column.iter().copied().collect()).collect()
    }

    /// Σ m (eˡ − y l) of all units.
    fn loss(&self, coordinates: MatRef<'_, f64>, hidden: &[Hidden]) -> f64 {
        let modulation = self.modulation(coordinates);
        let of_unit = |unit: usize| {
            let entries = hidden[unit].rows.iter().zip(&hidden[unit].counts);
            let loss = |(row, y): (&usize, &f64)| {
                let log_rate = self.biases[unit] + modulation[unit][*row];
                log_rate.exp() - y * log_rate
            };
            entries.map(loss).sum::<f64>()
        };
        (0..self.units.len()).map(of_unit).sum()
    }

    /// Goes down the penalised sum from where the block stands.
    fn descend(
        &mut self,
        axes: &Axes,
        coordinates: MatRef<'_, f64>,
        hidden: &[Hidden],
        penalty: f64,
        steps: usize,
    ) {
        let (width, units) = (axes.mean.len(), self.units.len());
        if penalty.is_infinite() {
            self.weights = self.prior.clone();
        }
        let mut accepted = self.weights.clone();
        let mut direction = Mat::<f64>::zeros(width, units);
        let (mut length, mut lowest) = (vec![1.0; units], vec![f64::INFINITY; units]);
        for _ in 0..=steps {
            let modulation = self.modulation(coordinates);
            let mut residuals = Mat::zeros(coordinates.nrows(), units);
            // Whether a step was taken, from where the next one goes elsewhere.
            let mut moved = vec![false; units];
            for (unit, hidden) in hidden.iter().enumerate() {
                let (modulation, spikes) = (&modulation[unit], hidden.spikes + HALF_A_SPIKE);
                let rates: Vec<f64> = hidden.rows.iter().map(|row| modulation[*row].exp()).collect();
                let total: f64 = rates.iter().sum();
                if total == 0.0 {
                    // It is never hidden: nothing is known of it.
                    continue;
                }
                // The sum is lowest where Σ m eˡ is the number of hidden spikes and a half.
                let bias = (spikes / total).ln();
                let along = hidden.rows.iter().zip(&hidden.counts).map(|(row, y)| y * modulation[*row]);
                let away = (0..width).map(|axis| self.weights[(axis, unit)] - self.prior[(axis, unit)]);
                let away: f64 = away.map(|away| away * away).sum();
                let mut sum = spikes - spikes * bias - along.sum::<f64>();
                if away > 0.0 {
                    sum += penalty / 2.0 * away;
                }
                if !sum.is_finite() || sum > lowest[unit] {
                    length[unit] /= 2.0;
                    continue;
                }
                (lowest[unit], length[unit], self.biases[unit], moved[unit]) = (sum, 1.0, bias, true);
                accepted.col_mut(unit).copy_from(self.weights.col(unit));
                let scale = bias.exp();
                for ((row, rate), y) in hidden.rows.iter().zip(rates).zip(&hidden.counts) {
                    residuals[(*row, unit)] = scale * rate - y;
                }
            }
            if penalty.is_infinite() {
                return;
            }
            let mut gradient = Mat::<f64>::zeros(width, units);
            let along = coordinates.transpose();
            matmul(gradient.as_mut(), Accum::Replace, along, residuals.as_ref(), 1.0, Par::Seq);
            for (unit, hidden) in hidden.iter().enumerate() {
                for axis in 0..width {
                    let place = (axis, unit);
                    if moved[unit] {
                        let slope = gradient[place] + penalty * (accepted[place] - self.prior[place]);
                        let curvature = (hidden.spikes + HALF_A_SPIKE) * axes.variance[axis];
                        direction[place] = slope / (curvature + penalty);
                    }
                    self.weights[place] = accepted[place] - length[unit] * direction[place];
                }
            }
        }
        self.weights = accepted;
    }

    /// Weights and biases for activations as they are, not as seen from their mean.
    fn outputs(&self, axes: &Axes) -> Outputs {
        let width = axes.mean.len();
        let mut weights = Mat::zeros(width, self.units.len());
        matmul(
            weights.as_mut(),
            Accum::Replace,
            axes.directions.as_ref(),
            self.weights.as_ref(),
            1.0,
            Par::Seq,
        );
        let of = |unit: usize| (0..width).map(move |a| (a, unit));
        let shift = |unit: usize| of(unit).map(|place| weights[place] * axes.mean[place.0]).sum::<f64>();
        Outputs {
            weight: (0..self.units.len()).flat_map(of).map(|place| weights[place] as f32).collect(),
            bias: (0..self.units.len()).map(|unit| (self.biases[unit] - shift(unit)) as f32).collect(),
        }
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
        let axes = Axes::of(&rows, WIDTH);
        let coordinates = axes.coordinates(&rows);
        for penalty in [1e3, 10.0, 0.1] {
            let mut block = Block::new(&start, &axes, 0..2);
            let hidden = block.hidden(&rows, 2);
            block.descend(&axes, coordinates.as_ref(), &hidden, penalty, 60);
            let fit = block.outputs(&axes);
            for unit in 0..2 {
                let slope = slope(&rows, &start, &fit, unit, penalty);
                // Half a spike is added to those counted, which the bias alone takes up.
                assert!((slope[0] - 0.5).abs() < 1e-2, "{penalty} {unit}: {slope:?}");
                for a in 0..WIDTH {
                    let with_the_half = slope[1 + a] - 0.5 * axes.mean[a];
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
        let found = fit(&wrong, WIDTH, &rows(6000, 2), &rows(2000, 3));
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
        let few = fit(&start, WIDTH, &rows(12, 4), &rows(4, 5));
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
        let fit = fit(&start, WIDTH, &rows, &Rows::default());
        assert!(fit.weight.iter().chain(&fit.bias).all(|value| value.is_finite()), "{fit:?}");
        // Nothing is known of the first: its weights stay, and so does its log-rate at the mean activation.
        for (found, start) in fit.weight[..WIDTH].iter().zip(&start.weight) {
            assert!((found - start).abs() < 1e-5);
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let (rows, held_out) = (rows(300, 7), rows(100, 8));
        let start = Outputs { weight: vec![0.0; 2 * WIDTH], bias: vec![0.0; 2] };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&start, WIDTH, &rows, &held_out))
        };
        assert_eq!(with(1), with(3));
    }
}
