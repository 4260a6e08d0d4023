//! Data sets and models of the Hugging Face hub, in the cache that Python's `huggingface_hub` shares
//! (<https://huggingface.co/docs/hub/local-cache>).
//!
//! Names, addresses, token and the places of the cache are `hf-hub`'s. The bodies are not: it appends what a server
//! sends to a part without looking whether that is the range it asked for, gives the file its name without looking at
//! its length, and does not wait as long as a server asks.

mod cache;
mod listing;
mod repository;
mod upload;

pub use listing::HubFolder;
pub use repository::{HubKind, HubRepository};
pub use upload::HubUpload;

use crate::download::{Expected, HttpSource};
use crate::http::bearer;
use crate::{Downloader, FetchError, Result, paths};
use cache::RepositoryCache;
use hf_hub::Cache;
use std::path::{Path, PathBuf};

/// The public hub.
const ENDPOINT: &str = "https://huggingface.co";

/// How one gets access to a repository that is not public.
const ACCESS: &str = "check the name of the repository; if it is private or gated, accept its terms on its page and set \
                      HF_TOKEN (or run `hf auth login`)";

/// Longest file with a token in bytes.
const LONGEST_TOKEN: u64 = 1 << 16;

/// Lists and downloads sessions of data sets, downloads models and puts them there.
#[derive(Debug, Clone)]
pub struct HubClient {
    endpoint: String,
    cache: PathBuf,
    token: Option<String>,
    is_offline: bool,
    downloader: Downloader,
}

impl HubClient {
    /// The public hub without a token, with the cache in the folder `cache`.
    pub fn new(cache: impl Into<PathBuf>) -> HubClient {
        HubClient {
            endpoint: ENDPOINT.to_string(),
            cache: cache.into(),
            token: None,
            is_offline: false,
            downloader: Downloader::default(),
        }
    }

