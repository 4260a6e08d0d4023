//! What a network reads of counts: 0 of what is hidden, and of others the counts or how far they are from usual.

use super::masked_trials::{TrialReader, unit_of};
use crate::cpu::parallel::{rows_per_piece, simd};
use crate::ops::MaskedTrials;
use crate::{Cost, Slot};
use rayon::prelude::*;

/// x = visible · (y − mean) / deviation for counts y, or visible · y where there are no statistics; each column of x is a unit.
#[derive(Debug, Clone, Copy)]
pub struct ShownCounts {
    /// The counts, and what is hidden of them.
    pub of: MaskedTrials,
    /// The unit of each column as a float, read; one that is not below the number of units makes a column of
    /// [`ShownCounts::padding`]. Empty: the units in their order.
    pub columns: Slot,
    /// What stands in columns without a unit.
    pub padding: f32,
    /// `[unit]`, spikes/bin, read; empty where counts are read as they are.
    pub mean: Slot,
    /// `[unit]`, spikes/bin, read; as long as the mean.
    pub deviation: Slot,
    /// `[trial, bin, column]`, written.
    pub x: Slot,
}

impl ShownCounts {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        self.of.cost() + Cost::of_slots([self.columns, self.mean, self.deviation, self.x])
    }

    pub(crate) fn slots(&self) -> [Slot; 6] {
        [self.of.table, self.of.marks, self.columns, self.mean, self.deviation, self.x]
    }

    pub(crate) fn forward(&self, [table, marks, columns, mean, deviation, x]: [&mut [f32]; 6]) {
        let reader = TrialReader::new(&self.of, table, marks);
        let units = self.of.units;
        let width = if columns.is_empty() { units } else { columns.len() };
        let piece = rows_per_piece(width);
        x.par_chunks_mut(piece * width).enumerate().for_each(|(index, x)| {
            let (mut counts, mut hidden) = (vec![0.0; units], vec![0; units]);
            for (row, x) in x.chunks_exact_mut(width).enumerate() {
                simd(
                    #[inline(always)]
                    || {
                        reader.row(index * piece + row, &mut counts, &mut hidden);
                        show([mean, deviation], &hidden, &mut counts);
                    },
                );
                if columns.is_empty() {
                    x.copy_from_slice(&counts);
                    continue;
                }
                for (x, column) in x.iter_mut().zip(&*columns) {
                    *x = unit_of(*column, units).map_or(self.padding, |unit| counts[unit]);
                }
            }
        });
    }
}

/// Counts of a row become what is read of them.
#[inline(always)]
fn show([mean, deviation]: [&[f32]; 2], hidden: &[u32], counts: &mut [f32]) {
    for (count, (mean, deviation)) in counts.iter_mut().zip(mean.iter().zip(deviation)) {
        *count = (*count - mean) / deviation;
    }
    for (count, hidden) in counts.iter_mut().zip(hidden) {
        *count = f32::from_bits(count.to_bits() & !hidden);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::masked_trials::tests::bits;
    use crate::ops::{CountFormat, ShownCounts};
    use crate::{CpuDevice, Device, MemoryPlan};

    #[test]
    fn what_is_shown_is_standardised_and_columns_are_units_or_padding() {
        let (bins, units) = (2, 3);
        let counts = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0f32];
        let mut plan = MemoryPlan::new();
        let format = CountFormat::U8;
        let table = plan.slot(format.floats(6));
        // Unit 1 is hidden in bin 0 by itself; all units are scored.
        let mut words = vec![0, 0, 0, 0b111];
        words.extend(bits(bins, units, |row, unit| row == 0 && unit == 1));
        let (marks, columns) = (plan.slot(words.len()), plan.slot(4));
        let [mean, deviation] = [0; 2].map(|_| plan.slot(units));
        let [plain, placed] = [6, 8].map(|len| plan.slot(len));
        let mut device = CpuDevice::new(2).unwrap();
        device.reserve(plan.floats()).unwrap();
        let mut packed = vec![0.0; table.len()];
        format.pack(&counts, &mut packed);
        device.write(table, &packed);
        let words: Vec<f32> = words.into_iter().map(f32::from_bits).collect();
        device.write(marks, &words);
        device.write(columns, &[2.0, 1.0, 3.0, 2.0]);
        device.write(mean, &[0.5, 1.0, 1.0]);
        device.write(deviation, &[0.5, 2.0, 4.0]);
        let of = MaskedTrials { trials: 1, bins, units, table, format, marks, has_entries: true };
        let nothing = Slot::default();
        let op =
            ShownCounts { of, columns: nothing, padding: -1.0, mean: nothing, deviation: nothing, x: plain };
        device.shown_counts(&op);
        let read = |device: &CpuDevice, slot: Slot| {
            let mut values = vec![0.0; slot.len()];
            device.read(slot, &mut values);
            values
        };
        assert_eq!(read(&device, plain), [1.0, 0.0, 3.0, 4.0, 5.0, 6.0]);
        device.shown_counts(&ShownCounts { columns, mean, deviation, x: placed, ..op });
        assert_eq!(read(&device, placed), [0.5, 0.0, -1.0, 0.5, 1.25, 2.0, -1.0, 1.25]);
    }
}
