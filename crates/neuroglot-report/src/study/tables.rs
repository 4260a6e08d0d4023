//! The tables of a study: scores, then how rows differ from their references, then a picture.

use crate::plot::ink::Ink;
use crate::plot::intervals::{self, Band, Mean};
use crate::plot::legend::{self, Entry};
use crate::plot::palette::{Marker, colour};
use crate::sections::WIDTH;
use crate::table::{Cell, Group, Row, Table};
use crate::text::escape;
use neuroglot_data::number::{decimal, signed};
use neuroglot_study::{Column, DIFFERENCES, Mark, Range, ScoreCell, ScoreTable, StudyResults};

/// Rows drawn in one picture at most.
const MOST_ROWS: usize = 7;

/// All tables.
pub(super) fn html(results: &StudyResults) -> String {
    results.tables.iter().enumerate().map(|(index, table)| section(index + 1, table)).collect()
}

fn section(number: usize, table: &ScoreTable) -> String {
    let (id, title) = (escape(&table.id), escape(&table.title));
    let mut out = format!("<div class=\"keep\">\n<h3 id=\"table-{id}\">Table {number}. {title}</h3>\n");
    out.push_str(&scores(table));
    out.push_str("</div>\n");
    if table.has_differences() {
        out.push_str("<div class=\"keep\">\n");
        out.push_str(&differences(table));
        out.push_str("</div>\n");
    }
    out.push_str(&picture(number, table));
    out
}

fn scores(table: &ScoreTable) -> String {
    let caption = format!(
        "{} Mean over sessions of the mean over units; 95 % intervals over units in square, over sessions and units in \
         curly brackets.{}",
        table.caption,
        data(table)
    );
    let cell =
        |cell: &ScoreCell| Cell { asides: cell.score.ranges(), ..Cell::plain(decimal(cell.score.mean, 3)) };
    markup(table, caption, |_| true, |scored| Some(cell(scored)))
}

fn differences(table: &ScoreTable) -> String {
    let cell = |cell: &ScoreCell| {
        let difference = cell.difference.as_ref()?;
        let mark = difference.mark.symbol();
        let text = format!("{} {mark}", signed(difference.estimate.mean, 3));
        let is_decided = matches!(difference.mark, Mark::Better | Mark::Worse);
        Some(Cell {
            text: text.trim_end().to_owned(),
            asides: difference.estimate.ranges(),
            bold: is_decided,
        })
    };
    let references: Vec<&str> = {
        let places = table.rows.iter().filter_map(|row| row.reference);
        let mut names: Vec<&str> = places.map(|place| table.rows[place].name.as_str()).collect();
        names.dedup();
        names
    };
    let from = match references.as_slice() {
        [only] => format!(" ({only})"),
        _ => String::new(),
    };
    let caption =
        DIFFERENCES.replacen("the reference row of the group", &format!("the group’s first row{from}"), 1);
    markup(table, caption, |place| table.rows[place].reference.is_some(), cell)
}

fn markup(
    table: &ScoreTable,
    caption: String,
    is_shown: impl Fn(usize) -> bool,
    cell: impl Fn(&ScoreCell) -> Option<Cell>,
) -> String {
    let row = |place: usize| {
        let row = &table.rows[place];
        let cells =
            row.cells.iter().map(|scored| scored.as_ref().and_then(&cell).unwrap_or(Cell::plain("–")));
        Row { head: row.name.clone(), cells: cells.collect() }
    };
    let groups: Vec<Group> = table
        .groups()
        .into_iter()
        .map(|(head, places)| Group {
            head: head.to_owned(),
            rows: places.into_iter().filter(|place| is_shown(*place)).map(row).collect(),
        })
        .filter(|group| !group.rows.is_empty())
        .collect();
    let has_heads = groups.iter().any(|group| !group.head.is_empty());
    let columns = table.columns.iter().map(Column::heading).collect();
    let heads: &[&str] = if has_heads { &["", ""] } else { &[""] };
    Table { caption, heads, columns, groups, words: false }.to_html()
}

/// How many sessions and units the columns average, where it is the same in all of them.
fn data(table: &ScoreTable) -> String {
    let scores = || table.rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.score);
    let sessions: Vec<usize> = scores().map(|score| score.sessions).collect();
    let (Some(least), Some(most)) = (sessions.iter().min(), sessions.iter().max()) else {
        return String::new();
    };
    let units = scores().map(|score| score.units).max().unwrap_or(0);
    if least == most {
        format!(" Sessions: {most}; units: {units}.")
    } else {
        format!(" Sessions: {least} to {most}, as far as they could be scored; units: up to {units}.")
    }
}

/// Bits/spike of a table of one group and few rows, task by task.
fn picture(number: usize, table: &ScoreTable) -> String {
    let tasks: Vec<usize> =
        (0..table.columns.len()).filter(|column| matches!(table.columns[*column], Column::Task(_))).collect();
    let groups = table.groups();
    let [(_, places)] = groups.as_slice() else { return String::new() };
    if tasks.is_empty() || places.len() < 2 || places.len() > MOST_ROWS {
        return String::new();
    }
    let mean = |place: usize, column: usize| {
        let score = table.rows[place].cells[column].as_ref()?.score;
        let ends = |range: Range| (range.low, range.high);
        Some(Mean {
            value: score.mean,
            inner: score.over_units.map(ends),
            outer: score.over_sessions.map(ends),
            marker: Marker::of(place),
            ink: Ink::plain(colour(place)),
        })
    };
    let bands: Vec<Band> = tasks
        .iter()
        .map(|column| Band {
            label: table.columns[*column].name().to_owned(),
            swatch: None,
            means: places.iter().filter_map(|place| mean(*place, *column)).collect(),
        })
        .collect();
    let title = format!("Table {number} as a picture: bits/spike");
    let ends = intervals::ends(&bands, 0.0, 0.0);
    let (figure, _) = intervals::figure(&title, "bits/spike", &bands, ends, WIDTH);
    let entry = |place: &usize| legend::of_mark(*place, &table.rows[*place].name);
    let entries: Vec<Entry> = places.iter().map(entry).collect();
    format!(
        "<figure>{}{figure}<figcaption>Thick bars: 95 % interval over units; thin bars: over sessions and \
         units.</figcaption></figure>\n",
        legend::row_figure(&entries, WIDTH)
    )
}
