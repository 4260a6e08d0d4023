//! The figures of a page as one picture.

use crate::ReportError;
use crate::style::FIGURE_CSS;
use crate::text::escape;
use neuroglot_files::FilesError;
use roxmltree::{Document, ParsingOptions};
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

/// All figures of a page that this crate made, each with the headings that it is the first under, as one SVG document;
/// `None` if there is none.
pub(crate) fn figures_of(html: &str) -> Option<String> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let page = Document::parse_with_options(html, options).ok()?;
    let mut figures = Vec::new();
    let mut headings: Vec<String> = Vec::new();
    for node in page.descendants() {
        match node.tag_name().name() {
            // Without elements within it.
            "h2" | "h3" | "h4" => headings
                .extend(node.text().filter(|_| !node.children().any(|child| child.is_element())).map(escape)),
            "svg" if node.ancestors().skip(1).all(|above| above.tag_name().name() != "svg") => {
                let size = |name: &str| node.attribute(name)?.parse::<f64>().ok();
                let element = html[node.range()].strip_prefix("<svg ")?;
                figures.push((std::mem::take(&mut headings), element, size("width")?, size("height")?));
            }
            _ => {}
        }
    }
    if figures.is_empty() {
        return None;
    }
    let width = figures.iter().map(|(_, _, width, _)| *width).fold(0.0, f64::max) + 2.0 * MARGIN;
    let (mut body, mut y) = (String::new(), MARGIN);
    for (headings, element, _, height) in figures {
        for heading in headings {
            y += HEADING;
            body.push_str(&format!(
                "<text class=\"heading\" x=\"{MARGIN}\" y=\"{}\">{heading}</text>\n",
                y - 8.0
            ));
        }
        body.push_str(&format!("<svg x=\"{MARGIN}\" y=\"{y}\" {element}\n"));
        y += height + MARGIN;
    }
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" \
         height=\"{y}\" viewBox=\"0 0 {width} {y}\">\n<style>{FIGURE_CSS}.heading {{ font-size: 16px; font-weight: 600; \
         }}\n</style>\n<rect width=\"{width}\" height=\"{y}\" fill=\"#fff\"/>\n{body}</svg>\n"
    ))
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
