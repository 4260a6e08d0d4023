//! Single trials as a map of trial × bin.

use super::axis::{Frame, TICK_SIZE};
use super::colour_map::{hex, sequential};
use super::raster::{MOST_ROWS, Raster};
use super::svg::{Anchor, Area, Svg, text_width};
use super::ticks::Ticks;

/// Space the colour bar needs right of the map (px).
pub(crate) const BAR_SPACE: f64 = 58.0;

/// Share of the values of a map above the top of its colours; a lone value cannot bleach all others.
const SATURATED: f64 = 0.002;

/// What is drawn.
pub(crate) struct Heatmap<'a> {
    pub title: &'a str,
    /// `[trial][bin]`, spikes/bin.
    pub rows: &'a [Vec<f32>],
    /// Time of the first edge of the first bin and of the last edge of the last bin (s).
    pub seconds: (f64, f64),
    /// Label of the vertical axis; none is drawn where it is empty.
    pub y_label: &'a str,
    /// Whether the values are whole numbers, such as counts, which the colour bar's ticks then are too.
    pub whole: bool,
    /// Label of the colour bar.
    pub bar_label: &'a str,
}

/// Draws the map over `area`, its axes around it and its colour bar right of it.
pub(crate) fn draw(svg: &mut Svg, area: Area, map: &Heatmap) {
    svg.text((area.left, area.top - 8.0), Anchor::Start, "panel", map.title);
    let trials = map.rows.len().min(MOST_ROWS);
    let (top, saturates) = top_value(map.rows);
    let raster = Raster::shaded(map.rows, top);
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
    let ticks = if map.whole { Ticks::whole(0.0, top, 3) } else { Ticks::between(0.0, top, 3) };
    draw_bar(svg, area, &ticks, top, saturates, map.bar_label);
    if raster.is_some_and(|raster| raster.has_missing()) {
        svg.text((area.right(), area.top - 8.0), Anchor::End, "tick", "grey: no value");
    }
}

fn draw_bar(svg: &mut Svg, area: Area, ticks: &Ticks, top: f64, saturates: bool, label: &str) {
    let bar = Area { left: area.right() + 8.0, top: area.top, width: 9.0, height: area.height };
    let steps = 32;
    let height = bar.height / f64::from(steps);
    for index in 0..steps {
        let colour = hex(sequential((f64::from(index) + 0.5) / f64::from(steps)));
        // A little taller than the step, so that no seam shows between two steps.
        let area = Area {
            top: bar.bottom() - height * f64::from(index + 1),
            height: if index == 0 { height } else { height + 0.6 },
            ..bar
        };
        svg.rect(area, "", &colour, "");
    }
    svg.rect(bar, "border", "none", "");
    let frame = Frame::new(bar, (0.0, 1.0), (0.0, top));
    let mut widest: f64 = 0.0;
    for (index, value) in ticks.values.iter().enumerate() {
        let y = frame.y.at(*value);
        let more = if saturates && index + 1 == ticks.values.len() && *value >= top { "≥" } else { "" };
        let text = format!("{more}{}", ticks.label(*value));
        widest = widest.max(text_width(&text, TICK_SIZE));
        svg.line((bar.right(), y), (bar.right() + 3.0, y), "axis");
        svg.text((bar.right() + 5.0, y + 4.0), Anchor::Start, "tick", &text);
    }
    let at = (bar.right() + widest + 16.0, area.top + area.height / 2.0);
    svg.turned_text(at, Anchor::Middle, "tick", label, -90.0);
}

/// The value of the darkest colour, and whether some values lie above it.
fn top_value(rows: &[Vec<f32>]) -> (f64, bool) {
    let mut values: Vec<f32> = rows
        .iter()
        .take(MOST_ROWS)
        .flatten()
        .copied()
        .filter(|value| value.is_finite() && *value > 0.0)
        .collect();
    let total: usize = rows.iter().take(MOST_ROWS).map(Vec::len).sum();
    values.sort_by(f32::total_cmp);
    let Some(largest) = values.last() else {
        return (1.0, false);
    };
    let above = (total as f64 * SATURATED).floor() as usize;
    let top = values[values.len() - 1 - above.min(values.len() - 1)];
    (f64::from(top), top < *largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_far_out_does_not_set_the_top_of_the_colours() {
        let mut rows = vec![vec![0.5f32; 100]; 20];
        assert_eq!(top_value(&rows), (0.5, false));
        rows[3][7] = 1e30;
        rows[4][1] = f32::NAN;
        rows[4][2] = -1.0;
        assert_eq!(top_value(&rows), (0.5, true));
        assert_eq!(top_value(&[vec![0.0, f32::INFINITY]]), (1.0, false));
    }

    #[test]
    fn an_empty_map_says_so() {
        let mut svg = Svg::new(200.0, 100.0, "map");
        let map = Heatmap {
            title: "observed",
            rows: &[],
            seconds: (0.0, 2.0),
            whole: true,
            y_label: "trial",
            bar_label: "x",
        };
        draw(&mut svg, Area { left: 0.0, top: 20.0, width: 100.0, height: 50.0 }, &map);
        let text = svg.finish();
        assert!(text.contains("nothing to show") && !text.contains("<image"));
    }
}
