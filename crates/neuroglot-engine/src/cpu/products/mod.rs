//! Matrix products.
//!
//! y = a·b is cut into blocks of rows, and blocks into tiles that fit the registers ([`tile`]). All of b is copied once
//! into panels of a tile's width, and of each block of rows [`tile::DEPTH`] floats at a time, so that tiles read memory in order
//! whatever the order of the operands ([`pack`]). This is the scheme of Goto and van de Geijn (2008). It is our own and
//! not a library's because what a layer does before and behind its product is done on the rows of a block while they
//! are in cache, and because operands in any order cost the same.

#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
mod amx;
mod cut;
mod kernel;
mod matrix;
mod pack;
mod tile;

use super::parallel::SharedRows;
use cut::{Cut, Room};
use kernel::Kernel;
pub use kernel::has_matrix_unit;
pub(crate) use matrix::{Destination, Into, Matrix};
use rayon::prelude::*;
use std::cell::RefCell;
use tile::PanelOrder;

thread_local! {
    /// Panels of a block of rows, and of the b of a product on one thread.
    static ROOM: RefCell<(Room, Room)> = RefCell::default();
    /// Panels of the b of a product on all threads.
    static SHARED_ROOM: RefCell<Room> = RefCell::default();
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
    use tile::Tiles;

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
