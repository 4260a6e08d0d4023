//! Finding data sets by their ALF names.

use neuroglot_files::FromIo;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::PrepareError;

/// A data set that is read: its object, and the attributes and extensions that it may have, the preferred ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dataset {
    object: &'static str,
    attributes: &'static [&'static str],
    extensions: &'static [&'static str],
}

impl Dataset {
    /// An array.
    pub(super) const fn array(object: &'static str, attributes: &'static [&'static str]) -> Dataset {
        Dataset { object, attributes, extensions: &["npy"] }
    }

    /// A table.
    pub(super) const fn table(object: &'static str, attributes: &'static [&'static str]) -> Dataset {
        Dataset { object, attributes, extensions: &["pqt", "parquet"] }
    }

    /// A list in a text file.
    pub(super) const fn list(object: &'static str, attributes: &'static [&'static str]) -> Dataset {
        Dataset { object, attributes, extensions: &["csv"] }
    }
}

/// The data sets of one ALF collection that are read, of one revision each. What is not listed as it is opened is not found
/// in it, so its files are those that are read.
///
/// A name is `[_namespace_]object.attribute[.timescale…][.uuid].extension`; a folder `#revision#` holds newer versions
/// (ALF and ONE conventions of the International Brain Laboratory).
#[derive(Debug, Clone)]
pub(super) struct Collection {
    folder: PathBuf,
    found: Vec<(Dataset, PathBuf)>,
}

impl Collection {
    /// Looks for data sets in a folder and its revisions. Of each the newest revision is taken, or, with `revision`, the last
    /// that is not newer than it.
    pub(super) fn open(
        folder: &Path,
        revision: Option<&str>,
        datasets: &[Dataset],
    ) -> Result<Collection, PrepareError> {
        // Object, attribute and extension → revision and file.
        let mut there: BTreeMap<[String; 3], (String, PathBuf)> = BTreeMap::new();
        let mut add = |folder: &Path, revision: &str| -> Result<(), PrepareError> {
            for (name, path) in entries(folder)? {
                if !path.is_file() {
                    continue;
                }
                let Some(parts) = parse(&name) else { continue };
                let newer = |(other, at): &(String, PathBuf)| (revision, &path) > (other.as_str(), at);
                let key = parts.map(str::to_owned);
                if there.get(&key).is_none_or(newer) {
                    there.insert(key, (revision.to_owned(), path));
                }
            }
            Ok(())
        };
        add(folder, "")?;
        for (name, path) in entries(folder)? {
            let own = name.strip_prefix('#').and_then(|name| name.strip_suffix('#'));
            if let Some(own) = own
                && !own.is_empty()
                && path.is_dir()
                && revision.is_none_or(|asked| own <= asked)
            {
                add(&path, own)?;
            }
        }
        let file_of = |dataset: &Dataset| {
            let extensions = dataset.extensions.iter();
            let names = dataset.attributes.iter().flat_map(|attribute| {
                extensions.clone().map(|extension| [dataset.object, attribute, extension].map(str::to_owned))
            });
            let (_, file) = names.into_iter().find_map(|name| there.get(&name))?;
            Some((*dataset, file.clone()))
        };
        Ok(Collection { folder: folder.to_owned(), found: datasets.iter().filter_map(file_of).collect() })
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of all data sets that were found.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.found.iter().map(|(_, file)| file.as_path())
    }

    /// A data set's file, if it was found.
    pub(super) fn get(&self, dataset: Dataset) -> Option<&Path> {
        self.found.iter().find(|(found, _)| *found == dataset).map(|(_, file)| file.as_path())
    }

    /// The file of a data set that must be there.
    pub(super) fn required(&self, dataset: Dataset) -> Result<&Path, PrepareError> {
        self.get(dataset).ok_or_else(|| {
            let what = format!("{}.{}.{}", dataset.object, dataset.attributes[0], dataset.extensions[0]);
            let cure = "download the data set with ONE, or give the folder that holds it";
            PrepareError::missing(&self.folder, what, cure)
        })
    }

    /// Forgets data sets, which are then not read.
    pub(super) fn forget(&mut self, datasets: &[Dataset]) {
        self.found.retain(|(found, _)| !datasets.contains(found));
    }
}

/// Names and paths in a folder, sorted; none if there is no such folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, PrepareError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut entries = Vec::new();
    for entry in folder.read_dir().map_err(PrepareError::io("list", folder))? {
        let entry = entry.map_err(PrepareError::io("list", folder))?;
        // Names that are not Unicode are not those of data sets.
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, entry.path()));
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

/// Object, attribute and extension of a file name.
fn parse(name: &str) -> Option<[&str; 3]> {
    // `_ibl_trials.table.pqt` and `trials.table.pqt` are one data set.
    let name = match name.strip_prefix('_') {
        Some(rest) => rest.split_once('_')?.1,
        None => name,
    };
    let mut parts = name.split('.');
    let (object, attribute) = (parts.next()?, parts.next()?);
    let extension = parts.next_back()?;
    (!object.is_empty() && !attribute.is_empty()).then_some([object, attribute, extension])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parse("spikes.times.npy"), Some(["spikes", "times", "npy"]));
        assert_eq!(parse("_ibl_trials.table.pqt"), Some(["trials", "table", "pqt"]));
        assert_eq!(
            parse("spikes.times.e2b845a1-e313-4a08-bc61-a5f662ed295e.npy"),
            Some(["spikes", "times", "npy"])
        );
        assert_eq!(parse("spikes.times_bpod.npy"), Some(["spikes", "times_bpod", "npy"]));
        assert_eq!(parse("notes"), None);
        assert_eq!(parse("notes.txt"), None);
        assert_eq!(parse("_half"), None);
    }

    #[test]
    fn the_newest_revision_wins_for_each_data_set() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "spikes.times.npy",
            "spikes.clusters.npy",
            "#2022-01-01#/spikes.times.npy",
            "#2024-05-06#/spikes.times.npy",
            "#2024-05-06#/other.thing.npy",
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        const TIMES: Dataset = Dataset::array("spikes", &["times"]);
        const CLUSTERS: Dataset = Dataset::array("spikes", &["clusters"]);
        const AMPS: Dataset = Dataset::array("spikes", &["amps"]);
        let open = |revision: Option<&str>| {
            Collection::open(folder.path(), revision, &[TIMES, CLUSTERS, AMPS]).unwrap()
        };
        let found = |revision: Option<&str>, dataset: Dataset| {
            let collection = open(revision);
            let path = collection.required(dataset).unwrap();
            path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(found(None, TIMES), "#2024-05-06#/spikes.times.npy");
        assert_eq!(found(None, CLUSTERS), "spikes.clusters.npy");
        assert_eq!(found(Some("2024-05-05"), TIMES), "#2022-01-01#/spikes.times.npy");
        assert_eq!(found(Some("2022-01-01"), TIMES), "#2022-01-01#/spikes.times.npy");
        assert_eq!(found(Some("2020-01-01"), TIMES), "spikes.times.npy");
        let missing = open(None).required(AMPS).unwrap_err();
        assert!(missing.to_string().contains("has no spikes.amps.npy"), "{missing}");
        assert_eq!(open(None).files().count(), 2, "what is not listed is not there");
    }
}
