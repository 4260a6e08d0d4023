//! Trials of a batch: where their counts lie, and what is hidden of them. [`ShownCounts`](super::ShownCounts) and
//! [`PoissonLoss`](super::PoissonLoss) read them.

use crate::{Cost, Slot};

/// Trials of a batch, taken from a table of trials, and what is hidden and scored of them.
///
/// The table stays on the device from batch to batch; what is sent for a batch is the marks, some words for each trial.
#[derive(Debug, Clone, Copy)]
pub struct MaskedTrials {
    /// Trials of the batch.
    pub trials: usize,
    /// Bins of a trial.
    pub bins: usize,
    /// Units of a bin.
    pub units: usize,
    /// Counts of all trials, as [`CountFormat`] packs them, read.
    pub table: Slot,
    /// How.
    pub format: CountFormat,
    /// Words as [`MarkLayout`] has them, read.
    pub marks: Slot,
    /// Whether single entries are marked too.
    pub has_entries: bool,
}

impl MaskedTrials {
    /// What it costs at least to read the batch's trials.
    pub fn cost(&self) -> Cost {
        Cost::of_floats(self.trials * self.format.floats(self.bins * self.units) + self.marks.len())
    }
}

/// How the counts `[bin, unit]` of a trial lie in the floats of a slot, packed without a gap. Each trial starts on a float. A
/// greater format keeps whatever a smaller one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountFormat {
    /// A byte for each: whole numbers up to 255.
    U8,
    /// Two bytes for each: whole numbers up to 65535.
    U16,
    /// A float for each.
    F32,
}

impl CountFormat {
    /// The shortest format that keeps all of these as they are.
    pub fn for_counts(counts: &[f32]) -> Self {
        // Equal as bits too: −0 is no whole number to be kept.
        let changed = |back: fn(f32) -> f32| {
            counts.iter().fold(0, |bits, count| bits | (back(*count).to_bits() ^ count.to_bits()))
        };
        if changed(|count| f32::from(low_bits(count) as u8)) == 0 {
            CountFormat::U8
        } else if changed(|count| f32::from(low_bits(count) as u16)) == 0 {
            CountFormat::U16
        } else {
            CountFormat::F32
        }
    }

    /// Bytes of a count.
    pub fn bytes(self) -> usize {
        match self {
            CountFormat::U8 => 1,
            CountFormat::U16 => 2,
            CountFormat::F32 => 4,
        }
    }

    /// Floats of a slot that a trial of so many counts takes.
    pub fn floats(self, counts: usize) -> usize {
        counts.saturating_mul(self.bytes()).div_ceil(size_of::<f32>())
    }

    /// Packs the counts of one trial into its floats.
    ///
    /// # Panics
    /// Where there are not as many floats as [`CountFormat::floats`] says.
    pub fn pack(self, counts: &[f32], floats: &mut [f32]) {
        assert_eq!(floats.len(), self.floats(counts.len()), "floats of a trial");
        match self {
            CountFormat::U8 => {
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(floats);
                bytes.iter_mut().zip(counts).for_each(|(byte, count)| *byte = low_bits(*count) as u8);
            }
            CountFormat::U16 => {
                let pairs: &mut [u16] = bytemuck::cast_slice_mut(floats);
                pairs.iter_mut().zip(counts).for_each(|(pair, count)| *pair = low_bits(*count) as u16);
            }
            CountFormat::F32 => floats.copy_from_slice(counts),
        }
    }

    /// The counts that begin with the `first` of a trial's.
    fn unpack(self, floats: &[f32], first: usize, counts: &mut [f32]) {
        let range = first..first + counts.len();
        match self {
            CountFormat::U8 => {
                let bytes: &[u8] = &bytemuck::cast_slice(floats)[range];
                counts.iter_mut().zip(bytes).for_each(|(count, byte)| *count = f32::from(*byte));
            }
            CountFormat::U16 => {
                let pairs: &[u16] = &bytemuck::cast_slice(floats)[range];
                counts.iter_mut().zip(pairs).for_each(|(count, pair)| *count = f32::from(*pair));
            }
            CountFormat::F32 => counts.copy_from_slice(&floats[range]),
        }
    }
}

