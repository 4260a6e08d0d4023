//! Rows of marks, as bits.

/// Rows of marks, 32 to a word: the first of a row is the lowest bit of its first word. Bits behind a row's end are 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BitRows {
    width: usize,
    words: Vec<u32>,
}

impl BitRows {
    /// Becomes rows without a mark.
    pub(crate) fn clear(&mut self, rows: usize, width: usize) {
        self.width = width;
        self.words.clear();
        self.words.resize(rows * width.div_ceil(32), 0);
    }

    /// Becomes all rows of `other` so many times.
    pub(crate) fn repeat(&mut self, other: &Self, times: usize) {
        self.width = other.width;
        self.words = other.words.repeat(times);
    }

    pub(crate) fn mark(&mut self, row: usize, place: usize) {
        let of_row = self.width.div_ceil(32);
        self.words[row * of_row + place / 32] |= 1 << (place % 32);
    }

    pub(crate) fn is_marked(&self, row: usize, place: usize) -> bool {
        self.row(row)[place / 32] >> (place % 32) & 1 == 1
    }

    /// The words of a row.
    pub(crate) fn row(&self, row: usize) -> &[u32] {
        let of_row = self.width.div_ceil(32);
        &self.words[row * of_row..][..of_row]
    }

    /// The words of all rows.
    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    /// Marks of a row.
    pub(crate) fn count(&self, row: usize) -> usize {
        self.row(row).iter().map(|word| word.count_ones() as usize).sum()
    }
}
