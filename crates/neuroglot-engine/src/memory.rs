//! Planning of device memory: which floats of the arena belong to what.

/// A range of floats in a device's arena. A plain number pair: it can be copied, kept and reused freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Slot {
    offset: usize,
    len: usize,
    is_factors: bool,
}

impl Slot {
    /// First float.
    pub fn offset(self) -> usize {
        self.offset
    }

    /// Number of floats.
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether this is a slot of [`MemoryPlan::factors`].
    pub fn is_factors(self) -> bool {
        self.is_factors
    }

    /// The same floats, for any use.
    pub fn floats(self) -> Self {
        Self { is_factors: false, ..self }
    }

    /// True for a slot without floats.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The range of floats in the arena.
    pub fn range(self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len
    }

    /// Whether all floats of `other` belong to this slot.
    pub fn contains(self, other: Slot) -> bool {
        self.offset <= other.offset && other.range().end <= self.range().end
    }

    /// Whether some float belongs to both.
    pub fn overlaps(self, other: Slot) -> bool {
        self.offset.max(other.offset) < self.range().end.min(other.range().end)
    }

    /// The `len` floats of this slot that start at `offset`.
    ///
    /// # Panics
    /// Where they reach past the end of this slot.
    pub fn part(self, offset: usize, len: usize) -> Slot {
        assert!(offset + len <= self.len, "part {offset}+{len} of a slot of {} floats", self.len);
        Slot { offset: self.offset + offset, len, ..self }
    }
}

/// Hands out slots one behind the other, each aligned to a cache line.
///
/// A plan made by [`MemoryPlan::after`] starts where another ends, so several plans (one per batch shape) can share
/// the floats behind the parameters: only one of them is in use at a time.
#[derive(Debug, Clone, Default)]
pub struct MemoryPlan {
    floats: usize,
}

impl MemoryPlan {
    const LINE: usize = 16;

    /// An empty plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// A plan whose slots lie behind all slots of `other`.
    pub fn after(other: &MemoryPlan) -> Self {
        Self { floats: other.floats }
    }

    /// The next `len` floats. A plan of more floats than can be counted stays at the most that can, which no device has.
    pub fn slot(&mut self, len: usize) -> Slot {
        let slot = Slot { offset: self.floats, len, is_factors: false };
        self.floats =
            self.floats.saturating_add(len.checked_next_multiple_of(Self::LINE).unwrap_or(usize::MAX));
        slot
    }

    /// [`MemoryPlan::slot`] where it is wanted, else an empty one.
    pub fn slot_if(&mut self, is_wanted: bool, len: usize) -> Slot {
        if is_wanted { self.slot(len) } else { Slot::default() }
    }

    /// The next `len` floats, for rows of factors: operations write them and only products read them, and other operations
    /// that say so. A device that rounds factors may keep them rounded. They cannot be read by the host.
    pub fn factors(&mut self, len: usize) -> Slot {
        Slot { is_factors: true, ..self.slot(len) }
    }

    /// Floats that a device must reserve for this plan.
    pub fn floats(&self) -> usize {
        self.floats
    }
}
