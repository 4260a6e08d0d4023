//! The CPU device: an arena in host memory, products of its own, `rayon` for threads, `pulp` for the choice of
//! vector instructions at run time.

pub(crate) mod math;
pub(crate) mod parallel;
pub(crate) mod products;

use crate::cpu::parallel::PIECE;
use crate::ops::*;
use crate::{Device, EngineError, PassKey, Replicas, Slot};
use products::{Matrix, Packed, Right};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// One cache line of floats, so that every slot of a plan, and what products copy, starts on a line.
#[derive(Debug, Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Runs operations on the cores of this machine.
pub struct CpuDevice {
    arena: Vec<Line>,
    /// Room of backward passes; grows to the largest needed.
    room: LinearRoom,
    /// Room for the counts that are not 0; grows to the largest needed.
    counts: Vec<Count>,
    /// Floats that no operation writes to.
    pinned: Slot,
    /// Weights among them as products want them, by their place.
    packed: HashMap<Slot, Packed>,
    threads: usize,
    /// `None` where the maker of the device is a member of a pool of so many threads: whoever calls computes on its own.
    pool: Option<Arc<ThreadPool>>,
}

impl CpuDevice {
    /// A device with an empty arena that computes on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// [`EngineError::Threads`] where the threads cannot be started.
    pub fn new(threads: usize) -> Result<Self, EngineError> {
        let is_member = rayon::current_thread_index().is_some() && rayon::current_num_threads() == threads;
        let pool = if is_member { None } else { Some(pool(threads)?) };
        Ok(Self {
            arena: Vec::new(),
            room: LinearRoom::default(),
            counts: Vec::new(),
            pinned: Slot::default(),
            packed: HashMap::new(),
            threads: pool.as_ref().map_or(threads, |pool| pool.current_num_threads()),
            pool,
        })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Drops the packed copies of pinned weights that the host writes to.
    fn forget_packed(&mut self, slot: Slot) {
        if slot.overlaps(self.pinned) {
            self.packed.clear();
        }
    }

    /// Borrows the slots of one operation and runs it on the pool.
    fn run<const N: usize>(&mut self, slots: [Slot; N], work: impl FnOnce([&mut [f32]; N]) + Send) {
        let arena: &mut [f32] = bytemuck::cast_slice_mut(&mut self.arena);
        let operands = operands(arena, slots);
        install(&self.pool, || work(operands));
    }
}

/// Runs work on a pool, or on that of the calling thread.
fn install<T: Send>(pool: &Option<Arc<ThreadPool>>, work: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// A pool of which the calling thread is a member, so that an operation starts without handing over to another
/// thread: small models have hundreds of operations of some microseconds. A thread can be a member of one pool only,
/// which all devices made on it with as many threads share; further ones get a pool apart.
fn pool(threads: usize) -> Result<Arc<ThreadPool>, EngineError> {
    thread_local! {
        static OWN: RefCell<Option<(usize, Arc<ThreadPool>)>> = const { RefCell::new(None) };
    }
    let failed =
        |error: rayon::ThreadPoolBuildError| EngineError::Threads { threads, reason: error.to_string() };
    let builder = || {
        let name = |index| format!("neuroglot-{index}");
        rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name)
    };
    OWN.with_borrow_mut(|own| match own {
        Some((count, pool)) if *count == threads => Ok(pool.clone()),
        Some(_) => builder().build().map(Arc::new).map_err(failed),
        None => {
            // Fails where the caller runs inside a pool of its own.
            let Ok(pool) = builder().use_current_thread().build() else {
                return builder().build().map(Arc::new).map_err(failed);
            };
            let pool = Arc::new(pool);
            *own = Some((threads, pool.clone()));
            Ok(pool)
        }
    })
}

/// Asks for large pages for an arena that has not been written to yet: passes over it then miss the processor's table of
/// pages less often. Where the system has none, nothing changes.
fn advise_large_pages(arena: &mut Vec<Line>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let start = (arena.as_mut_ptr() as usize).next_multiple_of(PAGE);
        let end = arena.as_mut_ptr() as usize + arena.capacity() * size_of::<Line>();
        if let Some(bytes) = end.checked_sub(start).filter(|bytes| *bytes > 0) {
            // SAFETY: the range lies inside the arena's own memory, and this advice does not change what it holds.
            unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = arena;
}

/// The floats of each slot.
///
/// # Panics
/// Where slots overlap or lie outside the arena, which is a mistake in the calling model.
fn operands<const N: usize>(arena: &mut [f32], slots: [Slot; N]) -> [&mut [f32]; N] {
    match arena.get_disjoint_mut(slots.map(Slot::range)) {
        Ok(operands) => operands,
        Err(error) => panic!("operands of one operation: {error} ({slots:?})"),
    }
}

/// Methods of [`Device`] that give a pass of an operation its slots, and need nothing else.
macro_rules! run {
    ($($name:ident($op:ty) => $pass:ident;)*) => {
        $(fn $name(&mut self, op: &$op) {
            self.run(op.slots(), |slots| op.$pass(slots));
        })*
    };
}

impl Device for CpuDevice {
    fn description(&self) -> String {
        format!("cpu, {} threads", self.threads())
    }

    // Threads that share a batch wait for each other after every operation; threads with batches of their own do not.
    fn replicas(&self) -> Option<Replicas> {
        let make = || Ok(Box::new(CpuDevice::new(1)?) as Box<dyn Device>);
        (self.threads() > 1).then_some(Replicas { count: self.threads(), make })
    }

    fn reserve(&mut self, floats: usize) -> Result<(), EngineError> {
        let lines = floats.div_ceil(16);
        if lines > self.arena.len() {
            let out_of_memory = |_| EngineError::OutOfMemory { mebibytes: floats >> 18 };
            let mut grown = Vec::new();
            grown.try_reserve_exact(lines).map_err(out_of_memory)?;
            // Before anything is written: pages keep the size that they have then.
            advise_large_pages(&mut grown);
            grown.extend_from_slice(&self.arena);
            // The old arena is gone before the new one is filled: its pages count until then.
            self.arena = grown;
            self.arena.resize(lines, Line([0.0; 16]));
        }
        Ok(())
    }

    fn pin(&mut self, slot: Slot) {
        self.pinned = slot;
        self.packed.clear();
    }

    fn write(&mut self, slot: Slot, values: &[f32]) {
        self.forget_packed(slot);
        let arena: &mut [f32] = bytemuck::cast_slice_mut(&mut self.arena);
        arena[slot.range()].copy_from_slice(values);
    }

    fn read(&self, slot: Slot, values: &mut [f32]) {
        let arena: &[f32] = bytemuck::cast_slice(&self.arena);
        values.copy_from_slice(&arena[slot.range()]);
    }

    fn fill(&mut self, slot: Slot, value: f32) {
        self.forget_packed(slot);
        let arena: &mut [f32] = bytemuck::cast_slice_mut(&mut self.arena);
        arena[slot.range()].fill(value);
    }

    fn copy(&mut self, from: Slot, to: Slot) {
        self.run([from, to], |[from, to]| to.copy_from_slice(from));
    }

    fn add(&mut self, from: Slot, to: Slot) {
        self.run([from, to], |[from, to]| {
            assert_eq!(from.len(), to.len(), "slots of a sum");
            let pieces = to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE));
            pieces.for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| *to += from));
        });
    }

    fn pass(
        &mut self,
        _key: Option<PassKey>,
        _dropout: Option<(u64, u64)>,
        work: &mut dyn FnMut(&mut dyn Device),
    ) {
        work(self);
    }

    run! {
        shown_counts(ShownCounts) => forward;
        counts_linear(CountsLinear) => forward;
        compose(Compose) => forward;
        compose_backward(ComposeBackward) => backward;
        select_rows(SelectRows) => forward;
        select_rows_backward(SelectRows) => backward;
        layer_norm(LayerNorm) => forward;
        layer_norm_backward(LayerNormBackward) => backward;
        scale_norm(ScaleNorm) => forward;
        scale_norm_backward(ScaleNormBackward) => backward;
        attention(Attention) => forward;
        rope(Rope) => rotate;
        token_rows(TokenRows) => forward;
        token_rows_backward(TokenRows) => backward;
        drop_prefix(DropPrefix) => forward;
        drop_prefix_backward(DropPrefix) => backward;
        patch_positions(PatchPositions) => forward;
        patch_positions_backward(PatchPositions) => backward;
        poisson_loss(PoissonLoss) => forward_backward;
        adamw(AdamW<'_>) => run;
    }

    fn counts_linear_backward(&mut self, op: &CountsLinearBackward) {
        let mut counts = std::mem::take(&mut self.counts);
        self.run(op.slots(), |slots| op.backward(slots, &mut counts));
        self.counts = counts;
    }

    fn linear(&mut self, op: &Linear) {
        let other = op.then.slot();
        fn matrix<'a>(op: &Linear, weight: &'a [f32]) -> Matrix<'a> {
            Matrix::new(weight, op.outputs, op.inputs).transpose()
        }
        if op.weight.is_empty() || !self.pinned.contains(op.weight) {
            return self.run([op.x, op.weight, op.bias, op.y, other], |[x, weight, bias, y, other]| {
                op.forward(x, Right::Matrix(matrix(op, weight)), bias, y, other);
            });
        }
        let mut packed = std::mem::take(&mut self.packed);
        let weight = packed.entry(op.weight).or_insert_with(|| {
            let arena: &[f32] = bytemuck::cast_slice(&self.arena);
            install(&self.pool, || Packed::new(matrix(op, &arena[op.weight.range()])))
        });
        self.run([op.x, op.bias, op.y, other], |[x, bias, y, other]| {
            op.forward(x, Right::Packed(weight), bias, y, other);
        });
        self.packed = packed;
    }

    fn linear_backward(&mut self, op: &LinearBackward) {
        let mut room = std::mem::take(&mut self.room);
        self.run(op.slots(), |slots| op.backward(slots, &mut room));
        self.room = room;
    }

    fn attention_backward(&mut self, op: &AttentionBackward) {
        let mut room = std::mem::take(&mut self.room);
        self.run(op.slots(), |slots| op.backward(slots, &mut room));
        self.room = room;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryPlan;

    #[test]
    #[should_panic(expected = "operands of one operation")]
    fn overlapping_operands_are_refused() {
        let mut plan = MemoryPlan::new();
        let x = plan.slot(8);
        let mut device = CpuDevice::new(1).unwrap();
        device.reserve(plan.floats()).unwrap();
        device.copy(x, x);
    }

    #[test]
    fn a_device_made_in_a_pool_computes_on_the_threads_of_whoever_calls() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut plan = MemoryPlan::new();
        let [x, y] = [3, 3].map(|len| plan.slot(len));
        for threads in [1, 2] {
            let mut device = pool(threads).install(|| CpuDevice::new(threads).unwrap());
            assert!(device.pool.is_none());
            assert_eq!(device.threads(), threads);
            device.reserve(plan.floats()).unwrap();
            device.write(x, &[1.0, 2.0, 3.0]);
            // On another pool, and on no pool, though the one that it was made in is gone.
            pool(1).install(|| device.copy(x, y));
            let mut found = [0.0; 3];
            device.read(y, &mut found);
            assert_eq!(found, [1.0, 2.0, 3.0]);
            device.copy(y, x);
        }
        // A pool of another size gives none of its threads.
        assert!(pool(2).install(|| CpuDevice::new(1).unwrap()).pool.is_some());
    }

    #[test]
    fn a_pinned_weight_that_is_written_to_is_used_as_written() {
        let mut plan = MemoryPlan::new();
        let [x, weight, bias, y] = [2, 4, 2, 2].map(|len| plan.slot(len));
        let mut device = CpuDevice::new(1).unwrap();
        device.reserve(plan.floats()).unwrap();
        device.write(x, &[1.0, 10.0]);
        device.write(bias, &[0.0, 0.0]);
        device.pin(weight);
        for factor in [1.0, 2.0] {
            device.write(weight, &[factor, 0.0, 0.0, factor]);
            for _ in 0..2 {
                let then = Then::Nothing;
                let linear = Linear { rows: 1, inputs: 2, outputs: 2, x, weight, bias, y, then };
                device.linear(&linear);
                let mut found = [0.0; 2];
                device.read(y, &mut found);
                assert_eq!(found, [factor, 10.0 * factor]);
            }
        }
    }

    #[test]
    fn an_arena_beyond_all_memory_is_an_error_and_growing_keeps_what_it_holds() {
        let mut plan = MemoryPlan::new();
        let x = plan.slot(3);
        let mut device = CpuDevice::new(1).unwrap();
        device.reserve(plan.floats()).unwrap();
        device.write(x, &[1.0, 2.0, 3.0]);
        assert!(matches!(device.reserve(usize::MAX / 8), Err(EngineError::OutOfMemory { .. })));
        device.reserve(1000).unwrap();
        let mut back = [0.0; 3];
        device.read(x, &mut back);
        assert_eq!(back, [1.0, 2.0, 3.0]);
    }
}
