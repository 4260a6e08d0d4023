//! Products on the matrix unit of recent Intel processors (AMX), as exact as in f32.
//!
//! The unit multiplies bfloat16 numbers, of 8 significant bits, and adds up in f32. An f32 is the sum of three bfloat16
//! numbers, x = x₁ + x₂ + x₃, each about 2⁻⁸ of the one before. Of the nine products of two such sums the six largest,
//! x₁y₁ + x₁y₂ + x₂y₁ + x₁y₃ + x₂y₂ + x₃y₁, miss about 2⁻²⁵ of xy, less than f32 rounds off (Henry, Tang and Heinecke,
//! "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations", 2019). Six products of
//! the unit still take half the time of one in vector registers. What they gain is lost again on operands that have to be
//! turned first: only rows are multiplied with what is stored by columns, as in the forward pass of a layer.

use super::{Matrix, pack};
use std::arch::asm;
use std::arch::x86_64::*;
use std::ops::Range;
use std::sync::OnceLock;

/// Rows and columns of the result that are worked on at once: two by two of the unit's tiles.
pub(super) const SIDE: usize = 32;

/// Inner floats of a step: as many as a row of the unit's tiles holds.
pub(super) const STEP: usize = 32;

/// Inner floats worked on before the result is stored: a panel of b then stays in the first-level cache.
pub(super) const DEPTH: usize = 4 * STEP;

/// The parts of an f32.
const PARTS: usize = 3;
/// Rows of one of the unit's tiles.
const TILE_ROWS: usize = 16;
/// Halves (bfloat16 numbers) of one of the unit's tiles.
const TILE: usize = TILE_ROWS * STEP;

/// Floats of memory that the parts of one row (or column) take for a step.
pub(super) const FLOATS_OF_STEP: usize = STEP * PARTS / 2;

/// Whether this processor and this system have the unit. The system is asked for its registers once.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    let has_vectors = || is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    *AVAILABLE.get_or_init(|| has_vectors() && processor_has_it() && system_allows_it())
}

fn processor_has_it() -> bool {
    // Leaf 7, EDX: bit 22 bfloat16 products, bit 24 tiles.
    let wanted = 1 << 22 | 1 << 24;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & wanted == wanted
}

fn system_allows_it() -> bool {
    // From <asm/prctl.h>; the number of the tile registers is that of their bit in the state that is saved.
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_REGISTERS: libc::c_long = 18;
    // SAFETY: the call reads no memory; it only asks that the tile registers be saved for this process.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_REGISTERS) == 0 }
}

/// The shapes of the unit's tiles, in its own format: palette 1, all eight of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Shapes([u8; 64]);

const SHAPES: Shapes = {
    let mut shapes = [0; 64];
    shapes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        shapes[16 + 2 * tile] = 64;
        shapes[48 + tile] = TILE_ROWS as u8;
        tile += 1;
    }
    Shapes(shapes)
};

/// The unit, set up on this thread until this is dropped.
pub(super) struct Unit(());

impl Unit {
    /// # Panics
    /// Where the unit is not available.
    pub(super) fn set_up() -> Self {
        assert!(is_available());
        // SAFETY: the processor has the instruction, and reads 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, preserves_flags, readonly)) };
        Self(())
    }

