//! The frame of a plot: two axes with ticks and labels.

use super::scale::Scale;
use super::svg::{Anchor, Area, Svg, text_width};
use super::ticks::Ticks;

/// Size of tick labels (px), as in the style sheet.
pub(crate) const TICK_SIZE: f64 = 11.0;

/// An area with a scale along each side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub area: Area,
    pub x: Scale,
    pub y: Scale,
}

impl Frame {
    /// A frame whose horizontal axis runs to the right and whose vertical axis runs upwards.
    pub fn new(area: Area, x: (f64, f64), y: (f64, f64)) -> Self {
        Frame {
            area,
            x: Scale { domain: x, range: (area.left, area.right()) },
            y: Scale { domain: y, range: (area.bottom(), area.top) },
        }
    }

    /// The same frame with its vertical axis running downwards, for trials.
    pub fn downwards(mut self) -> Self {
        self.y.range = (self.area.top, self.area.bottom());
        self
    }

    /// Draws what panels have in common: the title above the area, the line at zero and the vertical axis.
    pub fn draw_panel(&self, svg: &mut Svg, title: &str, y_label: &str) {
        svg.text((self.area.left, 14.0), Anchor::Start, "panel", title);
        self.draw_zero(svg);
        self.draw_y(svg, &Ticks::between(self.y.domain.0, self.y.domain.1, 5), y_label);
    }

    /// Draws the line below the area, without ticks.
    pub fn draw_base(&self, svg: &mut Svg) {
        svg.line((self.area.left, self.area.bottom()), (self.area.right(), self.area.bottom()), "axis");
    }

    /// Draws the horizontal axis below the area: line, ticks, tick labels and, if not empty, the axis label.
    pub fn draw_x(&self, svg: &mut Svg, ticks: &Ticks, label: &str) {
        let bottom = self.area.bottom();
        self.draw_base(svg);
        for value in &ticks.values {
            let x = self.x.at(*value);
            svg.line((x, bottom), (x, bottom + 4.0), "axis");
            svg.text((x, bottom + 15.0), self.x_anchor(x), "tick", &ticks.label(*value));
        }
        if !label.is_empty() {
            svg.text((self.area.left + self.area.width / 2.0, bottom + 32.0), Anchor::Middle, "label", label);
        }
    }

    /// Labels at the very ends stay within a narrow area, so that they keep clear of those of the plot beside it.
    fn x_anchor(&self, x: f64) -> Anchor {
        if self.area.width > 140.0 {
            Anchor::Middle
        } else if x < self.area.left + 6.0 {
            Anchor::Start
        } else if x > self.area.right() - 6.0 {
            Anchor::End
        } else {
            Anchor::Middle
        }
    }

    /// Draws the vertical axis left of the area, its label turned and clear of the widest tick label.
    pub fn draw_y(&self, svg: &mut Svg, ticks: &Ticks, label: &str) {
        let left = self.area.left;
        svg.line((left, self.area.top), (left, self.area.bottom()), "axis");
        let mut widest: f64 = 0.0;
        for value in &ticks.values {
            let (y, text) = (self.y.at(*value), ticks.label(*value));
            widest = widest.max(text_width(&text, TICK_SIZE));
            svg.line((left - 4.0, y), (left, y), "axis");
            svg.text((left - 7.0, y + 4.0), Anchor::End, "tick", &text);
        }
        if !label.is_empty() {
            let at = (left - widest - 14.0, self.area.top + self.area.height / 2.0);
            svg.turned_text(at, Anchor::Middle, "label", label, -90.0);
        }
    }

    /// A faint line across the area at zero, where zero lies inside the vertical axis.
    pub fn draw_zero(&self, svg: &mut Svg) {
        if self.y.holds(0.0) {
            let y = self.y.at(0.0);
            svg.line((self.area.left, y), (self.area.right(), y), "zero");
        }
    }
}
