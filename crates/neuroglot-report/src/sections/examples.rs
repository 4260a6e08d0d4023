//! Single units in detail: observed and predicted single trials, and PSTHs.

use super::{WIDTH, per_session, unit_name, usable_seconds};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document::figure;
use crate::plot::axis::Frame;
use crate::plot::heatmap::{self, BAR_SPACE};
use crate::plot::limits;
use crate::plot::lines::{self, Line};
use crate::plot::raster::MOST_ROWS;
use crate::plot::region_styles::RegionStyles;
use crate::plot::svg::{Anchor, Area, Svg};
use crate::plot::ticks::Ticks;
use crate::text::{escape, task_name, told_apart};
use neuroglot_data::number::decimal;
use neuroglot_data::text::distinct;
use neuroglot_tasks::results::{ConditionPsth, Example, SessionEvaluation};

/// Conditions drawn of one unit at most: those with the most trials.
const MOST_CONDITIONS: usize = 6;
/// Units shown of one task and run at most.
const MOST_UNITS: usize = 4;
/// Height of the maps (px).
const MAP_HEIGHT: f64 = 190.0;

/// The example units of all runs, session by session and task by task.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    per_session(sessions, "examples", READING, |session| {
        let examples = || session.by_run.iter().flatten().flat_map(|evaluation| &evaluation.examples);
        let tasks = distinct(examples().map(|example| example.task.as_str()));
        let mut out = String::new();
        for task in tasks {
            out.push_str(&format!("<h4>{}</h4>\n", escape(task_name(task))));
            for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
                let Some(evaluation) = evaluation else { continue };
                let examples = evaluation.examples.iter().filter(|example| example.task == task);
                for example in examples.take(MOST_UNITS) {
                    out.push_str(&picture(&run.name, evaluation, example, styles));
                }
            }
        }
        out
    })
}

/// How the pictures are read.
const READING: &str = "Units are numbered from 0 as in their session; the letters behind are what tells the unit’s uuid from those of others, and the whole uuid is shown \
    when they are pointed at. The maps of observed counts and predicted rates of a unit have one scale of colours, which \
    follows the square root; so have its PSTHs one axis. Bands are 95 % intervals of observed averages, over trials.";

/// Longest part of a uuid that is shown.
const UUID_LENGTH: usize = 12;

/// A unit: its observed and predicted trials, and its PSTHs.
pub(super) fn picture(
    run: &str,
    session: &SessionEvaluation,
    example: &Example,
    styles: &RegionStyles,
) -> String {
    let unit = session.units.get(example.unit);
    let who = unit_name(session, example.unit);
    let uuid = unit.map_or(String::new(), |_| short_uuid(session, example.unit));
    let score = decimal(example.bps, 3);
    let rank = if example.rank.is_empty() { String::new() } else { format!(", {} unit", example.rank) };
    let title = format!("{run}{rank}: {who} ({uuid}), {score} bits/spike");
    let label =
        format!("{title}; {}: observed and predicted single trials, and PSTHs", task_name(&example.task));

    let mut svg = Svg::new(WIDTH, MAP_HEIGHT + 62.0, &label);
    let bins = example.observed.iter().chain(&example.predicted).map(Vec::len).max().unwrap_or(0);
    let seconds = times(session, example, bins);
    let map_width = 170.0;
    let observed = Area { left: 50.0, top: 24.0, width: map_width, height: MAP_HEIGHT };
    let maps = [&example.observed[..], &example.predicted];
    let predicted = heatmap::draw_pair(&mut svg, observed, 22.0, maps, seconds, "test trial");
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
    let content = format!(
        "<figcaption><b>{}{}</b>: {}{}{}, {score} bits/spike.{notes}</figcaption>{}",
        escape(run),
        escape(&rank),
        unit.map_or(String::new(), |unit| styles.ink(&unit.region).swatch()),
        escape(&who),
        unit.map_or(String::new(), |unit| format!(
            " (<span title=\"{}\">{}</span>)",
            escape(&unit.uuid),
            escape(&uuid)
        )),
        svg.finish()
    );
    let index = unit.and_then(|unit| unit.index).unwrap_or(example.unit);
    figure(&format!("{} {} unit {index} {run}", example.task, example.rank), &content)
}

