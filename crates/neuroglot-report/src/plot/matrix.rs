//! Scores of region × region as a map with the number in every cell.

use super::colour_bar::draw_both_signs;
use super::colour_map::{diverging, hex, wants_dark_text};
use super::region_styles::RegionStyles;
use super::svg::{Anchor, Area, Svg, text_width};
use crate::text::told_apart;
use neuroglot_data::number::decimal;

/// Regions drawn of one matrix at most.
pub(crate) const MOST_REGIONS: usize = 24;

/// Thickness of the bars beside the regions' names (px).
const SWATCH: f64 = 4.0;

/// What is drawn: a row per target, a column per source, and one last column for all other regions together.
pub(crate) struct Matrix<'a> {
    pub title: &'a str,
    pub regions: &'a [String],
    pub styles: &'a RegionStyles,
    /// Score of `(target, source)`.
    pub from_one: &'a dyn Fn(usize, usize) -> Option<f64>,
    /// Score of a target from all other regions.
    pub from_others: &'a dyn Fn(usize) -> Option<f64>,
    /// The score of the darkest colour, above and below zero; equal for matrices to be compared.
    pub reach: f64,
}

/// The figure. Colours are centred at zero.
pub(crate) fn figure(matrix: &Matrix) -> String {
    let names: Vec<&str> = matrix.regions.iter().take(MOST_REGIONS).map(String::as_str).collect();
    let regions = told_apart(&names, 9);
    let count = regions.len();
    let cell = if count <= 9 { 50.0 } else { 32.0 };
    let (cell_height, gap) = (if count <= 9 { 30.0 } else { 22.0 }, 12.0);
    let widest = regions.iter().map(|region| text_width(region, 11.0)).fold(0.0, f64::max);
    let (left, top) = (42.0 + widest, 26.0);
    let (inner_width, inner_height) = (cell * count as f64, cell_height * count as f64);
    let bar_left = left + inner_width + gap + cell + 22.0;
    let bottom = top + inner_height;
    let width = bar_left + 84.0;
    let turned = regions.iter().any(|region| text_width(region, 11.0) > cell - 4.0) || cell < 50.0;
    let label_space = if turned { 24.0 + widest.max(text_width("all others", 11.0)) * 0.87 } else { 24.0 };

    let score_of = |target: usize, source: usize| {
        let score =
            if source == count { (matrix.from_others)(target) } else { (matrix.from_one)(target, source) };
        score.filter(|score| score.is_finite())
    };
    let reach = if matrix.reach > 0.0 && matrix.reach.is_finite() { matrix.reach } else { 1.0 };

    let mut svg = Svg::new(width, bottom + label_space + 28.0, matrix.title);
    svg.text((0.0, 14.0), Anchor::Start, "panel", matrix.title);
    for target in 0..count {
        let y = top + cell_height * target as f64;
        let at = (left - 12.0, y + cell_height / 2.0 + 4.0);
        svg.short_text(at, Anchor::End, "tick", (&regions[target], &matrix.regions[target]), 0.0);
        let swatch = Area { left: left - 8.0, top: y + 1.0, width: SWATCH, height: cell_height - 2.0 };
        draw_swatch(&mut svg, swatch, &matrix.regions[target], matrix.styles);
        for source in 0..=count {
            let x = left + cell * source as f64 + if source == count { gap } else { 0.0 };
            let area = Area { left: x, top: y, width: cell, height: cell_height };
            draw_cell(&mut svg, area, score_of(target, source), reach);
        }
    }
    for diagonal in 0..count {
        let (left, top) = (left + cell * diagonal as f64, top + cell_height * diagonal as f64);
        let inset = Area { left: left + 1.0, top: top + 1.0, width: cell - 2.0, height: cell_height - 2.0 };
        svg.rect(inset, "diagonal-cell", "none", "");
    }
    for (index, region) in regions.iter().enumerate() {
        let x = left + cell * (index as f64 + 0.5);
        let swatch =
            Area { left: x - cell / 2.0 + 1.0, top: bottom + 3.0, width: cell - 2.0, height: SWATCH };
        draw_swatch(&mut svg, swatch, &matrix.regions[index], matrix.styles);
        if turned {
            svg.turned_text((x + 4.0, bottom + 16.0), Anchor::End, "tick", region, -60.0);
        } else {
            svg.text((x, bottom + 21.0), Anchor::Middle, "tick", region);
        }
    }
    let others = left + inner_width + gap + cell / 2.0;
    if turned {
        svg.turned_text((others + 4.0, bottom + 16.0), Anchor::End, "tick", "all others", -60.0);
    } else {
        svg.text((others, bottom + 21.0), Anchor::Middle, "tick", "all");
        svg.text((others, bottom + 34.0), Anchor::Middle, "tick", "others");
    }
    svg.text(
        (left + inner_width / 2.0, bottom + label_space + 18.0),
        Anchor::Middle,
        "label",
        "source region (seen)",
    );
    svg.turned_text((16.0, top + inner_height / 2.0), Anchor::Middle, "label", "target region", -90.0);
    let bar = Area { left: bar_left, top, width: 10.0, height: inner_height.clamp(90.0, 240.0) };
    draw_both_signs(&mut svg, bar, reach, |part| part, "bits/spike");
    svg.finish()
}

/// A bar in the region's colour beside its name.
fn draw_swatch(svg: &mut Svg, area: Area, region: &str, styles: &RegionStyles) {
    svg.rect(area, "swatch", &styles.ink(region).fill, region);
}

fn draw_cell(svg: &mut Svg, area: Area, score: Option<f64>, reach: f64) {
    let middle = (area.left + area.width / 2.0, area.top + area.height / 2.0 + 4.0);
    let Some(score) = score else {
        svg.rect(area, "cell", "#eeeeee", "");
        svg.text(middle, Anchor::Middle, "cell-dark", "–");
        return;
    };
    let colour = diverging(score / reach);
    svg.rect(area, "cell", &hex(colour), "");
    let class = if wants_dark_text(colour) { "cell-dark" } else { "cell-light" };
    svg.text(middle, Anchor::Middle, class, &decimal(score, 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_their_numbers_and_undefined_ones_a_dash() {
        let regions = ["CA1".to_string(), "<b>".to_string()];
        let scores = [[Some(0.25), Some(-0.5)], [None, Some(f64::NAN)]];
        let others = [Some(0.75), None];
        let text = figure(&Matrix {
            title: "MtM",
            regions: &regions,
            styles: &RegionStyles::of(["CA1"]),
            from_one: &|target, source| scores[target][source],
            from_others: &|target| others[target],
            reach: 0.75,
        });
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        let class = |node: &roxmltree::Node| node.attribute("class").unwrap_or("").starts_with("cell-");
        let cells: Vec<&str> = document.descendants().filter(class).filter_map(|node| node.text()).collect();
        assert_eq!(cells, ["0.25", "−0.50", "0.75", "–", "–", "–"]);
        let fills = |class: &str| -> Vec<String> {
            let nodes = document.descendants().filter(|node| node.attribute("class") == Some(class));
            nodes.map(|node| node.attribute("fill").unwrap_or_default().to_owned()).collect()
        };
        // Rows, then columns: CA1 in the atlas's colour, and a name without one.
        assert_eq!(fills("swatch"), ["#7ed04b", "#8A8A8A", "#7ed04b", "#8A8A8A"]);
        assert!(text.contains("&lt;b&gt;") && !text.contains("NaN"));
    }
}
