//! Linear layers: products with what stands before and behind them.

use super::argument::Arguments;
use super::device::{CudaDevice, FLOAT, per_eight_elements, per_element};
use super::driver::{Address, Driver};
use super::product::Product;
use crate::Dropout;
use crate::ops::{Before, CountsLinear, CountsLinearBackward, Linear, LinearBackward, Then};

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_linear(&mut self, op: &Linear) {
        let Linear { rows, inputs, outputs, .. } = *op;
        let (x, y) = (self.at(op.x), self.at(op.y));
        self.drop_elements(x, x, rows * inputs, op.dropout);
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

    pub(super) fn run_linear_backward(&mut self, op: &LinearBackward) {
        let LinearBackward { rows, inputs, outputs, .. } = *op;
        let (x, dx) = (self.at(op.x), self.at(op.x_gradient));
        let mut dz = self.at(op.y_gradient);
        let mut taken = 0;
        if op.dropout.is_some_and(|dropout| dropout.is_active()) {
            taken = (rows * outputs * FLOAT).next_multiple_of(256);
            let sums = super::device::chunks_of_rows(rows) * outputs * FLOAT;
            // Asked for at once: the sums must not move dz.
            let room = self.scratch_room(taken + sums);
            self.drop_elements(dz, room, rows * outputs, op.dropout);
            dz = room;
        }
        if op.is_trained() {
            self.column_sums(dz, rows, outputs, self.at(op.bias_gradient), taken);
        }
        let matrices = [(dz, rows, outputs), (self.at(op.weight), outputs, inputs), (x, rows, inputs)];
        let [dz, weight, x_factor] = self.factors(matrices);
        let precision = self.precision();
        self.multiply(&Product::new([rows, inputs, outputs], dz, weight, dx, precision));
        if op.is_trained() {
            let (shape, dw) = ([outputs, inputs, rows], self.at(op.weight_gradient));
            self.multiply(&Product::new(shape, dz.transpose(), x_factor, dw, precision));
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
            Before::Dropout(dropout) => self.drop_elements(dx, dx, length, Some(dropout)),
        }
    }

    pub(super) fn run_counts_linear(&mut self, op: &CountsLinear) {
        let CountsLinear { rows, units, outputs, .. } = *op;
        let y = self.at(op.y);
        let [a, b] = self.factors([(self.at(op.x), rows, units), (self.at(op.weight), units, outputs)]);
        let product = Product::new([rows, outputs, units], a, b, y, self.precision());
        self.multiply(&Product { bias: Some(self.at(op.bias)), ..product });
        let length = rows * outputs;
        self.launch("softsign", per_element(length), &Arguments::of([y]).length(length));
    }

    pub(super) fn run_counts_linear_backward(&mut self, op: &CountsLinearBackward) {
        let CountsLinearBackward { rows, units, outputs, .. } = *op;
        let dz = self.at(op.z_gradient);
        self.column_sums(dz, rows, outputs, self.at(op.bias_gradient), 0);
        let [x, dz] = self.factors([(self.at(op.x), rows, units), (dz, rows, outputs)]);
        let (shape, dw) = ([units, outputs, rows], self.at(op.weight_gradient));
        self.multiply(&Product::new(shape, x.transpose(), dz, dw, self.precision()));
    }

    /// to = m∘from; nothing without a dropout. Both may be the same.
    pub(super) fn drop_elements(
        &mut self,
        from: Address,
        to: Address,
        length: usize,
        dropout: Option<Dropout>,
    ) {
        let Some(dropout) = dropout.filter(Dropout::is_active) else { return };
        let dropout = self.dropout_argument(Some(dropout));
        let arguments = Arguments::of([from, to]).length(length).and(dropout);
        self.launch("dropout", per_eight_elements(length), &arguments);
    }
}
