//! Reduced-rank regression across sessions.
//!
//! Of session i, unit n, trial k and bin t:
//!
//! ```text
//! y_n(k, t) = b_n(t) + s_n Σ_r W_nr z_r(k, t)
//! z_r(k, t) = Σ_m U_mr Σ_q V_rq (φ_q ∗ (y_m − b_m))(k, t) / s'_m
//! ```
//!
//! Each of R latent variables is a weighted sum of the units that are seen (`U`, of the session), passed through a
//! temporal filter of its own, which is a combination (`V`, of unit norm) of a few fixed filters `φ_q` and shared by all
//! sessions; the units are weighted sums of the latent variables (`W`, of the session). This is the reduced-rank model
//! of several sessions of Zhang et al. 2024 (Exploiting correlations across trials and behavioral sessions to improve
//! neural decoding), in which neurons are weighted by session and the temporal basis is common, with spike counts instead
//! of behaviour as the output; its temporal basis depends on the distance from the bin predicted, not on both bins.
//! A unit that is hidden is left out of the sum over m where it is predicted itself. `b` is the mean or the PSTH, `s` and
//! `s'` are standard deviations, of the residual counts and of the first filter's output.
//!
//! `U`, `V` and `W` minimise the mean squared error of `(y_n − b_n) / s_n`, summed over units and sessions, plus
//! `λ/2 (‖U‖² + ‖W‖²)`. R and λ are chosen on validation trials, for all sessions together.

use super::design::{Covariates, Design, Intercept, Scale};
use super::gram::{cholesky, cholesky_solve};
use super::products::{product, times, transposed_times};
use super::ridge::FLOORS;
use super::{Block, Predicted, RegressionTask};
use crate::BaselineError;
use crate::choice::Best;
use faer::Mat;
use neuroglot_fit::{minimise, symmetric_eigen};
use rayon::prelude::*;

/// Numbers of latent variables R to choose from.
const RANKS: [usize; 3] = [2, 8, 32];

/// Penalties λ to choose from, and the place of the one that is tried first.
const PENALTIES: [f64; 7] = [0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0];
const FIRST_PENALTY: usize = 4;

/// Where a fit has converged: see [`minimise`].
const TOLERANCE: f64 = 1e-3;
const MOST_STEPS: usize = 40;

