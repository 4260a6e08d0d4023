//! Brain regions: the Allen structure tree with the Beryl, Cosmos and Swanson parcellations.
//!
//! [`Atlas::allen`] finds a [`Region`] by acronym, by id or by what people write, and maps it to a coarser
//! [`Parcellation`]. [`Annotation`] finds the region at a place, from an annotation volume that the user has
//! (`annotation_25.nrrd` of the Allen Institute). [`is_region`] says which labels stand for no region.
//!
//! ```
//! use neuroglot_regions::{Atlas, Parcellation, is_region};
//!
//! let atlas = Atlas::allen();
//! let layer = atlas.by_acronym("VISp2/3").unwrap();
//! assert_eq!(layer.name, "Primary visual area layer 2/3");
//! assert_eq!(atlas.map(layer, Parcellation::Beryl).acronym, "VISp");
//! assert_eq!(atlas.map(layer, Parcellation::Cosmos).acronym, "Isocortex");
//!
//! // Ids of the left hemisphere are negative, as the IBL writes them.
//! let ca1 = atlas.by_id(-382).unwrap();
//! assert_eq!((ca1.acronym, ca1.hex().as_str()), ("CA1", "#7ed04b"));
//!
//! // Structures above a parcellation's level are mapped to `root`, which is no region.
//! let thalamus = atlas.find("thalamus").unwrap();
//! assert!(!is_region(atlas.map(thalamus, Parcellation::Beryl).acronym));
//! assert!(atlas.find("unknown").is_none());
//! ```
//!
//! # Source and terms
//!
//! The structure tree (ids, acronyms, names, parents, colours) is the mouse ontology of the Allen Institute for Brain
//! Science: © Allen Institute for Brain Science, Allen Mouse Brain Common Coordinate Framework, available from
//! <https://atlas.brain-map.org>; Wang et al., "The Allen Mouse Brain Common Coordinate Framework: A 3D Reference Atlas",
//! Cell 181 (2020). The Allen Institute's terms of use (<https://alleninstitute.org/legal/terms-of-use>) and citation
//! policy (<https://alleninstitute.org/legal/citation-policy>) apply to it: they ask for citation and restrict commercial
//! use. This project's own licence does not replace them.
//!
//! The tree was taken, and the Beryl, Cosmos and Swanson parcellations come, from the Python package `iblatlas` 1.3.0 of
//! the International Brain Laboratory (MIT licence). `data/NOTICE.md` beside the table repeats this with the licence's
//! text; `scripts/make_regions.py` makes the table.

mod annotation;
mod atlas;
mod bregma;
mod error;
mod parcellation;
mod region;

pub use annotation::Annotation;
pub use atlas::Atlas;
pub use bregma::{BREGMA_UM, bregma_from_ccf, ccf_from_bregma};
pub use error::{AnnotationError, UnknownParcellation};
pub use parcellation::Parcellation;
pub use region::{Region, is_region};
