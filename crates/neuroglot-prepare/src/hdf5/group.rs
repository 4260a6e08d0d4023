//! A group: named groups, data sets and attributes.

use hdf5_reader::{Attribute, Datatype};

use super::file::is_absence;
use super::{Dataset, File};
use crate::PrepareError;

/// A group of an open file.
#[derive(Clone)]
pub(crate) struct Group<'f> {
    file: &'f File,
    inner: hdf5_reader::group::Group,
    path: String,
}

impl<'f> Group<'f> {
    pub(super) fn new(file: &'f File, inner: hdf5_reader::group::Group, path: String) -> Group<'f> {
        Group { file, inner, path }
    }

    /// The file it is in.
    pub(crate) fn file(&self) -> &'f File {
        self.file
    }

    /// Its absolute path; that of the root is empty.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its name in the group above.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// The address by which references name it.
    pub(crate) fn address(&self) -> u64 {
        self.inner.address()
    }

    /// Names of the groups and of the data sets in it, each sorted.
    pub(crate) fn names(&self) -> Result<(Vec<String>, Vec<String>), PrepareError> {
        let (mut groups, mut datasets) =
            self.inner.member_names().map_err(|error| self.file.error(&self.path, error))?;
        groups.sort();
        datasets.sort();
        Ok((groups, datasets))
    }

    fn child_path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// A group in it, if there is one of that name.
    pub(crate) fn group(&self, name: &str) -> Result<Option<Group<'f>>, PrepareError> {
        let path = self.child_path(name);
        match self.inner.group(name) {
            Ok(inner) => Ok(Some(Group::new(self.file, inner, path))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(self.file.error(&path, error)),
        }
    }

    /// A data set in it, if there is one of that name.
    pub(crate) fn dataset(&self, name: &str) -> Result<Option<Dataset<'f>>, PrepareError> {
        let path = self.child_path(name);
        match self.inner.dataset(name) {
            Ok(inner) => Ok(Some(Dataset::new(self.file, inner, path))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(self.file.error(&path, error)),
        }
    }

    fn attribute(&self, name: &str) -> Result<Option<Attribute>, PrepareError> {
        match self.inner.attribute(name) {
            Ok(attribute) => Ok(Some(attribute)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(self.file.error(&self.path, error)),
        }
    }

    /// An attribute as text, numbers written out; nothing if it is not there, empty, or neither.
    pub(crate) fn text_attribute(&self, name: &str) -> Result<Option<String>, PrepareError> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        let text = match &attribute.datatype {
            Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. } => {
                attribute.read_as_f64().map(|number| number.to_string())
            }
            _ => attribute.read_string(),
        };
        Ok(text.ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// An attribute of one number, if it is there.
    pub(crate) fn number_attribute(&self, name: &str) -> Result<Option<f64>, PrepareError> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        number(&attribute)
            .map(Some)
            .map_err(|error| self.file.error(&format!("{}, attribute {name}", self.path), error))
    }
}

/// The value of an attribute of one number.
pub(super) fn number(attribute: &Attribute) -> hdf5_reader::error::Result<f64> {
    attribute.read_as_f64()
}
