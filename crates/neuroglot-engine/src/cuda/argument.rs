//! Arguments of kernels, as bytes.

use super::driver::Address;
use super::product::{Factor, Precision};
use crate::ops::{AdamWFactors, AdamWPart, MaskedTrials};
use crate::{AttentionRule, Dropout};

/// One argument of a kernel, up to 40 bytes by value.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    // Words, so that the bytes are aligned for every type a kernel takes.
    words: [u64; 5],
    size: usize,
}

impl<T: bytemuck::NoUninit> From<T> for Argument {
    fn from(value: T) -> Self {
        let mut words = [0; 5];
        let size = size_of::<T>();
        bytemuck::bytes_of_mut(&mut words)[..size].copy_from_slice(bytemuck::bytes_of(&value));
        Self { words, size }
    }
}

impl Argument {
    /// Where its bytes begin, aligned to eight.
    pub fn as_ptr(&self) -> *const u64 {
        self.words.as_ptr()
    }

    /// Number of bytes.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// The arguments of a kernel, in its order.
#[derive(Debug, Clone)]
pub(super) struct Arguments(pub Vec<Argument>);

impl Arguments {
    /// Those that addresses alone make up, such as where slots begin.
    pub fn of<const N: usize>(addresses: [Address; N]) -> Self {
        Self(addresses.map(Argument::from).into())
    }

    /// Followed by one more.
    pub fn and(mut self, argument: impl Into<Argument>) -> Self {
        self.0.push(argument.into());
        self
    }

    /// Followed by sizes, of 32 bits.
    pub fn sizes<const N: usize>(mut self, sizes: [usize; N]) -> Self {
        self.0.extend(sizes.map(|size| Argument::from(size as u32)));
        self
    }

    /// Followed by a number of elements, of 64 bits.
    pub fn length(self, elements: usize) -> Self {
        self.and(elements as u64)
    }
}

/// `struct Dropout` of the kernels.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct DropoutArgument {
    key: Address,
    site: u32,
    threshold: u32,
    scale: f32,
    padding: u32,
}

impl DropoutArgument {
    /// `key` is where seed and step lie on the device; `None` drops nothing.
    pub fn new(key: Address, dropout: Option<Dropout>) -> Self {
        let (site, threshold, scale) = match dropout {
            Some(dropout) => (dropout.site, dropout.threshold(), dropout.scale()),
            None => (0, 0, 1.0),
        };
        Self { key, site, threshold, scale, padding: 0 }
    }
}

/// `struct Numbers` of the kernels: rows that products read as factors, or that are read and written as such.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub(super) struct Numbers {
    values: Address,
    width: u32,
    is_bfloat16: u32,
}

impl Numbers {
    /// Rows of `width` floats, or of bf16 in the room of floats.
    pub fn new(address: Address, width: usize, is_bfloat16: bool) -> Self {
        Self { values: address, width: width as u32, is_bfloat16: u32::from(is_bfloat16) }
    }
}

/// `struct Trials` of the kernels.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub(super) struct TrialsArgument {
    table: Address,
    marks: Address,
    trials: u32,
    bins: u32,
    units: u32,
    bytes_of_count: u32,
    has_entries: u32,
    padding: u32,
}

impl TrialsArgument {
    /// Trials with the places of their table and marks.
    pub fn new(of: &MaskedTrials, [table, marks]: [Address; 2]) -> Self {
        Self {
            table,
            marks,
            trials: of.trials as u32,
            bins: of.bins as u32,
            units: of.units as u32,
            bytes_of_count: of.format.bytes() as u32,
            has_entries: u32::from(of.has_entries),
            padding: 0,
        }
    }
}

/// `struct Part` of the kernels.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub(super) struct PartArgument {
    offset: u64,
    length: u64,
    rate: f32,
    root: f32,
}

impl PartArgument {
    pub fn new(part: AdamWPart, AdamWFactors { rate, root, .. }: AdamWFactors) -> Self {
        Self { offset: part.offset as u64, length: part.len as u64, rate, root }
    }
}

/// `struct Rule` of the kernels.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub(super) struct RuleArgument {
    prefix: u32,
    tokens_per_bin: u32,
    used_per_bin: u32,
    causal: u32,
}

impl RuleArgument {
    pub fn new(rule: AttentionRule) -> Self {
        let [prefix, tokens_per_bin, used_per_bin] =
            [rule.prefix, rule.tokens_per_bin, rule.used_per_bin].map(|tokens| tokens as u32);
        Self { prefix, tokens_per_bin, used_per_bin, causal: u32::from(rule.causal) }
    }
}

/// `struct Factor` of the kernels.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub(super) struct FactorArgument {
    values: Address,
    row_stride: u32,
    column_stride: u32,
    is_bfloat16: u32,
    padding: u32,
}

impl FactorArgument {
    /// A factor of a product of this precision.
    pub fn new(factor: Factor, precision: Precision) -> Self {
        let stride = factor.stride as u32;
        let (row_stride, column_stride) = if factor.transposed { (1, stride) } else { (stride, 1) };
        let is_bfloat16 = u32::from(precision == Precision::Bf16);
        Self { values: factor.address, row_stride, column_stride, is_bfloat16, padding: 0 }
    }
}
