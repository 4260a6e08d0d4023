//! What the tables say, in sentences, and how to read them.

use crate::text::{escape, listed, task_name};
use neuroglot_data::number::counted;
use neuroglot_study::{FEWEST_SESSIONS, Mark, ScoreTable, StudyResults};

/// One paragraph per row that is compared with another, in tables of few rows; warnings first.
pub(super) fn summary(results: &StudyResults) -> String {
    let mut out = String::new();
    let missing = results.missing().count();
    if missing > 0 {
        out.push_str(&format!(
            "<p><strong>{missing} of {} are not finished. Tables hold what is.</strong></p>\n",
            counted(results.cells.len(), "cell")
        ));
    }
    let short: Vec<String> = results.trained_too_shortly().map(|cell| escape(&cell.id)).collect();
    if !short.is_empty() {
        out.push_str(&format!(
            "<p><strong>Trained too shortly: validation still rose at the end of {} of {}</strong> ({}). More epochs may \
             change what the tables say of them.</p>\n",
            short.len(),
            counted(results.cells.iter().filter(|cell| cell.still_rising.is_some()).count(), "run"),
            short.join(", ")
        ));
    }
    for (index, table) in results.tables.iter().enumerate().filter(|(_, table)| table.id != "sessions") {
        let sentences: String =
            sentences(table).into_iter().map(|text| format!("<li>{}</li>\n", escape(&text))).collect();
        if !sentences.is_empty() {
            let title = escape(&table.title);
            out.push_str(&format!("<p><b>Table {}. {title}</b></p>\n<ul>\n{sentences}</ul>\n", index + 1));
        }
    }
    out
}

fn sentences(table: &ScoreTable) -> Vec<String> {
    let mut sentences = Vec::new();
    for row in &table.rows {
        let Some(reference) = row.reference.map(|place| &table.rows[place]) else { continue };
        let of = |mark: Mark| -> Vec<String> {
            let marked = table.columns.iter().zip(&row.cells).filter(|(_, cell)| {
                cell.as_ref()
                    .and_then(|cell| cell.difference)
                    .is_some_and(|difference| difference.mark == mark)
            });
            marked.map(|(column, _)| task_name(column.name()).to_owned()).collect()
        };
        let kinds = [
            (Mark::Better, "better in"),
            (Mark::BetterHere, "better on these sessions, but not surely on others, in"),
            (Mark::Worse, "worse in"),
            (Mark::WorseHere, "worse on these sessions, but not surely on others, in"),
            (Mark::Undecided, "undecided in"),
        ];
        let said: Vec<String> = kinds
            .into_iter()
            .map(|(mark, words)| (of(mark), words))
            .filter(|(tasks, _)| !tasks.is_empty())
            .map(|(tasks, words)| format!("{words} {}", listed(&tasks)))
            .collect();
        if !said.is_empty() {
            let group = if row.group.is_empty() { String::new() } else { format!("{}: ", row.group) };
            sentences.push(format!("{group}{}, beside {}: {}.", row.name, reference.name, said.join("; ")));
        }
    }
    sentences
}

/// How to read the scores.
pub(super) fn html(results: &StudyResults) -> String {
    let mut out = String::from(
        "<p>Every score is on test trials, which no model has seen. <b>Bits/spike</b> says how much better a model \
         predicts a unit’s spikes than the unit’s own mean rate does: the gain in Poisson log-likelihood, in bits, per \
         spike. 0 is no better than the mean rate, negative is worse. A score is the mean over sessions of the mean over \
         units, averaged over seeds. A decoded behaviour has one score per session.</p>\n\
         <p><b>Intervals</b> are 95 % bootstrap intervals. Those over units take the sessions as they are: they say how sure \
         the score is on these recordings. Those over sessions draw sessions and then units within them: they say what \
         holds for other sessions of the kind. Differences are paired unit by unit. A row is marked ▲ or ▼ only where \
         the intervals of its difference over units and over at least five sessions exclude 0; △ or ▽ says that the one \
         over units does, so that the difference is sure on these sessions alone.</p>\n",
    );
    if (2..FEWEST_SESSIONS).contains(&results.sessions.len()) {
        out.push_str(&format!(
            "<p><strong>Intervals over {} are too narrow</strong>, because so few seldom show how different sessions \
             can be: no row is marked ▲ or ▼ for them.</p>\n",
            counted(results.sessions.len(), "session")
        ));
    }
    out
}
