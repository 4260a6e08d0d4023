//! All units of a session in single trials, as observed and as predicted.

use super::{WIDTH, per_session, usable_seconds};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document::figure;
use crate::plot::heatmap::{self, BAR_SPACE};
use crate::plot::region_styles::RegionStyles;
use crate::plot::svg::{Anchor, Area, Svg};
use neuroglot_tasks::results::{PopulationTrial, SessionEvaluation};

/// Height of a unit's row (px), and least and most height of a map.
const ROW: f64 = 2.0;
const HEIGHTS: (f64, f64) = (120.0, 360.0);

/// Least length of a region's bar that bears its name (px).
const NAMED: f64 = 12.0;

/// The trials of the first run that has any, session by session.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    per_session(sessions, "populations", READING, |session| {
        let runs = report.runs.iter().zip(&session.by_run);
        let mut shown = runs.filter_map(|(run, evaluation)| Some((run.name.as_str(), (*evaluation)?)));
        let Some((run, evaluation)) = shown.find(|(_, evaluation)| !evaluation.populations.is_empty()) else {
            return String::new();
        };
        evaluation.populations.iter().map(|trial| draw(run, evaluation, trial, styles)).collect()
    })
}

/// How the pictures are read.
const READING: &str = "A row is a unit, sorted by region; each is predicted from all others (co-smoothing). Colours of both maps have \
    one scale, which follows the square root. Of many units, 200 are drawn.";

fn draw(run: &str, session: &SessionEvaluation, trial: &PopulationTrial, styles: &RegionStyles) -> String {
    let region = |place: usize| {
        let unit = trial.units.get(place).and_then(|unit| session.units.get(*unit));
        unit.map_or("", |unit| unit.region.as_str())
    };
    let mut order: Vec<usize> = (0..trial.observed.len().min(trial.predicted.len())).collect();
    order.sort_by_key(|place| region(*place));
    let sorted =
        |rows: &[Vec<f32>]| -> Vec<Vec<f32>> { order.iter().map(|place| rows[*place].clone()).collect() };
    let (observed, predicted) = (sorted(&trial.observed), sorted(&trial.predicted));
    let height = (ROW * order.len() as f64).clamp(HEIGHTS.0, HEIGHTS.1);
    let title = format!("{run}, test trial {} ({})", trial.trial, trial.condition);
    let mut svg = Svg::new(WIDTH, height + 62.0, &title);
    let left = Area { left: 84.0, top: 24.0, width: (WIDTH - 84.0 - 24.0 - BAR_SPACE) / 2.0, height };
    let bins = observed.iter().map(Vec::len).max().unwrap_or(0);
    let seconds = (0.0, bins.max(1) as f64 * usable_seconds(session.bin_seconds));
    heatmap::draw_pair(&mut svg, left, 24.0, [&observed, &predicted], seconds, "");
    let at = |place: usize| left.top + height * place as f64 / order.len().max(1) as f64;
    let mut first = 0;
    for group in order.chunk_by(|one, other| region(*one) == region(*other)) {
        let (name, top, bottom) = (region(group[0]), at(first), at(first + group.len()));
        let bar = Area { left: left.left - 10.0, top, width: 6.0, height: bottom - top };
        svg.rect(bar, "swatch", &styles.ink(name).fill, name);
        if bottom - top >= NAMED {
            svg.text((bar.left - 4.0, (top + bottom) / 2.0 + 4.0), Anchor::End, "tick", name);
        }
        first += group.len();
    }
    let caption = crate::text::escape(&title);
    let name = format!("trial {} {run}", trial.trial);
    figure(&name, &format!("<figcaption>{caption}</figcaption>{}", svg.finish()))
}
