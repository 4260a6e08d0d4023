//! A driver whose device is the host.

use super::build::{compiler, program};
use crate::EngineError;
use crate::cuda::driver::THREADS;
use crate::cuda::{
    Address, Argument, ColumnMajor, Driver, Factor, Launch, Precision, Product, Program, Rates, TermSums,
};
use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::time::Instant;

/// Words of a known pattern around each piece of memory.
const GUARD: usize = 64;
const PATTERN: u64 = 0xA5A5_5A5A_C3C3_3C3C;

/// Runs kernels on the host, products by plain loops, and records calls as a list.
pub(crate) struct HostDriver {
    memory: HashMap<u64, Vec<u64>>,
    recorded: Option<Vec<Step>>,
    /// Whether threads of a block run from the last to the first.
    pub reversed: bool,
    /// Kernels that ran.
    pub launched: HashSet<(Program, &'static str)>,
    /// Launches and products so far; those of a replay count.
    pub steps: usize,
    /// Sums over ranks: the steps before, and what is summed. There are no other ranks.
    pub sums: Vec<(usize, Address, usize)>,
    marks: Vec<Instant>,
}

/// A call that can be recorded.
#[derive(Clone)]
pub(crate) enum Step {
    Launch(Launch),
    Multiply(Product),
    Copy(Address, Address, usize),
    Fill(Address, usize, f32),
}

impl HostDriver {
    /// `None`, with a printed reason, on a machine without a C++ compiler.
    pub fn new(reversed: bool) -> Option<Self> {
        if compiler().is_none() {
            eprintln!("skipped: there is no C++ compiler to build the kernels for the host");
            return None;
        }
        let (memory, launched) = (HashMap::new(), HashSet::new());
        let (recorded, sums, marks) = (None, Vec::new(), Vec::new());
        Some(Self { memory, recorded, reversed, launched, steps: 0, sums, marks })
    }

    fn take(&mut self, step: Step) -> Result<(), EngineError> {
        match &mut self.recorded {
            Some(steps) => steps.push(step),
            None => self.run(&step),
        }
        Ok(())
    }

    fn run(&mut self, step: &Step) {
        self.steps += 1;
        match step {
            Step::Launch(Launch { program: which, kernel, blocks, shared_bytes, arguments }) => {
                let built = program(*which);
                let signature = &built.signatures[*kernel];
                let sizes: Vec<usize> = arguments.iter().map(Argument::size).collect();
                assert_eq!(sizes, signature.sizes(), "sizes of the arguments of {kernel}");
                self.launched.insert((*which, kernel));
                let mut pointers: Vec<*mut c_void> =
                    arguments.iter().map(|argument| argument.as_ptr().cast_mut().cast()).collect();
                let (kernel, run) = built.kernel(kernel);
                let [x, y] = *blocks;
                // SAFETY: the arguments have the sizes that the kernel declares.
                unsafe { run(*kernel, pointers.as_mut_ptr(), x, y, THREADS, *shared_bytes, self.reversed) };
            }
            Step::Multiply(product) => multiply(product),
            // SAFETY: both ranges lie in memory of this driver; they may be the same.
            Step::Copy(from, to, bytes) => unsafe {
                std::ptr::copy(from.0 as *const u8, to.0 as *mut u8, *bytes);
            },
            Step::Fill(at, floats, value) => floats_of(*at, *floats).fill(*value),
        }
    }

    /// Every write stayed within its piece of memory.
    fn check_guards(&self) {
        for memory in self.memory.values() {
            let (front, back) = (&memory[..GUARD], &memory[memory.len() - GUARD..]);
            assert!(
                front.iter().chain(back).all(|word| *word == PATTERN),
                "a kernel wrote outside its memory"
            );
        }
    }
}

/// Floats on the device.
fn floats_of<'a>(address: Address, len: usize) -> &'a mut [f32] {
    // SAFETY: callers name memory of this driver that they use alone for a moment.
    unsafe { std::slice::from_raw_parts_mut(address.0 as *mut f32, len) }
}

/// The product in a column-major library's eyes, so that the change of order is tested too.
fn multiply(product: &Product) {
    let mapped = ColumnMajor::of(product);
    let ColumnMajor { m, n, k, first, second } = mapped;
    let element = |factor: &Factor, row: usize, column: usize| -> f32 {
        let (row, column) = if factor.transposed { (column, row) } else { (row, column) };
        let index = column * factor.stride + row;
        // SAFETY: the factor lies in memory of this driver.
        unsafe {
            match product.precision {
                Precision::F32 | Precision::Tf32 => *(factor.address.0 as *const f32).add(index),
                Precision::Bf16 => {
                    f32::from_bits(u32::from(*(factor.address.0 as *const u16).add(index)) << 16)
                }
            }
        }
    };
    let to = floats_of(product.to, m * n);
    let over_terms = |term: &dyn Fn(usize) -> f32| (0..k).map(|i| f64::from(term(i))).sum::<f64>() as f32;
    // The library's first factor is our B.
    match product.sums {
        Some(TermSums::OfB(sums)) => {
            for (row, sum) in floats_of(sums, m).iter_mut().enumerate() {
                *sum = over_terms(&|i| element(&first, row, i));
            }
        }
        Some(TermSums::OfA(sums)) => {
            for (column, sum) in floats_of(sums, n).iter_mut().enumerate() {
                *sum = over_terms(&|i| element(&second, i, column));
            }
        }
        None => {}
    }
    for column in 0..n {
        for row in 0..m {
            let mut sum: f64 = (0..k)
                .map(|i| f64::from(element(&first, row, i)) * f64::from(element(&second, i, column)))
                .sum();
            if let Some(addend) = product.addend {
                sum += f64::from(floats_of(addend, m * n)[column * m + row]);
            }
            if let Some(bias) = product.bias {
                sum += f64::from(floats_of(bias, m)[row]);
            }
            to[column * m + row] = sum as f32;
        }
    }
}

impl Driver for HostDriver {
    type Recording = Vec<Step>;

