//! Products of matrices, described once for every driver.

use super::driver::Address;
use crate::Cost;

/// How factors of products are rounded; sums are always f32.
///
/// The attention follows, but for heads wider than 64, which are computed in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Every product in f32.
    F32,
    /// Factors rounded to TF32 (10 bits behind the point) by the device.
    Tf32,
    /// Factors rounded to bf16 (7 bits behind the point); parameters and all else stay f32.
    Bf16,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

/// A row-major factor of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// First element: f32, or bf16 in a product of [`Precision::Bf16`].
    pub address: Address,
    /// Elements from a stored row to the next.
    pub stride: usize,
    /// Whether its transpose is multiplied.
    pub transposed: bool,
}

impl Factor {
    /// The same matrix, transposed.
    pub fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }
}

/// Sums over the terms of a product, which are at hand while it is computed, written as f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermSums {
    /// Of each row of A, `[rows]`.
    OfA(Address),
    /// Of each column of B, `[columns]`.
    OfB(Address),
}

impl TermSums {
    /// Where they go.
    pub fn address(self) -> Address {
        match self {
            Self::OfA(address) | Self::OfB(address) => address,
        }
    }
}

/// D = A·B + C + bias: A `[rows, inner]`, B `[inner, columns]`, C and D `[rows, columns]` without gaps, all row-major;
/// the bias `[columns]` is added to each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// Rows of A and D.
    pub rows: usize,
    /// Columns of B and D.
    pub columns: usize,
    /// Columns of A, rows of B.
    pub inner: usize,
    /// A.
    pub a: Factor,
    /// B.
    pub b: Factor,
    /// D, f32, written.
    pub to: Address,
    /// C, f32; may be D itself.
    pub addend: Option<Address>,
    /// f32.
    pub bias: Option<Address>,
    /// Written besides D; not with a bias, and only where [`Driver::adds_terms`](super::Driver::adds_terms) says so.
    pub sums: Option<TermSums>,
    /// How floats are multiplied.
    pub precision: Precision,
}

impl Product {
    /// D = A·B, of `[rows, columns, inner]`.
    pub fn new(
        [rows, columns, inner]: [usize; 3],
        a: Factor,
        b: Factor,
        to: Address,
        precision: Precision,
    ) -> Self {
        Self { rows, columns, inner, a, b, to, addend: None, bias: None, sums: None, precision }
    }

    /// Whether it is one for libraries: it has at least two rows, columns and terms of a sum.
    pub fn is_thick(&self) -> bool {
        self.rows > 1 && self.columns > 1 && self.inner > 1
    }

    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        let Self { rows, columns, inner, .. } = *self;
        let factors = (rows + columns) * inner;
        // A factor of bf16 is half as long.
        let factors = if self.precision == Precision::Bf16 { factors.div_ceil(2) } else { factors };
        let results = rows * columns * if self.addend.is_some() { 2 } else { 1 };
        let bias = if self.bias.is_some() { columns } else { 0 };
        let sums = match self.sums {
            None => 0,
            Some(TermSums::OfA(_)) => rows,
            Some(TermSums::OfB(_)) => columns,
        };
        Cost::of_floats(factors + results + bias + sums).with_multiply_adds(rows * columns * inner)
    }
}

/// A product as column-major libraries take it: D (`m` × `n`) = op(first) · op(second) + C + bias of each column.
///
/// A row-major matrix read column by column is its transpose, and Dᵀ = Bᵀ·Aᵀ: the factors change places, and neither
/// their transposition nor their strides change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnMajor {
    /// Rows of D: the columns of the row-major product.
    pub m: usize,
    /// Columns of D.
    pub n: usize,
    /// Columns of the first factor.
    pub k: usize,
    /// `m` × `k` once transposed where it says so.
    pub first: Factor,
    /// `k` × `n` once transposed where it says so.
    pub second: Factor,
}

impl ColumnMajor {
    /// The same product.
    pub fn of(product: &Product) -> Self {
        Self { m: product.columns, n: product.rows, k: product.inner, first: product.b, second: product.a }
    }

