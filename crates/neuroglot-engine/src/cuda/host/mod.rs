//! The kernels on the host, against the CPU device.

mod build;
mod driver;
mod signature;

use super::{CudaDevice, HeadWidth, Precision, Program};
use crate::ops::{Before, Linear, LinearBackward, Then};
use crate::self_test::{Sizes, cases};
use crate::{CpuDevice, Device, Dropout, MemoryPlan, Slot, self_test};
use driver::HostDriver;
use signature::Signature;
use std::collections::HashSet;

const PROGRAMS: [Program; 8] = [
    Program::General,
    Program::Attention(HeadWidth::W32),
    Program::Attention(HeadWidth::W64),
    Program::Attention(HeadWidth::W128),
    Program::Tf32Attention(HeadWidth::W32),
    Program::Tf32Attention(HeadWidth::W64),
    Program::Bf16Attention(HeadWidth::W32),
    Program::Bf16Attention(HeadWidth::W64),
];

/// From one of everything over sizes that no tile divides to sequences of several tiles and heads of every width.
const SIZES: [Sizes; 6] = [
    Sizes { sequences: 1, bins: 1, heads: 1, head_width: 2, units: 1 },
    Sizes { sequences: 3, bins: 7, heads: 1, head_width: 4, units: 33 },
    Sizes { sequences: 2, bins: 100, heads: 2, head_width: 32, units: 668 },
    Sizes { sequences: 1, bins: 128, heads: 3, head_width: 18, units: 300 },
    Sizes { sequences: 1, bins: 298, heads: 1, head_width: 64, units: 40 },
    Sizes { sequences: 2, bins: 68, heads: 2, head_width: 100, units: 65 },
];

fn host_device(reversed: bool, precision: Precision) -> Option<CudaDevice<HostDriver>> {
    let device = CudaDevice::with_driver(HostDriver::new(reversed)?, precision);
    Some(device.unwrap())
}

#[test]
fn every_operation_gives_what_the_cpu_gives_and_every_kernel_is_used() {
    let mut unused: HashSet<(Program, String)> = HashSet::new();
    for program in PROGRAMS {
        unused.extend(Signature::all_of(&program.text()).into_iter().map(|s| (program, s.name)));
    }
    let mut cpu = CpuDevice::new(1).unwrap();
    // The host does not round to TF32. Under bf16 a softsign of large sums is what differs most, by far more than attention.
    for (precision, tolerance, of_attention) in
        [(Precision::F32, 1e-5, 1e-5), (Precision::Tf32, 1e-5, 1e-5), (Precision::Bf16, 6e-2, 1e-2)]
    {
        let Some(mut device) = host_device(false, precision) else { return };
        for sizes in &SIZES {
            for case in cases(sizes) {
                let difference = case.compare(&mut device, &mut cpu).unwrap();
                let is_attention = difference.operation.contains("attention");
                let tolerance = if is_attention { of_attention } else { tolerance };
                assert!(difference.largest < tolerance, "{precision}: {difference:?} in {sizes:?}");
            }
        }
        for (program, kernel) in &device.driver.launched {
            unused.remove(&(*program, kernel.to_string()));
        }
    }
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_order_of_threads_changes_no_bit() {
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let (Some(mut forward), Some(mut backward)) =
            (host_device(false, precision), host_device(true, precision))
        else {
            return;
        };
        for sizes in &SIZES[1..4] {
            for case in cases(sizes) {
                let (a, b) = (case.run(&mut forward).unwrap(), case.run(&mut backward).unwrap());
                let bits =
                    |arrays: &[Vec<f32>]| arrays.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&a), bits(&b), "{precision}: {} in {sizes:?}", case.name);
            }
        }
    }
}

#[test]
fn bf16_products_are_as_close_as_their_bits_allow() {
    let Some(mut device) = host_device(false, Precision::Bf16) else { return };
    let mut cpu = CpuDevice::new(1).unwrap();
    let differences = self_test(&mut device, &mut cpu).unwrap();
    for difference in &differences {
        assert!(difference.largest < 5e-2, "{difference:?}");
    }
    let linear = differences.iter().find(|d| d.operation == "linear").unwrap();
    assert!(linear.largest > 1e-6, "the factors were not rounded");
    assert!(device.driver.launched.contains(&(Program::General, "to_bfloat16")));
}

