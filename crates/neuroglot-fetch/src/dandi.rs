//! The DANDI archive: dandisets, their versions and the files in them (<https://api.dandiarchive.org/swagger/>).

use crate::download::{Expected, HttpSource};
use crate::http::{NO_SERVICE, Pages, bearer};
use crate::{Downloader, FetchError, Result, paths};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use url::Url;

/// The public archive.
const API: &str = "https://api.dandiarchive.org/api";

/// How one gets access to a dandiset that is not public.
const ACCESS: &str = "set DANDI_API_KEY to the key that dandiarchive.org shows under your initials, \
                      and ask the owner if the dandiset is embargoed";

/// Files that one page of a list holds, at most.
const PAGE_SIZE: &str = "1000";

/// A dandiset and, if it was given, one of its versions: `000017`, `000017/0.220126.1855`, `000017/draft`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DandiId {
    /// Six digits.
    pub dandiset: String,
    /// The version; none means the most recent published one, or the draft if none is published.
    pub version: Option<String>,
}

impl FromStr for DandiId {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<DandiId> {
        let name = text.strip_prefix("DANDI:").or_else(|| text.strip_prefix("dandi:")).unwrap_or(text);
        let (dandiset, version) = match name.split_once('/') {
            Some((dandiset, version)) => (dandiset, Some(version)),
            None => (name, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_version =
            |text: &str| text == "draft" || (text.split('.').count() == 3 && text.split('.').all(digits));
        if dandiset.len() == 6 && digits(dandiset) && version.is_none_or(is_version) {
            return Ok(DandiId { dandiset: dandiset.to_string(), version: version.map(str::to_string) });
        }
        Err(FetchError::Name {
            text: text.to_string(),
            expected: "a dandiset: six digits and, if wanted, a version, such as 000017 or 000017/0.220126.1855 \
                       or 000017/draft",
        })
    }
}

/// A dandiset in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DandiVersion {
    /// Six digits.
    pub dandiset: String,
    /// A published version such as `0.220126.1855`, or `draft`.
    pub version: String,
}

/// One file of a dandiset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DandiAsset {
    /// The archive's identifier, a UUID.
    #[serde(rename = "asset_id")]
    pub id: String,
    /// Path in the dandiset, such as `sub-1/sub-1_ses-2.nwb`. What an archive says: it may be anything.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// The identifier of the folder of chunks, if this is one and no file.
    #[serde(default)]
    pub zarr: Option<String>,
}

/// Lists and downloads the files of dandisets.
#[derive(Debug, Clone)]
pub struct DandiClient {
    api: Url,
    token: Option<String>,
    downloader: Downloader,
}

#[derive(Deserialize)]
struct Dandiset {
    most_recent_published_version: Option<Published>,
}

#[derive(Deserialize)]
struct Published {
    version: String,
}

#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    results: Vec<DandiAsset>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    digest: serde_json::Map<String, serde_json::Value>,
}

impl Default for DandiClient {
    /// The public archive, without a key.
    fn default() -> DandiClient {
        let api = Url::parse(API).expect("a constant address");
        DandiClient { api, token: None, downloader: Downloader::default() }
    }
}

impl DandiClient {
    /// The public archive, with the key in the environment variable `DANDI_API_KEY` if it is set.
    pub fn from_env() -> DandiClient {
        let token = std::env::var("DANDI_API_KEY").ok().filter(|key| !key.trim().is_empty());
        DandiClient { token: token.map(|key| key.trim().to_string()), ..DandiClient::default() }
    }

    /// Another instance of the archive, by the address of its API.
    pub fn with_api(self, api: Url) -> DandiClient {
        DandiClient { api, ..self }
    }

    /// With a key of the archive.
    pub fn with_token(self, token: impl Into<String>) -> DandiClient {
        DandiClient { token: Some(token.into()), ..self }
    }

    /// With another patience.
    pub fn with_downloader(self, downloader: Downloader) -> DandiClient {
        DandiClient { downloader, ..self }
    }

    /// The version that `id` means.
    ///
    /// # Errors
    ///
    /// If the archive cannot be asked or does not know the dandiset.
    pub fn resolve(&self, id: &DandiId) -> Result<DandiVersion> {
        let dandiset = id.dandiset.clone();
        if let Some(version) = &id.version {
            return Ok(DandiVersion { dandiset, version: version.clone() });
        }
        let url = self.address(&["dandisets", &dandiset])?;
        let answer: Dandiset = self.json(&url)?;
        let version =
            answer.most_recent_published_version.map_or("draft".to_string(), |published| published.version);
        // The version becomes the name of a folder, so it must be as strict as one that a user types.
        format!("{dandiset}/{version}")
            .parse::<DandiId>()
            .map_err(|_| FetchError::index(&url, format!("{version:?} is not a version")))?;
        Ok(DandiVersion { dandiset, version })
    }

