//! Single trials as a map of trial × bin. Colours follow the square root of the values, so that counts of spikes and the much
//! smaller rates that predict them can be seen on one scale.

use super::axis::{Frame, TICK_SIZE};
use super::colour_bar::draw_colours;
use super::colour_map::sequential;
use super::raster::{MOST_ROWS, Raster};
use super::svg::{Anchor, Area, Svg, text_width};
use super::ticks::Ticks;

/// Space the colour bar needs right of the map (px).
pub(crate) const BAR_SPACE: f64 = 58.0;

/// Share of the values of the maps above the top of its colours; a lone value cannot bleach all others.
const SATURATED: f64 = 0.002;

/// What is drawn.
struct Heatmap<'a> {
    title: &'a str,
    /// `[trial][bin]`, spikes/bin.
    rows: &'a [Vec<f32>],
    /// Time of the first edge of the first bin and of the last edge of the last bin (s).
    seconds: (f64, f64),
    /// Label of the vertical axis; none is drawn where it is empty.
    y_label: &'a str,
    /// What colours stand for: the same for maps to be compared.
    shades: Shades,
}

/// What the colours of maps stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shades {
    /// The value of the darkest colour; white is 0.
    top: f64,
    /// Whether some values lie above it.
    saturates: bool,
}

/// Draws what was observed over `area` and what was predicted over an equal one `gap` px right of it, on one scale of colours
/// whose bar follows. Returns the second area.
pub(crate) fn draw_pair(
    svg: &mut Svg,
    area: Area,
    gap: f64,
    [observed, predicted]: [&[Vec<f32>]; 2],
    seconds: (f64, f64),
    y_label: &str,
) -> Area {
    let shades = Shades::of(&[observed, predicted]);
    let right = Area { left: area.right() + gap, ..area };
    draw(svg, area, &Heatmap { title: "observed", rows: observed, seconds, y_label, shades });
    draw(svg, right, &Heatmap { title: "predicted", rows: predicted, seconds, y_label: "", shades });
    draw_bar(svg, right, shades, "spikes/bin");
    right
}

/// Draws the map over `area` and its axes around it.
fn draw(svg: &mut Svg, area: Area, map: &Heatmap) {
    svg.text((area.left, area.top - 8.0), Anchor::Start, "panel", map.title);
    let trials = map.rows.len().min(MOST_ROWS);
    let raster = Raster::shaded(map.rows, map.shades.top);
    let Some(address) = raster.as_ref().and_then(Raster::data_address) else {
        svg.text(
            (area.left + area.width / 2.0, area.top + area.height / 2.0),
            Anchor::Middle,
            "tick",
            "nothing to show",
        );
        return;
    };
    svg.image(area, &address);
    svg.rect(area, "border", "none", "");

    let frame = Frame::new(area, map.seconds, (0.5, trials as f64 + 0.5)).downwards();
    frame.draw_x(svg, &Ticks::between(map.seconds.0, map.seconds.1, 4), "time in trial (s)");
    let ticks = if map.y_label.is_empty() { Ticks::none() } else { Ticks::whole(1.0, trials as f64, 4) };
    frame.draw_y(svg, &ticks, map.y_label);
    if raster.is_some_and(|raster| raster.has_missing()) {
        svg.text((area.right(), area.top - 8.0), Anchor::End, "tick", "grey: no value");
    }
}

