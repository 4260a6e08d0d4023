//! A group: named groups, data sets and attributes.

use std::collections::{BTreeMap, BTreeSet};

use hdf5_reader::messages::link::LinkTarget;

use super::Dataset;
use super::links::{MOST_LINKS, NotFollowed, links_of};
use super::node::Node;
use crate::PrepareError;

/// A group of an open file.
pub(crate) type Group<'f> = Node<'f, hdf5_reader::group::Group>;

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
        let (file, main) = (self.file, self.main);
        Ok(inner.map(|inner| Object::Dataset(Box::new(Dataset { file, main, inner, path }))))
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
            Some(Object::Dataset(dataset)) => {
                Ok(Object::Dataset(Box::new(Dataset { path: link, ..*dataset })))
            }
            None => {
                let cure = "choose something else, or a copy of the file that has it";
                Err(not_followed(("where nothing is".to_owned(), cure.to_owned())))
            }
        }
    }
}

/// Whether a link leads to an object of this file by its place, not by a path.
fn is_hard(target: &LinkTarget) -> bool {
    matches!(target, LinkTarget::Hard { .. })
}
