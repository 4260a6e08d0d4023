//! Matrix products.
//!
//! y = a·b is cut into blocks of rows, and blocks into tiles that fit the registers ([`tile`]). All of b is copied once
//! into panels of a tile's width, and of each block of rows [`tile::DEPTH`] floats at a time, so that tiles read memory in order
//! whatever the order of the operands ([`pack`]). This is the scheme of Goto and van de Geijn (2008). It is our own and
//! not a library's because what a layer does before and behind its product is done on the rows of a block while they
//! are in cache, and because operands in any order cost the same.

#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
mod amx;
mod kernel;
mod pack;
mod tile;

use super::Line;
use super::parallel::SharedRows;
use kernel::Kernel;
pub use kernel::has_matrix_unit;
use rayon::prelude::*;
use std::cell::RefCell;
use tile::{PanelOrder, ROW_STRIDE, Tiles};

/// Whether a product replaces its destination or is added to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// A row-major matrix that may be read transposed; `stride` floats from row to row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    /// Rows and columns as stored, before the transposition.
    rows: usize,
    columns: usize,
    stride: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// `rows` rows of `columns` floats, `stride` apart.
    pub(crate) fn strided(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(columns <= stride && (rows == 0 || (rows - 1) * stride + columns <= values.len()));
        Self { values, rows, columns, stride, transposed: false }
    }

    pub(crate) fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Rows and columns as the product sees them.
    fn shape(self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    /// The floats of a matrix without gaps, as stored.
    pub(crate) fn values(self) -> &'a [f32] {
        self.values
    }

    fn order(self) -> PanelOrder {
        if self.transposed { PanelOrder::Inner } else { PanelOrder::Rows }
    }
}

/// Where a product goes: rows `stride` floats apart.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    values: SharedRows<'a>,
    offset: usize,
    stride: usize,
    /// Columns that may be written to; those behind the product's receive anything.
    room: usize,
}

impl<'a> Destination<'a> {
    /// A destination without gaps.
    pub(crate) fn dense(values: &'a mut [f32], columns: usize) -> Self {
        Self { values: SharedRows::new(values), offset: 0, stride: columns, room: 0 }
    }

    /// The first columns of rows of `stride` floats; what lies behind them receives anything.
    pub(crate) fn padded(values: &'a mut [f32], stride: usize) -> Self {
        Self { values: SharedRows::new(values), offset: 0, stride, room: stride }
    }

    /// The columns from `offset` on of rows `stride` floats apart.
    ///
    /// # Safety
    /// Nothing else may use the floats that the product writes to.
    pub(crate) unsafe fn columns(values: SharedRows<'a>, offset: usize, stride: usize) -> Self {
        Self { values, offset, stride, room: 0 }
    }
}

/// Room for panels, kept from product to product.
#[derive(Default)]
struct Room(Vec<Line>);

impl Room {
    /// All floats that it has room for.
    fn filled(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    fn floats(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; 16]));
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..len]
    }
}

thread_local! {
    /// Panels of a block of rows, and of the b of a product on one thread.
    static ROOM: RefCell<(Room, Room)> = RefCell::default();
    /// Panels of the b of a product on all threads.
    static SHARED_ROOM: RefCell<Room> = RefCell::default();
}

/// Rows of b, as stored, that a thread copies to panels at a time; a divisor of every kernel's depth.
const PACKED_AT_ONCE: usize = 32;

/// How a product is cut.
#[derive(Clone, Copy)]
struct Cut {
    kernel: Kernel,
    rows: usize,
    inner: usize,
    columns: usize,
    /// Panels of b; the last may be narrow.
    panels: usize,
    /// Columns of all panels.
    padded: usize,
    /// Rows of a block.
    block: usize,
}

