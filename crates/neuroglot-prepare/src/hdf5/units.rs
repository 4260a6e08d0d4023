//! What the columns of a table of units say of them.

use std::collections::BTreeMap;

use super::{Column, File, Purpose, Table};
use crate::{Location, PrepareError, RecordedUnit, quality};

/// Columns of the table of units that mean something; where one is not given, the usual names are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitColumns {
    /// Identifier of the unit.
    pub uuid: Option<String>,
    /// Region of the brain: an acronym or any other name, or the number of an Allen structure.
    pub region: Option<String>,
    /// Quality: `good` or another word, a truth value (also as 0 and 1), or a share of criteria of which 1 is good.
    pub quality: Option<String>,
    /// Values of the quality that are good, where they are neither.
    pub good_values: Vec<String>,
    /// Depth along the probe, µm.
    pub depth: Option<String>,
    /// Probe.
    pub probe: Option<String>,
    /// Channel of the probe on which it is largest.
    pub channel: Option<String>,
}

/// Words that say that a region is not known.
const UNKNOWN: [&str; 8] = ["", "unknown", "none", "nan", "na", "n/a", "unspecified", "null"];

/// Usual names of the column with regions.
pub(super) const REGIONS: [&str; 11] = [
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
];

/// Usual names of the column with the quality.
pub(super) const QUALITIES: [&str; 7] =
    ["quality", "label", "ks2_label", "ks_label", "KSLabel", "is_good", "good"];

/// The columns of a table of units, read; empty where there is none.
pub(crate) struct UnitTable {
    uuids: Vec<String>,
    regions: Vec<Location>,
    good: Vec<Option<bool>>,
    depths: Vec<f64>,
    probes: Vec<String>,
    channels: Vec<f64>,
    /// Why no unit is known to be good or not.
    pub(crate) quality_unknown: Option<String>,
}

