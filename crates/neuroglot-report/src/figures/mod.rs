//! Every figure of a report alone, for papers: named by its section, session and what it shows.

mod names;
mod pdf;
mod write;

use crate::Report;
use crate::compare;
use crate::page;
use crate::picture::{Drawing, parsed, standing_alone};
use crate::sections::WIDTH;
use names::Names;
use roxmltree::Node;

/// A figure of a report that stands alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What tells it from all others of its report, such as `examples_5dcee0eb-51c6_co-smoothing-best-unit-3-mtm`: its
    /// section, its session (where it is of one) and what it shows. A safe name for a file on every system.
    pub name: String,
    /// The SVG document, on white, without references to anything outside of it.
    pub svg: String,
}

impl Report {
    /// All figures of the page, in its order; each has its legend with it.
    pub fn figures(&self) -> Vec<Figure> {
        let html = page::render(self);
        let sessions: Vec<&str> = compare::sessions(self).iter().map(|session| session.eid).collect();
        of_page(&html, &sessions)
    }
}

/// Space around a figure and between its parts (px).
const MARGIN: f64 = 8.0;
const GAP: f64 = 16.0;

/// The figures of a page about these sessions.
fn of_page(html: &str, sessions: &[&str]) -> Vec<Figure> {
    let Some(page) = parsed(html) else { return Vec::new() };
    let mut names = Names::of(sessions);
    let elements = page.descendants().filter(|node| node.has_tag_name("figure"));
    elements
        .filter_map(|element| {
            let drawings = Drawing::all_in(element, html);
            let svg = arranged(&drawings)?;
            let (section, session) = (section_of(element)?, session_of(element));
            let name = names.next(section, session, element.attribute("data-name").unwrap_or(""));
            Some(Figure { name, svg })
        })
        .collect()
}

/// The drawings of a figure side by side, as many in a row as its section has room for; `None` if there is none.
fn arranged(drawings: &[Drawing]) -> Option<String> {
    let title = drawings.iter().find(|drawing| !drawing.is_legend()).or(drawings.first())?.label;
    let (mut left, mut top, mut row_height, mut right) = (MARGIN, MARGIN, 0.0f64, 0.0f64);
    let mut body = String::new();
    for drawing in drawings {
        if left > MARGIN && left + drawing.width > MARGIN + WIDTH + GAP {
            (left, top, row_height) = (MARGIN, top + row_height + GAP, 0.0);
        }
        body.push_str(&drawing.at(left, top));
        right = right.max(left + drawing.width);
        row_height = row_height.max(drawing.height);
        left += drawing.width + GAP;
    }
    Some(standing_alone(title, (right + MARGIN, top + row_height + MARGIN), "", &body))
}

/// The id of the section that a figure stands in.
fn section_of<'a>(figure: Node<'a, '_>) -> Option<&'a str> {
    let section = figure.ancestors().find(|node| node.has_tag_name("section"))?;
    section.children().find_map(|child| child.attribute("id"))
}

/// The place of the session that a figure is of.
fn session_of(figure: Node) -> Option<usize> {
    figure.ancestors().find_map(|node| node.attribute("data-session"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(figures: &str) -> String {
        format!(
            "<!DOCTYPE html>\n<html><section><h2 id=\"units\">Units</h2><div data-session=\"0\">{figures}</div></section></html>"
        )
    }

    fn drawing(label: &str, width: u32, height: u32) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" aria-label=\"{label}\"/>"
        )
    }

    #[test]
    fn parts_of_a_figure_are_side_by_side_where_there_is_room() {
        let parts = [("Legend: a", 880, 18), ("one", 420, 300), ("two", 420, 310), ("three", 420, 300)];
        let parts: String =
            parts.iter().map(|(label, width, height)| drawing(label, *width, *height)).collect();
        let figures =
            of_page(&page(&format!("<figure data-name=\"mtm\"><div>{parts}</div></figure>")), &["E"]);
        assert_eq!(figures.len(), 1);
        assert_eq!(figures[0].name, "units_e_mtm");
        let document = roxmltree::Document::parse(&figures[0].svg).expect("well-formed");
        let place =
            |node: Node| (node.attribute("x").unwrap().to_owned(), node.attribute("y").unwrap().to_owned());
        let places: Vec<(String, String)> =
            document.root_element().children().filter(|node| node.has_tag_name("svg")).map(place).collect();
        let expected = [("8", "8"), ("8", "42"), ("444", "42"), ("8", "368")];
        assert_eq!(places, expected.map(|(x, y)| (x.to_owned(), y.to_owned())));
        let root = document.root_element();
        assert_eq!((root.attribute("width"), root.attribute("height")), (Some("896"), Some("676")));
        assert_eq!(
            root.children().find(|node| node.has_tag_name("title")).and_then(|title| title.text()),
            Some("one")
        );
    }

    #[test]
    fn a_figure_without_a_drawing_is_none() {
        assert!(of_page(&page("<figure data-name=\"a\"><p>nothing</p></figure>"), &["E"]).is_empty());
    }
}
