//! Where runs and sessions are: in a folder, or on the Hugging Face hub.

use crate::CommandError;
use crate::terminal::console::Console;
#[cfg(feature = "network")]
use crate::workflows::downloads::with_bar;
#[cfg(feature = "network")]
use neuroglot::fetch::{FetchError, HubClient, HubKind, HubRepository};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// A folder, or what `hub:OWNER/NAME` names: a model where a run is meant, a data set where sessions are.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// `OWNER/NAME`, `OWNER/NAME@REVISION`, or of one session of several `OWNER/NAME/EID_aligned`.
    Hub(String),
}

impl From<OsString> for Place {
    fn from(word: OsString) -> Self {
        match word.to_str().and_then(|word| word.strip_prefix("hub:")) {
            Some(name) => Place::Hub(name.to_owned()),
            None => Place::Folder(word.into()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) => path.display().fmt(formatter),
            Place::Hub(name) => write!(formatter, "hub:{name}"),
        }
    }
}

impl Place {
    /// The folder of the run or checkpoint, downloaded unless it is here.
    ///
    /// # Errors
    /// No such repository, one that is no model, or a download that cannot be finished.
    pub fn of_run(&self, console: &Console) -> Result<PathBuf, CommandError> {
        match self {
            Place::Folder(path) => Ok(path.clone()),
            Place::Hub(name) => model_of_hub(name, console),
        }
    }

    /// The folder of the session, downloaded unless it is here.
    ///
    /// # Errors
    /// As [`folders_of_sessions`], and a data set of several sessions.
    pub fn of_session(&self, console: &Console) -> Result<PathBuf, CommandError> {
        let mut found = folders_of_sessions(std::slice::from_ref(self), console)?;
        match (self, found.len()) {
            (_, 1) => Ok(found.remove(0)),
            (Place::Hub(name), count) => Err(CommandError::Usage(format!(
                "hub:{name} holds {count} sessions, and one is meant: name it, as hub:OWNER/NAME/EID_aligned"
            ))),
            (Place::Folder(_), _) => unreachable!("a folder is one session"),
        }
    }
}

/// The folders of sessions, downloaded unless they are here; a data set may hold several.
///
/// # Errors
/// No such repository, one without sessions, or a download that cannot be finished.
pub fn folders_of_sessions(places: &[Place], console: &Console) -> Result<Vec<PathBuf>, CommandError> {
    let mut folders = Vec::new();
    for place in places {
        match place {
            Place::Folder(path) => folders.push(path.clone()),
            Place::Hub(name) => folders.extend(sessions_of_hub(name, console)?),
        }
    }
    Ok(folders)
}

#[cfg(feature = "network")]
fn model_of_hub(name: &str, console: &Console) -> Result<PathBuf, CommandError> {
    let hub = HubClient::from_env();
    let repository = HubRepository::parse(HubKind::Model, name)?;
    let found = hub.model(&repository)?;
    Ok(with_bar(&format!("hub:{repository}"), console, |show| hub.download(&repository, &found, show))?)
}

#[cfg(feature = "network")]
fn sessions_of_hub(name: &str, console: &Console) -> Result<Vec<PathBuf>, CommandError> {
    let hub = HubClient::from_env();
    let (repository, folder) = HubRepository::with_folder(name)?;
    let found = hub.sessions(&repository, folder.as_deref())?;
    let download = |session| {
        with_bar(&format!("hub:{repository}"), console, |show| hub.download(&repository, session, show))
    };
    Ok(found.iter().map(download).collect::<Result<Vec<_>, FetchError>>()?)
}

#[cfg(not(feature = "network"))]
fn model_of_hub(name: &str, _: &Console) -> Result<PathBuf, CommandError> {
    Err(CommandError::Usage(format!("hub:{name}: {NO_NETWORK}")))
}

#[cfg(not(feature = "network"))]
fn sessions_of_hub(name: &str, _: &Console) -> Result<Vec<PathBuf>, CommandError> {
    Err(CommandError::Usage(format!("hub:{name}: {NO_NETWORK}")))
}

/// What a build without the feature `network` says.
#[cfg(not(feature = "network"))]
pub const NO_NETWORK: &str = "this build cannot download: build it with the feature `network`";
