//! Copies of operands in the order in which tiles read them.

use super::Matrix;
use super::tile::{PanelOrder, ROW_STRIDE};
use crate::cpu::parallel::SharedRows;
use std::ops::Range;

/// Copies the floats `inner` of the rows `rows` of `a` to panels of `tile_rows` rows each, one behind the other,
/// `panel_floats` apart; rows that fill up the last panel become 0.
pub(super) fn pack_rows(
    a: Matrix<'_>,
    rows: Range<usize>,
    inner: Range<usize>,
    tile_rows: usize,
    panel_floats: usize,
    panels: &mut [f32],
) {
    match a.order() {
        PanelOrder::Rows => {
            for (index, panel) in
                panels.chunks_mut(panel_floats).take(rows.len().div_ceil(tile_rows)).enumerate()
            {
                for (offset, out) in panel.chunks_mut(ROW_STRIDE).take(tile_rows).enumerate() {
                    let (row, out) = (rows.start + index * tile_rows + offset, &mut out[..inner.len()]);
                    if row < rows.end {
                        out.copy_from_slice(&a.values[row * a.stride..][inner.clone()]);
                    } else {
                        out.fill(0.0);
                    }
                }
            }
        }
        // Along the rows as stored, so that memory is read in order.
        PanelOrder::Inner => {
            for (at, stored) in inner.enumerate() {
                let source = &a.values[stored * a.stride..][rows.clone()];
                scatter(source, tile_rows, panel_floats, at * tile_rows, panels);
            }
        }
    }
}

/// Copies the floats `inner` of all columns of `b` to panels of `width` columns, `panel_floats` apart. `first` is the
/// first float of `inner` that the panels hold; columns that fill up the last panel, which may be narrower, become 0.
///
/// # Safety
/// No other thread may use these floats of the panels.
pub(super) unsafe fn pack_natural_columns(
    b: Matrix<'_>,
    inner: Range<usize>,
    first: usize,
    (width, last_width): (usize, usize),
    panel_floats: usize,
    panels: SharedRows<'_>,
) {
    for stored in inner {
        let source = &b.values[stored * b.stride..][..b.columns];
        for (index, run) in source.chunks(width).enumerate() {
            let is_last = (index + 1) * width >= b.columns;
            let width = if is_last { last_width } else { width };
            // SAFETY: rows of a panel do not overlap, and the caller promises that nobody else uses them.
            let out = unsafe { panels.slice(index * panel_floats + (stored - first) * width, width) };
            copy_padded(run, out);
        }
    }
}

/// Copies `inner` floats from `first_inner` on of up to `panel.len() / inner` columns of a transposed `b` from
/// `first_column` on, as `[inner, column]`; columns that `b` does not have become 0.
pub(super) fn pack_transposed_columns(
    b: Matrix<'_>,
    first_column: usize,
    columns: usize,
    first_inner: usize,
    inner: usize,
    panel: &mut [f32],
) {
    let width = panel.len() / inner;
    let source = &b.values[first_column * b.stride + first_inner..];
    transpose(source, b.stride, columns, inner, panel, width);
}

/// Cuts `source` into runs of `width` floats and copies each to float `offset` of a panel of its own.
#[inline(always)]
fn scatter(source: &[f32], width: usize, panel_floats: usize, offset: usize, panels: &mut [f32]) {
    for (index, run) in source.chunks(width).enumerate() {
        copy_padded(run, &mut panels[index * panel_floats + offset..][..width]);
    }
}

/// Copies a run of a panel's row, which is short: the usual lengths are known to the compiler.
#[inline(always)]
fn copy_padded(source: &[f32], out: &mut [f32]) {
    #[inline(always)]
    fn copy<const N: usize>(source: &[f32], out: &mut [f32]) -> bool {
        let (Ok(source), Ok(out)) = (<&[f32; N]>::try_from(source), <&mut [f32; N]>::try_from(out)) else {
            return false;
        };
        *out = *source;
        true
    }
    let done = match out.len() {
        32 => copy::<32>(source, out),
        16 => copy::<16>(source, out),
        13 => copy::<13>(source, out),
        8 => copy::<8>(source, out),
        6 => copy::<6>(source, out),
        _ => false,
    };
    if !done {
        out[..source.len()].copy_from_slice(source);
        out[source.len()..].fill(0.0);
    }
}

/// out `[column, out_stride]` = source `[row, stride]` transposed, for `rows` rows of `columns` floats; floats of `out`
/// behind `rows` become 0.
pub(crate) fn transpose(
    source: &[f32],
    stride: usize,
    rows: usize,
    columns: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    assert!(rows <= out_stride && columns * out_stride <= out.len());
    assert!(rows == 0 || (rows - 1) * stride + columns <= source.len());
    let mut row = 0;
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        while row + 8 <= rows {
            let mut column = 0;
            while column + 8 <= columns {
                // SAFETY: the processor has AVX, and the block of 8 by 8 lies inside both slices by the checks above.
                unsafe {
                    let from = source.as_ptr().add(row * stride + column);
                    let to = out.as_mut_ptr().add(column * out_stride + row);
                    transpose_block(from, stride, to, out_stride);
                }
                column += 8;
            }
            for column in column..columns {
                for row in row..row + 8 {
                    out[column * out_stride + row] = source[row * stride + column];
                }
            }
            row += 8;
        }
    }
    for column in 0..columns {
        let out = &mut out[column * out_stride..(column + 1) * out_stride];
        for row in row..rows {
            out[row] = source[row * stride + column];
        }
        out[rows..].fill(0.0);
    }
}

/// Transposes a block of 8 by 8 floats in registers.
///
/// # Safety
/// The processor has AVX; 8 rows of 8 floats can be read and written.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn transpose_block(from: *const f32, stride: usize, to: *mut f32, out_stride: usize) {
    use std::arch::x86_64::*;
    // SAFETY: by the caller's promise.
    unsafe {
        let row = |index: usize| _mm256_loadu_ps(from.add(index * stride));
        let pairs = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let ((a, b), (c, d)) = (pairs(row(0), row(1)), pairs(row(2), row(3)));
        let ((e, f), (g, h)) = (pairs(row(4), row(5)), pairs(row(6), row(7)));
        let quads = |a, b| (_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xee>(a, b));
        let ((a, c), (b, d)) = (quads(a, c), quads(b, d));
        let ((e, g), (f, h)) = (quads(e, g), quads(f, h));
        let halves = |a, b| (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
        let store = |index: usize, value| _mm256_storeu_ps(to.add(index * out_stride), value);
        for (index, (low, high)) in
            [halves(a, e), halves(c, g), halves(b, f), halves(d, h)].into_iter().enumerate()
        {
            store(index, low);
            store(index + 4, high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_of_any_size_swaps_rows_and_columns() {
        for (rows, columns) in [(1, 1), (7, 9), (8, 8), (17, 24), (33, 5), (32, 256)] {
            let (stride, out_stride) = (columns + 3, rows + 2);
            let source: Vec<f32> = (0..rows * stride).map(|i| i as f32).collect();
            let mut out = vec![-1.0; columns * out_stride];
            transpose(&source, stride, rows, columns, &mut out, out_stride);
            for (index, value) in out.iter().enumerate() {
                let (column, row) = (index / out_stride, index % out_stride);
                let expected = if row < rows { source[row * stride + column] } else { 0.0 };
                assert_eq!(*value, expected, "{rows} x {columns}: {column}, {row}");
            }
        }
    }
}
