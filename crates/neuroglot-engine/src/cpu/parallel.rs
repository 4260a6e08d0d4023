//! Sharing element-wise work among threads. Pieces have a fixed size, so results never depend on the thread count.

/// Floats per piece: large enough to hide the hand-over, small enough for the second-level cache.
pub(crate) const PIECE: usize = 16 * 1024;

/// Runs a closure with the widest vector instructions of this processor; loops inside it vectorise.
#[inline(always)]
pub(crate) fn simd<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Rows per piece for rows of `width` floats.
pub(crate) fn rows_per_piece(width: usize) -> usize {
    (PIECE / width.max(1)).max(1)
}

/// A slice whose rows several threads write to at different columns.
#[derive(Clone, Copy)]
pub(crate) struct SharedRows<'a> {
    start: *mut f32,
    len: usize,
    lifetime: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: a `SharedRows` is made from an exclusive borrow; `slice` hands out parts of it under the caller's promise
// that no two live parts overlap, so moving the pointer between threads is as safe as moving those parts.
unsafe impl Send for SharedRows<'_> {}
// SAFETY: as above.
unsafe impl Sync for SharedRows<'_> {}

impl<'a> SharedRows<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), lifetime: std::marker::PhantomData }
    }

    /// The floats from `offset` on.
    pub(crate) fn from(&self, offset: usize) -> Self {
        assert!(offset <= self.len);
        // SAFETY: inside the borrowed slice by the check above.
        Self { start: unsafe { self.start.add(offset) }, len: self.len - offset, ..*self }
    }

    /// The floats `offset..offset + len`.
    ///
    /// # Safety
    /// No other live part may overlap this one.
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, offset: usize, len: usize) -> &'a mut [f32] {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: inside the borrowed slice by the check above, and exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), len) }
    }

    /// The place of a tile of `rows` rows of `columns` floats, `stride` floats apart.
    ///
    /// # Safety
    /// No live part may hold any of these floats while the tile is used; those between its columns may be in use
    /// elsewhere.
    #[inline(always)]
    pub(crate) unsafe fn tile(&self, offset: usize, rows: usize, columns: usize, stride: usize) -> *mut f32 {
        assert!(rows > 0 && offset + (rows - 1) * stride + columns <= self.len);
        // SAFETY: inside the borrowed slice by the check above.
        unsafe { self.start.add(offset) }
    }
}
