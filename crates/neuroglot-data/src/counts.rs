//! Spike counts of a session, sparse.

use crate::RowProblem;

/// Spike counts `[trial, bin, unit]` of a session as one CSR matrix with a row per trial and bin.
///
/// Units ascend within a row, and no stored count is 0. A count takes one byte unless one of the session needs more.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeCounts {
    trials: usize,
    bins: usize,
    units: usize,
    /// Start of each row in `unit_indices`, and the end of the last: `trials * bins + 1` entries.
    row_starts: Vec<usize>,
    unit_indices: Vec<u32>,
    values: Values,
}

/// Counts in the narrowest unsigned type that holds the largest of them.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Values {
    fn push(&mut self, count: u32) {
        match self {
            Values::U8(values) => match u8::try_from(count) {
                Ok(count) => values.push(count),
                Err(_) => {
                    *self = Values::U16(values.iter().map(|&v| v.into()).collect());
                    self.push(count);
                }
            },
            Values::U16(values) => match u16::try_from(count) {
                Ok(count) => values.push(count),
                Err(_) => {
                    *self = Values::U32(values.iter().map(|&v| v.into()).collect());
                    self.push(count);
                }
            },
            Values::U32(values) => values.push(count),
        }
    }

    #[inline]
    fn get(&self, at: usize) -> u32 {
        match self {
            Values::U8(values) => values[at].into(),
            Values::U16(values) => values[at].into(),
            Values::U32(values) => values[at],
        }
    }
}

impl SpikeCounts {
    /// Number of trials.
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// Number of bins of a trial.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Number of entries of `[trial, bin, unit]` that are not zero.
    pub fn nonzero(&self) -> usize {
        self.unit_indices.len()
    }

    /// Number of spikes of the session.
    pub fn total(&self) -> u64 {
        (0..self.nonzero()).map(|at| u64::from(self.values.get(at))).sum()
    }

    /// `(unit, count)` of the units that fire in a bin of a trial, units ascending.
    ///
    /// # Panics
    /// If `trial` or `bin` is out of range.
    pub fn row(&self, trial: usize, bin: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        assert!(bin < self.bins, "bin {bin} of a session with {} bins", self.bins);
        let row = trial * self.bins + bin;
        (self.row_starts[row]..self.row_starts[row + 1])
            .map(|at| (self.unit_indices[at] as usize, self.values.get(at)))
    }

    /// `(bin, unit, count)` of a trial's entries that are not zero; bins ascend, and units within a bin.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn entries(&self, trial: usize) -> impl Iterator<Item = (usize, usize, u32)> + '_ {
        (0..self.bins).flat_map(move |bin| self.row(trial, bin).map(move |(unit, count)| (bin, unit, count)))
    }

    /// Fills `out`, `[bin, unit]`, with the counts (spikes/bin) of one trial.
    ///
    /// # Panics
    /// If `trial` is out of range or `out` has not bins × units elements.
    pub fn write_dense(&self, trial: usize, out: &mut [f32]) {
        assert_eq!(
            out.len(),
            self.bins * self.units,
            "out must be [bin, unit] = [{}, {}]",
            self.bins,
            self.units
        );
        out.fill(0.0);
        let starts = &self.row_starts[trial * self.bins..=(trial + 1) * self.bins];
        for (bin, row) in out.chunks_exact_mut(self.units).enumerate() {
            let range = starts[bin]..starts[bin + 1];
            let units = &self.unit_indices[range.clone()];
            match &self.values {
                Values::U8(values) => scatter(row, units, &values[range]),
                Values::U16(values) => scatter(row, units, &values[range]),
                // Counts above 2^24 lose digits in f32; no unit fires that often in a bin.
                Values::U32(values) => {
                    for (&unit, &count) in units.iter().zip(&values[range]) {
                        row[unit as usize] = count as f32;
                    }
                }
            }
        }
    }

    /// The counts of some units, in the order given.
    ///
    /// # Panics
    /// If a unit is out of range or occurs twice.
    pub(crate) fn select_units(&self, units: &[usize]) -> SpikeCounts {
        let mut place = vec![None; self.units];
        for (new, &old) in units.iter().enumerate() {
            assert!(place[old].replace(new as u32).is_none(), "unit {old} selected twice");
        }
        let mut builder = SpikeCountsBuilder::new(self.bins, units.len());
        for trial in 0..self.trials {
            for bin in 0..self.bins {
                builder.scratch.extend(
                    self.row(trial, bin)
                        .filter_map(|(unit, count)| place[unit].map(|new| (new, u64::from(count)))),
                );
                builder.scratch.sort_unstable();
                builder.end_row();
            }
        }
        builder.finish()
    }

    /// The counts of some trials, in the order given.
    ///
    /// # Panics
    /// If a trial is out of range.
    pub fn select_trials(&self, trials: &[usize]) -> SpikeCounts {
        let mut builder = SpikeCountsBuilder::new(self.bins, self.units);
        for &trial in trials {
            for bin in 0..self.bins {
                builder.push_row(self.row(trial, bin).map(|(unit, count)| (unit as u32, count)));
            }
        }
        builder.finish()
    }

    /// The trials of several parts of one session, one part after the other.
    ///
    /// # Panics
    /// If the parts differ in bins or units.
    pub(crate) fn concatenate(bins: usize, units: usize, parts: &[SpikeCounts]) -> SpikeCounts {
        let mut whole = SpikeCountsBuilder::new(bins, units);
        parts.iter().for_each(|part| whole.append(part));
        whole.finish()
    }
}

