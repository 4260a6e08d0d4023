//! Files and folders that are right, and of a kind that is not read: what they are called, and how to make one that is.

use std::path::Path;

use crate::PrepareError;

/// How an NWB file in Zarr becomes one in HDF5.
const FROM_ZARR: &str = "convert it, if you trust where it is from: pip install hdmf-zarr; NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE=1 \
     python -c \"from hdmf_zarr import NWBZarrIO; from pynwb import NWBHDF5IO; \
     NWBHDF5IO('OUT.nwb', 'w').export(NWBZarrIO('IN', 'r'), write_args={'link_data': False})\"";

/// What files begin with that people give for HDF5, what they are, and what to do.
const BEGINNINGS: [(&[u8], &str, &str); 9] = [
    (
        b"PK\x03\x04",
        "a ZIP archive",
        "unpack it and give what is in it; if that is a folder of Zarr, prepare says how to convert it",
    ),
    (b"\x1f\x8b", "compression by gzip", "unpack it: gunzip FILE"),
    (b"\x28\xb5\x2f\xfd", "compression by Zstandard", "unpack it: unzstd FILE"),
    (b"BZh", "compression by bzip2", "unpack it: bunzip2 FILE"),
    (b"\xfd7zXZ\0", "compression by xz", "unpack it: unxz FILE"),
    (
        b"MATLAB 5.0",
        "a MATLAB file of version 7 or older",
        "save its arrays as .npy, and describe them (docs/arrays.md)",
    ),
    (b"CDF", "netCDF of version 3", "convert it: nccopy -k netCDF-4 IN OUT"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS in place of the file",
        "get the file itself: git lfs pull",
    ),
    (b"{", "an index in JSON, such as LINDI and kerchunk write", "give the HDF5 file that it points into"),
];

/// The error of a file that begins with `head` and is no HDF5, where it is known what it is.
pub(crate) fn not_hdf5(head: &[u8], file: &Path) -> Option<PrepareError> {
    let found = BEGINNINGS.iter().find(|(beginning, ..)| head.starts_with(beginning));
    let (feature, cure) = match found {
        Some((_, feature, cure)) => (feature, cure),
        None if is_page(head) => (&"a web page in place of the file", &"download the file itself"),
        None => return None,
    };
    Some(unread(file, *feature, *cure))
}

/// Whether a file begins as a page of the web does.
fn is_page(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    [b"<!doctype html".as_slice(), b"<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}

/// The error of a folder that is an NWB file in Zarr, or another array store, if it is one.
pub(crate) fn zarr(folder: &Path) -> Option<PrepareError> {
    let marks = [".zgroup", ".zmetadata", ".zattrs", "zarr.json"];
    marks.iter().any(|mark| folder.join(mark).is_file()).then(|| unread(folder, "Zarr", FROM_ZARR))
}

/// The error of a file that uses a feature.
pub(crate) fn unread(file: &Path, feature: impl Into<String>, cure: impl Into<String>) -> PrepareError {
    PrepareError::Unread { file: file.to_owned(), feature: feature.into(), cure: cure.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &[u8]) -> Option<String> {
        not_hdf5(head, Path::new("a.nwb")).map(|error| error.to_string())
    }

    #[test]
    fn files_are_called_what_they_are() {
        assert_eq!(
            message(b"\x1f\x8b\x08").unwrap(),
            "a.nwb uses compression by gzip, which is not read: unpack it: gunzip FILE"
        );
        assert!(message(b"\n<!DOCTYPE HTML>").unwrap().contains("a web page"));
        assert!(message(b"version https://git-lfs.github.com/spec/v1").unwrap().contains("git lfs pull"));
        assert_eq!(message(b"\x89HDF\r\n\x1a\n"), None);
        assert_eq!(message(b"#!/usr/bin/env python"), None);
        assert_eq!(message(b""), None);
    }
}
