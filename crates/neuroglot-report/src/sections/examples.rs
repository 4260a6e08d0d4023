//! Single units in detail: observed and predicted single trials, and PSTHs.

use super::{WIDTH, per_session};
use crate::Report;
use crate::compare::{ComparedSession, unique};
use crate::number::decimal;
use crate::plot::axis::Frame;
use crate::plot::heatmap::{self, BAR_SPACE, Heatmap};
use crate::plot::ink::Ink;
use crate::plot::legend::{self, Entry, Sample};
use crate::plot::limits;
use crate::plot::lines::{self, Line};
use crate::plot::palette::OTHER;
use crate::plot::raster::MOST_ROWS;
use crate::plot::svg::{Anchor, Area, Svg};
use crate::plot::ticks::Ticks;
use crate::text::{escape, shorten, task_name};
use neuroglot_eval::results::{ConditionPsth, Example, SessionEvaluation};

/// Conditions drawn of one unit at most: those with the most trials.
const MOST_CONDITIONS: usize = 6;
/// Units shown of one task and run at most.
const MOST_UNITS: usize = 4;
/// Height of the maps (px).
const MAP_HEIGHT: f64 = 190.0;

/// The example units of all runs, session by session and task by task.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    per_session(sessions, "examples", |session| {
        let examples = || session.by_run.iter().flatten().flat_map(|evaluation| &evaluation.examples);
        let tasks = unique(examples().map(|example| example.task.as_str()));
        let mut out = String::new();
        for task in tasks {
            out.push_str(&format!("<h4>{}</h4>\n", escape(task_name(task))));
            for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
                let Some(evaluation) = evaluation else { continue };
                let examples = evaluation.examples.iter().filter(|example| example.task == task);
                for example in examples.take(MOST_UNITS) {
                    out.push_str(&figure(&run.name, evaluation, example));
                }
            }
        }
        out
    })
}

fn figure(run: &str, session: &SessionEvaluation, example: &Example) -> String {
    let unit = session.units.get(example.unit);
    let who = unit.map_or("unknown unit".to_string(), |unit| {
        format!("unit {} in {}", shorten(&unit.uuid, 9), shorten(&unit.region, 20))
    });
    let score = decimal(example.bps, 3);
    let title = format!("{run}, {} unit: {who}, {score} bits/spike", example.rank);
    let label =
        format!("{title}; {}: observed and predicted single trials, and PSTHs", task_name(&example.task));

    let mut svg = Svg::new(WIDTH, MAP_HEIGHT + 62.0, &label);
    let bins = example.observed.iter().chain(&example.predicted).map(Vec::len).max().unwrap_or(0);
    let seconds = times(session, example, bins);
    let map_width = 160.0;
    let observed = Area { left: 50.0, top: 24.0, width: map_width, height: MAP_HEIGHT };
    let predicted = Area { left: observed.right() + BAR_SPACE + 12.0, ..observed };
    let map = Heatmap {
        title: "observed",
        rows: &example.observed,
        seconds,
        whole: true,
        y_label: "test trial",
        bar_label: "spikes/bin",
    };
    heatmap::draw(&mut svg, observed, &map);
    let map = Heatmap {
        title: "predicted",
        rows: &example.predicted,
        seconds,
        whole: false,
        y_label: "",
        bar_label: "spikes/bin",
    };
    heatmap::draw(&mut svg, predicted, &map);
    let left = predicted.right() + BAR_SPACE + 62.0;
    let psths = Area { left, width: WIDTH - 4.0 - left, ..observed };
    let left_out = draw_psths(&mut svg, psths, session, example);

    let mut notes = String::new();
    if example.observed.len() > MOST_ROWS {
        notes.push_str(&format!(" The first {MOST_ROWS} of {} trials are drawn.", example.observed.len()));
    }
    if left_out > 0 {
        notes.push_str(&format!(
            " PSTHs of the {MOST_CONDITIONS} conditions with the most trials; {left_out} more are left out."
        ));
    }
    format!(
        "<figure><figcaption><b>{}, {} unit</b>: {}{}, {score} bits/spike.{notes}</figcaption>{}</figure>\n",
        escape(run),
        escape(&example.rank),
        unit.map_or(String::new(), |unit| Ink::of_region(&unit.region, OTHER).swatch()),
        escape(&who),
        svg.finish()
    )
}

/// Time of the first edge of the first bin and the last edge of the last one (s).
fn times(session: &SessionEvaluation, example: &Example, bins: usize) -> (f64, f64) {
    let size =
        if session.bin_seconds.is_finite() && session.bin_seconds > 0.0 { session.bin_seconds } else { 1.0 };
    let first = example.first_bin as f64;
    (first * size, (first + bins.max(1) as f64) * size)
}

