//! The parts of the page, in the order they appear.

pub(crate) mod calibration;
pub(crate) mod couplings;
pub(crate) mod curves;
pub(crate) mod decoding;
pub(crate) mod examples;
pub(crate) mod facts;
pub(crate) mod populations;
pub(crate) mod reading;
pub(crate) mod region_scores;
pub(crate) mod regions;
pub(crate) mod score_rows;
pub(crate) mod scores;
pub(crate) mod single_units;
pub(crate) mod skipped;
pub(crate) mod trajectories;
pub(crate) mod units;

use crate::compare::ComparedSession;
use crate::plot::region_styles::RegionStyles;
use crate::text::escape;
use neuroglot_tasks::results::SessionEvaluation;
use std::collections::BTreeMap;

/// Sessions whose pictures are drawn; the tables hold all sessions.
pub(crate) const MOST_PICTURED_SESSIONS: usize = 8;

/// Width of a full figure (px).
pub(crate) const WIDTH: f64 = 880.0;

/// What the colours of regions are, for captions.
pub(crate) const COLOURS_OF_REGIONS: &str = "A region has one marker and colour in the whole page: the Allen atlas’s \
    colour, or one near to it where a larger region has that colour already.";

/// How regions are drawn on a page about these sessions: those with the most units choose first.
pub(crate) fn region_styles(sessions: &[ComparedSession]) -> RegionStyles {
    let mut units: BTreeMap<&str, usize> = BTreeMap::new();
    for evaluation in sessions.iter().flat_map(|session| session.by_run.iter().flatten()) {
        for (region, count) in region_sizes(evaluation) {
            *units.entry(region).or_default() += count;
        }
        let matrix = evaluation.region_matrix.iter().flat_map(|matrix| &matrix.regions);
        matrix.for_each(|region| {
            units.entry(region).or_default();
        });
    }
    RegionStyles::of(largest_first(units).into_iter().map(|(region, _)| region))
}

/// Number of units of each region.
pub(crate) fn region_sizes(session: &SessionEvaluation) -> BTreeMap<&str, usize> {
    let mut sizes = BTreeMap::new();
    session.units.iter().for_each(|unit| *sizes.entry(unit.region.as_str()).or_default() += 1);
    sizes
}

/// Regions and their numbers of units, the largest first, equally large ones by name.
pub(crate) fn largest_first(sizes: BTreeMap<&str, usize>) -> Vec<(&str, usize)> {
    let mut sizes: Vec<(&str, usize)> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, units)| std::cmp::Reverse(*units));
    sizes
}

/// A session's name in headings and captions.
pub(crate) fn session_name(session: &ComparedSession) -> String {
    let ComparedSession { eid, subject, .. } = session;
    if subject.is_empty() { (*eid).to_owned() } else { format!("{subject} ({eid})") }
}

/// A unit's number in its session and its region.
pub(crate) fn unit_name(session: &SessionEvaluation, unit: usize) -> String {
    session.units.get(unit).map_or_else(
        || format!("unknown unit {unit}"),
        |label| format!("unit {} in {}", label.index.unwrap_or(unit), label.region),
    )
}

/// The width of a bin (s); 1 where an evaluation has none that can be.
pub(crate) fn usable_seconds(bin_seconds: f64) -> f64 {
    if bin_seconds.is_finite() && bin_seconds > 0.0 { bin_seconds } else { 1.0 }
}

/// One part per pictured session under its own heading, or `heading`-less where there is only one session; empty if no
/// session has anything to show. `reading` says above them how they are read, if it needs saying. `id` makes the anchors of
/// the table of contents; files of single figures are named by the session that `data-session` counts.
pub(crate) fn per_session(
    sessions: &[ComparedSession],
    id: &str,
    reading: &str,
    draw: impl Fn(&ComparedSession) -> String,
) -> String {
    let mut out = String::new();
    for (index, session) in sessions.iter().take(MOST_PICTURED_SESSIONS).enumerate() {
        let part = draw(session);
        if part.is_empty() {
            continue;
        }
        if sessions.len() > 1 {
            out.push_str(&format!("<h3 id=\"{id}-{index}\">{}</h3>\n", escape(&session_name(session))));
        }
        out.push_str(&format!("<div data-session=\"{index}\">\n{part}</div>\n"));
    }
    if !out.is_empty() && sessions.len() > MOST_PICTURED_SESSIONS {
        out.push_str(&format!(
            "<p class=\"note\">Pictures are drawn for the first {MOST_PICTURED_SESSIONS} of {} sessions; the tables \
             above hold all of them.</p>\n",
            sessions.len()
        ));
    }
    if out.is_empty() || reading.is_empty() { out } else { format!("<p class=\"note\">{reading}</p>\n{out}") }
}
