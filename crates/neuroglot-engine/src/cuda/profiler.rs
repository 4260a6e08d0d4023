//! What runs between which marks, while a profile is taken.

use super::product::{Precision, Product};
use super::rates::Rates;
use crate::{Cost, Profile, ProfiledKernel, ProfiledOperation};

/// Operations and what was run for them, in order. Two marks of the driver are set around each [`Piece`].
#[derive(Debug, Default)]
pub(super) struct Profiler {
    calls: Vec<Call>,
    is_open: bool,
}

#[derive(Debug)]
struct Call {
    name: &'static str,
    cost: Cost,
    pieces: Vec<Piece>,
}

/// One thing that a device runs.
#[derive(Debug)]
pub(super) struct Piece {
    name: String,
    /// Of a product.
    cost: Option<(Cost, Precision)>,
}

impl Piece {
    /// A kernel, copy or fill.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), cost: None }
    }

    /// A product.
    pub fn product(product: &Product) -> Self {
        let Product { rows, columns, inner, precision, .. } = *product;
        Self {
            name: format!("product {rows} × {columns} × {inner}"),
            cost: Some((product.cost(), precision)),
        }
    }
}

impl Profiler {
    /// Begins an operation; false within one, which what follows is part of.
    pub fn open(&mut self, name: &'static str, cost: impl FnOnce() -> Cost) -> bool {
        if self.is_open {
            return false;
        }
        self.calls.push(Call { name, cost: cost(), pieces: Vec::new() });
        self.is_open = true;
        true
    }

    /// Ends the operation.
    pub fn close(&mut self) {
        self.is_open = false;
    }

    /// Notes what ran between the last two marks.
    pub fn push(&mut self, piece: Piece) {
        self.calls.last_mut().expect("every piece is of an operation").pieces.push(piece);
    }

    /// The times (ms) of all pieces, summed by operation and kernel.
    pub fn finish(
        self,
        times: impl IntoIterator<Item = f64>,
        rates: &Rates,
        precision: Precision,
    ) -> Profile {
        let mut times = times.into_iter();
        let mut operations: Vec<ProfiledOperation> = Vec::new();
        for call in self.calls {
            let index = position_or_push(
                &mut operations,
                |other| other.name == call.name,
                || {
                    let (name, cost, floor) = (call.name, Cost::default(), Some(0.0));
                    ProfiledOperation { name, calls: 0, milliseconds: 0.0, cost, floor, kernels: Vec::new() }
                },
            );
            let operation = &mut operations[index];
            operation.calls += 1;
            operation.cost = operation.cost + call.cost;
            operation.floor = sum(operation.floor, rates.floor(call.cost, precision));
            for piece in call.pieces {
                let milliseconds = times.next().expect("a time for every piece");
                operation.milliseconds += milliseconds;
                let floor = piece.cost.map(|(cost, precision)| rates.floor(cost, precision));
                let kernels = &mut operation.kernels;
                let index = position_or_push(
                    kernels,
                    |other| other.name == piece.name,
                    || {
                        let floor = floor.map(|_| 0.0);
                        ProfiledKernel { name: piece.name.clone(), calls: 0, milliseconds: 0.0, floor }
                    },
                );
                let kernel = &mut kernels[index];
                kernel.calls += 1;
                kernel.milliseconds += milliseconds;
                kernel.floor = sum(kernel.floor, floor.flatten());
            }
        }
        Profile { operations }
    }
}

fn sum(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

/// The place of the first of its kind, which is made where there is none.
fn position_or_push<T>(all: &mut Vec<T>, is_it: impl FnMut(&T) -> bool, make: impl FnOnce() -> T) -> usize {
    all.iter().position(is_it).unwrap_or_else(|| {
        all.push(make());
        all.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::{Address, Factor};

    #[test]
    fn times_and_floors_are_summed_by_operation_and_kernel() {
        let factor = Factor { address: Address(0), stride: 1, transposed: false };
        let product = Product::new([10, 20, 30], factor, factor, Address(0), Precision::Bf16);
        let mut profiler = Profiler::default();
        for _ in 0..2 {
            assert!(profiler.open("linear", || Cost {
                bytes: 4_000_000,
                multiply_adds: 6000,
                ..Cost::default()
            }));
            profiler.push(Piece::product(&product));
            assert!(!profiler.open("copy", || unreachable!("within an operation")));
            profiler.push(Piece::named("gelu"));
            profiler.close();
            assert!(profiler.open("fill", || Cost { bytes: 8_000_000, multiply_adds: 0, ..Cost::default() }));
            profiler.push(Piece::named("fill"));
            profiler.close();
        }
        // 4 GB/s; 12, 6 and 3 thousand multiply-adds a millisecond.
        let rates = Rates { bytes: Some(4e9), multiply_adds: Some([12e6, 6e6, 3e6]) };
        let profile = profiler.finish([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &rates, Precision::Tf32);
        let [linear, fill] = profile.operations.try_into().unwrap();
        assert_eq!((linear.name, linear.calls, linear.milliseconds), ("linear", 2, 27.0));
        assert_eq!(linear.cost, Cost { bytes: 8_000_000, multiply_adds: 12_000, ..Cost::default() });
        assert_eq!(linear.floor, Some(2.0), "its bytes and its products take a millisecond each");
        let [multiplied, gelu] = linear.kernels.try_into().unwrap();
        assert_eq!((&*multiplied.name, multiplied.calls), ("product 10 × 20 × 30", 2));
        // At the peak of its own precision.
        assert_eq!((multiplied.milliseconds, multiplied.floor), (9.0, Some(4.0)));
        assert_eq!((&*gelu.name, gelu.milliseconds, gelu.floor), ("gelu", 18.0, None));
        assert_eq!((fill.calls, fill.milliseconds, fill.floor), (2, 36.0, Some(4.0)));
    }
}