/// Draws the conditions as small plots on one common vertical axis; returns how many were left out.
fn draw_psths(svg: &mut Svg, area: Area, session: &SessionEvaluation, example: &Example) -> usize {
    let mut conditions: Vec<&ConditionPsth> = example.psth.iter().collect();
    if conditions.len() > MOST_CONDITIONS {
        let mut trials: Vec<usize> = conditions.iter().map(|condition| condition.trials).collect();
        trials.sort_unstable_by(|one, other| other.cmp(one));
        let least = trials[MOST_CONDITIONS - 1];
        conditions.retain(|condition| condition.trials >= least);
        conditions.truncate(MOST_CONDITIONS);
    }
    let columns = match conditions.len() {
        0 => return 0,
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let rows = conditions.len().div_ceil(columns);

    let bin = times(session, example, 1);
    let size = bin.1 - bin.0;
    let bins =
        conditions.iter().map(|condition| condition.observed.len().max(condition.predicted.len())).max();
    let seconds = times(session, example, bins.unwrap_or(1));
    // Spikes per bin to spikes per second.
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        values
            .iter()
            .enumerate()
            .map(|(index, value)| (bin.0 + (index as f64 + 0.5) * size, value / size))
            .collect()
    };
    let all = conditions.iter().flat_map(|condition| condition.observed.iter().chain(&condition.predicted));
    let (_, top) = limits::full(all.map(|value| value / size).chain([0.0]));

    let entry = |label: &str, colour, dash| Entry {
        sample: Sample::Line { colour, dash, marker: None },
        label: label.into(),
    };
    svg.text((area.left, area.top - 8.0), Anchor::Start, "panel", "PSTH");
    legend::draw_column(svg, &[entry("observed", OBSERVED, 0)], area.left + 46.0, area.top - 21.0);
    legend::draw_column(svg, &[entry("predicted", PREDICTED, 1)], area.left + 140.0, area.top - 21.0);

    let gap = 14.0;
    let width = (area.width - gap * (columns - 1) as f64) / columns as f64;
    let titles: Vec<Vec<String>> = conditions.iter().map(|condition| heading(condition, width)).collect();
    let title_height = 8.0 + TITLE_LINE * titles.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let height = (area.height - title_height * rows as f64) / rows as f64;
    for (index, (condition, title)) in conditions.iter().zip(&titles).enumerate() {
        let (row, column) = (index / columns, index % columns);
        let panel = Area {
            left: area.left + (width + gap) * column as f64,
            top: area.top + title_height + (height + title_height) * row as f64,
            width,
            height,
        };
        let frame = Frame::new(panel, seconds, (0.0, top));
        for (line, text) in title.iter().rev().enumerate() {
            let at = (panel.left + 3.0, panel.top - 3.0 - TITLE_LINE * line as f64);
            svg.text(at, Anchor::Start, "condition", text);
        }
        // Plots in a column share the time axis of the lowest one.
        let is_lowest = index + columns >= conditions.len();
        let wanted = if columns == 1 { 5 } else { 3 };
        let ticks = if is_lowest { Ticks::between(seconds.0, seconds.1, wanted) } else { Ticks::none() };
        frame.draw_x(svg, &ticks, "");
        let ticks = if column == 0 { Ticks::between(0.0, top, 3) } else { Ticks::none() };
        frame.draw_y(svg, &ticks, "");
        let line = |values: &[f64], colour, dash, thin| Line {
            label: String::new(),
            points: points(values),
            colour,
            dash,
            marker: None,
            thin,
        };
        lines::draw(svg, &frame, &line(&condition.observed, OBSERVED, 0, true));
        lines::draw(svg, &frame, &line(&condition.predicted, PREDICTED, 1, false));
    }
    let middle = (area.left + area.width / 2.0, area.bottom() + 32.0);
    svg.text(middle, Anchor::Middle, "label", "time in trial (s)");
    svg.turned_text(
        (area.left - 34.0, area.top + area.height / 2.0),
        Anchor::Middle,
        "label",
        "spikes/s",
        -90.0,
    );
    example.psth.len() - conditions.len()
}

/// Height of one line of a condition's name (px).
const TITLE_LINE: f64 = 12.0;

/// The condition's name and number of trials, in at most two lines that fit `width` px.
fn heading(condition: &ConditionPsth, width: f64) -> Vec<String> {
    let limit = (width / 5.2) as usize;
    let trials = format!("(n = {})", condition.trials);
    // Broken after commas if that is enough, else between any two words.
    let fits = condition.label.split(", ").all(|part| part.chars().count() < limit);
    let mut lines = wrapped(condition.label.split_inclusive(", ").chain([trials.as_str()]), limit);
    if lines.len() > 2 || !fits {
        lines = wrapped(condition.label.split(' ').chain([trials.as_str()]), limit);
    }
    if lines.len() > 2 {
        let room = limit.saturating_sub(trials.chars().count() + 1);
        let rest = lines[1..].join(" ");
        lines.truncate(1);
        lines.push(format!("{} {trials}", shorten(rest.trim_end_matches(&trials).trim_end(), room)));
    }
    lines
}

/// `parts` in lines of at most `limit` characters; a longer part is shortened.
fn wrapped<'a>(parts: impl Iterator<Item = &'a str>, limit: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for part in parts.map(|part| part.trim_matches(' ')).filter(|part| !part.is_empty()) {
        if line.is_empty() {
            line = shorten(part, limit);
        } else if line.chars().count() + 1 + part.chars().count() <= limit {
            line = format!("{line} {part}");
        } else {
            lines.push(std::mem::replace(&mut line, shorten(part, limit)));
        }
    }
    lines.push(line);
    lines
}

/// Colour of observed averages: black.
const OBSERVED: usize = 6;
/// Colour of predicted averages: vermillion.
const PREDICTED: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn headed(label: &str, width: f64) -> Vec<String> {
        let condition =
            ConditionPsth { label: label.into(), trials: 12, observed: vec![], predicted: vec![] };
        heading(&condition, width).iter().map(|line| line.replace('\u{a0}', " ")).collect()
    }

    #[test]
    fn condition_names_break_after_commas_and_keep_their_number_of_trials() {
        assert_eq!(headed("all trials", 200.0), ["all trials (n = 12)"]);
        assert_eq!(headed("choice −1, block 0.2", 96.0), ["choice −1,", "block 0.2 (n = 12)"]);
        assert_eq!(
            headed("a very long name of one condition", 84.0),
            ["a very long name", "of one… (n = 12)"]
        );
    }
}
