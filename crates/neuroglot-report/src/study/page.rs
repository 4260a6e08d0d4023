//! The sections of the page, in order.

use super::{StudyReport, cells, curves, reading, tables};
use crate::document::{Section, document};
use crate::page::contents;
use crate::sections::{examples, facts, region_styles, regions, units};
use crate::text::escape;
use crate::{Report, RunSection, compare};

/// The HTML document.
pub(crate) fn render(study: &StudyReport) -> String {
    let report = Report {
        title: study.title.clone(),
        subtitle: String::new(),
        facts: study.facts.clone(),
        commands: study.commands.clone(),
        runs: study.runs.clone(),
    };
    let sessions = compare::sessions(&report);
    let styles = region_styles(&sessions);
    // Single units of one session show what they look like; the scores of all units are in the plots above them.
    let first = &sessions[..sessions.len().min(1)];
    let results = study.results;
    let section = |id, heading: &'static str, body: String| Section { id, heading, body };
    let sections = [
        section("summary", "What it says", reading::summary(results)),
        section("tables", "Scores", tables::html(results)),
        section("curves", "More data", curves::html(results)),
        section("units", "Unit by unit", units::html(&report, &sessions, &styles)),
        section("examples", "Example units", with_note(&study.runs, examples::html(&report, first, &styles))),
        section("regions", "Region by region", regions::html(&report, first, &styles)),
        section("reading", "How to read this", reading::html(results)),
        section("cells", "What was made", cells::html(results)),
    ];
    let lead = "Models that were trained to predict what was hidden from them in recordings of spikes, and baselines, \
                scored on trials that they never saw.";
    let head = facts::list(&report.facts);
    let main = facts::commands(&report.commands) + &contents(&sections, &[]);
    let footer = format!(
        "Made by neuroglot {}; studied by version {}.",
        env!("CARGO_PKG_VERSION"),
        escape(&results.version)
    );
    document(&study.title, lead, &head, &main, &sections, &footer)
}

fn with_note(runs: &[RunSection], examples: String) -> String {
    let session =
        runs.iter().flat_map(|run| &run.evaluation).flat_map(|evaluation| &evaluation.sessions).next();
    match session {
        Some(session) if !examples.is_empty() => {
            format!("<p class=\"note\">Of session {}.</p>\n{examples}", escape(&session.eid))
        }
        _ => examples,
    }
}