    /// Rows and columns of the first factor as it is stored.
    pub fn first_stored(&self) -> (usize, usize) {
        if self.first.transposed { (self.k, self.m) } else { (self.m, self.k) }
    }

    /// Rows and columns of the second factor as it is stored.
    pub fn second_stored(&self) -> (usize, usize) {
        if self.second.transposed { (self.n, self.k) } else { (self.k, self.n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Element of op(matrix) in a column-major library's eyes.
    fn column_major(values: &[f64], factor: Factor, row: usize, column: usize) -> f64 {
        let (row, column) = if factor.transposed { (column, row) } else { (row, column) };
        values[column * factor.stride + row]
    }

    /// Element of op(matrix) of a row-major factor.
    fn row_major(values: &[f64], factor: Factor, row: usize, column: usize) -> f64 {
        let (row, column) = if factor.transposed { (column, row) } else { (row, column) };
        values[row * factor.stride + column]
    }

    #[test]
    fn a_product_reads_its_factors_and_what_is_added_and_writes_its_result() {
        let factor = Factor { address: Address(0), stride: 8, transposed: false };
        let product = Product::new([2, 3, 4], factor, factor, Address(0), Precision::Tf32);
        let cost = |product: Product| (product.cost().bytes, product.cost().multiply_adds);
        assert_eq!(cost(product), (4 * (8 + 12 + 6), 24));
        assert_eq!(cost(Product { precision: Precision::Bf16, ..product }), (2 * (8 + 12) + 4 * 6, 24));
        let summed = |sums| cost(Product { sums: Some(sums), ..product }).0;
        assert_eq!(summed(TermSums::OfA(Address(0))), 4 * (8 + 12 + 6 + 2));
        assert_eq!(summed(TermSums::OfB(Address(0))), 4 * (8 + 12 + 6 + 3));
        let added = Product { addend: Some(Address(0)), bias: Some(Address(0)), ..product };
        assert_eq!(cost(added), (4 * (8 + 12 + 12 + 3), 24));
    }

    #[test]
    fn the_column_major_product_is_the_row_major_one() {
        let (rows, columns, inner) = (3, 5, 4);
        for (a_transposed, b_transposed, gap) in
            [(false, false, 0), (true, false, 1), (false, true, 2), (true, true, 3)]
        {
            let stored = |transposed: bool, height: usize, width: usize| {
                let (height, width) = if transposed { (width, height) } else { (height, width) };
                (height, width + gap)
            };
            let (a_height, a_stride) = stored(a_transposed, rows, inner);
            let (b_height, b_stride) = stored(b_transposed, inner, columns);
            let a: Vec<f64> = (0..a_height * a_stride).map(|i| (i * i % 17) as f64).collect();
            let b: Vec<f64> = (0..b_height * b_stride).map(|i| (i * 7 % 13) as f64).collect();
            let factor = |stride, transposed| Factor { address: Address(0), stride, transposed };
            let product = Product {
                rows,
                columns,
                inner,
                a: factor(a_stride, a_transposed),
                b: factor(b_stride, b_transposed),
                to: Address(0),
                addend: None,
                bias: None,
                sums: None,
                precision: Precision::F32,
            };
            let mapped = ColumnMajor::of(&product);
            assert!(mapped.first_stored().0 <= mapped.first.stride);
            assert!(mapped.second_stored().0 <= mapped.second.stride);
            for row in 0..rows {
                for column in 0..columns {
                    let expected: f64 = (0..inner)
                        .map(|i| row_major(&a, product.a, row, i) * row_major(&b, product.b, i, column))
                        .sum();
                    // D is stored without gaps: element (row, column) lies at row · columns + column, which a
                    // column-major library calls (column, row).
                    let got: f64 = (0..mapped.k)
                        .map(|i| {
                            column_major(&b, mapped.first, column, i)
                                * column_major(&a, mapped.second, i, row)
                        })
                        .sum();
                    assert_eq!(got, expected, "({row}, {column}), {a_transposed} {b_transposed}");
                }
            }
        }
    }
}
