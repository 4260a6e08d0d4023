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

use crate::{Asked, Content, PrepareError, Source};
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
}

impl Source for ArraysSource {
    fn kind(&self) -> &'static str {
        "arrays"
    }

    fn eid(&self) -> Option<String> {
        Some(self.description.eid.clone())
    }

    /// The TOML file, and the files of all arrays that it names.
    fn files(&self) -> Vec<PathBuf> {
        let arrays: BTreeSet<&Path> =
            self.description.values().into_iter().filter_map(|value| value.array_file()).collect();
        std::iter::once(self.file.clone()).chain(arrays.into_iter().map(Path::to_owned)).collect()
    }

    fn read(&self, asked: Asked<'_>) -> Result<Content, PrepareError> {
        match &self.description.activity {
            Activity::Counts { counts, bin_seconds, starts, observed } => {
                let (starts, observed) = (starts.as_ref(), observed.as_ref());
                Ok(counts::read(&self.description, counts, *bin_seconds, starts, observed)?.into())
            }
            Activity::Spikes { times, clusters, unit, observed, align } => {
                let mut recording =
                    spikes::read(&self.description, [times, clusters], align, &self.file, asked)?;
                recording.observed = spikes::observed(&self.description, observed.as_ref(), &recording)?;
                recording.spike_time_unit = *unit;
                Ok(recording.into())
            }
        }
    }
}
