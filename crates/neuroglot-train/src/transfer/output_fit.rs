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
use std::ops::Range;

/// λ over the number of activations, from the strongest; infinite keeps d₀. Activations behind a LayerNorm have a variance
/// near 1, so that weights of variance 1 / activations, for which λ is their number, make log-rates of variance 1.
const PENALTIES: [f64; 7] = [f64::INFINITY, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0];
/// Steps per penalty, each of which starts where the one before ended.
const STEPS: usize = 2;
/// Steps of the last fit.
const LAST_STEPS: usize = 8;
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
/// end.
pub(super) fn fit(start: &Outputs, width: usize, rows: &Rows, held_out: &Rows) -> Outputs {
    let units = start.bias.len();
    let axes = Axes::of(rows, width);
    let (fitted, scored) = (axes.place(rows), axes.place(held_out));
    let blocks: Vec<usize> = (0..units).step_by(UNITS).collect();
    let losses: Vec<Vec<f64>> = blocks
        .par_iter()
        .map(|first| {
            let mut block = Block::new(&axes, *first..units.min(first + UNITS));
            let [of_rows, of_held_out] = [(rows, &fitted), (held_out, &scored)]
                .map(|(rows, places)| block.entries(start, rows, places, units));
            let loss = |penalty: &f64| {
                block.descend(&axes, &fitted, &of_rows, penalty * width as f64, STEPS);
                block.loss(&scored, &of_held_out)
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
    let places = axes.place(&all);
    let fits: Vec<Outputs> = blocks
        .par_iter()
        .map(|first| {
            let mut block = Block::new(&axes, *first..units.min(first + UNITS));
            let entries = block.entries(start, &all, &places, units);
            block.descend(&axes, &places, &entries, PENALTIES[best] * width as f64, LAST_STEPS);
            block.outputs(start, &axes, &entries)
        })
        .collect();
    Outputs {
        weight: fits.iter().flat_map(|fit| fit.weight.iter().copied()).collect(),
        bias: fits.iter().flat_map(|fit| fit.bias.iter().copied()).collect(),
    }
}

/// The principal axes of activations that hold most of their variance.
struct Axes {
    /// `[activation]`.
    mean: Vec<f64>,
    /// An axis per column, `[activation, axis]`.
    directions: Mat<f64>,
    /// Mean square along each axis, `[axis]`.
    variance: Vec<f64>,
}

/// Rows as seen along the axes.
struct Places {
    /// a − ā, `[row, activation]`.
    centred: Mat<f64>,
    /// `[row, axis]`.
    coordinates: Mat<f64>,
}

impl Axes {
    fn of(rows: &Rows, width: usize) -> Self {
        let count = (rows.activations.len() / width).max(1) as f64;
        let mut mean = vec![0.0; width];
        for row in rows.activations.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, a)| *mean += f64::from(*a) / count);
        }
        let centred = centred(rows, &mean);
        let covariance = product(centred.transpose(), centred.as_ref(), 1.0 / count);
        // Only what is not a number has no axes: then nothing is fitted.
        let Ok(eigen) = covariance.self_adjoint_eigen(Side::Lower) else {
            return Self { mean, directions: Mat::zeros(width, 0), variance: Vec::new() };
        };
        // From the least to the most.
        let variance: Vec<f64> = eigen.S().column_vector().iter().map(|s| s.max(0.0)).collect();
        let total: f64 = variance.iter().sum();
        let mut left_out = 0.0;
        let first = variance.iter().take_while(|variance| {
            left_out += **variance;
            left_out <= (1.0 - VARIANCE) * total
        });
        let first = first.count();
        let directions = eigen.U().subcols(first, width - first).to_owned();
        Self { mean, directions, variance: variance[first..].to_vec() }
    }

    fn place(&self, rows: &Rows) -> Places {
        let centred = centred(rows, &self.mean);
        let coordinates = product(centred.as_ref(), self.directions.as_ref(), 1.0);
        Places { centred, coordinates }
    }
}