#[test]
fn rows_that_only_products_read_are_rounded_by_whoever_writes_them() {
    let sizes = Sizes { sequences: 2, bins: 6, heads: 1, head_width: 8, units: 3 };
    // Copies to bf16 are left of weights, and of the gradient of y, which the residual needs as floats; but heads of five
    // floats make rows that do not begin on 16 bytes.
    for (head_width, linear, backward) in [(8, 2, 3), (5, 4, 6)] {
        let Some(mut device) = host_device(false, Precision::Bf16) else { return };
        for case in cases(&Sizes { head_width, ..sizes }) {
            if !["LayerNorm, MLP and their gradients", "ScaleNorm, attention of layers and gradients"]
                .contains(&case.name)
            {
                continue;
            }
            device.start_profile().unwrap();
            case.run(&mut device).unwrap();
            let profile = device.take_profile();
            let copies = |name: &str| {
                let operations = profile.operations.iter().filter(|operation| operation.name == name);
                let kernels = operations.flat_map(|operation| &operation.kernels);
                kernels
                    .filter(|kernel| kernel.name == "to_bfloat16")
                    .map(|kernel| kernel.calls)
                    .sum::<usize>()
            };
            let copied = (copies("linear"), copies("linear_backward"));
            assert_eq!(copied, (linear, backward), "{}, heads of {head_width}", case.name);
        }
    }
}

#[test]
#[should_panic(expected = "an operation that takes floats was given a slot of factors")]
fn an_operation_of_floats_refuses_factors() {
    let Some(mut device) = host_device(false, Precision::F32) else {
        panic!("an operation that takes floats was given a slot of factors: not tested");
    };
    let mut plan = MemoryPlan::new();
    let (floats, factors) = (plan.slot(8), plan.factors(8));
    device.reserve(plan.floats()).unwrap();
    device.add(factors, floats);
}

/// To bf16 and back by f32 arithmetic: the sum loses the bits that bf16 has not, to nearest even.
fn rounded(value: f32) -> f32 {
    let large = value * 65537.0;
    large - (large - value)
}

#[test]
fn bf16_products_are_those_of_rounded_factors() {
    let (Some(mut device), Some(mut exact)) =
        (host_device(false, Precision::Bf16), host_device(false, Precision::F32))
    else {
        return;
    };
    let layer = Layer::new();
    let mut results = Vec::new();
    for (device, round) in [(&mut device, false), (&mut exact, true)] {
        device.reserve(layer.plan.floats()).unwrap();
        layer.fill(device);
        for slot in [layer.x, layer.weight] {
            let values: Vec<f32> =
                (0..slot.len()).map(|i| ((i * 12_345) % 9_973) as f32 / 997.0 - 5.0).collect();
            let values: Vec<f32> = values.iter().map(|v| if round { rounded(*v) } else { *v }).collect();
            device.write(slot, &values);
        }
        let (x, weight, bias, y, then) = (layer.x, layer.weight, layer.bias, layer.y, Then::Nothing);
        let (rows, inputs, outputs) = (ROWS, WIDTH, WIDTH);
        device.linear(&Linear { rows, inputs, outputs, x, weight, bias, y, then });
        results.push(read_all(device, &[y]).concat());
    }
    assert_eq!(results[0], results[1]);
}

/// A linear layer with dropout behind it, and its gradient.
struct Layer {
    x: Slot,
    weight: Slot,
    bias: Slot,
    residual: Slot,
    y: Slot,
    y_gradient: Slot,
    gradients: [Slot; 3],
    plan: MemoryPlan,
}

const ROWS: usize = 300;
const WIDTH: usize = 33;

