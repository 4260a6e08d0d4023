//! The first layer.

use crate::cuda::argument::Arguments;
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::cuda::product::{Product, TermSums};
use crate::ops::{CountsLinear, CountsLinearBackward};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_counts_linear(&mut self, op: &CountsLinear) {
        let CountsLinear { rows, units, outputs, .. } = *op;
        let y = self.at(op.y);
        let [a, b] = self.factors([self.matrix(op.x, rows, units), self.matrix(op.weight, units, outputs)]);
        let product = Product::new([rows, outputs, units], a, b, y, self.precision());
        self.multiply(&Product { bias: Some(self.at(op.bias)), ..product });
        let length = rows * outputs;
        self.launch("softsign", per_element(length), Arguments::of([y]).length(length));
    }

    pub(in crate::cuda) fn run_counts_linear_backward(&mut self, op: &CountsLinearBackward) {
        let CountsLinearBackward { rows, units, outputs, .. } = *op;
        let [x, dz_factor] =
            self.factors([self.matrix(op.x, rows, units), self.matrix(op.z_gradient, rows, outputs)]);
        let (shape, dw, db) =
            ([units, outputs, rows], self.at(op.weight_gradient), self.at(op.bias_gradient));
        let product = Product::new(shape, x.transpose(), dz_factor, dw, self.precision());
        if !self.multiply_with_sums(&Product { sums: Some(TermSums::OfB(db)), ..product }) {
            self.multiply(&product);
            self.column_sums(self.numbers(op.z_gradient, outputs), rows, outputs, db, 0);
        }
    }
}