fn centred(rows: &Rows, mean: &[f64]) -> Mat<f64> {
    let width = mean.len();
    Mat::from_fn(rows.activations.len() / width, width, |row, a| {
        f64::from(rows.activations[row * width + a]) - mean[a]
    })
}

/// a·b times a factor, on one thread: products of different numbers of threads differ in their last bits.
fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>, factor: f64) -> Mat<f64> {
    let mut product = Mat::zeros(a.nrows(), b.ncols());
    matmul(product.as_mut(), Accum::Replace, a, b, factor, Par::Seq);
    product
}

/// One column after the other.
fn columns(matrix: &Mat<f64>) -> Vec<Vec<f64>> {
    matrix.col_iter().map(|column| column.iter().copied().collect()).collect()
}

/// The rows in which a unit was hidden.
struct Hidden {
    rows: Vec<usize>,
    /// Its counts in these rows.
    counts: Vec<f64>,
    spikes: f64,
    /// d₀ · (a − ā) in all rows.
    suggested: Vec<f64>,
}

/// Some units under way.
struct Block {
    units: Range<usize>,
    /// d − d₀ along the axes, `[axis, unit]`.
    away: Mat<f64>,
    /// c, `[unit]`.
    biases: Vec<f64>,
}

impl Block {
    fn new(axes: &Axes, units: Range<usize>) -> Self {
        let count = units.len();
        Self { units, away: Mat::zeros(axes.variance.len(), count), biases: vec![0.0; count] }
    }

    /// What is known of each unit.
    fn entries(&self, start: &Outputs, rows: &Rows, places: &Places, units: usize) -> Vec<Hidden> {
        let suggested = self.suggested(start, places.centred.ncols());
        let suggested = columns(&product(places.centred.as_ref(), suggested.as_ref(), 1.0));
        let of_unit = |(unit, suggested): (usize, Vec<f64>)| {
            let all = 0..rows.counts.len() / units;
            let hidden: Vec<usize> = all.filter(|row| rows.target[row * units + unit]).collect();
            let counts: Vec<f64> =
                hidden.iter().map(|row| f64::from(rows.counts[row * units + unit])).collect();
            Hidden { spikes: counts.iter().sum(), rows: hidden, counts, suggested }
        };
        self.units.clone().zip(suggested).map(of_unit).collect()
    }

    /// d₀, `[activation, unit]`.
    fn suggested(&self, start: &Outputs, width: usize) -> Mat<f64> {
        let first = self.units.start;
        Mat::from_fn(width, self.units.len(), |a, unit| f64::from(start.weight[(first + unit) * width + a]))
    }

    /// (d − d₀) · (a − ā), `[unit][row]`.
    fn modulation(&self, places: &Places) -> Vec<Vec<f64>> {
        columns(&product(places.coordinates.as_ref(), self.away.as_ref(), 1.0))
    }

    /// Σ m (eˡ − y l) of all units.
    fn loss(&self, places: &Places, hidden: &[Hidden]) -> f64 {
        let modulation = self.modulation(places);
        let of_unit = |unit: usize| {
            let Hidden { rows, counts, suggested, .. } = &hidden[unit];
            let loss = |(row, y): (&usize, &f64)| {
                let log_rate = self.biases[unit] + suggested[*row] + modulation[unit][*row];
                log_rate.exp() - y * log_rate
            };
            rows.iter().zip(counts).map(loss).sum::<f64>()
        };
        (0..self.units.len()).map(of_unit).sum()
    }

