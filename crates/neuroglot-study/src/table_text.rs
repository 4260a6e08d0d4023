//! Tables as Markdown, for documents, and as CSV, for programs.

use crate::estimate::{Column, Difference, Estimate, Range};
use crate::results::{ScoreCell, ScoreRow, ScoreTable};
use neuroglot_data::number::{decimal, signed};
use neuroglot_data::text::markdown;
use std::fmt::Write;

impl ScoreTable {
    /// The scores, and below them how rows differ from their references.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("### {}\n\n{} {SCORES}\n\n", markdown(&self.title), markdown(&self.caption));
        self.write_markdown(&mut text, |_| true, |cell| Some(score_text(&cell.score)));
        if self.has_differences() {
            let _ = write!(text, "\n{DIFFERENCES}\n\n");
            let difference = |cell: &ScoreCell| cell.difference.as_ref().map(difference_text);
            self.write_markdown(&mut text, |row| row.reference.is_some(), difference);
        }
        text
    }

    fn write_markdown(
        &self,
        text: &mut String,
        is_shown: impl Fn(&ScoreRow) -> bool,
        cell_text: impl Fn(&ScoreCell) -> Option<String>,
    ) {
        let has_groups = self.rows.iter().any(|row| !row.group.is_empty());
        let heads = self.columns.iter().map(|column| markdown(&column.heading()));
        let heads: Vec<String> = heads.collect();
        let (first, rule) = if has_groups { ("| | |", "|---|---|") } else { ("| |", "|---|") };
        let _ = writeln!(text, "{first} {} |\n{rule}{}", heads.join(" | "), "---:|".repeat(heads.len()));
        for row in self.rows.iter().filter(|row| is_shown(row)) {
            let cells =
                row.cells.iter().map(|cell| cell.as_ref().and_then(&cell_text).unwrap_or("–".to_owned()));
            let cells: Vec<String> = cells.collect();
            let group = if has_groups { format!("| {} ", markdown(&row.group)) } else { String::new() };
            let _ = writeln!(text, "{group}| {} | {} |", markdown(&row.name), cells.join(" | "));
        }
    }

    /// A line per row and column, numbers with all their digits.
    pub fn to_csv(&self) -> String {
        let heads = "group,row,column,score,sessions,units,units_low,units_high,sessions_low,sessions_high,reference,\
                     difference,difference_units_low,difference_units_high,difference_sessions_low,\
                     difference_sessions_high,mark";
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(heads.split(',')).expect("writing to memory");
        for row in &self.rows {
            for (column, cell) in self.columns.iter().zip(&row.cells) {
                let Some(cell) = cell else { continue };
                let Estimate { mean, sessions, units, .. } = cell.score;
                let mut fields = [&row.group, &row.name, column.name()].map(str::to_owned).to_vec();
                fields.extend([mean.to_string(), sessions.to_string(), units.to_string()]);
                fields.extend(ends(&cell.score));
                let reference = row.reference.and_then(|place| self.rows.get(place));
                fields.push(reference.map_or(String::new(), |row| row.name.clone()));
                match &cell.difference {
                    Some(Difference { estimate, mark }) => {
                        fields.push(estimate.mean.to_string());
                        fields.extend(ends(estimate));
                        fields.push(mark.symbol().to_owned());
                    }
                    None => fields.extend(vec![String::new(); 6]),
                }
                writer.write_record(fields).expect("as many fields as heads");
            }
        }
        String::from_utf8(writer.into_inner().expect("writing to memory")).expect("made of texts")
    }
}

impl Column {
    /// The column's head: what is scored, and how.
    pub fn heading(&self) -> String {
        match self {
            Column::Task(task) => format!("{task} (bits/spike)"),
            Column::Behaviour { name, metric } if metric == "r2" => format!("{name} (R²)"),
            Column::Behaviour { name, metric } => format!("{name} ({metric})"),
        }
    }
}

impl Estimate {
    /// Its intervals as they are written: over units in square, over sessions and units in curly brackets.
    pub fn ranges(&self) -> Vec<String> {
        let text = |Range { low, high }: Range, open: char, close: char| {
            format!("{open}{}, {}{close}", decimal(low, 3), decimal(high, 3))
        };
        let units = self.over_units.map(|range| text(range, '[', ']'));
        let sessions = self.over_sessions.map(|range| text(range, '{', '}'));
        units.into_iter().chain(sessions).collect()
    }
}