impl Cut {
    /// Blocks of rows depend on the product's size only, never on the number of threads.
    fn new(
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

    fn block_rows(kernel: Kernel, rows: usize, order: PanelOrder) -> usize {
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
    fn packed_floats(&self) -> usize {
        self.padded * self.kernel.floats_of_column(self.inner)
    }

    /// Number of parts in which threads may copy b to its panels, in any order.
    fn pack_parts(&self, b: Matrix<'_>) -> usize {
        if b.transposed { self.panels } else { self.inner.div_ceil(PACKED_AT_ONCE) }
    }

    /// Copies all of b to its panels, on all threads.
    fn pack(&self, b: Matrix<'_>, packed: &mut [f32]) {
        let packed = SharedRows::new(packed);
        // SAFETY: each part is packed once, and nobody reads before all are.
        (0..self.pack_parts(b)).into_par_iter().for_each(|part| unsafe { self.pack_part(b, part, packed) });
    }

    /// # Safety
    /// No other thread may pack the same part, or read the panels before all parts are packed.
    unsafe fn pack_part(&self, b: Matrix<'_>, part: usize, packed: SharedRows<'_>) {
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
    unsafe fn run(
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

/// `y (+)= a · b` on this thread.
///
/// # Safety
/// Nothing else may use the floats that are written to.
pub(crate) unsafe fn product_here(y: Destination<'_>, into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    // Small matrices: what a matrix unit would save is lost on splitting them.
    let cut = Cut::new(Kernel::tiles(), a.shape(), a.order(), b.shape());
    ROOM.with_borrow_mut(|(of_block, of_panels)| {
        let packed = of_panels.floats(cut.packed_floats());
        for part in 0..cut.pack_parts(b) {
            // SAFETY: one part after the other.
            unsafe { cut.pack_part(b, part, SharedRows::new(packed)) };
        }
        for first_row in (0..cut.rows).step_by(cut.block) {
            // SAFETY: the caller's promise.
            unsafe {
                cut.run(y, into, first_row, 0..cut.panels, (a, first_row), packed, of_block, Behind::Nothing);
            }
        }
    });
}

/// Rows that one thread works on at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Number of the block.
    pub index: usize,
    pub first_row: usize,
    pub rows: usize,
}

/// Number of blocks of a product whose left operand has `rows` rows in order, and whose right one is stored in order too.
pub(crate) fn blocks_of_rows(rows: usize) -> usize {
    rows.div_ceil(Cut::block_rows(Kernel::best(PanelOrder::Rows, false), rows, PanelOrder::Rows))
}

/// The left operand of a product on all threads.
pub(crate) enum Left<'a> {
    /// A matrix that is there.
    Matrix(Matrix<'a>),
    /// Rows that are made when their block's turn comes.
    Rows {
        /// Rows of a.
        rows: usize,
        /// Floats of a row.
        inner: usize,
        /// Makes the rows of one block; called once for each.
        prepare: &'a (dyn Fn(Block) -> &'a [f32] + Sync),
    },
}

/// The right operand of a product on all threads.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// A matrix that is there.
    Matrix(Matrix<'a>),
    /// Panels of one.
    Packed(&'a Packed),
}

impl Right<'_> {
    fn shape(&self) -> (usize, usize) {
        match self {
            Right::Matrix(b) => b.shape(),
            Right::Packed(b) => (b.inner, b.columns),
        }
    }
}

/// Panels of a matrix that is multiplied with again and again.
pub(crate) struct Packed {
    kernel: Kernel,
    panels: Room,
    inner: usize,
    columns: usize,
}

impl Packed {
    pub(crate) fn new(b: Matrix<'_>) -> Self {
        let (inner, columns) = b.shape();
        let kernel = Kernel::best(PanelOrder::Rows, b.transposed);
        let cut = Cut::new(kernel, (1, inner), PanelOrder::Rows, (inner, columns));
        let mut panels = Room::default();
        cut.pack(b, panels.floats(cut.packed_floats()));
        Self { kernel, panels, inner, columns }
    }
}

/// What is done with a product as soon as a part of it is finished.
#[derive(Clone, Copy)]
pub(crate) enum Behind<'a> {
    /// Nothing.
    Nothing,
    /// `(first row, rows of y)`, for each block of rows.
    Rows(&'a (dyn Fn(usize, &mut [f32]) + Sync)),
    /// `(y, stripe)`, for each panel of a block: it is in the first-level cache then.
    Stripes(&'a (dyn Fn(SharedRows<'_>, Stripe) + Sync)),
}

/// Some columns of the rows of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripe {
    pub first_row: usize,
    pub rows: usize,
    pub first_column: usize,
    pub columns: usize,
}

/// `y (+)= a · b` on all threads of the current pool; `y` is `[a's rows, b's columns]` without gaps.
pub(crate) fn product(y: &mut [f32], into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    product_then(y, into, &Left::Matrix(a), Right::Matrix(b), Behind::Nothing);
}

/// [`product`], and what stands behind it.
pub(crate) fn product_then(y: &mut [f32], into: Into, a: &Left<'_>, b: Right<'_>, behind: Behind<'_>) {
    let order = match a {
        Left::Matrix(a) => a.order(),
        Left::Rows { .. } => PanelOrder::Rows,
    };
    let kernel = match b {
        Right::Matrix(b) => Kernel::best(order, b.transposed),
        Right::Packed(b) => b.kernel,
    };
    product_with(kernel, y, into, a, b, behind);
}

