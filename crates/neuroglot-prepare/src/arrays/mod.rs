//! Plain arrays, with a TOML file that says what is what.
//!
//! Arrays are files `.npy`, members of `.npz` archives, or lists in the TOML file. Counts in bins become a
//! [`BinnedRecording`](crate::BinnedRecording), times and clusters of spikes a [`Recording`](crate::Recording).

mod counts;
mod description;
mod observed;
mod spikes;
mod trials;
mod units;
mod value;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{Content, PrepareError};
use description::{Activity, Description};

/// A TOML file that is read, and whose arrays are not.
#[derive(Debug, Clone)]
pub struct ArraysSource {
    file: PathBuf,
    description: Box<Description>,
}

impl ArraysSource {
    /// Reads the TOML file.
    ///
    /// # Errors
    /// [`PrepareError::Io`]; [`PrepareError::Field`] and [`PrepareError::Missing`] name a key that is unknown, missing or
    /// wrong.
    pub fn open(file: &Path) -> Result<ArraysSource, PrepareError> {
        Ok(ArraysSource { file: file.to_owned(), description: Box::new(Description::read(file)?) })
    }

    /// With another identifier of the session, if one is given.
    #[must_use]
    pub fn named(mut self, eid: Option<&str>) -> ArraysSource {
        if let Some(eid) = eid {
            self.description.eid = eid.to_owned();
        }
        self
    }

    /// Identifier of the session.
    pub fn eid(&self) -> &str {
        &self.description.eid
    }

    /// The TOML file, and the files of all arrays that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let arrays: BTreeSet<&Path> =
            self.description.values().into_iter().filter_map(|value| value.array_file()).collect();
        std::iter::once(self.file.clone()).chain(arrays.into_iter().map(Path::to_owned)).collect()
    }

    /// Reads the arrays. Of the traces, only those that `wanted` names.
    ///
    /// # Errors
    /// [`PrepareError`] names the file and the array that cannot be read, or contradicts the others.
    pub fn read(&self, wanted: &(dyn Fn(&str) -> bool + Sync)) -> Result<Content, PrepareError> {
        match &self.description.activity {
            Activity::Counts { counts, bin_seconds, starts, observed } => {
                let (starts, observed) = (starts.as_ref(), observed.as_ref());
                let binned = counts::read(&self.description, counts, *bin_seconds, starts, observed)?;
                Ok(Content::Binned(Box::new(binned)))
            }
            Activity::Spikes { times, clusters, unit, observed, align } => {
                let mut recording =
                    spikes::read(&self.description, [times, clusters], align, &self.file, wanted)?;
                recording.observed = spikes::observed(&self.description, observed.as_ref(), &recording)?;
                recording.spike_time_unit = *unit;
                Ok(Content::Recording(Box::new(recording)))
            }
        }
    }
}