fn scatter<T: Copy + Into<f32>>(row: &mut [f32], units: &[u32], values: &[T]) {
    for (&unit, &count) in units.iter().zip(values) {
        row[unit as usize] = count.into();
    }
}

/// Collects the counts of a session trial by trial.
///
/// ```
/// use neuroglot_data::SpikeCountsBuilder;
/// let mut builder = SpikeCountsBuilder::new(2, 3); // 2 bins, 3 units
/// builder.push_dense(&[0, 1, 0, 2, 0, 300]);
/// let counts = builder.finish();
/// assert_eq!(counts.entries(0).collect::<Vec<_>>(), [(0, 1, 1), (1, 0, 2), (1, 2, 300)]);
/// ```
#[derive(Debug)]
pub struct SpikeCountsBuilder {
    bins: usize,
    units: usize,
    row_starts: Vec<usize>,
    unit_indices: Vec<u32>,
    values: Values,
    /// The row being collected; `u64` so that the sum of repeated entries cannot overflow.
    scratch: Vec<(u32, u64)>,
}

impl SpikeCountsBuilder {
    /// Starts without trials, for trials of `bins` × `units` counts.
    ///
    /// # Panics
    /// If `bins` or `units` is 0, or `units` exceeds 2³² − 1.
    pub fn new(bins: usize, units: usize) -> SpikeCountsBuilder {
        assert!(bins > 0 && units > 0 && u32::try_from(units).is_ok(), "{bins} bins, {units} units");
        SpikeCountsBuilder {
            bins,
            units,
            row_starts: vec![0],
            unit_indices: Vec::new(),
            values: Values::U8(Vec::new()),
            scratch: Vec::new(),
        }
    }

    /// Adds a trial from its dense counts `[bin, unit]` (spikes/bin).
    ///
    /// # Panics
    /// If `counts` has not bins × units elements.
    pub fn push_dense(&mut self, counts: &[u32]) {
        assert_eq!(counts.len(), self.bins * self.units, "counts must be [{}, {}]", self.bins, self.units);
        for row in counts.chunks_exact(self.units) {
            for (unit, &count) in row.iter().enumerate() {
                if count > 0 {
                    self.unit_indices.push(unit as u32);
                    self.values.push(count);
                }
            }
            self.row_starts.push(self.unit_indices.len());
        }
    }

