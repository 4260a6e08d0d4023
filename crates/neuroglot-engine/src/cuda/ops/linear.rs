//! Linear layers: products with what stands before and behind them.

use super::column_sums::chunks_of_rows;
use crate::Dropout;
use crate::cuda::argument::{Arguments, Numbers};
use crate::cuda::device::{CudaDevice, FLOAT, per_eight_elements, per_element, per_row};
use crate::cuda::driver::{Address, Driver};
use crate::cuda::product::{Factor, Precision, Product, TermSums};
use crate::ops::{Before, Linear, LinearBackward, Then};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_linear(&mut self, op: &Linear) {
        let Linear { rows, inputs, outputs, .. } = *op;
        let y = self.at(op.y);
        let (residual, behind) = match op.then {
            Then::Residual { x, dropout } => {
                (Some(if x.is_empty() { y } else { self.at(x) }), dropout.filter(Dropout::is_active))
            }
            _ => (None, None),
        };
        let matrices = [self.matrix(op.x, rows, inputs), self.matrix(op.weight, outputs, inputs)];
        let [a, b] = self.factors(matrices);
        self.multiply(&Product {
            // Without a dropout the product itself adds the residual.
            addend: residual.filter(|_| behind.is_none()),
            bias: Some(self.at(op.bias)),
            ..Product::new([rows, outputs, inputs], a, b.transpose(), y, self.precision())
        });
        match op.then {
            Then::Gelu { activated } => {
                let activated = self.numbers(if activated.is_empty() { op.y } else { activated }, outputs);
                let arguments = Arguments::of([y]).and(activated).sizes([rows]);
                self.launch("gelu", per_row(rows), arguments);
            }
            Then::Residual { x, .. } if behind.is_some() => {
                let (dropout, length) = (self.dropout_argument(behind), rows * outputs);
                let arguments = Arguments::of([self.at(x), y]).length(length).and(dropout);
                self.launch("residual", per_eight_elements(length), arguments);
            }
            Then::Nothing | Then::Residual { .. } => {}
        }
    }

    pub(in crate::cuda) fn run_linear_backward(&mut self, op: &LinearBackward) {
        let LinearBackward { rows, inputs, outputs, .. } = *op;
        let dropout = op.dropout.filter(Dropout::is_active);
        let mut dz = self.matrix(op.y_gradient, rows, outputs);
        if self.precision() == Precision::Bf16 {
            dz.dropout = dropout;
        } else if dropout.is_some() {
            dz.address = self.dropped_gradient(op);
        }
        let x = self.matrix(op.x, rows, inputs);
        let [dz_factor, weight, x_factor] = self.factors([dz, self.matrix(op.weight, outputs, inputs), x]);
        self.input_gradient(op, [dz_factor, weight]);
        if op.is_trained() {
            let (shape, dw) = ([outputs, inputs, rows], self.at(op.weight_gradient));
            let product = Product::new(shape, dz_factor.transpose(), x_factor, dw, self.precision());
            let db = self.at(op.bias_gradient);
            if !self.multiply_with_sums(&Product { sums: Some(TermSums::OfA(db)), ..product }) {
                self.multiply(&product);
                let mut of_dz = self.numbers(op.y_gradient, outputs);
                if dropout.is_some() {
                    of_dz = Numbers::new(self.dropped_gradient(op), outputs, false);
                }
                self.column_sums(of_dz, rows, outputs, db, dropped_bytes(op));
            }
        }
    }

    /// dz = m∘dy in the scratch room, with room for its column sums behind it: they must not move it.
    fn dropped_gradient(&mut self, op: &LinearBackward) -> Address {
        let LinearBackward { rows, outputs, .. } = *op;
        let room = self.scratch_room(dropped_bytes(op) + chunks_of_rows(rows) * outputs * FLOAT);
        self.drop_elements(self.at(op.y_gradient), room, rows * outputs, op.dropout);
        room
    }

    /// dx = before(dz·W).
    fn input_gradient(&mut self, op: &LinearBackward, [dz, weight]: [Factor; 2]) {
        let LinearBackward { rows, inputs, outputs, .. } = *op;
        // What is kept in bf16 cannot be made in place.
        let is_apart = self.keeps_bfloat16(op.x_gradient, inputs);
        let dx =
            if is_apart { self.scratch_room(rows * inputs * FLOAT) } else { self.address(op.x_gradient) };
        self.multiply(&Product::new([rows, inputs, outputs], dz, weight, dx, self.precision()));
        match op.before {
            Before::Nothing => assert!(!is_apart, "the gradient of a layer's input is no factor"),
            Before::Gelu { z } => {
                let to = self.numbers(op.x_gradient, inputs);
                let arguments = Arguments::of([self.at(z), dx]).and(to).sizes([rows]);
                self.launch("gelu_backward", per_row(rows), arguments);
            }
            Before::Softsign => {
                let length = rows * inputs;
                let arguments = self.slots([op.x, op.x_gradient]).length(length);
                self.launch("softsign_backward", per_element(length), arguments);
            }
        }
    }
}

/// Bytes of the scratch room that dz takes where there is a dropout.
fn dropped_bytes(op: &LinearBackward) -> usize {
    let is_dropped = op.dropout.is_some_and(|dropout| dropout.is_active());
    if is_dropped { (op.rows * op.outputs * FLOAT).next_multiple_of(256) } else { 0 }
}