    /// The files of a version whose path matches `glob` (all without one), in the order of their paths.
    ///
    /// In the pattern `*` stands for any text, `/` included, as in the archive's own search.
    ///
    /// # Errors
    ///
    /// If the pattern is not one, the archive cannot be asked, or no file matches.
    pub fn assets(&self, version: &DandiVersion, glob: Option<&str>) -> Result<Vec<DandiAsset>> {
        let pattern = glob.map(paths::pattern).transpose()?;
        let DandiVersion { dandiset, version } = version;
        let mut url = self.address(&["dandisets", dandiset, "versions", version, "assets"])?;
        url.query_pairs_mut().append_pair("page_size", PAGE_SIZE).append_pair("order", "path");
        // The archive's own patterns know * alone and no case; they shorten the list, ours decides.
        if let Some(glob) = glob.filter(|glob| !glob.contains(['?', '[', ']'])) {
            url.query_pairs_mut().append_pair("glob", glob);
        }
        let mut assets = Vec::new();
        let mut next = Some(url.clone());
        let mut pages = Pages::default();
        while let Some(address) = next {
            let cure = "give a version of the dandiset that is whole, or a pattern by --path";
            pages.check(&address, assets.len(), cure)?;
            let page: Page = self.json(&address)?;
            assets.extend(
                page.results
                    .into_iter()
                    .filter(|asset| pattern.as_ref().is_none_or(|pattern| pattern.matches(&asset.path))),
            );
            next = match page.next {
                None => None,
                Some(text) => {
                    let following =
                        address.join(&text).map_err(|error| FetchError::index(&address, error))?;
                    // The key goes along, so the list must not lead elsewhere.
                    if following.origin() != self.api.origin() {
                        let problem = format!("its next page {following} is on another host");
                        return Err(FetchError::index(&address, problem));
                    }
                    Some(following)
                }
            };
        }
        if assets.is_empty() {
            let place = format!("dandiset {dandiset}/{version}");
            let cure = "try a shorter pattern, for example --path '*.nwb'";
            return Err(FetchError::nothing(place, "file", glob, cure));
        }
        assets.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(assets)
    }

    /// Downloads one file to `folder/<dandiset>/<version>/<path>` and returns where it lies.
    ///
    /// `progress` is told the bytes so far and the length. The SHA-256 that the archive has computed (a draft may not
    /// have one yet) is compared. A file that is there already is not fetched again.
    ///
    /// # Errors
    ///
    /// If the asset is no file, its path would leave the folder, or as for [`Downloader::download`].
    pub fn download(
        &self,
        version: &DandiVersion,
        asset: &DandiAsset,
        folder: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf> {
        let place = format!("{}/{}", version.dandiset, version.version);
        if asset.zarr.is_some() {
            let problem = format!(
                "of {place} is a Zarr asset, a folder of chunks: choose files, for example --path '*.nwb'"
            );
            return Err(FetchError::unusable(&asset.path, problem));
        }
        let target = paths::inside(&paths::inside(folder, &place)?, &asset.path)?;
        let metadata: Metadata = self.json(&self.address(&["assets", &asset.id])?)?;
        let sha256 = metadata.digest.get("dandi:sha2-256").and_then(|digest| digest.as_str());
        let expected = Expected { size: Some(asset.size), sha256: sha256.map(str::to_string) };
        let url = self.address(&["assets", &asset.id, "download"])?;
        let source = HttpSource {
            http: &self.downloader.http,
            url: url.as_str(),
            authorization: bearer(self.token.as_deref(), "token"),
            access: ACCESS,
        };
        self.downloader.fetch(&source, &target, &expected, false, progress)?;
        Ok(target)
    }

    /// An address of the API; each part is escaped, and all end in `/` as the archive wants it.
    fn address(&self, parts: &[&str]) -> Result<Url> {
        let mut url = self.api.clone();
        url.path_segments_mut()
            .map_err(|()| FetchError::unreachable(&self.api, NO_SERVICE))?
            .pop_if_empty()
            .extend(parts)
            .push("");
        Ok(url)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, url: &Url) -> Result<T> {
        self.downloader.http.json(url.as_str(), bearer(self.token.as_deref(), "token").as_deref(), ACCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_six_digits_and_a_version() {
        let id = |text: &str| text.parse::<DandiId>();
        assert_eq!(id("000017").unwrap(), DandiId { dandiset: "000017".into(), version: None });
        assert_eq!(id("000017/0.220126.1855").unwrap().version.as_deref(), Some("0.220126.1855"));
        assert_eq!(id("DANDI:000409/draft").unwrap().version.as_deref(), Some("draft"));
        for bad in [
            "",
            "17",
            "0000017",
            "00001x",
            "000017/",
            "000017/..",
            "000017/1",
            "000017/0.1.2/x",
            "000017/0..1.2",
        ] {
            let message = id(bad).unwrap_err().to_string();
            assert!(message.contains("six digits"), "{message}");
        }
    }
}