/// How intervals are written.
pub const SCORES: &str = "Mean over sessions of the mean over units; 95 % intervals over units [ ] with the sessions as \
                          they are, and over sessions and units { }.";

/// How differences and marks are written.
pub const DIFFERENCES: &str = "Paired differences from the reference row of the group. ▲ better, ▼ worse: the intervals \
                               over units and over at least five sessions exclude 0. △ better, ▽ worse on these \
                               sessions: the interval over units excludes 0, and of other sessions nothing is sure.";

/// `0.372 [0.325, 0.417] {0.301, 0.440}`.
fn score_text(estimate: &Estimate) -> String {
    format!("{}{}", decimal(estimate.mean, 3), intervals(estimate))
}

/// As [`score_text`], with a sign and a mark.
fn difference_text(difference: &Difference) -> String {
    let Difference { estimate, mark } = difference;
    format!("{}{} {}", signed(estimate.mean, 3), intervals(estimate), mark.symbol()).trim_end().to_owned()
}

fn intervals(estimate: &Estimate) -> String {
    estimate.ranges().iter().map(|range| format!(" {range}")).collect()
}

fn ends(estimate: &Estimate) -> Vec<String> {
    let ends = |range: Option<Range>| {
        range
            .map_or([String::new(), String::new()], |Range { low, high }| [low.to_string(), high.to_string()])
    };
    [ends(estimate.over_units), ends(estimate.over_sessions)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Mark;

    fn table() -> ScoreTable {
        let estimate = |mean: f64| Estimate {
            mean,
            over_units: Some(Range { low: mean - 0.125, high: mean + 0.125 }),
            over_sessions: Some(Range { low: mean - 0.25, high: mean + 0.25 }),
            sessions: 6,
            units: 40,
        };
        let row = |name: &str, reference: Option<usize>, mean: f64| ScoreRow {
            group: "a, b".to_owned(),
            name: name.to_owned(),
            reference,
            curve: String::new(),
            pretraining_sessions: 0,
            trials: 0,
            cells: vec![
                Some(ScoreCell {
                    score: estimate(mean),
                    difference: reference.map(|_| Difference { estimate: estimate(-0.5), mark: Mark::Worse }),
                }),
                None,
            ],
        };
        ScoreTable {
            id: "scratch".to_owned(),
            title: "Title".to_owned(),
            caption: "Caption.".to_owned(),
            columns: vec![
                Column::Task("forward".to_owned()),
                Column::Behaviour { name: "choice".to_owned(), metric: "accuracy".to_owned() },
            ],
            rows: vec![row("one|two", None, 0.5), row("other", Some(0), 0.0)],
        }
    }

    #[test]
    fn markdown_has_scores_and_differences() {
        let expected = format!(
            "### Title\n\nCaption. {SCORES}\n\n\
             | | | forward (bits/spike) | choice (accuracy) |\n|---|---|---:|---:|\n\
             | a, b | one\\|two | 0.500 [0.375, 0.625] {{0.250, 0.750}} | – |\n\
             | a, b | other | 0.000 [−0.125, 0.125] {{−0.250, 0.250}} | – |\n\n{DIFFERENCES}\n\n\
             | | | forward (bits/spike) | choice (accuracy) |\n|---|---|---:|---:|\n\
             | a, b | other | −0.500 [−0.625, −0.375] {{−0.750, −0.250}} ▼ | – |\n"
        );
        assert_eq!(table().to_markdown(), expected);
    }

    #[test]
    fn csv_has_a_line_per_score() {
        let text = table().to_csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "\"a, b\",one|two,forward,0.5,6,40,0.375,0.625,0.25,0.75,,,,,,,");
        assert_eq!(
            lines[2],
            "\"a, b\",other,forward,0,6,40,-0.125,0.125,-0.25,0.25,one|two,-0.5,-0.625,-0.375,-0.75,-0.25,▼"
        );
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].split(',').count(), 17);
    }
}
