//! Bits/spike of every unit, task by task.

use super::{WIDTH, per_session};
use crate::Report;
use crate::compare::ComparedSession;
use crate::number::{median, signed};
use crate::plot::ink::Ink;
use crate::plot::legend::{self, Entry, Sample};
use crate::plot::palette::{COLOURS, Marker, OTHER, colour};
use crate::plot::scatter::{self, Class, Point};
use crate::plot::strip::{self, Strip};
use crate::text::{counted, escape, shorten, task_name};
use neuroglot_eval::results::{SessionEvaluation, TaskResult};
use std::collections::{HashMap, HashSet};

/// Regions drawn apart in one dot plot at most; the smallest ones share a place.
const MOST_STRIPS: usize = 40;

/// One scatter plot per task and later run against the first run, or, with a single run, one dot plot per task.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    per_session(sessions, "units", |session| {
        let evaluated: Vec<usize> =
            (0..report.runs.len()).filter(|&run| session.by_run[run].is_some()).collect();
        match evaluated.as_slice() {
            [] => String::new(),
            [only] => strips(session, *only, &report.runs[*only].name),
            [first, others @ ..] => {
                others.iter().map(|other| scatters(report, session, *first, *other)).collect()
            }
        }
    })
}

fn scatters(report: &Report, session: &ComparedSession, first: usize, other: usize) -> String {
    let (Some(one), Some(two)) = (session.by_run[first], session.by_run[other]) else {
        return String::new();
    };
    let names = (shorten(&report.runs[first].name, 30), shorten(&report.runs[other].name, 30));
    let regions = classes_of(one);
    let mut classes = vec![Class { marker: Marker::Dot, ink: Ink::plain(OTHER) }; COLOURS.len() + 1];
    for (region, &index) in &regions {
        classes[index] = Class { marker: Marker::of(index), ink: Ink::of_region(region, colour(index)) };
    }
    let (mut figures, mut outside, mut drawn) = (String::new(), 0, Vec::new());
    for task in session.tasks() {
        let results = session.task(task);
        let (Some(on_x), Some(on_y)) = (results[first], results[other]) else {
            continue;
        };
        let points = matched(one, two, on_x, on_y, &regions);
        if points.is_empty() {
            continue;
        }
        let above = points.iter().filter(|point| point.y > point.x).count();
        let differences: Vec<f64> = points.iter().map(|point| point.y - point.x).collect();
        let below = points.iter().filter(|point| point.y < point.x).count();
        let note = [
            format!(
                "{below} of {} better predicted by {}",
                counted(points.len(), "unit"),
                shorten(&names.0, 40)
            ),
            format!("{above} better predicted by {}", shorten(&names.1, 40)),
            format!("median difference (y − x) {}", signed(median(&differences).unwrap_or(f64::NAN), 3)),
        ];
        let labels = (format!("{} (bits/spike)", names.0), format!("{} (bits/spike)", names.1));
        let (figure, edge) =
            scatter::figure(task_name(task), &note, (&labels.0, &labels.1), &points, &classes, 420.0);
        outside += edge;
        figures.push_str(&figure);
        drawn.extend(points);
    }
    if figures.is_empty() {
        return String::new();
    }
    let legend = legend::row_figure(&entries(one, &regions, &drawn), WIDTH);
    format!(
        "<figure>{legend}<div class=\"pairs\">{figures}</div><figcaption>Bits/spike of each unit: {} against {}. Units \
         above the diagonal are better predicted by {}. Colours of the regions: Allen atlas.{}</figcaption></figure>\n",
        escape(&names.1),
        escape(&names.0),
        escape(&names.1),
        outside_note(outside)
    )
}

/// Units scored by both runs, matched by uuid.
fn matched(
    one: &SessionEvaluation,
    two: &SessionEvaluation,
    on_x: &TaskResult,
    on_y: &TaskResult,
    regions: &HashMap<&str, usize>,
) -> Vec<Point> {
    let of_two: HashMap<&str, usize> =
        two.units.iter().enumerate().map(|(index, unit)| (unit.uuid.as_str(), index)).collect();
    let mut points = Vec::new();
    for (unit, scores) in one.units.iter().zip(&on_x.per_unit) {
        let other = of_two.get(unit.uuid.as_str()).and_then(|&index| on_y.per_unit.get(index));
        let finite = |score: Option<f64>| score.filter(|score| score.is_finite());
        if let (Some(x), Some(y)) = (finite(scores.bps), finite(other.and_then(|other| other.bps))) {
            let class = regions.get(unit.region.as_str()).copied().unwrap_or(COLOURS.len());
            points.push(Point { x, y, ceiling: finite(scores.ceiling_bps), class });
        }
    }
    points
}

