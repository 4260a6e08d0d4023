//! Bits/spike of every unit, task by task.

use super::{COLOURS_OF_REGIONS, WIDTH, largest_first, per_session, region_sizes};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document::figure;
use crate::median::median;
use crate::plot::ink::Ink;
use crate::plot::legend::{self, Entry, Sample};
use crate::plot::palette::{Marker, OTHER};
use crate::plot::region_styles::RegionStyles;
use crate::plot::scatter::{self, Class, Point};
use crate::plot::strip::{self, Strip};
use crate::text::{escape, task_name, told_apart};
use neuroglot_data::number::{counted, signed};
use neuroglot_tasks::results::{SessionEvaluation, TaskResult, UnitScores};
use std::collections::{HashMap, HashSet};

/// Regions drawn apart in one dot plot at most; the smallest ones share a place.
const MOST_STRIPS: usize = 40;

/// Regions named in one scatter plot at most; the smallest ones are drawn alike.
const MOST_NAMED: usize = 24;

/// One scatter plot per task and later run against the first run, or, with a single run, one dot plot per task.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    per_session(sessions, "units", "", |session| {
        let evaluated: Vec<usize> =
            (0..report.runs.len()).filter(|&run| session.by_run[run].is_some()).collect();
        match evaluated.as_slice() {
            [] => String::new(),
            [only] => strips(session, *only, &report.runs[*only].name, styles),
            [first, others @ ..] => {
                let scatters = |other: &usize| scatters(report, session, (*first, *other), styles);
                others.iter().map(scatters).collect()
            }
        }
    })
}

fn scatters(
    report: &Report,
    session: &ComparedSession,
    (first, other): (usize, usize),
    styles: &RegionStyles,
) -> String {
    let (Some(one), Some(two)) = (session.by_run[first], session.by_run[other]) else {
        return String::new();
    };
    let runs = [first, other].map(|run| report.runs[run].name.as_str());
    let names = told_apart(&runs, 30);
    let (regions, classes) = classes_of(one, styles);
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
            format!("{below} of {} better predicted by {}", counted(points.len(), "unit"), names[0]),
            format!("{above} better predicted by {}", names[1]),
            format!("median difference (y − x) {}", signed(median(&differences).unwrap_or(f64::NAN), 3)),
        ];
        let labels = (format!("{} (bits/spike)", names[0]), format!("{} (bits/spike)", names[1]));
        let (plot, edge) =
            scatter::figure(task_name(task), &note, (&labels.0, &labels.1), &points, &classes, 420.0);
        outside += edge;
        figures.push_str(&plot);
        drawn.extend(points);
    }
    if figures.is_empty() {
        return String::new();
    }
    let legend = legend::row_figure(&entries(one, &classes, &drawn), WIDTH);
    let content = format!(
        "{legend}<div class=\"pairs\">{figures}</div><figcaption>Bits/spike of each unit: {} against {}. Units above the \
         diagonal are better predicted by {}. {COLOURS_OF_REGIONS}{}</figcaption>",
        escape(runs[1]),
        escape(runs[0]),
        escape(runs[1]),
        outside_note(outside)
    );
    figure(&format!("{} against {}", runs[1], runs[0]), &content)
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
            let class = regions.get(unit.region.as_str()).copied().unwrap_or(regions.len());
            points.push(Point { x, y, ceiling: ceiling_of(scores), class });
        }
    }
    points
}

/// The lower of a unit's ceilings that is known.
fn ceiling_of(scores: &UnitScores) -> Option<f64> {
    let known = scores.state_ceiling_bps.or(scores.ceiling_bps);
    known.filter(|ceiling| ceiling.is_finite())
}

/// Which ceiling [`ceiling_of`] is.
fn ceiling_name(session: &SessionEvaluation) -> &'static str {
    let mut units = session.tasks.iter().flat_map(|task| &task.per_unit);
    if units.any(|unit| unit.state_ceiling_bps.is_some()) { "true state" } else { "true rate" }
}

/// The class of each region that is named, the largest first, and how classes are drawn; the last is all other regions.
fn classes_of<'a>(
    session: &'a SessionEvaluation,
    styles: &RegionStyles,
) -> (HashMap<&'a str, usize>, Vec<Class>) {
    let named = largest_first(region_sizes(session)).into_iter().take(MOST_NAMED).map(|(region, _)| region);
    let regions: HashMap<&str, usize> =
        named.clone().enumerate().map(|(class, region)| (region, class)).collect();
    let style = |region: &str| Class { marker: styles.marker(region), ink: styles.ink(region) };
    let other = Class { marker: Marker::Dot, ink: Ink::plain(OTHER) };
    (regions, named.map(style).chain([other]).collect())
}

fn entries(session: &SessionEvaluation, classes: &[Class], drawn: &[Point]) -> Vec<Entry> {
    let used: HashSet<usize> = drawn.iter().map(|point| point.class).collect();
    let sizes = largest_first(region_sizes(session));
    let others = sizes.len().saturating_sub(MOST_NAMED);
    let labels = sizes.iter().take(MOST_NAMED).map(|(region, _)| (*region).to_owned());
    let mut entries: Vec<Entry> = labels
        .chain([counted(others, "other region")])
        .zip(classes)
        .enumerate()
        .filter(|(class, _)| used.contains(class))
        .map(|(_, (label, class))| Entry {
            sample: Sample::Mark { marker: class.marker, ink: class.ink.clone() },
            label,
        })
        .collect();
    if drawn.iter().any(|point| point.ceiling.is_some()) {
        entries.push(Entry {
            sample: Sample::Ceiling,
            label: format!("ceiling of the unit ({})", ceiling_name(session)),
        });
    }
    entries
}

fn strips(session: &ComparedSession, run: usize, name: &str, styles: &RegionStyles) -> String {
    let Some(evaluation) = session.by_run[run] else {
        return String::new();
    };
    let regions = largest_first(region_sizes(evaluation));
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
                let ceiling = ceiling_of(scores);
                has_ceiling |= ceiling.is_some();
                strips[places.get(unit.region.as_str()).copied().unwrap_or(alone)]
                    .units
                    .push((score, ceiling));
            }
        }
        if strips.iter().any(|strip| !strip.units.is_empty()) {
            let (plot, edge) = strip::figure(task_name(&task.task), "bits/spike", &strips, styles, WIDTH);
            outside += edge;
            figures.push_str(&plot);
        }
    }
    if figures.is_empty() {
        return String::new();
    }
    let ceiling = if has_ceiling {
        format!(" Grey bars: the unit’s ceiling ({}).", ceiling_name(evaluation))
    } else {
        String::new()
    };
    let content = format!(
        "{figures}<figcaption>Bits/spike of each unit, {}: a dot per unit, by region (largest first) and in order \
         within it. Lines: mean of the region. {COLOURS_OF_REGIONS}{ceiling}{}</figcaption>",
        escape(name),
        outside_note(outside)
    );
    figure(name, &content)
}

fn outside_note(outside: usize) -> String {
    match outside {
        0 => String::new(),
        1 => " One score lies outside its axes and is drawn hollow at their edge.".to_string(),
        many => format!(" {many} scores lie outside their axes and are drawn hollow at the edge."),
    }
}