/// Bits of which the lowest 16 are those of a whole number up to 65535: at 2^23, floats are one apart. In vectors, it takes a
/// fifth of the time of a cast, which treats all other numbers with care.
#[inline(always)]
fn low_bits(count: f32) -> u32 {
    (count + 8_388_608.0).to_bits()
}

/// The words of marks, in their order. Marks are bits, 32 to a word, the first in the lowest; each row begins with a word of its
/// own.
#[derive(Debug, Clone, Copy)]
pub struct MarkLayout {
    /// `[trial]`: the trial's place in the table, and [`MarkLayout::REVERSED`] where its bins are read from the last to the first.
    pub places: usize,
    /// `[trial, unit]` bits: units hidden in all bins.
    pub units: usize,
    /// `[trial, bin]` bits: bins hidden of all units.
    pub bins: usize,
    /// `[unit]` bits: units that are scored where they are hidden.
    pub scored: usize,
    /// `[trial, bin, unit]` bits: entries hidden by themselves.
    pub entries: usize,
}

impl MarkLayout {
    /// Of a trial whose bins are read from the last to the first.
    pub const REVERSED: u32 = 1 << 31;

    /// Number of words of each part.
    pub fn new(trials: usize, bins: usize, units: usize, has_entries: bool) -> Self {
        let of_units = units.div_ceil(32);
        Self {
            places: trials,
            units: trials * of_units,
            bins: trials * bins.div_ceil(32),
            scored: of_units,
            entries: if has_entries { trials * bins * of_units } else { 0 },
        }
    }

    /// Words of all parts.
    pub fn words(&self) -> usize {
        self.places + self.units + self.bins + self.scored + self.entries
    }
}

/// The trials of a batch, read on the host.
pub(crate) struct TrialReader<'a> {
    of: &'a MaskedTrials,
    table: &'a [f32],
    places: &'a [u32],
    units: &'a [u32],
    bins: &'a [u32],
    scored: &'a [u32],
    entries: &'a [u32],
}

impl<'a> TrialReader<'a> {
    pub fn new(of: &'a MaskedTrials, table: &'a [f32], marks: &'a [f32]) -> Self {
        let layout = MarkLayout::new(of.trials, of.bins, of.units, of.has_entries);
        let words: &[u32] = bytemuck::cast_slice(marks);
        let (places, words) = words.split_at(layout.places);
        let (units, words) = words.split_at(layout.units);
        let (bins, words) = words.split_at(layout.bins);
        let (scored, entries) = words.split_at(layout.scored);
        Self { of, table, places, units, bins, scored, entries }
    }

    /// Reads counts `[unit]` of a row `[trial · bin]`, and all ones for a unit that is hidden in it, zeros for others.
    #[inline(always)]
    pub fn row(&self, row: usize, counts: &mut [f32], hidden: &mut [u32]) {
        let MaskedTrials { bins, units, format, .. } = *self.of;
        let (trial, bin) = (row / bins, row % bins);
        let place = self.places[trial];
        let is_reversed = place & MarkLayout::REVERSED != 0;
        let stride = format.floats(bins * units);
        let table = &self.table[(place & !MarkLayout::REVERSED) as usize * stride..][..stride];
        format.unpack(table, if is_reversed { bins - 1 - bin } else { bin } * units, counts);
        if bit(&self.bins[trial * bins.div_ceil(32)..], bin) {
            return hidden.fill(u32::MAX);
        }
        let of_row = units.div_ceil(32);
        let entries = if self.of.has_entries { &self.entries[row * of_row..][..of_row] } else { &[] };
        let words = self.units[trial * of_row..][..of_row].iter().enumerate();
        for ((place, word), hidden) in words.zip(hidden.chunks_mut(32)) {
            let word = word | entries.get(place).copied().unwrap_or(0);
            spread(word, hidden);
        }
    }

    /// All ones for a unit that is scored where it is hidden, zeros for others.
    pub fn scored(&self) -> Vec<u32> {
        let mut scored = vec![0; self.of.units];
        for (word, scored) in self.scored.iter().zip(scored.chunks_mut(32)) {
            spread(*word, scored);
        }
        scored
    }
}

/// All ones in the places of the bits that are set, zeros in the others.
#[inline(always)]
fn spread(word: u32, places: &mut [u32]) {
    for (place, ones) in places.iter_mut().enumerate() {
        *ones = (word >> place & 1).wrapping_neg();
    }
}

fn bit(words: &[u32], index: usize) -> bool {
    words[index / 32] >> (index % 32) & 1 == 1
}

