//! A page with curves over the number of calibration trials.

use crate::document::{Section, document};
use crate::plot::legend;
use crate::plot::steps::{self, Curve, Point};
use crate::sections::{WIDTH, facts};
use crate::{ReportError, page, write};
use neuroglot_data::text::distinct;
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
    /// What is scored, with its unit, such as "bits/spike": the label of the vertical axes.
    pub score: String,
    /// Scores over the number of trials. Those with the same panel share one plot.
    pub curves: Vec<ScoredCurve>,
}

/// Scores over the number of calibration trials.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredCurve {
    /// The plot it belongs to, which is its title, such as the task.
    pub panel: String,
    /// What the curve is.
    pub label: String,
    /// From few trials to many.
    pub points: Vec<ScoredPoint>,
}

/// A score at a number of calibration trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredPoint {
    /// Calibration trials.
    pub trials: u64,
    /// The score; one that is not finite is not drawn.
    pub score: f64,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
}

impl LearningCurve {
    /// The page: one HTML document without external references or scripts.
    pub fn to_html(&self) -> String {
        let mut trials: Vec<u64> = self.points().map(|point| point.trials).collect();
        trials.sort_unstable();
        trials.dedup();
        let ticks: Vec<String> = trials.iter().map(u64::to_string).collect();
        let panels = distinct(self.curves.iter().map(|curve| curve.panel.as_str()));
        let labels = distinct(self.curves.iter().map(|curve| curve.label.as_str()));
        let place = |label: &str| labels.iter().position(|other| *other == label).unwrap_or(0);
        let point = |point: &ScoredPoint| Point {
            place: trials.binary_search(&point.trials).unwrap_or(0),
            value: point.score,
            ends: point.interval,
        };
        let panel = |panel: &str| {
            let of_panel = self.curves.iter().filter(|curve| curve.panel == panel);
            let curve = |curve: &ScoredCurve| Curve {
                colour: place(&curve.label),
                points: curve.points.iter().map(point).collect(),
            };
            let curves: Vec<Curve> = of_panel.map(curve).collect();
            steps::figure(panel, &curves, &ticks, ("calibration trials", &self.score), 420.0)
        };
        let entries = legend::of_lines(&labels);
        let has_intervals = self.points().any(|point| point.interval.is_some());
        let bars = if has_intervals { "Bars: 95 % interval over units. " } else { "" };
        let pictures: String = panels.into_iter().map(panel).collect();
        let figures = format!(
            "<figure>{}<div class=\"pairs\">{pictures}</div><figcaption>{bars}Numbers along the axis are not to \
             scale.</figcaption></figure>\n",
            legend::row_figure(&entries, WIDTH)
        );
        let sections = [Section { id: "curves", heading: "Scores over calibration trials", body: figures }];
        let (facts, commands) = (facts::list(&self.facts), facts::commands(&self.commands));
        document(&self.title, &self.subtitle, &facts, &commands, &sections, &page::footer(&[]))
    }

    fn points(&self) -> impl Iterator<Item = &ScoredPoint> {
        self.curves.iter().flat_map(|curve| &curve.points)
    }

    /// Writes [`LearningCurve::to_html`] to `path`, or its figures where the name ends in `.svg`;
    /// a file there is replaced only once the new one is complete.
    ///
    /// # Errors
    /// As [`Report::write`](crate::Report::write).
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write::write_page(path, &self.to_html())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(curves: Vec<ScoredCurve>) -> String {
        let page = LearningCurve {
            title: "a < b".to_owned(),
            subtitle: "what was done".to_owned(),
            facts: vec![("session".to_owned(), "s&1".to_owned())],
            commands: vec!["neuroglot learning-curve".to_owned()],
            score: "bits/spike".to_owned(),
            curves,
        };
        page.to_html()
    }

    fn curve(panel: &str, label: &str, points: &[(u64, f64)]) -> ScoredCurve {
        let interval = |score: f64| Some((score - 0.05, score + 0.05));
        let point = |&(trials, score): &(u64, f64)| ScoredPoint { trials, score, interval: interval(score) };
        ScoredCurve {
            panel: panel.to_owned(),
            label: label.to_owned(),
            points: points.iter().map(point).collect(),
        }
    }

    #[test]
    fn each_panel_is_a_figure_with_its_lines_and_names_are_escaped() {
        let page = page(vec![
            curve("forward", "fine-tuned", &[(16, 0.1), (32, 0.2)]),
            curve("co-smoothing", "fine-tuned", &[(16, 0.3)]),
            curve("forward", "from scratch", &[(16, f64::NAN), (32, 0.1)]),
        ]);
        let markup = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        let document = roxmltree::Document::parse(markup).expect("well-formed");
        let labels: Vec<&str> = document
            .descendants()
            .filter(|node| node.attribute("role") == Some("img"))
            .filter_map(|node| node.attribute("aria-label"))
            .collect();
        assert_eq!(labels, ["Legend: fine-tuned, from scratch", "forward", "co-smoothing"]);
        assert!(page.contains("calibration trials") && page.contains("bits/spike"));
        assert!(page.contains("a &lt; b") && page.contains("s&amp;1") && !page.contains("NaN"));
    }

    #[test]
    fn every_point_is_drawn_with_its_interval_however_low() {
        let page =
            page(vec![curve("forward", "fine-tuned", &[(8, -2.5), (16, 0.1), (32, 0.11), (64, 0.12)])]);
        let markup = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        let document = roxmltree::Document::parse(markup).expect("well-formed");
        let figure =
            document.descendants().find(|node| node.attribute("aria-label") == Some("forward")).unwrap();
        let number = |text: Option<&str>| text.unwrap().parse::<f64>().unwrap();
        let height = number(figure.attribute("height"));
        let paths: Vec<&str> = figure.descendants().filter_map(|node| node.attribute("d")).collect();
        // Line, bars and markers: four points each, and none below the figure.
        assert_eq!(paths[0].matches(['M', 'L']).count(), 4);
        assert_eq!((paths[1].matches('V').count(), paths[2].matches('M').count()), (4, 4));
        let ends = paths[1].split(['M', 'V', ' ']).filter_map(|number| number.parse::<f64>().ok());
        assert!(ends.clone().count() == 12 && ends.clone().all(|end| (0.0..=420.0).contains(&end)));
        let lowest = paths[1].split('V').skip(1).chain(paths[1].split([' ', 'V']).skip(1).step_by(2));
        assert!(lowest.filter_map(|y| y.split('M').next()?.parse::<f64>().ok()).all(|y| y < height - 40.0));
    }
}
