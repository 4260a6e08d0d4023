//! Lines and markers that are told apart by colour and by shape.
//!
//! Colours: Okabe & Ito (2008), distinct to colour-blind readers; yellow is left out, being too faint on white.

use super::svg::px;

/// Colours in the order they are given out.
pub(crate) const COLOURS: [&str; 7] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

/// Dash patterns (`stroke-dasharray`) in the order they are given out.
const DASHES: [&str; 5] = ["none", "7 3", "2 2.5", "9 3 2 3", "4 2 1 2 1 2"];

/// Colour of what belongs to no named class.
pub(crate) const OTHER: &str = "#8A8A8A";

/// Colour `index`; colours repeat after the last.
pub(crate) fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// Dash pattern `index`; patterns repeat after the last.
pub(crate) fn dash(index: usize) -> &'static str {
    DASHES[index % DASHES.len()]
}

/// Shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Plus,
    Cross,
    Dot,
}

impl Marker {
    /// The shape that goes with colour `index`.
    pub fn of(index: usize) -> Marker {
        use Marker::{Circle, Cross, Diamond, Plus, Square, Triangle, TriangleDown};
        [Circle, Square, Triangle, Diamond, TriangleDown, Plus, Cross][index % COLOURS.len()]
    }

    /// Path data of the shape centred at `at`.
    pub fn path(self, at: (f64, f64)) -> String {
        let (x, y) = (px(at.0), px(at.1));
        let shape = match self {
            Marker::Circle => "m-2.8 0a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0-5.6 0z",
            Marker::Square => "m-2.5-2.5h5v5h-5z",
            Marker::Triangle => "m0-3.4l3.2 5.6h-6.4z",
            Marker::Diamond => "m0-3.6l3 3.6l-3 3.6l-3-3.6z",
            Marker::TriangleDown => "m0 3.4l3.2-5.6h-6.4z",
            Marker::Plus => "m-1-3.2h2v2.2h2.2v2h-2.2v2.2h-2v-2.2h-2.2v-2h2.2z",
            Marker::Cross => {
                "m0-1.4l1.8-1.8l1.4 1.4l-1.8 1.8l1.8 1.8l-1.4 1.4l-1.8-1.8l-1.8 1.8l-1.4-1.4l1.8-1.8l-1.8-1.8l1.4-1.4z"
            }
            Marker::Dot => "m-1.7 0a1.7 1.7 0 1 0 3.4 0a1.7 1.7 0 1 0-3.4 0z",
        };
        format!("M{x} {y}{shape}")
    }
}