/// What tells the uuid of a unit from those of the session's other units: all of it where that is short, else what is left
/// without the ends that all have in common, or the end of it.
fn short_uuid(session: &SessionEvaluation, unit: usize) -> String {
    let uuids: Vec<&str> = session.units.iter().map(|unit| unit.uuid.as_str()).collect();
    told_apart(&uuids, UUID_LENGTH).swap_remove(unit)
}

/// Time of the first edge of the first bin and the last edge of the last one (s).
fn times(session: &SessionEvaluation, example: &Example, bins: usize) -> (f64, f64) {
    let size = usable_seconds(session.bin_seconds);
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

    svg.text((area.left, area.top - 8.0), Anchor::Start, "panel", "PSTH");
    let lefts = [area.left + 46.0, area.left + 140.0];
    lines::draw_legend(svg, ["observed", "predicted"], lefts, area.top - 21.0);

    let gap = 14.0;
    let width = (area.width - gap * (columns - 1) as f64) / columns as f64;
    let titles = headings(&conditions, width);
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
            svg.short_text(at, Anchor::Start, "condition", (text, &condition.label), 0.0);
        }
        // Plots in a column share the time axis of the lowest one.
        let is_lowest = index + columns >= conditions.len();
        let wanted = if columns == 1 { 5 } else { 3 };
        let ticks = if is_lowest { Ticks::between(seconds.0, seconds.1, wanted) } else { Ticks::none() };
        frame.draw_x(svg, &ticks, "");
        let ticks = if column == 0 { Ticks::between(0.0, top, 3) } else { Ticks::none() };
        frame.draw_y(svg, &ticks, "");
        let error = condition.observed_error.iter().map(|error| 1.96 * error / size);
        let around = |sign: f64| {
            let edge = points(&condition.observed).into_iter().zip(error.clone());
            edge.map(|((x, y), error)| (x, y + sign * error)).collect::<Vec<_>>()
        };
        lines::draw_band(svg, &frame, &around(-1.0), &around(1.0));
        lines::draw(svg, &frame, &Line::recorded(points(&condition.observed)));
        lines::draw(svg, &frame, &Line::predicted(points(&condition.predicted)));
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

/// Lines of a condition's name at most.
const TITLE_LINES: usize = 3;

/// The conditions' names and numbers of trials, in a few lines that fit `width` px. Names are as different as the conditions.
fn headings(conditions: &[&ConditionPsth], width: f64) -> Vec<Vec<String>> {
    let limit = (width / 5.2) as usize;
    let trials = |condition: &ConditionPsth| format!("(n = {})", condition.trials);
    let fit = |lines: &Vec<String>| {
        lines.len() <= TITLE_LINES && lines.iter().all(|line| line.chars().count() <= limit)
    };
    // Broken after commas if that is enough, else between any two words.
    for separator in [", ", " "] {
        let wrap = |condition: &&ConditionPsth| {
            wrapped(condition.label.split_inclusive(separator).chain([trials(condition).as_str()]), limit)
        };
        let whole: Vec<Vec<String>> = conditions.iter().map(wrap).collect();
        if whole.iter().all(fit) {
            return whole;
        }
    }
    let labels: Vec<&str> = conditions.iter().map(|condition| condition.label.as_str()).collect();
    let room = (TITLE_LINES - 1) * limit;
    let heading = |(condition, short): (&&ConditionPsth, String)| {
        let characters: Vec<char> = short.chars().collect();
        let lines = characters.chunks(limit.max(1)).map(|line| line.iter().collect());
        lines.chain([trials(condition)]).collect()
    };
    conditions.iter().zip(told_apart(&labels, room)).map(heading).collect()
}

