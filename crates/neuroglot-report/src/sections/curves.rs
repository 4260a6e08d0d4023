//! Training curves: one plot per panel, the runs' lines together.

use super::WIDTH;
use crate::document::figure;
use crate::plot::lines::{self, Line};
use crate::plot::palette::Marker;
use crate::{Curve, Report};
use neuroglot_data::number::counted;
use neuroglot_data::text::distinct;

/// Points drawn of one line at most; of a longer one every n-th is drawn.
const MOST_POINTS: usize = 1000;
/// Lines drawn in one panel at most.
const MOST_LINES: usize = 24;

/// All panels; empty if no run has curves.
pub(crate) fn html(report: &Report) -> String {
    let curves = || {
        report.runs.iter().enumerate().flat_map(|(run, section)| section.curves.iter().map(move |c| (run, c)))
    };
    let panels = distinct(curves().map(|(_, curve)| curve.panel.as_str()));
    let mut out = String::new();
    for panel in panels {
        let members: Vec<(usize, &Curve)> = curves().filter(|(_, curve)| curve.panel == panel).collect();
        let drawn = &members[..members.len().min(MOST_LINES)];
        let (plot, outside) = lines::figure(panel, &styled(report, drawn), "epoch", (WIDTH, 250.0));
        let mut notes = Vec::new();
        if outside > 0 {
            let verb = if outside == 1 { "lies" } else { "lie" };
            notes.push(format!("{} {verb} outside the axis.", counted(outside, "value")));
        }
        if drawn.len() < members.len() {
            notes.push(format!("The first {} of {} curves are drawn.", drawn.len(), members.len()));
        }
        let caption = if notes.is_empty() {
            String::new()
        } else {
            format!("<figcaption>{}</figcaption>", notes.join(" "))
        };
        out.push_str(&figure(panel, &(plot + &caption)));
    }
    out
}

/// Runs differ in dash and labels in colour and marker, where a panel has several of both; otherwise each line differs
/// from the others in all three.
fn styled(report: &Report, curves: &[(usize, &Curve)]) -> Vec<Line> {
    let labels = distinct(curves.iter().map(|(_, curve)| curve.label.as_str()));
    let mut runs: Vec<usize> = curves.iter().map(|(run, _)| *run).collect();
    runs.dedup();
    let place = |label: &str| labels.iter().position(|other| *other == label).unwrap_or(0);
    curves
        .iter()
        .map(|(run, curve)| {
            let (label, run_place) =
                (place(&curve.label), runs.iter().position(|other| other == run).unwrap_or(0));
            let name = &report.runs[*run].name;
            let (colour, dash, label) = match (labels.len(), runs.len()) {
                (_, 1) => (label, label, curve.label.clone()),
                (1, _) => (run_place, run_place, name.clone()),
                _ => (label, run_place, format!("{}, {name}", curve.label)),
            };
            let every = curve.points.len().div_ceil(MOST_POINTS).max(1);
            let points = curve.points.iter().step_by(every).copied().collect();
            Line { label, points, colour, dash, marker: Some(Marker::of(colour)), thin: false }
        })
        .collect()
}
