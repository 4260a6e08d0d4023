//! The figures of a page as one picture.

use crate::ReportError;
use crate::style::FIGURE_CSS;
use neuroglot_files::FilesError;
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

/// A figure of a page, and the heading before it where it is the first under that.
struct Figure<'a> {
    headings: Vec<&'a str>,
    /// The element, from behind `<svg`.
    element: &'a str,
    width: f64,
    height: f64,
}

/// All figures of a page that this crate made, as one SVG document; `None` if there is none.
pub(crate) fn figures_of(html: &str) -> Option<String> {
    let mut figures: Vec<Figure> = Vec::new();
    let mut headings = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if let Some(element) = rest.strip_prefix("<svg ") {
            let Some(length) = length_of_svg(rest) else { break };
            let element = &element[..length - "<svg ".len()];
            let size = |name: &str| attribute(element, name).and_then(|value| value.parse().ok());
            if let (Some(width), Some(height)) = (size("width"), size("height")) {
                figures.push(Figure { headings: std::mem::take(&mut headings), element, width, height });
            }
            rest = &rest[length..];
        } else if let Some((heading, after)) = heading(rest) {
            headings.push(heading);
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    if figures.is_empty() {
        return None;
    }
    let width = figures.iter().map(|figure| figure.width).fold(0.0, f64::max) + 2.0 * MARGIN;
    let (mut body, mut y) = (String::new(), MARGIN);
    for Figure { headings, element, height, .. } in figures {
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

/// Length of the `<svg …>…</svg>` that a text begins with, others within it.
fn length_of_svg(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        let next = at + text[at..].find('<')?;
        at = next + 1;
        if text[next..].starts_with("<svg") {
            depth += 1;
        } else if text[next..].starts_with("</svg>") {
            depth -= 1;
            if depth == 0 {
                return Some(next + "</svg>".len());
            }
        }
    }
}

/// The first value of an attribute in an element's text.
fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let start = element.find(&format!("{name}=\""))? + name.len() + 2;
    element[start..].split('"').next()
}

/// The text of a heading that a text begins with, and what follows it.
fn heading(text: &str) -> Option<(&str, &str)> {
    for level in ["h2", "h3", "h4"] {
        let is_heading = text.starts_with(&format!("<{level}>")) || text.starts_with(&format!("<{level} "));
        if is_heading {
            let (_, inside) = text.split_once('>')?;
            return inside.split_once(&format!("</{level}>")).filter(|(heading, _)| !heading.contains('<'));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_one_below_the_other_under_their_headings() {
        let page = "<h2 id=\"a\">Units &amp; more</h2><figure><svg xmlns=\"x\" width=\"100\" height=\"50\">\
                    <svg x=\"1\"><g/></svg></svg></figure><p>text</p><svg width=\"300\" height=\"20.5\"><g/></svg>\
                    <h3>Without a figure</h3>";
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
        assert_eq!(figures_of("<h2>Scores</h2><table></table>"), None);
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