impl Layer {
    fn new() -> Self {
        let mut plan = MemoryPlan::new();
        let [x, residual, y, y_gradient, dx] = [0; 5].map(|_| plan.slot(ROWS * WIDTH));
        let [weight, dw] = [0; 2].map(|_| plan.slot(WIDTH * WIDTH));
        let [bias, db] = [0; 2].map(|_| plan.slot(WIDTH));
        Self { x, weight, bias, residual, y, y_gradient, gradients: [dx, dw, db], plan }
    }

    fn all(&self) -> Vec<Slot> {
        let [dx, dw, db] = self.gradients;
        vec![self.x, self.weight, self.bias, self.residual, self.y, self.y_gradient, dx, dw, db]
    }

    fn fill(&self, device: &mut dyn Device) {
        for (index, slot) in
            [self.x, self.weight, self.bias, self.residual, self.y_gradient].iter().enumerate()
        {
            let values: Vec<f32> =
                (0..slot.len()).map(|i| ((i * 37 + index) % 101) as f32 / 50.0 - 1.0).collect();
            device.write(*slot, &values);
        }
    }

    fn run(&self, device: &mut dyn Device, (seed, step): (u64, u64)) {
        let dropout = Some(Dropout { probability: 0.3, seed, step, site: 2 });
        device.linear(&Linear {
            rows: ROWS,
            inputs: WIDTH,
            outputs: WIDTH,
            x: self.x,
            weight: self.weight,
            bias: self.bias,
            y: self.y,
            then: Then::Residual { x: self.residual, dropout },
        });
        device.linear_backward(&LinearBackward {
            rows: ROWS,
            inputs: WIDTH,
            outputs: WIDTH,
            x: self.x,
            weight: self.weight,
            y_gradient: self.y_gradient,
            dropout,
            x_gradient: self.gradients[0],
            before: Before::Nothing,
            weight_gradient: self.gradients[1],
            bias_gradient: self.gradients[2],
        });
    }
}

fn read_all(device: &dyn Device, slots: &[Slot]) -> Vec<Vec<f32>> {
    let read = |slot: &Slot| {
        let mut values = vec![0.0; slot.len()];
        device.read(*slot, &mut values);
        values
    };
    slots.iter().map(read).collect()
}

#[test]
fn dropout_has_the_bits_of_the_cpu() {
    let Some(mut device) = host_device(false, Precision::F32) else { return };
    let mut cpu = CpuDevice::new(1).unwrap();
    let layer = Layer::new();
    // Steps beyond 32 bits have a place of their own in the counter.
    for key in [(1, 0), (0xFFFF_FFFF_0000_0001, 5), (7, 0x3_0000_0002)] {
        let mut dropped = Vec::new();
        for device in [&mut device as &mut dyn Device, &mut cpu] {
            device.reserve(layer.plan.floats()).unwrap();
            layer.fill(device);
            // y is 0 + m∘1 then.
            for (slot, value) in [(layer.weight, 0.0), (layer.bias, 1.0), (layer.residual, 0.0)] {
                device.fill(slot, value);
            }
            layer.run(device, key);
            dropped.push(read_all(device, &[layer.y]).concat());
        }
        assert!(dropped[0].contains(&0.0));
        assert_eq!(dropped[0], dropped[1], "seed and step {key:?}");
    }
}

#[test]
fn a_recorded_pass_repeats_the_calls_with_new_contents_and_a_new_step() {
    let Some(mut device) = host_device(false, Precision::F32) else { return };
    let mut cpu = CpuDevice::new(1).unwrap();
    let layer = Layer::new();
    device.reserve(layer.plan.floats()).unwrap();
    cpu.reserve(layer.plan.floats()).unwrap();
    let key = [1, 2, 3, 4, 5, 6];
    let mut calls = 0;
    let mut results = Vec::new();
    for step in 0..5u64 {
        if step == 3 {
            // Growing the arena forgets the record: it runs, then is recorded once more.
            device.reserve(2 * layer.plan.floats()).unwrap();
        }
        let dropout = (9, step);
        layer.fill(&mut device);
        device.pass(Some(key), Some(dropout), &mut |device| {
            calls += 1;
            layer.run(device, dropout);
        });
        layer.fill(&mut cpu);
        layer.run(&mut cpu, dropout);
        let (got, expected) = (read_all(&device, &layer.all()), read_all(&cpu, &layer.all()));
        for (got, expected) in got.iter().zip(&expected) {
            for (a, b) in got.iter().zip(expected) {
                assert!((a - b).abs() < 1e-4, "step {step}: {a}, not {b}");
            }
        }
        results.push(got);
    }
    assert_eq!(calls, 4, "steps 0 and 3 run, 1 and 4 are recorded, 2 is repeated");
    assert_ne!(results[1], results[2], "the step changes the dropout");
}

