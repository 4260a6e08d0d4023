//! Means side by side, each with two intervals, in bands with a common axis.

use super::axis::Frame;
use super::limits;
use super::palette::{Marker, colour};
use super::svg::{Anchor, Area, Svg, px};
use crate::text::told_apart;

/// What stands in one band, such as the methods scored in one task.
pub(crate) struct Band {
    pub label: String,
    pub means: Vec<Mean>,
}

/// A mean with its intervals.
pub(crate) struct Mean {
    pub value: f64,
    /// The interval drawn as a thick bar.
    pub inner: Option<(f64, f64)>,
    /// The interval drawn as a thin bar.
    pub outer: Option<(f64, f64)>,
    /// Index of its colour and marker.
    pub colour: usize,
}

/// A plot `width` px wide.
pub(crate) fn figure(title: &str, y_label: &str, bands: &[Band], width: f64) -> String {
    let area = Area { left: 56.0, top: 24.0, width: width - 62.0, height: 190.0 };
    let all = bands.iter().flat_map(|band| &band.means);
    let values = all.flat_map(|mean| {
        let ends = mean.inner.into_iter().chain(mean.outer).flat_map(|(low, high)| [low, high]);
        ends.chain([mean.value])
    });
    let ends = limits::full(values.chain([0.0]));
    let frame = Frame::new(area, (0.0, bands.len().max(1) as f64), ends);
    let mut svg = Svg::new(width, area.bottom() + 26.0, title);
    frame.draw_panel(&mut svg, title, y_label);
    frame.draw_base(&mut svg);
    let labels: Vec<&str> = bands.iter().map(|band| band.label.as_str()).collect();
    let labels = told_apart(&labels, 24);
    for (index, band) in bands.iter().enumerate() {
        let middle = frame.x.at(index as f64 + 0.5);
        let at = (middle, area.bottom() + 16.0);
        svg.short_text(at, Anchor::Middle, "label", (&labels[index], &band.label), 0.0);
        let count = band.means.len() as f64;
        for (place, mean) in band.means.iter().enumerate() {
            // Means keep within the middle 70 % of their band.
            let x = frame.x.at(index as f64 + 0.15 + 0.7 * (place as f64 + 0.5) / count);
            draw(&mut svg, &frame, x, mean);
        }
    }
    svg.finish()
}

fn draw(svg: &mut Svg, frame: &Frame, x: f64, mean: &Mean) {
    let stroke = colour(mean.colour);
    let bar = |ends: Option<(f64, f64)>| {
        let (low, high) = ends.filter(|(low, high)| low.is_finite() && high.is_finite())?;
        Some(format!("M{} {}V{}", px(x), px(frame.y.at(low)), px(frame.y.at(high))))
    };
    svg.path(&bar(mean.outer).unwrap_or_default(), &format!("stroke=\"{stroke}\" stroke-width=\"1.2\""));
    svg.path(
        &bar(mean.inner).unwrap_or_default(),
        &format!("stroke=\"{stroke}\" stroke-width=\"4\" stroke-opacity=\"0.45\""),
    );
    if mean.value.is_finite() {
        let at = (x, frame.y.at(mean.value));
        svg.path(&Marker::of(mean.colour).path(at), &format!("fill=\"{stroke}\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mean_and_interval_is_drawn_once() {
        let mean = |value, inner, outer| Mean { value, inner, outer, colour: 1 };
        let bands = [
            Band {
                label: "<co-smoothing>".into(),
                means: vec![
                    mean(0.5, Some((0.4, 0.6)), Some((0.1, 0.9))),
                    mean(0.2, Some((0.1, 0.3)), None),
                    mean(f64::NAN, Some((f64::NAN, 1.0)), None),
                ],
            },
            Band { label: "forward".into(), means: vec![] },
        ];
        let text = figure("t", "bits/spike", &bands, 600.0);
        roxmltree::Document::parse(&text).expect("well-formed");
        assert_eq!(text.matches("m-2.5-2.5h5v5h-5z").count(), 2);
        assert_eq!(
            (text.matches("stroke-width=\"4\"").count(), text.matches("stroke-width=\"1.2\"").count()),
            (2, 1)
        );
        assert!(!text.contains("NaN"));
    }
}
