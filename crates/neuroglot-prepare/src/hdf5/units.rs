//! What the columns of a table of units say of them.

use std::collections::BTreeMap;

use super::{Column, Table};
use crate::{Location, PrepareError};

/// Columns of the table of units that mean something; where one is not given, the usual names are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitColumns {
    /// Identifier of the unit.
    pub uuid: Option<String>,
    /// Region of the brain: an acronym or any other name, or the number of an Allen structure.
    pub region: Option<String>,
    /// Quality: `good` or another word, a truth value, or a number of which 1 and more is good.
    pub quality: Option<String>,
    /// Depth along the probe, µm.
    pub depth: Option<String>,
    /// Probe.
    pub probe: Option<String>,
    /// Channel of the probe on which it is largest.
    pub channel: Option<String>,
}

/// Words that say that a region is not known.
const UNKNOWN: [&str; 8] = ["", "unknown", "none", "nan", "na", "n/a", "unspecified", "null"];

/// The columns of a table of units, read; nothing where there is none.
pub(crate) struct UnitTable {
    uuids: Option<Vec<String>>,
    regions: Option<Vec<Location>>,
    good: Option<Vec<Option<bool>>>,
    depths: Option<Vec<f64>>,
    probes: Option<Vec<String>>,
    channels: Option<Vec<f64>>,
}

impl UnitTable {
    /// Reads the columns that `chosen` names, or those of the usual names.
    pub(crate) fn read(table: &Table<'_>, chosen: &UnitColumns) -> Result<UnitTable, PrepareError> {
        let uuids = table.pick(
            chosen.uuid.as_deref(),
            &["uuid", "uuids", "cluster_uuid", "cluster_uuids", "unit_uuid", "unit_uuids"],
        )?;
        let regions = table.pick(
            chosen.region.as_deref(),
            &[
                "location",
                "brain_area",
                "brain_region",
                "region",
                "area",
                "allen_location",
                "anatomical_location",
                "brain_acronym",
                "structure_acronym",
                "acronym",
                "allen_id",
            ],
        )?;
        let good = table.pick(
            chosen.quality.as_deref(),
            &["quality", "label", "ks2_label", "ks_label", "KSLabel", "is_good", "good"],
        )?;
        let depths = table.pick(chosen.depth.as_deref(), &["depth", "depths", "unit_depth", "depth_um"])?;
        let probes = table.pick(
            chosen.probe.as_deref(),
            &["probe", "probe_name", "electrode_group_name", "group_name", "shank_name"],
        )?;
        let channels = table.pick(
            chosen.channel.as_deref(),
            &["channel", "peak_channel", "peak_channel_id", "max_electrode", "channel_id"],
        )?;
        Ok(UnitTable {
            uuids: uuids.map(texts),
            regions: regions.map(locations),
            good: good.map(is_good),
            depths: depths.and_then(numbers),
            probes: probes.map(texts),
            channels: channels.and_then(numbers),
        })
    }

    /// Identifier of a unit, if a column says it.
    pub(crate) fn uuid(&self, unit: usize) -> Option<&str> {
        Some(self.uuids.as_ref()?.get(unit)?.as_str()).filter(|uuid| !uuid.is_empty())
    }

    /// Where a unit is, if there is a column of it.
    pub(crate) fn location(&self, unit: usize) -> Option<&Location> {
        self.regions.as_ref()?.get(unit)
    }

    /// Whether a unit is good, if a column says it.
    pub(crate) fn good(&self, unit: usize) -> Option<bool> {
        *self.good.as_ref()?.get(unit)?
    }

    /// Depth of a unit, µm, if a column says it.
    pub(crate) fn depth(&self, unit: usize) -> Option<f64> {
        self.depths.as_ref()?.get(unit).copied().filter(|depth| depth.is_finite())
    }

    /// Probe of a unit, if a column says it.
    pub(crate) fn probe(&self, unit: usize) -> Option<&str> {
        Some(self.probes.as_ref()?.get(unit)?.as_str()).filter(|probe| !probe.is_empty())
    }