#[test]
fn a_pass_begins_sums_over_ranks_where_it_is_told_however_often_it_is_repeated() {
    let Some(mut device) = host_device(false, Precision::F32) else { return };
    let layer = Layer::new();
    device.reserve(layer.plan.floats()).unwrap();
    layer.fill(&mut device);
    let [_, weight, bias] = layer.gradients;
    let (mut calls, mut results) = (0, Vec::new());
    for _ in 0..4 {
        let before = device.driver.steps;
        device.driver.sums.clear();
        device.pass(Some([8; 6]), Some((9, 1)), &mut |device| {
            calls += 1;
            layer.run(device, (9, 1));
            device.sum_over_ranks(weight);
            device.sum_over_ranks(Slot::default());
            device.copy(layer.x, layer.residual);
            device.sum_over_ranks(bias);
            device.add(layer.x, layer.x);
        });
        let sums = std::mem::take(&mut device.driver.sums);
        let places = sums.iter().map(|(steps, at, floats)| (steps - before, *at, *floats));
        results.push((places.collect::<Vec<_>>(), device.driver.steps - before));
    }
    assert_eq!(calls, 2, "one run and one recording");
    let (sums, steps) = &results[0];
    let expected = [(steps - 2, device.at(weight), WIDTH * WIDTH), (steps - 1, device.at(bias), WIDTH)];
    assert_eq!(sums[..], expected, "behind the layer, and before the copy and the addition");
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
}

#[test]
fn what_is_sent_to_the_device_is_counted_to_the_byte() {
    let Some(mut device) = host_device(false, Precision::F32) else { return };
    let layer = Layer::new();
    device.reserve(layer.plan.floats()).unwrap();
    assert_eq!(device.bytes_sent(), 0);
    layer.fill(&mut device);
    // x, the residual and y's gradient, then weight and bias.
    let filled = 4 * (3 * ROWS * WIDTH + WIDTH * WIDTH + WIDTH) as u64;
    assert_eq!(device.bytes_sent(), filled);
    for (step, sent) in [(1, 16), (1, 16), (2, 32), (3, 48)] {
        // A seed and a step of 64 bits, where they are not there yet; whether a pass runs, is recorded or repeated.
        device.pass(Some([0; 6]), Some((9, step)), &mut |device| layer.run(device, (9, step)));
        assert_eq!(device.bytes_sent(), filled + sent);
    }
    device.fill(layer.x, 1.0);
    device.copy(layer.x, layer.y);
    read_all(&device, &layer.all());
    assert_eq!(device.bytes_sent(), filled + 48);
}

