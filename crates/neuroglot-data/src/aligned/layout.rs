//! Where the files of a session lie in its folder.

use neuroglot_files::FromIo;
use std::path::{Path, PathBuf};

use crate::{DataError, Split};

/// The files of one split, in the order of their rows.
#[derive(Debug)]
pub(super) struct SplitFiles {
    pub split: Split,
    pub files: Vec<PathBuf>,
}

/// Finds the files of the three splits, train first.
///
/// Tried in turn: Parquet files in `data/`, Parquet files in the folder itself, and the folders of
/// `DatasetDict.save_to_disk`.
pub(super) fn find(folder: &Path) -> Result<Vec<SplitFiles>, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoSession { folder: folder.to_owned() });
    }
    for place in [folder.join("data"), folder.to_owned()] {
        let names = names_in(&place)?;
        let found = Split::ALL.map(|split| parquet_files(&place, &names, split));
        if found.iter().any(|files| !files.is_empty()) {
            return complete(folder, found, |split| format!("{}-*.parquet", split.file_name()));
        }
    }
    let mut found = [const { Vec::new() }; 3];
    for (files, split) in found.iter_mut().zip(Split::ALL) {
        for name in folder_names(split) {
            let place = folder.join(name);
            files.extend(names_in(&place)?.iter().filter(|name| is_arrow(name)).map(|name| place.join(name)));
        }
    }
    if found.iter().all(Vec::is_empty) {
        return Err(DataError::NoSession { folder: folder.to_owned() });
    }
    complete(folder, found, |split| format!("{}/data-*.arrow", split.file_name()))
}

/// The names under which copies keep a split.
fn folder_names(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train"],
        Split::Validation => &["val", "validation"],
        Split::Test => &["test"],
    }
}

/// Sorted names of the files in a folder; none if there is no such folder.
fn names_in(folder: &Path) -> Result<Vec<String>, DataError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(DataError::io("list", folder))? {
        let entry = entry.map_err(DataError::io("list", folder))?;
        // Names that are not Unicode cannot be those of a shard.
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn parquet_files(folder: &Path, names: &[String], split: Split) -> Vec<PathBuf> {
    let belongs = |name: &str| {
        name.strip_suffix(".parquet").is_some_and(|stem| {
            folder_names(split).iter().any(|split| {
                stem.strip_prefix(split).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
        })
    };
    names.iter().filter(|name| belongs(name)).map(|name| folder.join(name)).collect()
}

/// `cache-*.arrow` files beside the data hold results of transformations, not trials.
fn is_arrow(name: &str) -> bool {
    name.ends_with(".arrow") && (name.starts_with("data-") || name == "dataset.arrow")
}

fn complete(
    folder: &Path,
    found: [Vec<PathBuf>; 3],
    expected: impl Fn(Split) -> String,
) -> Result<Vec<SplitFiles>, DataError> {
    let mut splits = Vec::new();
    for (files, split) in found.into_iter().zip(Split::ALL) {
        let Some(first) = files.first() else {
            let problem = format!(
                "the {split} split is missing: expected {}; download the whole session again or write all three splits",
                expected(split)
            );
            return Err(DataError::Incomplete { place: folder.to_owned(), problem });
        };
        if let Some(announced) = announced_files(first)
            && announced != files.len()
        {
            let problem = format!(
                "its name says that its split has {announced} files, {} found: copy the missing ones into its folder",
                files.len()
            );
            return Err(DataError::Incomplete { place: first.clone(), problem });
        }
        splits.push(SplitFiles { split, files });
    }
    Ok(splits)
}

/// 3 for `train-00000-of-00003.parquet`.
fn announced_files(file: &Path) -> Option<usize> {
    file.file_stem()?.to_str()?.rsplit_once("-of-")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn found(files: &[&str]) -> Result<Vec<Vec<String>>, DataError> {
        let folder = folder_with(files);
        let relative =
            |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        Ok(find(folder.path())?.iter().map(|split| split.files.iter().map(relative).collect()).collect())
    }

    #[test]
    fn shards_of_the_hub_come_in_order() {
        let splits = found(&[
            "data/train-00001-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
            "data/validation-00000-of-00001.parquet",
            "data/test-00000-of-00001.parquet",
            "data/training-notes.parquet",
            "README.md",
        ])
        .unwrap();
        assert_eq!(splits[0], ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]);
        assert_eq!(splits[1], ["data/validation-00000-of-00001.parquet"]);
        assert_eq!(splits[2], ["data/test-00000-of-00001.parquet"]);
    }

    #[test]
    fn files_may_lie_in_the_folder_itself() {
        let splits = found(&["train.parquet", "val.parquet", "test.parquet"]).unwrap();
        assert_eq!(splits, [["train.parquet"], ["val.parquet"], ["test.parquet"]]);
    }

    #[test]
    fn saved_to_disk_without_caches() {
        let splits = found(&[
            "train/data-00000-of-00001.arrow",
            "train/cache-5e1d.arrow",
            "train/state.json",
            "val/data-00000-of-00001.arrow",
            "test/dataset.arrow",
        ])
        .unwrap();
        assert_eq!(
            splits,
            [["train/data-00000-of-00001.arrow"], ["val/data-00000-of-00001.arrow"], ["test/dataset.arrow"]]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |files: &[&str]| found(files).unwrap_err().to_string();
        let nothing = message(&["README.md"]);
        assert!(nothing.contains("expected data/train-*.parquet"), "{nothing}");
        let split = message(&["data/train-0.parquet", "data/val-0.parquet"]);
        assert!(split.contains("the test split is missing") && split.contains("test-*.parquet"), "{split}");
        let shard =
            message(&["data/train-00000-of-00002.parquet", "data/val-0.parquet", "data/test-0.parquet"]);
        assert!(shard.contains("has 2 files, 1 found"), "{shard}");
    }
}