    /// As Python's `huggingface_hub` does it: the cache in `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `~/.cache/huggingface/hub`; the token in `HF_TOKEN`, else in the file that `hf auth login` writes; the hub at
    /// `HF_ENDPOINT`; no network with `HF_HUB_OFFLINE=1`.
    pub fn from_env() -> HubClient {
        HubClient::from_variables(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> HubClient {
        let home = variable("HF_HOME").map(PathBuf::from);
        let home =
            home.or_else(|| variable("XDG_CACHE_HOME").map(|folder| Path::new(&folder).join("huggingface")));
        let home = home
            .unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache").join("huggingface"));
        let home = Cache::new(home.join("hub"));
        let token_file = variable("HF_TOKEN_PATH").map_or_else(|| home.token_path(), PathBuf::from);
        let token = variable("HF_TOKEN")
            .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| neuroglot_files::read_text(token_file, LONGEST_TOKEN).ok())
            .map(|token| token.trim().to_string())
            .filter(|token| !token.is_empty());
        let is_set =
            |value: String| matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE");
        let cache = variable("HF_HUB_CACHE").map_or_else(|| home.path().clone(), PathBuf::from);
        HubClient {
            endpoint: variable("HF_ENDPOINT").unwrap_or(ENDPOINT.to_string()),
            token,
            is_offline: variable("HF_HUB_OFFLINE").is_some_and(is_set),
            ..HubClient::new(cache)
        }
    }

    /// Another hub, by its address.
    pub fn with_endpoint(self, endpoint: impl Into<String>) -> HubClient {
        HubClient { endpoint: endpoint.into(), ..self }
    }

    /// With a token of the hub.
    pub fn with_token(self, token: impl Into<String>) -> HubClient {
        HubClient { token: Some(token.into()), ..self }
    }

    /// With another patience.
    pub fn with_downloader(self, downloader: Downloader) -> HubClient {
        HubClient { downloader, ..self }
    }

    /// Without asking the hub: only what the cache holds.
    pub fn offline(self) -> HubClient {
        HubClient { is_offline: true, ..self }
    }

    /// The sessions of a data set: one if `data/train-*.parquet` lies at its root, else one for each folder
    /// `<eid>_aligned` with such files. `glob`, if given, chooses folders by name.
    ///
    /// If the hub cannot be reached, the sessions that the cache holds completely are returned.
    ///
    /// # Errors
    ///
    /// If the hub refuses, or if the repository, or the cache without network, holds no session.
    pub fn sessions(&self, repository: &HubRepository, glob: Option<&str>) -> Result<Vec<HubFolder>> {
        let pattern = glob.map(paths::pattern).transpose()?;
        let chosen =
            |session: &HubFolder| pattern.as_ref().is_none_or(|pattern| pattern.matches(&session.folder));
        self.folders(repository, chosen)?.ok_or_else(|| {
            let cure = "expected data/train-*.parquet, data/val-*.parquet and data/test-*.parquet at its root or in \
                        folders <eid>_aligned";
            FetchError::nothing(format!("the data set {repository}"), "session", glob, cure)
        })
    }

    /// The checkpoint that a model's repository holds: `config.json` and weights at its root.
    ///
    /// If the hub cannot be reached, the model is that of the cache, if it holds it.
    ///
    /// # Errors
    ///
    /// If the hub refuses, or if the repository, or the cache without network, holds no model.
    pub fn model(&self, repository: &HubRepository) -> Result<HubFolder> {
        let has_config = |model: &HubFolder| model.paths().any(|path| path == listing::MODEL_CONFIG);
        let found = self.folders(repository, has_config)?;
        found.and_then(|found| found.into_iter().next()).ok_or_else(|| {
            let cure = "expected config.json and model.safetensors at its root, as `neuroglot share` puts them there";
            FetchError::nothing(format!("the repository {repository}"), "model", None, cure)
        })
    }

    /// The chosen folders of a repository; `None` where it has none.
    fn folders(
        &self,
        repository: &HubRepository,
        chosen: impl Fn(&HubFolder) -> bool,
    ) -> Result<Option<Vec<HubFolder>>> {
        let cache = RepositoryCache::new(&self.cache, repository);
        let listed = if self.is_offline {
            Err("HF_HUB_OFFLINE is set".to_string())
        } else {
            match self.listing(repository) {
                Ok(listing) => Ok(listing),
                Err(error) if error.is_offline() => Err(error.to_string()),
                Err(error) => return Err(error),
            }
        };
        let (folders, problem) = match listed {
            Ok(listing) => (listing.folders(repository.kind), None),
            Err(problem) => (cache.folders(), Some(problem)),
        };
        let folders: Vec<HubFolder> = folders.into_iter().filter(chosen).collect();
        match problem {
            _ if !folders.is_empty() => Ok(Some(folders)),
            Some(problem) => Err(FetchError::NotCached {
                repository: repository.to_string(),
                cache: self.cache.clone(),
                problem,
            }),
            None => Ok(None),
        }
    }

    /// Brings a session or a model into the cache, unless it is there, and returns its folder.
    ///
    /// `progress` is told the bytes so far and the length of the whole.
    ///
    /// # Errors
    ///
    /// As for [`Downloader::download`].
    pub fn download(
        &self,
        repository: &HubRepository,
        folder: &HubFolder,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf> {
        let cache = RepositoryCache::new(&self.cache, repository);
        let snapshot = cache.snapshot(&folder.commit);
        let total = folder.size();
        // Addresses name the commit, so that all files are of one version though a branch may move.
        let repo = repository.at(&folder.commit).repo();
        let remote = self.address(&format!("{}/resolve/{}", repo.url(), repo.url_revision()));
        let mut before = 0;
        for file in &folder.files {
            let pointer = paths::inside(&snapshot, &file.path)?;
            if !cache.holds(&pointer, file) {
                if self.is_offline || file.etag.is_empty() {
                    return Err(FetchError::NotCached {
                        repository: repository.to_string(),
                        cache: self.cache.clone(),
                        problem: format!("{} was there when the files were listed", file.path),
                    });
                }
                let url = format!("{remote}/{}", listing::escape(&file.path));
                let source = HttpSource {
                    http: &self.downloader.http,
                    url: &url,
                    authorization: bearer(self.token.as_deref(), "Bearer"),
                    access: ACCESS,
                };
                let blob = cache.blob(&file.etag);
                let expected = Expected { size: Some(file.size), sha256: file.sha256() };
                let mut of_all = |done, _| progress(before + done, Some(total));
                self.downloader.fetch(&source, &blob, &expected, true, &mut of_all)?;
                cache.point(&pointer, &blob)?;
            }
            before += file.size;
            progress(before, Some(total));
        }
        cache.remember(&folder.commit)?;
        Ok(if folder.folder.is_empty() { snapshot } else { paths::inside(&snapshot, &folder.folder)? })
    }

    fn listing(&self, repository: &HubRepository) -> Result<listing::Listing> {
        let url = self.address(&format!("api/{}?blobs=true", repository.repo().api_url()));
        let authorization = bearer(self.token.as_deref(), "Bearer");
        let listing: listing::Listing = self.downloader.http.json(&url, authorization.as_deref(), ACCESS)?;
        listing.check(repository.kind).map_err(|problem| FetchError::index(&url, problem))?;
        Ok(listing)
    }

    /// An address of the hub.
    fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn client(variables: &[(&str, &str)]) -> HubClient {
        let map: HashMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        HubClient::from_variables(&|name| map.get(name).cloned())
    }

    #[test]
    fn the_environment_is_read_as_python_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).to_str().unwrap().to_string();
        std::fs::write(home.path().join("token"), "hf_of_login\n").unwrap();
        let usual = client(&[("HF_HOME", &path(""))]);
        assert_eq!(usual.cache, home.path().join("hub"));
        assert_eq!(usual.token.as_deref(), Some("hf_of_login"));
        assert_eq!(usual.endpoint, "https://huggingface.co");
        assert!(!usual.is_offline);
        let other = client(&[
            ("HF_HOME", &path("")),
            ("HF_HUB_CACHE", &path("elsewhere")),
            ("HF_TOKEN", "hf_of_variable"),
            ("HF_ENDPOINT", "http://mirror"),
            ("HF_HUB_OFFLINE", "1"),
        ]);
        assert_eq!(other.cache, home.path().join("elsewhere"));
        assert_eq!(other.token.as_deref(), Some("hf_of_variable"));
        assert_eq!(other.endpoint, "http://mirror");
        assert!(other.is_offline);
        let xdg = client(&[("XDG_CACHE_HOME", &path(""))]);
        assert_eq!(xdg.cache, home.path().join("huggingface/hub"));
        assert_eq!(client(&[("HF_HOME", &path("empty"))]).token, None);
    }
}
