//! The page as a whole: its head, its sections in order, its table of contents.

use crate::Report;
use crate::compare::{self, ComparedSession};
use crate::sections::{
    MOST_PICTURED_SESSIONS, curves, examples, facts, reading, regions, scores, session_name, skipped, units,
};
use crate::style::CSS;
use crate::text::escape;

/// One section under a heading of the second level.
struct Section {
    id: &'static str,
    heading: &'static str,
    body: String,
}

/// The HTML document.
pub(crate) fn render(report: &Report) -> String {
    let sessions = compare::sessions(report);
    let results = if sessions.is_empty() {
        "<p>No run has been evaluated yet.</p>\n".to_string()
    } else {
        scores::html(report, &sessions)
    };
    let how_to_read = if sessions.is_empty() { String::new() } else { reading::html(&sessions) };
    let section = |id, heading, body| Section { id, heading, body };
    let sections: Vec<Section> = [
        section("scores", "Scores", results),
        section("reading", "How to read this", how_to_read),
        section("units", "Unit by unit", units::html(report, &sessions)),
        section("examples", "Example units", examples::html(report, &sessions)),
        section("curves", "Training", curves::html(report)),
        section("regions", "Region by region", regions::html(report, &sessions)),
        section("skipped", "Not evaluated", skipped::html(report, &sessions)),
    ]
    .into_iter()
    .filter(|section| !section.body.is_empty())
    .collect();

    let mut main = facts::runs(report) + &facts::commands(report);
    if sessions.len() > 1 {
        main.push_str(&contents(&sections, &sessions));
    }
    for Section { id, heading, body } in &sections {
        main.push_str(&format!("<section>\n<h2 id=\"{id}\">{heading}</h2>\n{body}</section>\n"));
    }
    document(&report.title, &report.subtitle, &facts::list(report), &main, &footer(report))
}

/// A document of a heading, a paragraph under it, and parts that are markup already.
pub(crate) fn document(title: &str, subtitle: &str, facts: &str, main: &str, footer: &str) -> String {
    let (title, subtitle) = (escape(title), escape(subtitle));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
         <style>{CSS}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"lead\">{subtitle}</p>\n\
         {facts}</header>\n<main>\n{main}</main>\n{footer}</body>\n</html>\n"
    )
}

/// Links to every section and, within it, to every session it shows.
fn contents(sections: &[Section], sessions: &[ComparedSession]) -> String {
    let mut out = String::from("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ul>\n");
    for Section { id, heading, body } in sections {
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

pub(crate) fn footer(report: &Report) -> String {
    let versions: Vec<&str> = report
        .runs
        .iter()
        .filter_map(|run| run.evaluation.as_ref())
        .map(|found| found.version.as_str())
        .collect();
    let evaluated = match compare::unique(versions).as_slice() {
        [] => String::new(),
        versions => format!("; evaluated by version {}", escape(&versions.join(", "))),
    };
    format!("<footer>Made by neuroglot {}{evaluated}.</footer>\n", env!("CARGO_PKG_VERSION"))
}
