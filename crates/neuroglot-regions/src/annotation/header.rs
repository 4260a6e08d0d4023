//! The text at the head of an NRRD file.
//!
//! <https://teem.sourceforge.net/nrrd/format.html>: a magic line, a line `field: value` each, `#` comments and `key:=value`
//! pairs between them, and an empty line before the data.

use crate::AnnotationError;
use neuroglot_files::FromIo;
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::Path;

/// Most bytes read of a header; those of annotation volumes have some hundred.
const LONGEST: u64 = 64 * 1024;
/// Most voxels along one axis, and in all (the volume of 10 µm has 1.2 × 10⁹).
const MOST_ALONG_AXIS: u64 = u16::MAX as u64;
const MOST_VOXELS: u64 = 1 << 33;
/// Extent of the common coordinate framework (µm): anterior-posterior, dorsal-ventral, left-right.
const EXTENT: [f64; 3] = [13200.0, 8000.0, 11400.0];

/// Type of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voxel {
    pub bytes: usize,
    pub signed: bool,
    pub big_endian: bool,
}

/// What is needed to read the voxels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// Voxels along anterior-posterior (in sequence in the file), dorsal-ventral, left-right.
    pub shape: [usize; 3],
    /// Size of a voxel (µm).
    pub spacing: [f64; 3],
    pub voxel: Voxel,
    pub is_compressed: bool,
}

impl Header {
    /// Reads the header and leaves `file` where the data start.
    pub fn read(file: &mut impl BufRead, path: &Path) -> Result<Header, AnnotationError> {
        let fields = Fields::read(file, path)?;
        for field in ["line skip", "byte skip"] {
            if !matches!(fields.get(field), None | Some("0")) {
                return Err(fields.wrong(field, "data that do not follow the header at once are not read; save it again with pynrrd's `nrrd.write`"));
            }
        }
        if fields.get("data file").is_some() {
            return Err(fields.wrong(
                "data file",
                "the data lie in a file of their own; save both as one .nrrd file with pynrrd's `nrrd.write`",
            ));
        }
        let dimension = fields.required("dimension")?;
        if dimension != "3" {
            return Err(fields.wrong("dimension", format!("{dimension:?}, expected 3; {GIVE_THE_VOLUME}")));
        }
        let shape = fields.shape()?;
        let spacing = fields.spacing()?;
        let extent = [0, 1, 2].map(|axis| shape[axis] as f64 * spacing[axis]);
        // The published sizes (10, 25, 50, 100 µm) divide the framework without a remainder.
        if (0..3).any(|axis| (extent[axis] - EXTENT[axis]).abs() > 1e-6 * EXTENT[axis]) {
            let [ap, dv, ml] = extent;
            let problem = format!(
                "measures {ap} × {dv} × {ml} µm (fields `sizes` and `space directions`), but the Allen common \
                 coordinate framework 13200 × 8000 × 11400 µm (anterior-posterior, dorsal-ventral, left-right): give \
                 the volume of the whole brain with its axes in this order, as the Allen Institute publishes it"
            );
            return Err(AnnotationError::volume(path, problem));
        }
        let encoding = fields.required("encoding")?;
        let is_compressed = match encoding.to_lowercase().as_str() {
            "raw" => false,
            "gzip" | "gz" => true,
            _ => {
                let problem = format!(
                    "{encoding:?} is not read, only raw and gzip; save it again with pynrrd's `nrrd.write`"
                );
                return Err(fields.wrong("encoding", problem));
            }
        };
        Ok(Header { shape, spacing, voxel: fields.voxel()?, is_compressed })
    }

    /// Voxels announced.
    pub fn voxels(&self) -> u64 {
        self.shape.iter().map(|&along| along as u64).product()
    }
}

const GIVE_THE_VOLUME: &str = "give the Allen Institute's annotation_25.nrrd or annotation_10.nrrd";

struct Fields<'a> {
    path: &'a Path,
    values: HashMap<String, String>,
}

impl<'a> Fields<'a> {
    fn read(file: &mut impl BufRead, path: &'a Path) -> Result<Self, AnnotationError> {
        let mut text = file.take(LONGEST);
        let mut values = HashMap::new();
        let mut line = Vec::new();
        let mut is_first = true;
        loop {
            line.clear();
            if let Err(source) = text.read_until(b'\n', &mut line) {
                return Err(AnnotationError::io("read", path)(source));
            }
            if is_first && !line.starts_with(b"NRRD000") {
                return Err(AnnotationError::volume(path, format!("is not an NRRD file: {GIVE_THE_VOLUME}")));
            }
            let whole = line.ends_with(b"\n");
            let trimmed = String::from_utf8_lossy(&line).trim().to_owned();
            if !whole {
                let problem = format!(
                    "has no end of its header within {LONGEST} bytes: it is damaged or is no annotation volume; \
                     download annotation_25.nrrd again"
                );
                return Err(AnnotationError::volume(path, problem));
            }
            if trimmed.is_empty() {
                return Ok(Fields { path, values });
            }
            if !is_first && !trimmed.starts_with('#') && !trimmed.contains(":=") {
                let (name, value) = trimmed.split_once(':').unwrap_or((&trimmed, ""));
                // Both spellings are in the format's definition.
                let name = match name.trim().to_lowercase().as_str() {
                    "datafile" => "data file".to_owned(),
                    "byteskip" => "byte skip".to_owned(),
                    "lineskip" => "line skip".to_owned(),
                    name => name.to_owned(),
                };
                // The first one counts.
                values.entry(name).or_insert_with(|| value.trim().to_owned());
            }
            is_first = false;
        }
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.values.get(field).map(String::as_str)
    }

