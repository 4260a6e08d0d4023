//! Lines over an axis, with gaps where a value is not finite.

use super::axis::Frame;
use super::legend::{self, Entry, LINE_HEIGHT, Sample};
use super::limits;
use super::palette::{Marker, colour, dash};
use super::svg::{Anchor, Area, Svg, px};
use super::ticks::Ticks;

/// One line.
pub(crate) struct Line {
    pub label: String,
    /// `(x, y)` in the order drawn.
    pub points: Vec<(f64, f64)>,
    /// Index of its colour.
    pub colour: usize,
    /// Index of its dash pattern.
    pub dash: usize,
    /// Marker set at a few points along it.
    pub marker: Option<Marker>,
    /// Whether it is drawn thinner than others, to lie below them.
    pub thin: bool,
}

/// Colour of what was recorded: black.
const RECORDED: usize = 6;
/// Colour of what was predicted of it: vermillion.
const PREDICTED: usize = 1;

impl Line {
    /// What was recorded: thin, to lie below what was predicted.
    pub fn recorded(points: Vec<(f64, f64)>) -> Line {
        Line { label: String::new(), points, colour: RECORDED, dash: 0, marker: None, thin: true }
    }

    /// What was predicted.
    pub fn predicted(points: Vec<(f64, f64)>) -> Line {
        Line { label: String::new(), points, colour: PREDICTED, dash: 1, marker: None, thin: false }
    }

    fn entry(&self) -> Entry {
        let sample = Sample::Line { colour: self.colour, dash: self.dash, marker: self.marker };
        Entry { sample, label: self.label.clone() }
    }
}

/// Draws what [`Line::recorded`] and [`Line::predicted`] are called, each at its place.
pub(crate) fn draw_legend(svg: &mut Svg, labels: [&str; 2], lefts: [f64; 2], top: f64) {
    let lines = [Line::recorded(Vec::new()), Line::predicted(Vec::new())];
    for ((line, label), left) in lines.into_iter().zip(labels).zip(lefts) {
        let line = Line { label: label.to_owned(), ..line };
        legend::draw_column(svg, &[line.entry()], left, top);
    }
}

/// Points from which on a line is long: the first of so many may lie outside the axis.
const LONG: usize = 30;

/// Markers along one line.
const MARKERS: usize = 6;

/// Draws `line` inside `frame`; parts outside are cut off.
pub(crate) fn draw(svg: &mut Svg, frame: &Frame, line: &Line) {
    let (stroke, dashes) = (colour(line.colour), dash(line.dash));
    let points: Vec<(f64, f64)> = line.points.iter().map(|(x, y)| (frame.x.at(*x), frame.y.at(*y))).collect();
    let class = if line.thin { "line thin" } else { "line" };
    svg.clipped(frame.area, |svg| {
        svg.path(
            &path_data(&points),
            &format!("class=\"{class}\" stroke=\"{stroke}\" stroke-dasharray=\"{dashes}\""),
        );
    });
    if let Some(marker) = line.marker {
        let visible: Vec<(f64, f64)> = points
            .iter()
            .zip(&line.points)
            .filter(|(at, (_, value))| at.0.is_finite() && at.1.is_finite() && frame.y.holds(*value))
            .map(|(at, _)| *at)
            .collect();
        let every = visible.len().div_ceil(MARKERS).max(1);
        // Lines are marked at different places, so that markers on lines that run together do not hide each other.
        let data: String = visible
            .iter()
            .skip((line.colour * 2 + line.dash) % every)
            .step_by(every)
            .map(|at| marker.path(*at))
            .collect();
        svg.path(&data, &format!("fill=\"{stroke}\""));
    }
}

/// Fills what lies between two lines of equally many points, pale; points that are not finite are left out.
pub(crate) fn draw_band(svg: &mut Svg, frame: &Frame, low: &[(f64, f64)], high: &[(f64, f64)]) {
    let edge = low.iter().chain(high.iter().rev()).map(|(x, y)| (frame.x.at(*x), frame.y.at(*y)));
    let edge: Vec<(f64, f64)> = edge.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    svg.clipped(frame.area, |svg| svg.path(&path_data(&edge), "class=\"band\""));
}

