//! An object of an open file: where it is, and what its attributes say.

use hdf5_reader::{Attribute, Datatype, error};

use super::{File, Group};
use crate::PrepareError;

/// A group or a data set of an open file.
#[derive(Clone)]
pub(crate) struct Node<'f, T> {
    pub(super) file: &'f File,
    /// The file that was given, where links led from it to `file`.
    pub(super) main: &'f File,
    /// The object as the decoder has it.
    pub(super) inner: T,
    pub(super) path: String,
}

/// An object of the decoder that has attributes.
pub(crate) trait Attributes {
    fn attribute(&self, name: &str) -> error::Result<Attribute>;
}

impl Attributes for hdf5_reader::group::Group {
    fn attribute(&self, name: &str) -> error::Result<Attribute> {
        self.attribute(name)
    }
}

impl Attributes for hdf5_reader::Dataset {
    fn attribute(&self, name: &str) -> error::Result<Attribute> {
        self.attribute(name)
    }
}

impl<'f, T: Attributes> Node<'f, T> {
    /// The file it is in.
    pub(crate) fn file(&self) -> &'f File {
        self.file
    }

    /// The group that holds all others of its file.
    pub(super) fn root(&self) -> Result<Group<'f>, PrepareError> {
        self.file.root_among(self.main)
    }

    /// Notes what should be known, of the file that was given.
    pub(crate) fn note(&self, note: String) {
        self.main.note(note);
    }

    /// Its absolute path; that of the root is empty.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its name in the group above.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    pub(super) fn attribute(&self, name: &str) -> Result<Option<Attribute>, PrepareError> {
        self.file.unless_absent(&self.path, self.inner.attribute(name))
    }

    /// An attribute as text, trimmed, numbers written out; nothing if it is not there, empty, or neither.
    pub(crate) fn text_attribute(&self, name: &str) -> Result<Option<String>, PrepareError> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        let text = match attribute.datatype {
            Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. } => {
                attribute.read_as_f64().map(|number| number.to_string())
            }
            _ => attribute.read_string(),
        };
        Ok(text.ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// An attribute of several texts; nothing if it is not there or something else.
    pub(super) fn texts_attribute(&self, name: &str) -> Result<Option<Vec<String>>, PrepareError> {
        let attribute = self.attribute(name)?.filter(|attribute| {
            matches!(attribute.datatype, Datatype::String { .. } | Datatype::VarLen { .. })
                && !attribute.shape.is_empty()
        });
        Ok(attribute.and_then(|attribute| attribute.read_strings().ok()))
    }

    /// An attribute of one number, if it is there.
    pub(crate) fn number_attribute(&self, name: &str) -> Result<Option<f64>, PrepareError> {
        let number = self.attribute(name)?.map(|attribute| attribute.read_as_f64()).transpose();
        number.map_err(|error| self.file.error(&format!("{}, attribute {name}", self.path), error))
    }
}
