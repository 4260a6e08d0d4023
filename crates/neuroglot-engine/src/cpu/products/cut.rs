//! How a product is cut into blocks, panels and tiles, and the product of one block.

#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
use super::amx;
use super::kernel::Kernel;
use super::matrix::{Destination, Into, Matrix};
use super::tile::{self, PanelOrder, ROW_STRIDE, Tiles};
use super::{Behind, Stripe, pack};
use crate::cpu::Line;
use crate::cpu::parallel::SharedRows;
use rayon::prelude::*;

/// Room for panels, kept from product to product.
#[derive(Default)]
pub(super) struct Room(Vec<Line>);

impl Room {
    /// All floats that it has room for.
    pub(super) fn filled(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    pub(super) fn floats(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; 16]));
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..len]
    }
}

/// Rows of b, as stored, that a thread copies to panels at a time; a divisor of every kernel's depth.
const PACKED_AT_ONCE: usize = 32;

/// How a product is cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    kernel: Kernel,
    pub(super) rows: usize,
    inner: usize,
    pub(super) columns: usize,
    /// Panels of b; the last may be narrow.
    pub(super) panels: usize,
    /// Columns of all panels.
    padded: usize,
    /// Rows of a block.
    pub(super) block: usize,
}

impl Cut {
    /// Blocks of rows depend on the product's size only, never on the number of threads.
    pub(super) fn new(
        kernel: Kernel,
        (rows, inner): (usize, usize),
        order: PanelOrder,
        (inner_of_b, columns): (usize, usize),
    ) -> Self {
        assert_eq!(inner, inner_of_b, "operands of one product");
        let width = kernel.columns();
        let panels = columns.div_ceil(width);
        let last = kernel.width_of(columns - panels.saturating_sub(1) * width);
        let padded = panels.saturating_sub(1) * width + last;
        let block = Self::block_rows(kernel, rows, order);
        Self { kernel, rows, inner, columns, panels, padded, block }
    }

    pub(super) fn block_rows(kernel: Kernel, rows: usize, order: PanelOrder) -> usize {
        let most = kernel.rows_of_block(rows, order);
        let most = kernel.rows() * (most / kernel.rows()).max(1);
        let blocks = rows.div_ceil(most).max(1);
        rows.div_ceil(blocks).next_multiple_of(kernel.rows()).max(kernel.rows())
    }

    fn depth(&self, first_inner: usize) -> usize {
        self.kernel.depth().min(self.inner - first_inner)
    }

    /// First float, columns in use and columns of a panel of b.
    fn panel(&self, first_inner: usize, panel: usize) -> (usize, usize, usize) {
        let most = self.kernel.columns();
        let first = panel * most;
        let width = most.min(self.padded - first);
        let floats = |inner: usize, columns: usize| columns * self.kernel.floats_of_column(inner);
        let start = floats(first_inner, self.padded) + floats(self.depth(first_inner), first);
        (start, most.min(self.columns - first), width)
    }

    /// Floats of the panels of b.
    pub(super) fn packed_floats(&self) -> usize {
        self.padded * self.kernel.floats_of_column(self.inner)
    }

    /// Number of parts in which threads may copy b to its panels, in any order.
    pub(super) fn pack_parts(&self, b: Matrix<'_>) -> usize {
        if b.transposed { self.panels } else { self.inner.div_ceil(PACKED_AT_ONCE) }
    }

    /// Copies all of b to its panels, on all threads.
    pub(super) fn pack(&self, b: Matrix<'_>, packed: &mut [f32]) {
        let packed = SharedRows::new(packed);
        // SAFETY: each part is packed once, and nobody reads before all are.
        (0..self.pack_parts(b)).into_par_iter().for_each(|part| unsafe { self.pack_part(b, part, packed) });
    }

