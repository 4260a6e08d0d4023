//! Colours of marks, and of brain regions by the tree of the Allen atlas.

use super::colour_map::{Rgb, hex, relative_luminance};
use neuroglot_regions::{Atlas, is_region};

/// Relative luminance of what stands out from white by 3 : 1, the least contrast of graphical objects (WCAG 2.2, 1.4.11).
const BRIGHTEST_EDGE: f64 = 1.05 / 3.0 - 0.05;

/// The colours of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ink {
    pub fill: String,
    /// Outline, which can be seen on white where the fill is too bright.
    pub edge: String,
}

impl Ink {
    /// One colour.
    pub fn plain(colour: &str) -> Ink {
        Ink { fill: colour.to_owned(), edge: colour.to_owned() }
    }

    /// A colour, outlined by a shade of it that can be seen on white.
    pub fn outlined(colour: Rgb) -> Ink {
        Ink { fill: hex(colour), edge: hex(darkened(colour)) }
    }

    /// What the Allen atlas knows of a label.
    pub fn known(label: &str) -> Known {
        match Atlas::allen().find(label) {
            Some(region) if region.is_region() => Known::Region(region.colour),
            Some(_) => Known::Nothing,
            None if !is_region(label) => Known::Nothing,
            None => Known::Unknown,
        }
    }

    /// A small square of the colour, to stand before a word of the page's text.
    pub fn swatch(&self) -> String {
        format!("<span class=\"swatch\" style=\"background:{}\"></span>", self.fill)
    }

    /// Attributes of a filled shape.
    pub fn filled(&self) -> String {
        if self.fill == self.edge {
            format!("fill=\"{}\"", self.fill)
        } else {
            format!("fill=\"{}\" stroke=\"{}\" stroke-width=\"0.8\"", self.fill, self.edge)
        }
    }
}

/// What the Allen atlas knows of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// A region, which it draws in this colour.
    Region(Rgb),
    /// No region: `root`, `void` and the like, which it paints white and black.
    Nothing,
    /// A label that the tree does not have.
    Unknown,
}

/// The brightest shade of a colour that stands out from white.
fn darkened(colour: Rgb) -> Rgb {
    (0..=100)
        .map(|percent| colour.map(|channel| (u32::from(channel) * (100 - percent) / 100) as u8))
        .find(|shade| relative_luminance(*shade) <= BRIGHTEST_EDGE)
        .unwrap_or([0; 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_the_tree_have_its_colour_and_others_do_not() {
        assert_eq!(Ink::known("CA1"), Known::Region([0x7e, 0xd0, 0x4b]));
        assert_eq!(Ink::known("VISp2/3"), Known::Region([0x08, 0x85, 0x8c]));
        for nothing in ["root", "void", "unknown"] {
            assert_eq!(Ink::known(nothing), Known::Nothing, "{nothing}");
        }
        assert_eq!(Ink::known("\"><script>"), Known::Unknown);
    }

    #[test]
    fn every_region_is_seen_on_white() {
        for region in Atlas::allen().regions().iter().filter(|region| region.is_region()) {
            let edge = darkened(region.colour);
            let contrast = 1.05 / (relative_luminance(edge) + 0.05);
            assert!(contrast >= 3.0, "{}: {contrast}", region.acronym);
            if relative_luminance(region.colour) <= BRIGHTEST_EDGE {
                assert_eq!(edge, region.colour);
            }
        }
    }
}
