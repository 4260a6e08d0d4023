//! The files of a repository, and the sessions or the model that they make.

use super::repository::HubKind;
use crate::paths;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file of a model that says what its weights are.
pub(crate) const MODEL_CONFIG: &str = "config.json";

/// What the hub says of a revision with `?blobs=true`.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// A folder of a repository that is taken as a whole: a session of a data set, or the checkpoint of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFolder {
    /// Folder in the repository, such as `<eid>_aligned`; empty where it is the whole repository.
    pub folder: String,
    /// The commit that its files are of, 40 hexadecimal digits.
    pub commit: String,
    /// The Parquet files of a session's three splits, or the weights of a model and its `config.json`.
    pub(crate) files: Vec<HubFile>,
}

impl HubFolder {
    /// Length in bytes of all its files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Paths of its files in the repository.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubFile {
    /// Path in the repository.
    pub path: String,
    /// The name of its content: SHA-256 of large files, git's SHA-1 of small ones.
    pub etag: String,
    /// Length in bytes.
    pub size: u64,
}

impl HubFile {
    /// SHA-256 of the content, if its name is that.
    pub fn sha256(&self) -> Option<String> {
        (self.etag.len() == 64).then(|| self.etag.clone())
    }
}

fn is_hexadecimal(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Listing {
    /// Whether every name that becomes a path of the cache can be one, and every length is given.
    pub fn check(&self, kind: HubKind) -> Result<(), String> {
        if !is_hexadecimal(&self.sha, &[40]) {
            return Err(format!("{:?} is not a commit", self.sha));
        }
        for sibling in self.siblings.iter().filter(|sibling| folder_of(kind, &sibling.rfilename).is_some()) {
            let name = &sibling.rfilename;
            let etag = sibling.etag().ok_or_else(|| format!("{name} has neither blobId nor sha256"))?;
            if !is_hexadecimal(etag, &[40, 64]) {
                return Err(format!("{etag:?} is not a digest of {name}"));
            }
            if sibling.size().is_none() {
                return Err(format!("{name} has no size"));
            }
        }
        Ok(())
    }

    /// Whether the repository holds a file of this path.
    pub fn holds(&self, path: &str) -> bool {
        self.siblings.iter().any(|sibling| sibling.rfilename == path)
    }

    /// The sessions or the model, in the order of their folders.
    pub fn folders(&self, kind: HubKind) -> Vec<HubFolder> {
        let files = self.siblings.iter().filter_map(|sibling| {
            Some(HubFile {
                path: sibling.rfilename.clone(),
                etag: sibling.etag()?.to_string(),
                size: sibling.size()?,
            })
        });
        group(kind, &self.sha, files)
    }
}

impl Sibling {
    fn etag(&self) -> Option<&str> {
        self.lfs.as_ref().map(|lfs| lfs.sha256.as_str()).or(self.blob_id.as_deref())
    }

    fn size(&self) -> Option<u64> {
        self.lfs.as_ref().map(|lfs| lfs.size).or(self.size)
    }
}

/// Sorts files into folders.
pub(crate) fn group(kind: HubKind, commit: &str, files: impl Iterator<Item = HubFile>) -> Vec<HubFolder> {
    let mut folders: BTreeMap<String, Vec<HubFile>> = BTreeMap::new();
    for file in files {
        if let Some(folder) = folder_of(kind, &file.path) {
            folders.entry(folder.to_string()).or_default().push(file);
        }
    }
    // A repository with a session at its root is that session, whatever else it holds.
    if let Some(files) = folders.remove("") {
        folders = BTreeMap::from([(String::new(), files)]);
    }
    folders
        .into_iter()
        .map(|(folder, mut files)| {
            files.sort_by(|a, b| a.path.cmp(&b.path));
            HubFolder { folder, commit: commit.to_string(), files }
        })
        .collect()
}

/// The folder that a file belongs to, if it is one of a session's or of a model's files and its path is a safe one.
fn folder_of(kind: HubKind, path: &str) -> Option<&str> {
    paths::inside(Path::new(""), path).ok()?;
    match kind {
        HubKind::DataSet => session_of(path),
        HubKind::Model => is_of_a_model(path).then_some(""),
    }
}

/// What a checkpoint is made of, at the root of its repository.
fn is_of_a_model(path: &str) -> bool {
    path == MODEL_CONFIG || (path.ends_with(".safetensors") && !path.contains('/'))
}

fn session_of(path: &str) -> Option<&str> {
    let (folder, name) = match path.strip_prefix("data/") {
        Some(name) => ("", name),
        None => path.split_once("/data/").filter(|(folder, _)| is_session_folder(folder))?,
    };
    split_of(name).map(|_| folder)
}

fn is_session_folder(folder: &str) -> bool {
    !folder.contains('/') && folder.len() > "_aligned".len() && folder.ends_with("_aligned")
}

/// Split, and number of files of the split if the name tells it: `train-00000-of-00002.parquet`.
pub(crate) fn split_of(name: &str) -> Option<(&str, Option<usize>)> {
    let stem = name.strip_suffix(".parquet").filter(|stem| !stem.contains('/'))?;
    let (split, rest) = stem.split_once('-')?;
    let split = match split {
        "train" | "test" => split,
        "val" | "validation" => "val",
        _ => return None,
    };
    Some((split, rest.rsplit_once("-of-").and_then(|(_, count)| count.parse().ok())))
}

/// Escapes a path for an address.
pub(crate) fn escape(path: &str) -> String {
    let mut url = url::Url::parse("http://h/").expect("a constant address");
    url.path_segments_mut().expect("http has a path").pop_if_empty().extend(path.split('/'));
    url.path().trim_start_matches('/').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(paths: &[&str]) -> Vec<(String, usize)> {
        let files =
            paths.iter().map(|path| HubFile { path: path.to_string(), etag: "0".repeat(40), size: 1 });
        let found = group(HubKind::DataSet, "c", files).into_iter();
        found.map(|session| (session.folder, session.files.len())).collect()
    }

    #[test]
    fn a_model_is_its_config_and_its_weights() {
        let paths =
            ["README.md", "config.json", "model.safetensors", "old/model.safetensors", "../x.safetensors"];
        let file = |path: &&str| HubFile { path: (*path).to_owned(), etag: "0".repeat(40), size: 1 };
        let found = group(HubKind::Model, "c", paths.iter().map(file));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].paths().collect::<Vec<_>>(), ["config.json", "model.safetensors"]);
    }

    #[test]
    fn a_repository_is_one_session_or_holds_folders_of_them() {
        let root = ["README.md", "data/train-00000-of-00001.parquet", "data/val-00000-of-00001.parquet"];
        assert_eq!(folders(&root), [(String::new(), 2)]);
        let several = [
            "b_aligned/data/test-0.parquet",
            "a_aligned/data/train-0.parquet",
            "a_aligned/data/validation-0.parquet",
            "a_aligned/data/notes.txt",
            "a_aligned/data/deep/train-0.parquet",
            "other/data/train-0.parquet",
            "x/c_aligned/data/train-0.parquet",
        ];
        assert_eq!(folders(&several), [("a_aligned".to_string(), 2), ("b_aligned".to_string(), 1)]);
        let hostile =
            ["../x_aligned/data/train-0.parquet", "/data/train-0.parquet", "data/../train-0.parquet"];
        assert_eq!(folders(&hostile), []);
    }

    #[test]
    fn a_listing_without_digests_lengths_or_commit_is_refused() {
        let check = |text: &str| serde_json::from_str::<Listing>(text).unwrap().check(HubKind::DataSet);
        let (commit, digest) = ("a".repeat(40), "b".repeat(64));
        let good = format!(
            r#"{{"sha":"{commit}","siblings":[{{"rfilename":"data/train-0.parquet","size":9,"blobId":"x",
                "lfs":{{"sha256":"{digest}","size":5}}}},{{"rfilename":"README.md"}}]}}"#
        );
        check(&good).unwrap();
        let sessions = serde_json::from_str::<Listing>(&good).unwrap().folders(HubKind::DataSet);
        assert_eq!(sessions[0].files[0].sha256(), Some(digest.clone()));
        assert_eq!(sessions[0].size(), 5);
        assert!(check(&good.replace(&digest, "../../x")).unwrap_err().contains("not a digest"));
        assert!(check(&good.replace(&commit, "..")).unwrap_err().contains("not a commit"));
        let bare = format!(r#"{{"sha":"{commit}","siblings":[{{"rfilename":"data/train-0.parquet"}}]}}"#);
        assert!(check(&bare).unwrap_err().contains("neither"));
    }

    #[test]
    fn paths_are_escaped_in_addresses() {
        assert_eq!(escape("data/a b#c?.parquet"), "data/a%20b%23c%3F.parquet");
    }
}
