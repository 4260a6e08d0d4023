//! What references lead to: the objects of a file by address.

use std::collections::BTreeMap;

use hdf5_reader::Hdf5File;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::LinkTarget;

use super::group::Object;
use super::links::links_of;
use super::{Dataset, Group, Kind};
use crate::PrepareError;

/// More objects than any recording has.
const MOST_OBJECTS: usize = 1 << 16;

/// Longest path of an object, bytes.
const MOST_PATH: usize = 1 << 10;

/// What an object is called, and the place in the brain that it says it is in.
type NamedPlace = (String, Option<String>);

impl<'f> Object<'f> {
    /// The object at `address` in the file of which `root` holds all groups.
    pub(super) fn at(root: &Group<'f>, address: u64) -> Result<Option<Object<'f>>, PrepareError> {
        root.file().path_of(address).map_or(Ok(None), |path| root.object(path))
    }

    /// What stands for it in a column: the text of a data set that is one, else its name.
    pub(super) fn label(&self) -> Result<String, PrepareError> {
        match self {
            Object::Group(group) => Ok(group.name().to_owned()),
            Object::Dataset(dataset) if dataset.kind() == Kind::Text && dataset.rows() == 1 => {
                Ok(dataset.texts()?.into_iter().next().unwrap_or_default())
            }
            Object::Dataset(dataset) => Ok(dataset.name().to_owned()),
        }
    }

    /// The place in the brain that it says it is in: `location` of a group of electrodes.
    pub(super) fn location(&self) -> Result<Option<String>, PrepareError> {
        let Object::Group(group) = self else { return Ok(None) };
        match group.dataset("location")? {
            Some(dataset) if dataset.kind() == Kind::Text => Ok(dataset.texts()?.into_iter().next()),
            _ => group.text_attribute("location"),
        }
    }
}

/// Name of each object that a column refers to, and the place in the brain that it says it is in.
pub(crate) fn named_places(dataset: &Dataset<'_>) -> Result<Vec<Option<NamedPlace>>, PrepareError> {
    let root = dataset.root()?;
    let mut known = BTreeMap::new();
    let mut places = Vec::new();
    for address in dataset.references()? {
        if let std::collections::btree_map::Entry::Vacant(place) = known.entry(address) {
            place.insert(match Object::at(&root, address)? {
                Some(object) => Some((object.label()?, object.location()?)),
                None => None,
            });
        }
        places.push(known[&address].clone());
    }
    Ok(places)
}

/// Paths of the objects of a file by address. What cannot be decoded is left out: nothing can refer to it.
pub(super) fn objects(file: &Hdf5File) -> BTreeMap<u64, String> {
    let mut paths = BTreeMap::new();
    let Ok(root) = file.root_group() else { return paths };
    let mut groups = vec![(root.address(), String::new())];
    while let Some((address, path)) = groups.pop() {
        if paths.len() >= MOST_OBJECTS || paths.contains_key(&address) {
            continue;
        }
        let is_group = file.get_or_parse_header(address).is_ok_and(|header| {
            header.messages.iter().any(|message| {
                matches!(message, HdfMessage::SymbolTable(_) | HdfMessage::Link(_) | HdfMessage::LinkInfo(_))
            })
        });
        if is_group && path.len() < MOST_PATH {
            for (name, target) in links_of(file, address).unwrap_or_default() {
                if let LinkTarget::Hard { address } = target {
                    groups.push((address, format!("{path}/{name}")));
                }
            }
        }
        paths.insert(address, path);
    }
    paths
}