/// Path data through `points` (px): a gap where one is not finite, a dot where one stands alone.
fn path_data(points: &[(f64, f64)]) -> String {
    let mut data = String::new();
    for run in points.split(|(x, y)| !(x.is_finite() && y.is_finite())) {
        for (index, (x, y)) in run.iter().enumerate() {
            data.push_str(if index == 0 { "M" } else { "L" });
            data.push_str(&format!("{} {}", px(*x), px(*y)));
        }
        if run.len() == 1 {
            data.push_str("h0");
        }
    }
    data
}

/// A plot `size` px wide and high of `lines` over `x_label`, `title` above it and a legend beside it. Of long lines, values
/// far from all others lie outside the axis; their number is returned with the figure.
pub(crate) fn figure(title: &str, lines: &[Line], x_label: &str, size: (f64, f64)) -> (String, usize) {
    let entries: Vec<Entry> = lines.iter().map(Line::entry).collect();
    let height = size.1.max(70.0 + LINE_HEIGHT * lines.len() as f64);
    let (left, top) = (56.0, 26.0);
    let width = size.0 - left - legend::width(&entries) - 24.0;
    let area = Area { left, top, width, height: height - top - 42.0 };
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (x_low, x_high) = limits::full(points().map(|(x, _)| x));
    // The first epochs can lie far from all others; the axis is made for the others where there are many.
    let longest = lines.iter().map(|line| line.points.len()).max().unwrap_or(0);
    let tail = if longest >= LONG { 0.05 } else { 0.0 };
    let frame = Frame::new(area, (x_low, x_high), limits::robust(points().map(|(_, y)| y), tail, 1.0));
    let outside = points().filter(|(_, y)| y.is_finite() && !frame.y.holds(*y)).count();

    let mut svg = Svg::new(size.0, height, title);
    svg.text((0.0, 12.0), Anchor::Start, "panel", title);
    frame.draw_zero(&mut svg);
    frame.draw_x(&mut svg, &Ticks::whole(x_low, x_high, 6), x_label);
    frame.draw_y(&mut svg, &Ticks::between(frame.y.domain.0, frame.y.domain.1, 5), "");
    for line in lines {
        draw(&mut svg, &frame, line);
    }
    legend::draw_column(&mut svg, &entries, area.right() + 24.0, area.top);
    (svg.finish(), outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_finite_are_gaps_and_lone_points_dots() {
        let nan = f64::NAN;
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, nan), (3.0, 4.0), (4.0, f64::INFINITY)];
        assert_eq!(path_data(&points), "M0 1L1 2M3 4h0");
        assert_eq!(path_data(&[(nan, nan)]), "");
    }

    #[test]
    fn every_point_of_a_short_line_lies_on_the_axis_and_what_lies_outside_is_counted() {
        let line = |count: usize| Line {
            label: "mtm".into(),
            points: (0..count).map(|x| (x as f64, if x == 0 { -50.0 } else { 0.01 * x as f64 })).collect(),
            colour: 0,
            dash: 0,
            marker: None,
            thin: false,
        };
        let outside = |count| figure("score", &[line(count)], "epoch", (600.0, 200.0)).1;
        assert_eq!((outside(6), outside(100)), (0, 1));
    }

    #[test]
    fn a_panel_without_a_single_value_is_still_a_figure() {
        let line = Line {
            label: "<empty>".into(),
            points: vec![(1.0, f64::NAN)],
            colour: 0,
            dash: 0,
            marker: Some(Marker::Circle),
            thin: false,
        };
        let (text, outside) = figure("loss", &[line], "epoch", (600.0, 200.0));
        assert_eq!(outside, 0);
        roxmltree::Document::parse(&text).expect("well-formed");
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }
}
