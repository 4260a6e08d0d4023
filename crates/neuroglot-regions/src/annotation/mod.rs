//! Which region lies at a place: an annotation volume of the common coordinate framework.

mod header;
mod runs;

use crate::bregma::{BREGMA_UM, ccf_from_bregma};
use crate::{AnnotationError, Atlas};
use header::Header;
use neuroglot_files::FromIo;
use runs::Runs;
use std::io::BufReader;
use std::path::Path;

/// The Allen id at every voxel of the common coordinate framework (CCFv3, 2017).
///
/// Read from the Allen Institute's `annotation_10.nrrd`, `annotation_25.nrrd`, `_50` or `_100`, which are the user's to
/// download (<https://download.alleninstitute.org/informatics-archive/current-release/mouse_ccf/annotation/ccf_2017>):
/// NRRD files of 32-bit or 64-bit integers, raw or compressed with gzip. Kept as runs of equal voxels, so that memory
/// follows what the file holds and not what its header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Voxels along anterior-posterior, dorsal-ventral, left-right.
    shape: [usize; 3],
    /// Size of a voxel along the same axes (µm).
    spacing: [f64; 3],
    runs: Runs,
}

impl Annotation {
    /// Reads a volume.
    ///
    /// # Errors
    /// [`AnnotationError`], which names the file, the field and the cure: the file cannot be read, is no NRRD file, is not
    /// the size of the framework, is cut off or damaged, or holds values that are no Allen ids.
    pub fn read(path: impl AsRef<Path>) -> Result<Annotation, AnnotationError> {
        let path = path.as_ref();
        let mut file = BufReader::with_capacity(
            1 << 17,
            neuroglot_files::open(path).map_err(AnnotationError::io("open", path))?,
        );
        let header = Header::read(&mut file, path)?;
        let runs = Runs::read(file, &header, path)?;
        Ok(Annotation { shape: header.shape, spacing: header.spacing, runs })
    }

    /// Voxels along anterior-posterior, dorsal-ventral, left-right.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Size of a voxel (µm) along anterior-posterior, dorsal-ventral, left-right.
    pub fn spacing(&self) -> [f64; 3] {
        self.spacing
    }

    /// The Allen id (0: outside the brain) at a place: anterior-posterior, dorsal-ventral, left-right distance from the
    /// corner of the volume (µm). `None` outside the volume.
    ///
    /// A voxel reaches from its index to the next, times its size, as in the Allen Institute's own software.
    pub fn at(&self, apdvml: [f64; 3]) -> Option<i64> {
        self.id(self.voxel(apdvml, f64::floor)?)
    }

    /// The id at a place in metres from bregma (mediolateral, anterior-posterior, dorsal-ventral;
    /// [`ccf_from_bregma`]), negative in the left hemisphere. `None` outside the volume.
    ///
    /// As `AllenAtlas.get_labels(…, mapping="Allen-lr")` of `iblatlas` has it: the *nearest* index, half a voxel off from
    /// [`Annotation::at`], and left is what lies left of the voxel of bregma.
    pub fn at_bregma(&self, mlapdv: [f64; 3]) -> Option<i64> {
        let voxel = self.voxel(ccf_from_bregma(mlapdv), f64::round_ties_even)?;
        let is_left = voxel[2] < (BREGMA_UM[2] / self.spacing[2]).floor() as usize;
        self.id(voxel).map(|id| if is_left { -id } else { id })
    }

    fn voxel(&self, apdvml: [f64; 3], round: impl Fn(f64) -> f64) -> Option<[usize; 3]> {
        let mut voxel = [0; 3];
        for axis in 0..3 {
            let index = round(apdvml[axis] / self.spacing[axis]);
            if !(index >= 0.0 && index < self.shape[axis] as f64) {
                return None;
            }
            voxel[axis] = index as usize;
        }
        Some(voxel)
    }

    fn id(&self, [ap, dv, ml]: [usize; 3]) -> Option<i64> {
        let row = self.runs.at(dv + self.shape[1] * ml, ap)?;
        Atlas::allen().regions().get(row).map(|region| region.id)
    }
}
