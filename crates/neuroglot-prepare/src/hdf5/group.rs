//! A group: named groups, data sets and attributes.

use std::collections::{BTreeMap, BTreeSet};

use hdf5_reader::messages::link::LinkTarget;
use hdf5_reader::{Attribute, Datatype};

use super::links::{MOST_LINKS, NotFollowed, links_of};
use super::{Dataset, File};
use crate::PrepareError;

/// A group of an open file.
#[derive(Clone)]
pub(crate) struct Group<'f> {
    file: &'f File,
    /// The file that was given, where links led from it to `file`.
    main: &'f File,
    inner: hdf5_reader::group::Group,
    path: String,
}

/// The names in a group, each list sorted.
pub(crate) struct Members {
    pub(crate) groups: Vec<String>,
    pub(crate) datasets: Vec<String>,
    /// Names that lead to nothing that is read, and why.
    pub(crate) unreadable: Vec<(String, PrepareError)>,
}

/// What a name in a group, or a reference, leads to.
pub(super) enum Object<'f> {
    Group(Group<'f>),
    Dataset(Box<Dataset<'f>>),
}

impl<'f> Group<'f> {
    pub(super) fn new(
        file: &'f File,
        main: &'f File,
        inner: hdf5_reader::group::Group,
        path: String,
    ) -> Group<'f> {
        Group { file, main, inner, path }
    }

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

    /// What tells it from all other groups, by whatever path it is reached: its file and its place there.
    pub(crate) fn identity(&self) -> (usize, u64) {
        (self.file.number(), self.inner.address())
    }

    /// All that is in it.
    ///
    /// # Errors
    /// What is damaged; what is not read, and links that lead nowhere, are the name's own.
    pub(crate) fn members(&self) -> Result<Members, PrepareError> {
        // One that is not read keeps the decoder from naming any: then each is looked at by itself.
        let (groups, datasets) = match self.inner.member_names() {
            Ok(names) => names,
            Err(error) => match self.file.error(&self.path, error) {
                PrepareError::Unread { .. } => (Vec::new(), Vec::new()),
                error => return Err(error),
            },
        };
        let (mut groups, mut datasets) = (BTreeSet::from_iter(groups), BTreeSet::from_iter(datasets));
        let mut unreadable = BTreeMap::new();
        for (name, target) in self.links()? {
            if groups.contains(&name) || datasets.contains(&name) {
                continue;
            }
            let mut links = MOST_LINKS;
            let found = if is_hard(&target) {
                self.find_here(&name)
            } else {
                self.follow(&name, &target, &mut links).map(Some)
            };
            match found {
                Ok(Some(Object::Group(_))) => drop(groups.insert(name)),
                Ok(Some(Object::Dataset(_))) => drop(datasets.insert(name)),
                Ok(None) => {}
                Err(error) if is_hard(&target) && !matches!(error, PrepareError::Unread { .. }) => {
                    return Err(error);
                }
                Err(error) => drop(unreadable.insert(name, error)),
            }
        }
        Ok(Members {
            groups: groups.into_iter().collect(),
            datasets: datasets.into_iter().collect(),
            unreadable: unreadable.into_iter().collect(),
        })
    }

    fn child_path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// A group in it by its name, or below it by its path from here, if there is one.
    ///
    /// # Errors
    /// [`PrepareError::Link`] if the name is a link that cannot be followed.
    pub(crate) fn group(&self, path: &str) -> Result<Option<Group<'f>>, PrepareError> {
        match self.object(path)? {
            Some(Object::Group(group)) => Ok(Some(group)),
            _ => Ok(None),
        }
    }

    /// A data set in it by its name, or below it by its path from here, if there is one.
    pub(crate) fn dataset(&self, path: &str) -> Result<Option<Dataset<'f>>, PrepareError> {
        match self.object(path)? {
            Some(Object::Dataset(dataset)) => Ok(Some(*dataset)),
            _ => Ok(None),
        }
    }

    /// What a path from here leads to.
    pub(super) fn object(&self, path: &str) -> Result<Option<Object<'f>>, PrepareError> {
        self.descend(path, &mut { MOST_LINKS })
    }

    /// What a path from here leads to, over at most so many links.
    fn descend(&self, path: &str, links: &mut u32) -> Result<Option<Object<'f>>, PrepareError> {
        let mut found = Some(Object::Group(self.clone()));
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let Some(Object::Group(group)) = found else { return Ok(None) };
            found = group.find(name, links)?;
        }
        Ok(found)
    }

    /// What a name leads to, over at most so many links.
    fn find(&self, name: &str, links: &mut u32) -> Result<Option<Object<'f>>, PrepareError> {
        if let Some(found) = self.find_here(name)? {
            return Ok(Some(found));
        }
        // It is not there, or behind a link that the decoder does not follow.
        let link = self.links()?.into_iter().find(|(link, target)| link == name && !is_hard(target));
        link.map_or(Ok(None), |(_, target)| self.follow(name, &target, links).map(Some))
    }

    /// What a name leads to, as far as the decoder follows it.
    fn find_here(&self, name: &str) -> Result<Option<Object<'f>>, PrepareError> {
        let path = self.child_path(name);
        if let Some(inner) = self.file.unless_absent(&path, self.inner.group(name))? {
            return Ok(Some(Object::Group(Group { inner, path, ..*self })));
        }
        let inner = self.file.unless_absent(&path, self.inner.dataset(name))?;
        let dataset = inner.map(|inner| Dataset::new(self.file, self.main, inner, path));
        Ok(dataset.map(|dataset| Object::Dataset(Box::new(dataset))))
    }

    /// All that is linked into it.
    fn links(&self) -> Result<Vec<(String, LinkTarget)>, PrepareError> {
        links_of(self.file.inner(), self.inner.address()).map_err(|error| self.file.error(&self.path, error))
    }

    /// What the link `name` leads to, under the path of the link.
    fn follow(&self, name: &str, target: &LinkTarget, links: &mut u32) -> Result<Object<'f>, PrepareError> {
        let link = self.child_path(name);
        let not_followed = |(problem, cure): NotFollowed| PrepareError::Link {
            file: self.file.path().to_owned(),
            link: link.clone(),
            target: match target {
                LinkTarget::External { filename, path } => format!("{path} of {filename}"),
                LinkTarget::Soft { path } => path.clone(),
                LinkTarget::Hard { .. } => String::new(),
            },
            problem: problem.into(),
            cure,
        };
        let circle =
            || not_followed(("and leads in a circle".to_owned(), "choose something else".to_owned()));
        *links = links.checked_sub(1).ok_or_else(circle)?;
        let found = match target {
            LinkTarget::Hard { .. } => None,
            LinkTarget::Soft { path } if path.starts_with('/') => self.root()?.descend(path, links)?,
            LinkTarget::Soft { path } => self.descend(path, links)?,
            LinkTarget::External { filename, path } => {
                let file = self.main.linked(self.file, filename).map_err(not_followed)?;
                file.root_among(self.main)?.descend(path, links)?
            }
        };
        match found {
            Some(Object::Group(group)) => Ok(Object::Group(Group { path: link, ..group })),
            Some(Object::Dataset(dataset)) => Ok(Object::Dataset(Box::new(dataset.called(link)))),
            None => {
                let cure = "choose something else, or a copy of the file that has it";
                Err(not_followed(("where nothing is".to_owned(), cure.to_owned())))
            }
        }
    }

    fn attribute(&self, name: &str) -> Result<Option<Attribute>, PrepareError> {
        self.file.unless_absent(&self.path, self.inner.attribute(name))
    }

    /// An attribute as text, numbers written out; nothing if it is not there, empty, or neither.
    pub(crate) fn text_attribute(&self, name: &str) -> Result<Option<String>, PrepareError> {
        Ok(self.attribute(name)?.as_ref().and_then(text))
    }

    /// An attribute of several texts; nothing if it is not there or something else.
    pub(super) fn texts_attribute(&self, name: &str) -> Result<Option<Vec<String>>, PrepareError> {
        Ok(self.attribute(name)?.as_ref().and_then(texts))
    }

    /// An attribute of one number, if it is there.
    pub(crate) fn number_attribute(&self, name: &str) -> Result<Option<f64>, PrepareError> {
        let number = self.attribute(name)?.map(|attribute| attribute.read_as_f64()).transpose();
        number.map_err(|error| self.file.error(&format!("{}, attribute {name}", self.path), error))
    }
}

/// Whether a link leads to an object of this file by its place, not by a path.
fn is_hard(target: &LinkTarget) -> bool {
    matches!(target, LinkTarget::Hard { .. })
}

/// The value of an attribute as text, trimmed, numbers written out; nothing if it is empty or neither.
pub(super) fn text(attribute: &Attribute) -> Option<String> {
    let text = match &attribute.datatype {
        Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. } => {
            attribute.read_as_f64().map(|number| number.to_string())
        }
        _ => attribute.read_string(),
    };
    text.ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The values of an attribute of several texts.
pub(super) fn texts(attribute: &Attribute) -> Option<Vec<String>> {
    match &attribute.datatype {
        Datatype::String { .. } | Datatype::VarLen { .. } if !attribute.shape.is_empty() => {
            attribute.read_strings().ok()
        }
        _ => None,
    }
}
