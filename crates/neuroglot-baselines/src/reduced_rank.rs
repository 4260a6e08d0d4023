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
//! [`SharedFilters`] finds `U`, `V` and `W`. R and their penalty λ are chosen on validation trials, for all sessions
//! together.

use crate::BaselineError;
use crate::regression::{Predicted, Regression};
use crate::ridge::FLOORS;
use neuroglot_coupling::{Block, Design, Intercept, Scale, mean_bits};
use neuroglot_fit::{Best, Covariates, Mat, SetMoments, SharedFilters};

/// Numbers of latent variables R to choose from.
const RANKS: [usize; 3] = [2, 8, 32];

/// Penalties λ to choose from, and the place of the one that is tried first.
const PENALTIES: [f64; 7] = [0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0];
const FIRST_PENALTY: usize = 4;

/// Where a fit has converged: see [`neuroglot_fit::minimise`].
const TOLERANCE: f64 = 1e-3;
const MOST_STEPS: usize = 40;

/// Fits one task of all sessions together, of each of which something is seen, and predicts the test trials of each.
///
/// Rank and penalty are chosen with the PSTH as intercept; the mean is then tried with the best rank, from the best
/// penalty on.
pub(crate) fn reduced_rank(
    tasks: &[&Regression<'_>],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Predicted>, BaselineError> {
    let mut best: Best<Found> = Best::none();
    let total = RANKS.len() + 1;
    for intercept in Intercept::ALL {
        let sessions: Vec<SessionDesign> =
            tasks.iter().map(|task| SessionDesign::new(task, intercept)).collect();
        let sets: Vec<&SetMoments> = sessions.iter().flat_map(|session| &session.sets).collect();
        let filters = sessions.first().map_or(0, |session| session.design.per_unit());
        let candidates = match intercept {
            Intercept::Psth => RANKS.map(|rank| (rank, FIRST_PENALTY)).to_vec(),
            Intercept::Mean => vec![(best.get().rank, best.get().penalty)],
        };
        for (number, (rank, first)) in candidates.into_iter().enumerate() {
            let start =
                SharedFilters::start(&sets, filters, rank).map_err(|error| tasks[0].cannot_fit(error))?;
            let mut fit = start.clone();
            search_penalty(first, |penalty, is_afresh| {
                if is_afresh {
                    fit.clone_from(&start);
                }
                fit.minimise(&sets, PENALTIES[penalty], TOLERANCE, MOST_STEPS);
                let weights = fit.weights(&sets, PENALTIES[penalty]);
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
    task: &'a Regression<'a>,
    design: Design,
    /// A set per block.
    sets: Vec<SetMoments>,
    validation: Covariates,
    test: Covariates,
    /// `b` of each block's targets in the scored bins, spikes/bin, `[bin, target]`.
    bases: Vec<Vec<f64>>,
}

impl<'a> SessionDesign<'a> {
    fn new(task: &'a Regression<'a>, intercept: Intercept) -> Self {
        let filters = task.basis().filters;
        let (design, train) = Design::new(task.train, filters, intercept, Scale::Unit, task.first_fitted);
        let set = |block: &Block| {
            let covariates = train.groups(&block.inputs, design.per_unit());
            let residuals = task.residuals(block, intercept);
            SetMoments::new(&covariates, residuals, block.hidden_from_targets(design.per_unit()))
        };
        let sets = task.blocks.iter().map(set).collect();
        Self {
            sets,
            validation: design.covariates(task.validation, task.first_scored),
            test: design.covariates(task.test, task.first_scored),
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

/// Rates `[row, target]` of each block of each session, unbounded; `weights` are those of all sets.
fn predictions(
    sessions: &[SessionDesign<'_>],
    weights: &[Mat<f64>],
    of: impl for<'s> Fn(&'s SessionDesign<'_>) -> &'s Covariates,
) -> Vec<Vec<Vec<f64>>> {
    let mut weights = weights.iter();
    let of_session = |session: &SessionDesign<'_>| -> Vec<Vec<f64>> {
        let of_block = |(block, base): (&Block, &Vec<f64>)| {
            let covariates = of(session).groups(&block.inputs, session.design.per_unit());
            let weights = weights.next().expect("weights of every set");
            let mut rates = covariates.times(weights.as_ref());
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
    mean_bits(&per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
