//! How well each region is predicted from each other one.

use super::per_session;
use crate::Report;
use crate::compare::ComparedSession;
use crate::plot::matrix::{self, MOST_REGIONS, Matrix};
use crate::text::escape;
use neuroglot_eval::results::RegionMatrix;

/// The matrices of all runs, session by session; empty if none was computed.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    per_session(sessions, "regions", |session| {
        let mut figures = String::new();
        let mut most = 0;
        for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
            if let Some(scores) = evaluation.and_then(|evaluation| evaluation.region_matrix.as_ref()) {
                most = most.max(scores.regions.len());
                figures.push_str(&figure(&run.name, scores));
            }
        }
        if figures.is_empty() {
            return String::new();
        }
        let left_out = if most > MOST_REGIONS {
            format!(" The first {MOST_REGIONS} of {most} regions are drawn.")
        } else {
            String::new()
        };
        format!(
            "<figure><div class=\"row\">{figures}</div><figcaption>Bits/spike, mean over the target region’s units, when \
             only the source region is seen; “all others”: all regions but the target are seen. Outlined: the target’s own \
             other units are seen (intra-region). Grey: undefined.{}</figcaption></figure>\n",
            escape(&left_out)
        )
    })
}

fn figure(run: &str, scores: &RegionMatrix) -> String {
    matrix::figure(&Matrix {
        title: run,
        regions: &scores.regions,
        from_one: &|target, source| scores.from_one.get(source).and_then(|row| row.get(target)).copied().flatten(),
        from_others: &|target| scores.from_others.get(target).copied().flatten(),
    })
}