    /// # Safety
    /// No other thread may pack the same part, or read the panels before all parts are packed.
    pub(super) unsafe fn pack_part(&self, b: Matrix<'_>, part: usize, packed: SharedRows<'_>) {
        let (most, depth) = (self.kernel.columns(), self.kernel.depth());
        if b.transposed {
            for first_inner in (0..self.inner).step_by(depth) {
                let inner = self.depth(first_inner);
                let (start, columns, width) = self.panel(first_inner, part);
                // SAFETY: this part is this panel, by the caller's promise nobody else's.
                let out = unsafe { packed.slice(start, width * self.kernel.floats_of_column(inner)) };
                match self.kernel {
                    Kernel::Tiles(_) => {
                        pack::pack_transposed_columns(b, part * most, columns, first_inner, inner, out);
                    }
                    #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
                    Kernel::Amx => {
                        amx::split_columns(b, part * most, columns, first_inner..first_inner + inner, out)
                    }
                }
            }
            return;
        }
        let inner = part * PACKED_AT_ONCE..((part + 1) * PACKED_AT_ONCE).min(self.inner);
        let first = inner.start / depth * depth;
        let last_width = self.padded - (self.panels - 1) * most;
        // SAFETY: parts have rows of the panels of their own; by the caller's promise nobody else works on this one.
        unsafe {
            let panels = packed.from(first * self.padded);
            pack::pack_natural_columns(b, inner, first, (most, last_width), most * self.depth(first), panels);
        }
    }

    /// The product of one block of rows with some panels, and what stands behind each of them.
    ///
    /// # Safety
    /// Nothing else may use the rows and columns written to.
    pub(super) unsafe fn run(
        &self,
        y: Destination<'_>,
        into: Into,
        first_row: usize,
        panels: std::ops::Range<usize>,
        (a, first_row_of_a): (Matrix<'_>, usize),
        packed: &[f32],
        room: &mut Room,
        behind: Behind<'_>,
    ) {
        let rows = self.block.min(self.rows - first_row);
        let rows_of_a = first_row_of_a..first_row_of_a + rows;
        for first_inner in (0..self.inner).step_by(self.kernel.depth()) {
            let part = Part { first_row, rows, first_inner, inner: self.depth(first_inner) };
            let add = into == Into::Add || first_inner > 0;
            let stripes = match behind {
                Behind::Stripes(behind) if first_inner + part.inner == self.inner => Some(behind),
                _ => None,
            };
            let finish = |panel: usize, columns: usize| {
                let Some(behind) = stripes else { return };
                behind(
                    y.values,
                    Stripe { first_row, rows, first_column: panel * self.kernel.columns(), columns },
                );
            };
            // SAFETY: the caller's promise.
            unsafe {
                match self.kernel {
                    Kernel::Tiles(tiles) => {
                        let block = part.pack(tiles, a, rows_of_a.clone(), room);
                        for panel in panels.clone() {
                            let (start, columns, width) = self.panel(first_inner, panel);
                            let b = &packed[start..start + width * part.inner];
                            for first in (0..rows).step_by(tiles.rows) {
                                let (tile, a) = block.rows(tiles, width, first);
                                let multiply = |c: *mut f32, stride: usize, add: bool| {
                                    tile(part.inner, a.as_ptr(), b.as_ptr(), c, stride, add);
                                };
                                self.put(y, &part, panel, (columns, width), first, add, multiply);
                            }
                            finish(panel, columns);
                        }
                    }
                    #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
                    Kernel::Amx => {
                        let steps = part.inner.div_ceil(amx::STEP);
                        let side = amx::SIDE * steps * amx::FLOATS_OF_STEP;
                        let block = room.floats(rows.div_ceil(amx::SIDE) * side);
                        let inner = first_inner..first_inner + part.inner;
                        amx::split_rows(a, rows_of_a.clone(), inner, block);
                        let unit = amx::Unit::set_up();
                        for panel in panels.clone() {
                            let (start, columns, width) = self.panel(first_inner, panel);
                            let b = &packed[start..start + side];
                            for (index, a) in block.chunks_exact(side).enumerate() {
                                let multiply = |c: *mut f32, stride: usize, add: bool| {
                                    unit.multiply(steps, a.as_ptr(), b.as_ptr(), c, stride, add);
                                };
                                self.put(y, &part, panel, (columns, width), index * amx::SIDE, add, multiply);
                            }
                            finish(panel, columns);
                        }
                    }
                }
            }
        }
        if self.inner == 0 && into == Into::Replace {
            for row in first_row..first_row + rows {
                // SAFETY: as above.
                unsafe { y.values.slice(y.offset + row * y.stride, self.columns) }.fill(0.0);
            }
        }
    }

    /// Lets `multiply(c, stride, add)` write the tile of a part's row `first` and a panel; one that reaches past the
    /// result is written elsewhere first.
    ///
    /// # Safety
    /// Nothing else may use the rows and columns written to; `multiply` writes a whole tile of `width` columns.
    #[inline(always)]
    unsafe fn put(
        &self,
        y: Destination<'_>,
        part: &Part,
        panel: usize,
        (columns, width): (usize, usize),
        first: usize,
        add: bool,
        multiply: impl Fn(*mut f32, usize, bool),
    ) {
        let first_column = panel * self.kernel.columns();
        let count = self.kernel.rows().min(part.rows - first);
        let place = y.offset + (part.first_row + first) * y.stride + first_column;
        if count == self.kernel.rows() && (columns == width || first_column + width <= y.room) {
            // SAFETY: the tile lies inside the destination, which nothing else uses by the caller's promise.
            let c = unsafe { y.values.tile(place, count, width, y.stride) };
            return multiply(c, y.stride, add);
        }
        let mut edge = Edge([0.0; Edge::FLOATS]);
        multiply(edge.0.as_mut_ptr(), width, false);
        for (row, sums) in edge.0.chunks(width).take(count).enumerate() {
            // SAFETY: as above.
            let out = unsafe { y.values.slice(place + row * y.stride, columns) };
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if add { *out + sum } else { *sum };
            }
        }
    }
}

