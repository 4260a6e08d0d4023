//! Builds one SVG figure element by element.

use super::ink::Ink;
use crate::text::escape;
use std::fmt::Write;

/// Which point of a text its position names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// A rectangle in pixels of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Area {
    pub fn right(self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// A figure under construction. Elements whose position is not finite are left out.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    label: String,
    body: String,
}

impl Svg {
    /// An empty figure of `width` × `height` pixels; `label` says in words what it shows.
    pub fn new(width: f64, height: f64, label: &str) -> Self {
        Svg { width, height, label: label.to_string(), body: String::new() }
    }

    /// A straight line of a style-sheet class.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        if [from.0, from.1, to.0, to.1].iter().all(|value| value.is_finite()) {
            let (x1, y1, x2, y2) = (px(from.0), px(from.1), px(to.0), px(to.1));
            let _ = writeln!(
                self.body,
                "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
            );
        }
    }

    /// A text of a style-sheet class; `text` is escaped here.
    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        self.turned_text(at, anchor, class, text, 0.0);
    }

    /// A text turned by `degrees` (clockwise) about its position.
    pub fn turned_text(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str, degrees: f64) {
        self.short_text(at, anchor, class, (text, text), degrees);
    }

    /// The short form of a text, turned by `degrees`; the whole text, if it is another, is shown when pointed at.
    pub fn short_text(
        &mut self,
        at: (f64, f64),
        anchor: Anchor,
        class: &str,
        (short, whole): (&str, &str),
        degrees: f64,
    ) {
        if !(at.0.is_finite() && at.1.is_finite()) {
            return;
        }
        let (x, y) = (px(at.0), px(at.1));
        let turn = if degrees == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({} {x} {y})\"", px(degrees))
        };
        let (anchor, text) = (anchor.name(), escape(short));
        let title = if short == whole { String::new() } else { format!("<title>{}</title>", escape(whole)) };
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{turn}>{title}{text}</text>"
        );
    }

    /// A filled rectangle; `title`, if not empty, is shown when pointed at.
    pub fn rect(&mut self, area: Area, class: &str, fill: &str, title: &str) {
        if ![area.left, area.top, area.width, area.height].iter().all(|value| value.is_finite()) {
            return;
        }
        let position = position(area);
        let fill = if fill.is_empty() { String::new() } else { format!(" fill=\"{fill}\"") };
        if title.is_empty() {
            let _ = writeln!(self.body, "<rect class=\"{class}\" {position}{fill}/>");
        } else {
            let title = escape(title);
            let _ =
                writeln!(self.body, "<rect class=\"{class}\" {position}{fill}><title>{title}</title></rect>");
        }
    }

    /// A path with its data and further attributes, both made by this crate and never from a file's text.
    pub fn path(&mut self, data: &str, attributes: &str) {
        if !data.is_empty() {
            let _ = writeln!(self.body, "<path d=\"{data}\" {attributes}/>");
        }
    }

    /// A PNG image as a `data:` address, stretched over `area` without smoothing.
    pub fn image(&mut self, area: Area, address: &str) {
        let position = position(area);
        let _ = writeln!(
            self.body,
            "<image class=\"map\" {position} preserveAspectRatio=\"none\" href=\"{address}\"/>"
        );
    }

    /// What `draw` adds is visible inside `area` only.
    pub fn clipped(&mut self, area: Area, draw: impl FnOnce(&mut Svg)) {
        let position = position(area);
        let (left, top, width, height) = (px(area.left), px(area.top), px(area.width), px(area.height));
        let _ = writeln!(
            self.body,
            "<svg {position} viewBox=\"{left} {top} {width} {height}\" overflow=\"hidden\">"
        );
        draw(self);
        self.body.push_str("</svg>\n");
    }

    /// The finished element.
    pub fn finish(self) -> String {
        let (width, height, label) = (px(self.width), px(self.height), escape(&self.label));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\"><title>{label}</title>\n{}</svg>\n",
            self.body
        )
    }
}

/// Marks of one kind: those inside of the axes, and those drawn hollow at their edge.
#[derive(Default)]
pub(crate) struct Marks {
    inner: String,
    edge: String,
    /// How many are at the edge.
    pub outside: usize,
}

impl Marks {
    /// Adds a mark's path.
    pub fn add(&mut self, path: &str, is_inside: bool) {
        if is_inside {
            self.inner.push_str(path);
        } else {
            self.outside += 1;
            self.edge.push_str(path);
        }
    }

    pub fn draw(&self, svg: &mut Svg, ink: &Ink) {
        svg.path(&self.inner, &format!("class=\"mark\" {}", ink.filled()));
        svg.path(&self.edge, &format!("class=\"edge\" stroke=\"{}\"", ink.edge));
    }
}

fn position(area: Area) -> String {
    let (x, y, width, height) =
        (px(area.left), px(area.top), px(area.width.max(0.0)), px(area.height.max(0.0)));
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

/// A length in pixels with at most one decimal, kept within what every reader of SVG can hold.
pub(crate) fn px(value: f64) -> String {
    let rounded = (value.clamp(-1e6, 1e6) * 10.0).round() / 10.0;
    // Adding zero turns −0 into 0.
    format!("{}", rounded + 0.0)
}

/// Roughly how wide `text` is at `size` pixels in the page's sans-serif font; no font is at hand to measure it.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_at_most_one_decimal() {
        assert_eq!(px(12.3456), "12.3");
        assert_eq!(px(-0.01), "0");
        assert_eq!(px(1e300), "1000000");
    }

    #[test]
    fn elements_without_a_position_are_left_out_and_text_is_escaped() {
        let mut svg = Svg::new(10.0, 20.0, "a < b");
        svg.line((f64::NAN, 0.0), (1.0, 1.0), "axis");
        svg.text((0.0, f64::INFINITY), Anchor::Start, "tick", "x");
        svg.text((1.0, 2.0), Anchor::End, "tick", "<b>");
        let text = svg.finish();
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        assert_eq!(document.root_element().attribute("aria-label"), Some("a < b"));
        let texts = document.descendants().filter(|node| node.tag_name().name() == "text");
        assert_eq!(texts.count(), 1);
        assert!(
            document.descendants().any(|node| node.tag_name().name() == "text" && node.text() == Some("<b>"))
        );
        assert!(!text.contains("<line"));
    }
}