/// Fits one task of all sessions together, of each of which something is seen, and predicts the test trials of each.
///
/// Rank and penalty are chosen with the PSTH as intercept; the mean is then tried with the best rank, from the best
/// penalty on.
pub(crate) fn reduced_rank(
    tasks: &[&RegressionTask<'_>],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Predicted>, BaselineError> {
    let mut best: Best<Found> = Best::none();
    let total = RANKS.len() + 1;
    for intercept in Intercept::ALL {
        let sessions: Vec<SessionDesign> =
            tasks.iter().map(|task| SessionDesign::new(task, intercept)).collect();
        let parts: Vec<&Part> = sessions.iter().flat_map(|session| &session.parts).collect();
        let filters = sessions.first().map_or(0, |session| session.design.per_unit());
        let candidates = match intercept {
            Intercept::Psth => RANKS.map(|rank| (rank, FIRST_PENALTY)).to_vec(),
            Intercept::Mean => vec![(best.get().rank, best.get().penalty)],
        };
        for (number, (rank, first)) in candidates.into_iter().enumerate() {
            let Some(start) = Fit::start(&parts, filters, rank) else {
                let size = parts.iter().map(|part| part.targets()).max().unwrap_or(0);
                return Err(tasks[0].no_eigenvalues(size));
            };
            let mut fit = start.clone();
            search_penalty(first, |penalty, is_afresh| {
                if is_afresh {
                    fit.clone_from(&start);
                }
                fit.minimise(&parts, PENALTIES[penalty], TOLERANCE, MOST_STEPS);
                let weights = fit.weights(&parts, PENALTIES[penalty]);
                let validation = predictions(&sessions, &weights, |session| &session.validation);
                let mut highest = f64::NEG_INFINITY;
                for floor in FLOORS {
                    let score = score(&sessions, &validation, floor);
                    highest = highest.max(score);
                    best.offer(score, || {
                        let test = predictions(&sessions, &weights, |session| &session.test);
                        let bounded =
                            sessions.iter().zip(test).map(|(session, rates)| session.bounded(rates, floor));
                        Found { rank, penalty, intercept, floor, rates: bounded.collect() }
                    });
                }
                highest
            });
            progress(if intercept == Intercept::Psth { number + 1 } else { total }, total);
        }
    }
    let Found { rank, penalty, intercept, floor, rates } = best.take();
    let settings = format!(
        "rank {rank}, penalty {}, intercept {}, floor {floor} of the mean",
        PENALTIES[penalty],
        intercept.name()
    );
    Ok(tasks.iter().zip(rates).map(|(task, rates)| task.predicted(&rates, settings.clone())).collect())
}

/// The best settings so far, and what they predict.
struct Found {
    rank: usize,
    /// Place among [`PENALTIES`].
    penalty: usize,
    intercept: Intercept,
    floor: f64,
    /// Rates `[row, target]` of each block of each session, for the test trials.
    rates: Vec<Vec<Vec<f64>>>,
}

/// Tries penalties, by their places, from `first` upward as long as the score rises, each fit from where the last one
/// ended; where it does not rise at all, downward, each fit afresh, since a high penalty leaves too little of weak latent
/// variables to go on from. `score` is told whether to begin afresh.
fn search_penalty(first: usize, mut score: impl FnMut(usize, bool) -> f64) {
    let start = score(first, true);
    let mut climb = |places: &mut dyn Iterator<Item = usize>, is_afresh: bool| {
        let mut highest = start;
        for place in places {
            let found = score(place, is_afresh);
            let has_risen = found > highest;
            if !has_risen {
                break;
            }
            highest = found;
        }
        highest > start
    };
    if !climb(&mut (first + 1..PENALTIES.len()), false) {
        climb(&mut (0..first).rev(), true);
    }
}

/// One session with one intercept.
struct SessionDesign<'a> {
    task: &'a RegressionTask<'a>,
    design: Design,
    parts: Vec<Part>,
    validation: Covariates,
    test: Covariates,
    /// `b` of each block's targets in the scored bins, spikes/bin, `[bin, target]`.
    bases: Vec<Vec<f64>>,
}

impl<'a> SessionDesign<'a> {
    fn new(task: &'a RegressionTask<'a>, intercept: Intercept) -> Self {
        let splits = task.splits;
        let filters = task.filter_basis();
        let mut design = Design::new(&splits.train, filters, intercept, Scale::Unit, task.first_fitted);
        let part = |block: &Block| {
            let covariates = design.train.of_units(&block.inputs, design.per_unit());
            let mut residuals = splits.train.part(design.first_bin(), &block.targets);
            let base = task.base(intercept, design.first_bin(), &block.targets);
            residuals.iter_mut().zip(base.iter().cycle()).for_each(|(count, base)| *count -= base);
            let hidden = block.hidden_columns(design.per_unit());
            Part::new(&covariates, residuals, hidden, block.hidden_from.clone())
        };
        let parts = task.blocks.iter().map(part).collect();
        // Moments are all that is needed of the training trials from here on.
        design.train.values = Vec::new();
        Self {
            parts,
            validation: design.covariates(&splits.validation, task.first_scored),
            test: design.covariates(&splits.test, task.first_scored),
            bases: task
                .blocks
                .iter()
                .map(|block| task.base(intercept, task.first_scored, &block.targets))
                .collect(),
            task,
            design,
        }
    }

    fn bounded(&self, mut rates: Vec<Vec<f64>>, floor: f64) -> Vec<Vec<f64>> {
        self.task
            .blocks
            .iter()
            .zip(&mut rates)
            .for_each(|(block, rates)| self.task.bound(block, floor, rates));
        rates
    }
}

