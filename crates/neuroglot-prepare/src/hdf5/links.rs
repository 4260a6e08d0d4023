//! Links of a group that lead elsewhere: to another path, or into another file.
//!
//! `hdf5-reader` follows links within a file, and leaves out what it cannot follow without a word. What is left out is listed
//! here, so that it is followed or named.

use std::path::{Component, Path, PathBuf};

use hdf5_reader::error::Result;
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::{self, LinkTarget};
use hdf5_reader::messages::link_info::LinkInfoMessage;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::{Hdf5File, btree_v1, btree_v2, fractal_heap, local_heap, symbol_table};

/// Most links that one path may lead over: a link may lead to a link, and in a circle.
pub(super) const MOST_LINKS: u32 = 32;

/// The links of the group at `address`, by name.
pub(super) fn links_of(file: &Hdf5File, address: u64) -> Result<Vec<(String, LinkTarget)>> {
    let header = file.get_or_parse_header(address)?;
    let mut links = Vec::new();
    for message in &header.messages {
        match message {
            HdfMessage::SymbolTable(table) => return old_links(file, table),
            HdfMessage::Link(link) => links.push((link.name.clone(), link.target.clone())),
            HdfMessage::LinkInfo(info) => {
                let size = file.superblock().offset_size;
                if !Cursor::is_undefined_offset(info.fractal_heap_address, size) {
                    links.extend(dense_links(file, info)?);
                }
            }
            _ => {}
        }
    }
    Ok(links)
}

/// Links of a group in the format of HDF5 1.6, which has none into other files.
fn old_links(file: &Hdf5File, table: &SymbolTableMessage) -> Result<Vec<(String, LinkTarget)>> {
    let (storage, superblock) = (file.storage(), file.superblock());
    let (offset_size, length_size) = (superblock.offset_size, superblock.length_size);
    let heap =
        local_heap::LocalHeap::parse_at_storage(storage, table.heap_address, offset_size, length_size)?;
    let leaves = btree_v1::collect_btree_v1_leaves_storage(
        storage,
        table.btree_address,
        offset_size,
        length_size,
        None,
        &[],
        None,
    )?;
    let mut links = Vec::new();
    for (_, address) in leaves {
        // Signature, version, a reserved byte and the number of entries; then the entries.
        let start = storage.read_range(address, 8)?;
        let entries = u16::from_le_bytes([start.as_ref()[6], start.as_ref()[7]]);
        let length = 8 + usize::from(entries) * (2 * usize::from(offset_size) + 24);
        let bytes = storage.read_range(address, length)?;
        let node =
            symbol_table::SymbolTableNode::parse(&mut Cursor::new(bytes.as_ref()), offset_size, length_size)?;
        for entry in &node.entries {
            let name = heap.get_string_storage(entry.link_name_offset, storage)?;
            // A soft link has its path in the heap, and where it is in the first four bytes.
            let target = if entry.cache_type == 2 {
                let [a, b, c, d, ..] = entry.scratch;
                let place = u64::from(u32::from_le_bytes([a, b, c, d]));
                LinkTarget::Soft { path: heap.get_string_storage(place, storage)? }
            } else {
                LinkTarget::Hard { address: entry.object_header_address }
            };
            links.push((name, target));
        }
    }
    Ok(links)
}

/// Links of a group that has many, which lie in a heap.
fn dense_links(file: &Hdf5File, info: &LinkInfoMessage) -> Result<Vec<(String, LinkTarget)>> {
    let (storage, superblock) = (file.storage(), file.superblock());
    let (offset_size, length_size) = (superblock.offset_size, superblock.length_size);
    let heap = fractal_heap::FractalHeap::parse_at_storage(
        storage,
        info.fractal_heap_address,
        offset_size,
        length_size,
    )?;
    let tree = btree_v2::BTreeV2Header::parse_at_storage(
        storage,
        info.btree_name_index_address,
        offset_size,
        length_size,
    )?;
    let records = btree_v2::collect_btree_v2_records_storage(
        storage,
        &tree,
        offset_size,
        length_size,
        None,
        &[],
        None,
    )?;
    let mut blocks = fractal_heap::FractalHeapDirectBlockCache::default();
    let mut links = Vec::new();
    for record in &records {
        let btree_v2::BTreeV2Record::LinkNameHash { heap_id, .. } = record else { continue };
        let bytes =
            heap.get_object_storage_cached(heap_id, storage, offset_size, length_size, &mut blocks)?;
        let link = link::parse(&mut Cursor::new(&bytes), offset_size, length_size, bytes.len())?;
        links.push((link.name, link.target));
    }
    Ok(links)
}

/// Why a link was not followed, and what can be done about it.
pub(super) type NotFollowed = (String, String);

/// A folder that links may lead into.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// As it is called, from the root, without `.` and `..`.
    called: PathBuf,
    /// Where it is, without symbolic links.
    real: PathBuf,
}

impl Folder {
    /// The folder, if there is one.
    pub(super) fn of(path: &Path) -> Option<Folder> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Some(Folder { called: plain(path)?, real: path.canonicalize().ok()? })
    }

    /// Whether it holds `path` by its name. What is elsewhere is not even looked at.
    pub(super) fn is_said_to_hold(&self, path: &Path) -> bool {
        plain(path).is_some_and(|path| path.starts_with(&self.called) || path.starts_with(&self.real))
    }

    /// Whether it holds what `real`, a path without symbolic links, leads to.
    pub(super) fn holds(&self, real: &Path) -> bool {
        real.starts_with(&self.real)
    }
}

/// A path from the root without `.` and `..`, without looking at what is there.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_what_lies_in_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let held = Folder::of(&inner).unwrap();
        let holds = |name: &str| held.is_said_to_hold(&inner.join(name));
        assert!(holds("far.nwb") && holds("sub/../far.nwb") && holds("./far.nwb"));
        assert!(holds(inner.join("far.nwb").to_str().unwrap()));
        assert!(!holds("../far.nwb") && !holds("sub/../../inner2/far.nwb") && !holds("/etc/passwd"));
        assert!(!held.holds(&folder.path().canonicalize().unwrap().join("inner2")));
    }
}
