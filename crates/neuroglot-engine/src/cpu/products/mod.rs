//! Matrix products.
//!
//! y = a·b is cut into blocks of rows, and blocks into tiles that fit the registers ([`tile`]). All of b is copied once
//! into panels of a tile's width, and of each block of rows [`tile::DEPTH`] floats at a time, so that tiles read memory in order
//! whatever the order of the operands ([`pack`]). This is the scheme of Goto and van de Geijn (2008). It is our own and
//! not a library's because what a layer does before and behind its product is done on the rows of a block while they
//! are in cache, and because operands in any order cost the same.

mod pack;
mod tile;

use super::parallel::SharedRows;
use rayon::prelude::*;
use std::cell::RefCell;
use tile::{DEPTH, PanelOrder, ROW_STRIDE, Tiles};

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

/// One cache line, so that panels start on a line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Room for panels, kept from product to product.
#[derive(Default)]
struct Room(Vec<Line>);

impl Room {
    /// All floats that it has room for.
    fn filled(&self) -> &[f32] {
        // SAFETY: a `Line` is sixteen floats without gaps.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<f32>(), 16 * self.0.len()) }
    }

    fn floats(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; 16]));
        }
        // SAFETY: a `Line` is sixteen floats without gaps, and there are `lines` of them.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast::<f32>(), len) }
    }
}

thread_local! {
    /// Panels of a block of rows, and of the b of a product on one thread.
    static ROOM: RefCell<(Room, Room)> = RefCell::default();
    /// Panels of the b of a product on all threads.
    static SHARED_ROOM: RefCell<Room> = RefCell::default();
}

/// Rows of b, as stored, that a thread copies to panels at a time; a divisor of [`DEPTH`].
const PACKED_AT_ONCE: usize = 32;

