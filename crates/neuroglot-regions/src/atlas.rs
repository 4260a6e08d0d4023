//! The structure tree, and how regions are found in it.

use crate::{Parcellation, Region};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The table; `scripts/make_regions.py` makes it.
const TABLE: &str = include_str!("../data/allen.tsv");

/// Layers that recordings write behind an area of the isocortex, longest first.
const LAYERS: [&str; 13] = ["2/3", "2a", "2b", "5a", "5b", "6a", "6b", "1", "2", "3", "4", "5", "6"];

/// The structures of the Allen tree, parents before children, in the tree's order; `void` (id 0) and `root` come first.
#[derive(Debug)]
pub struct Atlas {
    regions: Vec<Region>,
    by_id: HashMap<i64, usize>,
    by_acronym: HashMap<&'static str, usize>,
    /// Lower-case acronyms; `None` where two acronyms differ in case only.
    by_any_case: HashMap<String, Option<usize>>,
    /// Lower-case names; `None` where two structures share one.
    by_name: HashMap<String, Option<usize>>,
}

impl Atlas {
    /// The Allen structure tree, read once and kept.
    pub fn allen() -> &'static Atlas {
        static ALLEN: LazyLock<Atlas> = LazyLock::new(|| Atlas::parse(TABLE));
        &ALLEN
    }

    /// # Panics
    /// Where a line is not as the script writes it; the one table there is comes with the crate.
    fn parse(table: &'static str) -> Atlas {
        let rows: Vec<Vec<&'static str>> =
            table.lines().skip(1).map(|line| line.split('\t').collect()).collect();
        let id = |text: &str| text.parse::<i64>().expect("an id");
        let by_id: HashMap<i64, usize> =
            rows.iter().enumerate().map(|(row, cells)| (id(cells[0]), row)).collect();
        let row_of = |text: &str| u16::try_from(by_id[&id(text)]).expect("few rows");
        let regions: Vec<Region> = rows
            .iter()
            .map(|cells| Region {
                id: id(cells[0]),
                acronym: cells[1],
                name: cells[2],
                parent: Some(cells[3]).filter(|text| !text.is_empty()).map(row_of),
                colour: [0, 2, 4].map(|at| u8::from_str_radix(&cells[4][at..at + 2], 16).expect("a colour")),
                targets: [5, 6, 7].map(|column| row_of(cells[column])),
            })
            .collect();
        let by_acronym = regions.iter().enumerate().map(|(row, region)| (region.acronym, row)).collect();
        Atlas {
            by_id,
            by_acronym,
            by_any_case: unique(&regions, |region| region.acronym),
            by_name: unique(&regions, |region| region.name),
            regions,
        }
    }

    /// All structures, `void` and `root` among them.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The structure with exactly this acronym.
    pub fn by_acronym(&self, acronym: &str) -> Option<&Region> {
        self.by_acronym.get(acronym).map(|&row| &self.regions[row])
    }

    /// The structure with this Allen id. A negative id is the same structure on the left, as the IBL writes it; 0 is
    /// `void`.
    pub fn by_id(&self, id: i64) -> Option<&Region> {
        self.row_of_id(id.checked_abs()?).map(|row| &self.regions[row])
    }

    pub(crate) fn row_of_id(&self, id: i64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The structure that a person or a file means by `text`; `None` if the tree has none such.
    ///
    /// In this order: the exact acronym; the acronym in another case, unless two structures differ in case only
    /// (`CM`, `cm`); the full name in any case, with "(left)" or "(right)" behind it or not; an area of the isocortex with
    /// a layer ("VISp layer 2/3", "VISp L5"), which is the area where the tree has no such layer (`VISp2`, `VISp6`).
    /// Spaces around it do not matter.
    pub fn find(&self, text: &str) -> Option<&Region> {
        let text = text.trim();
        if let Some(region) = self.by_acronym(text) {
            return Some(region);
        }
        let lower = text.to_lowercase();
        self.by_any_case(&lower).or_else(|| self.by_any_name(&lower)).or_else(|| self.by_layer(&lower))
    }

    fn by_any_case(&self, lower: &str) -> Option<&Region> {
        self.by_any_case.get(lower).copied().flatten().map(|row| &self.regions[row])
    }

    fn by_any_name(&self, lower: &str) -> Option<&Region> {
        let name = lower.strip_suffix("(left)").or(lower.strip_suffix("(right)")).unwrap_or(lower).trim_end();
        self.by_name.get(name).copied().flatten().map(|row| &self.regions[row])
    }

    fn by_layer(&self, lower: &str) -> Option<&Region> {
        let layer = LAYERS.into_iter().find(|layer| lower.ends_with(layer))?;
        let area = lower.strip_suffix(layer)?;
        let area = [", layer ", " layer ", " l", " "]
            .into_iter()
            .find_map(|between| area.strip_suffix(between))
            .unwrap_or(area);
        let isocortex = self.by_acronym("Isocortex")?;
        let area = self
            .by_any_case(area)
            .or_else(|| self.by_any_name(area))
            .filter(|area| self.is_within(area, isocortex))?;
        Some(self.by_any_case(&format!("{}{layer}", area.acronym.to_lowercase())).unwrap_or(area))
    }

    /// The structure of `parcellation` that holds `region`, as `iblatlas` maps it: the nearest one at or above it in the
    /// tree. A structure above all of the parcellation's (the thalamus in Beryl) or outside them (fibre tracts) is mapped
    /// to `root`, `void` to itself.
    ///
    /// `region` is one of this atlas.
    pub fn map(&self, region: &Region, parcellation: Parcellation) -> &Region {
        let row = match parcellation {
            Parcellation::Allen => self.by_id[&region.id],
            Parcellation::Beryl => region.targets[0].into(),
            Parcellation::Cosmos => region.targets[1].into(),
            Parcellation::Swanson => region.targets[2].into(),
        };
        &self.regions[row]
    }

    /// Whether a parcellation divides `region` into several structures, so that it is larger than any of them, as the
    /// thalamus is larger than the nuclei of Beryl.
    pub fn is_divided(&self, region: &Region, parcellation: Parcellation) -> bool {
        region.is_region()
            && self.map(region, parcellation) != region
            && self.members(parcellation).any(|member| member != region && self.is_within(member, region))
    }

    /// The structures of a parcellation in the tree's order, without `root` and `void`.
    pub fn members(&self, parcellation: Parcellation) -> impl Iterator<Item = &Region> {
        self.regions
            .iter()
            .filter(move |region| region.is_region() && self.map(region, parcellation) == *region)
    }

    /// The structure that `region` is a part of; `None` for `root` and `void`.
    pub fn parent(&self, region: &Region) -> Option<&Region> {
        region.parent.map(|row| &self.regions[usize::from(row)])
    }

    /// The structures that hold `region`, the nearest first, up to `root`; the region itself is not among them.
    pub fn ancestors<'a>(&'a self, region: &Region) -> impl Iterator<Item = &'a Region> {
        std::iter::successors(self.parent(region), |region| self.parent(region))
    }

    /// Whether `region` is `whole` or a part of it.
    pub fn is_within(&self, region: &Region, whole: &Region) -> bool {
        region == whole || self.ancestors(region).any(|ancestor| ancestor == whole)
    }
}

/// Rows by a lower-case key; `None` where several have the same one.
fn unique(regions: &[Region], key: impl Fn(&Region) -> &'static str) -> HashMap<String, Option<usize>> {
    let mut rows = HashMap::with_capacity(regions.len());
    for (row, region) in regions.iter().enumerate() {
        rows.entry(key(region).to_lowercase()).and_modify(|row| *row = None).or_insert(Some(row));
    }
    rows
}
