//! Sessions in which a model lies below the PSTH: one that predicts units worse than their own average does was not trained
//! enough, whatever its other scores.

use crate::terminal::number::decimal;
use neuroglot::eval::comparison::Verdict;
use neuroglot::tasks::results::{Evaluation, Interval};

/// Sessions that are named.
const NAMED: usize = 8;

/// `a (−0.120)` of each session in which the model lies below the PSTH, with the interval of the difference below 0.
pub fn below(evaluation: &Evaluation) -> Vec<String> {
    let is_below = |difference: &Interval| Verdict::of(difference) == Verdict::Worse;
    let below = evaluation.sessions.iter().filter_map(|session| {
        let difference = session.beside_psth.filter(is_below)?;
        Some(format!("{} ({})", session.eid, decimal(Some(difference.mean))))
    });
    let mut below: Vec<String> = below.collect();
    if below.len() > NAMED {
        let more = below.len() - NAMED;
        below.truncate(NAMED);
        below.push(format!("and {more} more"));
    }
    below
}