/// Rates `[row, target]` of each block of each session, unbounded; `weights` are those of all parts.
fn predictions(
    sessions: &[SessionDesign<'_>],
    weights: &[Mat<f64>],
    of: impl for<'s> Fn(&'s SessionDesign<'_>) -> &'s Covariates,
) -> Vec<Vec<Vec<f64>>> {
    let mut weights = weights.iter();
    let of_session = |session: &SessionDesign<'_>| -> Vec<Vec<f64>> {
        let of_block = |(block, base): (&Block, &Vec<f64>)| {
            let covariates = of(session).of_units(&block.inputs, session.design.per_unit());
            let weights = weights.next().expect("weights of every part");
            let mut rates = times(&covariates, weights.as_ref(), |_, _| ());
            rates.iter_mut().zip(base.iter().cycle()).for_each(|(rate, base)| *rate += base);
            rates
        };
        session.task.blocks.iter().zip(&session.bases).map(of_block).collect()
    };
    sessions.iter().map(of_session).collect()
}

/// The mean over the units of all sessions.
fn score(sessions: &[SessionDesign<'_>], rates: &[Vec<Vec<f64>>], floor: f64) -> f64 {
    let of_session = |(session, rates): (&SessionDesign<'_>, &Vec<Vec<f64>>)| {
        session.task.validation_bits(&session.bounded(rates.clone(), floor))
    };
    let per_unit: Vec<Option<f64>> = sessions.iter().zip(rates).flat_map(of_session).collect();
    crate::choice::mean_bits(&per_unit)
}

/// Moments of one block of one session: all that the error depends on.
struct Part {
    /// `A = Xᵀ X / rows`, `[column, column]`.
    moments: Mat<f64>,
    /// `C = Xᵀ Y / rows` with targets of variance 1, `[column, target]`; 0 where hidden.
    right: Mat<f64>,
    /// Standard deviations `s` of the targets.
    deviations: Vec<f64>,
    hidden: Vec<Vec<usize>>,
    hidden_from: Vec<usize>,
    /// The columns of `A` that are hidden together, `[column, hidden]` of each group.
    hidden_moments: Vec<Mat<f64>>,
}

/// What a part tells about some `Z` `[column, latent]`.
struct Projected {
    /// Half the penalised squared error, but for the variance of the targets, with the best `W`.
    error: f64,
    /// Its gradient by `Z`, `[column, latent]`.
    gradient: Mat<f64>,
    /// The best `W`, `[latent, target]`.
    w: Mat<f64>,
}

impl Part {
    fn new(
        covariates: &Covariates,
        mut residuals: Vec<f64>,
        hidden: Vec<Vec<usize>>,
        hidden_from: Vec<usize>,
    ) -> Self {
        let targets = hidden_from.len();
        let rows = covariates.rows as f64;
        let mut squares = vec![0.0; targets];
        for row in residuals.chunks(targets.max(1)) {
            squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
        }
        let deviations: Vec<f64> = squares.iter().map(|square| (square / rows).sqrt()).collect();
        for row in residuals.chunks_mut(targets.max(1)) {
            for (value, deviation) in row.iter_mut().zip(&deviations) {
                *value /= if *deviation > 0.0 { deviation * rows } else { rows };
            }
        }
        let mut moments = transposed_times(covariates, &covariates.values, covariates.columns);
        for column in moments.as_mut().col_iter_mut() {
            column.iter_mut().for_each(|value| *value /= rows);
        }
        let right = transposed_times(covariates, &residuals, targets);
        let columns = |hidden: &Vec<usize>| {
            Mat::from_fn(moments.nrows(), hidden.len(), |row, place| moments[(row, hidden[place])])
        };
        let hidden_moments = hidden.iter().map(columns).collect();
        let mut part =
            Self { moments, right: Mat::zeros(0, 0), deviations, hidden, hidden_from, hidden_moments };
        part.right = part.shown(right);
        part
    }

    fn columns(&self) -> usize {
        self.moments.nrows()
    }

    fn targets(&self) -> usize {
        self.hidden_from.len()
    }

    /// `[column, target]` with 0 where hidden.
    fn shown(&self, mut values: Mat<f64>) -> Mat<f64> {
        for (target, group) in self.hidden_from.iter().enumerate() {
            self.hidden[*group].iter().for_each(|column| values[(*column, target)] = 0.0);
        }
        values
    }

    /// Finds the best `W` for `Z`, target by target: `(Z₀ᵀ A Z₀ + λ I) W_n = Z₀ᵀ C_n`, where `Z₀` is `Z` with 0 in the
    /// hidden rows. At the best `W`, the error changes with `Z` as if `W` stayed (Golub and Pereyra 1973).
    fn project(&self, z: &Mat<f64>, penalty: f64) -> Projected {
        let through = product(self.moments.as_ref(), z.as_ref());
        let inner = product(z.transpose(), through.as_ref());
        let right = product(z.transpose(), self.right.as_ref());
        let groups: Vec<Group> = self
            .hidden
            .par_iter()
            .enumerate()
            .map(|(group, hidden)| {
                let targets: Vec<usize> =
                    (0..self.targets()).filter(|target| self.hidden_from[*target] == group).collect();
                let z = some_rows(z, hidden);
                let system = self.system(group, &z, &some_rows(&through, hidden), &inner, penalty);
                let rights = targets.iter().map(|target| right.col_as_slice(*target).to_vec());
                let w: Vec<Vec<f64>> = rights.map(|right| solved(&system, right)).collect();
                let w = Mat::from_fn(z.ncols(), targets.len(), |latent, place| w[place][latent]);
                // What the hidden columns add to A Z W.
                let added =
                    product(self.hidden_moments[group].as_ref(), product(z.as_ref(), w.as_ref()).as_ref());
                Group { targets, w, added }
            })
            .collect();
        let mut w = Mat::zeros(z.ncols(), self.targets());
        for group in &groups {
            for (place, target) in group.targets.iter().enumerate() {
                w.col_as_slice_mut(*target).copy_from_slice(group.w.col_as_slice(place));
            }
        }
        let mut slopes = product(through.as_ref(), w.as_ref());
        for group in &groups {
            for (place, target) in group.targets.iter().enumerate() {
                let known = self.right.col_as_slice(*target).iter().zip(group.added.col_as_slice(place));
                let slopes = slopes.col_as_slice_mut(*target).iter_mut();
                slopes.zip(known).for_each(|(slope, (right, added))| *slope -= right + added);
            }
        }
        let slopes = self.shown(slopes);
        let explained = |target: usize| -> f64 {
            right.col_as_slice(target).iter().zip(w.col_as_slice(target)).map(|(a, b)| a * b).sum()
        };
        let error = -0.5 * (0..self.targets()).map(explained).sum::<f64>();
        Projected { error, gradient: product(slopes.as_ref(), w.transpose()), w }
    }

    /// The Cholesky factor of `Z₀ᵀ A Z₀ + λ I` of a group, from the hidden rows of `Z` and of `A Z`, and `Zᵀ A Z`.
    fn system(
        &self,
        group: usize,
        z: &Mat<f64>,
        through: &Mat<f64>,
        inner: &Mat<f64>,
        penalty: f64,
    ) -> Vec<f64> {
        let rank = z.ncols();
        let among_hidden = some_rows(&self.hidden_moments[group], &self.hidden[group]);
        let seen = through - product(among_hidden.as_ref(), z.as_ref());
        let lost = product(through.transpose(), z.as_ref()) + product(z.transpose(), seen.as_ref());
        let entry = |place: usize| {
            let (row, column) = (place / rank, place % rank);
            inner[(row, column)] - lost[(row, column)] + if row == column { penalty } else { 0.0 }
        };
        let mut system: Vec<f64> = (0..rank * rank).map(entry).collect();
        cholesky(&mut system, rank);
        system
    }
}

/// The best `W` `[latent, target]` of targets from which the same is hidden, and what that would add to `A Z W`,
/// `[column, target]`.
struct Group {
    targets: Vec<usize>,
    w: Mat<f64>,
    added: Mat<f64>,
}

fn some_rows(matrix: &Mat<f64>, rows: &[usize]) -> Mat<f64> {
    Mat::from_fn(rows.len(), matrix.ncols(), |row, column| matrix[(rows[row], column)])
}

fn solved(factor: &[f64], mut right: Vec<f64>) -> Vec<f64> {
    cholesky_solve(factor, &mut right);
    right
}

/// The parameters: `V` `[latent, filter]`, then `U` `[input, latent]` of each part. `W` follows from them.
#[derive(Clone)]
struct Fit {
    rank: usize,
    filters: usize,
    parameters: Vec<f64>,
}

impl Fit {
    /// From the leading left singular vectors of `Xᵀ Y` through the sum of all filters; `None` where they are not found.
    fn start(parts: &[&Part], filters: usize, rank: usize) -> Option<Self> {
        let share = (1.0 / filters as f64).sqrt();
        let mut parameters = vec![share; rank * filters];
        for part in parts {
            let inputs = part.columns() / filters;
            let summed = Mat::from_fn(inputs, part.targets(), |input, target| {
                (0..filters).map(|filter| part.right[(input * filters + filter, target)]).sum::<f64>() * share
            });
            let (values, vectors) =
                symmetric_eigen(product(summed.as_ref(), summed.transpose()).as_ref()).ok()?;
            // Ascending order. A latent variable of nothing starts from next to nothing.
            let largest = values.last().copied().unwrap_or(0.0).max(1e-12);
            let element = |input: usize, latent: usize| {
                let place = inputs.checked_sub(latent + 1)?;
                Some(vectors[(input, place)] * values[place].max(1e-6 * largest).powf(0.25))
            };
            let elements = (0..inputs).flat_map(|input| (0..rank).map(move |latent| element(input, latent)));
            parameters.extend(elements.map(|element| element.unwrap_or(0.0)));
        }
        Some(Self { rank, filters, parameters })
    }

    /// Where the parameters of each part begin.
    fn places(&self, parts: &[&Part]) -> Vec<usize> {
        let mut next = self.rank * self.filters;
        let place = |part: &&Part| {
            let place = next;
            next += part.columns() / self.filters * self.rank;
            place
        };
        parts.iter().map(place).collect()
    }

    fn minimise(&mut self, parts: &[&Part], penalty: f64, tolerance: f64, most_steps: usize) {
        let places = self.places(parts);
        let start = std::mem::take(&mut self.parameters);
        let curvature = vec![1.0; start.len()];
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            self.objective(parts, &places, parameters, gradient, penalty)
        };
        self.parameters = minimise(objective, start, &curvature, tolerance, most_steps).point;
    }

    fn objective(
        &self,
        parts: &[&Part],
        places: &[usize],
        parameters: &[f64],
        gradient: &mut [f64],
        penalty: f64,
    ) -> f64 {
        let v = self.filters_of(parameters);
        let of_part = |(part, place): (&&Part, &usize)| {
            let u = self.factor(part, *place, parameters);
            let found = part.project(&self.through_filters(u, &v), penalty);
            let mut by_u = Vec::with_capacity(u.len());
            let mut by_v = vec![0.0; v.len()];
            for (input, weights) in u.chunks(self.rank).enumerate() {
                for (latent, weight) in weights.iter().enumerate() {
                    let mut slope_of_weight = penalty * weight;
                    let slopes = &found.gradient.col_as_slice(latent)[input * self.filters..];
                    for (filter, slope) in slopes[..self.filters].iter().enumerate() {
                        slope_of_weight += slope * v[latent * self.filters + filter];
                        by_v[latent * self.filters + filter] += slope * weight;
                    }
                    by_u.push(slope_of_weight);
                }
            }
            let squares: f64 = u.iter().map(|weight| weight * weight).sum();
            (found.error + 0.5 * penalty * squares, by_u, by_v)
        };
        let found: Vec<_> = parts.par_iter().zip(places).map(of_part).collect();
        let mut by_v = vec![0.0; v.len()];
        let mut value = 0.0;
        for ((of_part, by_u, of_v), place) in found.into_iter().zip(places) {
            value += of_part;
            gradient[*place..][..by_u.len()].copy_from_slice(&by_u);
            by_v.iter_mut().zip(of_v).for_each(|(sum, slope)| *sum += slope);
        }
        // Only the direction of a filter counts.
        for latent in 0..self.rank {
            let range = latent * self.filters..(latent + 1) * self.filters;
            let (unit, slopes) = (&v[range.clone()], &by_v[range.clone()]);
            let along: f64 = unit.iter().zip(slopes).map(|(a, b)| a * b).sum();
            let length = parameters[range.clone()].iter().map(|value| value * value).sum::<f64>().sqrt();
            for ((out, slope), unit) in gradient[range].iter_mut().zip(slopes).zip(unit) {
                *out = (slope - along * unit) / length;
            }
        }
        value
    }

    /// `V` with rows of unit norm.
    fn filters_of(&self, parameters: &[f64]) -> Vec<f64> {
        let rows = parameters[..self.rank * self.filters].chunks(self.filters);
        let unit = |row: &[f64]| -> Vec<f64> {
            let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter().map(|value| value / norm).collect()
        };
        rows.flat_map(unit).collect()
    }

    /// `U` of a part.
    fn factor<'p>(&self, part: &Part, place: usize, parameters: &'p [f64]) -> &'p [f64] {
        &parameters[place..][..part.columns() / self.filters * self.rank]
    }

    /// `Z` of `U` and `V`, `[column, latent]`.
    fn through_filters(&self, u: &[f64], v: &[f64]) -> Mat<f64> {
        let (rank, filters) = (self.rank, self.filters);
        Mat::from_fn(u.len() / rank * filters, rank, |column, latent| {
            u[column / filters * rank + latent] * v[latent * filters + column % filters]
        })
    }

    /// Weights of the covariates of each part, `[column, target]`, in spikes/bin.
    fn weights(&self, parts: &[&Part], penalty: f64) -> Vec<Mat<f64>> {
        let v = self.filters_of(&self.parameters);
        let places = self.places(parts);
        let of_part = |(part, place): (&&Part, usize)| {
            let z = self.through_filters(self.factor(part, place, &self.parameters), &v);
            let w = part.project(&z, penalty).w;
            let mut weights = part.shown(product(z.as_ref(), w.as_ref()));
            for (target, column) in weights.as_mut().col_iter_mut().enumerate() {
                column.iter_mut().for_each(|weight| *weight *= part.deviations[target]);
            }
            weights
        };
        parts.iter().zip(places).map(of_part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, covariates, numbers, problem};
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn with_one_filter_and_no_penalty_it_is_the_closed_form() {
        let problem = problem("reduced_rank");
        let (covariates, targets) = (covariates(&problem), numbers(&problem["targets"]));
        let count = targets.len() / covariates.rows;
        let part = Part::new(&covariates, targets, vec![vec![]], vec![0; count]);
        for case in problem["by_rank"].as_array().unwrap() {
            let rank = case["rank"].as_u64().unwrap() as usize;
            let mut fit = Fit::start(&[&part], 1, rank).unwrap();
            fit.minimise(&[&part], 0.0, 1e-10, 5000);
            let weights = &fit.weights(&[&part], 0.0)[0];
            let found: Vec<f64> = (0..covariates.columns * count)
                .map(|place| weights[(place / count, place % count)])
                .collect();
            assert_close(&found, &numbers(&case["weights"]), 1e-6, &format!("rank {rank}"));
        }
    }

    #[test]
    fn penalties_are_searched_as_long_as_the_score_rises() {
        let tried = |first: usize, scores: [f64; 7]| {
            let mut tried = Vec::new();
            search_penalty(first, |place, is_afresh| {
                tried.push((place, is_afresh));
                scores[place]
            });
            tried
        };
        let rising = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(tried(4, rising), [(4, true), (5, false), (6, false)]);
        let peak_above = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 4.5];
        assert_eq!(tried(4, peak_above), [(4, true), (5, false), (6, false)]);
        let peak_below = [0.0, 1.0, 5.0, 4.0, 3.0, 2.0, 9.0];
        assert_eq!(tried(4, peak_below), [(4, true), (5, false), (3, true), (2, true), (1, true)]);
        assert_eq!(tried(6, rising), [(6, true), (5, true)]);
        assert_eq!(tried(0, [f64::NAN; 7]), [(0, true), (1, false)]);
    }

    /// Two parts, of one filter set, from each target of which something else is hidden.
    fn parts() -> Vec<Part> {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut draw =
            |count: usize| -> Vec<f64> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
        let mut part = |inputs: usize, hidden: Vec<Vec<usize>>, hidden_from: Vec<usize>| {
            let covariates = Covariates { rows: 30, columns: inputs * 2, values: draw(30 * inputs * 2) };
            let targets = draw(30 * hidden_from.len());
            Part::new(&covariates, targets, hidden, hidden_from)
        };
        let units =
            |units: &[usize]| units.iter().flat_map(|unit| [unit * 2, unit * 2 + 1]).collect::<Vec<_>>();
        vec![
            part(3, vec![units(&[0]), units(&[1]), units(&[2])], vec![0, 1, 2]),
            part(4, vec![units(&[0, 3]), units(&[1])], vec![0, 0, 1]),
        ]
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        let parts = parts();
        let parts: Vec<&Part> = parts.iter().collect();
        let fit = Fit::start(&parts, 2, 2).unwrap();
        let places = fit.places(&parts);
        let mut gradient = vec![0.0; fit.parameters.len()];
        fit.objective(&parts, &places, &fit.parameters, &mut gradient, 0.2);
        for place in 0..gradient.len() {
            let at = |change: f64| {
                let mut parameters = fit.parameters.clone();
                parameters[place] += change;
                fit.objective(&parts, &places, &parameters, &mut vec![0.0; gradient.len()], 0.2)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-8, "{place}: {slope} {}", gradient[place]);
        }
    }

    #[test]
    fn hidden_columns_have_no_weight_and_the_rest_is_the_best_for_them() {
        for part in parts() {
            let mut fit = Fit::start(&[&part], 2, 2).unwrap();
            fit.minimise(&[&part], 0.1, 1e-6, 500);
            let z =
                fit.through_filters(fit.factor(&part, 4, &fit.parameters), &fit.filters_of(&fit.parameters));
            let w = part.project(&z, 0.1).w;
            // Half the penalised squared error of a target, written out.
            let error = |target: usize, w: &[f64]| {
                let seen = |column: usize| !part.hidden[part.hidden_from[target]].contains(&column);
                let weight = |column: usize| -> f64 {
                    if seen(column) {
                        w.iter().enumerate().map(|(r, w)| z[(column, r)] * w).sum()
                    } else {
                        0.0
                    }
                };
                let weights: Vec<f64> = (0..part.columns()).map(weight).collect();
                let mut error = 0.05 * w.iter().map(|w| w * w).sum::<f64>();
                for (row, weight) in weights.iter().enumerate() {
                    error -= weight * part.right[(row, target)];
                    let through =
                        (0..part.columns()).map(|column| part.moments[(row, column)] * weights[column]);
                    error += 0.5 * weight * through.sum::<f64>();
                }
                error
            };
            for target in 0..part.targets() {
                let best = w.col_as_slice(target);
                for (latent, change) in [(0, 1e-3), (0, -1e-3), (1, 1e-3), (1, -1e-3)] {
                    let mut moved = best.to_vec();
                    moved[latent] += change;
                    assert!(error(target, &moved) > error(target, best));
                }
                for column in &part.hidden[part.hidden_from[target]] {
                    assert_eq!(fit.weights(&[&part], 0.1)[0][(*column, target)], 0.0);
                }
            }
        }
    }
}
