//! What was decoded of test trials: traces beside the true ones, and which categories were taken for which.

use super::{WIDTH, per_session, usable_seconds};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document::figure;
use crate::plot::axis::Frame;
use crate::plot::limits;
use crate::plot::lines::{self, Line};
use crate::plot::svg::{Anchor, Area, Svg};
use crate::plot::ticks::Ticks;
use crate::table::{Cell, Group, Row, Table};
use neuroglot_data::number::decimal;
use neuroglot_tasks::results::{ClassResult, DecodedTrace, DecodingResult};

/// Traces drawn of one behaviour at most.
const MOST_TRACES: usize = 6;

/// Categories in a table at most.
const MOST_CATEGORIES: usize = 12;

/// Height of a trace (px).
const HEIGHT: f64 = 110.0;

/// The behaviours of all runs, session by session; empty if no evaluation kept what was decoded.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    per_session(sessions, "decoding", "", |session| {
        let mut out = String::new();
        for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
            let Some(evaluation) = evaluation else { continue };
            for result in &evaluation.decoding {
                out.push_str(&confusions(&run.name, result));
                if !result.traces.is_empty() {
                    out.push_str(&traces(&run.name, result, evaluation.bin_seconds));
                }
            }
        }
        out
    })
}

/// A row per true category and a column per decoded one, with numbers of test trials; empty where they were not kept.
fn confusions(run: &str, result: &DecodingResult) -> String {
    let classes = &result.classes;
    let is_whole = classes.iter().all(|class| class.decided.len() == classes.len());
    if classes.is_empty() || !is_whole || classes.len() > MOST_CATEGORIES {
        return String::new();
    }
    let row = |(place, class): (usize, &ClassResult)| Row {
        head: class.label.clone(),
        cells: (class.decided.iter().enumerate())
            .map(|(decided, trials)| Cell { bold: decided == place, ..Cell::plain(trials.to_string()) })
            .collect(),
    };
    let table = Table {
        caption: format!("{run}: {}, test trials by category", result.behaviour),
        heads: &["true"],
        columns: classes.iter().map(|class| format!("decoded {}", class.label)).collect(),
        groups: vec![Group::of(classes.iter().enumerate().map(row).collect())],
        words: false,
    };
    table.to_html()
}

/// A few test trials side by side, on one vertical axis.
fn traces(run: &str, result: &DecodingResult, bin_seconds: f64) -> String {
    let kept = &result.traces[..result.traces.len().min(MOST_TRACES)];
    let title = format!("{run}: {}, R² {}", result.behaviour, decimal(result.score, 3));
    let (left, top, gap) = (56.0, 44.0, 12.0);
    let mut svg =
        Svg::new(WIDTH, top + HEIGHT + 40.0, &format!("{title}: true and decoded traces of test trials"));
    svg.text((0.0, 14.0), Anchor::Start, "panel", &title);
    lines::draw_legend(&mut svg, ["true", "decoded"], [WIDTH - 190.0, WIDTH - 110.0], 2.0);

    let size = usable_seconds(bin_seconds);
    let both = |trace: &DecodedTrace| trace.value.len().max(trace.decoded.len());
    let seconds = (0.0, size * kept.iter().map(both).max().unwrap_or(0).max(1) as f64);
    let values = kept.iter().flat_map(|trace| trace.value.iter().chain(&trace.decoded));
    let ends = limits::full(values.map(|value| f64::from(*value)));
    let width = (WIDTH - left - 4.0 - gap * (kept.len() - 1) as f64) / kept.len() as f64;
    for (place, trace) in kept.iter().enumerate() {
        let area = Area { left: left + (width + gap) * place as f64, top, width, height: HEIGHT };
        let frame = Frame::new(area, seconds, ends);
        svg.text((area.left, top - 6.0), Anchor::Start, "tick", &format!("trial {}", trace.trial));
        frame.draw_zero(&mut svg);
        frame.draw_x(&mut svg, &Ticks::between(seconds.0, seconds.1, 3), "");
        let ticks = if place == 0 { Ticks::between(ends.0, ends.1, 4) } else { Ticks::none() };
        frame.draw_y(&mut svg, &ticks, "");
        let points = |values: &[f32]| -> Vec<(f64, f64)> {
            let bins = values.iter().enumerate();
            bins.map(|(bin, value)| ((bin as f64 + 0.5) * size, f64::from(*value))).collect()
        };
        lines::draw(&mut svg, &frame, &Line::recorded(points(&trace.value)));
        lines::draw(&mut svg, &frame, &Line::predicted(points(&trace.decoded)));
    }
    svg.text((WIDTH / 2.0, top + HEIGHT + 32.0), Anchor::Middle, "label", "time in trial (s)");
    figure(&format!("{} {run}", result.behaviour), &svg.finish())
}