/// The unit of a column, from its number as a float; `None` where the number is not below `units`.
#[inline(always)]
pub(crate) fn unit_of(column: f32, units: usize) -> Option<usize> {
    (column >= 0.0 && column < units as f32).then_some(column as usize)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A bit for each place where `is_set`, as the rows of marks have them.
    pub(crate) fn bits(rows: usize, width: usize, is_set: impl Fn(usize, usize) -> bool) -> Vec<u32> {
        let mut words = vec![0; rows * width.div_ceil(32)];
        for row in 0..rows {
            for place in (0..width).filter(|place| is_set(row, *place)) {
                words[row * width.div_ceil(32) + place / 32] |= 1 << (place % 32);
            }
        }
        words
    }

    #[test]
    fn counts_are_kept_in_the_shortest_format_that_holds_them() {
        for (counts, format) in [
            (vec![0.0, 1.0, 255.0], CountFormat::U8),
            (vec![256.0, 0.0, 65_535.0], CountFormat::U16),
            (vec![65_536.0], CountFormat::F32),
            (vec![0.5, 1.0], CountFormat::F32),
            (vec![-1.0], CountFormat::F32),
            (vec![f32::NAN], CountFormat::F32),
            (vec![-0.0], CountFormat::F32),
        ] {
            assert_eq!(CountFormat::for_counts(&counts), format, "{counts:?}");
            let mut floats = vec![0.0; format.floats(counts.len())];
            format.pack(&counts, &mut floats);
            let mut back = vec![0.0; counts.len()];
            format.unpack(&floats, 0, &mut back);
            let same = back.iter().zip(&counts).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{counts:?} came back as {back:?}");
        }
    }

    #[test]
    fn a_row_is_what_its_trial_holds_and_hides() {
        let (bins, units) = (3, 35);
        let counts = |trial: usize, bin: usize, unit: usize| ((trial * bins + bin) * units + unit) % 251;
        for format in [CountFormat::U8, CountFormat::U16, CountFormat::F32] {
            let mut table = vec![0.0; 4 * format.floats(bins * units)];
            for (trial, floats) in table.chunks_mut(format.floats(bins * units)).enumerate() {
                let of_trial: Vec<f32> = (0..bins * units)
                    .map(|entry| counts(trial, entry / units, entry % units) as f32)
                    .collect();
                format.pack(&of_trial, floats);
            }
            for has_entries in [false, true] {
                let mut words = vec![3, 1 | MarkLayout::REVERSED];
                words.extend(bits(2, units, |trial, unit| trial == 1 && unit == 34));
                words.extend(bits(2, bins, |trial, bin| trial == 0 && bin == 1));
                words.extend(bits(1, units, |_, unit| unit % 2 == 0));
                if has_entries {
                    words.extend(bits(2 * bins, units, |row, unit| row == 5 && unit == 7));
                }
                let marks: Vec<f32> = words.iter().map(|word| f32::from_bits(*word)).collect();
                let (table_slot, marks_slot) = (Slot::default(), Slot::default());
                let of = MaskedTrials {
                    trials: 2,
                    bins,
                    units,
                    table: table_slot,
                    format,
                    marks: marks_slot,
                    has_entries,
                };
                assert_eq!(marks.len(), MarkLayout::new(2, bins, units, has_entries).words());
                let reader = TrialReader::new(&of, &table, &marks);
                let (mut row_counts, mut hidden) = (vec![0.0; units], vec![0; units]);
                for row in 0..2 * bins {
                    reader.row(row, &mut row_counts, &mut hidden);
                    for unit in 0..units {
                        let (trial, bin) = (row / bins, row % bins);
                        let expected =
                            if trial == 0 { counts(3, bin, unit) } else { counts(1, bins - 1 - bin, unit) };
                        assert_eq!(row_counts[unit], expected as f32);
                        let is_hidden = (trial == 1 && unit == 34)
                            || (trial == 0 && bin == 1)
                            || (has_entries && row == 5 && unit == 7);
                        assert_eq!(hidden[unit], if is_hidden { u32::MAX } else { 0 }, "{row} {unit}");
                    }
                }
                let scored = reader.scored();
                assert!((0..units).all(|unit| (scored[unit] != 0) == (unit % 2 == 0)));
            }
        }
    }
}
