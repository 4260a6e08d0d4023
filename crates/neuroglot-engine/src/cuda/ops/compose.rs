//! Two linear layers made one.

use super::products::plain_factor;
use crate::Device;
use crate::cuda::device::CudaDevice;
use crate::cuda::driver::{Address, Driver};
use crate::cuda::product::{Factor, Precision, Product};
use crate::ops::{Compose, ComposeBackward};

impl<D: Driver> CudaDevice<D> {
    /// A product of parameters. They are few, and rounding their product would add to the rounding of the product with
    /// it: bf16 is not for them.
    fn multiply_parameters(
        &mut self,
        shape: [usize; 3],
        a: Factor,
        b: Factor,
        to: Address,
        addend: Option<Address>,
    ) {
        let precision = match self.precision() {
            Precision::F32 => Precision::F32,
            Precision::Tf32 | Precision::Bf16 => Precision::Tf32,
        };
        self.multiply(&Product { addend, ..Product::new(shape, a, b, to, precision) });
    }

    pub(in crate::cuda) fn run_compose(&mut self, op: &Compose) {
        let Compose { inputs, middle, outputs, .. } = *op;
        let inner = plain_factor((self.at(op.inner_weight), middle, inputs));
        let outer = plain_factor((self.at(op.outer_weight), outputs, middle));
        let inner_bias = plain_factor((self.at(op.inner_bias), 1, middle));
        let (weight, bias) = (self.at(op.weight), self.at(op.bias));
        self.multiply_parameters(
            [inputs, outputs, middle],
            inner.transpose(),
            outer.transpose(),
            weight,
            None,
        );
        let outer_bias = Some(self.at(op.outer_bias));
        self.multiply_parameters([1, outputs, middle], inner_bias, outer.transpose(), bias, outer_bias);
    }

    pub(in crate::cuda) fn run_compose_backward(&mut self, op: &ComposeBackward) {
        let Compose { inputs, middle, outputs, inner_weight, inner_bias, outer_weight, .. } = op.forward;
        let inner = plain_factor((self.at(inner_weight), middle, inputs));
        let outer = plain_factor((self.at(outer_weight), outputs, middle));
        let inner_bias = plain_factor((self.at(inner_bias), 1, middle));
        // dW transposed, as it is stored.
        let weight_gradient = plain_factor((self.at(op.weight_gradient), inputs, outputs));
        let bias_gradient = plain_factor((self.at(op.bias_gradient), 1, outputs));

        if op.is_outer_trained() {
            let douter = self.at(op.outer_weight_gradient);
            let shape = [outputs, middle, inputs];
            self.multiply_parameters(shape, weight_gradient.transpose(), inner.transpose(), douter, None);
            self.multiply_parameters(
                [outputs, middle, 1],
                bias_gradient.transpose(),
                inner_bias,
                douter,
                Some(douter),
            );
            self.copy(op.bias_gradient, op.outer_bias_gradient);
        }
        let dinner = self.at(op.inner_weight_gradient);
        let shape = [middle, inputs, outputs];
        self.multiply_parameters(shape, outer.transpose(), weight_gradient.transpose(), dinner, None);
        let dinner_bias = self.at(op.inner_bias_gradient);
        self.multiply_parameters([1, middle, outputs], bias_gradient, outer, dinner_bias, None);
    }
}
