//! What a report is made of.

use crate::{ReportError, page, write};
use neuroglot_tasks::results::Evaluation;
use std::path::Path;

/// Everything one report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// One paragraph: what was done.
    pub subtitle: String,
    /// Name and value of what holds for all runs, such as "seed" and "42".
    pub facts: Vec<(String, String)>,
    /// Shell commands that make the report again, in order.
    pub commands: Vec<String>,
    /// The runs compared, in the order of the table's columns; the first is the one others are plotted against.
    pub runs: Vec<RunSection>,
}

/// One trained run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSection {
    /// Name shown in tables and legends, such as "MtM" or "temporal baseline".
    pub name: String,
    /// Name and value of what holds for this run alone, such as "epochs" and "1000".
    pub facts: Vec<(String, String)>,
    /// Training curves.
    pub curves: Vec<Curve>,
    /// What its evaluation found, if it was evaluated.
    pub evaluation: Option<Evaluation>,
    /// How the units of its sessions predict each other, where it has couplings.
    pub couplings: Vec<CouplingMap>,
}

/// How the units of a session predict each other in co-smoothing.
#[derive(Debug, Clone, PartialEq)]
pub struct CouplingMap {
    /// Session id.
    pub eid: String,
    /// Change of the log-rate of each target when the activity of each input is higher by a standard deviation, `[input, target]`,
    /// over the units of the session's evaluation.
    pub per_deviation: Vec<f32>,
}

/// One line of a training-curve panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The panel it belongs to, which is also the label of the vertical axis with its unit, such as
    /// "validation bits/spike". Curves of all runs with the same panel share one plot.
    pub panel: String,
    /// What the line is, such as the masking scheme scored.
    pub label: String,
    /// `(epoch, value)`; a value that is not finite is a gap.
    pub points: Vec<(f64, f64)>,
}

impl Report {
    /// The page: one HTML document without external references or scripts.
    pub fn to_html(&self) -> String {
        page::render(self)
    }

    /// Writes [`Report::to_html`] to `path`, or its figures where the name ends in `.svg`;
    /// a file there is replaced only once the new one is complete.
    ///
    /// # Errors
    /// [`ReportError::Ending`] if the name of the file ends otherwise, [`ReportError::Files`] if `path` has no file name, the
    /// folder is missing or not writable, or the disk is full; a file that was there before is then unchanged.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write::write_page(path, &self.to_html())
    }
}
