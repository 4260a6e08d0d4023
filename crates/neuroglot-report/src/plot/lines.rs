//! Lines over an axis, with gaps where a value is not finite.

use super::axis::Frame;
use super::legend::{self, Entry, LINE_HEIGHT, Sample};
use super::limits;
use super::palette::{Marker, colour, dash};
use super::svg::{Area, Svg, px};
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
}

/// Markers along one line.
const MARKERS: usize = 6;

/// Draws `line` inside `frame`; parts outside are cut off.
pub(crate) fn draw(svg: &mut Svg, frame: &Frame, line: &Line) {
    let (stroke, dashes) = (colour(line.colour), dash(line.dash));
    let points: Vec<(f64, f64)> = line.points.iter().map(|(x, y)| (frame.x.at(*x), frame.y.at(*y))).collect();
    svg.clipped(frame.area, |svg| {
        svg.path(
            &path_data(&points),
            &format!("class=\"line\" stroke=\"{stroke}\" stroke-dasharray=\"{dashes}\""),
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
        let data: String =
            visible.iter().skip((line.colour * 2 + line.dash) % every).step_by(every).map(|at| marker.path(*at)).collect();
        svg.path(&data, &format!("fill=\"{stroke}\""));
    }
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

/// A plot `width` × `height` px of `lines` over `x_label`, with a legend beside it.
pub(crate) fn figure(title: &str, lines: &[Line], x_label: &str, y_label: &str, size: (f64, f64)) -> String {
    let legend_width = 210.0;
    let height = size.1.max(60.0 + LINE_HEIGHT * lines.len() as f64);
    let area = Area { left: 62.0, top: 12.0, width: size.0 - 62.0 - legend_width, height: height - 56.0 };
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (x_low, x_high) = limits::full(points().map(|(x, _)| x));
    // The first epochs can lie far from all others; the axis is made for the others.
    let frame = Frame::new(area, (x_low, x_high), limits::robust(points().map(|(_, y)| y), 0.03));

    let mut svg = Svg::new(size.0, height, title);
    frame.draw_zero(&mut svg);
    frame.draw_x(&mut svg, &Ticks::whole(x_low, x_high, 6), x_label);
    frame.draw_y(&mut svg, &Ticks::between(frame.y.domain.0, frame.y.domain.1, 5), y_label);
    for line in lines {
        draw(&mut svg, &frame, line);
    }
    let entries: Vec<Entry> = lines
        .iter()
        .map(|line| Entry {
            sample: Sample::Line { colour: line.colour, dash: line.dash, marker: line.marker },
            label: line.label.clone(),
        })
        .collect();
    legend::draw_column(&mut svg, &entries, area.right() + 20.0, area.top);
    svg.finish()
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
    fn a_panel_without_a_single_value_is_still_a_figure() {
        let line = Line {
            label: "<empty>".into(),
            points: vec![(1.0, f64::NAN)],
            colour: 0,
            dash: 0,
            marker: Some(Marker::Circle),
        };
        let text = figure("loss", &[line], "epoch", "loss", (600.0, 200.0));
        roxmltree::Document::parse(&text).expect("well-formed");
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }
}
