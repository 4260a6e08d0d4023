//! Linear layers: products with what stands before and behind them.

use super::column_sums::chunks_of_rows;
use crate::Dropout;
use crate::cuda::argument::Arguments;
use crate::cuda::device::{CudaDevice, FLOAT, per_eight_elements, per_element};
use crate::cuda::driver::Driver;
use crate::cuda::product::{Product, TermSums};
use crate::ops::{Before, Linear, LinearBackward, Then};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_linear(&mut self, op: &Linear) {
        let Linear { rows, inputs, outputs, .. } = *op;
        let (x, y) = (self.at(op.x), self.at(op.y));
        let (residual, behind) = match op.then {
            Then::Residual { x, dropout } => {
                (Some(if x.is_empty() { y } else { self.at(x) }), dropout.filter(Dropout::is_active))
            }
            _ => (None, None),
        };
        let [a, b] = self.factors([(x, rows, inputs), (self.at(op.weight), outputs, inputs)]);
        self.multiply(&Product {
            // Without a dropout the product itself adds the residual.
            addend: residual.filter(|_| behind.is_none()),
            bias: Some(self.at(op.bias)),
            ..Product::new([rows, outputs, inputs], a, b.transpose(), y, self.precision())
        });
        let length = rows * outputs;
        match op.then {
            Then::Gelu { activated } => {
                let activated = if activated.is_empty() { y } else { self.at(activated) };
                self.launch("gelu", per_element(length), &Arguments::of([y, activated]).length(length));
            }
            Then::Residual { x, .. } if behind.is_some() => {
                let dropout = self.dropout_argument(behind);
                let arguments = Arguments::of([self.at(x), y]).length(length).and(dropout);
                self.launch("residual", per_eight_elements(length), &arguments);
            }
            Then::Nothing | Then::Residual { .. } => {}
        }
    }

    pub(in crate::cuda) fn run_linear_backward(&mut self, op: &LinearBackward) {
        let LinearBackward { rows, inputs, outputs, .. } = *op;
        let (x, dx) = (self.at(op.x), self.at(op.x_gradient));
        let mut dz = self.at(op.y_gradient);
        let mut taken = 0;
        if op.dropout.is_some_and(|dropout| dropout.is_active()) {
            taken = (rows * outputs * FLOAT).next_multiple_of(256);
            let sums = chunks_of_rows(rows) * outputs * FLOAT;
            // Asked for at once: the sums must not move dz.
            let room = self.scratch_room(taken + sums);
            self.drop_elements(dz, room, rows * outputs, op.dropout);
            dz = room;
        }
        let matrices = [(dz, rows, outputs), (self.at(op.weight), outputs, inputs), (x, rows, inputs)];
        let [dz_factor, weight, x_factor] = self.factors(matrices);
        let precision = self.precision();
        self.multiply(&Product::new([rows, inputs, outputs], dz_factor, weight, dx, precision));
        if op.is_trained() {
            let (shape, dw, db) =
                ([outputs, inputs, rows], self.at(op.weight_gradient), self.at(op.bias_gradient));
            let product = Product::new(shape, dz_factor.transpose(), x_factor, dw, precision);
            if !self.multiply_with_sums(&Product { sums: Some(TermSums::OfA(db)), ..product }) {
                self.multiply(&product);
                self.column_sums(dz, rows, outputs, db, taken);
            }
        }
        let length = rows * inputs;
        match op.before {
            Before::Nothing => {}
            Before::Gelu { z } => {
                let arguments = Arguments::of([self.at(z), dx]).length(length);
                self.launch("gelu_backward", per_element(length), &arguments);
            }
            Before::Softsign => {
                let arguments = Arguments::of([x, dx]).length(length);
                self.launch("softsign_backward", per_element(length), &arguments);
            }
        }
    }
}