    /// Adds the next bin of a trial from its entries `(unit, count)` that are not zero. A trial has as many rows as bins.
    ///
    /// # Panics
    /// If units do not ascend or are out of range, or a count is 0.
    pub fn push_row(&mut self, entries: impl Iterator<Item = (u32, u32)>) {
        let mut next = 0;
        for (unit, count) in entries {
            assert!(unit >= next && (unit as usize) < self.units && count > 0, "unit {unit}, count {count}");
            next = unit + 1;
            self.unit_indices.push(unit);
            self.values.push(count);
        }
        self.row_starts.push(self.unit_indices.len());
    }

    /// Adds all trials of other counts.
    ///
    /// # Panics
    /// If they are of other bins or units.
    pub fn append(&mut self, counts: &SpikeCounts) {
        let shapes = [(self.bins, self.units), (counts.bins, counts.units)];
        assert_eq!(shapes[0], shapes[1], "[bin, unit] of both counts");
        let before = self.unit_indices.len();
        self.row_starts.extend(counts.row_starts[1..].iter().map(|start| before + start));
        self.unit_indices.extend_from_slice(&counts.unit_indices);
        match (&mut self.values, &counts.values) {
            (Values::U8(own), Values::U8(more)) => own.extend_from_slice(more),
            _ => (0..counts.unit_indices.len()).for_each(|at| self.values.push(counts.values.get(at))),
        }
    }

    /// Adds a trial from a CSR matrix `[bin, unit]` as SciPy has it: entries may be unsorted, repeated (they add up)
    /// or zero.
    ///
    /// # Errors
    /// The column at fault (`data`, `indices` or `indptr`) and the problem: a row pointer that is ragged, an index out
    /// of range, or a count that is negative or above 2³² − 1. The builder is then as before the call.
    pub fn push_csr(
        &mut self,
        indptr: &[i64],
        indices: &[i64],
        data: &[i64],
    ) -> Result<(), (&'static str, RowProblem)> {
        let entries = data.len();
        if indptr.len() != self.bins + 1 {
            return Err((
                "indptr",
                RowProblem::IndptrLength { found: indptr.len(), expected: self.bins + 1 },
            ));
        }
        if indices.len() != entries {
            return Err(("indices", RowProblem::IndicesLength { found: indices.len(), expected: entries }));
        }
        let order = |at: usize| ("indptr", RowProblem::IndptrOrder { at, found: indptr[at], entries });
        if indptr[0] != 0 {
            return Err(order(0));
        }
        if let Some(at) = (1..=self.bins).find(|&at| indptr[at] < indptr[at - 1]) {
            return Err(order(at));
        }
        if indptr[self.bins] != entries as i64 {
            return Err(order(self.bins));
        }
        if let Some(&found) = indices.iter().find(|&&unit| unit < 0 || unit >= self.units as i64) {
            return Err(("indices", RowProblem::UnitIndex { found, units: self.units }));
        }
        // The sum bounds what repeated entries can add up to, so one check covers them too.
        let mut sum = 0i64;
        for &count in data {
            if !(0..=i64::from(u32::MAX)).contains(&count) {
                return Err(("data", RowProblem::Count(count)));
            }
            sum = sum.saturating_add(count);
        }
        let may_overflow = sum > i64::from(u32::MAX);
        let (rows_before, entries_before) = (self.row_starts.len(), self.unit_indices.len());
        for bin in 0..self.bins {
            let range = indptr[bin] as usize..indptr[bin + 1] as usize;
            let row = indices[range.clone()].iter().zip(&data[range]).filter(|(_, count)| **count > 0);
            self.scratch.extend(row.map(|(&unit, &count)| (unit as u32, count as u64)));
            if !self.scratch.is_sorted_by(|a, b| a.0 < b.0) {
                self.scratch.sort_unstable();
                self.scratch.dedup_by(|next, kept| {
                    let repeated = next.0 == kept.0;
                    if repeated {
                        kept.1 += next.1;
                    }
                    repeated
                });
            }
            if may_overflow
                && let Some(&(_, count)) = self.scratch.iter().find(|(_, n)| *n > u64::from(u32::MAX))
            {
                self.scratch.clear();
                self.row_starts.truncate(rows_before);
                self.unit_indices.truncate(entries_before);
                match &mut self.values {
                    Values::U8(values) => values.truncate(entries_before),
                    Values::U16(values) => values.truncate(entries_before),
                    Values::U32(values) => values.truncate(entries_before),
                }
                return Err(("data", RowProblem::Count(i64::try_from(count).unwrap_or(i64::MAX))));
            }
            self.end_row();
        }
        Ok(())
    }

