//! The figures of a page as pictures of their own.

use crate::ReportError;
use crate::plot::legend::LEGEND;
use crate::style::FIGURE_CSS;
use crate::text::escape;
use neuroglot_files::FilesError;
use roxmltree::{Document, Node, ParsingOptions};
use std::path::Path;

/// What a page is kept as, told by the ending of its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFormat {
    /// The whole page.
    Html,
    /// Its figures, one below the other, with the headings that they stand under.
    Svg,
}

impl PageFormat {
    /// The format that a file's name asks for.
    ///
    /// # Errors
    /// [`ReportError::Files`] if the path has no file name, [`ReportError::Ending`] for any other ending than `.html`,
    /// `.htm` and `.svg`.
    pub fn of(path: &Path) -> Result<PageFormat, ReportError> {
        if path.file_name().is_none() {
            return Err(FilesError::NoName { path: path.to_owned() }.into());
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("html" | "htm") => Ok(PageFormat::Html),
            Some("svg") => Ok(PageFormat::Svg),
            _ => Err(ReportError::Ending { path: path.to_owned() }),
        }
    }
}

/// Space around figures, and for a heading, px.
const MARGIN: f64 = 20.0;
const HEADING: f64 = 26.0;

/// A page that this crate made, which is XML too; `None` for any other.
pub(crate) fn parsed(html: &str) -> Option<Document<'_>> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).ok()
}

/// An outermost SVG element of a page.
pub(crate) struct Drawing<'a> {
    /// The element without `<svg ` in front.
    markup: &'a str,
    /// What it shows, in words.
    pub label: &'a str,
    /// px.
    pub width: f64,
    /// px.
    pub height: f64,
}

impl<'a> Drawing<'a> {
    /// The drawing that `node` is, if it is one and not a part of one.
    fn of(node: Node<'a, '_>, html: &'a str) -> Option<Drawing<'a>> {
        let is_svg = |node: &Node| node.tag_name().name() == "svg";
        if !is_svg(&node) || node.ancestors().skip(1).any(|above| is_svg(&above)) {
            return None;
        }
        let size = |name: &str| node.attribute(name)?.parse::<f64>().ok();
        Some(Drawing {
            markup: html[node.range()].strip_prefix("<svg ")?,
            label: node.attribute("aria-label").unwrap_or(""),
            width: size("width")?,
            height: size("height")?,
        })
    }

    /// All drawings within an element.
    pub fn all_in(element: Node<'a, '_>, html: &'a str) -> Vec<Drawing<'a>> {
        element.descendants().filter_map(|node| Drawing::of(node, html)).collect()
    }

    /// Whether it says what the colours and markers of others stand for.
    pub fn is_legend(&self) -> bool {
        self.label.starts_with(LEGEND)
    }

    /// The element at a place within another one.
    pub fn at(&self, x: f64, y: f64) -> String {
        format!("<svg x=\"{x}\" y=\"{y}\" {}\n", self.markup)
    }
}

/// An SVG document on white that needs nothing else. `title` says what it shows; `style` comes behind that of figures.
pub(crate) fn standing_alone(title: &str, (width, height): (f64, f64), style: &str, body: &str) -> String {
    let title = if title.is_empty() { String::new() } else { format!("<title>{}</title>\n", escape(title)) };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n{title}<style>{FIGURE_CSS}{style}</style>\n<rect \
         width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// All figures of a page, each with the headings that it is the first under, as one SVG document; `None` if there is none.
pub(crate) fn figures_of(html: &str) -> Option<String> {
    let page = parsed(html)?;
    let mut figures = Vec::new();
    let mut headings: Vec<String> = Vec::new();
    for node in page.descendants() {
        if let "h2" | "h3" | "h4" = node.tag_name().name() {
            // Without elements within it.
            let text = node.text().filter(|_| !node.children().any(|child| child.is_element()));
            headings.extend(text.map(escape));
        } else if let Some(drawing) = Drawing::of(node, html) {
            figures.push((std::mem::take(&mut headings), drawing));
        }
    }
    if figures.is_empty() {
        return None;
    }
    let width = figures.iter().map(|(_, drawing)| drawing.width).fold(0.0, f64::max) + 2.0 * MARGIN;
    let (mut body, mut y) = (String::new(), MARGIN);
    for (headings, drawing) in figures {
        for heading in headings {
            y += HEADING;
            body.push_str(&format!(
                "<text class=\"heading\" x=\"{MARGIN}\" y=\"{}\">{heading}</text>\n",
                y - 8.0
            ));
        }
        body.push_str(&drawing.at(MARGIN, y));
        y += drawing.height + MARGIN;
    }
    let style = ".heading { font-size: 16px; font-weight: 600; }\n";
    Some(standing_alone("", (width, y), style, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_one_below_the_other_under_their_headings() {
        let page = "<html><h2 id=\"a\">Units &amp; more</h2><figure><svg xmlns=\"x\" width=\"100\" height=\"50\">\
                    <svg x=\"1\"><g/></svg></svg></figure><p>text</p><svg width=\"300\" height=\"20.5\"><g/></svg>\
                    <h3>Without a figure</h3></html>";
        let picture = figures_of(page).unwrap();
        let document = roxmltree::Document::parse(&picture).unwrap();
        let root = document.root_element();
        assert_eq!((root.attribute("width"), root.attribute("height")), (Some("340"), Some("156.5")));
        let tops: Vec<&str> = root
            .children()
            .filter(|node| node.tag_name().name() == "svg")
            .filter_map(|node| node.attribute("y"))
            .collect();
        assert_eq!(tops, ["46", "116"]);
        let texts: Vec<&str> = document
            .descendants()
            .filter(|node| node.tag_name().name() == "text")
            .filter_map(|node| node.text())
            .collect();
        assert_eq!(texts, ["Units & more"]);
        assert_eq!(figures_of("<html><h2>Scores</h2><table></table></html>"), None);
    }

    #[test]
    fn the_ending_decides_and_others_are_refused() {
        assert_eq!(PageFormat::of(Path::new("a/report.HTML")).unwrap(), PageFormat::Html);
        assert_eq!(PageFormat::of(Path::new("report.svg")).unwrap(), PageFormat::Svg);
        for other in ["report.pdf", "report.png", "report.csv", "report"] {
            let error = PageFormat::of(Path::new(other)).unwrap_err().to_string();
            assert!(error.contains(".html") && error.contains(".svg"), "{error}");
        }
    }
}
