//! How well each region is predicted from each other one.

use super::per_session;
use crate::Report;
use crate::compare::ComparedSession;
use crate::document;
use crate::plot::matrix::{self, MOST_REGIONS, Matrix};
use crate::plot::region_styles::RegionStyles;
use neuroglot_tasks::results::{Interval, RegionMatrix};

/// The matrices of all runs, session by session; empty if none was computed.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    let reading = format!("{READING} Colours of all runs of a session have one scale.");
    per_session(sessions, "regions", &reading, |session| {
        let matrix_of =
            |run: usize| session.by_run[run].and_then(|evaluation| evaluation.region_matrix.as_ref());
        let matrices: Vec<(&str, &RegionMatrix)> = (0..report.runs.len())
            .filter_map(|run| matrix_of(run).map(|matrix| (report.runs[run].name.as_str(), matrix)))
            .collect();
        if matrices.is_empty() {
            return String::new();
        }
        let most = matrices.iter().map(|(_, matrix)| matrix.regions.len()).max().unwrap_or(0);
        let reach = matrices.iter().map(|(_, matrix)| largest(matrix)).fold(0.0, f64::max);
        let figures: String = matrices
            .iter()
            .map(|(run, matrix)| document::figure(run, &figure(run, matrix, reach, styles)))
            .collect();
        format!("<div class=\"row\">{figures}</div>\n{}", left_out(most))
    })
}

/// What cells of a matrix mean.
pub(crate) const READING: &str = "Bits/spike, mean over the target region’s units, when only the source region is \
    seen; “all others”: all regions but the target are seen. Outlined: the target’s own other units are seen \
    (intra-region). Grey: undefined. Bars beside names: the region’s colour.";

/// What is said of a matrix with so many regions, where not all of them are drawn.
pub(crate) fn left_out(regions: usize) -> String {
    if regions > MOST_REGIONS {
        format!("<p class=\"note\">The first {MOST_REGIONS} of {regions} regions are drawn.</p>\n")
    } else {
        String::new()
    }
}

/// The largest finite score, its sign aside.
pub(crate) fn largest(matrix: &RegionMatrix) -> f64 {
    let scores = matrix.from_one.iter().flatten().chain(&matrix.from_others).flatten();
    scores.map(|score| score.mean.abs()).filter(|score| score.is_finite()).fold(0.0, f64::max)
}

/// The matrix of one run; colours reach to `reach`.
pub(crate) fn figure(run: &str, scores: &RegionMatrix, reach: f64, styles: &RegionStyles) -> String {
    let mean = |score: Option<&Option<Interval>>| Some((*score?)?.mean);
    matrix::figure(&Matrix {
        title: run,
        regions: &scores.regions,
        styles,
        from_one: &|target, source| mean(scores.from_one.get(source).and_then(|row| row.get(target))),
        from_others: &|target| mean(scores.from_others.get(target)),
        reach,
    })
}
