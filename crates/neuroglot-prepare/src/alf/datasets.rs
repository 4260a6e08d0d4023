//! Finding data sets by their ALF names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::PrepareError;

/// The data sets of one ALF collection, of one revision each.
///
/// A name is `[_namespace_]object.attribute[.timescale…][.uuid].extension`; a folder `#revision#` holds newer versions
/// (ALF and ONE conventions of the International Brain Laboratory).
#[derive(Debug, Clone)]
pub(super) struct Collection {
    folder: PathBuf,
    /// Object and attribute → extension → file.
    datasets: BTreeMap<(String, String), BTreeMap<String, PathBuf>>,
}

impl Collection {
    /// Lists a folder and its revisions. Of each data set the newest revision is taken, or, with `revision`, the last
    /// that is not newer than it.
    ///
    /// # Errors
    /// [`PrepareError::Io`].
    pub(super) fn open(folder: &Path, revision: Option<&str>) -> Result<Collection, PrepareError> {
        let mut found: BTreeMap<(String, String), BTreeMap<String, (String, PathBuf)>> = BTreeMap::new();
        let mut add = |folder: &Path, revision: &str| -> Result<(), PrepareError> {
            for (name, path) in entries(folder)? {
                if !path.is_file() {
                    continue;
                }
                let Some((object, attribute, extension)) = parse(&name) else { continue };
                let files = found.entry((object.to_owned(), attribute.to_owned())).or_default();
                let newer = |(other, at): &(String, PathBuf)| (revision, &path) > (other.as_str(), at);
                if files.get(extension).is_none_or(newer) {
                    files.insert(extension.to_owned(), (revision.to_owned(), path));
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
        let datasets = found.into_iter().map(|(name, files)| {
            (name, files.into_iter().map(|(extension, (_, path))| (extension, path)).collect())
        });
        Ok(Collection { folder: folder.to_owned(), datasets: datasets.collect() })
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A data set's file with one of some extensions, the first that there is.
    pub(super) fn get(&self, object: &str, attribute: &str, extensions: &[&str]) -> Option<&Path> {
        let files = self.datasets.get(&(object.to_owned(), attribute.to_owned()))?;
        extensions.iter().find_map(|extension| files.get(*extension)).map(PathBuf::as_path)
    }

    /// [`Collection::get`] of an array.
    pub(super) fn array(&self, object: &str, attribute: &str) -> Option<&Path> {
        self.get(object, attribute, &["npy"])
    }

    /// [`Collection::get`] of an array that must be there.
    ///
    /// # Errors
    /// [`PrepareError::Missing`].
    pub(super) fn required(&self, object: &str, attribute: &str) -> Result<&Path, PrepareError> {
        self.array(object, attribute).ok_or_else(|| PrepareError::Missing {
            place: self.folder.clone(),
            what: format!("{object}.{attribute}.npy"),
            cure: "download the data set with ONE, or give the folder that holds it".to_owned(),
        })
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
fn parse(name: &str) -> Option<(&str, &str, &str)> {
    // `_ibl_trials.table.pqt` and `trials.table.pqt` are one data set.
    let name = match name.strip_prefix('_') {
        Some(rest) => rest.split_once('_')?.1,
        None => name,
    };
    let mut parts = name.split('.');
    let (object, attribute) = (parts.next()?, parts.next()?);
    let extension = parts.next_back()?;
    (!object.is_empty() && !attribute.is_empty()).then_some((object, attribute, extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parse("spikes.times.npy"), Some(("spikes", "times", "npy")));
        assert_eq!(parse("_ibl_trials.table.pqt"), Some(("trials", "table", "pqt")));
        assert_eq!(
            parse("spikes.times.e2b845a1-e313-4a08-bc61-a5f662ed295e.npy"),
            Some(("spikes", "times", "npy"))
        );
        assert_eq!(parse("spikes.times_bpod.npy"), Some(("spikes", "times_bpod", "npy")));
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
        let found = |revision: Option<&str>, attribute: &str| {
            let collection = Collection::open(folder.path(), revision).unwrap();
            let path = collection.required("spikes", attribute).unwrap();
            path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(found(None, "times"), "#2024-05-06#/spikes.times.npy");
        assert_eq!(found(None, "clusters"), "spikes.clusters.npy");
        assert_eq!(found(Some("2024-05-05"), "times"), "#2022-01-01#/spikes.times.npy");
        assert_eq!(found(Some("2022-01-01"), "times"), "#2022-01-01#/spikes.times.npy");
        assert_eq!(found(Some("2020-01-01"), "times"), "spikes.times.npy");
        let missing = Collection::open(folder.path(), None).unwrap().required("spikes", "amps").unwrap_err();
        assert!(missing.to_string().contains("has no spikes.amps.npy"), "{missing}");
    }
}
