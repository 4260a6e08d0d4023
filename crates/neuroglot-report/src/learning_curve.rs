//! A page with curves over the number of calibration trials.

use crate::document::{Section, document};
use crate::plot::lines::{self, Line};
use crate::plot::palette::Marker;
use crate::sections::{WIDTH, facts};
use crate::{Curve, Report, ReportError, page, write};
use std::path::Path;

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningCurve {
    /// Heading of the page.
    pub title: String,
    /// One paragraph: what was done.
    pub subtitle: String,
    /// Name and value of what holds for all points.
    pub facts: Vec<(String, String)>,
    /// Shell commands that make the page again.
    pub commands: Vec<String>,
    /// Lines over the number of trials: `points` are `(trials, score)`. Those with the same panel share one plot.
    pub curves: Vec<Curve>,
}

impl LearningCurve {
    /// The page: one HTML document without external references or scripts.
    pub fn to_html(&self) -> String {
        let mut panels: Vec<&str> = Vec::new();
        for curve in &self.curves {
            if !panels.contains(&curve.panel.as_str()) {
                panels.push(&curve.panel);
            }
        }
        let figure = |panel: &str| {
            let curves = self.curves.iter().filter(|curve| curve.panel == panel).enumerate();
            let line = |(index, curve): (usize, &Curve)| Line {
                label: curve.label.clone(),
                points: curve.points.clone(),
                colour: index,
                dash: index,
                marker: Some(Marker::of(index)),
                thin: false,
            };
            let lines: Vec<Line> = curves.map(line).collect();
            format!(
                "<figure>{}</figure>\n",
                lines::figure(panel, &lines, "calibration trials", (WIDTH, 250.0))
            )
        };
        let about = Report {
            title: self.title.clone(),
            subtitle: self.subtitle.clone(),
            facts: self.facts.clone(),
            commands: self.commands.clone(),
            runs: Vec::new(),
        };
        let figures: String = panels.into_iter().map(figure).collect();
        let sections = [Section { id: "curves", heading: "Scores over calibration trials", body: figures }];
        let (facts, commands) = (facts::list(&about), facts::commands(&about));
        document(&self.title, &self.subtitle, &facts, &commands, &sections, &page::footer(&about))
    }

    /// Writes [`LearningCurve::to_html`] to `path`, or its figures where the name ends in `.svg`;
    /// a file there is replaced only once the new one is complete.
    ///
    /// # Errors
    /// As [`Report::write`].
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write::write_page(path, &self.to_html())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_panel_is_a_figure_with_its_lines_and_names_are_escaped() {
        let curve = |panel: &str, label: &str, points: &[(f64, f64)]| Curve {
            panel: panel.to_owned(),
            label: label.to_owned(),
            points: points.to_vec(),
        };
        let page = LearningCurve {
            title: "a < b".to_owned(),
            subtitle: "what was done".to_owned(),
            facts: vec![("session".to_owned(), "s&1".to_owned())],
            commands: vec!["neuroglot learning-curve".to_owned()],
            curves: vec![
                curve("forward", "fine-tuned", &[(16.0, 0.1), (32.0, 0.2)]),
                curve("co-smoothing", "fine-tuned", &[(16.0, 0.3)]),
                curve("forward", "from scratch", &[(16.0, f64::NAN), (32.0, 0.1)]),
            ],
        }
        .to_html();
        let markup = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        let document = roxmltree::Document::parse(markup).expect("well-formed");
        let figures = document.descendants().filter(|node| node.has_tag_name("figure"));
        let texts: Vec<String> = figures
            .map(|figure| figure.descendants().filter_map(|node| node.text()).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("forward") && texts[0].contains("from scratch"));
        assert!(texts[0].contains("calibration trials"));
        assert!(texts[1].contains("co-smoothing") && !texts[1].contains("from scratch"));
        assert!(page.contains("a &lt; b") && page.contains("s&amp;1") && !page.contains("NaN"));
    }
}
