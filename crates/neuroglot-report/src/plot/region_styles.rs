//! One marker and one colour for each region, the same in a whole page.

use super::colour_map::{Rgb, hue_turned, of_hex, oklab_distance};
use super::ink::{Ink, Known};
use super::palette::{Marker, OTHER, colour};
use std::collections::HashMap;

/// Colours nearer than this in Oklab are not surely told apart in small marks; the atlas gives many related regions the
/// very same one. (The smallest difference that can be seen in large areas side by side is about 0.02.)
const APART: f64 = 0.1;

/// How the atlas's colour is changed where it is taken, the smallest change first: lightness and degrees of hue.
const CHANGES: [(f64, f64); 15] = [
    (-0.16, 0.0),
    (0.12, 0.0),
    (0.0, 35.0),
    (0.0, -35.0),
    (-0.3, 0.0),
    (-0.16, 40.0),
    (-0.16, -40.0),
    (0.0, 75.0),
    (0.0, -75.0),
    (-0.16, 80.0),
    (-0.16, -80.0),
    (0.0, 120.0),
    (0.0, -120.0),
    (-0.3, 180.0),
    (0.0, 180.0),
];

/// How regions are drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegionStyles {
    styles: HashMap<String, (Marker, Ink)>,
}

impl RegionStyles {
    /// Styles of regions, each named once. The first ones keep the Allen atlas's colours; a later one whose colour is
    /// taken, or nearly so, gets another that is near to it.
    pub fn of<'a>(regions: impl IntoIterator<Item = &'a str>) -> Self {
        let mut taken: Vec<Rgb> = Vec::new();
        let mut styles = HashMap::new();
        for (place, region) in regions.into_iter().enumerate() {
            let wanted = match Ink::known(region) {
                Known::Region(colour) => Some(colour),
                // What is no region stays grey.
                Known::Nothing => None,
                Known::Unknown => of_hex(colour(place)),
            };
            let ink = wanted.map_or_else(
                || Ink::plain(OTHER),
                |wanted| {
                    let free = free_colour(wanted, &taken);
                    taken.push(free);
                    Ink::outlined(free)
                },
            );
            styles.insert(region.to_owned(), (Marker::of(place), ink));
        }
        RegionStyles { styles }
    }

    /// The colour of a region; grey where it has none.
    pub fn ink(&self, region: &str) -> Ink {
        self.styles.get(region).map_or_else(|| Ink::plain(OTHER), |(_, ink)| ink.clone())
    }

    /// The marker of a region.
    pub fn marker(&self, region: &str) -> Marker {
        self.styles.get(region).map_or(Marker::Dot, |(marker, _)| *marker)
    }
}

/// The colour wanted if it is told from all that are taken, else the first change of it that is, else the change that is
/// furthest from them.
fn free_colour(wanted: Rgb, taken: &[Rgb]) -> Rgb {
    let distance =
        |colour: Rgb| taken.iter().map(|other| oklab_distance(colour, *other)).fold(f64::INFINITY, f64::min);
    let changed = CHANGES.map(|(lightness, degrees)| hue_turned(wanted, lightness, degrees));
    let candidates = || std::iter::once(wanted).chain(changed);
    let free = candidates().find(|colour| distance(*colour) >= APART);
    let furthest = || candidates().max_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    free.or_else(furthest).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(styles: &RegionStyles, a: &str, b: &str) -> f64 {
        let colour = |region: &str| of_hex(&styles.ink(region).fill).expect("a colour");
        oklab_distance(colour(a), colour(b))
    }

    #[test]
    fn regions_of_one_colour_in_the_atlas_are_told_apart() {
        // The atlas has LP and PO in #ff909f, CA1, CA3 and DG in #7ed04b, VISp, VISa and VISl in #08858c.
        let regions = ["LP", "PO", "CA1", "DG", "CA3", "VISp", "VISa", "VISl", "SSp-bfd", "MOs", "PMd"];
        let styles = RegionStyles::of(regions);
        for (place, one) in regions.iter().enumerate() {
            for other in &regions[..place] {
                assert!(distance(&styles, one, other) >= APART, "{one} {other}");
            }
        }
        // The first of them keeps it.
        assert_eq!(styles.ink("LP").fill, "#ff909f");
        assert_eq!(styles.ink("CA1").fill, "#7ed04b");
        assert_ne!(styles.marker("LP"), styles.marker("PO"));
    }

    #[test]
    fn what_is_no_region_is_grey_and_many_regions_are_still_drawn() {
        let styles = RegionStyles::of(["void", "CA1", "root"]);
        assert_eq!((styles.ink("void"), styles.ink("root")), (Ink::plain(OTHER), Ink::plain(OTHER)));
        assert_eq!(styles.ink("not there"), Ink::plain(OTHER));
        let labels: Vec<String> = (0..60).map(|label| format!("label {label}")).collect();
        let many = RegionStyles::of(labels.iter().map(String::as_str));
        let mut fills: Vec<String> = labels.iter().map(|label| many.ink(label).fill).collect();
        fills.sort();
        fills.dedup();
        assert!(fills.len() > 30, "{} colours", fills.len());
    }
}
