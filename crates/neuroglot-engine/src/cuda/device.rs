//! The device: an arena on the GPU, scratch room for operations, and passes recorded once.

use super::argument::{Arguments, DropoutArgument, Numbers};
use super::driver::{Address, Driver, Launch, THREADS};
use super::product::Precision;
use super::profiler::{Piece, Profiler};
use super::programs::Program;
use super::room::Room;
use crate::ops::*;
use crate::{Cost, Device, Dropout, EngineError, PassKey, Profile, Slot};
use std::collections::HashMap;

/// Bytes of a float.
pub(super) const FLOAT: usize = size_of::<f32>();

/// Runs operations on a GPU by its driver.
///
/// All work is queued; only [`Device::read`] waits for it. The first pass of a key runs its calls, which compiles
/// kernels and finds out how much room they need; the second records them; from then on the record is repeated, at the
/// cost of one call.
///
/// # Panics
/// Operations panic with the message of an [`EngineError`] where the GPU reports an error: its memory is lost then, so
/// a caller could do nothing but end.
pub struct CudaDevice<D: Driver> {
    passes: HashMap<PassKey, Pass<D::Recording>>,
    arena: Room,
    /// Sums of parts, and gradients behind a dropout.
    pub(super) scratch: Room,
    /// bf16 copies of factors.
    factors: Room,
    /// Seed and step of the dropouts, as four 32-bit words.
    dropout_key: Address,
    /// What `dropout_key` holds.
    dropout: Option<(u64, u64)>,
    /// Seed and step of the pass that runs now.
    inside: Option<Option<(u64, u64)>>,
    /// What the pass that is recorded now has so far.
    recorded: Option<Vec<Part<D::Recording>>>,
    precision: Precision,
    bytes_sent: u64,
    /// While a profile is taken.
    profiler: Option<Profiler>,
    pub(super) driver: D,
}

impl<D: Driver> Drop for CudaDevice<D> {
    fn drop(&mut self) {
        self.passes.clear();
        // A failure could only be that of earlier work, and would only keep the memory until the process ends.
        let _ = self.driver.release(self.dropout_key);
        for room in [&mut self.arena, &mut self.scratch, &mut self.factors] {
            let _ = room.release(&mut self.driver);
        }
    }
}

/// What is known of a pass.
enum Pass<Recording> {
    /// It ran once, so nothing it needs is missing any more.
    Ran,
    Recorded(Vec<Part<Recording>>),
}

/// A part of a recorded pass. What goes on between GPUs is begun anew each time: it is beside the work that is recorded.
enum Part<Recording> {
    Work(Recording),
    SumOverRanks(Slot),
}

