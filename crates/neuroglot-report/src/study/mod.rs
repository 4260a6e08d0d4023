//! The page of a study: its tables with both kinds of intervals, and figures of what they say.

mod cells;
mod curves;
mod page;
mod reading;
mod tables;

use crate::{ReportError, RunSection, write};
use neuroglot_study::StudyResults;
use std::path::Path;

/// Everything that the page of a study shows.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyReport<'a> {
    /// Heading of the page.
    pub title: String,
    /// Name and value of what holds for the whole study, such as "seeds" and "42".
    pub facts: Vec<(String, String)>,
    /// Shell commands that make the report again, in order.
    pub commands: Vec<String>,
    /// What the study says.
    pub results: &'a StudyResults,
    /// Methods whose single units are shown; the first is the one that others are plotted against.
    pub runs: Vec<RunSection>,
}

impl StudyReport<'_> {
    /// The page: one HTML document without external references or scripts.
    pub fn to_html(&self) -> String {
        page::render(self)
    }

    /// Writes [`StudyReport::to_html`] to `path`, or its figures where the name ends in `.svg`;
    /// a file there is replaced only once the new one is complete.
    ///
    /// # Errors
    /// As [`Report::write`](crate::Report::write).
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write::write_page(path, &self.to_html())
    }
}
