//! Sources that are elsewhere: listing them, and bringing them here.

use crate::terminal::console::Console;
use crate::terminal::progress::Bar;
use neuroglot::data::text::printable;
use neuroglot::fetch::{
    DandiAsset, DandiClient, DandiId, DandiVersion, FetchError, HubClient, HubFolder, HubRepository,
    S3Address, S3Client, S3Object,
};
use std::path::{Path, PathBuf};

/// What is to be downloaded.
#[derive(Debug, Clone)]
pub enum Remote {
    Dandi(DandiVersion, DandiAsset),
    Hub(HubRepository, HubFolder),
    S3(S3Object),
}

/// The archives that sources are listed in and downloaded from.
pub struct Downloads {
    dandi: DandiClient,
    hub: HubClient,
    s3: S3Client,
    /// Where files of DANDI and S3 are kept.
    downloads: PathBuf,
}

impl Downloads {
    /// With the tokens and addresses of the environment.
    pub fn new(downloads: &Path) -> Self {
        let mut dandi = DandiClient::from_env();
        // Another instance of the archive, as DANDI's own tools are told of it.
        if let Some(api) = std::env::var("DANDI_API_URL").ok().and_then(|url| url.parse().ok()) {
            dandi = dandi.with_api(api);
        }
        Self { dandi, hub: HubClient::from_env(), s3: S3Client::from_env(), downloads: downloads.to_owned() }
    }

    /// The files of a dandiset that match.
    ///
    /// # Errors
    /// An archive that cannot be asked, or none that match.
    pub fn dandi(&self, id: &DandiId, glob: Option<&str>) -> Result<Vec<Remote>, FetchError> {
        let version = self.dandi.resolve(id)?;
        let assets = self.dandi.assets(&version, Some(glob.unwrap_or("*.nwb")))?;
        Ok(assets.into_iter().map(|asset| Remote::Dandi(version.clone(), asset)).collect())
    }

    /// The sessions of a data set of the Hugging Face hub.
    ///
    /// # Errors
    /// A hub that cannot be asked, or no session.
    pub fn hub(&self, repository: &HubRepository, glob: Option<&str>) -> Result<Vec<Remote>, FetchError> {
        let sessions = self.hub.sessions(repository, glob)?;
        Ok(sessions.into_iter().map(|session| Remote::Hub(repository.clone(), session)).collect())
    }

    /// The objects of a bucket.
    ///
    /// # Errors
    /// A bucket that cannot be asked, or no object.
    pub fn s3(&self, address: &S3Address, glob: Option<&str>) -> Result<Vec<Remote>, FetchError> {
        Ok(self.s3.list(address, glob)?.into_iter().map(Remote::S3).collect())
    }

    /// Brings it here, or finds that it is here already.
    ///
    /// # Errors
    /// A download that cannot be finished.
    pub fn download(&self, remote: &Remote, console: &Console) -> Result<PathBuf, FetchError> {
        with_bar(&remote.name(), console, |show| match remote {
            Remote::Dandi(version, asset) => self.dandi.download(version, asset, &self.downloads, show),
            Remote::Hub(repository, session) => self.hub.download(repository, session, show),
            Remote::S3(object) => self.s3.download(object, &self.downloads, show),
        })
    }
}

/// Sends or brings bytes with a bar on the terminal, which `transfer` tells how many of how many it has.
///
/// # Errors
/// Those of `transfer`.
pub fn with_bar<T>(
    name: &str,
    console: &Console,
    transfer: impl FnOnce(&mut dyn FnMut(u64, Option<u64>)) -> Result<T, FetchError>,
) -> Result<T, FetchError> {
    let template = "{bar:24} {bytes}/{total_bytes}  {eta} left  {msg}";
    let bar = Bar::on_a_terminal(template, 0, console);
    if let Some(Bar(bar)) = &bar {
        bar.set_message(printable(name).into_owned());
    }
    transfer(&mut |bytes, total| {
        if let Some(Bar(bar)) = &bar {
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
        }
    })
}

impl Remote {
    /// What it is called in messages and provenance.
    pub fn name(&self) -> String {
        match self {
            Remote::Dandi(version, asset) => {
                format!("DANDI:{}/{}/{}", version.dandiset, version.version, asset.path)
            }
            Remote::Hub(repository, session) => {
                let folder =
                    if session.folder.is_empty() { String::new() } else { format!("/{}", session.folder) };
                format!("hub:{}@{}{folder}", repository.name, session.commit)
            }
            Remote::S3(object) => format!("s3://{}/{}", object.bucket, object.key),
        }
    }
}