impl UnitTable {
    /// Reads the columns that `chosen` names, or those of the usual names.
    pub(crate) fn read(table: &Table<'_>, chosen: &UnitColumns) -> Result<UnitTable, PrepareError> {
        let pick =
            |chosen: &Option<String>, usual: &[&str], purpose| table.pick(chosen.as_deref(), usual, purpose);
        let uuids = pick(
            &chosen.uuid,
            &["uuid", "uuids", "cluster_uuid", "cluster_uuids", "unit_uuid", "unit_uuids"],
            Purpose::Other,
        )?;
        let regions = pick(&chosen.region, &REGIONS, Purpose::Region)?;
        let quality = pick(&chosen.quality, &QUALITIES, Purpose::Quality)?;
        let depths = pick(&chosen.depth, &["depth", "depths", "unit_depth", "depth_um"], Purpose::Other)?;
        let probes = pick(
            &chosen.probe,
            &["probe", "probe_name", "electrode_group_name", "group_name", "shank_name"],
            Purpose::Other,
        )?;
        let channels = pick(
            &chosen.channel,
            &["channel", "peak_channel", "peak_channel_id", "max_electrode", "channel_id"],
            Purpose::Other,
        )?;
        let (good, quality_unknown) = match verdicts(table, quality, &chosen.good_values)? {
            Ok(good) => (good, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let regions = regions.map(|(name, column)| locations(table, &name, column)).transpose()?;
        Ok(UnitTable {
            uuids: uuids.map(|(_, column)| texts(column)).unwrap_or_default(),
            regions: regions.unwrap_or_default(),
            good,
            depths: depths.and_then(|(_, column)| numbers(column)).unwrap_or_default(),
            probes: probes.map(|(_, column)| texts(column)).unwrap_or_default(),
            channels: channels.and_then(|(_, column)| numbers(column)).unwrap_or_default(),
            quality_unknown,
        })
    }

    /// What the columns say of so many units. Where they say nothing, identifier and probe are empty.
    pub(crate) fn units(&self, units: usize) -> Vec<RecordedUnit> {
        let text = |texts: &[String], unit: usize| texts.get(unit).cloned().unwrap_or_default();
        let number = |numbers: &[f64], unit: usize| numbers.get(unit).copied();
        let unit = |unit: usize| RecordedUnit {
            uuid: text(&self.uuids, unit),
            location: self.regions.get(unit).cloned().unwrap_or(Location::Unknown),
            probe: text(&self.probes, unit),
            depth: number(&self.depths, unit).filter(|depth| depth.is_finite()),
            channel: number(&self.channels, unit)
                .filter(|channel| channel.fract() == 0.0)
                .map(|id| id as i64),
            good: self.good.get(unit).copied().flatten(),
        };
        (0..units).map(unit).collect()
    }
}

/// Which units are good, `[unit]`, or why that is not known.
fn verdicts(
    table: &Table<'_>,
    quality: Option<(String, Column)>,
    good_values: &[String],
) -> Result<Result<Vec<Option<bool>>, String>, PrepareError> {
    let Some((name, column)) = quality else {
        return Ok(Err(format!(
            "no column of {} says which units are good: name one with --unit-quality, it has {}",
            table.path(),
            table.plain_names()?.join(", ")
        )));
    };
    let verdict = match &column {
        Column::Truths(values) => Ok(quality::of_truths(values)),
        Column::Texts(words) => quality::of_words(words, good_values),
        Column::Numbers(values) => quality::of_numbers(values, good_values),
    };
    match verdict {
        Ok(verdict) => {
            if let Some(rule) = verdict.rule {
                table.group().note(format!("column {name} of {} {rule}", table.path()));
            }
            Ok(Ok(verdict.good))
        }
        Err(problem) => {
            let described = table.description_of(&name).map_or(String::new(), |text| format!(" ({text})"));
            let cure = "say which of them are good with --good-values, or name another column with \
                        --unit-quality";
            let problem = format!("column {name} of {}{described} {problem}", table.path());
            table.group().note(format!("which units are good is not known: {problem}"));
            Ok(Err(format!("{problem}: {cure}")))
        }
    }
}

/// A column as texts, whole numbers without a point.
pub(crate) fn texts(column: Column) -> Vec<String> {
    match column {
        Column::Texts(texts) => texts.into_iter().map(|text| text.trim().to_owned()).collect(),
        Column::Numbers(numbers) | Column::Truths(numbers) => {
            numbers.iter().map(ToString::to_string).collect()
        }
    }
}

/// A column as numbers, if it is one.
pub(crate) fn numbers(column: Column) -> Option<Vec<f64>> {
    match column {
        Column::Numbers(numbers) => Some(numbers),
        Column::Texts(_) | Column::Truths(_) => None,
    }
}

/// A column as places in the brain: names, or whole numbers, which may be Allen ids.
///
/// # Errors
/// [`PrepareError::Field`] for numbers that are no ids.
pub(crate) fn locations(
    table: &Table<'_>,
    name: &str,
    column: Column,
) -> Result<Vec<Location>, PrepareError> {
    let wrong = |problem: String| {
        let path = format!("{}/{name}", table.path());
        table.file().field(&path, problem, "choose another column with --unit-region or --electrode-region")
    };
    match column {
        Column::Texts(texts) => Ok(texts.iter().map(|text| location(text)).collect()),
        Column::Truths(_) => Err(wrong("is truth values, which name no regions".to_owned())),
        Column::Numbers(numbers) => numbers
            .iter()
            .map(|&id| match id {
                id if id.is_nan() => Ok(Location::Unknown),
                id if id.fract() == 0.0 && id.abs() < 1e15 => Ok(Location::Id(id as i64)),
                id => Err(wrong(format!("has {id}, which names no region"))),
            })
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

/// Makes identifiers of units unique, and notes how many had one that was not, and how many have no region.
pub(crate) fn finish_units(file: &File, units: &mut [RecordedUnit]) {
    let repeated = make_unique(units.iter_mut().map(|unit| &mut unit.uuid));
    if repeated > 0 {
        file.note(format!(
            "{repeated} units have the identifier of another one; they got a number behind it"
        ));
    }
    let unknown = units.iter().filter(|unit| unit.location == Location::Unknown).count();
    if unknown > 0 {
        file.note(format!("{unknown} of {} units have no region", units.len()));
    }
}

/// Makes identifiers unique; returns how many were not.
fn make_unique<'a>(uuids: impl Iterator<Item = &'a mut String>) -> usize {
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
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_by_name() {
        assert_eq!(location(" VISp5 "), Location::Acronym("VISp5".to_owned()));
        assert_eq!(location("Unknown"), Location::Unknown);
    }

    #[test]
    fn repeated_identifiers_become_unique() {
        let mut uuids = ["a", "a", "a_2", "a"].map(str::to_owned);
        assert_eq!(make_unique(uuids.iter_mut()), 3);
        assert_eq!(uuids, ["a", "a_2", "a_2_2", "a_3"]);
    }
}
