//! Units × units as a picture, with the regions that the units are sorted by along its sides.

use super::colour_bar::draw_both_signs;
use super::raster::Raster;
use super::region_styles::RegionStyles;
use super::svg::{Anchor, Area, Svg, text_width};
use neuroglot_data::number::counted;

/// Width and height of the picture (px).
const SIDE: f64 = 380.0;

/// Thickness of the bars of regions (px).
const SWATCH: f64 = 6.0;

/// Least length of a region's bar that bears its name (px).
const NAMED: f64 = 13.0;

/// What is drawn: a row per target, a column per input.
pub(crate) struct UnitMatrix<'a> {
    pub title: &'a str,
    /// `[target, input]`, sorted by region.
    pub values: &'a [f32],
    /// The regions in the order of the rows, with their numbers of units.
    pub regions: &'a [(&'a str, usize)],
    pub styles: &'a RegionStyles,
    /// The value of the darkest colour, above and below zero.
    pub reach: f64,
}

/// The figure. Colours are centred at zero.
pub(crate) fn figure(matrix: &UnitMatrix) -> String {
    let units: usize = matrix.regions.iter().map(|(_, count)| count).sum();
    let names = matrix.regions.iter().map(|(region, _)| text_width(region, 11.0));
    let widest = names.fold(0.0, f64::max).min(80.0);
    let area = Area { left: 34.0 + widest + SWATCH, top: 26.0, width: SIDE, height: SIDE };
    let bottom = area.bottom() + SWATCH + 12.0 + widest * 0.87;
    let mut svg = Svg::new(area.right() + 110.0, bottom + 24.0, matrix.title);
    svg.text((0.0, 14.0), Anchor::Start, "panel", matrix.title);
    let raster = Raster::of_both_signs(matrix.values, units, matrix.reach);
    if let Some(address) = raster.data_address() {
        svg.image(area, &address);
    }
    svg.rect(area, "border", "none", "");
    let at = |unit: usize| SIDE * unit as f64 / units.max(1) as f64;
    let mut before = 0;
    for (region, count) in matrix.regions {
        let (first, length) = (at(before), at(before + count) - at(before));
        let fill = matrix.styles.ink(region).fill;
        let title = format!("{region}, {}", counted(*count, "unit"));
        let beside =
            Area { left: area.left - SWATCH - 2.0, top: area.top + first, width: SWATCH, height: length };
        let below = Area { left: area.left + first, top: area.bottom() + 2.0, width: length, height: SWATCH };
        svg.rect(beside, "swatch", &fill, &title);
        svg.rect(below, "swatch", &fill, &title);
        if length >= NAMED {
            let middle = first + length / 2.0;
            svg.text((beside.left - 4.0, area.top + middle + 4.0), Anchor::End, "tick", region);
            svg.turned_text(
                (area.left + middle + 4.0, below.bottom() + 10.0),
                Anchor::End,
                "tick",
                region,
                -60.0,
            );
        }
        before += count;
    }
    let middle = area.left + SIDE / 2.0;
    svg.text((middle, bottom + 16.0), Anchor::Middle, "label", "input unit");
    svg.turned_text((14.0, area.top + SIDE / 2.0), Anchor::Middle, "label", "target unit", -90.0);
    let bar = Area { left: area.right() + 14.0, top: area.top, width: 10.0, height: 200.0 };
    // Colours follow the square root of the size of a value.
    let root = |part: f64| part.abs().sqrt().copysign(part);
    draw_both_signs(&mut svg, bar, matrix.reach, root, "change of log-rate per s.d.");
    svg.finish()
}
