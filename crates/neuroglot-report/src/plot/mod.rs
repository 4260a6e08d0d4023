//! A small plotting library: figures as inline SVG.

pub(crate) mod axis;
pub(crate) mod colour_bar;
pub(crate) mod colour_map;
pub(crate) mod heatmap;
pub(crate) mod ink;
pub(crate) mod intervals;
pub(crate) mod legend;
pub(crate) mod limits;
pub(crate) mod lines;
pub(crate) mod matrix;
pub(crate) mod palette;
pub(crate) mod raster;
pub(crate) mod region_styles;
pub(crate) mod scale;
pub(crate) mod scatter;
pub(crate) mod steps;
pub(crate) mod strip;
pub(crate) mod svg;
pub(crate) mod ticks;
pub(crate) mod unit_matrix;
