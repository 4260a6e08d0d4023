//! Scores of units side by side, region by region and in order within each.

use super::axis::Frame;
use super::limits;
use super::region_styles::RegionStyles;
use super::svg::{Anchor, Area, Marks, Svg, px};
use crate::text::told_apart;

/// The units of one region: `(score, ceiling)`.
pub(crate) struct Strip {
    pub region: String,
    pub units: Vec<(f64, Option<f64>)>,
}

/// Gap between regions (px).
const GAP: f64 = 5.0;
/// Least width of a region (px), which its turned name needs.
const LEAST_WIDTH: f64 = 13.0;

/// A dot plot `width` px wide, in the markers and colours of the regions; the mean of a region is a line across it. Units
/// outside the axis are drawn at the edge; their number is returned with the figure.
pub(crate) fn figure(
    title: &str,
    y_label: &str,
    strips: &[Strip],
    styles: &RegionStyles,
    width: f64,
) -> (String, usize) {
    let area = Area { left: 56.0, top: 24.0, width: width - 62.0, height: 170.0 };
    let values = strips.iter().flat_map(|strip| &strip.units);
    let ends = limits::robust(
        values.flat_map(|(score, ceiling)| std::iter::once(*score).chain(*ceiling)),
        0.01,
        0.15,
    );
    let frame = Frame::new(area, (0.0, 1.0), ends);

    let mut svg = Svg::new(width, area.bottom() + 56.0, title);
    frame.draw_panel(&mut svg, title, y_label);
    frame.draw_base(&mut svg);

    // Every region gets what its name needs, and shares the rest by its number of units.
    let count = strips.len() as f64;
    let units: usize = strips.iter().map(|strip| strip.units.len()).sum();
    let spare = (area.width - count * (LEAST_WIDTH + GAP)).max(0.0);
    let least = LEAST_WIDTH.min(area.width / count.max(1.0) - GAP).max(1.0);
    let (mut left, mut outside) = (area.left + GAP, 0);
    let names: Vec<&str> = strips.iter().map(|strip| strip.region.as_str()).collect();
    for (strip, name) in strips.iter().zip(told_apart(&names, 9)) {
        let (marker, ink) = (styles.marker(&strip.region), styles.ink(&strip.region));
        let strip_width = least + spare * strip.units.len() as f64 / units.max(1) as f64;
        let mut sorted = strip.units.clone();
        sorted.retain(|(score, _)| score.is_finite());
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let step = strip_width / sorted.len().max(1) as f64;
        let (mut ceilings, mut marks) = (String::new(), Marks::default());
        for (index, (score, ceiling)) in sorted.iter().enumerate() {
            let x = left + step * (index as f64 + 0.5);
            if let Some(ceiling) = ceiling.filter(|ceiling| frame.y.holds(*ceiling)) {
                ceilings.push_str(&format!("M{} {}h4", px(x - 2.0), px(frame.y.at(ceiling))));
            }
            marks.add(&marker.path((x, frame.y.clamped(*score))), frame.y.holds(*score));
        }
        svg.path(&ceilings, "class=\"ceiling\"");
        marks.draw(&mut svg, &ink);
        outside += marks.outside;
        if !sorted.is_empty() {
            let mean = sorted.iter().map(|(score, _)| score).sum::<f64>() / sorted.len() as f64;
            if frame.y.holds(mean) {
                svg.line((left, frame.y.at(mean)), (left + strip_width, frame.y.at(mean)), "mean");
            }
        }
        let at = (left + strip_width / 2.0 + 4.0, area.bottom() + 8.0);
        svg.short_text(at, Anchor::End, "tick", (&name, &strip.region), -60.0);
        left += strip_width + GAP;
    }
    (svg.finish(), outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scored_unit_is_drawn_once_with_its_ceiling() {
        let strips = [
            Strip { region: "CA1".into(), units: vec![(0.2, Some(0.4)), (f64::NAN, None), (0.1, None)] },
            Strip { region: "<void>".into(), units: vec![] },
        ];
        let (text, outside) = figure("a", "bits/spike", &strips, &RegionStyles::of(["CA1"]), 400.0);
        roxmltree::Document::parse(&text).expect("well-formed");
        assert_eq!(text.matches("m-2.8 0a").count(), 2);
        assert_eq!(text.matches("h4").count(), 1);
        assert_eq!(outside, 0);
        assert!(text.contains("&lt;void&gt;"));
        assert!(text.contains("fill=\"#7ed04b\""), "CA1 has the atlas's colour");
    }
}
