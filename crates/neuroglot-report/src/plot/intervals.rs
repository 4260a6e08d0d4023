//! Means side by side, each with two intervals, in bands with a common axis.

use super::axis::Frame;
use super::ink::Ink;
use super::limits;
use super::palette::Marker;
use super::svg::{Anchor, Area, Svg, px, text_width};
use crate::text::told_apart;

/// What stands in one band, such as the methods scored in one task.
pub(crate) struct Band {
    pub label: String,
    /// Colour of a bar below the band, such as that of a region.
    pub swatch: Option<String>,
    pub means: Vec<Mean>,
}

/// A mean with its intervals.
pub(crate) struct Mean {
    pub value: f64,
    /// The interval drawn as a thick bar.
    pub inner: Option<(f64, f64)>,
    /// The interval drawn as a thin bar.
    pub outer: Option<(f64, f64)>,
    pub marker: Marker,
    pub ink: Ink,
}

/// Size of the names of bands (px), as in the style sheet.
const LABEL: f64 = 12.0;

/// Ends of an axis that holds zero and all means and intervals, but for those far out of which it says so.
pub(crate) fn ends(bands: &[Band], tail: f64, reach: f64) -> (f64, f64) {
    let values = bands.iter().flat_map(|band| &band.means).flat_map(|mean| {
        let ends = mean.inner.into_iter().chain(mean.outer).flat_map(|(low, high)| [low, high]);
        ends.chain([mean.value])
    });
    limits::robust(values.chain([0.0]), tail, reach)
}

/// A plot `width` px wide whose vertical axis has these ends. Means outside of them are drawn hollow at the edge; their number
/// is returned with the figure.
pub(crate) fn figure(
    title: &str,
    y_label: &str,
    bands: &[Band],
    ends: (f64, f64),
    width: f64,
) -> (String, usize) {
    let area = Area { left: 56.0, top: 24.0, width: width - 62.0, height: 190.0 };
    let frame = Frame::new(area, (0.0, bands.len().max(1) as f64), ends);
    let labels: Vec<&str> = bands.iter().map(|band| band.label.as_str()).collect();
    let labels = told_apart(&labels, 24);
    let widest = labels.iter().map(|label| text_width(label, LABEL)).fold(0.0, f64::max);
    let is_turned = widest > area.width / bands.len().max(1) as f64 - 6.0;
    let swatch = if bands.iter().any(|band| band.swatch.is_some()) { 6.0 } else { 0.0 };
    let below = swatch + if is_turned { 18.0 + 0.87 * widest } else { 26.0 };
    let mut svg = Svg::new(width, area.bottom() + below, title);
    frame.draw_panel(&mut svg, title, y_label);
    frame.draw_base(&mut svg);
    let mut outside = 0;
    for (index, band) in bands.iter().enumerate() {
        let (first, middle) = (frame.x.at(index as f64), frame.x.at(index as f64 + 0.5));
        let label = (labels[index].as_str(), band.label.as_str());
        if is_turned {
            let at = (middle + 4.0, area.bottom() + swatch + 10.0);
            svg.short_text(at, Anchor::End, "label", label, -60.0);
        } else {
            svg.short_text((middle, area.bottom() + swatch + 16.0), Anchor::Middle, "label", label, 0.0);
        }
        if let Some(fill) = &band.swatch {
            let bar = Area {
                left: first + 1.5,
                top: area.bottom() + 2.0,
                width: 2.0 * (middle - first) - 3.0,
                height: 5.0,
            };
            svg.rect(bar, "swatch", fill, &band.label);
        }
        let count = band.means.len() as f64;
        for (place, mean) in band.means.iter().enumerate() {
            // Means keep within the middle 70 % of their band.
            let x = frame.x.at(index as f64 + 0.15 + 0.7 * (place as f64 + 0.5) / count);
            outside += usize::from(!draw(&mut svg, &frame, x, mean));
        }
    }
    (svg.finish(), outside)
}

/// Draws a mean; returns whether it is inside of the axis, or nothing to draw.
fn draw(svg: &mut Svg, frame: &Frame, x: f64, mean: &Mean) -> bool {
    let stroke = &mean.ink.edge;
    let bar = |ends: Option<(f64, f64)>| {
        let (low, high) = ends.filter(|(low, high)| low.is_finite() && high.is_finite())?;
        let (low, high) = (frame.y.clamped(low), frame.y.clamped(high));
        Some(format!("M{} {}V{}", px(x), px(low), px(high)))
    };
    svg.path(&bar(mean.outer).unwrap_or_default(), &format!("stroke=\"{stroke}\" stroke-width=\"1.2\""));
    svg.path(
        &bar(mean.inner).unwrap_or_default(),
        &format!("stroke=\"{stroke}\" stroke-width=\"4\" stroke-opacity=\"0.45\""),
    );
    if !mean.value.is_finite() {
        return true;
    }
    let (is_inside, path) = (frame.y.holds(mean.value), mean.marker.path((x, frame.y.clamped(mean.value))));
    if is_inside {
        svg.path(&path, &mean.ink.filled());
    } else {
        svg.path(&path, &format!("class=\"edge\" stroke=\"{stroke}\""));
    }
    is_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(value: f64, inner: Option<(f64, f64)>, outer: Option<(f64, f64)>) -> Mean {
        Mean { value, inner, outer, marker: Marker::Square, ink: Ink::plain("#D55E00") }
    }

    fn band(label: &str, swatch: Option<&str>, means: Vec<Mean>) -> Band {
        Band { label: label.into(), swatch: swatch.map(str::to_owned), means }
    }

    #[test]
    fn every_mean_and_interval_is_drawn_once() {
        let means = vec![
            mean(0.5, Some((0.4, 0.6)), Some((0.1, 0.9))),
            mean(0.2, Some((0.1, 0.3)), None),
            mean(f64::NAN, Some((f64::NAN, 1.0)), None),
        ];
        let bands = [band("<co-smoothing>", None, means), band("forward", None, vec![])];
        let (text, outside) = figure("t", "bits/spike", &bands, ends(&bands, 0.0, 0.0), 600.0);
        roxmltree::Document::parse(&text).expect("well-formed");
        assert_eq!(text.matches("m-2.5-2.5h5v5h-5z").count(), 2);
        assert_eq!(
            (text.matches("stroke-width=\"4\"").count(), text.matches("stroke-width=\"1.2\"").count()),
            (2, 1)
        );
        assert!(!text.contains("NaN") && !text.contains("rotate(-60"));
        assert_eq!(outside, 0);
    }

    #[test]
    fn many_bands_have_turned_names_and_what_is_far_out_is_hollow_at_the_edge() {
        let mut bands: Vec<Band> = (0..40)
            .map(|place| {
                band(
                    &format!("region {place}"),
                    Some("#7ed04b"),
                    vec![mean(0.01 * f64::from(place), None, None)],
                )
            })
            .collect();
        bands[7].means[0].value = -20.0;
        let (text, outside) = figure("t", "bits/spike", &bands, ends(&bands, 0.02, 0.2), 880.0);
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        let with = |class: &str| {
            document.descendants().filter(|node| node.attribute("class") == Some(class)).count()
        };
        assert_eq!((with("swatch"), with("edge"), outside), (40, 1, 1));
        assert_eq!(text.matches("rotate(-60").count(), 40);
    }
}
