//! Scores at a few steps of something (sessions, trials), with intervals, the steps evenly spaced.

use super::axis::Frame;
use super::limits;
use super::palette::{Marker, colour, dash};
use super::svg::{Anchor, Area, Svg, px};

/// One score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Which step.
    pub place: usize,
    pub value: f64,
    /// Ends of its interval.
    pub ends: Option<(f64, f64)>,
}

/// Scores that belong together, from the first step to the last.
pub(crate) struct Curve {
    /// Index of its colour, dash pattern and marker.
    pub colour: usize,
    pub points: Vec<Point>,
}

/// A plot `width` px wide; `ticks` names the steps, `labels` the axes.
pub(crate) fn figure(
    title: &str,
    curves: &[Curve],
    ticks: &[String],
    labels: (&str, &str),
    width: f64,
) -> String {
    let area = Area { left: 56.0, top: 24.0, width: width - 66.0, height: 190.0 };
    let points = curves.iter().flat_map(|curve| &curve.points);
    let values = points.flat_map(|point| {
        let ends = point.ends.into_iter().flat_map(|(low, high)| [low, high]);
        ends.chain([point.value])
    });
    let ends = limits::full(values);
    let frame = Frame::new(area, (-0.5, ticks.len().max(1) as f64 - 0.5), ends);
    let mut svg = Svg::new(width, area.bottom() + 42.0, title);
    frame.draw_panel(&mut svg, title, labels.1);
    frame.draw_base(&mut svg);
    let bottom = area.bottom();
    for (place, tick) in ticks.iter().enumerate() {
        let x = frame.x.at(place as f64);
        svg.line((x, bottom), (x, bottom + 4.0), "axis");
        svg.text((x, bottom + 15.0), Anchor::Middle, "tick", tick);
    }
    svg.text((area.left + area.width / 2.0, bottom + 32.0), Anchor::Middle, "label", labels.0);
    for curve in curves {
        draw(&mut svg, &frame, curve, curves.len());
    }
    svg.finish()
}

fn draw(svg: &mut Svg, frame: &Frame, curve: &Curve, curves: usize) {
    let (stroke, dashes) = (colour(curve.colour), dash(curve.colour));
    // Curves stand a little beside each other, so that their intervals do not hide one another.
    let shift = (curve.colour as f64 - (curves as f64 - 1.0) / 2.0) * 5.0;
    let finite = curve.points.iter().filter(|point| point.value.is_finite());
    let at = |point: &Point, value: f64| (frame.x.at(point.place as f64) + shift, frame.y.at(value));
    let (mut line, mut bars, mut marks) = (String::new(), String::new(), String::new());
    for (index, point) in finite.enumerate() {
        let (x, y) = at(point, point.value);
        line.push_str(&format!("{}{} {}", if index == 0 { "M" } else { "L" }, px(x), px(y)));
        marks.push_str(&Marker::of(curve.colour).path((x, y)));
        if let Some((low, high)) = point.ends.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            bars.push_str(&format!("M{} {}V{}", px(x), px(at(point, low).1), px(at(point, high).1)));
        }
    }
    svg.path(&line, &format!("class=\"line\" stroke=\"{stroke}\" stroke-dasharray=\"{dashes}\""));
    svg.path(&bars, &format!("stroke=\"{stroke}\" stroke-width=\"1.2\""));
    svg.path(&marks, &format!("fill=\"{stroke}\""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_joined_and_have_their_intervals() {
        let point = |place, value, ends| Point { place, value, ends };
        let curve = Curve {
            colour: 0,
            points: vec![point(0, 0.1, Some((0.0, 0.2))), point(1, 0.3, None), point(2, f64::NAN, None)],
        };
        let ticks = ["0", "3", "<all>"].map(String::from);
        let text = figure("t", &[curve], &ticks, ("sessions", "bits/spike"), 420.0);
        roxmltree::Document::parse(&text).expect("well-formed");
        assert_eq!(text.matches("m-2.8 0a").count(), 2);
        assert!(text.contains("&lt;all&gt;") && !text.contains("NaN"));
    }
}
