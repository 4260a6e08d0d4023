//! How a model's activations go through the trials of each condition.

use super::{WIDTH, per_session};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document::figure;
use crate::plot::axis::Frame;
use crate::plot::legend::{self, Entry, Sample};
use crate::plot::limits;
use crate::plot::lines::{self, Line};
use crate::plot::palette::{Marker, colour};
use crate::plot::svg::{Anchor, Area, Svg};
use crate::plot::ticks::Ticks;
use crate::text::told_apart;
use neuroglot_data::number::decimal;
use neuroglot_tasks::results::{ConditionTrajectory, LatentTrajectories};

/// Conditions drawn at most: those with the most trials.
const MOST_CONDITIONS: usize = 7;

/// Side of a plot (px).
const SIDE: f64 = 260.0;

/// The trajectories of all runs, session by session; empty where no evaluation has kept any.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    per_session(sessions, "trajectories", READING, |session| {
        let runs = report.runs.iter().zip(&session.by_run);
        let kept =
            runs.filter_map(|(run, evaluation)| Some((run, evaluation.as_ref()?.trajectories.as_ref()?)));
        kept.map(|(run, found)| trajectories(&run.name, found)).collect()
    })
}

/// How the plots are read.
const READING: &str = "Activations of the network behind its last normalisation, with nothing hidden, averaged over the test trials of \
    each condition, along the principal axes of these averages. A line is a condition; it begins at its marker.";

fn trajectories(run: &str, found: &LatentTrajectories) -> String {
    let mut conditions: Vec<&ConditionTrajectory> = found.conditions.iter().collect();
    conditions.sort_by_key(|condition| std::cmp::Reverse(condition.trials));
    conditions.truncate(MOST_CONDITIONS);
    let title = format!("{run}: latent trajectories");
    let mut svg = Svg::new(2.0 * (SIDE + 76.0), SIDE + 72.0, &title);
    svg.text((0.0, 14.0), Anchor::Start, "panel", run);
    for (place, (x, y)) in [(0, 1), (0, 2)].into_iter().enumerate() {
        let left = 56.0 + place as f64 * (SIDE + 76.0);
        draw(&mut svg, Area { left, top: 26.0, width: SIDE, height: SIDE }, &conditions, found, (x, y));
    }
    let labels: Vec<&str> = conditions.iter().map(|condition| condition.label.as_str()).collect();
    let entries: Vec<Entry> = told_apart(&labels, 60)
        .into_iter()
        .zip(&conditions)
        .enumerate()
        .map(|(place, (label, condition))| Entry {
            sample: Sample::Line { colour: place, dash: 0, marker: Some(Marker::of(place)) },
            label: format!("{label} (n = {})", condition.trials),
        })
        .collect();
    figure(run, &(svg.finish() + &legend::row_figure(&entries, WIDTH)))
}

/// Two of the axes against each other.
fn draw(
    svg: &mut Svg,
    area: Area,
    conditions: &[&ConditionTrajectory],
    found: &LatentTrajectories,
    (x, y): (usize, usize),
) {
    let along = |axis: usize| {
        let points = conditions.iter().flat_map(|condition| &condition.points);
        limits::full(points.filter_map(move |point| point.get(axis).copied()))
    };
    let frame = Frame::new(area, along(x), along(y));
    let name = |axis: usize| {
        let share = found.explained.get(axis).map_or(f64::NAN, |share| 100.0 * share);
        format!("axis {} ({} %)", axis + 1, decimal(share, 0))
    };
    frame.draw_x(svg, &Ticks::between(frame.x.domain.0, frame.x.domain.1, 4), &name(x));
    frame.draw_y(svg, &Ticks::between(frame.y.domain.0, frame.y.domain.1, 4), &name(y));
    for (place, condition) in conditions.iter().enumerate() {
        let at = |axis: usize, point: &[f64]| point.get(axis).copied().unwrap_or(f64::NAN);
        let points: Vec<(f64, f64)> =
            condition.points.iter().map(|point| (at(x, point), at(y, point))).collect();
        let start = points.first().map(|(x, y)| (frame.x.at(*x), frame.y.at(*y)));
        let line = Line { label: String::new(), points, colour: place, dash: 0, marker: None, thin: false };
        lines::draw(svg, &frame, &line);
        if let Some(start) = start.filter(|(x, y)| x.is_finite() && y.is_finite()) {
            svg.path(&Marker::of(place).path(start), &format!("fill=\"{}\"", colour(place)));
        }
    }
}
