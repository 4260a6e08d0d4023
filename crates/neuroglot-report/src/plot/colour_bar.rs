//! Bars that say what colours stand for.

use super::colour_map::{Rgb, diverging, hex};
use super::svg::{Anchor, Area, Svg};
use super::ticks::Ticks;

/// Fills a bar with the colours of 0 at its bottom to 1 at its top.
pub(crate) fn draw_colours(svg: &mut Svg, bar: Area, steps: u32, colour: impl Fn(f64) -> Rgb) {
    let height = bar.height / f64::from(steps);
    for index in 0..steps {
        // A little taller than the step, so that no seam shows between two steps.
        let overlap = if index == 0 { 0.0 } else { 0.6 };
        let top = bar.bottom() - height * f64::from(index + 1);
        let fill = hex(colour((f64::from(index) + 0.5) / f64::from(steps)));
        svg.rect(Area { top, height: height + overlap, ..bar }, "", &fill, "");
    }
    svg.rect(bar, "border", "none", "");
}

/// Draws a bar from −`reach` to `reach`, white at 0. `scale` takes a part of the reach, from −1 to 1, to the part of the colours
/// that it has.
pub(crate) fn draw_both_signs(svg: &mut Svg, bar: Area, reach: f64, scale: impl Fn(f64) -> f64, label: &str) {
    draw_colours(svg, bar, 40, |part| diverging(part * 2.0 - 1.0));
    let ticks = Ticks::between(-reach, reach, 5);
    for value in &ticks.values {
        let y = bar.top + (1.0 - scale(value / reach)) / 2.0 * bar.height;
        svg.line((bar.right(), y), (bar.right() + 3.0, y), "axis");
        svg.text((bar.right() + 5.0, y + 4.0), Anchor::Start, "tick", &ticks.label(*value));
    }
    let at = (bar.right() + 58.0, bar.top + bar.height / 2.0);
    svg.turned_text(at, Anchor::Middle, "label", label, -90.0);
}