    /// The counts of all trials added.
    ///
    /// # Panics
    /// If the last trial lacks rows.
    pub fn finish(self) -> SpikeCounts {
        let rows = self.row_starts.len() - 1;
        assert!(rows.is_multiple_of(self.bins), "{rows} rows of trials of {} bins", self.bins);
        SpikeCounts {
            trials: rows / self.bins,
            bins: self.bins,
            units: self.units,
            row_starts: self.row_starts,
            unit_indices: self.unit_indices,
            values: self.values,
        }
    }

    /// Moves the row in `scratch`, ascending and without zeros, to the matrix.
    fn end_row(&mut self) {
        for (unit, count) in self.scratch.drain(..) {
            self.unit_indices.push(unit);
            self.values.push(count as u32);
        }
        self.row_starts.push(self.unit_indices.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dense(counts: &SpikeCounts, trial: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; counts.bins() * counts.units()];
        counts.write_dense(trial, &mut out);
        out
    }

    #[test]
    fn scipy_entries_may_be_unsorted_repeated_and_zero() {
        let mut builder = SpikeCountsBuilder::new(2, 4);
        builder.push_csr(&[0, 4, 5], &[3, 0, 3, 1, 2], &[1, 2, 5, 0, 7]).unwrap();
        let counts = builder.finish();
        assert_eq!(counts.entries(0).collect::<Vec<_>>(), [(0, 0, 2), (0, 3, 6), (1, 2, 7)]);
        assert_eq!(dense(&counts, 0), [2.0, 0.0, 0.0, 6.0, 0.0, 0.0, 7.0, 0.0]);
        assert_eq!((counts.total(), counts.nonzero()), (15, 3));
    }

    #[test]
    fn rows_of_entries() {
        let mut builder = SpikeCountsBuilder::new(2, 300);
        builder.push_row([(0, 1), (299, 1000)].into_iter());
        builder.push_row(std::iter::empty());
        let counts = builder.finish();
        assert_eq!(counts.entries(0).collect::<Vec<_>>(), [(0, 0, 1), (0, 299, 1000)]);
    }

    #[test]
    #[should_panic(expected = "unit 1, count 2")]
    fn rows_must_ascend() {
        SpikeCountsBuilder::new(1, 4).push_row([(2, 1), (1, 2)].into_iter());
    }

    #[test]
    fn counts_follow_each_other() {
        let trials: [&[u32]; 3] = [&[0, 2, 1, 0], &[300, 0, 0, 0], &[0, 0, 0, 70_000]];
        let counts_of = |trials: &[&[u32]]| {
            let mut builder = SpikeCountsBuilder::new(2, 2);
            trials.iter().for_each(|counts| builder.push_dense(counts));
            builder.finish()
        };
        for cut in 0..=3 {
            let mut builder = SpikeCountsBuilder::new(2, 2);
            builder.append(&counts_of(&trials[..cut]));
            builder.append(&counts_of(&trials[cut..]));
            assert_eq!(builder.finish(), counts_of(&trials), "cut before trial {cut}");
        }
    }

    #[test]
    fn a_bad_matrix_names_its_column() {
        let push = |indptr: &[i64], indices: &[i64], data: &[i64]| {
            SpikeCountsBuilder::new(2, 3).push_csr(indptr, indices, data).unwrap_err()
        };
        assert_eq!(push(&[0, 1], &[0], &[1]), ("indptr", RowProblem::IndptrLength { found: 2, expected: 3 }));
        assert_eq!(
            push(&[0, 2, 1], &[0], &[1]),
            ("indptr", RowProblem::IndptrOrder { at: 2, found: 1, entries: 1 })
        );
        assert_eq!(
            push(&[0, 1, 1], &[0, 1], &[1, 1]),
            ("indptr", RowProblem::IndptrOrder { at: 2, found: 1, entries: 2 })
        );
        assert_eq!(
            push(&[-1, 0, 1], &[0], &[1]),
            ("indptr", RowProblem::IndptrOrder { at: 0, found: -1, entries: 1 })
        );
        assert_eq!(push(&[0, 1, 1], &[3], &[1]), ("indices", RowProblem::UnitIndex { found: 3, units: 3 }));
        assert_eq!(push(&[0, 1, 1], &[-1], &[1]), ("indices", RowProblem::UnitIndex { found: -1, units: 3 }));
        assert_eq!(push(&[0, 1, 1], &[0], &[-2]), ("data", RowProblem::Count(-2)));
        assert_eq!(
            push(&[0, 1, 1], &[], &[1]),
            ("indices", RowProblem::IndicesLength { found: 0, expected: 1 })
        );
    }

    #[test]
    fn repeated_entries_that_overflow_leave_the_builder_as_it_was() {
        let mut builder = SpikeCountsBuilder::new(2, 1);
        builder.push_dense(&[1, 2]);
        let largest = i64::from(u32::MAX);
        let error = builder.push_csr(&[0, 1, 3], &[0, 0, 0], &[5, largest, 1]).unwrap_err();
        assert_eq!(error, ("data", RowProblem::Count(largest + 1)));
        builder.push_dense(&[3, 4]);
        let counts = builder.finish();
        assert_eq!(counts.trials(), 2);
        assert_eq!(counts.entries(1).collect::<Vec<_>>(), [(0, 0, 3), (1, 0, 4)]);
    }

    #[test]
    fn selection_reorders_units_and_trials() {
        let mut builder = SpikeCountsBuilder::new(1, 3);
        builder.push_dense(&[1, 2, 3]);
        builder.push_dense(&[4, 0, 6]);
        let counts = builder.finish();
        let units = counts.select_units(&[2, 0]);
        assert_eq!(dense(&units, 0), [3.0, 1.0]);
        assert_eq!(dense(&units, 1), [6.0, 4.0]);
        let trials = counts.select_trials(&[1]);
        assert_eq!((trials.trials(), dense(&trials, 0)), (1, vec![4.0, 0.0, 6.0]));
    }

    proptest! {
        #[test]
        fn dense_to_csr_and_back(
            (bins, units, trials) in (1usize..5, 1usize..7).prop_flat_map(|(bins, units)| {
                let count = prop_oneof![
                    6 => Just(0u32), 3 => 1u32..5, 1 => 250u32..260, 1 => 65_530u32..70_000
                ];
                let trial = prop::collection::vec(count, bins * units);
                (Just(bins), Just(units), prop::collection::vec(trial, 1..5))
            })
        ) {
            let mut builder = SpikeCountsBuilder::new(bins, units);
            for trial in &trials {
                builder.push_dense(trial);
            }
            let counts = builder.finish();
            prop_assert_eq!(counts.trials(), trials.len());
            prop_assert_eq!(counts.total(), trials.iter().flatten().map(|&n| u64::from(n)).sum::<u64>());
            // Each part alone may be narrower than the whole.
            let parts: Vec<_> = (0..trials.len()).map(|trial| counts.select_trials(&[trial])).collect();
            prop_assert_eq!(&SpikeCounts::concatenate(bins, units, &parts), &counts);
            let mut again = SpikeCountsBuilder::new(bins, units);
            for (trial, expected) in trials.iter().enumerate() {
                let expected: Vec<f32> = expected.iter().map(|&n| n as f32).collect();
                prop_assert_eq!(&dense(&counts, trial), &expected);
                let (mut indptr, mut indices, mut data) = (vec![0i64], vec![], vec![]);
                for bin in 0..bins {
                    for (unit, count) in counts.row(trial, bin) {
                        indices.push(unit as i64);
                        data.push(i64::from(count));
                    }
                    indptr.push(data.len() as i64);
                }
                again.push_csr(&indptr, &indices, &data).unwrap();
            }
            prop_assert_eq!(again.finish(), counts);
        }
    }
}
