//! The voxels of a volume as runs of equal ones along its first axis.

use super::header::{Header, Voxel};
use crate::{AnnotationError, Atlas};
use flate2::bufread::GzDecoder;
use neuroglot_files::FromIo;
use std::io::{BufRead, ErrorKind, Read};
use std::path::Path;

/// Bytes read at a time; a multiple of every voxel size.
const CHUNK: usize = 1 << 16;
/// Most runs kept: 0.5 GB, and 140 for each line of the volume of 10 µm. A small compressed file can hold any number.
const MOST_RUNS: usize = 1 << 27;

/// Neighbours along the first axis that lie in the same structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// Index of the first voxel behind it.
    end: u16,
    /// Row of the structure in the atlas's table.
    structure: u16,
}

/// Lines of voxels along the first axis, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Runs {
    runs: Vec<Run>,
    /// Where the runs of each line end.
    line_ends: Vec<usize>,
}

impl Runs {
    /// Reads what `header` announces; nothing is allocated before it was read.
    pub fn read(file: impl BufRead, header: &Header, path: &Path) -> Result<Runs, AnnotationError> {
        if header.is_compressed {
            Runs::of(GzDecoder::new(file), header, path)
        } else {
            Runs::of(file, header, path)
        }
    }

    fn of(mut data: impl Read, header: &Header, path: &Path) -> Result<Runs, AnnotationError> {
        let Voxel { bytes, .. } = header.voxel;
        let (voxels, length) = (header.voxels(), header.shape[0]);
        let mut lines = Lines::new(header);
        let mut chunk = vec![0; CHUNK];
        let mut left = voxels * bytes as u64;
        while left > 0 {
            let wanted = left.min(CHUNK as u64) as usize;
            let found = fill(&mut data, &mut chunk[..wanted]).map_err(|source| failed(source, path))?;
            for voxel in chunk[..found - found % bytes].chunks_exact(bytes) {
                lines.push(voxel).map_err(|id| {
                    let (line, along) = (lines.runs.line_ends.len(), lines.along);
                    let voxel = [along, line % header.shape[1], line / header.shape[1]];
                    let problem = format!(
                        "has the value {id} at voxel {voxel:?}, which is no id of the Allen structure tree: give the \
                         annotation of 2017 (CCFv3), not the template or another atlas; if it is this file, it is \
                         damaged: download it again"
                    );
                    AnnotationError::volume(path, problem)
                })?;
            }
            if found < wanted {
                let found = lines.runs.line_ends.len() as u64 * length as u64 + lines.along as u64;
                let problem = format!(
                    "ends after {found} of the {voxels} voxels that its field `sizes` announces: it is cut off; \
                     download it again"
                );
                return Err(AnnotationError::volume(path, problem));
            }
            if lines.runs.runs.len() > MOST_RUNS {
                let problem = format!(
                    "changes between regions more than {MOST_RUNS} times along its first axis, which no brain does: \
                     it is damaged or no annotation volume; download annotation_25.nrrd again"
                );
                return Err(AnnotationError::volume(path, problem));
            }
            left -= wanted as u64;
        }
        // One byte more than announced also makes the decompressor check its checksum.
        match std::io::copy(&mut data.take(1), &mut std::io::sink()) {
            Ok(0) => Ok(lines.runs),
            Ok(_) => {
                let problem = format!(
                    "goes on after the {voxels} voxels that its field `sizes` announces: the header and the data do \
                     not belong together; download it again"
                );
                Err(AnnotationError::volume(path, problem))
            }
            Err(source) => Err(failed(source, path)),
        }
    }

    /// Row of the structure at voxel `along` of a line.
    pub fn at(&self, line: usize, along: usize) -> Option<usize> {
        let start = if line == 0 { 0 } else { *self.line_ends.get(line - 1)? };
        let runs = self.runs.get(start..*self.line_ends.get(line)?)?;
        let run = runs.partition_point(|run| usize::from(run.end) <= along);
        runs.get(run).map(|run| run.structure.into())
    }
}

/// Lines under construction.
struct Lines {
    runs: Runs,
    voxel: Voxel,
    length: usize,
    along: usize,
    /// The bytes of the last voxel, and its structure: most voxels are like the one before.
    last: [u8; 8],
    structure: Option<u16>,
}

impl Lines {
    fn new(header: &Header) -> Lines {
        Lines {
            runs: Runs { runs: Vec::new(), line_ends: Vec::new() },
            voxel: header.voxel,
            length: header.shape[0],
            along: 0,
            last: [0; 8],
            structure: None,
        }
    }

    /// Adds a voxel; the value as text if it is no id.
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        let structure = match self.structure {
            Some(structure) if self.last[..bytes.len()] == *bytes => structure,
            _ => {
                let structure = structure(bytes, self.voxel)?;
                self.last[..bytes.len()].copy_from_slice(bytes);
                self.structure = Some(structure);
                structure
            }
        };
        // Lines are no longer than `u16` counts: the header saw to it.
        let end = (self.along + 1) as u16;
        match self.runs.runs.last_mut() {
            Some(run) if self.along > 0 && run.structure == structure => run.end = end,
            _ => self.runs.runs.push(Run { end, structure }),
        }
        self.along += 1;
        if self.along == self.length {
            self.runs.line_ends.push(self.runs.runs.len());
            self.along = 0;
        }
        Ok(())
    }
}

fn structure(bytes: &[u8], voxel: Voxel) -> Result<u16, String> {
    let mut wide = [0; 8];
    for (index, byte) in bytes.iter().enumerate() {
        wide[if voxel.big_endian { bytes.len() - 1 - index } else { index }] = *byte;
    }
    let id = u64::from_le_bytes(wide);
    let known = i64::try_from(id).ok().and_then(|id| Atlas::allen().row_of_id(id));
    known.and_then(|row| u16::try_from(row).ok()).ok_or_else(|| match (voxel.signed, voxel.bytes) {
        (true, 4) => (id as u32 as i32).to_string(),
        (true, _) => (id as i64).to_string(),
        (false, _) => id.to_string(),
    })
}

/// Reads until `buffer` is full or the data end; the number of bytes read.
fn fill(data: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match data.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The compressed data end in the middle.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Errors of the operating system have a number, those of the decompressor have none.
fn failed(source: std::io::Error, path: &Path) -> AnnotationError {
    match source.raw_os_error() {
        Some(_) => AnnotationError::io("read", path)(source),
        None => AnnotationError::volume(
            path,
            format!("has damaged compressed data ({source}): download it again"),
        ),
    }
}
