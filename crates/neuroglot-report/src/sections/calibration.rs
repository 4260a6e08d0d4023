//! Whether predicted rates are what comes.

use super::{WIDTH, per_session, usable_seconds};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document;
use crate::plot::axis::Frame;
use crate::plot::ink::Ink;
use crate::plot::legend::{self, Entry};
use crate::plot::limits;
use crate::plot::palette::{Marker, colour};
use crate::plot::svg::{Anchor, Area, Marks, Svg};
use crate::plot::ticks::Ticks;
use crate::text::task_name;
use neuroglot_tasks::results::CalibrationPoint;

/// Width of the plot of a task (px).
const PLOT: f64 = 214.0;

/// A plot per task with all runs; empty where no evaluation has kept it.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    per_session(sessions, "calibration", READING, |session| {
        let mut figures = String::new();
        for task in session.tasks() {
            let seconds = session.first().map_or(1.0, |first| first.bin_seconds);
            let results = session.task(task);
            let of_runs: Vec<&[CalibrationPoint]> =
                results.iter().map(|result| result.map_or(&[][..], |result| &result.calibration)).collect();
            if of_runs.iter().any(|points| !points.is_empty()) {
                figures.push_str(&figure(task_name(task), &of_runs, seconds));
            }
        }
        if figures.is_empty() {
            return figures;
        }
        let runs = report.runs.iter().enumerate();
        let entries: Vec<Entry> = runs.map(|(run, section)| legend::of_mark(run, &section.name)).collect();
        let legend = if entries.len() > 1 { legend::row_figure(&entries, WIDTH) } else { String::new() };
        document::figure("", &format!("{legend}<div class=\"row\">{figures}</div>"))
    })
}

/// How the plots are read.
const READING: &str = "Scored entries in groups from the lowest predicted rate to the highest; in each group equally many spikes \
    are expected. On the diagonal, as many came as were expected; above it, more.";

/// The plot of a task: a marker per group of entries, in spikes/s.
fn figure(title: &str, of_runs: &[&[CalibrationPoint]], seconds: f64) -> String {
    let seconds = usable_seconds(seconds);
    let side = PLOT - 62.0;
    let area = Area { left: 52.0, top: 24.0, width: side, height: side };
    let values = of_runs.iter().copied().flatten().flat_map(|point| [point.predicted, point.observed]);
    let ends = (0.0, limits::full(values.map(|rate| rate / seconds).chain([0.0])).1);
    let frame = Frame::new(area, ends, ends);
    let ticks = Ticks::between(ends.0, ends.1, 4);
    let mut svg = Svg::new(PLOT, area.bottom() + 42.0, &format!("{title}: predicted against observed rates"));
    svg.text((area.left, 14.0), Anchor::Start, "panel", title);
    svg.line((area.left, area.bottom()), (area.right(), area.top), "diagonal");
    frame.draw_x(&mut svg, &ticks, "predicted (spikes/s)");
    frame.draw_y(&mut svg, &ticks, "observed (spikes/s)");
    for (run, points) in of_runs.iter().enumerate() {
        let mut marks = Marks::default();
        for point in *points {
            let (x, y) = (point.predicted / seconds, point.observed / seconds);
            if x.is_finite() && y.is_finite() {
                marks.add(&Marker::of(run).path((frame.x.clamped(x), frame.y.clamped(y))), true);
            }
        }
        marks.draw(&mut svg, &Ink::plain(colour(run)));
    }
    svg.finish()
}