    /// c (+)= a · b of [`SIDE`] rows and columns, for `steps` steps.
    ///
    /// # Safety
    /// `a` and `b` hold `SIDE` rows and columns of `steps` steps, as [`split_rows`] and the packing of b write them, and
    /// `c` may be written to (and read, to add) at all rows, `stride` floats apart, and columns.
    #[inline]
    pub(super) unsafe fn multiply(
        &self,
        steps: usize,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        stride: usize,
        add: bool,
    ) {
        let bytes = 4 * stride;
        // SAFETY: the rows that are read and written are those of the caller's promise. No compiled code uses the tile
        // registers, so that they keep their values from one block of instructions to the next.
        unsafe {
            let (right, below) = (c.add(TILE_ROWS), c.add(TILE_ROWS * stride));
            let corner = below.add(TILE_ROWS);
            if add {
                asm!(
                    "tileloadd tmm0, [{c} + {stride}*1]",
                    "tileloadd tmm1, [{right} + {stride}*1]",
                    "tileloadd tmm2, [{below} + {stride}*1]",
                    "tileloadd tmm3, [{corner} + {stride}*1]",
                    c = in(reg) c, right = in(reg) right, below = in(reg) below, corner = in(reg) corner,
                    stride = in(reg) bytes,
                    options(nostack, preserves_flags, readonly)
                );
            } else {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nostack, preserves_flags, nomem)
                );
            }
            let side = steps * PARTS * TILE / 2;
            for step in 0..steps {
                let (a, b) = (a.add(step * PARTS * TILE / 2), b.add(step * PARTS * TILE / 2));
                // Part p of a step is p KiB behind its first. Small products first.
                asm!(
                    "tileloadd tmm4, [{a} + {line}*1 + 2048]",
                    "tileloadd tmm5, [{a_below} + {line}*1 + 2048]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tileloadd tmm7, [{b_right} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm4, [{a} + {line}*1 + 1024]",
                    "tileloadd tmm5, [{a_below} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm6, [{b} + {line}*1 + 1024]",
                    "tileloadd tmm7, [{b_right} + {line}*1 + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tileloadd tmm5, [{a_below} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm6, [{b} + {line}*1 + 2048]",
                    "tileloadd tmm7, [{b_right} + {line}*1 + 2048]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tileloadd tmm7, [{b_right} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    a = in(reg) a, a_below = in(reg) a.add(side), b = in(reg) b, b_right = in(reg) b.add(side),
                    line = in(reg) 64usize,
                    options(nostack, preserves_flags, readonly)
                );
            }
            asm!(
                "tilestored [{c} + {stride}*1], tmm0",
                "tilestored [{right} + {stride}*1], tmm1",
                "tilestored [{below} + {stride}*1], tmm2",
                "tilestored [{corner} + {stride}*1], tmm3",
                c = in(reg) c, right = in(reg) right, below = in(reg) below, corner = in(reg) corner,
                stride = in(reg) bytes,
                options(nostack, preserves_flags)
            );
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: the processor has the instruction, as the unit was set up.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
}

/// The parts of two vectors of floats, the first one's in front.
///
/// # Safety
/// The processor has the instructions.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn parts_of_vectors(mut front: __m512, mut behind: __m512) -> [__m512i; PARTS] {
    let mut parts = [_mm512_setzero_si512(); PARTS];
    for part in &mut parts {
        let rounded = _mm512_cvtne2ps_pbh(behind, front);
        // SAFETY: both are 64 bytes of any value.
        *part = unsafe { std::mem::transmute::<__m512bh, __m512i>(rounded) };
        let back = |half: __m256i| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)));
        front = _mm512_sub_ps(front, back(_mm512_castsi512_si256(*part)));
        behind = _mm512_sub_ps(behind, back(_mm512_extracti64x4_epi64::<1>(*part)));
    }
    parts
}

/// Writes the parts of a row of a step to `[part, tile row, inner]`, whose row starts at `first`; what fills up the step
/// is 0.
///
/// # Safety
/// The processor has the instructions.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn split_row(row: &[f32], out: &mut [u16], first: usize) {
    let mut padded = [0.0; STEP];
    let row: &[f32; STEP] = match row.try_into() {
        Ok(row) => row,
        Err(_) => {
            padded[..row.len()].copy_from_slice(row);
            &padded
        }
    };
    // SAFETY: a step is two vectors.
    let parts = unsafe {
        parts_of_vectors(_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(row.as_ptr().add(STEP / 2)))
    };
    for (index, part) in parts.into_iter().enumerate() {
        let out: &mut [u16; STEP] = (&mut out[index * TILE + first..][..STEP]).try_into().expect("a row");
        // SAFETY: a row of a tile is one vector.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), part) };
    }
}

