//! Two scores of the same units against each other, on equal axes.

use super::axis::Frame;
use super::ink::Ink;
use super::limits;
use super::palette::Marker;
use super::svg::{Anchor, Area, Marks, Svg, px};
use super::ticks::Ticks;

/// One unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub x: f64,
    pub y: f64,
    /// Best score possible, where known: a short bar above the unit.
    pub ceiling: Option<f64>,
    /// Index of its class.
    pub class: usize,
}

/// How the points of a class are drawn.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub marker: Marker,
    pub ink: Ink,
}

/// Height of a line of the note (px).
const NOTE_LINE: f64 = 15.0;

/// A square plot with the diagonal. `note` stands above it. Points outside the axes are drawn at the
/// edge; their number is returned with the figure.
pub(crate) fn figure(
    title: &str,
    note: &[String],
    labels: (&str, &str),
    points: &[Point],
    classes: &[Class],
    width: f64,
) -> (String, usize) {
    let side = width - 66.0;
    let top = 22.0 + NOTE_LINE * note.len() as f64;
    let area = Area { left: 56.0, top, width: side, height: side };
    let points: Vec<&Point> =
        points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
    let values = points.iter().flat_map(|point| [point.x, point.y].into_iter().chain(point.ceiling));
    let ends = limits::robust(values, 0.01, 0.15);
    let frame = Frame::new(area, ends, ends);
    let ticks = Ticks::between(ends.0, ends.1, 5);

    let mut svg = Svg::new(width, top + side + 42.0, title);
    svg.text((area.left, 14.0), Anchor::Start, "panel", title);
    frame.draw_zero(&mut svg);
    if frame.x.holds(0.0) {
        let x = frame.x.at(0.0);
        svg.line((x, area.top), (x, area.bottom()), "zero");
    }
    svg.line((area.left, area.bottom()), (area.right(), area.top), "diagonal");
    frame.draw_x(&mut svg, &ticks, labels.0);
    frame.draw_y(&mut svg, &ticks, labels.1);

    let ceilings: String = points
        .iter()
        .filter(|point| frame.x.holds(point.x))
        .filter_map(|point| {
            point.ceiling.filter(|ceiling| frame.y.holds(*ceiling)).map(|ceiling| (point.x, ceiling))
        })
        .map(|(x, ceiling)| format!("M{} {}h6", px(frame.x.at(x) - 3.0), px(frame.y.at(ceiling))))
        .collect();
    svg.path(&ceilings, "class=\"ceiling\"");

    let mut outside = 0;
    for (index, class) in classes.iter().enumerate() {
        let mut marks = Marks::default();
        for point in points.iter().filter(|point| point.class == index) {
            let at = (frame.x.clamped(point.x), frame.y.clamped(point.y));
            marks.add(&class.marker.path(at), frame.x.holds(point.x) && frame.y.holds(point.y));
        }
        marks.draw(&mut svg, &class.ink);
        outside += marks.outside;
    }
    for (index, line) in note.iter().enumerate() {
        svg.text((area.left, 14.0 + NOTE_LINE * (index + 1) as f64), Anchor::Start, "note", line);
    }
    (svg.finish(), outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_without_a_score_are_left_out_and_far_ones_drawn_at_the_edge() {
        let mut points: Vec<Point> = (0..150)
            .map(|index| Point { x: f64::from(index) / 150.0, y: 0.5, ceiling: None, class: 0 })
            .collect();
        points.push(Point { x: -50.0, y: 0.5, ceiling: Some(f64::NAN), class: 0 });
        points.push(Point { x: f64::NAN, y: 0.5, ceiling: None, class: 0 });
        let classes = [Class { marker: Marker::Square, ink: Ink::plain("#000000") }];
        let (text, outside) = figure("a", &[], ("x", "y"), &points, &classes, 300.0);
        assert_eq!(outside, 1);
        roxmltree::Document::parse(&text).expect("well-formed");
        assert_eq!(text.matches("h5v5h-5z").count(), 151);
        assert!(!text.contains("NaN"));
    }
}
