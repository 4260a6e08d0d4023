//! The page as a whole: its head, its sections in order, its table of contents.

use crate::compare::{self, ComparedSession};
use crate::document::{Section, document};
use crate::sections::{
    MOST_PICTURED_SESSIONS, calibration, couplings, curves, decoding, examples, facts, populations, reading,
    region_scores, region_styles, regions, scores, session_name, single_units, skipped, trajectories, units,
};
use crate::text::escape;
use crate::{Report, RunSection};
use neuroglot_data::text::distinct;

/// The HTML document.
pub(crate) fn render(report: &Report) -> String {
    let sessions = compare::sessions(report);
    let styles = region_styles(&sessions);
    let results = if sessions.is_empty() {
        "<p>No run has been evaluated yet.</p>\n".to_string()
    } else {
        scores::html(report, &sessions)
    };
    let how_to_read = if sessions.is_empty() { String::new() } else { reading::html(&sessions) };
    let section = |id, heading, body| Section { id, heading, body };
    let sections = [
        section("scores", "Scores", results),
        section("reading", "How to read this", how_to_read),
        section("region-scores", "Scores by region", region_scores::html(report, &sessions, &styles)),
        section("units", "Unit by unit", units::html(report, &sessions, &styles)),
        section("populations", "Single trials of all units", populations::html(report, &sessions, &styles)),
        section("examples", "Example units", examples::html(report, &sessions, &styles)),
        section("single-units", "Single units", single_units::html(report, &sessions, &styles)),
        section("trajectories", "Latent trajectories", trajectories::html(report, &sessions)),
        section("calibration", "Calibration", calibration::html(report, &sessions)),
        section("decoding", "Decoded behaviour", decoding::html(report, &sessions)),
        section("curves", "Training", curves::html(report)),
        section("regions", "Region by region", regions::html(report, &sessions, &styles)),
        section("couplings", "Coupling of units", couplings::html(report, &sessions, &styles)),
        section("skipped", "Not evaluated", skipped::html(report, &sessions)),
    ];
    let mut main = facts::runs(report) + &facts::commands(&report.commands);
    if sessions.len() > 1 {
        main.push_str(&contents(&sections, &sessions));
    }
    document(
        &report.title,
        &report.subtitle,
        &facts::list(&report.facts),
        &main,
        &sections,
        &footer(&report.runs),
    )
}

/// Links to every section and, within it, to every one of `sessions` that it shows.
pub(crate) fn contents(sections: &[Section], sessions: &[ComparedSession]) -> String {
    let mut out = String::from("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ul>\n");
    for Section { id, heading, body } in sections.iter().filter(|section| !section.body.is_empty()) {
        let linked = if *id == "scores" { sessions.len() } else { MOST_PICTURED_SESSIONS };
        let mut links = String::new();
        for (index, session) in sessions.iter().take(linked).enumerate() {
            if body.contains(&format!("<h3 id=\"{id}-{index}\">")) {
                links.push_str(&format!(
                    "<li><a href=\"#{id}-{index}\">{}</a></li>\n",
                    escape(&session_name(session))
                ));
            }
        }
        let links = if links.is_empty() { links } else { format!("\n<ul>\n{links}</ul>\n") };
        out.push_str(&format!("<li><a href=\"#{id}\">{heading}</a>{links}</li>\n"));
    }
    out.push_str("</ul>\n</nav>\n");
    out
}

pub(crate) fn footer(runs: &[RunSection]) -> String {
    let evaluations = runs.iter().filter_map(|run| run.evaluation.as_ref());
    let versions: Vec<&str> = evaluations.map(|found| found.version.as_str()).collect();
    let evaluated = match distinct(versions).as_slice() {
        [] => String::new(),
        versions => format!("; evaluated by version {}", escape(&versions.join(", "))),
    };
    format!("Made by neuroglot {}{evaluated}.", env!("CARGO_PKG_VERSION"))
}
