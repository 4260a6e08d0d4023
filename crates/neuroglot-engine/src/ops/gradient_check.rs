//! Checks an operation against a plain f64 version: its result, and its gradient by central differences.

use crate::{CpuDevice, Device, MemoryPlan, Slot};

/// How long each input is.
pub(crate) struct Sizes(Vec<usize>);

impl Sizes {
    pub(crate) fn of(sizes: &[usize]) -> Self {
        Self(sizes.to_vec())
    }
}

/// The slots an operation under test works on.
pub(crate) struct Setup<'a> {
    pub device: &'a mut CpuDevice,
    pub inputs: Vec<Slot>,
    pub output: Slot,
    /// Holds the gradient of the test's loss with respect to the output.
    pub output_gradient: Slot,
    /// To be written by the backward pass, one per input.
    pub gradients: Vec<Slot>,
    /// Room for whatever the operation keeps between the passes.
    pub extra: Slot,
}

/// Values between `low` and `high`, from a small generator of its own (a linear congruence of 64 bits).
pub(crate) fn uniform(low: f64, high: f64) -> impl FnMut() -> f32 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (low + (high - low) * (state >> 11) as f64 / (1u64 << 53) as f64) as f32
    }
}

pub(crate) struct Check {
    pub outputs: usize,
    /// Relative to the largest value of the compared array.
    pub tolerance: f64,
}

impl Check {
    /// Compares result and gradients, on one thread and on three, which must agree to the bit.
    pub(crate) fn run(
        &self,
        sizes: &Sizes,
        draw: impl FnMut() -> f32,
        reference: impl Fn(&[Vec<f64>]) -> Vec<f64>,
        operate: impl Fn(&mut Setup<'_>),
    ) {
        let all: Vec<usize> = (0..sizes.0.len()).collect();
        self.run_for(&all, sizes, draw, reference, operate);
    }

    /// [`Check::run`] for an operation that has a gradient for some of its inputs only.
    pub(crate) fn run_for(
        &self,
        with_gradient: &[usize],
        sizes: &Sizes,
        mut draw: impl FnMut() -> f32,
        reference: impl Fn(&[Vec<f64>]) -> Vec<f64>,
        operate: impl Fn(&mut Setup<'_>),
    ) {
        let inputs: Vec<Vec<f32>> = sizes.0.iter().map(|len| (0..*len).map(|_| draw()).collect()).collect();
        let output_gradient: Vec<f32> = (0..self.outputs).map(|_| draw()).collect();
        let one = self.on_device(1, &inputs, &output_gradient, &operate);
        let three = self.on_device(3, &inputs, &output_gradient, &operate);
        assert_eq!(one, three, "results depend on the number of threads");

        let exact: Vec<Vec<f64>> = inputs.iter().map(|v| v.iter().map(|x| f64::from(*x)).collect()).collect();
        let expected = reference(&exact);
        self.compare("output", &one[0], &expected);
        let loss = |inputs: &[Vec<f64>]| -> f64 {
            reference(inputs).iter().zip(&output_gradient).map(|(y, g)| y * f64::from(*g)).sum()
        };
        for input in with_gradient.iter().copied() {
            let mut numeric = Vec::new();
            let mut moved = exact.clone();
            for element in 0..inputs[input].len() {
                let step = 1e-5;
                let centre = moved[input][element];
                moved[input][element] = centre + step;
                let above = loss(&moved);
                moved[input][element] = centre - step;
                let below = loss(&moved);
                moved[input][element] = centre;
                numeric.push((above - below) / (2.0 * step));
            }
            self.compare(&format!("gradient of input {input}"), &one[input + 1], &numeric);
        }
    }

    fn on_device(
        &self,
        threads: usize,
        inputs: &[Vec<f32>],
        output_gradient: &[f32],
        operate: &impl Fn(&mut Setup<'_>),
    ) -> Vec<Vec<f32>> {
        let mut plan = MemoryPlan::new();
        let input_slots: Vec<Slot> = inputs.iter().map(|v| plan.slot(v.len())).collect();
        let gradients: Vec<Slot> = inputs.iter().map(|v| plan.slot(v.len())).collect();
        let (output, output_gradient_slot) = (plan.slot(self.outputs), plan.slot(self.outputs));
        let extra = plan.slot(1 << 14);
        let mut device = CpuDevice::new(threads).unwrap();
        device.reserve(plan.floats()).unwrap();
        for (slot, values) in input_slots.iter().zip(inputs) {
            device.write(*slot, values);
        }
        device.write(output_gradient_slot, output_gradient);
        let mut setup = Setup {
            device: &mut device,
            inputs: input_slots,
            output,
            output_gradient: output_gradient_slot,
            gradients: gradients.clone(),
            extra,
        };
        operate(&mut setup);
        let mut results = Vec::new();
        for slot in std::iter::once(output).chain(gradients) {
            let mut values = vec![0.0; slot.len()];
            device.read(slot, &mut values);
            results.push(values);
        }
        results
    }

    fn compare(&self, what: &str, got: &[f32], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        let largest = expected.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
        for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
            let error = (f64::from(*got) - expected).abs() / largest;
            assert!(error <= self.tolerance, "{what}[{index}]: {got}, not {expected}");
        }
    }
}
