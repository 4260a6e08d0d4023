//! The page of one session's regions, predicted from each other.

use crate::document::{Section, document};
use crate::plot::region_styles::RegionStyles;
use crate::sections::{facts, regions};
use crate::table::{Cell, Group, Row, Table};
use crate::{ReportError, page, write};
use neuroglot_data::number::{counted, decimal};
use neuroglot_eval::Translation;
use neuroglot_tasks::results::Interval;
use std::path::Path;

/// What one model makes of the regions of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct TranslationPage {
    /// Name of the run.
    pub run: String,
    /// The scores.
    pub translation: Translation,
    /// The shell command that makes the page again.
    pub command: String,
}

impl TranslationPage {
    /// The page: one HTML document without external references or scripts.
    pub fn to_html(&self) -> String {
        let Translation { eid, subject, trials, matrix } = &self.translation;
        let styles = RegionStyles::of(matrix.regions.iter().map(String::as_str));
        let figure = regions::figure(&self.run, matrix, regions::largest(matrix), &styles);
        let left_out = regions::left_out(matrix.regions.len());
        let body =
            format!("<p class=\"note\">{}</p>\n<figure>{figure}</figure>\n{left_out}", regions::READING);
        let command = facts::commands(std::slice::from_ref(&self.command));
        let section = |id, heading, body| Section { id, heading, body };
        let sections =
            [section("matrix", "Region by region", body), section("scores", "Scores", self.table())];
        let lead = format!(
            "How well {} predicts each region from each other one, from all others and from itself, in {} that it \
             never saw.",
            self.run,
            counted(*trials, "test trial")
        );
        let subject = if subject.is_empty() { String::new() } else { format!(" ({subject})") };
        document(&format!("Regions of {eid}{subject}"), &lead, "", &command, &sections, &page::footer(&[]))
    }

    /// A row per target and source, with intervals.
    fn table(&self) -> String {
        let matrix = &self.translation.matrix;
        let row = |head: String, score: Option<Interval>| {
            let cells = match score {
                Some(Interval { mean, low, high }) => {
                    [decimal(mean, 3), format!("[{}, {}]", decimal(low, 3), decimal(high, 3))]
                }
                None => ["n/a".to_owned(), String::new()],
            };
            Row { head, cells: cells.map(Cell::plain).to_vec() }
        };
        let group = |(target, region): (usize, &String)| {
            let at = |source: usize| matrix.from_one.get(source)?.get(target).copied().flatten();
            let others = matrix.from_others.get(target).copied().flatten();
            let mut rows = vec![row("all other regions".to_owned(), others)];
            rows.push(row(format!("{region} itself"), at(target)));
            let alone = matrix.regions.iter().enumerate().filter(|(source, _)| *source != target);
            rows.extend(alone.map(|(source, name)| row(format!("{name} alone"), at(source))));
            let units = counted(matrix.units.get(target).copied().unwrap_or(0), "unit");
            Group { head: format!("{region}, {units}"), rows }
        };
        Table {
            caption: "Bits/spike, mean over the target’s units with its bootstrap interval over units."
                .to_owned(),
            heads: &["target", "predicted from"],
            columns: vec!["bits/spike".to_owned(), "[95 %]".to_owned()],
            groups: matrix.regions.iter().enumerate().map(group).collect(),
            words: false,
        }
        .to_html()
    }

    /// Writes [`TranslationPage::to_html`] to `path`, or its figures where the name ends in `.svg`;
    /// a file there is replaced only once the new one is complete.
    ///
    /// # Errors
    /// [`ReportError::Ending`] if the name of the file ends otherwise, [`ReportError::Files`] if `path` has no file name or
    /// cannot be written; a file that was there before is then unchanged.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write::write_page(path, &self.to_html())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_tasks::results::RegionMatrix;

    #[test]
    fn every_pair_is_drawn_and_written_out_and_names_are_harmless() {
        let score = |mean: f64| Some(Interval { mean, low: mean - 0.125, high: mean + 0.25 });
        let page = TranslationPage {
            run: "mtm".to_owned(),
            command: "neuroglot translate mtm 'a<b' --out t.html".to_owned(),
            translation: Translation {
                eid: "<eid>".to_owned(),
                subject: "M1".to_owned(),
                trials: 8,
                matrix: RegionMatrix {
                    regions: vec!["CA1".to_owned(), "PO".to_owned()],
                    units: vec![3, 1],
                    from_one: vec![vec![score(0.5), score(0.25)], vec![score(-0.375), None]],
                    from_others: vec![score(0.75), score(0.125)],
                },
            },
        };
        let html = page.to_html();
        let document = roxmltree::Document::parse(html.trim_start_matches("<!DOCTYPE html>")).unwrap();
        let text = |tag: &str| -> Vec<String> {
            let nodes = document.descendants().filter(|node| node.tag_name().name() == tag);
            nodes.map(|node| node.text().unwrap_or_default().to_owned()).collect()
        };
        let cells = text("td");
        // CA1 from all others, itself, PO; PO from all others, itself (undefined), CA1.
        assert_eq!(
            cells[..6],
            ["0.750", "[0.625, 1.000]", "0.500", "[0.375, 0.750]", "−0.375", "[−0.500, −0.125]"]
        );
        assert_eq!(cells[6..], ["0.125", "[0.000, 0.375]", "n/a", "", "0.250", "[0.125, 0.500]"]);
        let heads = text("th");
        assert!(heads.contains(&"CA1, 3 units".to_owned()) && heads.contains(&"PO, 1 unit".to_owned()));
        let cell = |node: &roxmltree::Node| node.attribute("class").unwrap_or("").starts_with("cell-");
        let drawn: Vec<&str> = document.descendants().filter(cell).filter_map(|node| node.text()).collect();
        assert_eq!(drawn, ["0.50", "−0.38", "0.75", "0.25", "–", "0.12"]);
        assert!(html.contains("&lt;eid&gt;") && !html.contains("<eid>") && !html.contains("<script"));
    }
}