/// How a product is cut.
#[derive(Clone, Copy)]
struct Cut {
    tiles: &'static Tiles,
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
        tiles: &'static Tiles,
        (rows, inner): (usize, usize),
        order: PanelOrder,
        (inner_of_b, columns): (usize, usize),
    ) -> Self {
        assert_eq!(inner, inner_of_b, "operands of one product");
        let panels = columns.div_ceil(tiles.columns);
        let rest = columns - panels.saturating_sub(1) * tiles.columns;
        let last = if rest <= tiles.columns / 2 { tiles.columns / 2 } else { tiles.columns };
        let padded = panels.saturating_sub(1) * tiles.columns + last;
        let block = Self::block_rows(tiles, rows, order);
        Self { tiles, rows, inner, columns, panels, padded, block }
    }

    fn block_rows(tiles: &Tiles, rows: usize, order: PanelOrder) -> usize {
        // Where a is read along its columns, longer runs are better.
        let most = tiles.rows * (if order == PanelOrder::Inner { 96 } else { 52 } / tiles.rows).max(1);
        let blocks = rows.div_ceil(most).max(1);
        rows.div_ceil(blocks).next_multiple_of(tiles.rows).max(tiles.rows)
    }

    fn depth(&self, first_inner: usize) -> usize {
        DEPTH.min(self.inner - first_inner)
    }

    /// First float, columns in use and columns of a panel of b.
    fn panel(&self, first_inner: usize, panel: usize) -> (usize, usize, usize) {
        let first = panel * self.tiles.columns;
        let width = self.tiles.columns.min(self.padded - first);
        let start = first_inner * self.padded + first * self.depth(first_inner);
        (start, self.tiles.columns.min(self.columns - first), width)
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
        if b.transposed {
            for first_inner in (0..self.inner).step_by(DEPTH) {
                let inner = self.depth(first_inner);
                let (start, columns, width) = self.panel(first_inner, part);
                // SAFETY: this part is this panel, by the caller's promise nobody else's.
                let out = unsafe { packed.slice(start, width * inner) };
                pack::pack_transposed_columns(b, part * self.tiles.columns, columns, first_inner, inner, out);
            }
            return;
        }
        let inner = part * PACKED_AT_ONCE..((part + 1) * PACKED_AT_ONCE).min(self.inner);
        let first = inner.start / DEPTH * DEPTH;
        let depth = self.depth(first);
        let last_width = self.padded - (self.panels - 1) * self.tiles.columns;
        let widths = (self.tiles.columns, last_width);
        // SAFETY: parts have rows of the panels of their own; by the caller's promise nobody else works on this one.
        unsafe {
            let panels = packed.from(first * self.padded);
            pack::pack_natural_columns(b, inner, first, widths, self.tiles.columns * depth, panels);
        }
    }

    /// Floats of the panels of a block of rows.
    fn block_floats(&self, order: PanelOrder) -> usize {
        self.block / self.tiles.rows * self.panel_of_rows(order)
    }

    /// Floats of a panel of a.
    fn panel_of_rows(&self, order: PanelOrder) -> usize {
        match order {
            PanelOrder::Rows => self.tiles.rows * ROW_STRIDE,
            PanelOrder::Inner => self.tiles.rows * DEPTH.min(self.inner),
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
        let tiles = self.tiles;
        let rows = self.block.min(self.rows - first_row);
        let order = a.order();
        let panel_of_rows = self.panel_of_rows(order);
        let block = room.floats(self.block_floats(order));
        let in_place = tiles.in_place(order, a.stride);
        for first_inner in (0..self.inner).step_by(DEPTH) {
            let inner = self.depth(first_inner);
            // Whole tiles of rows may be read where they are.
            let copied = if in_place.is_some() { rows - rows % tiles.rows } else { 0 };
            pack::pack_rows(
                a,
                first_row_of_a + copied..first_row_of_a + rows,
                first_inner..first_inner + inner,
                tiles.rows,
                panel_of_rows,
                block,
            );
            let add = into == Into::Add || first_inner > 0;
            for panel in panels.clone() {
                let (start, columns, width) = self.panel(first_inner, panel);
                let b = &packed[start..start + width * inner];
                let first_column = panel * tiles.columns;
                let whole = columns == width || first_column + width <= y.room;
                for first in (0..rows).step_by(tiles.rows) {
                    let (tile, a) = match in_place {
                        Some(layout) if first < copied => {
                            let from = (first_row_of_a + first) * a.stride + first_inner;
                            let floats = (tiles.rows - 1) * a.stride + inner;
                            (tiles.of(width, layout), &a.values[from..from + floats])
                        }
                        _ => {
                            let from = (first - copied) / tiles.rows * panel_of_rows;
                            (tiles.of(width, order.layout()), &block[from..from + panel_of_rows])
                        }
                    };
                    let count = tiles.rows.min(rows - first);
                    let place = y.offset + (first_row + first) * y.stride + first_column;
                    if count == tiles.rows && whole {
                        // SAFETY: the tile lies inside the destination, which nothing else uses by the caller's
                        // promise; `a` and `b` are whole panels.
                        unsafe {
                            let c = y.values.tile(place, count, width, y.stride);
                            tile(inner, a.as_ptr(), b.as_ptr(), c, y.stride, add);
                        }
                        continue;
                    }
                    let mut edge = Edge([0.0; Edge::FLOATS]);
                    // SAFETY: `edge` is as large as the largest tile; the rest as above.
                    unsafe { tile(inner, a.as_ptr(), b.as_ptr(), edge.0.as_mut_ptr(), width, false) };
                    for (row, sums) in edge.0.chunks(width).take(count).enumerate() {
                        // SAFETY: as above.
                        let out = unsafe { y.values.slice(place + row * y.stride, columns) };
                        for (out, sum) in out.iter_mut().zip(sums) {
                            *out = if add { *out + sum } else { *sum };
                        }
                    }
                }
                if let (Behind::Stripes(behind), true) = (behind, first_inner + inner == self.inner) {
                    behind(y.values, Stripe { first_row, rows, first_column, columns });
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
}

/// A tile at the edge of the result, which reaches past it.
#[repr(align(64))]
struct Edge([f32; Edge::FLOATS]);

impl Edge {
    /// Floats of the largest tile.
    const FLOATS: usize = 13 * 32;
}

/// `y (+)= a · b` on this thread.
///
/// # Safety
/// Nothing else may use the floats that are written to.
pub(crate) unsafe fn product_here(y: Destination<'_>, into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    let cut = Cut::new(Tiles::best(), a.shape(), a.order(), b.shape());
    ROOM.with_borrow_mut(|(of_block, of_panels)| {
        let packed = of_panels.floats(cut.inner * cut.padded);
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

/// Number of blocks of a product whose left operand has `rows` rows in order.
pub(crate) fn blocks_of_rows(rows: usize) -> usize {
    rows.div_ceil(Cut::block_rows(Tiles::best(), rows, PanelOrder::Rows))
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
    panels: Room,
    inner: usize,
    columns: usize,
}

impl Packed {
    pub(crate) fn new(b: Matrix<'_>) -> Self {
        let (inner, columns) = b.shape();
        let cut = Cut::new(Tiles::best(), (1, inner), PanelOrder::Rows, (inner, columns));
        let mut panels = Room::default();
        cut.pack(b, panels.floats(inner * cut.padded));
        Self { panels, inner, columns }
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
    product_with(Tiles::best(), y, into, a, b, behind);
}

fn product_with(
    tiles: &'static Tiles,
    y: &mut [f32],
    into: Into,
    a: &Left<'_>,
    b: Right<'_>,
    behind: Behind<'_>,
) {
    let cut = match a {
        Left::Matrix(a) => Cut::new(tiles, a.shape(), a.order(), b.shape()),
        Left::Rows { rows, inner, .. } => Cut::new(tiles, (*rows, *inner), PanelOrder::Rows, b.shape()),
    };
    assert_eq!(y.len(), cut.rows * cut.columns, "the result of a product");
    if y.is_empty() {
        return;
    }
    let mut shared = SHARED_ROOM.take();
    let packed = match b {
        Right::Packed(b) => b.panels.filled(),
        Right::Matrix(b) => {
            let packed = shared.floats(cut.inner * cut.padded);
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
        let groups = (4 * threads).min(cut.panels);
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
                for tiles in Tiles::all() {
                    let mut y = vec![1.0; rows * columns];
                    product_with(
                        tiles,
                        &mut y,
                        Into::Replace,
                        &Left::Matrix(a),
                        Right::Matrix(b),
                        Behind::Nothing,
                    );
                    product_with(
                        tiles,
                        &mut y,
                        Into::Add,
                        &Left::Matrix(a),
                        Right::Matrix(b),
                        Behind::Nothing,
                    );
                    for (got, want) in y.iter().zip(&expected) {
                        let error = (f64::from(*got) - 2.0 * want).abs();
                        assert!(
                            error < 1e-4,
                            "{rows} x {inner} x {columns}, order {order}: {got}, not {want}"
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