#[test]
fn a_profile_has_every_operation_and_kernel_and_passes_are_recorded_behind_it() {
    let Some(mut device) = host_device(false, Precision::Bf16) else { return };
    let layer = Layer::new();
    device.reserve(layer.plan.floats()).unwrap();
    assert_eq!(device.take_profile(), crate::Profile::default());
    let mut runs = 0;
    for is_profiled in [false, true, true, false, false] {
        let steps = device.driver.steps;
        if is_profiled {
            device.start_profile().unwrap();
        }
        device.fill(layer.y_gradient, 1.0);
        device.pass(Some([3; 6]), Some((9, 9)), &mut |device| {
            runs += 1;
            layer.run(device, (9, 9));
        });
        let profile = device.take_profile();
        if !is_profiled {
            assert_eq!(profile, crate::Profile::default());
            continue;
        }
        let [fill, linear, backward] = profile.operations.try_into().unwrap();
        let seen = [&fill, &linear, &backward].map(|operation| (operation.name, operation.calls));
        assert_eq!(seen, [("fill", 1), ("linear", 1), ("linear_backward", 1)]);
        // 9900 floats at a gigabyte a second; and 9900 · 33 multiply-adds at a billion, once or twice.
        let close = |floor: Option<f64>, expected: f64| (floor.unwrap() - expected).abs() < 1e-9;
        assert!(close(fill.floor, 0.0396) && close(linear.floor, 0.3267) && close(backward.floor, 0.6534));
        let kernels = |operation: &crate::ProfiledOperation| {
            let names = operation.kernels.iter().map(|kernel| (kernel.name.clone(), kernel.calls));
            names.collect::<Vec<_>>()
        };
        let named = |expected: &[(&str, usize)]| {
            expected.iter().map(|(name, calls)| (name.to_string(), *calls)).collect::<Vec<_>>()
        };
        let expected = named(&[("to_bfloat16", 2), ("product 300 × 33 × 33", 1), ("residual", 1)]);
        assert_eq!(kernels(&linear), expected);
        // Sums over rows are made by the second product.
        let expected =
            named(&[("to_bfloat16", 3), ("product 300 × 33 × 33", 1), ("product 33 × 33 × 300", 1)]);
        assert_eq!(kernels(&backward), expected);
        // Nothing that ran is left out, and times are those of the kernels.
        let operations = [&fill, &linear, &backward];
        let launched = operations.iter().flat_map(|operation| &operation.kernels).map(|kernel| kernel.calls);
        assert_eq!(launched.sum::<usize>(), device.driver.steps - steps);
        for operation in operations {
            let of_kernels: f64 = operation.kernels.iter().map(|kernel| kernel.milliseconds).sum();
            assert!((operation.milliseconds - of_kernels).abs() < 1e-9);
            assert!(operation.kernels.iter().all(|kernel| kernel.milliseconds > 0.0), "{operation:?}");
        }
    }
    assert_eq!(runs, 4, "it ran, ran twice while a profile was taken, was recorded and repeated");
}

#[test]
fn growing_the_arena_keeps_what_it_holds() {
    let Some(mut device) = host_device(false, Precision::F32) else { return };
    let layer = Layer::new();
    device.reserve(layer.plan.floats()).unwrap();
    layer.fill(&mut device);
    let before = read_all(&device, &layer.all());
    device.reserve(100 * layer.plan.floats()).unwrap();
    assert_eq!(before, read_all(&device, &layer.all()));
}

#[test]
#[should_panic(expected = "seed and step of a pass's dropout")]
fn a_pass_whose_dropout_differs_from_the_announced_one_is_refused() {
    let Some(mut device) = host_device(false, Precision::F32) else {
        panic!("seed and step of a pass's dropout: not tested");
    };
    let layer = Layer::new();
    device.reserve(layer.plan.floats()).unwrap();
    device.pass(Some([0; 6]), Some((1, 1)), &mut |device| layer.run(device, (1, 2)));
}

#[test]
#[should_panic(expected = "too wide for this device")]
fn heads_wider_than_the_kernels_are_refused() {
    use crate::AttentionRule;
    use crate::ops::{Attention, AttentionShape};
    let Some(mut device) = host_device(false, Precision::F32) else {
        panic!("too wide for this device: not tested");
    };
    let rule = AttentionRule::full();
    let (batch, tokens, heads, head_width) = (1, 1, 1, 130);
    let (dropout, y_dropout, first_sequence) = (None, None, 0);
    let shape = AttentionShape { batch, tokens, heads, head_width, rule, dropout, y_dropout, first_sequence };
    let [qkv, y, log_sums] = [Slot::default(); 3];
    device.attention(&Attention { shape, qkv, y, log_sums });
}
