//! The name of a repository on the hub.

use crate::{FetchError, Result};
use hf_hub::{Repo, RepoType};
use std::fmt;
use std::str::FromStr;

/// What a repository of the hub holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubKind {
    /// Sessions.
    DataSet,
    /// One trained model.
    Model,
}

/// A repository of the hub: `owner/name` and, if wanted, `@revision` (a branch, a tag or a commit; `main` without).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRepository {
    /// What it holds.
    pub kind: HubKind,
    /// `owner/name`.
    pub name: String,
    /// The revision.
    pub revision: String,
}

impl HubRepository {
    /// Reads `owner/name` or `owner/name@revision`.
    ///
    /// # Errors
    ///
    /// [`FetchError::Name`] where that is no name of a repository.
    pub fn parse(kind: HubKind, text: &str) -> Result<HubRepository> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let is_word = |word: &str| {
            !word.is_empty()
                && !word.starts_with('.')
                && word.len() <= 128
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let is_name = name.split('/').count() == 2 && name.split('/').all(is_word);
        if is_name && revision.split('/').all(is_word) {
            return Ok(HubRepository { kind, name: name.to_string(), revision: revision.to_string() });
        }
        Err(FetchError::Name {
            text: text.to_string(),
            expected: match kind {
                HubKind::DataSet => {
                    "a data set of the hub: owner/name or owner/name@revision, \
                     such as neurofm123/d23a44ef-1402-4ed7-97f5-47e9a7a504d9_aligned"
                }
                HubKind::Model => {
                    "a model of the hub: owner/name or owner/name@revision, such as our-lab/striatum"
                }
            },
        })
    }

    /// Reads a data set, or one folder of it: `owner/name` or `owner/name/folder`, and `@revision` behind either.
    ///
    /// # Errors
    ///
    /// As for [`HubRepository::parse`].
    pub fn with_folder(text: &str) -> Result<(HubRepository, Option<String>)> {
        let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (name, folder) = match path.match_indices('/').nth(1) {
            Some((end, _)) => (&path[..end], Some(path[end + 1..].to_string())),
            None => (path, None),
        };
        Ok((HubRepository::parse(HubKind::DataSet, &format!("{name}@{revision}"))?, folder))
    }

    /// `owner` and `name`.
    pub(crate) fn words(&self) -> (&str, &str) {
        self.name.split_once('/').expect("a name was parsed with its owner")
    }

    /// The same repository in another revision.
    pub(crate) fn at(&self, revision: &str) -> HubRepository {
        HubRepository { revision: revision.to_string(), ..self.clone() }
    }

    pub(crate) fn repo(&self) -> Repo {
        let kind = match self.kind {
            HubKind::DataSet => RepoType::Dataset,
            HubKind::Model => RepoType::Model,
        };
        Repo::with_revision(self.name.clone(), kind, self.revision.clone())
    }
}

/// The name of a data set.
impl FromStr for HubRepository {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<HubRepository> {
        HubRepository::parse(HubKind::DataSet, text)
    }
}

impl fmt::Display for HubRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_owner_and_may_have_a_revision() {
        let plain: HubRepository = "neurofm123/a-b_aligned".parse().unwrap();
        assert_eq!((plain.name.as_str(), plain.revision.as_str()), ("neurofm123/a-b_aligned", "main"));
        let tagged: HubRepository = "lab/data@refs/convert/parquet".parse().unwrap();
        assert_eq!(tagged.revision, "refs/convert/parquet");
        assert_eq!(tagged.repo().api_url(), "datasets/lab/data/revision/refs%2Fconvert%2Fparquet");
        let model = HubRepository::parse(HubKind::Model, "lab/striatum@v1").unwrap();
        assert_eq!(model.repo().api_url(), "models/lab/striatum/revision/v1");
        assert!(
            HubRepository::parse(HubKind::Model, "striatum").unwrap_err().to_string().contains("a model")
        );
        let (repository, folder) = HubRepository::with_folder("lab/data/a_aligned@v1").unwrap();
        assert_eq!((repository.to_string().as_str(), folder.as_deref()), ("lab/data@v1", Some("a_aligned")));
        assert_eq!(HubRepository::with_folder("lab/data").unwrap().1, None);
        for bad in ["", "name", "a/b/c", "../b", "a/..", "a/b@", "a/b@../../x", "a/b@main/", "a b/c", "a/b?x"]
        {
            assert!(bad.parse::<HubRepository>().is_err(), "{bad}");
        }
    }
}