/// `parts` in lines of at most `limit` characters where no part is longer.
fn wrapped<'a>(parts: impl Iterator<Item = &'a str>, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts.map(|part| part.trim_matches(' ')).filter(|part| !part.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + part.chars().count() <= limit => {
                line.push(' ');
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_tasks::results::UnitLabel;

    fn condition(label: &str) -> ConditionPsth {
        ConditionPsth {
            label: label.into(),
            trials: 12,
            observed: vec![],
            observed_error: vec![],
            predicted: vec![],
        }
    }

    fn headed(labels: &[&str], width: f64) -> Vec<Vec<String>> {
        let conditions: Vec<ConditionPsth> = labels.iter().map(|label| condition(label)).collect();
        headings(&conditions.iter().collect::<Vec<_>>(), width)
    }

    #[test]
    fn condition_names_break_after_commas_and_keep_their_number_of_trials() {
        assert_eq!(headed(&["all trials"], 200.0), [["all trials (n = 12)"]]);
        assert_eq!(headed(&["choice −1, block 0.2"], 96.0), [["choice −1,", "block 0.2 (n = 12)"]]);
        // Block, choice and reward, in six plots side by side in two rows.
        let all = headed(&["block 0.2, choice −1, reward 0", "block 0.2, choice −1, reward 1"], 92.0);
        assert_eq!(all[0], ["block 0.2,", "choice −1,", "reward 0 (n = 12)"]);
        assert_eq!(all[1][2], "reward 1 (n = 12)");
        let words = headed(&["a long name of one condition"], 84.0);
        assert_eq!(words, [["a long name of", "one condition", "(n = 12)"]]);
    }

    #[test]
    fn long_names_of_conditions_are_cut_where_they_are_the_same() {
        let long = |contrast: &str| {
            format!("stimulus shown on the left side with contrast {contrast} while the animal was running")
        };
        let labels = [long("0.125"), long("0.25"), long("1")];
        let drawn = headed(&labels.each_ref().map(String::as_str), 92.0);
        for (lines, contrast) in drawn.iter().zip(["0.125", "0.25", "1"]) {
            assert!(lines.len() <= 3 && lines.iter().all(|line| line.chars().count() <= 17), "{lines:?}");
            let name = lines[..lines.len() - 1].concat();
            assert!(name.contains(&format!("contrast {contrast}")), "{name}");
            assert_eq!(lines.last().map(String::as_str), Some("(n = 12)"));
        }
    }

    #[test]
    fn units_are_named_by_what_differs() {
        let session = |uuids: &[&str]| SessionEvaluation {
            eid: "e".into(),
            subject: "s".into(),
            trials: 1,
            bins: 1,
            bin_seconds: 0.02,
            fingerprint: String::new(),
            details: Vec::new(),
            populations: Vec::new(),
            beside_psth: None,
            units: uuids
                .iter()
                .map(|uuid| UnitLabel { uuid: (*uuid).into(), region: "CA1".into(), index: None })
                .collect(),
            tasks: vec![],
            decoding: vec![],
            skipped: vec![],
            examples: vec![],
            region_matrix: None,
            trajectories: None,
            coupling: None,
        };
        let short = |uuids: &[&str], unit| short_uuid(&session(uuids), unit);
        let units = ["hench_20_2023-07-01_probe00_unit_7", "hench_20_2023-07-01_probe00_unit_12"];
        assert!(short(&units, 0).ends_with('7') && short(&units, 1).ends_with("12"));
        assert_ne!(short(&units, 0), short(&units, 1));
        let probes = ["hench_20_2023-07-01_probe00_unit", "hench_20_2023-07-01_probe01_unit"];
        assert!(short(&probes, 1).contains("01"), "{}", short(&probes, 1));
        assert_eq!(short(&["a1", "a2"], 1), "a2");
    }
}