fn product_with(kernel: Kernel, y: &mut [f32], into: Into, a: &Left<'_>, b: Right<'_>, behind: Behind<'_>) {
    let cut = match a {
        Left::Matrix(a) => Cut::new(kernel, a.shape(), a.order(), b.shape()),
        Left::Rows { rows, inner, .. } => Cut::new(kernel, (*rows, *inner), PanelOrder::Rows, b.shape()),
    };
    assert_eq!(y.len(), cut.rows * cut.columns, "the result of a product");
    if y.is_empty() {
        return;
    }
    let mut shared = SHARED_ROOM.take();
    let packed = match b {
        Right::Packed(b) => b.panels.filled(),
        Right::Matrix(b) => {
            let packed = shared.floats(cut.packed_floats());
            cut.pack(b, packed);
            &*packed
        }
    };
    let whole = Destination::dense(y, cut.columns);
    let block_at = |index: usize| {
        let first_row = index * cut.block;
        Block { index, first_row, rows: cut.block.min(cut.rows - first_row) }
    };
    let operand = |index: usize| match a {
        Left::Matrix(a) => (*a, index * cut.block),
        Left::Rows { inner, prepare, .. } => {
            let block = block_at(index);
            (Matrix::new(prepare(block), block.rows, *inner), 0)
        }
    };
    let multiply = |block: usize, panels, operand| {
        ROOM.with_borrow_mut(|(room, _)| {
            // SAFETY: blocks have rows of their own, and below no two tasks have the same panels of one block.
            unsafe { cut.run(whole, into, block * cut.block, panels, operand, packed, room, behind) };
        });
    };
    let finish = |index: usize| {
        let Behind::Rows(behind) = behind else { return };
        let Block { first_row, rows, .. } = block_at(index);
        // SAFETY: blocks have rows of their own, and this one's product is done.
        let rows = unsafe { whole.values.slice(first_row * cut.columns, rows * cut.columns) };
        behind(first_row, rows);
    };
    let blocks = cut.rows.div_ceil(cut.block);
    let threads = rayon::current_num_threads();
    if threads == 1 || blocks >= 3 * threads {
        (0..blocks).into_par_iter().for_each(|block| {
            multiply(block, 0..cut.panels, operand(block));
            finish(block);
        });
    } else {
        // Few rows: the columns are shared out too, so that every thread has work.
        let groups = kernel.groups(threads, blocks).min(cut.panels);
        let operands: Vec<_> = (0..blocks).map(operand).collect();
        (0..blocks * groups).into_par_iter().for_each(|index| {
            let (block, group) = (index % blocks, index / blocks);
            let panels = group * cut.panels / groups..(group + 1) * cut.panels / groups;
            multiply(block, panels, operands[block]);
        });
        (0..blocks).into_par_iter().for_each(finish);
    }
    SHARED_ROOM.set(shared);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::gradient_check::uniform;

    fn naive(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f64> {
        let ((rows, inner), (_, columns)) = (a.shape(), b.shape());
        let at = |m: Matrix<'_>, row: usize, column: usize| {
            let (row, column) = if m.transposed { (column, row) } else { (row, column) };
            f64::from(m.values[row * m.stride + column])
        };
        let entry = |i: usize| (0..inner).map(|k| at(a, i / columns, k) * at(b, k, i % columns)).sum();
        (0..rows * columns).map(entry).collect()
    }

    #[test]
    fn every_tile_multiplies_operands_of_any_size_and_order() {
        let mut draw = uniform(-1.0, 1.0);
        let sizes =
            [(1, 1, 1), (5, 3, 2), (12, 256, 32), (13, 257, 33), (50, 300, 17), (100, 64, 102), (97, 530, 8)];
        for (rows, inner, columns) in sizes {
            for order in 0..4 {
                let mut matrix = |rows: usize, columns: usize, transposed: bool| {
                    let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
                    let values: Vec<f32> = (0..rows * (columns + 3)).map(|_| draw()).collect();
                    (values, rows, columns, transposed)
                };
                let (a, b) = (matrix(rows, inner, order & 1 > 0), matrix(inner, columns, order & 2 > 0));
                let view = |m: &(Vec<f32>, usize, usize, bool)| -> Matrix<'static> {
                    Matrix::strided(m.0.clone().leak(), m.1, m.2, m.2 + 3)
                };
                let oriented = |m: Matrix<'static>, transposed| if transposed { m.transpose() } else { m };
                let (a, b) = (oriented(view(&a), a.3), oriented(view(&b), b.3));
                let expected = naive(a, b);
                let fastest = Kernel::best(a.order(), b.transposed);
                for kernel in Tiles::all().into_iter().map(Kernel::Tiles).chain([fastest]) {
                    let mut y = vec![1.0; rows * columns];
                    product_with(
                        kernel,
                        &mut y,
                        Into::Replace,
                        &Left::Matrix(a),
                        Right::Matrix(b),
                        Behind::Nothing,
                    );
                    product_with(
                        kernel,
                        &mut y,
                        Into::Add,
                        &Left::Matrix(a),
                        Right::Matrix(b),
                        Behind::Nothing,
                    );
                    for (got, expected) in y.iter().zip(&expected) {
                        let error = (f64::from(*got) - 2.0 * expected).abs();
                        assert!(
                            error < 1e-4,
                            "{rows} x {inner} x {columns}, order {order}: {got}, not {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_into_some_columns_leaves_the_others_alone() {
        let a: Vec<f32> = (0..25).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..45).map(|i| i as f32 * 0.5).collect();
        for transposed in [false, true] {
            let mut y = vec![7.0; 45];
            let left = Matrix::new(&a, 5, 5);
            let left = if transposed { left.transpose() } else { left };
            let right = Matrix::strided(&b[3..42], 5, 3, 9);
            // SAFETY: nothing else refers to these columns.
            unsafe {
                product_here(Destination::columns(SharedRows::new(&mut y), 3, 9), Into::Replace, left, right)
            };
            let mut expected = vec![7.0; 45];
            for (row, column) in (0..15).map(|i| (i / 3, i % 3)) {
                let a = |k: usize| if transposed { a[k * 5 + row] } else { a[row * 5 + k] };
                expected[row * 9 + 3 + column] = (0..5).map(|k| a(k) * b[3 + k * 9 + column]).sum();
            }
            assert_eq!(y, expected);
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        for (rows, inner, columns) in [(1632, 512, 300), (300, 1632, 512), (77, 1336, 65), (5, 3, 2)] {
            let mut draw = uniform(-1.0, 1.0);
            let a: Vec<f32> = (0..rows * inner).map(|_| draw()).collect();
            let b: Vec<f32> = (0..inner * columns).map(|_| draw()).collect();
            let multiply = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut y = vec![1.0; rows * columns];
                let (a, b) = (Matrix::new(&a, rows, inner), Matrix::new(&b, columns, inner));
                pool.install(|| product(&mut y, Into::Add, a, b.transpose()));
                y
            };
            let one = multiply(1);
            for threads in [2, 3, 7] {
                assert!(multiply(threads) == one, "{rows} x {inner} x {columns} on {threads} threads");
            }
        }
    }

    #[test]
    fn panels_made_once_give_the_same_product() {
        let mut draw = uniform(-1.0, 1.0);
        let (rows, inner, columns) = (30, 300, 70);
        let a: Vec<f32> = (0..rows * inner).map(|_| draw()).collect();
        let b: Vec<f32> = (0..inner * columns).map(|_| draw()).collect();
        let (a, b) =
            (Left::Matrix(Matrix::new(&a, rows, inner)), Matrix::new(&b, columns, inner).transpose());
        let (mut fresh, mut kept) = (vec![0.0; rows * columns], vec![0.0; rows * columns]);
        product_then(&mut fresh, Into::Replace, &a, Right::Matrix(b), Behind::Nothing);
        product_then(&mut kept, Into::Replace, &a, Right::Packed(&Packed::new(b)), Behind::Nothing);
        assert_eq!(fresh, kept);
    }

    #[test]
    fn each_block_of_rows_is_prepared_once_and_finished_once() {
        for rows in [1, 50, 1000] {
            let mut x = vec![1.0; rows * 3];
            let shared = SharedRows::new(&mut x);
            // SAFETY: each block has rows of its own.
            let prepare = |block: Block| {
                let rows = unsafe { shared.slice(block.first_row * 3, block.rows * 3) };
                rows.iter_mut().for_each(|x| *x += block.first_row as f32);
                &*rows
            };
            let mut y = vec![0.0; rows * 2];
            let b = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let left = Left::Rows { rows, inner: 3, prepare: &prepare };
            let behind = |first: usize, y: &mut [f32]| y.iter_mut().for_each(|y| *y -= first as f32);
            pool.install(|| {
                product_then(
                    &mut y,
                    Into::Replace,
                    &left,
                    Right::Matrix(Matrix::new(&b, 3, 2)),
                    Behind::Rows(&behind),
                )
            });
            assert_eq!(y, vec![1.0; rows * 2], "{rows} rows");
        }
    }
}
