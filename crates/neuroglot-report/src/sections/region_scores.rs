//! Bits/spike of each region's units, task by task.

use super::score_rows::{Measured, with_interval};
use super::scores::cell;
use super::{COLOURS_OF_REGIONS, WIDTH, largest_first, per_session, region_sizes};
use crate::Report;
use crate::compare::ComparedSession;
use crate::document::figure;
use crate::plot::ink::Ink;
use crate::plot::intervals::{self, Band, Mean};
use crate::plot::legend;
use crate::plot::palette::{Marker, colour};
use crate::plot::region_styles::RegionStyles;
use crate::table::{Group, Row, Table};
use crate::text::{listed, task_name};
use neuroglot_data::number::counted;
use neuroglot_eval::comparison::{SharedScores, UNIT_SCORES};
use std::collections::BTreeMap;
use std::slice;

/// Regions drawn in one plot at most: those with the most units. The table has all of them.
const MOST_REGIONS: usize = 30;

/// A plot per task and a table of all regions, session by session.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    per_session(sessions, "region-scores", READING, |session| {
        let tasks = session.tasks();
        let regions = regions_of(session, &tasks);
        if regions.len() < 2 || tasks.is_empty() {
            return String::new();
        }
        plots(report, &tasks, &regions, styles) + &table(report, &tasks, &regions)
    })
}

/// How plots and table are read.
const READING: &str = "Bits/spike, mean over the units of a region; where several runs are shown, over the units that all of \
    them scored. Bars and brackets: 95 % bootstrap interval over these units. Two or three units say little of their region, \
    and their interval is too narrow.";

/// A region and its scores, `[task][run]`.
struct Region<'a> {
    name: &'a str,
    /// Units of the run that has the most of them there.
    units: usize,
    scores: Vec<Vec<Option<Measured>>>,
}

/// The regions of a session, those with the most units first, equally large ones by name.
fn regions_of<'a>(session: &ComparedSession<'a>, tasks: &[&str]) -> Vec<Region<'a>> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for evaluation in session.by_run.iter().flatten() {
        for (region, units) in region_sizes(evaluation) {
            let most = sizes.entry(region).or_default();
            *most = units.max(*most);
        }
    }
    let region = |(name, units)| Region {
        name,
        units,
        scores: tasks.iter().map(|task| scores(session, task, name)).collect(),
    };
    largest_first(sizes).into_iter().map(region).collect()
}

/// The score of each run in a task over the units of a region, with its interval where there are two or more of them.
fn scores(session: &ComparedSession, task: &str, region: &str) -> Vec<Option<Measured>> {
    let (_, bits_per_spike) = UNIT_SCORES[0];
    let shared = SharedScores::of_region(slice::from_ref(&session.by_run), task, bits_per_spike, region);
    let score = |run: usize| {
        let shared = shared.as_ref()?;
        let found = shared.interval(run).and_then(with_interval)?;
        let units = if shared.units() > 0 { shared.units() } else { shared.own_units(run)? };
        Some(Measured { interval: found.interval.filter(|_| units > 1), ..found })
    };
    (0..session.by_run.len()).map(score).collect()
}

/// The runs that have a score of any region.
fn scored_runs(regions: &[Region], runs: usize) -> Vec<usize> {
    let scores = || regions.iter().flat_map(|region| &region.scores);
    (0..runs).filter(|run| scores().any(|score| score[*run].is_some())).collect()
}

fn plots(report: &Report, tasks: &[&str], regions: &[Region], styles: &RegionStyles) -> String {
    let drawn = &regions[..regions.len().min(MOST_REGIONS)];
    let scored = scored_runs(regions, report.runs.len());
    let (mut figures, mut outside) = (String::new(), 0);
    for (place, task) in tasks.iter().enumerate() {
        let band = |region: &Region| {
            let mean = |run: &usize| {
                let Measured { mean, interval } = region.scores[place][*run]?;
                // One run has the markers and colours of regions, several have their own.
                let (marker, ink) = match scored.as_slice() {
                    [_] => (styles.marker(region.name), styles.ink(region.name)),
                    _ => (Marker::of(*run), Ink::plain(colour(*run))),
                };
                Some(Mean { value: mean, inner: interval, outer: None, marker, ink })
            };
            Band {
                label: region.name.to_owned(),
                swatch: Some(styles.ink(region.name).fill),
                means: scored.iter().filter_map(mean).collect(),
            }
        };
        let bands: Vec<Band> = drawn.iter().map(band).collect();
        if bands.iter().all(|band| band.means.is_empty()) {
            continue;
        }
        let ends = intervals::ends(&bands, 0.02, 0.25);
        let (plot, beyond) = intervals::figure(task_name(task), "bits/spike", &bands, ends, WIDTH);
        outside += beyond;
        figures.push_str(&plot);
    }
    if figures.is_empty() {
        return figures;
    }
    let legend = if scored.len() > 1 {
        let entry = |run: &usize| legend::of_mark(*run, &report.runs[*run].name);
        legend::row_figure(&scored.iter().map(entry).collect::<Vec<_>>(), WIDTH)
    } else {
        String::new()
    };
    let mut notes = vec![COLOURS_OF_REGIONS.to_owned()];
    if drawn.len() < regions.len() {
        notes.push(format!(
            "The {} with the most units of {} are drawn.",
            counted(drawn.len(), "region"),
            regions.len()
        ));
    }
    if outside > 0 {
        notes.push(match outside {
            1 => "One mean lies outside its axis and is drawn hollow at the edge.".to_owned(),
            many => format!("{many} means lie outside their axes and are drawn hollow at the edge."),
        });
    }
    figure("", &format!("{legend}{figures}<figcaption>{}</figcaption>", notes.join(" ")))
}

/// A row per region and a column per task; runs one below the other.
fn table(report: &Report, tasks: &[&str], regions: &[Region]) -> String {
    let scored = scored_runs(regions, report.runs.len());
    let group = |run: &usize| Group {
        head: if scored.len() > 1 { report.runs[*run].name.clone() } else { String::new() },
        rows: regions
            .iter()
            .map(|region| Row {
                head: format!("{}, {}", region.name, counted(region.units, "unit")),
                cells: region.scores.iter().map(|score| cell(score[*run], "n/a")).collect(),
            })
            .collect(),
    };
    let names: Vec<String> = scored.iter().map(|run| report.runs[*run].name.clone()).collect();
    let table = Table {
        caption: format!("{}: bits/spike by region, mean over units and its 95 % interval", listed(&names)),
        heads: if scored.len() > 1 { &["run", "region"] } else { &["region"] },
        columns: tasks.iter().map(|task| task_name(task).to_owned()).collect(),
        groups: scored.iter().map(group).collect(),
        words: false,
    };
    table.to_html()
}
