//! Products by cuBLASLt, their factors rounded to bf16 where that is asked for; thin ones by a kernel.

use crate::cuda::argument::Arguments;
use crate::cuda::device::{CudaDevice, or_end, per_element};
use crate::cuda::driver::{Address, Driver};
use crate::cuda::product::{Factor, Precision, Product};
use crate::cuda::profiler::Piece;

/// A stored matrix as a factor.
pub(super) fn plain_factor((address, _, columns): (Address, usize, usize)) -> Factor {
    Factor { address, stride: columns, transposed: false }
}

impl<D: Driver> CudaDevice<D> {
    /// Factors of products from row-major matrices `(address, rows, columns)`: themselves, or bf16 copies of them that
    /// hold until the next call.
    pub(super) fn factors<const N: usize>(&mut self, matrices: [(Address, usize, usize); N]) -> [Factor; N] {
        if self.precision() != Precision::Bf16 {
            return matrices.map(plain_factor);
        }
        // Rows start on 16 bytes and matrices on 256, which the fastest products ask for.
        let stride = |columns: usize| columns.next_multiple_of(8);
        let size = |rows: usize, columns: usize| (2 * rows * stride(columns)).next_multiple_of(256);
        let total = matrices.iter().map(|(_, rows, columns)| size(*rows, *columns)).sum();
        let mut next = self.factor_room(total);
        matrices.map(|(from, rows, columns)| {
            let factor = Factor { address: next, stride: stride(columns), transposed: false };
            next = next.after(size(rows, columns));
            let length = rows * columns;
            let arguments = Arguments::of([from, factor.address]).length(length);
            let arguments = arguments.sizes([columns, factor.stride]);
            self.launch("to_bfloat16", per_element(length), &arguments);
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
        let arguments = Arguments::of([]).and((a, precision)).and((b, precision)).and(to);
        let arguments = arguments.and(addend.unwrap_or(nothing)).and(bias.unwrap_or(nothing));
        let arguments = arguments.sizes([rows, columns, inner]);
        self.launch("thin_product", per_element(rows * columns), &arguments);
    }
}
