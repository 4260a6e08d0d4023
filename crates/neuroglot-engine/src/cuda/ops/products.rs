//! Products by cuBLASLt, their factors rounded to bf16 where that is asked for; thin ones by a kernel.

use crate::cuda::argument::{Arguments, FactorArgument};
use crate::cuda::device::{CudaDevice, or_end, per_element, per_row};
use crate::cuda::driver::{Address, Driver};
use crate::cuda::product::{Factor, Precision, Product};
use crate::cuda::profiler::Piece;
use crate::{Dropout, Slot};

/// A stored matrix as a factor.
pub(super) fn plain_factor((address, _, columns): (Address, usize, usize)) -> Factor {
    Factor { address, stride: columns, transposed: false }
}

/// A row-major matrix that is to be multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix {
    pub address: Address,
    pub rows: usize,
    pub columns: usize,
    /// Whether it is kept in bf16, as [`CudaDevice::keeps_bfloat16`] says; else in floats.
    pub is_bfloat16: bool,
    /// Of floats that are copied to bf16.
    pub dropout: Option<Dropout>,
}

impl<D: Driver> CudaDevice<D> {
    /// The matrix in a slot.
    pub(super) fn matrix(&self, slot: Slot, rows: usize, columns: usize) -> Matrix {
        let (address, is_bfloat16) = (self.address(slot), self.keeps_bfloat16(slot, columns));
        Matrix { address, rows, columns, is_bfloat16, dropout: None }
    }

    /// Factors of products: matrices themselves, or bf16 copies of them that hold until the next call.
    pub(super) fn factors<const N: usize>(&mut self, matrices: [Matrix; N]) -> [Factor; N] {
        if self.precision() != Precision::Bf16 {
            return matrices.map(|matrix| plain_factor((matrix.address, matrix.rows, matrix.columns)));
        }
        // Rows start on 16 bytes and matrices on 256, which the fastest products ask for.
        let stride = |columns: usize| columns.next_multiple_of(8);
        let size = |matrix: &Matrix| (2 * matrix.rows * stride(matrix.columns)).next_multiple_of(256);
        let total = matrices.iter().filter(|matrix| !matrix.is_bfloat16).map(size).sum();
        let mut next = self.factor_room(total);
        matrices.map(|matrix| {
            let Matrix { address, rows, columns, is_bfloat16, dropout } = matrix;
            if is_bfloat16 {
                assert!(dropout.is_none(), "factors are dropped where they are made");
                return Factor { address, stride: 2 * columns, transposed: false };
            }
            let factor = Factor { address: next, stride: stride(columns), transposed: false };
            next = next.after(size(&matrix));
            let dropout = self.dropout_argument(dropout);
            let arguments = Arguments::of([address, factor.address]).sizes([rows, columns, factor.stride]);
            self.launch("to_bfloat16", per_row(rows), arguments.and(dropout));
            factor
        })
    }

    /// Multiplies, and writes the sums over its terms in passing; `false` where that cannot be done, and nothing was.
    pub(super) fn multiply_with_sums(&mut self, product: &Product) -> bool {
        let can = product.is_thick() && or_end(self.driver.adds_terms(product));
        if can {
            self.multiply(product);
        }
        can
    }

    /// Multiplies; a product without elements is no work.
    pub(super) fn multiply(&mut self, product: &Product) {
        let Product { rows, columns, inner, a, b, to, addend, bias, precision, .. } = *product;
        if product.is_thick() {
            self.run_piece(|| Piece::product(product), |driver| driver.multiply(product));
            return;
        }
        let nothing = Address(0);
        let [a, b] = [a, b].map(|factor| FactorArgument::new(factor, precision));
        let arguments = Arguments::of([]).and(a).and(b).and(to);
        let arguments = arguments.and(addend.unwrap_or(nothing)).and(bias.unwrap_or(nothing));
        let arguments = arguments.sizes([rows, columns, inner]);
        self.launch("thin_product", per_element(rows * columns), arguments);
    }
}
