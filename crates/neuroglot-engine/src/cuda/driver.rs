//! What the operations need from a device: memory, copies, kernels, products and recording.

use super::argument::Argument;
use super::product::Product;
use super::programs::Program;
use super::rates::Rates;
use crate::EngineError;

/// A place in the device's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// The place so many bytes behind this one.
    pub fn after(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// Threads of a block, for every kernel.
pub const THREADS: u32 = 256;

/// A kernel with its grid and arguments.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program that holds the kernel.
    pub program: Program,
    /// The kernel's name.
    pub kernel: &'static str,
    /// Blocks along x and y, none of them 0; a block has [`THREADS`] threads.
    pub blocks: [u32; 2],
    /// Bytes of shared memory of a block that the kernel does not declare by itself.
    pub shared_bytes: usize,
    /// The kernel's arguments.
    pub arguments: Vec<Argument>,
}

/// Memory and work of one device, in one queue: everything happens in the order of the calls.
///
/// Only [`Driver::download`], [`Driver::take_intervals`] and [`Driver::synchronise`] wait for the device. Every call fails with
/// [`EngineError::Cuda`] where the device reports an error, which may belong to an earlier call.
pub trait Driver: Send {
    /// Work that can be repeated.
    type Recording: Send;

    /// The device in words.
    fn description(&self) -> String;

    /// Bytes of memory that nobody uses.
    fn spare_bytes(&self) -> Result<usize, EngineError>;

    /// New memory, aligned to at least 256 bytes, that holds zeros.
    ///
    /// # Errors
    /// [`EngineError::OutOfMemory`] where there is not enough.
    fn allocate(&mut self, bytes: usize) -> Result<Address, EngineError>;

    /// Gives memory back once all work queued before is done.
    fn release(&mut self, address: Address) -> Result<(), EngineError>;

    /// Copies host bytes to the device; they may change as soon as this returns.
    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), EngineError>;

    /// Copies device bytes to the host, once all work queued before is done.
    fn download(&self, from: Address, bytes: &mut [u8]) -> Result<(), EngineError>;

    /// Copies within the device, at least one byte.
    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), EngineError>;

    /// Sets floats, at least one.
    fn fill(&mut self, at: Address, floats: usize, value: f32) -> Result<(), EngineError>;

    /// Runs a kernel.
    fn launch(&mut self, launch: &Launch) -> Result<(), EngineError>;

    /// Multiplies matrices of at least two rows, columns and terms of a sum.
    fn multiply(&mut self, product: &Product) -> Result<(), EngineError>;

    /// Whether [`Driver::multiply`] can do a product with [`Product::sums`]: libraries do not add up the terms of every kind.
    fn adds_terms(&mut self, product: &Product) -> Result<bool, EngineError>;

    /// Copies, fills, launches and products are recorded from here on instead of done. No other call may follow until
    /// [`Driver::end_recording`].
    fn begin_recording(&mut self) -> Result<(), EngineError>;

    /// What was recorded.
    fn end_recording(&mut self) -> Result<Self::Recording, EngineError>;

    /// Does what was recorded.
    fn replay(&mut self, recording: &Self::Recording) -> Result<(), EngineError>;

    /// Waits until all work is done.
    fn synchronise(&self) -> Result<(), EngineError>;

    /// How fast the device can be at best.
    fn rates(&self) -> Rates;

    /// Fails where the driver is too old for [`Driver::take_intervals`].
    fn check_intervals(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Notes the moment at which the work queued so far is done.
    fn mark(&mut self) -> Result<(), EngineError>;

    /// Milliseconds from each mark to the next since the last call, once all of them are reached.
    fn take_intervals(&mut self) -> Result<Vec<f64>, EngineError>;

    /// See [`Device::group_id`](crate::Device::group_id).
    fn group_id(&self) -> Result<Vec<u8>, EngineError> {
        Err(EngineError::NotInGroups { device: self.description() })
    }

    /// See [`Device::join_group`](crate::Device::join_group).
    fn join_group(&mut self, _id: &[u8], _rank: usize, _ranks: usize) -> Result<(), EngineError> {
        Err(EngineError::NotInGroups { device: self.description() })
    }

    /// Devices of the group; 1 without one.
    fn ranks(&self) -> usize {
        1
    }

    /// Begins to add up floats, at least one, over all ranks, beside the queue.
    fn sum_over_ranks(&mut self, _at: Address, _floats: usize) -> Result<(), EngineError> {
        Ok(())
    }

    /// Begins to copy floats, at least one, from one rank to all others, beside the queue.
    fn broadcast(&mut self, _at: Address, _floats: usize, _from: usize) -> Result<(), EngineError> {
        Ok(())
    }

    /// The queue goes on once all that was begun between ranks is done.
    fn wait_for_ranks(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}