/// Rows of the result and inner floats that are worked on at once.
struct Part {
    first_row: usize,
    rows: usize,
    first_inner: usize,
    inner: usize,
}

/// Rows of a, where tiles read them: as they are, or copied to panels.
struct PackedRows<'a> {
    a: Matrix<'a>,
    first_row_of_a: usize,
    first_inner: usize,
    inner: usize,
    /// Rows that are read where they are, and how; the others are in `panels`.
    in_place: Option<(usize, tile::Layout)>,
    panels: &'a [f32],
    panel_floats: usize,
}

impl Part {
    fn pack<'a>(
        &self,
        tiles: &Tiles,
        a: Matrix<'a>,
        rows_of_a: std::ops::Range<usize>,
        room: &'a mut Room,
    ) -> PackedRows<'a> {
        let order = a.order();
        let panel_floats = match order {
            PanelOrder::Rows => tiles.rows * ROW_STRIDE,
            PanelOrder::Inner => tiles.rows * self.inner,
        };
        // Whole tiles of rows may be read where they are.
        let in_place =
            tiles.in_place(order, a.stride).map(|layout| (self.rows - self.rows % tiles.rows, layout));
        let copied = in_place.map_or(0, |(rows, _)| rows);
        let panels = room.floats((self.rows - copied).div_ceil(tiles.rows) * panel_floats);
        let inner = self.first_inner..self.first_inner + self.inner;
        pack::pack_rows(a, rows_of_a.start + copied..rows_of_a.end, inner, tiles.rows, panel_floats, panels);
        let (first_inner, inner) = (self.first_inner, self.inner);
        PackedRows { a, first_row_of_a: rows_of_a.start, first_inner, inner, in_place, panels, panel_floats }
    }
}

impl PackedRows<'_> {
    /// The tile of `width` columns for the rows from `first` on, and those rows.
    #[inline(always)]
    fn rows(&self, tiles: &Tiles, width: usize, first: usize) -> (tile::Tile, &[f32]) {
        match self.in_place {
            Some((rows, layout)) if first < rows => {
                let from = (self.first_row_of_a + first) * self.a.stride + self.first_inner;
                let floats = (tiles.rows - 1) * self.a.stride + self.inner;
                (tiles.of(width, layout), &self.a.values[from..from + floats])
            }
            in_place => {
                let from = (first - in_place.map_or(0, |(rows, _)| rows)) / tiles.rows * self.panel_floats;
                (tiles.of(width, self.a.order().layout()), &self.panels[from..from + self.panel_floats])
            }
        }
    }
}

/// A tile at the edge of the result, which reaches past it.
#[repr(align(64))]
struct Edge([f32; Edge::FLOATS]);

impl Edge {
    /// Floats of the largest tile.
    const FLOATS: usize = 32 * 32;
}