    /// Channel of a unit, if a column says it.
    pub(crate) fn channel(&self, unit: usize) -> Option<i64> {
        let channel = *self.channels.as_ref()?.get(unit)?;
        (channel.fract() == 0.0).then_some(channel as i64)
    }
}

/// A column as texts, whole numbers without a point.
pub(crate) fn texts(column: Column) -> Vec<String> {
    match column {
        Column::Texts(texts) => texts.into_iter().map(|text| text.trim().to_owned()).collect(),
        Column::Numbers(numbers) => numbers.iter().map(ToString::to_string).collect(),
    }
}

/// A column as numbers, if it is one.
pub(crate) fn numbers(column: Column) -> Option<Vec<f64>> {
    match column {
        Column::Numbers(numbers) => Some(numbers),
        Column::Texts(_) => None,
    }
}

/// A column as places in the brain.
pub(crate) fn locations(column: Column) -> Vec<Location> {
    match column {
        Column::Texts(texts) => texts.iter().map(|text| location(text)).collect(),
        Column::Numbers(numbers) => numbers
            .iter()
            .map(|&id| if id.fract() == 0.0 { Location::Id(id as i64) } else { Location::Unknown })
            .collect(),
    }
}

/// A place from its name.
pub(crate) fn location(name: &str) -> Location {
    let name = name.trim();
    if UNKNOWN.contains(&name.to_lowercase().as_str()) {
        Location::Unknown
    } else {
        Location::Acronym(name.to_owned())
    }
}

fn is_good(column: Column) -> Vec<Option<bool>> {
    match column {
        Column::Numbers(numbers) => {
            numbers.iter().map(|&label| (!label.is_nan()).then_some(label >= 1.0)).collect()
        }
        Column::Texts(texts) => texts
            .iter()
            .map(|text| match text.trim().to_lowercase().as_str() {
                "" | "nan" => None,
                word => Some(word == "good"),
            })
            .collect(),
    }
}

/// Makes identifiers unique, with a note if some were not.
pub(crate) fn unique_uuids<'a>(uuids: impl Iterator<Item = &'a mut String>, notes: &mut Vec<String>) {
    // How many units have had each identifier.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut repeated = 0;
    for uuid in uuids {
        if let Some(count) = seen.get(uuid) {
            repeated += 1;
            let original = uuid.clone();
            let mut number = count + 1;
            while seen.contains_key(uuid) {
                *uuid = format!("{original}_{number}");
                number += 1;
            }
            seen.insert(original, number - 1);
        }
        seen.insert(uuid.clone(), 1);
    }
    if repeated > 0 {
        notes.push(format!(
            "{repeated} units have the identifier of another one; they got a number behind it"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_of_quality() {
        let words = ["good", "Good ", "mua", "noise", ""].map(str::to_owned).to_vec();
        assert_eq!(is_good(Column::Texts(words)), [Some(true), Some(true), Some(false), Some(false), None]);
        // The IBL's label is the share of three criteria that were passed.
        let labels = vec![1.0, 2.0 / 3.0, 0.0, f64::NAN];
        assert_eq!(is_good(Column::Numbers(labels)), [Some(true), Some(false), Some(false), None]);
    }

    #[test]
    fn places_by_name_and_number() {
        assert_eq!(location(" VISp5 "), Location::Acronym("VISp5".to_owned()));
        assert_eq!(location("Unknown"), Location::Unknown);
        assert_eq!(
            locations(Column::Numbers(vec![-385.0, f64::NAN])),
            [Location::Id(-385), Location::Unknown]
        );
    }

    #[test]
    fn repeated_identifiers_become_unique() {
        let mut notes = Vec::new();
        let mut uuids = ["a", "a", "a_2", "a"].map(str::to_owned);
        unique_uuids(uuids.iter_mut(), &mut notes);
        assert_eq!(uuids, ["a", "a_2", "a_2_2", "a_3"]);
        assert_eq!(notes.len(), 1);
    }
}