    /// Goes down the penalised sum from where the block stands.
    fn descend(&mut self, axes: &Axes, places: &Places, hidden: &[Hidden], penalty: f64, steps: usize) {
        let units = self.units.len();
        if penalty.is_infinite() {
            self.away.fill(0.0);
        }
        let mut accepted = self.away.clone();
        let mut direction = Mat::<f64>::zeros(axes.variance.len(), units);
        let (mut length, mut lowest) = (vec![1.0; units], vec![f64::INFINITY; units]);
        for _ in 0..=steps {
            let modulation = self.modulation(places);
            let mut residuals = Mat::zeros(places.coordinates.nrows(), units);
            // Whether a step was taken, from where the next one goes elsewhere.
            let mut moved = vec![false; units];
            for (unit, hidden) in hidden.iter().enumerate() {
                let Hidden { rows, counts, suggested, .. } = hidden;
                let spikes = hidden.spikes + HALF_A_SPIKE;
                let modulation = |row: &usize| suggested[*row] + modulation[unit][*row];
                let rates: Vec<f64> = rows.iter().map(|row| modulation(row).exp()).collect();
                // The sum is lowest where Σ m eˡ is the number of hidden spikes and a half.
                let bias = (spikes / rates.iter().sum::<f64>()).ln();
                let fitted = rows.iter().zip(counts).map(|(row, y)| y * modulation(row)).sum::<f64>();
                let away = self.away.col(unit).squared_norm_l2();
                let mut sum = spikes - spikes * bias - fitted;
                if away > 0.0 {
                    sum += penalty / 2.0 * away;
                }
                // Of a unit that is never hidden nothing is known: its bias would be infinite.
                if !sum.is_finite() || sum > lowest[unit] {
                    length[unit] /= 2.0;
                    continue;
                }
                (lowest[unit], length[unit], self.biases[unit], moved[unit]) = (sum, 1.0, bias, true);
                accepted.col_mut(unit).copy_from(self.away.col(unit));
                let scale = bias.exp();
                for ((row, rate), y) in rows.iter().zip(rates).zip(counts) {
                    residuals[(*row, unit)] = scale * rate - y;
                }
            }
            if penalty.is_infinite() {
                return;
            }
            let gradient = product(places.coordinates.transpose(), residuals.as_ref(), 1.0);
            for (unit, hidden) in hidden.iter().enumerate() {
                for axis in 0..axes.variance.len() {
                    let place = (axis, unit);
                    if moved[unit] {
                        let curvature = (hidden.spikes + HALF_A_SPIKE) * axes.variance[axis];
                        direction[place] =
                            (gradient[place] + penalty * accepted[place]) / (curvature + penalty);
                    }
                    self.away[place] = accepted[place] - length[unit] * direction[place];
                }
            }
        }
        self.away = accepted;
    }

    /// Weights and biases for activations as they are, not as seen from their mean. Units that were never hidden keep
    /// what they started with.
    fn outputs(&self, start: &Outputs, axes: &Axes, hidden: &[Hidden]) -> Outputs {
        let width = axes.mean.len();
        let mut weights = self.suggested(start, width);
        let away = self.away.as_ref();
        matmul(weights.as_mut(), Accum::Add, axes.directions.as_ref(), away, 1.0, Par::Seq);
        let mut outputs = Outputs { weight: Vec::new(), bias: Vec::new() };
        for (index, unit) in self.units.clone().enumerate() {
            outputs.weight.extend(weights.col(index).iter().map(|weight| *weight as f32));
            let shift: f64 =
                weights.col(index).iter().zip(&axes.mean).map(|(weight, mean)| weight * mean).sum();
            let bias = (self.biases[index] - shift) as f32;
            outputs.bias.push(if hidden[index].rows.is_empty() { start.bias[unit] } else { bias });
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
        let axes = Axes::of(&rows, WIDTH);
        let places = axes.place(&rows);
        for penalty in [1e3, 10.0, 0.1] {
            let mut block = Block::new(&axes, 0..2);
            let hidden = block.entries(&start, &rows, &places, 2);
            block.descend(&axes, &places, &hidden, penalty, 60);
            let fit = block.outputs(&start, &axes, &hidden);
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
        // Nothing is known of the first.
        assert_eq!((&fit.weight[..WIDTH], fit.bias[0]), (&start.weight[..WIDTH], start.bias[0]));
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