/// Writes the parts of rows of a, stored in their order, as `[half of SIDE rows, step, part, row, inner]`; rows that fill
/// up the last side, and floats that fill up the last step, become 0.
///
/// # Panics
/// Where the unit is not available.
pub(super) fn split_rows(a: Matrix<'_>, rows: Range<usize>, inner: Range<usize>, out: &mut [f32]) {
    assert!(is_available());
    // SAFETY: a processor that has the unit has the instructions, as `is_available` makes sure.
    unsafe { split_available_rows(a, rows, inner, bytemuck::cast_slice_mut(out)) };
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn split_available_rows(a: Matrix<'_>, rows: Range<usize>, inner: Range<usize>, out: &mut [u16]) {
    let steps = inner.len().div_ceil(STEP);
    let tiles = rows.len().next_multiple_of(SIDE) / TILE_ROWS;
    for (index, out) in out.chunks_exact_mut(steps * PARTS * TILE).take(tiles).enumerate() {
        let first_row = rows.start + index * TILE_ROWS;
        let count = rows.end.saturating_sub(first_row).min(TILE_ROWS);
        for (step, out) in out.chunks_exact_mut(PARTS * TILE).enumerate() {
            let from = inner.start + step * STEP;
            let width = STEP.min(inner.end - from);
            for row in 0..count {
                split_row(&a.values[(first_row + row) * a.stride + from..][..width], out, row * STEP);
            }
            if count < TILE_ROWS {
                out.chunks_exact_mut(TILE).for_each(|part| part[count * STEP..].fill(0));
            }
        }
    }
}

/// Writes the parts of up to [`SIDE`] columns of b, which is stored by columns, as
/// `[half of SIDE columns, step, part, pair of inner, column, one of the pair]`; what fills up columns and steps is 0.
///
/// # Panics
/// Where the unit is not available.
pub(super) fn split_columns(
    b: Matrix<'_>,
    first: usize,
    columns: usize,
    inner: Range<usize>,
    out: &mut [f32],
) {
    assert!(is_available());
    // SAFETY: as in `split_rows`.
    unsafe { split_available_columns(b, first..first + columns, inner, out) };
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn split_available_columns(b: Matrix<'_>, columns: Range<usize>, inner: Range<usize>, out: &mut [f32]) {
    let steps = inner.len().div_ceil(STEP);
    for (index, out) in out.chunks_exact_mut(PARTS * TILE / 2).enumerate() {
        let first_column = columns.start + index / steps * TILE_ROWS;
        let count = columns.end.saturating_sub(first_column).min(TILE_ROWS);
        let from = inner.start + index % steps * STEP;
        let until = inner.end.min(from + STEP);
        // Pairs of bfloat16 numbers are moved about like floats.
        let mut pairs = [0f32; PARTS * TILE / 2];
        for column in 0..count {
            let row = &b.values[(first_column + column) * b.stride..][from..until];
            split_row(row, bytemuck::cast_slice_mut(&mut pairs), column * STEP);
        }
        for (pairs, out) in pairs.chunks_exact(TILE / 2).zip(out.chunks_exact_mut(TILE / 2)) {
            pack::transpose(pairs, STEP / 2, TILE_ROWS, STEP / 2, out, TILE_ROWS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::gradient_check::uniform;

    #[test]
    fn three_parts_make_a_float() {
        if !is_available() {
            eprintln!("skipped: this processor has no matrix unit");
            return;
        }
        let mut draw = uniform(-1.0, 1.0);
        for scale in [1.0, 1e-20, 1e20] {
            let row: Vec<f32> = (0..STEP).map(|_| draw() * scale).collect();
            let mut halves = [0; PARTS * TILE];
            // SAFETY: the unit is available.
            unsafe { split_row(&row, &mut halves, 0) };
            for (at, x) in row.iter().enumerate() {
                let part = |part: usize| f32::from_bits(u32::from(halves[part * TILE + at]) << 16);
                let sum: f64 = (0..PARTS).map(|index| f64::from(part(index))).sum();
                assert!((sum - f64::from(*x)).abs() <= 1e-7 * f64::from(x.abs()), "{x}: {sum}");
            }
        }
    }
}