/// Regions and their numbers of units, the largest first, equally large ones by name.
fn sizes(session: &SessionEvaluation) -> Vec<(&str, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for unit in &session.units {
        *counts.entry(unit.region.as_str()).or_default() += 1;
    }
    let mut sizes: Vec<(&str, usize)> = counts.into_iter().collect();
    sizes.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    sizes
}

/// The largest regions get a shape and a colour each; related ones share the atlas's colour.
fn classes_of(session: &SessionEvaluation) -> HashMap<&str, usize> {
    sizes(session)
        .into_iter()
        .take(COLOURS.len())
        .enumerate()
        .map(|(index, (region, _))| (region, index))
        .collect()
}

fn entries(session: &SessionEvaluation, regions: &HashMap<&str, usize>, drawn: &[Point]) -> Vec<Entry> {
    let used: HashSet<usize> = drawn.iter().map(|point| point.class).collect();
    let mut named: Vec<(usize, &str)> = regions.iter().map(|(region, class)| (*class, *region)).collect();
    named.sort_unstable();
    let mut entries: Vec<Entry> = named
        .into_iter()
        .filter(|(class, _)| used.contains(class))
        .map(|(class, region)| Entry {
            sample: Sample::Mark { marker: Marker::of(class), ink: Ink::of_region(region, colour(class)) },
            label: region.to_string(),
        })
        .collect();
    if used.contains(&COLOURS.len()) {
        let others = sizes(session).len().saturating_sub(COLOURS.len());
        let sample = Sample::Mark { marker: Marker::Dot, ink: Ink::plain(OTHER) };
        entries.push(Entry { sample, label: counted(others, "other region") });
    }
    if drawn.iter().any(|point| point.ceiling.is_some()) {
        entries.push(Entry { sample: Sample::Ceiling, label: "ceiling of the unit (true rate)".to_string() });
    }
    entries
}

fn strips(session: &ComparedSession, run: usize, name: &str) -> String {
    let Some(evaluation) = session.by_run[run] else {
        return String::new();
    };
    let regions = sizes(evaluation);
    let alone = if regions.len() > MOST_STRIPS { MOST_STRIPS - 1 } else { regions.len() };
    let places: HashMap<&str, usize> =
        regions.iter().take(alone).enumerate().map(|(index, (region, _))| (*region, index)).collect();
    let (mut figures, mut outside, mut has_ceiling) = (String::new(), 0, false);
    for task in &evaluation.tasks {
        let mut strips: Vec<Strip> = regions
            .iter()
            .take(alone)
            .map(|(region, _)| Strip { region: region.to_string(), units: Vec::new() })
            .collect();
        if alone < regions.len() {
            strips.push(Strip { region: "other".to_string(), units: Vec::new() });
        }
        for (unit, scores) in evaluation.units.iter().zip(&task.per_unit) {
            if let Some(score) = scores.bps.filter(|score| score.is_finite()) {
                let ceiling = scores.ceiling_bps.filter(|ceiling| ceiling.is_finite());
                has_ceiling |= ceiling.is_some();
                strips[places.get(unit.region.as_str()).copied().unwrap_or(alone)]
                    .units
                    .push((score, ceiling));
            }
        }
        if strips.iter().any(|strip| !strip.units.is_empty()) {
            let (figure, edge) =
                strip::figure(task_name(&task.task), "bits/spike", &strips, colour(0), WIDTH);
            outside += edge;
            figures.push_str(&figure);
        }
    }
    if figures.is_empty() {
        return String::new();
    }
    let ceiling = if has_ceiling { " Grey bars: the unit’s ceiling (true rate)." } else { "" };
    format!(
        "<figure>{figures}<figcaption>Bits/spike of each unit, {}: a dot per unit, by region (largest first) and \
         in order within it. Lines: mean of the region. Colours: Allen atlas.{ceiling}{}</figcaption></figure>\n",
        escape(name),
        outside_note(outside)
    )
}

fn outside_note(outside: usize) -> String {
    match outside {
        0 => String::new(),
        1 => " One score lies outside its axes and is drawn hollow at their edge.".to_string(),
        many => format!(" {many} scores lie outside their axes and are drawn hollow at the edge."),
    }
}