/// Draws the colour bar right of `area`.
fn draw_bar(svg: &mut Svg, area: Area, shades: Shades, label: &str) {
    let Shades { top, saturates } = shades;
    let ticks = shades.ticks();
    let bar = Area { left: area.right() + 8.0, top: area.top, width: 9.0, height: area.height };
    draw_colours(svg, bar, 32, sequential);
    let mut widest: f64 = 0.0;
    for (index, value) in ticks.values.iter().enumerate() {
        let y = bar.bottom() - bar.height * (value / top).sqrt();
        let more = if saturates && index + 1 == ticks.values.len() && *value >= top { "≥" } else { "" };
        let text = format!("{more}{}", ticks.label(*value));
        widest = widest.max(text_width(&text, TICK_SIZE));
        svg.line((bar.right(), y), (bar.right() + 3.0, y), "axis");
        svg.text((bar.right() + 5.0, y + 4.0), Anchor::Start, "tick", &text);
    }
    let at = (bar.right() + widest + 16.0, area.top + area.height / 2.0);
    svg.turned_text(at, Anchor::Middle, "tick", label, -90.0);
}

impl Shades {
    /// Shades for maps that are compared: the largest value of any of them is the darkest, a few far out aside.
    fn of(maps: &[&[Vec<f32>]]) -> Shades {
        let tops = maps.iter().filter_map(|rows| top_value(rows));
        let top = tops.clone().map(|(top, _)| top).reduce(f64::max).unwrap_or(1.0);
        Shades { top, saturates: tops.into_iter().any(|(_, largest)| largest > top) }
    }

    /// Ticks of the colour bar.
    fn ticks(self) -> Ticks {
        let coarse = Ticks::between(0.0, self.top, 3);
        // The square root stretches the colours near white: there is room for one more, which says so.
        let fine = coarse.step / 5.0;
        let mut values = coarse.values;
        if values.len() > 1 {
            values.insert(1, fine);
        }
        Ticks { step: fine, values }
    }
}

/// The value of a map that all but a few do not exceed, and the largest; `None` if none is above 0.
fn top_value(rows: &[Vec<f32>]) -> Option<(f64, f64)> {
    let mut values: Vec<f32> = rows
        .iter()
        .take(MOST_ROWS)
        .flatten()
        .copied()
        .filter(|value| value.is_finite() && *value > 0.0)
        .collect();
    let total: usize = rows.iter().take(MOST_ROWS).map(Vec::len).sum();
    values.sort_by(f32::total_cmp);
    let largest = values.last()?;
    let above = (total as f64 * SATURATED).floor() as usize;
    let top = values[values.len() - 1 - above.min(values.len() - 1)];
    Some((f64::from(top), f64::from(*largest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_far_out_does_not_set_the_top_of_the_colours() {
        let mut rows = vec![vec![0.5f32; 100]; 20];
        let shades = |rows: &[Vec<f32>]| Shades::of(&[rows]);
        assert_eq!(shades(&rows), Shades { top: 0.5, saturates: false });
        rows[3][7] = 1e30;
        rows[4][1] = f32::NAN;
        rows[4][2] = -1.0;
        assert_eq!(shades(&rows), Shades { top: 0.5, saturates: true });
        assert_eq!(shades(&[vec![0.0, f32::INFINITY]]), Shades { top: 1.0, saturates: false });
    }

    #[test]
    fn maps_to_be_compared_have_one_scale() {
        let (counts, rates) = (vec![vec![0.0, 2.0]], vec![vec![0.125, 0.5]]);
        let shades = Shades::of(&[&counts, &rates]);
        assert_eq!(shades, Shades { top: 2.0, saturates: false });
        assert_eq!(shades, Shades::of(&[&rates, &counts]));
        // Near white the square root leaves room for a tick more.
        assert_eq!(shades.ticks().values, [0.0, 0.2, 1.0, 2.0]);
    }

    #[test]
    fn an_empty_map_says_so() {
        let mut svg = Svg::new(200.0, 100.0, "map");
        let map = Heatmap {
            title: "observed",
            rows: &[],
            seconds: (0.0, 2.0),
            y_label: "trial",
            shades: Shades::of(&[]),
        };
        draw(&mut svg, Area { left: 0.0, top: 20.0, width: 100.0, height: 50.0 }, &map);
        let text = svg.finish();
        assert!(text.contains("nothing to show") && !text.contains("<image"));
    }
}