    fn description(&self) -> String {
        "kernels on the host".to_string()
    }

    fn spare_bytes(&self) -> Result<usize, EngineError> {
        Ok(1 << 30)
    }

    fn allocate(&mut self, bytes: usize) -> Result<Address, EngineError> {
        assert!(self.recorded.is_none(), "memory within a recording");
        let words = bytes.div_ceil(8);
        let mut memory = vec![PATTERN; words + 2 * GUARD];
        memory[GUARD..GUARD + words].fill(0);
        let address = memory[GUARD..].as_ptr() as u64;
        self.memory.insert(address, memory);
        Ok(Address(address))
    }

    fn release(&mut self, address: Address) -> Result<(), EngineError> {
        assert!(self.recorded.is_none(), "memory within a recording");
        self.check_guards();
        assert!(self.memory.remove(&address.0).is_some(), "memory given back twice");
        Ok(())
    }

    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), EngineError> {
        assert!(self.recorded.is_none(), "host memory within a recording");
        // SAFETY: the place lies in memory of this driver.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.0 as *mut u8, bytes.len()) };
        Ok(())
    }

    fn download(&self, from: Address, bytes: &mut [u8]) -> Result<(), EngineError> {
        assert!(self.recorded.is_none(), "host memory within a recording");
        self.check_guards();
        // SAFETY: the place lies in memory of this driver.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), EngineError> {
        self.take(Step::Copy(from, to, bytes))
    }

    fn fill(&mut self, at: Address, floats: usize, value: f32) -> Result<(), EngineError> {
        self.take(Step::Fill(at, floats, value))
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), EngineError> {
        self.take(Step::Launch(launch.clone()))
    }

    fn multiply(&mut self, product: &Product) -> Result<(), EngineError> {
        self.take(Step::Multiply(*product))
    }

    /// Not of an odd number of terms, so that both ways are tested.
    fn adds_terms(&mut self, product: &Product) -> Result<bool, EngineError> {
        Ok(product.inner.is_multiple_of(2))
    }

    fn begin_recording(&mut self) -> Result<(), EngineError> {
        assert!(self.recorded.replace(Vec::new()).is_none(), "a recording within a recording");
        Ok(())
    }

    fn end_recording(&mut self) -> Result<Vec<Step>, EngineError> {
        Ok(self.recorded.take().expect("a recording has begun"))
    }

    fn replay(&mut self, steps: &Vec<Step>) -> Result<(), EngineError> {
        steps.iter().for_each(|step| self.run(step));
        Ok(())
    }

    fn synchronise(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// A gigabyte and a billion multiply-adds a second.
    fn rates(&self) -> Rates {
        Rates { bytes: Some(1e9), multiply_adds: Some([1e9; 3]) }
    }

    fn mark(&mut self) -> Result<(), EngineError> {
        assert!(self.recorded.is_none(), "a mark within a recording");
        self.marks.push(Instant::now());
        Ok(())
    }

    fn take_intervals(&mut self) -> Result<Vec<f64>, EngineError> {
        let marks = std::mem::take(&mut self.marks);
        Ok(marks.windows(2).map(|pair| 1e3 * (pair[1] - pair[0]).as_secs_f64()).collect())
    }

    fn sum_over_ranks(&mut self, at: Address, floats: usize) -> Result<(), EngineError> {
        assert!(self.recorded.is_none(), "a sum over ranks within a recording");
        self.sums.push((self.steps, at, floats));
        Ok(())
    }
}
