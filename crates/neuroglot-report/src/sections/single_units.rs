//! One unit after the other, each behind a line that opens with a click.

use super::examples::picture;
use super::{MOST_PICTURED_SESSIONS, per_session, unit_name};
use crate::compare::ComparedSession;
use crate::plot::region_styles::RegionStyles;
use crate::table::{Cell, Group, Row, Table};
use crate::text::{escape, task_name};
use crate::{Report, RunSection};
use neuroglot_data::number::{counted, decimal};
use neuroglot_tasks::results::{Example, SessionEvaluation};

/// Units of a page that have pictures at most: sessions share them.
const MOST_UNITS: usize = 50;

/// The units that the first run shows in detail, and a table of all units of each run, session by session.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    let pictured = sessions.iter().take(MOST_PICTURED_SESSIONS);
    let with_pictures = pictured.filter(|session| detailed(report, session).is_some()).count();
    let most = MOST_UNITS / with_pictures.max(1);
    let reading = if with_pictures > 0 { format!("{CLICK} {PICTURES}") } else { CLICK.to_owned() };
    per_session(sessions, "single-units", &reading, |session| {
        let mut out = String::new();
        if let Some((run, evaluation)) = detailed(report, session) {
            let shown = evaluation.details.iter().take(most);
            out.extend(shown.map(|detail| folded_unit(report, session, (run, evaluation), detail, styles)));
        }
        for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
            out.extend(evaluation.map(|evaluation| folded_table(&run.name, evaluation)));
        }
        out
    })
}

/// How lines are opened.
const CLICK: &str = "A click on a line opens it; what is open is printed.";

/// What the pictures are of.
const PICTURES: &str = "Pictures are of the units of which the first run’s predictions in co-smoothing tell the most bits over all \
    test trials (bits/spike × spikes), the most telling unit first: a few test trials beside the predicted rates, and PSTHs of all \
    of them. The tables have every unit.";

/// The first run that shows units of a session in detail.
fn detailed<'a>(
    report: &'a Report,
    session: &ComparedSession<'a>,
) -> Option<(&'a RunSection, &'a SessionEvaluation)> {
    let mut runs = report.runs.iter().zip(&session.by_run);
    runs.find_map(|(run, evaluation)| {
        Some((run, (*evaluation)?)).filter(|(_, found)| !found.details.is_empty())
    })
}

/// A line that opens what is behind it.
fn folded(line: &str, content: &str) -> String {
    format!("<details><summary>{line}</summary>\n{content}</details>\n")
}

fn folded_unit(
    report: &Report,
    session: &ComparedSession,
    (run, evaluation): (&RunSection, &SessionEvaluation),
    detail: &Example,
    styles: &RegionStyles,
) -> String {
    let unit = evaluation.units.get(detail.unit);
    let swatch = unit.map_or(String::new(), |unit| styles.ink(&unit.region).swatch());
    let who = unit_name(evaluation, detail.unit);
    let line = format!(
        "{swatch}{}: {} bits/spike in {}",
        escape(&who),
        decimal(detail.bps, 3),
        escape(task_name(&detail.task))
    );
    let table = unit.map_or(String::new(), |unit| scores_of_unit(report, session, &unit.uuid, &who));
    folded(&line, &(table + &picture(&run.name, evaluation, detail, styles)))
}

/// Bits/spike of one unit: a row per run and a column per task.
fn scores_of_unit(report: &Report, session: &ComparedSession, uuid: &str, who: &str) -> String {
    let tasks = session.tasks();
    let row = |(run, evaluation): (&RunSection, &Option<&SessionEvaluation>)| {
        let evaluation = (*evaluation)?;
        let place = evaluation.units.iter().position(|unit| unit.uuid == uuid)?;
        let score = |task: &&str| {
            let result = evaluation.tasks.iter().find(|result| result.task == *task)?;
            result.per_unit.get(place)?.bps
        };
        Some(Row { head: run.name.clone(), cells: tasks.iter().map(|task| number(score(task))).collect() })
    };
    let table = Table {
        caption: format!("Bits/spike of {who}"),
        heads: &["run"],
        columns: tasks.iter().map(|task| task_name(task).to_owned()).collect(),
        groups: vec![Group::of(report.runs.iter().zip(&session.by_run).filter_map(row).collect())],
        words: false,
    };
    table.to_html()
}

/// A row per unit of a run, the best predicted first.
fn folded_table(run: &str, evaluation: &SessionEvaluation) -> String {
    let Some(first) = evaluation.tasks.first() else { return String::new() };
    let score = |unit: usize| first.per_unit.get(unit).and_then(|scores| scores.bps);
    let mut units: Vec<usize> = (0..evaluation.units.len()).collect();
    let order = |unit: &usize| score(*unit).filter(|score| score.is_finite()).unwrap_or(f64::NEG_INFINITY);
    units.sort_by(|one, other| order(other).total_cmp(&order(one)));
    let row = |unit: &usize| {
        let scores =
            evaluation.tasks.iter().map(|task| task.per_unit.get(*unit).and_then(|scores| scores.bps));
        let spikes = first.per_unit.get(*unit).map(|scores| scores.spikes);
        let spikes = Cell::plain(spikes.map_or("n/a".to_owned(), |spikes| decimal(spikes, 0)));
        Row {
            head: unit_name(evaluation, *unit),
            cells: [spikes].into_iter().chain(scores.map(number)).collect(),
        }
    };
    let scored = evaluation.tasks.iter().map(|task| task_name(&task.task).to_owned());
    let table = Table {
        caption: format!("{run}: bits/spike of every unit, the best in {} first", task_name(&first.task)),
        heads: &["unit"],
        columns: ["test spikes".to_owned()].into_iter().chain(scored).collect(),
        groups: vec![Group::of(units.iter().map(row).collect())],
        words: false,
    };
    folded(&format!("{}: table of all {}", escape(run), counted(units.len(), "unit")), &table.to_html())
}

fn number(score: Option<f64>) -> Cell {
    Cell::plain(score.filter(|score| score.is_finite()).map_or("n/a".to_owned(), |score| decimal(score, 3)))
}