    fn required(&self, field: &'static str) -> Result<&str, AnnotationError> {
        self.get(field).ok_or_else(|| self.wrong(field, format!("it is missing; {GIVE_THE_VOLUME}")))
    }

    fn wrong(&self, field: &'static str, problem: impl Into<String>) -> AnnotationError {
        AnnotationError::Field { path: self.path.to_owned(), field, problem: problem.into() }
    }

    fn shape(&self) -> Result<[usize; 3], AnnotationError> {
        let text = self.required("sizes")?;
        let wrong = || {
            let problem =
                format!("{text:?}, expected three numbers from 1 to {MOST_ALONG_AXIS}; {GIVE_THE_VOLUME}");
            self.wrong("sizes", problem)
        };
        let sizes: Option<Vec<u64>> = text
            .split_whitespace()
            .map(|size| size.parse().ok().filter(|size| (1..=MOST_ALONG_AXIS).contains(size)))
            .collect();
        let sizes: [u64; 3] = sizes.and_then(|sizes| sizes.try_into().ok()).ok_or_else(wrong)?;
        // No overflow: each is below 2¹⁶.
        if sizes.iter().product::<u64>() > MOST_VOXELS {
            return Err(wrong());
        }
        Ok(sizes.map(|size| size as usize))
    }

    /// Size of a voxel in µm, from `space directions` or `spacings`.
    fn spacing(&self) -> Result<[f64; 3], AnnotationError> {
        let (field, spacing) = if let Some(text) = self.get("space directions") {
            ("space directions", diagonal(text))
        } else {
            let spacings = self.required("spacings").map_err(|_| {
                self.wrong(
                    "space directions",
                    format!("it is missing, and so is `spacings`; {GIVE_THE_VOLUME}"),
                )
            })?;
            ("spacings", numbers(spacings.split_whitespace()))
        };
        let scale = self.micrometres_per_unit()?;
        spacing
            .map(|spacing| spacing.map(|size| size * scale))
            .filter(|spacing| spacing.iter().all(|size| size.is_finite() && *size > 0.0))
            .ok_or_else(|| {
                let problem = format!(
                    "{:?}, expected the size of a voxel along each axis, such as (25,0,0) (0,25,0) (0,0,25); \
                     {GIVE_THE_VOLUME}",
                    self.get(field).unwrap_or_default()
                );
                self.wrong(field, problem)
            })
    }

    /// Where nothing is said it is µm, as in the Allen Institute's files.
    fn micrometres_per_unit(&self) -> Result<f64, AnnotationError> {
        let Some(text) = self.get("space units") else { return Ok(1.0) };
        let mut scales =
            text.split('"').map(str::trim).filter(|unit| !unit.is_empty()).map(|unit| match unit {
                "microns" | "micron" | "micrometers" | "micrometer" | "um" | "µm" | "μm" => Some(1.0),
                "mm" | "millimeters" | "millimeter" => Some(1000.0),
                _ => None,
            });
        let first = scales.next().flatten();
        first.filter(|_| scales.all(|scale| scale == first)).ok_or_else(|| {
            self.wrong(
                "space units",
                format!("{text:?}, expected \"microns\" or \"mm\" three times; correct it"),
            )
        })
    }

    fn voxel(&self) -> Result<Voxel, AnnotationError> {
        let text = self.required("type")?;
        let (bytes, signed) = match text.to_lowercase().as_str() {
            "int" | "signed int" | "int32" | "int32_t" => (4, true),
            "uint" | "unsigned int" | "uint32" | "uint32_t" => (4, false),
            "longlong"
            | "long long"
            | "long long int"
            | "signed long long"
            | "signed long long int"
            | "int64"
            | "int64_t" => (8, true),
            "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => {
                (8, false)
            }
            _ => {
                let problem = format!(
                    "{text:?} cannot hold Allen ids, which are integers of 32 bits: is this the template? \
                     {GIVE_THE_VOLUME}"
                );
                return Err(self.wrong("type", problem));
            }
        };
        let endian = self.required("endian")?;
        let big_endian = match endian.to_lowercase().as_str() {
            "little" => false,
            "big" => true,
            _ => {
                return Err(
                    self.wrong("endian", format!("{endian:?}, expected little or big; {GIVE_THE_VOLUME}"))
                );
            }
        };
        Ok(Voxel { bytes, signed, big_endian })
    }
}

fn numbers<'a>(words: impl Iterator<Item = &'a str>) -> Option<[f64; 3]> {
    let numbers: Option<Vec<f64>> = words.map(|word| word.trim().parse().ok()).collect();
    numbers?.try_into().ok()
}

/// The diagonal of `(a,0,0) (0,b,0) (0,0,c)`; `None` if the axes are turned.
fn diagonal(text: &str) -> Option<[f64; 3]> {
    let vectors: Vec<[f64; 3]> = text
        .split(')')
        .map(str::trim)
        .filter(|vector| !vector.is_empty())
        .map(|vector| numbers(vector.strip_prefix('(')?.split(',')))
        .collect::<Option<_>>()?;
    let vectors: [[f64; 3]; 3] = vectors.try_into().ok()?;
    let turned = (0..3).any(|axis| (0..3).any(|other| other != axis && vectors[axis][other] != 0.0));
    (!turned).then(|| [vectors[0][0], vectors[1][1], vectors[2][2]])
}
