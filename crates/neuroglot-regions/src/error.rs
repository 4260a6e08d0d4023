//! What can be wrong with a parcellation's name or an annotation volume.

use std::path::PathBuf;

/// A name is none of the four parcellations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no parcellation {name:?}: write allen, beryl, cosmos or swanson")]
pub struct UnknownParcellation {
    /// The name that was given.
    pub name: String,
}

/// An annotation volume cannot be read. Each message names the file, the field where one is to blame, and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotationError {
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// The file does not begin as NRRD files do.
    #[error(
        "{path} is not an NRRD file: give the Allen Institute's annotation_25.nrrd or annotation_10.nrrd"
    )]
    NotNrrd {
        /// The file.
        path: PathBuf,
    },
    /// The header does not end, or is far longer than any header.
    #[error(
        "the header of {path} has no end within {limit} bytes: the file is damaged or is no annotation volume; \
         download annotation_25.nrrd again"
    )]
    EndlessHeader {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read of a header.
        limit: u64,
    },
    /// A field of the header is missing, contradictory or not supported.
    #[error("field `{field}` of {path}: {problem}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field's name in the NRRD format.
        field: &'static str,
        /// What is wrong with it, and the cure.
        problem: String,
    },
    /// The volume does not have the size of the common coordinate framework.
    #[error(
        "{path} measures {} × {} × {} µm (fields `sizes` and `space directions`), but the Allen common coordinate \
         framework 13200 × 8000 × 11400 µm (anterior-posterior, dorsal-ventral, left-right): give the volume of the \
         whole brain with its axes in this order, as the Allen Institute publishes it",
        .extent[0], .extent[1], .extent[2]
    )]
    NotCcf {
        /// The file.
        path: PathBuf,
        /// Its extent along its three axes (µm).
        extent: [f64; 3],
    },
    /// There are fewer voxels than the header says.
    #[error(
        "{path} ends after {found} of the {expected} voxels that its field `sizes` announces: it is cut off; \
         download it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Number of voxels announced.
        expected: u64,
        /// Number of whole voxels found.
        found: u64,
    },
    /// There is more behind the voxels that the header announces.
    #[error(
        "{path} goes on after the {expected} voxels that its field `sizes` announces: the header and the data do \
         not belong together; download it again"
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Number of voxels announced.
        expected: u64,
    },
    /// The compressed data are damaged.
    #[error("the compressed data of {path} are damaged ({source}): download it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decompressor said.
        source: std::io::Error,
    },
    /// A voxel's value is not an id of the Allen structure tree.
    #[error(
        "{path} has the value {id} at voxel {voxel:?}, which is no id of the Allen structure tree: give the annotation \
         of 2017 (CCFv3), not the template or another atlas; if it is this file, it is damaged: download it again"
    )]
    UnknownId {
        /// The file.
        path: PathBuf,
        /// The value, in decimal.
        id: String,
        /// The voxel, from 0: anterior-posterior, dorsal-ventral, left-right.
        voxel: [usize; 3],
    },
    /// Neighbouring voxels differ far more often than in any brain.
    #[error(
        "{path} changes between regions more than {limit} times along its first axis, which no brain does: it is \
         damaged or no annotation volume; download annotation_25.nrrd again"
    )]
    Scattered {
        /// The file.
        path: PathBuf,
        /// Most changes that are read.
        limit: usize,
    },
}
