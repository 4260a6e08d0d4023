//! Scores over the number of sessions in pretraining, and over the number of training trials.

use crate::plot::legend;
use crate::plot::steps::{self, Curve, Point};
use crate::sections::WIDTH;
use crate::text::escape;
use neuroglot_data::text::distinct;
use neuroglot_study::{Column, Range, ScoreRow, ScoreTable, StudyResults};

/// A figure per table that is drawn as curves, a panel per task and behaviour.
pub(super) fn html(results: &StudyResults) -> String {
    let sessions = "sessions in pretraining (0: from scratch)";
    let by_sessions =
        |row: &ScoreRow| (row.pretraining_sessions as u64, row.pretraining_sessions.to_string());
    let by_trials = |row: &ScoreRow| match row.trials {
        0 => (u64::MAX, "all".to_owned()),
        trials => (trials, trials.to_string()),
    };
    let of = |id: &str| results.tables.iter().find(|table| table.id == id);
    let sessions = of("pretraining").map(|table| figure(table, sessions, by_sessions));
    let trials = of("trials").map(|table| figure(table, "training trials", by_trials));
    sessions.into_iter().chain(trials).collect()
}

fn figure(table: &ScoreTable, x_label: &str, at: impl Fn(&ScoreRow) -> (u64, String)) -> String {
    let mut places: Vec<(u64, String)> = table.rows.iter().map(&at).collect();
    places.sort();
    places.dedup();
    let ticks: Vec<String> = places.iter().map(|(_, label)| label.clone()).collect();
    let names = distinct(table.rows.iter().map(|row| row.curve.as_str()));
    let panel = |column: usize| {
        let point = |row: &ScoreRow| {
            let score = row.cells[column].as_ref()?.score;
            let place = places.iter().position(|place| *place == at(row))?;
            let range = score.over_sessions.or(score.over_units);
            Some(Point { place, value: score.mean, ends: range.map(|Range { low, high }| (low, high)) })
        };
        let curve = |(index, name): (usize, &&str)| {
            let rows = table.rows.iter().filter(|row| row.curve == **name);
            let mut points: Vec<Point> = rows.filter_map(point).collect();
            points.sort_by_key(|point| point.place);
            Curve { colour: index, points }
        };
        let curves: Vec<Curve> = names.iter().enumerate().map(curve).collect();
        let y_label = match &table.columns[column] {
            Column::Task(_) => "bits/spike",
            Column::Behaviour { metric, .. } if metric == "r2" => "R²",
            Column::Behaviour { metric, .. } => metric,
        };
        steps::figure(table.columns[column].name(), &curves, &ticks, (x_label, y_label), 420.0)
    };
    let panels: String = (0..table.columns.len()).map(panel).collect();
    format!(
        "<h3>{}</h3>\n<figure>{}<div class=\"pairs\">{panels}</div><figcaption>{} Bars: 95 % interval over sessions and \
         units, or over units where there is one session. Numbers along the axis are not to scale.</figcaption></figure>\n",
        escape(&table.title),
        legend::row_figure(&legend::of_lines(&names), WIDTH),
        escape(&table.caption)
    )
}