/// The value, or the end with the error's words: see [`CudaDevice`] on panics.
pub(super) fn or_end<T>(result: Result<T, EngineError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

impl<D: Driver> CudaDevice<D> {
    /// A device with an empty arena.
    ///
    /// # Errors
    /// [`EngineError::OutOfMemory`] where not even a few bytes can be had, [`EngineError::Cuda`] where the GPU fails.
    pub fn with_driver(mut driver: D, precision: Precision) -> Result<Self, EngineError> {
        let dropout_key = driver.allocate(2 * size_of::<u64>())?;
        Ok(Self {
            passes: HashMap::new(),
            arena: Room::default(),
            scratch: Room::default(),
            factors: Room::default(),
            dropout_key,
            dropout: None,
            inside: None,
            recorded: None,
            precision,
            bytes_sent: 0,
            profiler: None,
            driver,
        })
    }

    /// How products are computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Where the floats of a slot begin.
    ///
    /// # Panics
    /// Where it lies outside the arena, or holds factors, which are no floats: mistakes in the calling model.
    pub(super) fn at(&self, slot: Slot) -> Address {
        assert!(!slot.is_factors(), "an operation that takes floats was given a slot of factors: {slot:?}");
        self.address(slot)
    }

    /// Whether the rows of `width` numbers in a slot are bf16. Each lies in the room of its floats, so that parts of the slot
    /// begin where they begin otherwise; it must begin on 16 bytes, which the fastest products ask for.
    pub(super) fn keeps_bfloat16(&self, slot: Slot, width: usize) -> bool {
        self.precision == Precision::Bf16 && slot.is_factors() && width.is_multiple_of(4)
    }

    /// Rows of `width` numbers in a slot, whatever they are kept as.
    pub(super) fn numbers(&self, slot: Slot, width: usize) -> Numbers {
        Numbers::new(self.address(slot), width, self.keeps_bfloat16(slot, width))
    }

    pub(super) fn address(&self, slot: Slot) -> Address {
        assert!(slot.range().end * FLOAT <= self.arena.bytes(), "{slot:?} lies outside the arena");
        self.arena.address().after(slot.offset() * FLOAT)
    }

    /// Arguments that begin with where slots begin.
    pub(super) fn slots<const N: usize>(&self, slots: [Slot; N]) -> Arguments {
        Arguments::of(slots.map(|slot| self.at(slot)))
    }

    /// Scratch room of `bytes` bytes until the operation ends; what it holds is not defined.
    pub(super) fn scratch_room(&mut self, bytes: usize) -> Address {
        self.grow(|device| &mut device.scratch, bytes)
    }

    /// Room of `bytes` bytes for copies of factors until the next call.
    pub(super) fn factor_room(&mut self, bytes: usize) -> Address {
        self.grow(|device| &mut device.factors, bytes)
    }

    /// Records hold addresses: they are forgotten when a room moves.
    fn grow(&mut self, room: impl Fn(&mut Self) -> &mut Room, bytes: usize) -> Address {
        let mut grown = std::mem::take(room(self));
        if bytes > grown.bytes() {
            assert!(
                self.recorded.is_none(),
                "a pass needs more room than when it ran first: its calls have changed"
            );
            self.passes.clear();
            or_end(grown.replace(&mut self.driver, bytes));
        }
        let address = grown.address();
        *room(self) = grown;
        address
    }

    /// The kernels' argument for a dropout, with seed and step brought to the device where they are not there yet.
    ///
    /// # Panics
    /// Where a pass was announced with other ones.
    pub(super) fn dropout_argument(&mut self, dropout: Option<Dropout>) -> DropoutArgument {
        let dropout = dropout.filter(Dropout::is_active);
        if let Some(Dropout { seed, step, .. }) = dropout {
            match self.inside {
                Some(announced) => {
                    assert_eq!(announced, Some((seed, step)), "seed and step of a pass's dropout")
                }
                None => self.set_dropout(seed, step),
            }
        }
        DropoutArgument::new(self.dropout_key, dropout)
    }

    fn set_dropout(&mut self, seed: u64, step: u64) {
        if self.dropout != Some((seed, step)) {
            self.send(self.dropout_key, bytemuck::bytes_of(&[seed, step]));
            self.dropout = Some((seed, step));
        }
    }

    /// Copies host bytes to the device, and counts them: every upload goes this way.
    pub(super) fn send(&mut self, to: Address, bytes: &[u8]) {
        self.bytes_sent += bytes.len() as u64;
        // The memory's bandwidth is no measure for it, and what is on the device already need not be sent.
        self.operation("send", Cost::default, |device| {
            device.run_piece(|| Piece::named("copy from the host"), |driver| driver.upload(to, bytes));
        });
    }

    /// Runs an operation, or a part of the one that runs now, and notes it where a profile is taken.
    fn operation(&mut self, name: &'static str, cost: impl FnOnce() -> Cost, work: impl FnOnce(&mut Self)) {
        let rounds = self.precision == Precision::Bf16;
        let cost = || if rounds { cost().with_rounded_factors() } else { cost() };
        let is_open = self.profiler.as_mut().is_some_and(|profiler| profiler.open(name, cost));
        work(self);
        if let Some(profiler) = self.profiler.as_mut().filter(|_| is_open) {
            profiler.close();
        }
    }

    /// One call of the driver, between two marks where a profile is taken.
    pub(super) fn run_piece(
        &mut self,
        piece: impl FnOnce() -> Piece,
        work: impl FnOnce(&mut D) -> Result<(), EngineError>,
    ) {
        if self.profiler.is_some() {
            or_end(self.driver.mark());
        }
        or_end(work(&mut self.driver));
        if let Some(profiler) = &mut self.profiler {
            or_end(self.driver.mark());
            profiler.push(piece());
        }
    }

    /// Records the calls of a pass.
    fn record(
        &mut self,
        dropout: Option<(u64, u64)>,
        work: &mut dyn FnMut(&mut dyn Device),
    ) -> Vec<Part<D::Recording>> {
        (self.inside, self.recorded) = (Some(dropout), Some(Vec::new()));
        or_end(self.driver.begin_recording());
        work(self);
        let last = or_end(self.driver.end_recording());
        let mut parts = self.recorded.take().unwrap_or_default();
        self.inside = None;
        parts.push(Part::Work(last));
        parts
    }

    /// Does what was recorded, which it returns.
    fn repeat(&mut self, parts: Vec<Part<D::Recording>>) -> Vec<Part<D::Recording>> {
        for part in &parts {
            match part {
                Part::Work(recording) => or_end(self.driver.replay(recording)),
                Part::SumOverRanks(slot) => self.sum_over_ranks(*slot),
            }
        }
        parts
    }

    /// Runs a kernel of the general program. A grid without blocks is no work.
    pub(super) fn launch(&mut self, kernel: &'static str, blocks: [u32; 2], arguments: Arguments) {
        let (program, shared_bytes, arguments) = (Program::General, 0, arguments.0);
        self.run(&Launch { program, kernel, blocks, shared_bytes, arguments });
    }

    /// Runs a kernel of any program.
    pub(super) fn run(&mut self, launch: &Launch) {
        if !launch.blocks.contains(&0) {
            self.run_piece(|| Piece::named(launch.kernel), |driver| driver.launch(launch));
        }
    }
}

/// Grid with one thread per element.
pub(super) fn per_element(elements: usize) -> [u32; 2] {
    [elements.div_ceil(THREADS as usize) as u32, 1]
}

/// Grid with one thread per eight elements, sixteen threads per 128.
pub(super) fn per_eight_elements(elements: usize) -> [u32; 2] {
    per_element(elements.div_ceil(128) * 16)
}

/// Grid with one warp per row.
pub(super) fn per_row(rows: usize) -> [u32; 2] {
    per_element(rows * 32)
}

/// Methods of [`Device`] that launch an operation, which the file of its kind does.
macro_rules! launch {
    ($($name:ident($op:ty), $cost:ident => $run:ident;)*) => {
        $(fn $name(&mut self, op: &$op) {
            self.operation(stringify!($name), || op.$cost(), |device| device.$run(op));
        })*
    };
}

impl<D: Driver> Device for CudaDevice<D> {
    fn description(&self) -> String {
        format!("{}, {} products", self.driver.description(), self.precision)
    }

    fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    fn start_profile(&mut self) -> Result<(), EngineError> {
        self.driver.check_intervals()?;
        self.profiler = Some(Profiler::default());
        Ok(())
    }

    fn take_profile(&mut self) -> Profile {
        let Some(profiler) = self.profiler.take() else { return Profile::default() };
        // From the mark before a piece to the one behind it; what lies between pieces is the host's time.
        let times = or_end(self.driver.take_intervals()).into_iter().step_by(2);
        profiler.finish(times, &self.driver.rates(), self.precision)
    }

    fn reserve(&mut self, floats: usize) -> Result<(), EngineError> {
        let bytes = floats.saturating_mul(FLOAT);
        if bytes > self.arena.bytes() {
            self.passes.clear();
            self.arena.extend(&mut self.driver, bytes)?;
        }
        Ok(())
    }

    fn write(&mut self, slot: Slot, values: &[f32]) {
        assert_eq!(slot.len(), values.len(), "values for a slot");
        assert!(self.inside.is_none(), "a pass must not write slots from the host");
        self.send(self.at(slot), bytemuck::cast_slice(values));
    }

    fn read(&self, slot: Slot, values: &mut [f32]) {
        assert_eq!(slot.len(), values.len(), "values of a slot");
        assert!(self.inside.is_none(), "a pass must not read slots");
        or_end(self.driver.download(self.at(slot), bytemuck::cast_slice_mut(values)));
    }

    fn fill(&mut self, slot: Slot, value: f32) {
        if !slot.is_empty() {
            let at = self.at(slot);
            self.operation(
                "fill",
                || Cost::of_slots([slot]),
                |device| {
                    device.run_piece(|| Piece::named("fill"), |driver| driver.fill(at, slot.len(), value));
                },
            );
        }
    }

    fn copy(&mut self, from: Slot, to: Slot) {
        assert_eq!(from.len(), to.len(), "slots of a copy");
        if from.is_empty() {
            return;
        }
        let (source, place, bytes) = (self.at(from), self.at(to), from.len() * FLOAT);
        self.operation(
            "copy",
            || Cost::of_slots([from, to]),
            |device| {
                device.run_piece(|| Piece::named("copy"), |driver| driver.copy(source, place, bytes));
            },
        );
    }

    fn add(&mut self, from: Slot, to: Slot) {
        let cost = || Cost::of_slots([from, to, to]);
        self.operation("add", cost, |device| device.run_add(from, to));
    }

    fn pass(
        &mut self,
        key: Option<PassKey>,
        dropout: Option<(u64, u64)>,
        work: &mut dyn FnMut(&mut dyn Device),
    ) {
        assert!(self.inside.is_none(), "a pass within a pass");
        if let Some((seed, step)) = dropout {
            self.set_dropout(seed, step);
        }
        let Some(key) = key.filter(|_| self.profiler.is_none()) else {
            self.inside = Some(dropout);
            work(self);
            self.inside = None;
            return;
        };
        let pass = match self.passes.remove(&key) {
            Some(Pass::Recorded(parts)) => Pass::Recorded(self.repeat(parts)),
            Some(Pass::Ran) => {
                let parts = self.record(dropout, work);
                Pass::Recorded(self.repeat(parts))
            }
            None => {
                self.inside = Some(dropout);
                work(self);
                self.inside = None;
                Pass::Ran
            }
        };
        self.passes.insert(key, pass);
    }

    fn forget_passes(&mut self) {
        self.passes.clear();
    }

    fn spare_bytes(&self) -> Option<usize> {
        Some(or_end(self.driver.spare_bytes()))
    }

    fn group_id(&self) -> Result<Vec<u8>, EngineError> {
        self.driver.group_id()
    }

    fn join_group(&mut self, id: &[u8], rank: usize, ranks: usize) -> Result<(), EngineError> {
        self.driver.join_group(id, rank, ranks)
    }

    fn ranks(&self) -> usize {
        self.driver.ranks()
    }

    fn sum_over_ranks(&mut self, slot: Slot) {
        if slot.is_empty() {
            return;
        }
        match &mut self.recorded {
            Some(parts) => {
                parts.push(Part::Work(or_end(self.driver.end_recording())));
                parts.push(Part::SumOverRanks(slot));
                or_end(self.driver.begin_recording());
            }
            None => or_end(self.driver.sum_over_ranks(self.at(slot), slot.len())),
        }
    }

    fn wait_for_ranks(&mut self) {
        or_end(self.driver.wait_for_ranks());
    }

    fn broadcast(&mut self, slot: Slot, from: usize) {
        if !slot.is_empty() {
            or_end(self.driver.broadcast(self.at(slot), slot.len(), from));
            self.wait_for_ranks();
        }
    }

    launch! {
        shown_counts(ShownCounts), cost => run_shown_counts;
        counts_linear(CountsLinear), cost => run_counts_linear;
        counts_linear_backward(CountsLinearBackward), cost => run_counts_linear_backward;
        compose(Compose), cost => run_compose;
        compose_backward(ComposeBackward), cost => run_compose_backward;
        select_rows(SelectRows), cost => run_select_rows;
        select_rows_backward(SelectRows), backward_cost => run_select_rows_backward;
        linear(Linear), cost => run_linear;
        linear_backward(LinearBackward), cost => run_linear_backward;
        layer_norm(LayerNorm), cost => run_layer_norm;
        layer_norm_backward(LayerNormBackward), cost => run_layer_norm_backward;
        scale_norm(ScaleNorm), cost => run_scale_norm;
        scale_norm_backward(ScaleNormBackward), cost => run_scale_norm_backward;
        attention(Attention), cost => run_attention;
        attention_backward(AttentionBackward), cost => run_attention_backward;
        rope(Rope), cost => run_rope;
        token_rows(TokenRows), cost => run_token_rows;
        token_rows_backward(TokenRows), backward_cost => run_token_rows_backward;
        drop_prefix(DropPrefix), cost => run_drop_prefix;
        drop_prefix_backward(DropPrefix), backward_cost => run_drop_prefix_backward;
        patch_positions(PatchPositions), cost => run_patch_positions;
        patch_positions_backward(PatchPositions), cost => run_patch_positions_backward;
        poisson_loss(PoissonLoss), cost => run_poisson_loss;
        adamw(AdamW<'_>), cost => run_adamw;
    }
}
