//! Where the sources of `neuroglot prepare` are: here, or in an archive that says what it holds.

use super::Arguments;
use crate::CommandError;
#[cfg(feature = "network")]
use crate::terminal::console::one_line;
#[cfg(feature = "network")]
use crate::workflows::downloads::{Downloads, Remote};
use crate::workflows::preparation_run::Place;
#[cfg(feature = "network")]
use neuroglot::fetch::{FetchError, HubRepository};
#[cfg(feature = "network")]
use std::path::PathBuf;

impl Arguments {
    fn sources(&self) -> Result<Vec<String>, CommandError> {
        let mut sources = self.sources.clone();
        if let Some(list) = &self.list {
            let text = neuroglot::files::read_stream(list, neuroglot::files::SETTINGS)
                .map_err(|error| CommandError::Usage(format!("cannot read {}: {error}", list.display())))?;
            // Paths are relative to where the command runs, as those given to it are.
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            sources.extend(lines.map(str::to_owned));
        }
        let named = sources.len() + self.remote.hub.len() + usize::from(self.remote.dandi.is_some());
        if named == 0 {
            return Err(CommandError::Usage(
                "no source: name files or folders, a list with --sources, or --dandi or --hub".to_owned(),
            ));
        }
        Ok(sources)
    }

    /// Where downloads are kept.
    #[cfg(feature = "network")]
    pub(super) fn downloads(&self) -> PathBuf {
        self.remote.downloads.clone().unwrap_or_else(|| self.out.join("downloads"))
    }

    /// All sources; what archives hold is listed. One that cannot be asked is a source that fails, unless several processes
    /// share the list: they have to see the same.
    #[cfg(feature = "network")]
    pub(super) fn places(&self, downloads: &Downloads, is_shared: bool) -> Result<Vec<Place>, CommandError> {
        let listed = |name: String, remotes: Result<Vec<Remote>, FetchError>| match remotes {
            Ok(remotes) => Ok(remotes.into_iter().map(Place::There).collect()),
            Err(error @ (FetchError::Name { .. } | FetchError::Pattern { .. })) => Err(error),
            Err(error) if is_shared => Err(error),
            Err(error) => Ok(vec![Place::Unlisted { name, problem: one_line(&error) }]),
        };
        let glob = self.remote.path.as_deref();
        let mut places = Vec::new();
        for source in self.sources()? {
            if source.starts_with("s3://") {
                let objects = downloads.s3(&source.parse()?, glob);
                places.extend(listed(source, objects)?);
            } else {
                places.push(Place::Here(source.into()))
            }
        }
        if let Some(id) = &self.remote.dandi {
            places.extend(listed(format!("DANDI:{id}"), downloads.dandi(&id.parse()?, glob))?);
        }
        for repository in &self.remote.hub {
            let repository: HubRepository = repository.parse()?;
            places.extend(listed(format!("hub:{repository}"), downloads.hub(&repository, glob))?);
        }
        self.check_eid(&places)?;
        Ok(places)
    }

    /// All sources, of which none can be downloaded.
    #[cfg(not(feature = "network"))]
    pub(super) fn places(&self) -> Result<Vec<Place>, CommandError> {
        let sources = self.sources()?;
        let remote = &self.remote;
        if remote.dandi.is_some()
            || !remote.hub.is_empty()
            || sources.iter().any(|source| source.starts_with("s3://"))
        {
            return Err(CommandError::Usage(crate::runs::place::NO_NETWORK.to_owned()));
        }
        let places: Vec<Place> = sources.into_iter().map(|source| Place::Here(source.into())).collect();
        self.check_eid(&places)?;
        Ok(places)
    }

    fn check_eid(&self, places: &[Place]) -> Result<(), CommandError> {
        if self.eid.is_some() && places.len() > 1 {
            Err(CommandError::Usage("--eid names one session, and there are several sources".to_owned()))
        } else {
            Ok(())
        }
    }
}
