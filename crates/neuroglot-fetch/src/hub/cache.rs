//! The places of one repository in the hub's cache.

use super::listing::{HubFile, HubFolder, MODEL_CONFIG, group, split_of};
use super::repository::{HubKind, HubRepository};
use crate::record::written;
use crate::{FetchError, Result};
use hf_hub::{Cache, CacheRepo};
use neuroglot_files::{FromIo, remove_leftovers, replace_file, temporary_beside};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file that names a commit, in bytes.
const LONGEST_REFERENCE: u64 = 1 << 12;

/// `<cache>/datasets--<owner>--<name>`, or `models--…`, with `blobs`, `refs` and `snapshots`.
pub(crate) struct RepositoryCache {
    places: CacheRepo,
    root: PathBuf,
    kind: HubKind,
    revision: String,
}

impl RepositoryCache {
    pub fn new(cache: &Path, repository: &HubRepository) -> RepositoryCache {
        let repo = repository.repo();
        let root = cache.join(repo.folder_name());
        let places = Cache::new(cache.to_path_buf()).repo(repo);
        RepositoryCache { places, root, kind: repository.kind, revision: repository.revision.clone() }
    }

    /// Where the content with the name `etag` lies.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.places.blob_path(etag)
    }

    /// The folder of a commit, in which paths are those of the repository.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.places.pointer_path(commit)
    }

    /// Whether the file is there whole.
    pub fn holds(&self, pointer: &Path, file: &HubFile) -> bool {
        let length = fs::metadata(pointer).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
        if length != Some(file.size) {
            return false;
        }
        // What is a link leads to a blob whose name tells the content; elsewhere the file is a copy.
        match fs::read_link(pointer) {
            Ok(link) => {
                link.file_name().is_some_and(|name| name == file.etag.as_str()) || file.etag.is_empty()
            }
            Err(_) => true,
        }
    }

    /// Makes `pointer` lead to `blob`, by a relative link as Python does it, or a copy where links are refused.
    pub fn point(&self, pointer: &Path, blob: &Path) -> Result<()> {
        let folder = pointer.parent().expect("a pointer lies in a snapshot");
        fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
        let depth = folder.strip_prefix(&self.root).map_or(0, |path| path.components().count());
        let mut relative: PathBuf = std::iter::repeat_n("..", depth).collect();
        relative.extend(blob.strip_prefix(&self.root).unwrap_or(blob));
        // A link of its own name first, so that an older one is replaced in one step.
        let temporary = temporary_beside(pointer);
        remove_leftovers(folder);
        if link(&relative, &temporary).is_err() {
            fs::copy(blob, &temporary).map_err(FetchError::io("copy", blob))?;
        }
        fs::rename(&temporary, pointer).map_err(FetchError::io("write", pointer))
    }

    /// Remembers which commit the revision is, so that it is found without the network.
    pub fn remember(&self, commit: &str) -> Result<()> {
        if self.revision == commit {
            return Ok(());
        }
        let path = self.reference();
        if neuroglot_files::read_text(&path, LONGEST_REFERENCE).is_ok_and(|known| known.trim() == commit) {
            return Ok(());
        }
        let folder = path.parent().expect("a reference lies in refs");
        fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
        replace_file(&path, commit.as_bytes()).map_err(|error| written(&path, error))
    }

    fn reference(&self) -> PathBuf {
        self.root.join("refs").join(&self.revision)
    }

    /// What lies whole in the cache, of the commit that the revision was when it was last asked for.
    pub fn folders(&self) -> Vec<HubFolder> {
        let commit = match neuroglot_files::read_text(self.reference(), LONGEST_REFERENCE) {
            Ok(commit) => commit.trim().to_string(),
            Err(_) => self.revision.clone(),
        };
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Vec::new();
        }
        let snapshot = self.snapshot(&commit);
        let mut files = Vec::new();
        match self.kind {
            HubKind::Model => collect(&snapshot, "", &mut files),
            HubKind::DataSet => {
                collect(&snapshot.join("data"), "data/", &mut files);
                for entry in fs::read_dir(&snapshot).into_iter().flatten().flatten() {
                    if let Some(name) = entry.file_name().to_str() {
                        collect(&entry.path().join("data"), &format!("{name}/data/"), &mut files);
                    }
                }
            }
        }
        let is_whole = match self.kind {
            HubKind::Model => |model: &HubFolder| model.paths().any(|path| path == MODEL_CONFIG),
            HubKind::DataSet => has_all_splits,
        };
        group(self.kind, &commit, files.into_iter()).into_iter().filter(is_whole).collect()
    }
}

/// Adds the files of a folder of the cache.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<HubFile>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Some(name), Ok(metadata)) =
            (entry.file_name().to_str().map(str::to_string), fs::metadata(entry.path()))
        else {
            continue;
        };
        if metadata.is_file() {
            let blob = fs::read_link(entry.path()).ok();
            let etag =
                blob.as_ref().and_then(|blob| blob.file_name()?.to_str()).unwrap_or_default().to_string();
            files.push(HubFile { path: format!("{prefix}{name}"), etag, size: metadata.len() });
        }
    }
}

/// Whether all three splits are there with as many files as their names announce.
fn has_all_splits(session: &HubFolder) -> bool {
    let mut found: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for path in session.paths() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some((split, announced)) = split_of(name) else { continue };
        let counts = found.entry(split).or_default();
        counts.0 += 1;
        counts.1 = counts.1.max(announced.unwrap_or(1));
    }
    found.len() == 3 && found.values().all(|(count, announced)| count >= announced)
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

#[cfg(not(any(unix, windows)))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
