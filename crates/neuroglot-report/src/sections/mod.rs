//! The parts of the page, in the order they appear.

pub(crate) mod curves;
pub(crate) mod examples;
pub(crate) mod facts;
pub(crate) mod reading;
pub(crate) mod regions;
pub(crate) mod score_rows;
pub(crate) mod scores;
pub(crate) mod skipped;
pub(crate) mod units;

use crate::compare::ComparedSession;
use crate::text::{escape, shorten};

/// Sessions whose pictures are drawn; the tables hold all sessions.
pub(crate) const MOST_PICTURED_SESSIONS: usize = 8;

/// Width of a full figure (px).
pub(crate) const WIDTH: f64 = 880.0;

/// A session's name in headings and captions.
pub(crate) fn session_name(session: &ComparedSession) -> String {
    let eid = shorten(session.eid, 40);
    if session.subject.is_empty() { eid } else { format!("{} ({eid})", shorten(session.subject, 40)) }
}

/// One part per pictured session under its own heading, or `heading`-less where there is only one session; empty if no
/// session has anything to show. `id` makes the anchors of the table of contents.
pub(crate) fn per_session(
    sessions: &[ComparedSession],
    id: &str,
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
        out.push_str(&part);
    }
    if !out.is_empty() && sessions.len() > MOST_PICTURED_SESSIONS {
        out.push_str(&format!(
            "<p class=\"note\">Pictures are drawn for the first {MOST_PICTURED_SESSIONS} of {} sessions; the tables \
             above hold all of them.</p>\n",
            sessions.len()
        ));
    }
    out
}
