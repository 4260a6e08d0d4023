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

/// One cache line of floats, so that every slot of a plan starts on a line.
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

    fn shown_counts(&mut self, op: &ShownCounts) {
        let slots = [op.of.table, op.of.marks, op.columns, op.mean, op.deviation, op.x];
        self.run(slots, |[table, marks, columns, mean, deviation, x]| {
            op.forward([table, marks, columns], [mean, deviation], x);
        });
    }

    fn counts_linear(&mut self, op: &CountsLinear) {
        self.run([op.x, op.weight, op.bias, op.y], |[x, weight, bias, y]| op.forward(x, weight, bias, y));
    }

    fn counts_linear_backward(&mut self, op: &CountsLinearBackward) {
        let mut counts = std::mem::take(&mut self.counts);
        self.run([op.x, op.z_gradient, op.weight_gradient, op.bias_gradient], |[x, dz, dw, db]| {
            op.backward(x, dz, dw, db, &mut counts);
        });
        self.counts = counts;
    }

    fn compose(&mut self, op: &Compose) {
        let slots = [op.inner_weight, op.inner_bias, op.outer_weight, op.outer_bias, op.weight, op.bias];
        self.run(slots, |[v, c, u, d, weight, bias]| op.forward([v, c], [u, d], weight, bias));
    }

    fn compose_backward(&mut self, op: &ComposeBackward) {
        let slots = [
            op.inner_weight,
            op.inner_bias,
            op.outer_weight,
            op.weight_gradient,
            op.bias_gradient,
            op.inner_weight_gradient,
            op.inner_bias_gradient,
            op.outer_weight_gradient,
            op.outer_bias_gradient,
        ];
        self.run(slots, |[v, c, u, dw, db, dv, dc, du, dd]| {
            op.backward([v, c], u, [dw, db], [dv, dc], [du, dd]);
        });
    }

    fn select_rows(&mut self, op: &SelectRows) {
        self.run([op.x, op.indices, op.y], |[x, indices, y]| op.forward(x, indices, y));
    }

    fn select_rows_backward(&mut self, op: &SelectRowsBackward) {
        self.run([op.indices, op.y_gradient, op.x_gradient], |[indices, dy, dx]| {
            op.backward(indices, dy, dx);
        });
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
        let z = match op.before {
            Before::Gelu { z } => z,
            _ => Slot::default(),
        };
        let slots = [op.x, op.weight, op.y_gradient, op.x_gradient, op.weight_gradient, op.bias_gradient, z];
        let mut room = std::mem::take(&mut self.room);
        self.run(slots, |[x, weight, dy, dx, dw, db, z]| {
            op.backward(x, weight, dy, dx, dw, db, z, &mut room)
        });
        self.room = room;
    }

    fn layer_norm(&mut self, op: &LayerNorm) {
        self.run([op.x, op.gain, op.bias, op.y, op.statistics], |[x, gain, bias, y, statistics]| {
            op.forward(x, gain, bias, y, statistics);
        });
    }

    fn layer_norm_backward(&mut self, op: &LayerNormBackward) {
        let slots =
            [op.x, op.gain, op.statistics, op.y_gradient, op.x_gradient, op.gain_gradient, op.bias_gradient];
        self.run(slots, |[x, gain, statistics, dy, dx, dgain, dbias]| {
            op.backward(x, gain, statistics, dy, dx, dgain, dbias);
        });
    }

    fn scale_norm(&mut self, op: &ScaleNorm) {
        self.run([op.x, op.gain, op.y, op.statistics], |[x, gain, y, statistics]| {
            op.forward(x, gain, y, statistics);
        });
    }

    fn scale_norm_backward(&mut self, op: &ScaleNormBackward) {
        let slots = [op.x, op.gain, op.statistics, op.y_gradient, op.x_gradient, op.gain_gradient];
        self.run(slots, |[x, gain, statistics, dy, dx, dgain]| {
            op.backward(x, gain, statistics, dy, dx, dgain);
        });
    }

    fn attention(&mut self, op: &Attention) {
        self.run([op.qkv, op.y, op.log_sums], |[qkv, y, log_sums]| op.forward(qkv, y, log_sums));
    }

    fn attention_backward(&mut self, op: &AttentionBackward) {
        let mut room = std::mem::take(&mut self.room);
        self.run([op.qkv, op.log_sums, op.y_gradient, op.qkv_gradient], |[qkv, log_sums, dy, dqkv]| {
            op.backward(qkv, log_sums, dy, dqkv, &mut room);
        });
        self.room = room;
    }

    fn rope(&mut self, op: &Rope) {
        self.run([op.table, op.qkv], |[table, qkv]| op.rotate(table, qkv));
    }

    fn token_rows(&mut self, op: &TokenRows) {
        self.run(
            [op.bins, op.positions, op.first, op.second, op.tokens],
            |[bins, positions, a, b, tokens]| {
                op.forward(bins, positions, [a, b], tokens);
            },
        );
    }

    fn token_rows_backward(&mut self, op: &TokenRowsBackward) {
        let slots = [
            op.tokens_gradient,
            op.bins_gradient,
            op.positions_gradient,
            op.first_gradient,
            op.second_gradient,
        ];
        self.run(slots, |[dtokens, dbins, dpositions, a, b]| {
            op.backward(dtokens, dbins, dpositions, [a, b]);
        });
    }

    fn drop_prefix(&mut self, op: &DropPrefix) {
        self.run([op.tokens, op.bins], |[tokens, bins]| op.forward(tokens, bins));
    }

    fn drop_prefix_backward(&mut self, op: &DropPrefix) {
        self.run([op.tokens, op.bins], |[tokens, bins]| op.backward(bins, tokens));
    }

    fn patch_positions(&mut self, op: &PatchPositions) {
        self.run(
            [op.time, op.space, op.region, op.region_of_patch, op.y],
            |[time, space, region, region_of_patch, y]| op.forward(time, space, region, region_of_patch, y),
        );
    }

    fn patch_positions_backward(&mut self, op: &PatchPositionsBackward) {
        let slots =
            [op.region_of_patch, op.y_gradient, op.time_gradient, op.space_gradient, op.region_gradient];
        self.run(slots, |[region_of_patch, dy, dtime, dspace, dregion]| {
            op.backward(region_of_patch, dy, dtime, dspace, dregion);
        });
    }

    fn poisson_loss(&mut self, op: &PoissonLoss) {
        let slots = [op.of.table, op.of.marks, op.columns, op.log_rates, op.gradient, op.loss];
        self.run(slots, |[table, marks, columns, l, dl, loss]| {
            op.forward_backward([table, marks, columns], l, dl, loss);
        });
    }

    fn adamw(&mut self, op: &AdamW<'_>) {
        self.run(
            [op.values, op.gradients, op.first_moments, op.second_moments],
            |[values, gradients, first, second]| op.update(values, gradients, first, second),
        );
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
